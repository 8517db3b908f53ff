"""Finding traces: every condition, every level of tags, order, limits."""

from __future__ import annotations

import pytest

from contract.storage.conftest import Store
from contract.storage.corpus import HOUR, MS
from lymer.model.question import FoundTrace, TraceQuestion
from make import START, trace_hex


def ask(
    store: Store,
    *tags: tuple[str, str],
    since: int = START,
    until: int = START + 2 * HOUR,
    service: str = "",
    operation: str = "",
    shortest: int | None = None,
    longest: int | None = None,
    limit: int = 100,
) -> list[int]:
    """Return the numbers of the traces found, in the order found."""
    question = TraceQuestion(
        start_unix_nano_min=since,
        start_unix_nano_max=until,
        service=service,
        operation=operation,
        tags=tags,
        duration_nano_min=shortest,
        duration_nano_max=longest,
        limit=limit,
    )
    return [int(found.trace_id[16:], 16) for found in store.find_traces(question)]


def test_traces_come_newest_matching_span_first(corpus: Store) -> None:
    """The start of the newest span that matches decides the order, and is answered."""
    question = TraceQuestion(START, START + 2 * HOUR, operation="GET /cart")

    assert [
        FoundTrace(trace_hex(4), START + HOUR),
        FoundTrace(trace_hex(6), START + 4_000 * MS),
        FoundTrace(trace_hex(1), START),
    ] == corpus.find_traces(question)


def test_the_limit_keeps_the_newest(corpus: Store) -> None:
    """A limit below the number of matches cuts the oldest."""
    assert ask(corpus, operation="GET /cart", limit=2) == [4, 6]


def test_no_condition_finds_every_trace(corpus: Store) -> None:
    """Time alone is a question too."""
    assert ask(corpus) == [4, 6, 5, 3, 2, 1]


@pytest.mark.parametrize(
    ("service", "operation", "expected"),
    [
        pytest.param("shop", "", [4, 6, 2, 1], id="service"),
        pytest.param("cart", "", [3, 1], id="service of a child"),
        pytest.param("SHOP", "", [], id="service is compared exactly"),
        pytest.param("", "sweep", [3], id="operation without service"),
        pytest.param("shop", "GET /pay", [2], id="both"),
        pytest.param("cart", "GET /cart", [], id="both, but never on one span"),
        pytest.param("nobody", "", [], id="unknown service"),
    ],
)
def test_service_and_operation(
    corpus: Store, service: str, operation: str, expected: list[int]
) -> None:
    """Names are compared exactly, both on the same span."""
    assert expected == ask(corpus, service=service, operation=operation)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        pytest.param(("user", "ann"), [1], id="string"),
        pytest.param(("http.status_code", "500"), [2], id="integer"),
        pytest.param(("db.rows", "500"), [1], id="integer in a child"),
        pytest.param(("db.cost", "500"), [1], id="whole double as integer text"),
        pytest.param(("ratio", "0.5"), [3], id="double"),
        pytest.param(("db.ok", "true"), [1], id="bool"),
        pytest.param(("note", "500"), [1], id="string of digits"),
        pytest.param(("list", '["a",1]'), [3], id="list as JSON"),
        pytest.param(("raw", "AQI="), [3], id="bytes as base64"),
        pytest.param(("level", "span"), [3], id="span level"),
        pytest.param(("level", "resource"), [3], id="same key on the resource"),
        pytest.param(("zone", "b"), [3, 1], id="resource level"),
        pytest.param(("service.name", "cart"), [3, 1], id="service.name is a resource tag"),
        pytest.param(("event.level", "event"), [3], id="event level"),
        pytest.param(("link.level", "link"), [3], id="link level"),
        pytest.param(("event", "exception"), [2], id="name of an event"),
        pytest.param(("user", "nobody"), [], id="unknown value"),
        pytest.param(("nobody", "ann"), [], id="unknown key"),
        pytest.param(("User", "ann"), [], id="keys are compared exactly"),
        pytest.param(("user", "an"), [], id="values are not prefixes"),
        pytest.param(("user", ""), [], id="empty value"),
    ],
)
def test_a_tag_matches_on_every_level(
    corpus: Store, tag: tuple[str, str], expected: list[int]
) -> None:
    """Values compare as text, whatever their type and wherever they stand."""
    assert expected == ask(corpus, tag)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        pytest.param(("error", "true"), [5, 2], id="error=true is status ERROR"),
        pytest.param(("error", "false"), [4, 6, 5, 3, 1], id="error=false is any other"),
        pytest.param(("span.kind", "client"), [2, 1], id="span.kind"),
        pytest.param(("span.kind", "SERVER"), [4, 6, 2, 1], id="span.kind in capitals"),
        pytest.param(("span.status", "error"), [5, 2], id="span.status error"),
        pytest.param(("span.status", "OK"), [6], id="span.status ok"),
        pytest.param(("span.status", "unset"), [4, 5, 3, 1], id="span.status unset"),
        pytest.param(("scope.name", "sweeper"), [3], id="scope.name"),
        pytest.param(("scope.version", "1.2"), [3], id="scope.version"),
        pytest.param(("resource.zone", "b"), [3, 1], id="resource.KEY"),
        pytest.param(("resource.level", "resource"), [3], id="resource.KEY beside a span's"),
        pytest.param(("resource.user", "ann"), [], id="resource.KEY is no span attribute"),
        pytest.param(("resource.service.name", "pay"), [2], id="resource.service.name"),
    ],
)
def test_keys_with_a_meaning(corpus: Store, tag: tuple[str, str], expected: list[int]) -> None:
    """Jaeger's special keys."""
    assert expected == ask(corpus, tag)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param([("user", "bob"), ("http.status_code", "200")], [4], id="both on one span"),
        pytest.param([("user", "ann"), ("db.ok", "true")], [], id="on two spans of one trace"),
        pytest.param([("zone", "b"), ("db.ok", "true")], [1], id="span and its resource"),
        pytest.param([("error", "true"), ("span.kind", "server")], [2], id="two meanings"),
    ],
)
def test_all_tags_must_hold_on_one_span(
    corpus: Store, tags: list[tuple[str, str]], expected: list[int]
) -> None:
    """Tags are joined by AND, span by span."""
    assert expected == ask(corpus, *tags)


