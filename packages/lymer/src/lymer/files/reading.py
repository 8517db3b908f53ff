"""Spans of a file, whatever its format: OTLP, Jaeger's or Zipkin's, plain or compressed.

OTLP may be JSON, lines of JSON or protobuf; Jaeger and Zipkin are read from JSON. The format is
known by the content. Memory is bounded by one trace, resource or line, not by the file. What cannot
be read is told with its place, and what stands beside it is read.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, BinaryIO, Final, cast

import orjson
import zstandard

from lymer.errors import LymerError, UndecodableError
from lymer.files.json_pieces import PIECE_BYTES_MAX, JsonProblem, iter_json
from lymer.wire.jaeger_document import request_from_jaeger_span, request_from_jaeger_trace
from lymer.wire.otlp_json import request_from_document
from lymer.wire.otlp_proto import CheckedRequest, check_request
from lymer.wire.translations import Format, translate

__all__ = ["Piece", "Problem", "read_spans"]

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_RESOURCE_SPANS: Final = 0x0A
_OTLP_KEYS: Final = ("resourceSpans", "resource_spans", "batches")
_AROUND: Final = ("_source", "result", "trace", "hits")
_BASE64_BYTES: Final = {"traceId": 16, "spanId": 8, "parentSpanId": 8}
_VARINT_BYTES_MAX: Final = 5
_HEAD_BYTES: Final = 4 * 1024
"""What the kind of a file is known by."""
_SPACE: Final = b" \t\r\n\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_JSON_HEAD: Final = re.compile(rb'\{\s*(\}|"([^"\\\x00-\x1f]|\\.)*"\s*:)|\[\s*[\[\]{]')
_BLOCK_BYTES: Final = 64 * 1024
_WINDOW_BYTES_MAX: Final = 2**27


@dataclass(frozen=True, slots=True)
class Piece:
    """Spans, as OTLP."""

    request: CheckedRequest
    place: str
    """Where they stand in the file: `line 12`, or `byte 4096`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read."""

    place: str
    cause: str


def read_spans(stream: BinaryIO) -> Iterator[Piece | Problem]:
    """Yield what a file holds, in its order; never raises for what is in the file."""
    place = "its end"
    try:
        plain, first = _decompressed(stream, stream.read(4))
        first += _exactly(plain, _HEAD_BYTES - len(first))
        if len(first) < _HEAD_BYTES and not first.strip(_SPACE):
            return
        if first.startswith(_UTF_16):
            yield Problem("byte 0", "it is text in UTF-16, write it in UTF-8")
        elif _is_json(first):
            yield from _read_json(plain, first)
        else:
            yield from _read_protobuf(plain, first)
    except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
        yield Problem(place, f"it is damaged, or ends too early: {error}")


def _is_json(first: bytes) -> bool:
    """Tell JSON from protobuf, which may begin with a line feed and a bracket: so long it is."""
    text = first.lstrip(_SPACE)
    if text[:1] not in {b"{", b"["}:
        return False
    return first[0] != _RESOURCE_SPANS or _JSON_HEAD.match(text) is not None


def _decompressed(stream: BinaryIO, first: bytes) -> tuple[BinaryIO, bytes]:
    """Return a stream of what is in a file, and what was read of it already."""
    if first.startswith(_GZIP):
        return cast("BinaryIO", _Gzip(_Again(first, stream))), b""
    if first.startswith(_ZSTD):
        return cast("BinaryIO", _Frames(_Again(first, stream))), b""
    return stream, first


class _Gzip(io.RawIOBase):
    """What is packed by gzip; what stands before a damage is read before that is told."""

    def __init__(self, stream: _Again) -> None:
        self._plain = gzip.GzipFile(fileobj=cast("BinaryIO", stream))
        self._damage: Exception | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if self._damage is not None:
            raise self._damage
        parts = []
        size = _BLOCK_BYTES if size < 0 else size
        try:
            while size > 0 and (part := self._plain.read1(size)):
                parts.append(part)
                size -= len(part)
        except (EOFError, OSError, zlib.error) as error:
            if not parts:
                raise
            self._damage = error
        return b"".join(parts)


class _Again(io.RawIOBase):
    """A stream of which the first bytes were read already."""

    def __init__(self, first: bytes, stream: BinaryIO) -> None:
        self._first, self._stream = first, stream

    def readable(self) -> bool:
        return True

    def back(self, content: bytes) -> None:
        """Take back what was read too far."""
        self._first = content + self._first

    def read(self, size: int = -1, /) -> bytes:
        if self._first and size != 0:
            size = len(self._first) if size < 0 else size
            found, self._first = self._first[:size], self._first[size:]
            return found
        return self._stream.read(size)


class _Frames(io.RawIOBase):
    """What frames of zstd hold; several, as a file has to which somebody appended."""

    def __init__(self, stream: _Again) -> None:
        self._stream = stream
        self._frame: Any = None
        self._plain = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        while not self._plain:
            packed = self._stream.read(_BLOCK_BYTES)
            if not packed:
                if self._frame is not None:
                    raise EOFError("a frame does not end")
                return b""
            if self._frame is None:
                decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX)
                self._frame = decompressor.decompressobj()
            self._plain = self._frame.decompress(packed)
            if self._frame.eof:
                self._stream.back(self._frame.unused_data)
                self._frame = None
        size = len(self._plain) if size < 0 else size
        found, self._plain = self._plain[:size], self._plain[size:]
        return found


def _exactly(stream: BinaryIO, size: int) -> bytes:
    """Read so many bytes, or fewer at the end, whole or not."""
    parts: list[bytes] = []
    while size > 0:
        try:
            part = stream.read(size)
        except EOFError:
            if not parts:
                raise
            break  # the next read says so again
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


# ---------------------------------------------------------------------------------- JSON


def _read_json(stream: BinaryIO, first: bytes) -> Iterator[Piece | Problem]:
    for found in iter_json(stream, first):
        place = f"line {found.line}"
        if isinstance(found, JsonProblem):
            yield Problem(place, found.cause)
            continue
        yield from _read_text(found.body, found.key, place)


def _read_text(body: bytes, key: str, place: str) -> Iterator[Piece | Problem]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        yield Problem(place, f"it is not JSON: {error}")
        return
    yield from _read_value(value, key, place)


def _read_value(value: object, key: str, place: str) -> Iterator[Piece | Problem]:
    """Yield the spans of a JSON value; those of a list one by one, for one may be wrong."""
    if isinstance(value, list):
        if value and _is_zipkin(value[0]):
            # A trace may have spans of both versions.
            for _, some in groupby(value, _is_zipkin_v1):
                yield from _read_one(list(some), place)
            return
        for number, one in enumerate(value):
            yield from _read_value(one, key, f"{place}, element {number + 1}")
        return
    if isinstance(value, dict):
        for name in ("data", "traces", *_AROUND):
            inner = value.get(name)
            if isinstance(inner, dict | list) and "spans" not in value:
                yield from _read_value(inner, name, place)
                return
    yield from _read_one(value, place)


def _read_one(value: object, place: str) -> Iterator[Piece | Problem]:
    try:
        request = _request_of(value)
    except LymerError as error:
        yield Problem(place, str(error))
        return
    if request.refused_spans:
        yield Problem(place, f"{request.refused_spans} spans are left out: {request.reason}")
    if request.span_count:
        yield Piece(request, place)


def _request_of(value: object) -> CheckedRequest:
    if isinstance(value, list):
        is_v1 = any(map(_is_zipkin_v1, value))
        return translate(orjson.dumps(value), Format("zipkin-v1-json" if is_v1 else "zipkin-json"))
    if not isinstance(value, dict):
        raise UndecodableError("it is no object with spans")
    for name in _OTLP_KEYS:
        if name in value:
            return _of_otlp({"resourceSpans": value[name]})
    if any(name in value for name in ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")):
        return _of_otlp({"resourceSpans": [value]})
    if "spans" in value:
        return request_from_jaeger_trace(value)
    if "traceID" in value and "spanID" in value:
        return request_from_jaeger_span(value)
    if _is_zipkin(value):
        return _request_of([value])
    keys = ", ".join(str(key)[:40] for key in list(value)[:5])
    raise UndecodableError(
        f"it is neither OTLP nor a trace of Jaeger or Zipkin; its keys are: {keys or 'none'}"
    )


def _is_zipkin(value: object) -> bool:
    return isinstance(value, dict) and "traceId" in value and "id" in value


def _is_zipkin_v1(value: object) -> bool:
    """Tell whether a span says what it says with annotations that name who said so."""
    return isinstance(value, dict) and (
        "binaryAnnotations" in value
        or any("endpoint" in one for one in _dicts(value.get("annotations")))
    )


def _of_otlp(document: dict[str, Any]) -> CheckedRequest:
    """Return a request; ids in base64, as protobuf's own JSON and Tempo have them, are read too."""
    first = next(_spans_of(document), None)
    if first is not None and _bytes_of(first.get("traceId"), 16) is not None:
        for span in _spans_of(document):
            _write_hex(span)
            for link in span.get("links") or ():
                if isinstance(link, dict):
                    _write_hex(link)
    return request_from_document(document)


