"""What is refused before the store is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from lymer.errors import QuestionError, TooLargeError
from lymer.model.question import TraceQuestion
from lymer.storage.search_contract import SpansetQuestion

__all__ = [
    "FOUND_TRACES_MAX",
    "AnyQuestion",
    "check_question",
    "check_text",
    "check_trace_ids",
    "limit_of",
]

AnyQuestion: TypeAlias = TraceQuestion | SpansetQuestion
"""One in Jaeger's words, or one in the search language."""

FOUND_TRACES_MAX: Final = 100_000
"""Largest `limit` of a question and most ids in one call, traces. Jaeger's UI offers 1,500; whole
traces of more are a download, not a search."""

TAGS_MAX: Final = 64
"""Most tags in one question; each may cost the store one scan of the range."""

TEXT_BYTES_MAX: Final = 65_536
"""Largest service, operation, tag key or tag value in a question, bytes."""

_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")


def limit_of(question: AnyQuestion) -> int:
    """Return how many traces are wanted."""
    return question.limit if isinstance(question, TraceQuestion) else question.traces_max


def check_question(question: AnyQuestion) -> None:
    """Refuse what cannot be answered as it was asked.

    Raises:
        QuestionError: A range of durations is empty, or a limit is out of its range.
        TooLargeError: A text or the number of tags is over its limit.
    """
    limit = limit_of(question)
    if not 1 <= limit <= FOUND_TRACES_MAX:
        raise QuestionError(
            f"cannot find traces: limit is {limit}, allowed is 1 to {FOUND_TRACES_MAX}"
        )
    if not isinstance(question, TraceQuestion):
        return
    shortest, longest = question.duration_nano_min, question.duration_nano_max
    if shortest is not None and longest is not None and shortest > longest:
        raise QuestionError("cannot find traces: the longest duration is below the shortest")
    tag_count = len(question.tags) + len(question.present)
    if tag_count > TAGS_MAX:
        raise TooLargeError(
            f"cannot find traces: {tag_count} tags asked for, the limit is {TAGS_MAX}"
        )
    check_text("service", question.service)
    check_text("operation", question.operation)
    for text in question.present:
        check_text("tag key", text)
    for key, value in question.tags:
        check_text("tag key", key)
        check_text("tag value", value)


def check_text(what: str, text: str) -> None:
    """Refuse a text that is too large to be part of a question; `what` names it."""
    size = len(text.encode("utf-8", "replace"))
    if size > TEXT_BYTES_MAX:
        raise TooLargeError(
            f"cannot answer: {what} has {size} bytes, the limit is {TEXT_BYTES_MAX}"
        )


def check_trace_ids(trace_ids: Sequence[str]) -> None:
    """Refuse ids that are no ids, or too many.

    Raises:
        QuestionError: One is not 32 hex digits.
        TooLargeError: They are more than `FOUND_TRACES_MAX`.
    """
    if len(trace_ids) > FOUND_TRACES_MAX:
        raise TooLargeError(
            f"cannot read traces: {len(trace_ids)} ids asked for, the limit is {FOUND_TRACES_MAX}"
        )
    for trace_id in trace_ids:
        if not _TRACE_ID.fullmatch(trace_id):
            raise QuestionError(f"cannot read trace: {trace_id!r} is not 32 hex digits")
