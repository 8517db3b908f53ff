"""OTLP protobuf at the door: what is taken, what is counted, what is repaired."""

from __future__ import annotations

import pytest
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from lymer.errors import UndecodableError
from lymer.wire.jaeger_json import to_text
from lymer.wire.otlp_depth import VALUE_DEPTH_MAX
from lymer.wire.otlp_proto import canonical_request, check_as_sent, check_request
from make import make_event, make_link, make_request, make_span, value

_MARK = "markmark"
_BROKEN = b"mark\xffark"


def _broken(request: ExportTraceServiceRequest) -> ExportTraceServiceRequest:
    """Put invalid UTF-8 where the mark is, check, and parse what comes out with strict rules."""
    body = request.SerializeToString()
    assert _MARK.encode() in body
    checked = check_request(body.replace(_MARK.encode(), _BROKEN))
    assert checked.span_count == 1
    return ExportTraceServiceRequest.FromString(checked.body)


def _span(request: ExportTraceServiceRequest) -> Span:
    return request.resource_spans[0].scope_spans[0].spans[0]


def test_a_good_request_passes_as_it_is() -> None:
    """Not one byte is copied; all spans of all scopes and resources are counted."""
    request = make_request(make_span(1, 1), make_span(1, 2))
    request.MergeFrom(make_request(make_span(2, 1), service="other"))
    request.resource_spans[0].scope_spans.add().spans.append(make_span(3, 1))
    body = request.SerializeToString()

    checked = check_request(body)

    assert checked.body is body
    assert checked.span_count == 4


@pytest.mark.parametrize("body", [b"", make_request().SerializeToString()])
def test_a_request_without_spans_is_good(body: bytes) -> None:
    """It has none."""
    assert check_request(body).span_count == 0


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(make_request(make_span()).SerializeToString()[:-1], id="cut off"),
        pytest.param(b"\x0a\xff\xff\xff\xff\x0f", id="a length of 4 GiB"),
        pytest.param(b"\xff" * 20, id="a tag that does not end"),
        pytest.param(b"\x00\x00", id="field number zero"),
        pytest.param(b"\xa4\x06", id="the end of a group that did not begin"),
        pytest.param(b"\xa3\x06" * 200, id="groups within groups"),
        pytest.param(b'{"resourceSpans":[]}', id="JSON"),
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    """With a sentence that names the message."""
    with pytest.raises(UndecodableError, match=r"^cannot decode ExportTraceServiceRequest: ."):
        check_request(body)
    with pytest.raises(UndecodableError):
        canonical_request(body)


@given(st.binary(max_size=200))
def test_random_bytes_are_taken_or_refused(body: bytes) -> None:
    """Nothing but our own error comes out."""
    try:
        checked = check_request(body)
    except UndecodableError:
        return
    assert checked.span_count == check_request(checked.body).span_count


def test_a_span_name_that_is_no_text_is_kept_beside() -> None:
    """Source: Jaeger's UTF-8 sanitizer."""
    span = _span(_broken(make_request(make_span(name=_MARK, attrs={"a": 1}))))

    assert span.name == "invalid-span-name"
    assert [(one.key, one.value.bytes_value) for one in span.attributes][1:] == [
        ("invalid-span-name", _BROKEN)
    ]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param("text", _BROKEN + b":text", id="text"),
        pytest.param(5, _BROKEN + b":5", id="integer"),
        pytest.param(False, _BROKEN + b":false", id="boolean"),
        pytest.param(None, _BROKEN + b":", id="nothing"),
        pytest.param(b"\x00\x01", _BROKEN + b":\x00\x01", id="bytes"),
    ],
)
def test_a_key_that_is_no_text_is_kept_in_the_value(sent: object, kept: bytes) -> None:
    """Bad keys of one span get numbers."""
    request = make_request(make_span(attrs=[("good", 1), (_MARK, sent), (_MARK, sent)]))  # type: ignore[list-item]

    attributes = _span(_broken(request)).attributes

    assert [one.key for one in attributes] == ["good", "invalid-tag-key-1", "invalid-tag-key-2"]
    assert [one.value.bytes_value for one in attributes[1:]] == [kept, kept]


def test_a_value_that_is_no_text_becomes_bytes_however_deep_it_lies() -> None:
    """Its neighbours stay texts."""
    request = make_request(
        make_span(attrs={"plain": _MARK, "list": ["x", [_MARK]], "map": {"k": _MARK, "l": "y"}})
    )

    plain, listed, mapped = (one.value for one in _span(_broken(request)).attributes)

    assert plain.bytes_value == _BROKEN
    assert listed.array_value.values[0].string_value == "x"
    assert listed.array_value.values[1].array_value.values[0].bytes_value == _BROKEN
    assert mapped.kvlist_value.values[0].value.bytes_value == _BROKEN
    assert mapped.kvlist_value.values[1].value.string_value == "y"