def _spans_of(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in _dicts(document.get("resourceSpans")):
        for scope in _dicts(resource.get("scopeSpans") or resource.get("scope_spans")):
            yield from _dicts(scope.get("spans"))


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())


def _write_hex(holder: dict[str, Any]) -> None:
    for name, size in _BASE64_BYTES.items():
        found = _bytes_of(holder.get(name), size)
        if found is not None:
            holder[name] = found.hex()


def _bytes_of(text: object, size: int) -> bytes | None:
    """Return the bytes of an id in base64; None if it is none, hex for example."""
    if not isinstance(text, str) or len(text) != -(-size // 3) * 4:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


# ---------------------------------------------------------------------------------- protobuf


def _read_protobuf(stream: BinaryIO, first: bytes) -> Iterator[Piece | Problem]:
    """Yield the requests of a file of one message, or of many with their lengths before them.

    Lengths of four bytes are those of the Collector's file exporter; what they stand before is
    compressed, and may be JSON then, if it was told to compress.
    """
    source = _Bytes(stream, first)
    if first[0] == _RESOURCE_SPANS:
        frame = _field
    elif first[0] == 0 and (first[4:5] == b"\x0a" or first[4:8] == _ZSTD):
        frame = _frame
    elif any(one == _RESOURCE_SPANS for one in first[1:6]):
        frame = _delimited
    else:
        yield Problem("byte 0", "it is neither JSON nor OTLP protobuf, nor either compressed")
        return
    while source.has_more():
        place = f"byte {source.place}"
        try:
            body = frame(source)
        except ValueError as error:
            yield Problem(place, str(error))
            return
        if body[:1] == b"{":
            yield from _read_text(body, "", place)
            continue
        try:
            request = check_request(body)
        except LymerError as error:
            yield Problem(place, str(error))
            continue
        if request.refused_spans:
            yield Problem(place, f"{request.refused_spans} spans are left out: {request.reason}")
        if request.span_count:
            yield Piece(request, place)


class _Bytes:
    """A stream that says where it is."""

    def __init__(self, stream: BinaryIO, first: bytes) -> None:
        self._stream, self._first = stream, first
        self.place = 0

    def has_more(self) -> bool:
        self._first = self._first or self._stream.read(1)
        return bool(self._first)

    def take(self, size: int) -> bytes:
        if size > PIECE_BYTES_MAX:
            raise ValueError(f"a message of {size} bytes, the limit is {PIECE_BYTES_MAX}")
        found, self._first = self._first[:size], self._first[size:]
        found += _exactly(self._stream, size - len(found))
        if len(found) < size:
            raise ValueError("the file ends within a message")
        self.place += size
        return found

    def varint(self) -> tuple[int, bytes]:
        value, sent = 0, b""
        for shift in range(0, 7 * _VARINT_BYTES_MAX, 7):
            byte = self.take(1)
            sent += byte
            value |= (byte[0] & 0x7F) << shift
            if byte[0] < 0x80:
                return value, sent
        raise ValueError("there is no message")


def _field(source: _Bytes) -> bytes:
    tag = source.take(1)
    if tag[0] != _RESOURCE_SPANS:
        raise ValueError("there is no field resource_spans")
    size, sent = source.varint()
    return tag + sent + source.take(size)


def _frame(source: _Bytes) -> bytes:
    body = source.take(int.from_bytes(source.take(4), "big"))
    if not body.startswith(_ZSTD):
        return body
    try:
        # Read as a stream, for the frame does not say how long it becomes.
        return _exactly(cast("BinaryIO", _Frames(_Again(body, io.BytesIO()))), PIECE_BYTES_MAX)
    except (EOFError, zstandard.ZstdError) as error:
        raise ValueError(f"a message is damaged: {error}") from error


def _delimited(source: _Bytes) -> bytes:
    return source.take(source.varint()[0])
