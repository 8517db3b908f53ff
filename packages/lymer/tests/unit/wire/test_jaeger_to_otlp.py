"""The rules from Jaeger to OTLP, the same for every format Jaeger spans come in."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from fakes import jaeger_batch as jaeger
from fakes.jaeger_batch import Batch, Log, Ref
from fakes.jaeger_translations import TRANSLATIONS, Translate, resource_spans_of, span_of
from make import Pairs, attributes

TRACE = 0x1122334455667788_99AABBCCDDEEFF00
MICRO = 1_700_000_000_000_000

ALL_FORMATS = pytest.mark.parametrize("translate", TRANSLATIONS.values(), ids=TRANSLATIONS)


@ALL_FORMATS
def test_a_span_with_everything(translate: Translate) -> None:
    """Every field is where it belongs, with its type; flags and warnings are dropped."""
    span = jaeger.Span(
        trace_id=TRACE,
        span_id=0xFFFFFFFFFFFFFFFF,
        name="GET /é",
        start_micro=MICRO,
        micro=1_500_000,
        tags=[
            ("text", "é"),
            ("empty", ""),
            ("yes", True),
            ("no", False),
            ("most", 2**63 - 1),
            ("least", -(2**63)),
            ("half", 0.5),
            ("zero", 0.0),
            ("minus zero", -0.0),
            ("infinite", math.inf),
            ("raw", b"\x00\xff"),
            ("long", "x" * 20_000),
        ],
        logs=[
            Log(MICRO + 1, [("event", "error"), ("message", "boom"), ("n", 3)]),
            Log(MICRO + 2, []),
            Log(MICRO + 3, [("error", True), ("event", 7), ("span.kind", "server")]),
        ],
        refs=[Ref(0, TRACE, 5), Ref(0, TRACE + 1, 6), Ref(1, 7, 8)],
        flags=3,
    )
    expected = Span(
        trace_id=TRACE.to_bytes(16, "big"),
        span_id=b"\xff" * 8,
        parent_span_id=(5).to_bytes(8, "big"),
        name="GET /é",
        start_time_unix_nano=MICRO * 1_000,
        end_time_unix_nano=MICRO * 1_000 + 1_500_000_000,
        attributes=attributes(list(span.tags)),  # type: ignore[arg-type]
        events=[
            Span.Event(
                time_unix_nano=MICRO * 1_000 + 1_000,
                name="error",
                attributes=attributes({"message": "boom", "n": 3}),
            ),
            Span.Event(time_unix_nano=MICRO * 1_000 + 2_000),
            Span.Event(
                time_unix_nano=MICRO * 1_000 + 3_000,
                attributes=attributes({"error": True, "span.kind": "server"}),
            ),
        ],
        links=[
            _link(TRACE + 1, 6, "child_of"),
            _link(7, 8, "follows_from"),
        ],
    )
    translated = span_of(translate, span)
    assert translated == expected
    assert math.copysign(1, translated.attributes[8].value.double_value) == -1


def _link(trace_id: int, span_id: int, kind: str) -> Span.Link:
    return Span.Link(
        trace_id=trace_id.to_bytes(16, "big"),
        span_id=span_id.to_bytes(8, "big"),
        attributes=attributes({"opentracing.ref_type": kind}),
    )


@ALL_FORMATS
def test_a_short_trace_id_has_a_high_half_of_zeros(translate: Translate) -> None:
    """64-bit ids are the low half."""
    span = span_of(translate, jaeger.Span(trace_id=2**63 + 1))
    assert span.trace_id.hex() == "00000000000000008000000000000001"


@ALL_FORMATS
@pytest.mark.parametrize(
    ("refs", "parent", "links"),
    [
        ([], 0, []),
        ([Ref(0, TRACE, 5)], 5, []),
        ([Ref(1, TRACE, 5)], 5, [(5, "follows_from")]),
        ([Ref(1, TRACE, 5), Ref(0, TRACE, 6)], 6, [(5, "follows_from")]),
        ([Ref(1, TRACE, 5), Ref(1, TRACE, 6)], 5, [(5, "follows_from"), (6, "follows_from")]),
        ([Ref(0, TRACE + 1, 5)], 0, [(5, "child_of")]),
        ([Ref(0, TRACE, 5), Ref(0, TRACE, 6)], 5, [(6, "child_of")]),
        ([Ref(9, TRACE, 5)], 0, [(5, "follows_from")]),
    ],
)
def test_references_become_a_parent_and_links(
    translate: Translate, refs: list[Ref], parent: int, links: list[tuple[int, str]]
) -> None:
    """The first CHILD_OF of the same trace is the parent, else its first FOLLOWS_FROM."""
    span = span_of(translate, jaeger.Span(trace_id=TRACE, refs=refs))
    assert int.from_bytes(span.parent_span_id, "big") == parent
    found = [
        (int.from_bytes(link.span_id, "big"), link.attributes[0].value.string_value)
        for link in span.links
    ]
    assert found == links


@ALL_FORMATS
@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ("internal", Span.SPAN_KIND_INTERNAL),
        ("server", Span.SPAN_KIND_SERVER),
        ("client", Span.SPAN_KIND_CLIENT),
        ("producer", Span.SPAN_KIND_PRODUCER),
        ("consumer", Span.SPAN_KIND_CONSUMER),
        ("Server", Span.SPAN_KIND_UNSPECIFIED),
        (7, Span.SPAN_KIND_UNSPECIFIED),
    ],
)
def test_span_kind_becomes_the_kind(translate: Translate, sent: object, kind: int) -> None:
    """The tag is removed whatever it says."""
    span = span_of(translate, jaeger.Span(tags=[("a", 1), ("span.kind", sent), ("b", 2)]))
    assert span.kind == kind
    assert list(span.attributes) == attributes({"a": 1, "b": 2})


ERROR = Status.STATUS_CODE_ERROR
OK = Status.STATUS_CODE_OK
UNSET = Status.STATUS_CODE_UNSET


@ALL_FORMATS
@pytest.mark.parametrize(
    ("tags", "code", "message", "left"),
    [
        ({}, UNSET, "", {}),
        ({"error": True}, ERROR, "", {}),
        ({"error": False}, UNSET, "", {"error": False}),
        ({"error": "true"}, UNSET, "", {"error": "true"}),
        ({"error": True, "otel.status_description": "why"}, ERROR, "why", {}),
        (
            {"error": True, "http.status_message": "Gone"},
            ERROR, "Gone", {"http.status_message": "Gone"},
        ),
        (
            {"error": True, "http.status_message": "Gone", "otel.status_description": "why"},
            ERROR, "why", {"http.status_message": "Gone"},
        ),
        ({"error": True, "otel.status_code": "OK"}, ERROR, "", {}),
        ({"otel.status_code": "OK"}, OK, "", {}),
        ({"otel.status_code": "error", "otel.status_description": "why"}, ERROR, "why", {}),
        ({"otel.status_code": "UNSET", "http.status_code": 500}, UNSET, "",
         {"http.status_code": 500}),
        ({"otel.status_description": "why"}, UNSET, "", {"otel.status_description": "why"}),
        ({"http.status_code": 200}, UNSET, "", {"http.status_code": 200}),
        ({"http.status_code": 500}, ERROR, "", {"http.status_code": 500}),
        ({"http.status_code": "503"}, ERROR, "", {"http.status_code": "503"}),
        ({"http.status_code": "many"}, UNSET, "", {"http.status_code": "many"}),
        ({"http.status_code": 500.0}, UNSET, "", {"http.status_code": 500.0}),
        ({"http.status_code": 404}, ERROR, "", {"http.status_code": 404}),
        ({"http.status_code": 404, "span.kind": "client"}, ERROR, "", {"http.status_code": 404}),
        ({"http.status_code": 404, "span.kind": "server"}, UNSET, "", {"http.status_code": 404}),
        ({"http.status_code": 500, "span.kind": "server"}, ERROR, "", {"http.status_code": 500}),
        ({"http.status_code": 99}, ERROR, "", {"http.status_code": 99}),
        (
            {"http.status_code": 500, "http.status_message": "no"},
            ERROR, "no", {"http.status_code": 500, "http.status_message": "no"},
        ),
        (
            {"http.status_code": 200, "http.status_message": "yes"},
            UNSET, "", {"http.status_code": 200, "http.status_message": "yes"},
        ),
    ],
)  # fmt: skip
def test_tags_become_the_status(
    translate: Translate,
    tags: dict[str, object],
    code: int,
    message: str,
    left: dict[str, str | int | float | bool],
) -> None:
    """`error` = true first, then `otel.status_code`, then `http.status_code`."""
    span = span_of(translate, jaeger.Span(tags=list(tags.items())))
    assert (span.status.code, span.status.message) == (code, message)
    assert list(span.attributes) == attributes(left)


@ALL_FORMATS
def test_the_tracestate_is_a_field(translate: Translate) -> None:
    """Not a tag any more."""
    span = span_of(translate, jaeger.Span(tags=[("w3c.tracestate", "a=1,b=2")]))
    assert span.trace_state == "a=1,b=2"
    assert not span.attributes


@ALL_FORMATS
def test_a_key_sent_twice_is_kept_twice(translate: Translate) -> None:
    """Nothing that was sent is lost."""
    span = span_of(translate, jaeger.Span(tags=[("a", 1), ("a", "two")]))
    assert list(span.attributes) == attributes([("a", 1), ("a", "two")])


@ALL_FORMATS
def test_an_end_before_the_start_is_kept(translate: Translate) -> None:
    """The store repairs it, with a warning."""
    span = span_of(translate, jaeger.Span(start_micro=MICRO, micro=-7))
    assert span.end_time_unix_nano == (MICRO - 7) * 1_000


@ALL_FORMATS
def test_a_time_before_the_epoch_wraps(translate: Translate) -> None:
    """As Go's unsigned nanoseconds do."""
    span = span_of(translate, jaeger.Span(start_micro=-1, micro=2))
    assert span.start_time_unix_nano == 2**64 - 1_000
    assert span.end_time_unix_nano == 1_000


