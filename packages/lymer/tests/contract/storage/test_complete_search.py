"""Finding traces among many spans: no inner limit hides a match."""

from __future__ import annotations

from contract.storage.conftest import Store, Write
from lymer.model.question import TraceQuestion
from make import START, make_request, make_span, trace_hex


def test_traces_with_thousands_of_matching_spans_do_not_hide_others(
    store: Store, write: Write
) -> None:
    """Two traces with 3,000 newer matching spans each leave the older small ones findable."""
    big = [
        make_span(trace, 10_000 * trace + number, offset_nano=1_000_000 + number, name="hot")
        for trace in (1, 2)
        for number in range(3_000)
    ]
    small = [make_span(trace, trace, offset_nano=trace, name="hot") for trace in range(3, 9)]
    write(make_request(*big, *small))
    question = TraceQuestion(START, START + 10_000_000, service="shop", operation="hot", limit=5)

    found = store.find_traces(question)

    assert {trace_hex(1), trace_hex(2)} == {one.trace_id for one in found[:2]}
    assert [trace_hex(8), trace_hex(7), trace_hex(6)] == [one.trace_id for one in found[2:]]


def test_a_limit_above_the_matches_returns_all(store: Store, write: Write) -> None:
    """1,200 traces with one span each are all found."""
    write(
        make_request(*(make_span(number, number, offset_nano=number) for number in range(1, 1_201)))
    )

    found = store.find_traces(TraceQuestion(START, START + 2_000, limit=5_000))

    assert [trace_hex(number) for number in range(1_200, 0, -1)] == [one.trace_id for one in found]


def test_every_matching_tag_is_found_among_spans_that_do_not_match(
    store: Store, write: Write
) -> None:
    """A rare tag in the oldest span is found behind 3,000 newer spans without it."""
    common = [make_span(number, number, offset_nano=number) for number in range(2, 3_002)]
    write(make_request(*common), make_request(make_span(1, 1, attrs={"rare": "yes"})))

    found = store.find_traces(
        TraceQuestion(START, START + 10_000, tags=(("rare", "yes"),), limit=1)
    )

    assert [trace_hex(1)] == [one.trace_id for one in found]
