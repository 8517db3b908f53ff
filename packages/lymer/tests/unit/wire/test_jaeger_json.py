"""The JSON the Jaeger UI reads, byte by byte."""

from __future__ import annotations

import json
import math

import pytest

from lymer.model.columns import SpanColumns
from lymer.wire import jaeger_json
from make import Plain, span_hex, trace_hex, value

SHORT = "0" * 16 + "00000000000000ab"


def make_columns(count: int = 1, trace_id: str = SHORT) -> SpanColumns:
    """Return `count` plain spans of one trace."""
    return SpanColumns(
        trace_id=[trace_id] * count,
        span_id=[span_hex(row + 1) for row in range(count)],
        parent_span_id=[""] * count,
        service=["shop"] * count,
        name=["work"] * count,
        kind=[0] * count,
        status_code=[0] * count,
        start_unix_nano=[1_999] * count,
        duration_nano=[2_999] * count,
        host=[""] * count,
        identity=list(range(count)),
        warnings=[[] for _ in range(count)],
        tags_json=["[]"] * count,
        event_unix_nano=[[] for _ in range(count)],
        event_fields_json=[[] for _ in range(count)],
        links=[[] for _ in range(count)],
        process=[0] * count,
        process_json=['{"serviceName":"shop","tags":[]}'],
    )


def encode(columns: SpanColumns) -> dict[str, object]:
    """Return the decoded trace object."""
    (trace,) = json.loads(jaeger_json.encode_traces([columns]))
    assert isinstance(trace, dict)
    return trace


def test_the_smallest_trace_byte_by_byte() -> None:
    """Order of keys, empty lists that are never null, null warnings, microseconds cut."""
    expected = (
        b'[{"traceID":"00000000000000ab","spans":[{"traceID":"00000000000000ab",'
        b'"spanID":"0000000000000001","operationName":"work","references":[],'
        b'"startTime":1,"duration":2,"tags":[],"logs":[],"processID":"p1","warnings":null}],'
        b'"processes":{"p1":{"serviceName":"shop","tags":[]}},"warnings":null}]'
    )

    assert expected == jaeger_json.encode_traces([make_columns()])


def test_a_full_span_byte_by_byte() -> None:
    """Fragments are spliced unread."""
    columns = make_columns(trace_id=trace_hex(1))
    columns.name = ['say "주문"\0']
    columns.parent_span_id = [span_hex(9)]
    columns.tags_json = ['[{"key":"a","type":"int64","value":1}]']
    columns.event_unix_nano = [[5_000, 6_999]]
    columns.event_fields_json = [['[{"key":"event","type":"string","value":"e"}]', "[]"]]
    columns.links = [[(SHORT, span_hex(3), False)]]
    columns.warnings = [["one", 'tw"o']]

    encoded = jaeger_json.encode_traces([columns], trace_warnings={trace_hex(1): ["careful"]})

    expected = (
        '[{"traceID":"000000000000abcd0000000000000001","spans":[{'
        '"traceID":"000000000000abcd0000000000000001","spanID":"0000000000000001",'
        '"operationName":"say \\"주문\\"\\u0000","references":['
        '{"refType":"CHILD_OF","traceID":"000000000000abcd0000000000000001",'
        '"spanID":"0000000000000009"},'
        '{"refType":"FOLLOWS_FROM","traceID":"00000000000000ab","spanID":"0000000000000003"}],'
        '"startTime":1,"duration":2,"tags":[{"key":"a","type":"int64","value":1}],'
        '"logs":[{"timestamp":5,"fields":[{"key":"event","type":"string","value":"e"}]},'
        '{"timestamp":6,"fields":[]}],"processID":"p1","warnings":["one","tw\\"o"]}],'
        '"processes":{"p1":{"serviceName":"shop","tags":[]}},"warnings":["careful"]}]'
    )
    assert expected == encoded.decode()


@pytest.mark.parametrize(
    ("parent", "links", "expected"),
    [
        pytest.param("", [], [], id="root"),
        pytest.param("9", [], [("CHILD_OF", "9")], id="parent"),
        pytest.param("", [("2", True)], [("CHILD_OF", "2")], id="link that is a child"),
        pytest.param(
            "9", [("2", False)], [("CHILD_OF", "9"), ("FOLLOWS_FROM", "2")], id="parent first"
        ),
        pytest.param(
            "9",
            [("2", True), ("9", False)],
            [("FOLLOWS_FROM", "9"), ("CHILD_OF", "2")],
            id="a link equal to the parent changes its type",
        ),
    ],
)
def test_references(
    parent: str, links: list[tuple[str, bool]], expected: list[tuple[str, str]]
) -> None:
    """The parent comes first, whatever the order of links."""
    columns = make_columns()
    columns.parent_span_id = [parent.rjust(16, "0") if parent else ""]
    columns.links = [[(SHORT, span.rjust(16, "0"), is_child) for span, is_child in links]]

    (span,) = encode(columns)["spans"]

    shown = [(one["refType"], one["spanID"].lstrip("0")) for one in span["references"]]
    assert expected == shown


