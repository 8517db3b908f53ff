"""Spans as Jaeger JSON fragments, written by the engine; text of SQL only.

An attribute's value is stored as the bytes of its AnyValue. The first byte says which member of the
oneof it is, so the engine can write scalars itself. What it cannot (arrays, key-value lists, bytes
that are not in canonical form) it leaves as a marker `\\1HEX(key).HEX(value)\\1` for Python, which
meets few of them. A control character cannot stand raw in JSON, so no sent text can fake a marker.

Source of the mapping: reference jaeger.md 2.11, OTLP to Jaeger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["CAST_RESOURCE", "CAST_SCOPE", "LIBRARY_KEYS", "MARKER", "select_spans"]

MARKER: Final = "\x01"
LIBRARY_KEYS: Final = (
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
    "telemetry.distro.name",
    "telemetry.distro.version",
)
"""Attributes that belong to the resource. Source: Jaeger v2.20, `libraryattributes.go`."""
_LIBRARY: Final = "[" + ", ".join(f"'{key}'" for key in LIBRARY_KEYS) + "]"
_WARNINGS_KEY: Final = "'@jaeger@warnings'"

CAST_RESOURCE: Final = (
    "CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, "
    "entities Array(String), schema_url String)')"
)
CAST_SCOPE: Final = (
    "CAST(scope, 'Tuple(name String, version String, attributes Map(String, String), "
    "dropped UInt32, schema_url String)')"
)


def _json(text: str) -> str:
    return f"toJSONString(toValidUTF8({text}))"


def _tag(key: str, kind: str, value_json: str) -> str:
    """Return the expression of a KeyValue whose key and type are constants."""
    return f"""concat('{{"key":"{key}","type":"{kind}","value":', {value_json}, '}}')"""


def _content_start(value: str) -> str:
    """Return where the content of a length-delimited member begins, 1-based.

    A length below 2^7, 2^14, 2^21, 2^28 takes 1, 2, 3, 4 bytes.
    """
    size = f"length({value})"
    return f"multiIf({size} <= 129, 3, {size} <= 16386, 4, {size} <= 2097155, 5, 6)"


def _length_fits(value: str) -> str:
    """Return whether a length-delimited member is all there is: the low bits of its length agree."""
    return (
        f"length({value}) >= 2 AND bitAnd(reinterpretAsUInt8(substring({value}, 2, 1)), 127) "
        f"= bitAnd(length({value}) + 1 - {_content_start(value)}, 127)"
    )


def _integer(value: str) -> str:
    """Return the Int64 of a varint member."""
    return (
        "reinterpretAsInt64(arraySum(i -> bitShiftLeft(toUInt64(bitAnd(reinterpretAsUInt8("
        f"substring({value}, 2 + i, 1)), 127)), 7 * i), range(least(length({value}) - 1, 10))))"
    )


def _integer_is_whole(value: str) -> str:
    return (
        f"length({value}) BETWEEN 2 AND 11 "
        f"AND reinterpretAsUInt8(substring({value}, length({value}), 1)) < 128 "
        f"AND arrayAll(i -> reinterpretAsUInt8(substring({value}, i, 1)) >= 128, "
        f"range(2, length({value})))"
    )


def _key_value(key: str, value: str, *, adjusted: bool) -> str:
    """Return the expression of the KeyValue of attribute `key` with AnyValue bytes `value`.

    Args:
        key: Expression of the key.
        value: Expression of the AnyValue's bytes.
        adjusted: Write numeric `ip` and `peer.ipv4` as addresses.
    """
    content = f"substring({value}, {_content_start(value)})"
    number, double = _integer(value), f"reinterpretAsFloat64(substring({value}, 2, 8))"

    key_json = _json(f"toString({key})")

    def typed(kind: str, value_json: str) -> str:
        return (
            f"""concat('{{"key":', {key_json}, ',"type":"{kind}","value":', """
            f"{value_json}, '}}')"
        )

    def quoted(text: str) -> str:
        return f"concat('\"', {text}, '\"')"

    number_json = (
        f"if({number} BETWEEN -9007199254740991 AND 9007199254740991, "
        f"toString({number}), {quoted(f'toString({number})')})"
    )
    double_json = (
        f"multiIf(isNaN({double}), '\"NaN\"', {double} = inf, '\"+Inf\"', "
        f"{double} = -inf, '\"-Inf\"', toString({double}))"
    )
    integer_case, double_case = typed("int64", number_json), typed("float64", double_json)
    if adjusted:
        is_address = f"{key} IN ('ip', 'peer.ipv4')"
        low = f"toUInt32(bitAnd({number}, 4294967295))"
        integer_case = f"if({is_address}, {_address(typed, low)}, {integer_case})"
        whole = f"toInt64(if(abs({double}) < 9223372036854775807, {double}, 0))"
        low = f"toUInt32(bitAnd({whole}, 4294967295))"
        double_case = f"if({is_address}, {_address(typed, low)}, {double_case})"
    boolean = f"if({value} = unhex('1001'), 'true', 'false')"
    return (
        f"multiIf({value} = '', {typed('string', EMPTY_JSON)}, "
        f"startsWith({value}, '\\n') AND {_length_fits(value)}, {typed('string', _json(content))}, "
        f"{value} IN (unhex('1000'), unhex('1001')), "
        f"{typed('bool', boolean)}, "
        f"startsWith({value}, '\\x18') AND {_integer_is_whole(value)}, {integer_case}, "
        f"startsWith({value}, '!') AND length({value}) = 9, {double_case}, "
        f"startsWith({value}, ':') AND {_length_fits(value)}, "
        f"{typed('binary', quoted(f'base64Encode({content})'))}, "
        f"{_marker('', key, value)})"
    )


EMPTY_JSON: Final = "'\"\"'"


def _address(typed: Callable[[str, str], str], number: str) -> str:
    return typed("string", f"concat('\"', IPv4NumToString({number}), '\"')")


def _marker(letter: str, key: str, value: str) -> str:
    return f"concat('\\x01{letter}', hex({key}), '.', hex({value}), '\\x01')"


def _attributes_json(attributes: str, *, adjusted: bool, is_span: bool = False) -> str:
    """Return the expression of an array of KeyValues, one per attribute."""
    key, value = "tupleElement(t, 1)", "tupleElement(t, 2)"
    entry = _key_value(key, value, adjusted=adjusted)
    if is_span:
        if adjusted:
            entry = f"if({key} IN {_LIBRARY}, {_marker('L', key, value)}, {entry})"
        entry = f"if({key} = {_WARNINGS_KEY}, {_marker('W', key, value)}, {entry})"
    return f"arrayMap(t -> {entry}, {_entries(attributes, adjusted=adjusted)})"


def _entries(attributes: str, *, adjusted: bool) -> str:
    """Return the expression of (key, value, place) of each attribute, in the order to show."""
    zipped = (
        f"arrayZip(mapKeys({attributes}), mapValues({attributes}), "
        f"arrayEnumerate(mapKeys({attributes})))"
    )
    if not adjusted:
        return zipped
    return f"arraySort(t -> (toString(tupleElement(t, 1)), tupleElement(t, 3)), {zipped})"


def _tags_json(*, adjusted: bool) -> str:
    scope = f"{CAST_SCOPE} AS s"
    scope_name, scope_version = "tupleElement(s, 'name')", "tupleElement(s, 'version')"
    codes = "'unspecified', 'internal', 'server', 'client', 'producer', 'consumer'"
    kind = f"concat('\"', [{codes}][kind + 1], '\"')"
    tail = [
        f"if(kind BETWEEN 1 AND 5, {_tag('span.kind', 'string', kind)}, '')",
        f"multiIf(status = 1, {_tag('otel.status_code', 'string', _OK)}, "
        f"status = 2, {_tag('otel.status_code', 'string', _ERROR)}, '')",
        f"if(status = 2, {_tag('error', 'bool', _TRUE)}, '')",
        f"if(status_message != '', "
        f"{_tag('otel.status_description', 'string', _json('toString(status_message)'))}, '')",
        f"if(trace_state != '', "
        f"{_tag('w3c.tracestate', 'string', _json('toString(trace_state)'))}, '')",
    ]
    head = [
        f"if(tupleElement({scope}, 'name') != '', "
        f"{_tag('otel.scope.name', 'string', _json(scope_name))}, '')",
        f"if({scope_version} != '', "
        f"{_tag('otel.scope.version', 'string', _json(scope_version))}, '')",
    ]
    attributes = _attributes_json("attrs", adjusted=adjusted, is_span=True)
    parts = f"arrayConcat([{', '.join(head)}], {attributes}, [{', '.join(tail)}])"
    return f"concat('[', arrayStringConcat(arrayFilter(x -> x != '', {parts}), ','), ']')"


_OK: Final = "'\"OK\"'"
_ERROR: Final = "'\"ERROR\"'"
_TRUE: Final = "'true'"


def _event_fields(*, adjusted: bool) -> str:
    attributes = _attributes_json("tupleElement(e, 'attributes')", adjusted=False)
    if adjusted:
        entries = _entries("tupleElement(e, 'attributes')", adjusted=True)
        entry = _key_value("tupleElement(t, 1)", "tupleElement(t, 2)", adjusted=False)
        attributes = f"arrayMap(t -> {entry}, {entries})"
    name = _tag("event", "string", _json("toString(tupleElement(e, 'name'))"))
    has_name = (
        "tupleElement(e, 'name') != '' "
        "AND NOT has(mapKeys(tupleElement(e, 'attributes')), 'event')"
    )
    parts = f"arrayConcat(if({has_name}, [{name}], []), {attributes})"
    return f"concat('[', arrayStringConcat({parts}, ','), ']')"


_EVENTS_BY_NAME: Final = (
    "arrayMap(p -> tupleElement(p, 1), arraySort(p -> (toString(tupleElement(tupleElement(p, 1), "
    "'name')), tupleElement(p, 2)), arrayZip(events, arrayEnumerate(events))))"
)
_LINKS: Final = (
    "arrayMap(l -> (lower(hex(right(concat(repeat('\\0', 16), tupleElement(l, 'trace_id')), 16))), "
    "lower(hex(right(concat(repeat('\\0', 8), tupleElement(l, 'span_id')), 8))), "
    "toUInt8(tupleElement(l, 'attributes')['opentracing.ref_type'] = '\\nchild_of')), links)"
)
# 0x0a 0x08 is the tag and the length of an AnyValue that holds an 8-byte string.
_LINKS_FILLED: Final = _LINKS.replace("'\\nchild_of'", "unhex('0A086368696C645F6F66')")


def select_spans(where: str, *, raw: bool, skeleton: bool) -> str:
    """Return the statement that reads spans as columns, one row per resource and scope.

    Args:
        where: Condition on `lymer.spans`.
        raw: As sent; otherwise sorted and repaired.
        skeleton: Without texts of attributes.

    Returns:
        A statement of rows [resource keys, resource KeyValues, resource values in hex, columns …];
        the columns are arrays in the order of `SPAN_COLUMNS`.
    """
    adjusted = not raw
    events = _EVENTS_BY_NAME if adjusted else "events"
    columns = {
        "trace_id": "lower(hex(trace_id))",
        "span_id": "lower(hex(span_id))",
        "parent_span_id": "if(parent_span_id = toFixedString('', 8), '', lower(hex(parent_span_id)))",
        "service": "toValidUTF8(toString(service))",
        "name": "toValidUTF8(toString(name))",
        "kind": "if(kind BETWEEN 0 AND 5, kind, 0)",
        "status_code": "if(status BETWEEN 0 AND 2, status, 0)",
        "start": "start",
        "duration": "duration",
        "identity": (
            "sipHash64(resource, scope, trace_id, span_id, parent_span_id, start, duration, name, "
            "kind, status, status_message, mapKeys(attrs), mapValues(attrs), toString(events), "
            "toString(links), trace_state, flags, dropped)"
        ),
        "warnings": "warnings",
        "tags": "''" if skeleton else _tags_json(adjusted=adjusted),
        "warnings_sent": f"hex(attrs[{_WARNINGS_KEY}])" if skeleton else "''",
        "event_times": f"arrayMap(e -> tupleElement(e, 'time_unix_nano'), {events})",
        "event_fields": (
            "emptyArrayString()"
            if skeleton
            else f"arrayMap(e -> {_event_fields(adjusted=adjusted)}, {events})"
        ),
        "links": f"arraySort({_LINKS_FILLED})" if adjusted else _LINKS_FILLED,
    }
    arrays = ", ".join(f"groupArray({expression})" for expression in columns.values())
    attributes = f"tupleElement({CAST_RESOURCE}, 'attributes')"
    entries = _entries(attributes, adjusted=adjusted)
    key_values = _attributes_json(attributes, adjusted=adjusted)
    return (
        f"SELECT arrayMap(t -> toString(tupleElement(t, 1)), {entries}), {key_values}, "
        f"arrayMap(t -> hex(tupleElement(t, 2)), {entries}), {arrays} "
        f"FROM lymer.spans WHERE {where} GROUP BY resource, scope FORMAT JSONCompactEachRow"
    )
