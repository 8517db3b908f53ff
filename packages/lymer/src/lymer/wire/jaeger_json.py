"""The JSON the Jaeger UI reads, spliced from fragments: no object per span.

The store answers tags, log fields and processes as JSON texts; a span here is one formatted string.
Source: Jaeger v2.20, `internal/uimodel/model.go` (key order) and
`internal/uimodel/converter/v1/json/from_domain.go` (values); OTLP to Jaeger as in
opentelemetry-collector-contrib v0.155, `pkg/translator/jaeger/traces_to_jaegerproto.go`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from lymer.model.columns import SpanColumns
from lymer.wire.go_text import float_text

__all__ = [
    "any_value_text",
    "encode_parts",
    "encode_traces",
    "encode_traces_in_pieces",
    "int_json",
    "json_string",
    "key_value_json",
    "nested_json",
    "short_trace_id",
    "to_key_value_json",
    "to_text",
]

SAFE_INTEGER_MAX: Final = 2**53 - 1
"""The largest integer JavaScript holds exactly; beyond it (either sign) Jaeger sends a string."""

_SPANS_PER_PIECE: Final = 500
"""Spans rendered at a time, about 300 kB."""

_STRING_FIELD: Final = 0x0A
"""First byte of an AnyValue that holds a string: field 1, length-delimited."""
_ONE_BYTE_MAX: Final = 0x7F
"""The largest number that is one byte of protobuf."""

_PROCESS_CHARACTERS_MAX: Final = 8_192
"""Longer ones are compared anew in each trace."""


def encode_traces(
    traces: Iterable[SpanColumns], *, trace_warnings: Mapping[str, Sequence[str]] | None = None
) -> bytes:
    """Return a JSON array with one Jaeger trace object per element of `traces`.

    Args:
        traces: Adjusted spans of one trace each, at least one span each.
        trace_warnings: Warnings about whole traces, by trace id (32 hex digits).
    """
    return b"".join(encode_traces_in_pieces(traces, trace_warnings=trace_warnings))


def encode_traces_in_pieces(
    traces: Iterable[SpanColumns], *, trace_warnings: Mapping[str, Sequence[str]] | None = None
) -> Iterator[bytes]:
    """Yield what `encode_traces` returns, some hundred spans at a time; see `encode_parts`."""
    return encode_parts((([one]) for one in traces), trace_warnings or {})


def encode_parts(
    traces: Iterable[Iterable[SpanColumns]], trace_warnings: Mapping[str, Sequence[str]] = {}
) -> Iterator[bytes]:
    """Yield a JSON array with one Jaeger trace object per element of `traces`.

    Tags and log fields of spans that were yielded are taken out of the columns, so that a large
    trace does not lie in memory twice.

    Args:
        traces: Each in parts, none of them empty; of no part is no trace.
        trace_warnings: Warnings about whole traces, by trace id (32 hex digits).
    """
    before = "["
    for parts in traces:
        for piece in _trace_pieces(parts, trace_warnings):
            yield (before + piece).encode("utf-8", "replace")
            before = ""
        before = ","
    yield b"[]" if before == "[" else b"]"


def short_trace_id(trace_id: str) -> str:
    """Return 16 hex digits if the high 64 bits of the 32 hex digits are zero, else all 32."""
    return trace_id.removeprefix("0000000000000000")


def json_string(text: str) -> str:
    """Return `text` as a JSON string, quotes included; a lone surrogate becomes `?`."""
    try:
        return orjson.dumps(text).decode()
    except TypeError:
        return orjson.dumps(text.encode("utf-8", "replace").decode()).decode()


def int_json(value: int) -> str:
    """Return an int64 as a JSON number, or as a JSON string beyond `SAFE_INTEGER_MAX`."""
    return str(value) if -SAFE_INTEGER_MAX <= value <= SAFE_INTEGER_MAX else f'"{value}"'


def key_value_json(key: str, any_value: bytes) -> str:
    """Return the Jaeger KeyValue of one attribute, given its value as OTLP `AnyValue` bytes.

    Never fails: a string that is not UTF-8 is shown as binary (as Jaeger's sanitizer stores it),
    and so are bytes that are no AnyValue at all.
    """
    text = _short_text(any_value)
    if text is not None:
        return _key_value(json_string(key), "string", json_string(text))
    value = _decode(any_value)
    if isinstance(value, bytes):
        return _key_value(json_string(key), "binary", f'"{base64.b64encode(value).decode()}"')
    return to_key_value_json(key, value)


def any_value_text(any_value: bytes) -> str:
    """Return an OTLP `AnyValue` as text, as searches compare it.

    Strings as they are, `true`, `-5`, `1.5`, bytes as base64, lists and key-value lists as compact
    JSON with sorted keys, no value as empty text. Source: pdata v1.61, `pcommon.Value.AsString`;
    unlike it, characters like `<` are not escaped and NaN is `NaN`, in nested values `"NaN"`.
    """
    value = _decode(any_value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else to_text(value)


def to_key_value_json(key: str, value: AnyValue) -> str:
    """Return the Jaeger KeyValue of one decoded attribute."""
    name = json_string(key)
    match value.WhichOneof("value"):
        case "string_value":
            return _key_value(name, "string", json_string(value.string_value))
        case "bool_value":
            return _key_value(name, "bool", "true" if value.bool_value else "false")
        case "int_value":
            return _key_value(name, "int64", int_json(value.int_value))
        case "double_value":
            return _key_value(name, "float64", _double_json(value.double_value))
        case "bytes_value":
            encoded = base64.b64encode(value.bytes_value).decode()
            return _key_value(name, "binary", f'"{encoded}"')
        case _:
            return _key_value(name, "string", json_string(to_text(value)))


def to_text(value: AnyValue) -> str:
    """Return a decoded attribute value as text; see `any_value_text`."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "int_value":
            return str(value.int_value)
        case "double_value":
            return float_text(value.double_value)
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "array_value" | "kvlist_value":
            return nested_json(value)
        case _:
            return ""


def nested_json(value: AnyValue) -> str:
    """Return a value as compact JSON; depth is bounded by protobuf's limit of 100 messages."""
    match value.WhichOneof("value"):
        case "array_value":
            return "[" + ",".join(map(nested_json, value.array_value.values)) + "]"
        case "kvlist_value":
            # Of equal keys the last one wins, as in pdata's `Map.AsRaw`.
            fields = {pair.key: pair.value for pair in value.kvlist_value.values}
            return (
                "{"
                + ",".join(
                    f"{json_string(key)}:{nested_json(fields[key])}" for key in sorted(fields)
                )
                + "}"
            )
        case "int_value":
            return str(value.int_value)
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "double_value":
            return _double_json(value.double_value)
        case None:
            return "null"
        case _:
            return json_string(to_text(value))


def _double_json(value: float) -> str:
    """Return a double as a JSON number, or as the string `"NaN"`, `"+Inf"` or `"-Inf"`."""
    text = float_text(value)
    return f'"{text}"' if text in {"NaN", "+Inf", "-Inf"} else text


def _key_value(key_json: str, kind: str, value_json: str) -> str:
    return f'{{"key":{key_json},"type":"{kind}","value":{value_json}}}'


def _decode(any_value: bytes) -> AnyValue | bytes:
    """Return the decoded value, or the bytes to show if it cannot be decoded."""
    value = AnyValue()
    try:
        value.ParseFromString(any_value)
    except DecodeError:
        return _string_bytes(any_value)
    return value


def _short_text(any_value: bytes) -> str | None:
    """Return the text that most values are, without making a message of it; None if it is none."""
    size = len(any_value) - 2
    if not 0 <= size <= _ONE_BYTE_MAX or any_value[0] != _STRING_FIELD or any_value[1] != size:
        return None
    try:
        return any_value[2:].decode()
    except UnicodeDecodeError:
        return None


def _string_bytes(any_value: bytes) -> bytes:
    """Return the bytes of a string that is not UTF-8, or all of `any_value` if it is no string."""
    if not any_value or any_value[0] != _STRING_FIELD:
        return any_value
    size = shift = 0
    head = 1
    for byte in any_value[1:6]:
        head += 1
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    found = any_value[head:]
    return found if len(found) == size else any_value


def _trace_pieces(
    parts: Iterable[SpanColumns], trace_warnings: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    processes = _Processes()
    full_id = ""
    before = ""
    for trace in parts:
        if not full_id:
            full_id = trace.trace_id[0]
            before = f'{{"traceID":"{short_trace_id(full_id)}","spans":['
        for spans in _span_pieces(trace, processes.ids_of(trace)):
            yield before + spans
            before = ","
    if full_id:
        warnings = trace_warnings.get(full_id, ())
        yield (
            f'],"processes":{{{processes.members}}},'
            f'"warnings":{_strings_json(warnings) if warnings else "null"}}}'
        )


def _span_pieces(trace: SpanColumns, process_ids: Mapping[int, str]) -> Iterator[str]:
    # Names repeat: escape each once.
    names = {name: json_string(name) for name in set(trace.name)}
    trace_id = short_trace_id(trace.trace_id[0])
    head = f'{{"traceID":"{trace_id}","spanID":"'
    references = _references(trace, trace_id)
    for begin in range(0, len(trace), _SPANS_PER_PIECE):
        part = slice(begin, begin + _SPANS_PER_PIECE)
        spans = [
            f'{head}{span_id}","operationName":{names[name]},"references":{refs},'
            f'"startTime":{start // 1000},"duration":{duration // 1000},"tags":{tags or "[]"},'
            f'"logs":{_logs_json(times, fields) if times else "[]"},'
            f'"processID":"{process_ids[process]}","warnings":'
            f"{_strings_json(notes) if notes else 'null'}}}"
            for span_id, name, refs, start, duration, tags, times, fields, process, notes in zip(
                trace.span_id[part],
                trace.name[part],
                islice(references, _SPANS_PER_PIECE),
                trace.start_unix_nano[part],
                trace.duration_nano[part],
                trace.tags_json[part],
                trace.event_unix_nano[part],
                trace.event_fields_json[part],
                trace.process[part],
                trace.warnings[part],
                strict=True,
            )
        ]
        trace.tags_json[part] = [""] * len(spans)
        trace.event_fields_json[part] = [[]] * len(spans)
        yield ",".join(spans)


class _Processes:
    """The processes of one trace, in the order in which its parts name them.

    Processes that differ in nothing but the order of their tags are one.
    """

    def __init__(self) -> None:
        self._by_content: dict[tuple[str, ...], str] = {}
        self._members: list[str] = []

    def ids_of(self, part: SpanColumns) -> dict[int, str]:
        """Return `p1`, `p2`, … by index into `process_json`."""
        ids: dict[int, str] = {}
        for process in dict.fromkeys(part.process):
            text = part.process_json[process]
            content = _content(text)
            known = self._by_content.get(content)
            if known is None:
                known = self._by_content[content] = f"p{len(self._by_content) + 1}"
                self._members.append(f'"{known}":{text}')
            ids[process] = known
        return ids

    @property
    def members(self) -> str:
        """The members of `processes`."""
        return ",".join(self._members)


def _content(text: str) -> tuple[str, ...]:
    if len(text) > _PROCESS_CHARACTERS_MAX:
        return _process_content(text)
    return _known_content(text)


@lru_cache(maxsize=512)
def _known_content(text: str) -> tuple[str, ...]:
    return _process_content(text)


def _process_content(text: str) -> tuple[str, ...]:
    """Return the service and the sorted tags of a process: equal for equal processes."""
    process = orjson.loads(text)
    tags = sorted(
        orjson.dumps(tag, option=orjson.OPT_SORT_KEYS).decode() for tag in process["tags"]
    )
    return (process["serviceName"], *tags)


def _references(trace: SpanColumns, short_id: str) -> Iterator[str]:
    """Yield the JSON array of references of each span."""
    child_of = f'[{{"refType":"CHILD_OF","traceID":"{short_id}","spanID":"'
    for full_id, parent, links in zip(
        trace.trace_id, trace.parent_span_id, trace.links, strict=True
    ):
        if links:
            yield _linked_references(full_id, parent, links)
        elif parent:
            yield f'{child_of}{parent}"}}]'
        else:
            yield "[]"


def _linked_references(trace_id: str, parent: str, links: list[tuple[str, str, bool]]) -> str:
    """Return the references of a span with links: first the parent, whose type a link may set."""
    references = [(trace_id, parent, True)] if parent else []
    for link in links:
        if parent and link[0] == trace_id and link[1] == parent:
            references[0] = link
        else:
            references.append(link)
    return (
        "["
        + ",".join(
            f'{{"refType":"{"CHILD_OF" if is_child_of else "FOLLOWS_FROM"}",'
            f'"traceID":"{short_trace_id(linked_trace)}","spanID":"{linked_span}"}}'
            for linked_trace, linked_span, is_child_of in references
        )
        + "]"
    )


def _logs_json(times: Sequence[int], fields: Sequence[str]) -> str:
    """Return the JSON array of logs; a skeleton has instants but no fields."""
    texts = fields or ["[]"] * len(times)
    return (
        "["
        + ",".join(
            f'{{"timestamp":{time // 1000},"fields":{text}}}'
            for time, text in zip(times, texts, strict=True)
        )
        + "]"
    )


def _strings_json(texts: Sequence[str]) -> str:
    return "[" + ",".join(map(json_string, texts)) + "]"