def test_every_other_text_is_kept_beside_a_word() -> None:
    """Names and messages become the word, addresses and states are cleared; no byte is lost."""
    request = make_request(
        make_span(
            trace_state=_MARK,
            message=_MARK,
            events=[make_event(_MARK, attrs={"e": _MARK})],
            links=[make_link(attrs={"l": _MARK})],
        ),
        scope=_MARK,
        scope_version=_MARK,
        scope_attrs={"s": _MARK},
        resource={"r": _MARK},
    )
    request.resource_spans[0].schema_url = _MARK
    request.resource_spans[0].scope_spans[0].schema_url = _MARK
    request.resource_spans[0].scope_spans[0].spans[0].links[0].trace_state = _MARK

    found = _broken(request)

    scope_spans, span = found.resource_spans[0].scope_spans[0], _span(found)
    event, link = span.events[0], span.links[0]
    assert [scope_spans.scope.name, scope_spans.scope.version] == [
        "invalid-scope-name",
        "invalid-scope-version",
    ]
    assert [span.status.message, event.name] == ["invalid-status-message", "invalid-event-name"]
    cleared = [found.resource_spans[0].schema_url, scope_spans.schema_url]
    assert [*cleared, span.trace_state, link.trace_state] == [""] * 4
    kept = {
        "resource": found.resource_spans[0].resource.attributes[1:],
        "scope": scope_spans.scope.attributes,
        "span": span.attributes,
        "event": event.attributes,
        "link": link.attributes,
    }
    assert {where: [one.key for one in pairs] for where, pairs in kept.items()} == {
        "resource": ["r", "invalid-schema-url"],
        "scope": ["s", "invalid-schema-url", "invalid-scope-name", "invalid-scope-version"],
        "span": ["invalid-trace-state", "invalid-status-message"],
        "event": ["e", "invalid-event-name"],
        "link": ["l", "invalid-trace-state"],
    }
    assert {one.value.bytes_value for pairs in kept.values() for one in pairs} == {_BROKEN}


def test_a_reference_to_an_entity_that_is_no_text_is_left_out() -> None:
    """There is nowhere to keep its bytes; others stay."""
    request = make_request(make_span())
    refs = request.resource_spans[0].resource.entity_refs
    refs.add(type="host", id_keys=["host.id"])
    refs.add(type=_MARK)
    refs.add(type="pod", description_keys=[_MARK])

    found = _broken(request).resource_spans[0].resource.entity_refs

    assert [one.type for one in found] == ["host"]


def test_values_beside_bad_keys_are_written_as_go_writes_them() -> None:
    """Doubles in Go's form, lists and maps as JSON; in maps keys are numbered for themselves."""
    sent = [(_MARK, 1e21), (_MARK, [1, "x"]), ("fine", {_MARK: 1, "k": {_MARK: True}})]
    attributes = _span(_broken(make_request(make_span(attrs=sent)))).attributes  # type: ignore[arg-type]

    assert [one.key for one in attributes] == ["fine", "invalid-tag-key-1", "invalid-tag-key-2"]
    assert attributes[1].value.bytes_value == _BROKEN + b":1e+21"
    assert attributes[2].value.bytes_value == _BROKEN + b':[1,"x"]'
    inner = attributes[0].value.kvlist_value.values
    assert [one.key for one in inner] == ["k", "invalid-tag-key-1"]
    assert inner[1].value.bytes_value == _BROKEN + b":1"
    assert inner[0].value.kvlist_value.values[0].value.bytes_value == _BROKEN + b":true"


def test_what_is_sanitized_is_as_it_should_be() -> None:
    """Sanitizing again changes nothing."""
    request = make_request(make_span(name=_MARK, attrs=[(_MARK, _MARK), ("a", _MARK)]))

    once = _broken(request).SerializeToString()

    assert check_request(once).body is once
    assert check_as_sent(once) == check_request(once)
    assert check_as_sent(request.SerializeToString().replace(_MARK.encode(), _BROKEN)) is None