@ALL_FORMATS
@pytest.mark.parametrize(
    ("tags", "name", "version", "left"),
    [
        ({"otel.scope.name": "lib", "otel.scope.version": "1"}, "lib", "1", {}),
        ({"otel.library.name": "lib"}, "lib", "", {"otel.library.name": "lib"}),
        (
            {"otel.library.name": "lib", "otel.library.version": "1"},
            "lib",
            "1",
            {"otel.library.name": "lib", "otel.library.version": "1"},
        ),
        (
            {"otel.scope.name": "new", "otel.library.name": "old"},
            "new",
            "",
            {"otel.library.name": "old"},
        ),
        ({"otel.scope.name": "lib", "a": 1}, "lib", "", {"a": 1}),
        ({"otel.scope.version": "1"}, "", "", {"otel.scope.version": "1"}),
    ],
)
def test_the_library_becomes_the_scope(
    translate: Translate, tags: dict[str, object], name: str, version: str, left: Pairs
) -> None:
    """A version without a name stays a tag, and what it was called before stays one too."""
    batch = Batch("svc", [jaeger.Span(tags=list(tags.items()))])
    (scope_spans,) = resource_spans_of(translate, batch).scope_spans
    assert (scope_spans.scope.name, scope_spans.scope.version) == (name, version)
    assert list(scope_spans.spans[0].attributes) == attributes(left)


