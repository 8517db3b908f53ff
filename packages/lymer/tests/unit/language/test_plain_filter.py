"""A structured filter as a plain question."""

from __future__ import annotations

import json

import pytest

from lymer.errors import QuestionError
from lymer.language.jaeger_filter import filter_condition
from lymer.language.plain_filter import narrowed
from lymer.model.question import TraceQuestion

WHEN = TraceQuestion(1, 9)


def read(*calls: tuple[str, dict[str, object], str]) -> TraceQuestion:
    """Return the question that all of these comparisons are together."""
    args = [
        {"call": {"op": op, "args": [operand, {"scalar": {"value": value}}]}}
        for op, operand, value in calls
    ]
    document = args[0]["call"] if len(args) == 1 else {"op": "and", "args": args}
    return narrowed(WHEN, filter_condition(json.dumps(document)))


DURATION: dict[str, object] = {"field": {"level": "span", "name": "duration"}}
SERVICE: dict[str, object] = {"field": {"level": "resource", "name": "service"}}


def test_durations_narrow_each_other() -> None:
    """The tightest counts; what excludes itself finds nothing."""
    found = read(("gt", DURATION, "1us"), ("gte", DURATION, "5us"), ("lt", DURATION, "9us"))
    assert (5_000, 8_999) == (found.duration_nano_min, found.duration_nano_max)
    assert read(("eq", DURATION, "5us")).duration_nano_min == 5_000
    nothing = read(("gt", DURATION, "9us"), ("lt", DURATION, "5us"))
    assert nothing.start_unix_nano_min > nothing.start_unix_nano_max


def test_fields_and_attributes_have_their_places() -> None:
    """A resource's attribute is asked of the resource."""
    found = read(
        ("eq", SERVICE, "shop"),
        ("eq", {"attr": {"key": "zone", "level": "resource"}}, "a"),
        ("eq", {"attr": {"key": "k"}}, "v"),
        ("eq", {"field": {"level": "scope", "name": "name"}}, "lib"),
    )
    assert "shop" == found.service
    assert (("resource.zone", "a"), ("k", "v"), ("scope.name", "lib")) == found.tags


def test_two_services_on_one_span_are_refused() -> None:
    """A plain question has one."""
    with pytest.raises(QuestionError, match="cannot serve this query filter"):
        read(("eq", SERVICE, "shop"), ("eq", SERVICE, "cart"))
