"""Jaeger's structured filter (RFC 0005) and its legacy parameters become the same tree."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.errors import QuestionError
from lymer.language import tree
from lymer.language.jaeger_filter import FILTER_TERMS_MAX, filter_condition

STATUS_CODE = {"attr": {"key": "http.status_code"}}
DURATION = {"field": {"name": "duration", "level": "span"}}


def call(operator: str, *arguments: Any) -> dict[str, Any]:
    """Make a call."""
    return {"op": operator, "args": list(arguments)}


def scalar(value: str, kind: str = "") -> dict[str, Any]:
    """Make a constant."""
    return {"scalar": {"value": value, "type": kind}}


def read(document: dict[str, Any]) -> tree.Expression:
    """Read a filter."""
    return filter_condition(json.dumps(document))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            call("eq", STATUS_CODE, scalar("500")),
            tree.Binary("=", tree.Attribute("http.status_code"), tree.Literal("500", "any")),
            id="a constant without a type equals what prints like it",
        ),
        pytest.param(
            call("lt", scalar("2s"), DURATION),
            tree.Binary(
                ">", tree.Intrinsic("span:duration"), tree.Literal(2_000_000_000, "duration")
            ),
            id="a constant on the left is turned round",
        ),
        pytest.param(
            call("not_in", STATUS_CODE, {"list": {"values": ["500", "503"], "type": "int"}}),
            tree.Logic(
                "&&",
                (
                    tree.Exists(tree.Attribute("http.status_code")),
                    tree.Unary(
                        "!",
                        tree.Logic(
                            "||",
                            tuple(
                                tree.Binary(
                                    "=",
                                    tree.Attribute("http.status_code"),
                                    tree.Literal(value, "int"),
                                )
                                for value in (500, 503)
                            ),
                        ),
                    ),
                ),
            ),
            id="not in a list: present, and none of them",
        ),
        pytest.param(
            call(
                "some",
                {"nested": {"level": "event"}},
                {
                    "call": call(
                        "gt",
                        {"field": {"name": "timeSinceStart", "level": "event"}},
                        scalar("50us"),
                    )
                },
            ),
            tree.Some(
                "event",
                tree.Binary(
                    ">", tree.Intrinsic("event:timeSinceStart"), tree.Literal(50_000, "duration")
                ),
            ),
            id="one and the same event",
        ),
        pytest.param(
            call(
                "gte",
                {"field": {"name": "startTime", "level": "span"}},
                scalar("1970-01-01T00:00:01.5Z"),
            ),
            tree.Binary(
                ">=", tree.Intrinsic("span:startTime"), tree.Literal(1_500_000_000, "time")
            ),
            id="an instant",
        ),
    ],
)
def test_a_filter_becomes_its_tree(document: dict[str, Any], expected: tree.Expression) -> None:
    """As RFC 0005 describes each operator."""
    assert expected == read(document)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        call("matches", STATUS_CODE, scalar("1")),
        call("and", {"call": call("exists", STATUS_CODE)}),
        call("gt", {"field": {"name": "kind", "level": "span"}}, scalar("server")),
        call("eq", {"field": {"name": "kind", "level": "span"}}, scalar("sever")),
        call("eq", {"field": {"name": "nope", "level": "span"}}, scalar("1")),
        call("gt", DURATION, scalar("soon")),
        call("gt", DURATION, scalar("5", "int")),
        call("eq", DURATION, {"field": {"name": "name", "level": "span"}}),
        call("in", STATUS_CODE, {"list": {"values": [], "type": "int"}}),
        call("regex", DURATION, scalar("1.*")),
        call("some", {"nested": {"level": "span"}}, {"call": call("exists", STATUS_CODE)}),
        call("in", STATUS_CODE, {"list": {"values": ["1"] * FILTER_TERMS_MAX}}),
    ],
    ids=range(14),
)
def test_what_is_no_filter_is_refused(document: Any) -> None:
    """With a sentence, never with anything else."""
    with pytest.raises(QuestionError, match="cannot read the filter"):
        read(document)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.sampled_from(["eq", "and", "some"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "op",
                    "args",
                    "call",
                    "attr",
                    "field",
                    "scalar",
                    "list",
                    "nested",
                    "key",
                    "level",
                    "name",
                    "value",
                    "values",
                    "type",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(JSON)
def test_no_document_ends_otherwise(document: Any) -> None:
    """A filter or a `QuestionError`."""
    message = "cannot read the filter"
    try:
        read(document)
    except QuestionError as error:
        message = str(error)

    assert message.startswith("cannot read the filter")


def test_a_filter_may_not_be_too_deep() -> None:
    """The limit of the search language holds here too, and for texts that JSON cannot read."""
    document: dict[str, Any] = call("exists", STATUS_CODE)
    for _ in range(100):
        document = call("not", {"call": document})

    with pytest.raises(QuestionError, match="deeper"):
        read(document)
    with pytest.raises(QuestionError, match="no JSON"):
        filter_condition('{"op":' * 100_000)