@ALL_FORMATS
def test_spans_are_grouped_by_scope(translate: Translate) -> None:
    """In the order the scopes came."""
    scopes = ["b", "", "a", "b"]
    spans = [
        jaeger.Span(span_id=number, tags=[("otel.scope.name", scope)] if scope else [])
        for number, scope in enumerate(scopes, 1)
    ]
    found = [
        (each.scope.name, [int.from_bytes(span.span_id, "big") for span in each.spans])
        for each in resource_spans_of(translate, Batch("svc", spans)).scope_spans
    ]
    assert found == [("b", [1, 4]), ("", [2]), ("a", [3])]


@ALL_FORMATS
@pytest.mark.parametrize(
    ("service", "tags", "expected"),
    [
        ("svc", {}, {"service.name": "svc"}),
        ("svc", {"hostname": "h"}, {"service.name": "svc", "host.name": "h"}),
        (
            "svc", {"hostname": "h", "host.name": "n"},
            {"service.name": "svc", "hostname": "h", "host.name": "n"},
        ),
        (
            "svc", {"jaeger.version": "Go-2", "ip": "::1"},
            {"service.name": "svc", "ip": "::1", "opencensus.exporterversion": "Jaeger-Go-2"},
        ),
        (
            "svc", {"jaeger.version": "Go-2", "opencensus.exporterversion": "x"},
            {"service.name": "svc", "jaeger.version": "Go-2", "opencensus.exporterversion": "x"},
        ),
        ("svc", {"service.name": "tag"}, {"service.name": "tag"}),
        ("svc", {"error": True, "event": ""}, {"service.name": "svc", "error": True, "event": ""}),
        ("", {}, {}),
        ("", {"a": 1}, {"a": 1}),
        ("OTLPResourceNoServiceName", {"a": 1}, {}),
    ],
)  # fmt: skip
def test_the_process_becomes_the_resource(
    translate: Translate, service: str, tags: dict[str, object], expected: Pairs
) -> None:
    """With its host and exporter version under OpenTelemetry's names."""
    batch = Batch(service, [jaeger.Span()], list(tags.items()))
    resource = resource_spans_of(translate, batch).resource
    assert resource == Resource(attributes=attributes(expected))


