"""The search language: what is read, what is refused, and where the message points."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.errors import QuestionTextError
from lymer.language import tree
from lymer.language.operands import DEPTH_MAX, STAGES_MAX
from lymer.language.parsing import QUESTION_CHARACTERS_MAX, parse
from lymer.language.printing import text


def only_filter(question: str) -> tree.Expression | None:
    """Return the condition of a question that is one spanset."""
    body = parse(question).body
    assert isinstance(body, tree.Pipeline)
    (stage,) = body.stages
    assert isinstance(stage, tree.Filter)
    return stage.condition


STATUS_CODE = tree.Attribute("http.status_code", "span")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        pytest.param("{ }", None, id="braces without a condition ask for all"),
        pytest.param("", None, id="nothing asks for all"),
        pytest.param(
            "{ span.http.status_code >= 500 }",
            tree.Binary(">=", STATUS_CODE, tree.Literal(500, "int")),
            id="an attribute with dots",
        ),
        pytest.param(
            '{ ."a \\"b" = `c\\d` }',
            tree.Binary("=", tree.Attribute('a "b'), tree.Literal("c\\d", "string")),
            id="a quoted name and a raw text",
        ),
        pytest.param(
            "{ parent.resource.region != nil }",
            tree.Exists(tree.Attribute("region", "resource", of_parent=True)),
            id="an attribute of the parent's resource",
        ),
        pytest.param(
            "{ 1h30m < trace:duration }",
            tree.Binary(
                "<", tree.Literal(5_400_000_000_000, "duration"), tree.Intrinsic("trace:duration")
            ),
            id="a duration of two units",
        ),
        pytest.param(
            "{ .a || .b && .c }",
            tree.Logic(
                "&&",
                (
                    tree.Logic("||", (tree.Attribute("a"), tree.Attribute("b"))),
                    tree.Attribute("c"),
                ),
            ),
            id="and binds no tighter than or, as in TraceQL",
        ),
        pytest.param(
            "{ -.a * 2 + 1 = 3 }",
            tree.Binary(
                "=",
                tree.Binary(
                    "+",
                    tree.Unary(
                        "-",
                        tree.Binary("*", tree.Attribute("a"), tree.Literal(2, "int")),
                    ),
                    tree.Literal(1, "int"),
                ),
                tree.Literal(3, "int"),
            ),
            id="a minus binds between sums and products",
        ),
        pytest.param(
            "{ .a-b.c = 1 } // and this is a comment",
            tree.Binary("=", tree.Attribute("a-b.c"), tree.Literal(1, "int")),
            id="a name holds minus signs",
        ),
    ],
)
def test_a_condition_becomes_its_tree(question: str, expected: tree.Expression | None) -> None:
    """What stands between braces."""
    assert expected == only_filter(question)


def test_structure_and_pipelines() -> None:
    """Operators between spansets are of one rank, from left to right; pipes are lowest."""
    body = parse("{.a} >> {.b} && {.c} !~ {.d} | count() > 2 | by(name) | select(.e)").body
    assert isinstance(body, tree.Pipeline)

    a, b, c, d = (tree.Filter(tree.Attribute(name)) for name in "abcd")
    assert body.stages == (
        tree.Combine("&&", tree.Relate(">>", "plain", a, b), tree.Relate("~", "not", c, d)),
        tree.ScalarFilter(">", tree.Aggregate("count"), tree.Literal(2, "int")),
        tree.Group(tree.Intrinsic("span:name")),
        tree.Select((tree.Attribute("e"),)),
    )


def test_metrics_with_second_stages() -> None:
    """A metrics function, its labels, comparisons behind it, arithmetic, hints."""
    query = parse(
        "({status=error} | rate() by(name)) / ({}|rate() > 0) * 100 > 5 | topk(3) with(sample=0.1)"
    )
    assert isinstance(query.body, tree.MetricsStaged)

    assert query.hints == (("sample", tree.Literal(0.1, "float")),)
    assert query.body.stages == (
        tree.Threshold(">", tree.Literal(5, "int")),
        tree.Top(3),
    )
    assert isinstance(query.body.source, tree.MetricsMath)
    assert query.body.source.right == tree.MetricsNumber(100.0)


READS_BACK = [
    "{ true }",
    "{ !(.a && .b) || -.c ^ 2 ^ 3 > 1.5 }",
    "{ nil != .a && .b = nil }",
    "{ kind = server && status != error && statusMessage =~ `a.*` }",
    '{ event:name = "exception" && link:traceID != "" && instrumentation:version = "1" }',
    "{ span:childCount > 2 } &>> { nestedSetParent < 0 }",
    "({ true } | count() > 1 | { false }) || ({ true } | avg(duration) >= 1s)",
    "{ } | max((1 + .a) * 2) + 1 = 1 / 3",
    "{ } | by(resource.service.name) | coalesce()",
    "{ } | quantile_over_time(duration, 0, 0.9, 1) by(span.http.path, name) > 10 | bottomk(2)",
    "{ } | compare({ status = error }, 5, 1, 2)",
    "(60 * ({ } | rate())) / ({ } | count_over_time()) - -1.5",
    "({ } | histogram_over_time(duration)) + ({ } | sum_over_time(.x))",
    "-2 - 20 / ({ } | rate())",
]


@pytest.mark.parametrize("question", READS_BACK)
def test_what_is_printed_reads_back(question: str) -> None:
    """Printing a tree and reading it gives the same tree."""
    assert parse(question) == parse(text(parse(question)))


REFUSED = [
    ("{ serv.name = 1 }", 3, "span.serv.name"),
    ("{ .a == 3 }", 7, "equality is one ="),
    ("{ .a = 1 and .b = 2 }", 10, "&&"),
    ("{ naame = `x` }", 3, '"name"'),
    ("{ name = 'x' }", 10, "double quotes"),
    ("{} | cuont() > 3", 6, '"count"'),
    ("{ order = 1 }", 3, ".order"),
    ("{ .a in (1, 2) }", 6, ".a = 1 ||"),
    ("{ .a like `x` }", 6, "=~"),
    ("{ duration > 5 ms }", 16, "5ms"),
    ("{ duration > 5seconds }", 16, "5ms"),
    ("{ .a1 b }", 7, ".b"),
    ("{ span. }", 3, "missing behind span."),
    ('{ .a > "b }', 8, "a text is not closed"),
    ("{ .a > `b }", 8, "a text is not closed"),
    ('{ .a = 1 "b" }', 10, ""),
    ('{ .a = "b"c = 1 }', 11, ".c"),
    ("{ 이름 = 1 }", 3, ".이름"),
    ("{ .a = ", 7, "not closed"),
    ('{ duration > "3s" }', 12, "without quotes"),
    ('{ status = "error" }', 10, "without quotes"),
    ("{ status > ok }", 10, ""),
    ("{ 1 + 1 }", 5, "compare it"),
    ("{ span:rootName = `a` }", 3, "span:name"),
    ("{ parent }", 3, "nestedSetParent"),
    ("{ span:status = nil }", 15, ""),
    ("{ .a =~ 2 }", 6, ""),
    ("{} && count() > 1", 4, "stage of its own"),
    ("{} | count()", 6, "compare it"),
    ("{} > 10", 4, "count"),
    ("rate()", 1, "rate()"),
    ("{} | rate() + 5", 13, "({} | rate())"),
    ("{} | topk(3)", 6, "rate()"),
    ("{} | rate() | topk(0)", 20, ""),
    ("{} | rate(duration)", 6, ""),
    ("{} | max_over_time()", 6, ""),
    ("{} | quantile_over_time(duration)", 6, "0.95"),
    ("{} | quantile_over_time(duration, 95)", 6, ""),
    ("{} | compare({.a}) | topk(3)", 22, ""),
    ("({} | count()) + ({} | count()) = 1", 16, ""),
    ("({} | rate()) * 10s", 15, ""),
    ("3 > 2", 3, "count()"),
    ("2 * 3", 1, ""),
    ("{ .a = 99999999999999999999 }", 8, ""),
    ('{ .a = "\\q" }', 8, "backslash"),
    ("{ true } = { true }", 10, ">>"),
    ("coalesce()", 1, "by()"),
    ("{} | sum(3) = 1", 6, "duration"),
    ("{} | by(1)", 6, "service.name"),
    ("1 / 0 + ({} | rate())", 3, ""),
]


@pytest.mark.parametrize(("question", "column", "hint"), REFUSED)
def test_an_error_names_the_place_and_what_to_write(question: str, column: int, hint: str) -> None:
    """Line, column and a hint, wherever there is a better way to write it."""
    with pytest.raises(QuestionTextError) as raised:
        parse(question)

    assert (1, column) == (raised.value.line, raised.value.column)
    assert hint in raised.value.hint


def test_a_number_of_children_needs_no_scope() -> None:
    """As in Tempo; both spellings are one."""
    assert parse("{ childCount > 2 }") == parse("{ span:childCount > 2 }")


def test_lines_are_counted() -> None:
    """The place of an error in a question of several lines."""
    with pytest.raises(QuestionTextError) as raised:
        parse("{ .a = 1 }\n  | cuont() > 1")

    assert (2, 5) == (raised.value.line, raised.value.column)


PIECES = st.sampled_from(
    [
        *'{}()|&!<>=~"`\\.,+-*/%^ \n',
        *("&&", "||", ">>", "!~", "&>", "span.", ".a", "1", "1.5", "3ms", "//", "/*", "µ", "한"),
        *("name", "duration", "nil", "true", "error", "count()", "rate()", "by(", "topk(1)"),
        *("with(", '"x"', "parent.", "trace:id", "maxInt", "\x00", "\ud800"),
    ]
)


@given(st.lists(PIECES, max_size=40))
def test_every_text_is_read_or_refused_at_a_place(pieces: list[str]) -> None:
    """Nothing but `QuestionTextError`, and what is read prints and reads back."""
    question = "".join(pieces)
    try:
        query = parse(question)
    except QuestionTextError as error:
        refused_at, read_back = error.at, True
    else:
        refused_at, read_back = 0, query == parse(text(query))

    assert 0 <= refused_at <= len(question) + 2
    assert read_back


EVIL = [
    "(" * 30_000,
    "{" + "-" * 32_000,
    "{ .a" + " || .a && .b" * 2_500 + "}",
    "{" + " || ".join(".a" for _ in range(5_000)) + "}",
    '{ ."' + '\\"' * 15_000,
    "1m" * 16_000,
    "{1" + "+1" * 16_000 + "=2}",
    " | ".join(["{}"] * 6_000),
    " && ".join(["{}"] * 4_000),
    "/*" * 16_000,
    "x" * (QUESTION_CHARACTERS_MAX + 1),
]


@pytest.mark.parametrize("question", EVIL, ids=range(len(EVIL)))
def test_no_text_is_slow_or_too_deep(question: str) -> None:
    """The longest texts allowed end in CPU time far below what a person notices."""
    begun = time.process_time()
    with contextlib.suppress(QuestionTextError):
        text(parse(question))

    assert time.process_time() - begun < 3


def test_limits_are_named() -> None:
    """Depth, stages and length are refused with their number."""
    for question, limit in [
        ("{" + "!" * (DEPTH_MAX + 1) + ".a}", DEPTH_MAX),
        (" | ".join(["{}"] * (STAGES_MAX + 1)), STAGES_MAX),
        ("{}" + " " * QUESTION_CHARACTERS_MAX, QUESTION_CHARACTERS_MAX),
    ]:
        with pytest.raises(QuestionTextError, match=str(limit)):
            parse(question)
