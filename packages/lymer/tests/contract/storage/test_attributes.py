"""Attribute values: every type OTLP has goes in and comes out as it was."""

from __future__ import annotations

import json
import math

from contract.storage.conftest import READING, Store, Write
from lymer.model.question import TraceQuestion
from make import START, Plain, make_event, make_request, make_span, trace_hex

pytestmark = READING

VALUES: list[tuple[str, Plain, str, object]] = [
    ("string", "text", "string", "text"),
    ("string.empty", "", "string", ""),
    ("string.unicode", "주문 ✓ 🛒 \u2028", "string", "주문 ✓ 🛒 \u2028"),
    ("string.quotes", 'a"b\\c/<d>&\n\t\x1f', "string", 'a"b\\c/<d>&\n\t\x1f'),
    ("string.nul", "a\0b", "string", "a\0b"),
    ("string.big", "x" * 100_000, "string", "x" * 100_000),
    ("bool.true", True, "bool", True),
    ("bool.false", False, "bool", False),
    ("int.zero", 0, "int64", 0),
    ("int.one", 1, "int64", 1),
    ("int.minus", -1, "int64", -1),
    ("int.safe.max", 2**53 - 1, "int64", 2**53 - 1),
    ("int.safe.min", -(2**53) + 1, "int64", -(2**53) + 1),
    ("int.2^53", 2**53, "int64", "9007199254740992"),
    ("int.2^53+1", 2**53 + 1, "int64", "9007199254740993"),
    ("int.-2^53", -(2**53), "int64", "-9007199254740992"),
    ("int.max", 2**63 - 1, "int64", "9223372036854775807"),
    ("int.min", -(2**63), "int64", "-9223372036854775808"),
    ("double", 1.5, "float64", 1.5),
    ("double.whole", 5.0, "float64", 5),
    ("double.zero", 0.0, "float64", 0),
    ("double.minus.zero", -0.0, "float64", 0),
    ("double.small", 5e-324, "float64", 5e-324),
    ("double.big", 1.7976931348623157e308, "float64", 1.7976931348623157e308),
    ("double.tenth", 0.1, "float64", 0.1),
    ("double.nan", math.nan, "float64", "NaN"),
    ("double.inf", math.inf, "float64", "+Inf"),
    ("double.-inf", -math.inf, "float64", "-Inf"),
    ("bytes", b"\x00\xff\x10", "binary", "AP8Q"),
    ("bytes.empty", b"", "binary", ""),
    ("list.empty", [], "string", "[]"),
    ("list", ["a", 1, 1.5, True, None, b"\x01"], "string", '["a",1,1.5,true,null,"AQ=="]'),
    ("list.nested", [[1], {"k": [2]}], "string", '[[1],{"k":[2]}]'),
    ("kvlist.empty", {}, "string", "{}"),
    ("kvlist", {"b": 1, "a": {"z": "주문", "y": []}}, "string", '{"a":{"y":[],"z":"주문"},"b":1}'),
    ("unset", None, "string", ""),
    ("dotted.key.with.many.parts", "v", "string", "v"),
    ("key with spaces 'quotes' \"double\" = \\ , {}", "v", "string", "v"),
    ("키", "v", "string", "v"),
    ("", "empty key", "string", "empty key"),
]
"""Key, value as sent, Jaeger's type, value in Jaeger's JSON."""


def _expected() -> list[dict[str, object]]:
    return [{"key": key, "type": kind, "value": shown} for key, _, kind, shown in VALUES]


def test_every_kind_of_value_keeps_its_type_and_order_on_the_span(
    store: Store, write: Write
) -> None:
    """Raw tags are the attributes in the order they were sent."""
    pairs = [(key, sent) for key, sent, _, _ in VALUES]
    write(make_request(make_span(kind=0, attrs=pairs)))

    columns = store.get_traces([trace_hex(1)], raw=True, skeleton=False)

    assert _expected() == json.loads(columns.tags_json[0])


def test_every_kind_of_value_keeps_its_type_on_resource_and_event(
    store: Store, write: Write
) -> None:
    """Process tags and log fields follow the same rules as span tags."""
    pairs = [(key, sent) for key, sent, _, _ in VALUES]
    span = make_span(kind=0, events=[make_event("", attrs=pairs)])
    write(make_request(span, resource=pairs))

    columns = store.get_traces([trace_hex(1)], raw=True, skeleton=False)

    process = json.loads(columns.process_json[columns.process[0]])
    assert process["serviceName"] == "shop"
    assert _expected() == process["tags"]
    assert _expected() == json.loads(columns.event_fields_json[0][0])


def test_adjusted_tags_are_sorted_by_key(store: Store, write: Write) -> None:
    """Sorting is by bytes of the key and keeps the order of equal keys."""
    pairs: list[tuple[str, Plain]] = [("b", 1), ("a.b", 2), ("a", 3), ("B", 4), ("b", 5), ("", 6)]
    write(
        make_request(
            make_span(kind=0, attrs=pairs, events=[make_event("e", attrs=pairs)]), resource=pairs
        )
    )

    columns = store.get_traces([trace_hex(1)], raw=False, skeleton=False)

    expected = [("", 6), ("B", 4), ("a", 3), ("a.b", 2), ("b", 1), ("b", 5)]
    fields = json.loads(columns.event_fields_json[0][0])
    assert expected == _pairs(json.loads(columns.tags_json[0]))
    assert expected == _pairs(json.loads(columns.process_json[columns.process[0]])["tags"])
    assert [("event", "e"), *expected] == _pairs(fields)


def test_duplicate_keys_are_kept(store: Store, write: Write) -> None:
    """Two attributes with one key are two tags, and a search finds either."""
    write(make_request(make_span(kind=0, attrs=[("k", "one"), ("k", 2)])))

    columns = store.get_traces([trace_hex(1)], raw=True, skeleton=False)

    assert _pairs(json.loads(columns.tags_json[0])) == [("k", "one"), ("k", 2)]
    for text in ("one", "2"):
        question = TraceQuestion(START, START, tags=(("k", text),))
        assert [trace_hex(1)] == [found.trace_id for found in store.find_traces(question)]


def test_values_are_found_by_the_text_they_are_shown_as(store: Store, write: Write) -> None:
    """Each value has one text by which a search finds it, and only its own trace."""
    texts = {
        1: ("주문 ✓", "주문 ✓"),
        2: (2**63 - 1, "9223372036854775807"),
        3: (-(2**63), "-9223372036854775808"),
        4: (0.1, "0.1"),
        5: (False, "false"),
        6: (b"\xff", "/w=="),
        7: (["x", {"b": 1, "a": 2}], '["x",{"a":2,"b":1}]'),
        8: ('it\'s "quoted" \\ %_', 'it\'s "quoted" \\ %_'),
        9: (-3, "-3"),
        10: (2.5e-7, "2.5e-7"),
        11: (1e21, "1e+21"),
        12: ("y" * 10_000, "y" * 10_000),
    }
    write(
        make_request(
            *(make_span(trace, trace, attrs={"k": sent}) for trace, (sent, _) in texts.items())
        )
    )

    for trace, (_, text) in texts.items():
        question = TraceQuestion(START, START, tags=(("k", text),))
        found = [one.trace_id for one in store.find_traces(question)]
        assert [trace_hex(trace)] == found, text[:40]


def _pairs(tags: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(tag["key"], tag["value"]) for tag in tags]