@pytest.mark.parametrize(
    ("shortest", "longest", "expected"),
    [
        pytest.param(100 * MS, None, [1], id="shortest is inclusive"),
        pytest.param(100 * MS + 1, None, [], id="one nanosecond more"),
        pytest.param(None, 1 * MS, [6, 5], id="longest is inclusive"),
        pytest.param(None, 1 * MS - 1, [], id="one nanosecond less"),
        pytest.param(5 * MS, 10 * MS, [4, 3], id="both"),
        pytest.param(60 * MS, 60 * MS, [1], id="a child counts"),
    ],
)
def test_duration_bounds(
    corpus: Store, shortest: int | None, longest: int | None, expected: list[int]
) -> None:
    """Durations are of the matching span, in nanoseconds, both ends inclusive."""
    assert expected == ask(corpus, shortest=shortest, longest=longest)


def test_duration_service_and_tag_hold_on_the_same_span(corpus: Store) -> None:
    """A slow span of another service does not help."""
    assert ask(corpus, service="shop", operation="GET /cart", shortest=101 * MS) == []
    assert ask(corpus, ("db.ok", "true"), service="cart", shortest=60 * MS) == [1]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        pytest.param(START, START, [1], id="one instant, inclusive on both ends"),
        pytest.param(START - 1, START - 1, [], id="one nanosecond earlier"),
        pytest.param(START + HOUR, START + HOUR, [4], id="the newest"),
        pytest.param(START + HOUR + 1, START + 2 * HOUR, [], id="after everything"),
        pytest.param(START + 20 * MS, START + 20 * MS, [1], id="a child alone"),
        pytest.param(START + 1_000 * MS, START + 2_000 * MS, [3, 2], id="a range"),
    ],
)
def test_time_bounds_are_inclusive(
    corpus: Store, since: int, until: int, expected: list[int]
) -> None:
    """The matching span starts within the range, ends included."""
    assert expected == ask(corpus, since=since, until=until)