def test_a_repair_changes_nothing_else() -> None:
    """Ids, times, numbers and other texts are as they were sent."""
    request = make_request(
        make_span(3, 4, 5, name="fine", attrs={"x": _MARK, "n": 2**63 - 1, "d": 0.1}, flags=7)
    )

    span = _span(_broken(request))

    expected = _span(request)
    expected.attributes[0].value.bytes_value = _BROKEN
    assert span == expected


def _nested(depth: int) -> bytes:
    value = AnyValue(string_value="deep").SerializeToString()
    for _ in range(depth):
        value = _field(5, _field(1, value))
    key_value = _field(1, b"k") + _field(2, value)
    return _field(1, _field(2, _field(2, _field(9, key_value))))


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _VarintBytes(len(content)) + content


def test_deep_values_are_taken() -> None:
    """Lists in lists, forty of them."""
    assert check_request(_nested(40)).span_count == 1


@pytest.mark.parametrize("depth", [50, 60, 2_000, VALUE_DEPTH_MAX])
def test_values_deeper_than_most_parsers_read_become_text(depth: int) -> None:
    """The text that Jaeger shows of such a value: Go programs may send it."""
    checked = check_request(_nested(depth))

    assert (checked.span_count, checked.refused_spans) == (1, 0)
    span = _span(ExportTraceServiceRequest.FromString(checked.body))
    assert span.attributes[0].value.string_value == "[" * depth + '"deep"' + "]" * depth


def test_text_of_deep_values_is_that_of_shallow_ones() -> None:
    """Lists of keys and values sorted, every kind of member, in the middle of many lists."""
    inner = value([{"b": [1, 2.5, True, b"x", None], "a": {"z": "y", "c": []}}, "t", float("nan")])
    deep = inner.SerializeToString()
    for _ in range(60):
        deep = _field(5, _field(1, deep))
    key_value = _field(1, b"k") + _field(2, deep)

    checked = check_request(_field(1, _field(2, _field(2, _field(9, key_value)))))

    span = _span(ExportTraceServiceRequest.FromString(checked.body))
    assert span.attributes[0].value.string_value == "[" * 60 + to_text(inner) + "]" * 60


def test_a_span_with_a_value_that_is_too_deep_is_refused_alone() -> None:
    """Its neighbours are stored, and the sender is told."""
    deep = _nested(VALUE_DEPTH_MAX + 1)
    good = make_request(make_span(1, 1), make_span(1, 2)).SerializeToString()

    checked = check_request(good + deep + good)

    assert (checked.span_count, checked.refused_spans) == (4, 1)
    assert str(VALUE_DEPTH_MAX) in checked.reason


def test_a_deep_value_that_is_no_value_is_refused() -> None:
    """As any other request that cannot be read."""
    broken = _nested(60).replace(b"deep", b"d\xff\xff\xff")
    check_request(broken)
    with pytest.raises(UndecodableError):
        check_request(_nested(60).replace(b"\x0a\x04deep", b"\x0a\x7fdeep"))


@pytest.mark.parametrize("copies", [1, 3000])
def test_spans_under_their_old_name_are_taken(copies: int) -> None:
    """`instrumentation_library_spans`, which exporters before OTLP 1.0 send."""
    request = make_request(*[make_span(1, 1 + number) for number in range(copies)])
    resource = request.resource_spans[0]
    old = b"".join(
        b"\xc2\x3e" + _VarintBytes(scope.ByteSize()) + scope.SerializeToString()
        for scope in resource.scope_spans
    )
    body = _field(1, _field(1, resource.resource.SerializeToString()) + old)

    checked = check_request(body)

    assert checked.span_count == copies
    assert ExportTraceServiceRequest.FromString(checked.body) == request
    assert check_as_sent(body) is None


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8))
def test_any_text_may_be_any_bytes(name: bytes, key: bytes) -> None:
    """Whatever a sender puts there, one span comes out, and strict parsers read it."""
    body = make_request(make_span(name="namename", attrs={"keykeyke": "v"})).SerializeToString()
    body = body.replace(b"namename", name).replace(b"keykeyke", key)

    checked = check_request(body)

    assert checked.span_count == 1
    assert len(_span(ExportTraceServiceRequest.FromString(checked.body)).attributes) >= 1


def test_writing_anew_leaves_out_what_is_unknown_and_keeps_what_is_known() -> None:
    """Also texts that are not UTF-8."""
    request = make_request(make_span(name=_MARK, attrs={"a": [1, {"b": 2.5}]}))
    body = request.SerializeToString().replace(_MARK.encode(), _BROKEN)

    assert canonical_request(body + b"\xa3\x06\xa4\x06" + b"\xfa\x3e\x01x") == body