def test_a_link_to_the_parents_id_in_another_trace_is_another_reference() -> None:
    """Only the same trace and span are the parent."""
    columns = make_columns()
    columns.parent_span_id = [span_hex(9)]
    columns.links = [[(trace_hex(2), span_hex(9), False)]]

    (span,) = encode(columns)["spans"]

    assert [one["refType"] for one in span["references"]] == ["CHILD_OF", "FOLLOWS_FROM"]


def test_process_ids_count_in_order_of_first_appearance() -> None:
    """Unused processes are left out; those that differ in the order of tags only are one."""
    columns = make_columns(4)
    tags = [f'{{"key":"{key}","type":"string","value":"v"}}' for key in "ab"]
    columns.process_json = [
        '{"serviceName":"unused","tags":[]}',
        f'{{"serviceName":"x","tags":[{tags[0]},{tags[1]}]}}',
        f'{{"serviceName":"x","tags":[{tags[1]},{tags[0]}]}}',
        '{"serviceName":"y","tags":[]}',
    ]
    columns.process = [3, 1, 2, 3]

    trace = encode(columns)

    assert [span["processID"] for span in trace["spans"]] == ["p1", "p2", "p2", "p1"]
    assert [process["serviceName"] for process in trace["processes"].values()] == ["y", "x"]


def test_no_traces_are_an_empty_array() -> None:
    """Valid JSON for an empty answer."""
    assert jaeger_json.encode_traces([]) == b"[]"


def test_a_skeleton_has_logs_without_fields() -> None:
    """Instants are there, texts are not."""
    columns = make_columns()
    columns.tags_json, columns.event_unix_nano = [""], [[7_000]]

    (span,) = encode(columns)["spans"]

    assert span["tags"] == []
    assert span["logs"] == [{"timestamp": 7, "fields": []}]


@pytest.mark.parametrize(
    ("sent", "kind", "shown", "text"),
    [
        pytest.param("a<b>&\u2028", "string", '"a<b>&\u2028"', "a<b>&\u2028", id="string"),
        pytest.param(True, "bool", "true", "true", id="bool"),
        pytest.param(2**53 - 1, "int64", "9007199254740991", "9007199254740991", id="safe"),
        pytest.param(2**53, "int64", '"9007199254740992"', "9007199254740992", id="not safe"),
        pytest.param(-(2**53), "int64", '"-9007199254740992"', "-9007199254740992", id="nor this"),
        pytest.param(5.0, "float64", "5", "5", id="whole double"),
        pytest.param(-0.0, "float64", "-0", "-0", id="minus zero"),
        pytest.param(math.nan, "float64", '"NaN"', "NaN", id="NaN"),
        pytest.param(math.inf, "float64", '"+Inf"', "+Inf", id="infinite"),
        pytest.param(b"\x01", "binary", '"AQ=="', "AQ==", id="bytes"),
        pytest.param(None, "string", '""', "", id="not set"),
        pytest.param(
            [1, "a", None, 0.5, b"\x01"],
            "string",
            '"[1,\\"a\\",null,0.5,\\"AQ==\\"]"',
            '[1,"a",null,0.5,"AQ=="]',
            id="list",
        ),
        pytest.param(
            {"b": math.nan, "a": {}},
            "string",
            '"{\\"a\\":{},\\"b\\":\\"NaN\\"}"',
            '{"a":{},"b":"NaN"}',
            id="key-value list",
        ),
    ],
)
def test_one_value(sent: Plain, kind: str, shown: str, text: str) -> None:
    """A KeyValue for the UI and a text for searches."""
    encoded = value(sent).SerializeToString()

    expected = f'{{"key":"k","type":"{kind}","value":{shown}}}'
    assert expected == jaeger_json.key_value_json("k", encoded)
    assert text == jaeger_json.any_value_text(encoded)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param(b"\x0a\x02\xff\xfe", "//4=", id="string that is not UTF-8"),
        pytest.param(b"\x0a\x05\xff", "CgX/", id="string cut short"),
        pytest.param(b"\xff\xff", "//8=", id="no AnyValue"),
    ],
)
def test_what_cannot_be_decoded_is_shown_as_binary(sent: bytes, shown: str) -> None:
    """One bad value never hides a trace."""
    expected = f'{{"key":"k","type":"binary","value":"{shown}"}}'

    assert expected == jaeger_json.key_value_json("k", sent)
    assert shown == jaeger_json.any_value_text(sent)


def test_a_lone_surrogate_is_replaced() -> None:
    """A name that is no text still makes valid JSON."""
    assert jaeger_json.json_string("a\udc80b") == '"a?b"'
