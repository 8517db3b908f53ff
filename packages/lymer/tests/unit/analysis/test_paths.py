"""The ways through a system."""

from __future__ import annotations

import random

from lymer.analysis.paths import STEPS_MAX, PathCounter, Step


def add(counter: PathCounter, trace_id: str, *spans: tuple[int, str, str, int]) -> None:
    """Add a trace of (parent row, service, name, kind), each starting after the one before."""
    parent, service, name, kind = (list(one) for one in zip(*spans, strict=True))
    counter.add(trace_id, parent, list(range(len(spans))), service, name, kind)  # type: ignore[arg-type]


def slow_paths(spans: list[tuple[int, str, str, int]], wanted: str) -> list[tuple[Step, ...]]:
    """Return the ways as Jaeger's interface builds them: leaf by leaf."""
    found = []
    for leaf in range(len(spans)):
        if any(parent == leaf for parent, *_ in spans):
            continue
        chain, row = [], leaf
        while row >= 0:
            chain.append(spans[row])
            row = spans[row][0]
        steps: list[Step] = []
        for _, service, name, kind in reversed(chain):
            if not steps or steps[-1][0] != service or kind == 2:
                steps.append((service, name))
        if any(service == wanted for service, _ in steps):
            found.append(tuple(steps))
    return found


def test_a_step_is_another_service_or_a_server() -> None:
    """Spans inside of a service are none; every leaf ends a way; others' ways are left out."""
    counter = PathCounter("cart")
    for trace_id in ("a", "b"):
        add(
            counter,
            trace_id,
            (-1, "shop", "GET", 2),
            (0, "shop", "inner", 1),
            (1, "cart", "get", 2),
            (2, "cart", "SELECT", 3),
            (2, "cart", "again", 2),
            (0, "pay", "POST", 2),
        )

    assert [
        ((("shop", "GET"), ("cart", "get")), 2, ("a", "b")),
        ((("shop", "GET"), ("cart", "get"), ("cart", "again")), 2, ("a", "b")),
    ] == [(one.steps, one.count, one.trace_ids) for one in counter.paths()]
    assert PathCounter("nobody").paths() == []


def test_an_operation_may_be_asked_for() -> None:
    """Then the ways pass it, and not only its service."""
    counter = PathCounter("cart", "get")
    add(counter, "a", (-1, "cart", "put", 2), (-1, "cart", "get", 2), (1, "db", "q", 3))

    assert [(("cart", "get"), ("db", "q"))] == [one.steps for one in counter.paths()]


def test_random_traces_have_the_ways_that_leaves_have() -> None:
    """Linear or leaf by leaf: the same ways, as often."""
    rng = random.Random(5)
    for _ in range(200):
        spans = [
            (rng.randrange(-1, row), rng.choice("abc"), rng.choice("xy"), rng.randrange(6))
            for row in range(rng.randrange(1, 30))
        ]
        counter = PathCounter("a")
        add(counter, "t", *spans)

        expected = slow_paths(spans, "a")
        assert len(expected) == sum(one.count for one in counter.paths())
        assert set(expected) == {one.steps for one in counter.paths()}


def test_a_deep_trace_is_cut() -> None:
    """A way has a limit, and no recursion."""
    counter = PathCounter("s0", examples_max=1)
    count = 20_000
    add(counter, "t", *((row - 1, f"s{row % 2}", "x", 2) for row in range(count)))

    (path,) = counter.paths()
    assert (STEPS_MAX, 1, ("t",)) == (len(path.steps), path.count, path.trace_ids)
