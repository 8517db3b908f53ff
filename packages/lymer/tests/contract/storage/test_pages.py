"""Pages of a search: each match is shown once, in order, whatever the size of a page.

Source: Jaeger's RFC 0014, goal 2: completeness and no duplication.
"""

from __future__ import annotations

import random
from typing import Final

import pytest

from contract.storage.conftest import Store, Write
from lymer.errors import QuestionError
from lymer.model.question import TraceQuestion
from lymer.query.pages import Page, token_after
from lymer.query.service import QueryService
from lymer.storage.search_contract import Cursor
from make import START, make_request, make_span, trace_hex

TRACES: Final = 40
QUESTIONS: Final[tuple[tuple[TraceQuestion, tuple[int, ...]], ...]] = (
    (TraceQuestion(START - 1, START + 10**12, limit=TRACES), (3, 39, 40)),
    (TraceQuestion(START + 3, START + 40, tags=(("k", "1"),), limit=TRACES), (1, 13)),
    (TraceQuestion(START, START + 10**12, tags=(("k", "never"),), limit=TRACES), (1,)),
)


def walk(service: QueryService, question: TraceQuestion, size: int) -> list[str]:
    """Return the traces of all pages."""
    found: list[str] = []
    token = ""
    while True:
        page, token = service.find_summaries_page(question, Page(size, token))
        assert len(page) <= size
        found += [one.trace_id for one in page]
        if not token:
            return found
        assert len(page) == size


def test_each_match_is_shown_once_and_in_order(store: Store, write: Write) -> None:
    """Traces with several matches that start at few instants, so that many stand at one place."""
    chance = random.Random(5)
    write(
        make_request(
            *(
                make_span(
                    trace, span + 1, offset_nano=chance.randrange(30),
                    attrs={"k": chance.randrange(2)},
                )
                for trace in range(1, TRACES + 1)
                for span in range(chance.randrange(1, 5))
            )
        )
    )  # fmt: skip
    service = QueryService(store.reader)
    for question, sizes in QUESTIONS:
        expected = [one.trace_id for one in service.find_summaries(question)]
        for size in sizes:
            assert walk(service, question, size) == expected
    anything, _ = QUESTIONS[0]
    token = token_after(anything, Cursor(START, trace_hex(1)))
    for wrong in ("x", "AAAA", token[:-2], token):
        with pytest.raises(QuestionError, match="is no token of this search"):
            service.find_summaries_page(QUESTIONS[1][0], Page(10, wrong))


def test_a_trace_that_comes_between_two_pages_repeats_none(store: Store, write: Write) -> None:
    """What is newer stands before the first page; what got a newer span moves there."""
    write(make_request(*(make_span(trace, 1, offset_nano=trace) for trace in range(1, 7))))
    service = QueryService(store.reader)
    question = TraceQuestion(START, START + 10**12)
    first, token = service.find_summaries_page(question, Page(2))
    write(make_request(make_span(9, 1, offset_nano=90), make_span(3, 2, 1, offset_nano=50)))
    second, token = service.find_summaries_page(question, Page(2, token))
    third, token = service.find_summaries_page(question, Page(2, token))
    shown = [one.trace_id for one in (*first, *second, *third)]
    assert shown == [trace_hex(number) for number in (6, 5, 4, 2, 1)]
    assert not token
