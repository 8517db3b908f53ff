"""A question goes into the search form if the form asks the same."""

from __future__ import annotations

import pytest

from lymer.language.form import FormFields, form_of
from lymer.language.parsing import parse

MANY = (
    '{ resource.service.name = "cart" && name = "GET /" && duration >= 1.5s '
    "&& duration < 3s && status = error && .user = 7 }"
)


@pytest.mark.parametrize(
    ("question", "fields"),
    [
        ("", FormFields()),
        ("{ }", FormFields()),
        ('{ resource.service.name = "cart" }', FormFields(service="cart")),
        (
            MANY,
            FormFields(
                "cart", "GET /", {"error": "true", "user": "7"}, "1s500ms", "2s999ms999us999ns"
            ),
        ),
        ('{ (.a = 200 || .a = "200") && .b = true }', FormFields(tags={"a": "200", "b": "true"})),
    ],
)
def test_what_the_form_can_ask(question: str, fields: FormFields) -> None:
    """Its fields say the same."""
    assert form_of(parse(question)) == fields


@pytest.mark.parametrize(
    "question",
    [
        '{ .a = "x" || .b = "y" }',
        '{ .a != "x" }',
        "{ .a > 3 }",
        '{ resource.service.name = "a" && resource.service.name = "b" }',
        '{ .a = "x" && .a = "y" }',
        '{ span.a = "x" }',
        '{ resource.zone = "x" }',
        '{ parent.a = "x" }',
        '{ name =~ "x" }',
        "{ status = ok }",
        "{ duration = 3s }",
        "{ duration < 0s }",
        "{ duration > 1s && duration > 2s }",
        '{ .a = "" }',
        "{ .a = .b }",
        '{ .a = "x" } >> { }',
        '{ .a = "x" } | count() > 2',
        "{ } | rate()",
        '{ (.a = 1 || .a = "2") }',
        "{ .a = nil }",
    ],
)
def test_what_the_form_cannot_ask(question: str) -> None:
    """Nothing of it is lost silently."""
    assert form_of(parse(question)) is None
