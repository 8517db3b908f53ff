"""Spans into a file: OTLP (JSON, lines of JSON, protobuf) or Jaeger's JSON, also compressed.

A file grows by pieces, each whole traces. After `commit` everything before it can be read, and
writing can go on there later: a compressed file then has another member or frame, which every
reader of the format takes.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import PurePath
from typing import BinaryIO, Final, Literal, get_args

import orjson
import zstandard
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lymer.query.adjust.otlp import split_otlp
from lymer.query.adjust.rows import split_traces
from lymer.query.transform import transform_request
from lymer.wire.jaeger_json import encode_traces
from lymer.wire.traces_json import traces_to_json_object

__all__ = ["FORMATS", "FormatName", "SpanFile", "compression_of", "count_spans"]

FormatName = Literal["otlp-json", "otlp-jsonl", "otlp-proto", "jaeger-json"]
FORMATS: Final = get_args(FormatName)
_LEVEL: Final = 6
_AROUND: Final = {
    "otlp-json": (b'{"resourceSpans":[\n', b"\n]}\n"),
    "jaeger-json": (b'{"data":[\n', b"\n]}\n"),
}
"""What stands before the first piece and behind the last; between pieces is a comma."""


def compression_of(name: str) -> Literal["", "gzip", "zstd"]:
    """Return what a file's name says of its compression."""
    suffix = PurePath(name).suffix.lower()
    if suffix in {".gz", ".gzip"}:
        return "gzip"
    return "zstd" if suffix in {".zst", ".zstd"} else ""


def count_spans(traces: bytes) -> int:
    """Return how many spans a `TracesData` message has."""
    return sum(
        len(scope_spans.spans)
        for resource_spans in TracesData.FromString(traces).resource_spans
        for scope_spans in resource_spans.scope_spans
    )


class SpanFile:
    """Writes pieces to a stream, whose place it does not ask for."""

    def __init__(
        self,
        stream: BinaryIO,
        format_name: FormatName,
        compression: Literal["", "gzip", "zstd"] = "",
        *,
        is_begun: bool = False,
    ) -> None:
        """Write to `stream`; `is_begun` says that there are pieces in it already."""
        self._stream = stream
        self._opening, self._closing = _AROUND.get(format_name, (b"", b""))
        self._encode = _ENCODERS[format_name]
        self._compress: Callable[[bytes], bytes] = {
            "": bytes,
            "gzip": lambda body: gzip.compress(body, _LEVEL, mtime=0),
            "zstd": zstandard.ZstdCompressor().compress,
        }[compression]
        self._is_begun = is_begun
        self._waiting: list[bytes] = [] if is_begun else [self._opening]

    def write(self, traces: bytes) -> None:
        """Add whole traces, a `TracesData` message; without spans nothing is added."""
        encoded = self._encode(traces)
        if not encoded:
            return
        if self._is_begun and self._opening:
            self._waiting.append(b",\n")
        self._is_begun = True
        self._waiting.append(encoded)

    def commit(self) -> None:
        """Hand what was added to the stream, as something whole."""
        body = b"".join(self._waiting)
        self._waiting = []
        if body:
            self._stream.write(self._compress(body))

    def end(self) -> None:
        """Write what closes the document."""
        self._waiting.append(self._closing)
        self.commit()


def _otlp_json(traces: bytes) -> bytes:
    resources = traces_to_json_object(TracesData.FromString(traces)).get("resourceSpans", [])
    return b",\n".join(map(orjson.dumps, resources))


def _otlp_lines(traces: bytes) -> bytes:
    """Return a line for each trace."""
    each = split_otlp(TracesData.FromString(traces)).values()
    return b"".join(orjson.dumps(traces_to_json_object(one)) + b"\n" for one in each)


def _jaeger_json(traces: bytes) -> bytes:
    if not traces:
        return b""
    found = encode_traces(split_traces(transform_request(traces)))
    return found.strip().removeprefix(b"[").removesuffix(b"]")


_ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "otlp-json": _otlp_json,
    "otlp-jsonl": _otlp_lines,
    "otlp-proto": bytes,
    "jaeger-json": _jaeger_json,
}