@ALL_FORMATS
def test_a_text_that_is_no_utf8_is_repaired_as_on_every_path(translate: Translate) -> None:
    """Go clients send such; the other spans of the batch are as they were."""
    bad = "caf\udce9"
    spans = [jaeger.Span(tags=[("bad", bad), ("good", "é")]), jaeger.Span(name="other")]
    (scope_spans,) = resource_spans_of(translate, Batch("svc", spans)).scope_spans
    assert list(scope_spans.spans[0].attributes) == attributes({"bad": b"caf\xe9", "good": "é"})
    assert scope_spans.spans[1].name == "other"


@ALL_FORMATS
def test_a_batch_without_spans_is_no_spans(translate: Translate) -> None:
    """It is accepted, and there is nothing to store."""
    assert translate(Batch("svc", [])).span_count == 0


def test_texts_of_every_length() -> None:
    """Where the lengths around them need one byte more."""
    lengths = [*range(140), *range(16_370, 16_390)]
    tags: list[tuple[str, object]] = [("k" * (size % 9), "v" * size) for size in lengths]
    span = span_of(TRANSLATIONS["http"], jaeger.Span(tags=tags))
    assert list(span.attributes) == attributes(tags)  # type: ignore[arg-type]


def test_many_different_tags_do_not_mix() -> None:
    """What is remembered is forgotten in time, and values of equal hash are told apart."""
    tags: list[tuple[str, object]] = []
    for number in range(20_000):
        tags += [("k", number), ("k", str(number)), ("k", bool(number % 2))]
    tags += [("k", True), ("k", 1), ("k", 1.0), ("k", b"1"), ("k", "1"), ("k", False), ("k", 0)]
    span = span_of(TRANSLATIONS["http"], jaeger.Span(tags=tags))
    assert list(span.attributes) == attributes(tags)  # type: ignore[arg-type]


VALUES = st.one_of(
    st.text(max_size=200).filter(lambda text: text.isprintable()),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=200),
)


@given(
    st.lists(st.tuples(st.text("abcdef", max_size=5), VALUES), max_size=12),
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**52),
)
def test_all_formats_say_the_same(
    tags: list[tuple[str, object]], trace_id: int, span_id: int, start_micro: int
) -> None:
    """One span, four ways in, one span."""
    span = jaeger.Span(
        trace_id=trace_id,
        span_id=span_id,
        tags=tags,
        start_micro=start_micro,
        logs=[Log(start_micro, tags)],
    )
    translated = span_of(TRANSLATIONS["http"], span)
    assert list(translated.attributes) == attributes(tags)  # type: ignore[arg-type]
    assert list(translated.events[0].attributes) == list(translated.attributes)
    assert int.from_bytes(translated.trace_id, "big") == trace_id
    for translate in TRANSLATIONS.values():
        assert span_of(translate, span) == translated
