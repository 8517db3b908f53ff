"""A text in a trace: what is shown of a span is what is found."""

from __future__ import annotations

import pytest

from contract.storage.conftest import Store, Write
from fakes.memory_store.columns import is_found
from lymer.model.find_terms import occurs, parse_find
from make import make_event, make_link, make_request, make_span, trace_hex

TEXTS = [
    "user", "u777", "USER.ID=U7", "http", "200", "=200", "status_code=20", "true", "rue", "-3",
    "1.5", "e+20", "10.0.0.1", "cardéxpired", "CARDÉ", "boom", "event=boom", "exception.type",
    "client", "span.kind=serv", "error", "otel.status_code=ERR", "declined", "vendor=1", "lib-x",
    "9.9", "pod-7", "host.name=", "checkout", "[1,", '"two words"', "zero other", "-user u777",
    "-http 200", "-event boom", "-otel client", "'", "\\", "%", "{db}", "nothing-of-this", "k=",
    "said", "telemetry", "base64==", "AQI",
]  # fmt: skip


def _write(write: Write) -> None:
    write(
        make_request(
            make_span(8, 1, kind=2, attrs={"user.id": "U777", "http.status_code": 200, "ok": True}),
            make_span(
                8,
                2,
                1,
                kind=3,
                attrs={"n": -3, "f": 1.5, "big": 1e20, "ip": 167772161},
                status=2,
                message="declined by bank",
                trace_state="vendor=1",
            ),
            make_span(
                8,
                3,
                1,
                events=[make_event("boom", attrs={"exception.type": "CardÉxpired"})],
                attrs={"text": "two words" + "x" * 20_000},
            ),
            make_span(8, 4, 1, attrs={"list": [1, "two"], "raw": b"\x01\x02", "map": {"a": 1}}),
            make_span(
                8,
                5,
                1,
                attrs={"user.id": "", "k": "' \\ % {db}"},
                status=1,
                links=[make_link(attrs={"nothing-of-this": 1})],
            ),
            make_span(
                8,
                6,
                2,
                events=[make_event("boom", attrs={"event": "named", "zero": 0})],
                attrs={"@jaeger@warnings": ["said"]},
            ),
            resource={"host.name": "pod-7", "telemetry.sdk.language": "python"},
        ),
        make_request(make_span(8, 7, 1, attrs={"k": ""}), service="checkout"),
        make_request(make_span(9, 8, attrs={"user.id": "U777"})),
    )


def test_what_is_shown_is_found_in_a_trace(store: Store, write: Write) -> None:
    """Each text, by the JSON of the same spans."""
    _write(write)
    columns = store.get_traces([trace_hex(8)], raw=False, skeleton=False)
    hits = 0
    for text in TEXTS:
        terms = parse_find(text)
        found = store.get_trace_arrays(trace_hex(8), terms)
        expected = {
            columns.span_id[row] for row in range(len(columns)) if is_found(columns, row, terms)
        }
        ids = found.span_id[found.found != 0].tolist()
        assert {f"{one:016x}" for one in ids} == expected, text
        hits += bool(expected)
        named = {
            columns.span_id[row]
            for row in range(len(columns))
            if occurs(terms.include, columns.service[row])
            or occurs(terms.include, columns.name[row])
        }
        alone = store.find_in_trace(trace_hex(8), terms)
        assert {f"{one:016x}" for one in alone.span_id.tolist()} == expected | named, text
        assert (alone.count, alone.shares_ids) == (len(columns), False)
    assert hits > 30


def test_spans_are_found_by_their_ids_and_in_the_order_of_their_starts(
    store: Store, write: Write
) -> None:
    """Zeros in front do not matter; a shared id is told; an unknown trace has no spans."""
    write(
        make_request(
            *(make_span(7, span, offset_nano=at) for span, at in ((0xAB, 5), (0xA, 9), (0xC, 2)))
        ),
        make_request(make_span(6, 1, kind=3), make_span(6, 1, kind=2)),
    )
    for text, ids in (("ab", [0xAB]), ("00ab 0C", [0xC, 0xAB]), ("zz", []), ("SHOP", None)):
        found = store.find_in_trace(trace_hex(7), parse_find(text))
        assert found.span_id.tolist() == (ids if ids is not None else [0xC, 0xAB, 0xA]), text
    assert store.find_in_trace(trace_hex(6), parse_find("x")).shares_ids
    assert store.find_in_trace(trace_hex(404), parse_find("x")).count == 0


@pytest.mark.parametrize(
    ("text", "include", "exclude"),
    [
        ("a B", ("a", "b"), ()),
        ('"a b" c', ("a b", "c"), ()),
        ("-a b", ("b",), ("a",)),
        ('-"a b" -', (), ("a b",)),
        ('"open end', ("open", "end"), ()),
        ('key="a b"', ("key=", "a b"), ()),
        ("  ", (), ()),
        ('""', (), ()),
    ],
)
def test_words(text: str, include: tuple[str, ...], exclude: tuple[str, ...]) -> None:
    """As the interface takes them apart (`ui/tests/find.test.ts`)."""
    terms = parse_find(text)
    assert (terms.include, terms.exclude) == (include, exclude)
