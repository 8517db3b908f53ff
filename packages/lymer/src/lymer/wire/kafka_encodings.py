"""What a message of Kafka holds, by the name of its encoding: read into OTLP, and written from it.

Source: opentelemetry-collector-contrib v0.155, `exporter/kafkaexporter`, `receiver/kafkareceiver`,
`internal/kafka`; Jaeger v1.76 `internal/storage/v1/kafka`; reference jaeger.md 2.8. `jaeger_proto`
and `jaeger_json` are one `jaeger.api_v2.Span` a message, with the trace's id as the key.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lymer.errors import LymerError, TooLargeError, UndecodableError
from lymer.wire.jaeger_proto import PostSpansRequest
from lymer.wire.otlp_proto import CheckedRequest, check_as_sent
from lymer.wire.otlp_split import split_request
from lymer.wire.otlp_to_jaeger_proto import post_spans_from_otlp
from lymer.wire.otlp_to_zipkin import zipkin_traces_of
from lymer.wire.proto_fields import field_bytes
from lymer.wire.traces_json import traces_to_json_object
from lymer.wire.translations import Format, FormatName, translate

__all__ = ["WRITTEN", "read_messages", "write_messages"]

WRITTEN: Final = ("otlp_proto", "otlp_json", "jaeger_proto", "jaeger_json", "zipkin_json")
"""Encodings that can be written."""
_FORMATS: Final[dict[str, FormatName]] = {
    "otlp_proto": "otlp-proto",
    "otlp_json": "otlp-json",
    "zipkin_json": "zipkin-json",
    "zipkin_proto": "zipkin-proto",
    "zipkin_thrift": "zipkin-v1-thrift",
}
_FIRST_FIELD: Final = 0x0A
_SPANS_PER_PART_MAX: Final = 20_000
_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_DURATION: Final = re.compile(r"(-?)(\d{1,18})(?:\.(\d{1,9}))?s")
_TYPES: Final = ("STRING", "BOOL", "INT64", "FLOAT64", "BINARY")
_REFERENCES: Final = ("CHILD_OF", "FOLLOWS_FROM")


def read_messages(
    bodies: Sequence[bytes], encoding: str, now_unix_nano: int
) -> Sequence[CheckedRequest | LymerError]:
    """Return what each message says, or why it cannot be read; messages of one span are joined.

    What is joined stands at the place of the first of them, the others are empty requests.

    Args:
        bodies: Of messages that belong to one tenant.
        encoding: How they are written.
        now_unix_nano: Start of spans that say nothing about it.
    """
    if encoding == "otlp_proto":
        return [_attempt(_read_otlp, body) for body in bodies]
    if encoding.startswith("jaeger"):
        to_span = bytes if encoding == "jaeger_proto" else _span_of_json
        joined = _attempt(_read_spans, bodies, to_span)
        if isinstance(joined, CheckedRequest):
            return [joined, *([CheckedRequest(b"", 0)] * (len(bodies) - 1))][: len(bodies)]
        return [_attempt(_read_spans, [body], to_span) for body in bodies]
    how = Format(_FORMATS[encoding], now_unix_nano=now_unix_nano)
    return [_attempt(translate, body, how) for body in bodies]


def _attempt(read: Any, *arguments: Any) -> CheckedRequest | LymerError:
    try:
        made: CheckedRequest = read(*arguments)
    except LymerError as error:
        return error
    return made


def _read_otlp(body: bytes) -> CheckedRequest:
    return check_as_sent(body) or translate(body, Format("otlp-proto"))


def _read_spans(bodies: Sequence[bytes], to_span: Any) -> CheckedRequest:
    spans = [field_bytes(_FIRST_FIELD, to_span(body)) for body in bodies]
    return translate(field_bytes(_FIRST_FIELD, *spans), Format("jaeger-proto"))


def write_messages(body: bytes, encoding: str, bytes_max: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value) of the messages that hold a request; the key may be empty.

    Args:
        body: An `ExportTraceServiceRequest` that was checked.
        encoding: One of `WRITTEN`.
        bytes_max: A larger message is no message.

    Raises:
        TooLargeError: One span is larger.
    """
    if encoding.startswith("jaeger"):
        made = _jaeger_messages(body, is_json=encoding == "jaeger_json")
    elif encoding == "otlp_proto":
        made = ((b"", part) for part in _parts(body, bytes_max))
    else:
        # JSON is two to four times as long.
        whole = (_write_json(part, encoding) for part in _parts(body, bytes_max // 4))
        made = ((b"", one) for one in whole)
    for key, value in made:
        if len(value) > bytes_max:
            raise TooLargeError(
                f"cannot send a message of {len(value)} bytes to Kafka: the limit is {bytes_max} "
                "(kafka.message_bytes_max)"
            )
        yield key, value


def _parts(body: bytes, bytes_max: int) -> Iterator[bytes]:
    if len(body) <= bytes_max:
        yield body
        return
    # A part ends behind the span that reaches the limit, so the limit is half of what may go.
    split = split_request(body, spans_max=_SPANS_PER_PART_MAX, bytes_max=bytes_max // 2)
    for part, span_count in split:
        if len(part) > bytes_max and span_count > 1:
            yield from (one for one, _ in split_request(part, spans_max=1, bytes_max=1))
        else:
            yield part


def _write_json(body: bytes, encoding: str) -> bytes:
    traces = TracesData.FromString(body)
    if encoding == "otlp_json":
        return orjson.dumps(traces_to_json_object(traces))
    return orjson.dumps([span for spans in zipkin_traces_of(traces).values() for span in spans])


def _jaeger_messages(body: bytes, *, is_json: bool) -> Iterator[tuple[bytes, bytes]]:
    batch = PostSpansRequest.FromString(post_spans_from_otlp(body)).batch
    for span in batch.spans:
        if not span.HasField("process"):
            span.process.CopyFrom(batch.process)
        value = orjson.dumps(_json_of_span(span)) if is_json else span.SerializeToString()
        yield span.trace_id.hex().encode(), value


# ------------------------------------------------------------------------------ jsonpb


def _json_of_span(span: Any) -> dict[str, Any]:
    """Write a span as Go's jsonpb does: small camels, bytes in base64, 64 bits as text."""
    return {
        "traceId": _base64(span.trace_id),
        "spanId": _base64(span.span_id),
        "operationName": _text(span.operation_name),
        "references": [
            {
                "traceId": _base64(one.trace_id),
                "spanId": _base64(one.span_id),
                "refType": _REFERENCES[one.ref_type],
            }
            for one in span.references
        ],
        "startTime": _instant(span.start_time),
        "duration": _duration(span.duration),
        "tags": _json_of_tags(span.tags),
        "logs": [
            {"timestamp": _instant(log.timestamp), "fields": _json_of_tags(log.fields)}
            for log in span.logs
        ],
        "process": {
            "serviceName": _text(span.process.service_name),
            "tags": _json_of_tags(span.process.tags),
        },
    }


def _json_of_tags(tags: Any) -> list[dict[str, Any]]:
    made = []
    for tag in tags:
        one: dict[str, Any] = {"key": _text(tag.key), "vType": _TYPES[tag.v_type]}
        if tag.v_type == 0:
            one["vStr"] = _text(tag.v_str)
        elif tag.v_type == 1:
            one["vBool"] = tag.v_bool
        elif tag.v_type == 2:
            one["vInt64"] = str(tag.v_int64)
        elif tag.v_type == 3:
            number = tag.v_float64
            one["vFloat64"] = number if abs(number) < float("inf") else _word_of(number)
        else:
            one["vBinary"] = _base64(tag.v_binary)
        made.append(one)
    return made


def _word_of(number: float) -> str:
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"  # noqa: PLR0124


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _instant(instant: Any) -> str:
    at = datetime.fromtimestamp(instant.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{at}.{instant.nanos:09d}Z"


def _duration(duration: Any) -> str:
    sign = "-" if duration.seconds < 0 or duration.nanos < 0 else ""
    return f"{sign}{abs(duration.seconds)}.{abs(duration.nanos):09d}s"


def _span_of_json(body: bytes) -> bytes:
    """Return the `Span` that jsonpb wrote.

    Raises:
        UndecodableError: It is none.
    """
    try:
        given = orjson.loads(body)
        span = PostSpansRequest().batch.spans.add()
        span.trace_id = base64.b64decode(_field(given, "traceId", str), validate=True)
        span.span_id = base64.b64decode(_field(given, "spanId", str), validate=True)
        span.operation_name = _field(given, "operationName", str).encode()
        for one in _field(given, "references", list):
            made = span.references.add()
            made.trace_id = base64.b64decode(_field(one, "traceId", str), validate=True)
            made.span_id = base64.b64decode(_field(one, "spanId", str), validate=True)
            made.ref_type = _number(one.get("refType", 0), _REFERENCES)
        _set_instant(span.start_time, _field(given, "startTime", str))
        _set_duration(span.duration, _field(given, "duration", str))
        _set_tags(span.tags, _field(given, "tags", list))
        for one in _field(given, "logs", list):
            log = span.logs.add()
            _set_instant(log.timestamp, _field(one, "timestamp", str))
            _set_tags(log.fields, _field(one, "fields", list))
        process = _field(given, "process", dict)
        span.process.service_name = _field(process, "serviceName", str).encode()
        _set_tags(span.process.tags, _field(process, "tags", list))
        made_bytes: bytes = span.SerializeToString()
    except (ValueError, TypeError, AttributeError, OverflowError, DecodeError) as error:
        raise UndecodableError(f"cannot decode a span of Jaeger's in JSON: {error}") from error
    return made_bytes


def _field(given: Any, name: str, kind: type) -> Any:
    value = given.get(name)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise TypeError(f"{name} is {type(value).__name__}")
    return value


def _number(given: str | int, words: Sequence[str]) -> int:
    return words.index(given) if isinstance(given, str) else int(given)


def _set_tags(tags: Any, given: Sequence[Any]) -> None:
    for one in given:
        tag = tags.add()
        tag.key = _field(one, "key", str).encode()
        tag.v_type = _number(one.get("vType", 0), _TYPES)
        tag.v_str = _field(one, "vStr", str).encode()
        tag.v_bool = _field(one, "vBool", bool)
        tag.v_int64 = int(one.get("vInt64", 0))
        tag.v_float64 = float(one.get("vFloat64", 0))
        tag.v_binary = base64.b64decode(_field(one, "vBinary", str), validate=True)


def _set_instant(instant: Any, given: str) -> None:
    if not given:
        return
    match = _INSTANT.fullmatch(given)
    if match is None:
        raise ValueError(f"no instant: {given[:40]}")
    at = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
    instant.seconds = int(at.timestamp())
    instant.nanos = int((match[2] or "").ljust(9, "0"))


def _set_duration(duration: Any, given: str) -> None:
    if not given:
        return
    match = _DURATION.fullmatch(given)
    if match is None:
        raise ValueError(f"no duration: {given[:40]}")
    sign = -1 if match[1] else 1
    duration.seconds = sign * int(match[2])
    duration.nanos = sign * int((match[3] or "").ljust(9, "0"))
