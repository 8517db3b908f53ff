"""Adaptive sampling, one rule at a time, and whole populations that come to rest."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.model.throughput import Throughput
from lymer.sampling.adaptive import (
    SNAPSHOTS_MAX,
    AdaptiveOptions,
    AdaptiveState,
    Asked,
    Bucket,
    next_state,
    weights,
)

OP = ("s", "op")
OPTIONS = AdaptiveOptions()
ALWAYS = {"s": Asked(0.0, 1e12)}
NOBODY: Mapping[str, Asked] = {}


def seen(
    count: int,
    *,
    tags: tuple[float, ...] = (),
    thresholds: tuple[float, ...] = (),
    unmarked: bool = False,
) -> Throughput:
    """Return the throughput of the operation."""
    return Throughput("s", "op", count, frozenset(tags), frozenset(thresholds), unmarked)


def bucket(*throughput: Throughput, start: float = 1000.0, seconds: float = 60.0) -> Bucket:
    """Return an interval."""
    return Bucket(start, seconds, {(one.service, one.operation): one for one in throughput})


def told(probability: float, **more: object) -> AdaptiveState:
    """Return a state in which the operation has a probability."""
    return AdaptiveState(probabilities={OP: probability}, **more)  # type: ignore[arg-type]


def step(
    state: AdaptiveState,
    newest: Bucket,
    options: AdaptiveOptions = OPTIONS,
    asked: Mapping[str, Asked] = NOBODY,
) -> AdaptiveState:
    """Return the state after one bucket."""
    return next_state(state, newest, options, asked, 2000.0)


@pytest.mark.parametrize(
    ("count", "expected"), [(1, [1.0]), (2, [16 / 17, 1 / 17]), (3, [81 / 98, 16 / 98, 1 / 98])]
)
def test_weights_are_fourth_powers(count: int, expected: list[float]) -> None:
    """Newest first, and their sum is one."""
    assert expected == pytest.approx(weights(count))


@pytest.mark.parametrize(
    ("probability", "rate", "expected"),
    [
        pytest.param(0.1, 1.0, 0.1, id="on target"),
        pytest.param(0.1, 1.29, 0.1, id="within the tolerance above"),
        pytest.param(0.1, 0.71, 0.1, id="within the tolerance below"),
        pytest.param(0.1, 1.3, 0.1 / 1.3, id="at the tolerance"),
        pytest.param(0.1, 20.0, 0.005, id="too many: at once"),
        pytest.param(0.1, 0.6, 0.1 / 0.6, id="too few"),
        pytest.param(0.1, 0.5, 0.2, id="twice as many"),
        pytest.param(0.1, 0.1, 0.2, id="no more than twice"),
        pytest.param(0.1, 0.0, 0.2, id="nothing at all is twice too"),
        pytest.param(0.75, 0.1, 1.0, id="no more than one"),
        pytest.param(0.0001, 1000.0, 1e-5, id="no less than the least"),
    ],
)
def test_a_probability_follows(probability: float, rate: float, expected: float) -> None:
    """What is seen against a target of one a second."""
    newest = bucket(seen(round(rate * 6000), tags=(probability,)), seconds=6000)

    found = step(told(probability), newest)

    assert expected == pytest.approx(found.probabilities[OP])
    assert rate == pytest.approx(found.traces_per_second[OP])


def test_buckets_are_averaged_the_newer_the_heavier() -> None:
    """Only those that have the operation count, newest first."""
    options = AdaptiveOptions(calculation_buckets=2)
    state = AdaptiveState()
    for count in (6000, 120, 0):
        throughput = [seen(count, tags=(0.001,))] if count else []
        state = step(state, bucket(*throughput), options)

    assert state.traces_per_second[OP] == pytest.approx(2 * 16 / 17 + 100 / 17)


def test_an_operation_is_forgotten_with_its_last_bucket() -> None:
    """So new strategies do not name it."""
    options = AdaptiveOptions(aggregation_buckets=2)
    state = step(AdaptiveState(), bucket(seen(60, tags=(0.001,))), options)
    state = step(state, bucket(), options)

    assert OP in state.probabilities
    assert OP not in step(state, bucket(), options).probabilities


@pytest.mark.parametrize(
    ("probability", "throughput", "asked", "obeyed"),
    [
        pytest.param(0.5, seen(6000, tags=(0.5,)), NOBODY, True, id="tags name it"),
        pytest.param(0.5, seen(6000, tags=(0.4, 0.5)), NOBODY, True, id="some tags name it"),
        pytest.param(0.5, seen(6000, tags=(0.4,)), ALWAYS, False, id="tags name another"),
        pytest.param(
            1 / 3, seen(6000, tags=(0.333333,)), NOBODY, True, id="tags have six decimals"
        ),
        pytest.param(0.5, seen(6000, thresholds=(0.5,)), NOBODY, True, id="threshold"),
        pytest.param(
            1 / 3, seen(6000, thresholds=(0.333328,)), NOBODY, True, id="rounded threshold"
        ),
        pytest.param(0.5, seen(6000, thresholds=(0.45,)), ALWAYS, False, id="other threshold"),
        pytest.param(
            0.001, seen(6000, tags=(0.7,)), NOBODY, True, id="initial: taken for obedient once"
        ),
        pytest.param(0.5, seen(6000, unmarked=True), ALWAYS, True, id="says nothing and asks"),
        pytest.param(0.5, seen(6000, unmarked=True), NOBODY, False, id="says nothing, never asks"),
        pytest.param(
            0.001, seen(6000, unmarked=True), NOBODY, False, id="nor if it is the initial one"
        ),
        pytest.param(
            0.5, seen(6000, unmarked=True), {"s": Asked(1001.0, 1e12)}, False, id="asked too late"
        ),
        pytest.param(
            0.5, seen(6000, unmarked=True), {"s": Asked(0.0, 800.0)}, False, id="asks no longer"
        ),
        pytest.param(
            0.5,
            seen(6000, tags=(0.4,), unmarked=True),
            ALWAYS,
            False,
            id="some say another, some nothing",
        ),
    ],
)
def test_only_the_obedient_are_adapted(
    probability: float, throughput: Throughput, asked: Mapping[str, Asked], *, obeyed: bool
) -> None:
    """A hundred a second is far from the target; what is sampled otherwise is left alone."""
    found = step(told(probability), bucket(throughput), asked=asked)

    expected = max(probability / 100, 1e-5) if obeyed else probability
    assert expected == pytest.approx(found.probabilities[OP])
    assert {OP: (probability, obeyed)} == found.snapshots[0]
    assert (OP in found.changed) == obeyed


def test_who_says_nothing_has_time_to_ask_again() -> None:
    """A change counts once clients had the time to ask for it."""
    state = step(told(0.5), bucket(seen(6000, unmarked=True)), asked=ALWAYS)
    early = step(state, bucket(seen(6000, unmarked=True), start=2059.0), asked=ALWAYS)
    late = step(early, bucket(seen(6000, unmarked=True), start=2060.0), asked=ALWAYS)

    assert [0.005, 0.005, 0.00005] == pytest.approx(
        [each.probabilities[OP] for each in (state, early, late)]
    )


def test_an_operation_that_pauses_stays_as_it_was() -> None:
    """Nothing came in the newest interval: whether it obeyed before decides."""
    obedient = step(told(0.5), bucket(seen(6000, tags=(0.5,))))
    other = step(told(0.5), bucket(seen(6000, tags=(0.4,))))

    assert step(obedient, bucket()).probabilities[OP] == pytest.approx(0.005 / 100)
    assert step(other, bucket()).probabilities[OP] == 0.5


def test_who_says_nothing_and_falls_silent_is_looked_for() -> None:
    """Zero is seen, so the probability doubles, until all would be sampled."""
    options = AdaptiveOptions(client_poll_seconds=0, aggregation_buckets=3)
    state = step(told(0.2), bucket(seen(60, unmarked=True)), options, ALWAYS)
    found = []
    for _ in range(6):
        state = step(state, bucket(start=3000.0), options, ALWAYS)
        found.append(state.probabilities.get(OP))

    assert [0.4, 0.8, 1.0, 1.0, 1.0, None] == found


def test_snapshots_are_bounded() -> None:
    """As are buckets."""
    state = AdaptiveState()
    for _ in range(40):
        state = step(state, bucket(seen(60, tags=(0.001,))))

    assert (SNAPSHOTS_MAX, 10) == (len(state.snapshots), len(state.buckets))


@given(
    st.floats(1e-5, 1),
    st.integers(0, 10**9),
    st.floats(0.01, 1e4),
    st.sampled_from(["tags", "thresholds", "unmarked"]),
)
def test_a_probability_stays_in_its_bounds(
    probability: float, count: int, target: float, kind: str
) -> None:
    """Whatever is seen: and never more than doubles."""
    mark = True if kind == "unmarked" else (probability,)
    options = AdaptiveOptions(target_samples_per_second=target)

    found = step(told(probability), bucket(seen(count, **{kind: mark})), options, ALWAYS)  # type: ignore[arg-type]

    assert 1e-5 <= found.probabilities[OP] <= 1
    assert found.probabilities[OP] <= 2 * probability * (1 + 1e-12)


@pytest.mark.parametrize("kind", ["tags", "thresholds", "unmarked"])
@pytest.mark.parametrize("traffic", [0.5, 40.0, 30_000.0], ids=["quiet", "busy", "flood"])
def test_a_population_comes_to_the_target(kind: str, traffic: float) -> None:
    """With Jaeger's times: clients ask each minute, a bucket is two minutes old when it is seen."""
    chance = random.Random(f"{kind}{traffic}")
    told_at: list[tuple[float, float]] = [(0.0, 0.001)]
    state = AdaptiveState()
    asked = {"s": Asked(0.0, 1e12)}
    sampled = 0.0
    for minute in range(3, 120):
        now = minute * 60.0
        start = now - 180.0
        # What clients had when the bucket began: they asked up to a minute before.
        heard = start - chance.uniform(0, 60)
        obeyed = next(value for at, value in reversed(told_at) if at <= max(heard, 0.0))
        count = (
            sum(chance.random() < obeyed for _ in range(round(traffic * 60)))
            if (traffic < 100)
            else round(traffic * 60 * obeyed)
        )
        mark = True if kind == "unmarked" else (round(obeyed, 6),)
        throughput = seen(count, **{kind: mark})  # type: ignore[arg-type]
        # Jaeger's clients send a trace a minute whatever the probability; others send nothing.
        newest = bucket(*([throughput] if count or kind == "tags" else []), start=start)
        state = next_state(state, newest, OPTIONS, asked, now)
        told_at.append((now, state.probabilities.get(OP, 0.001)))
        sampled = traffic * told_at[-1][1]

    assert min(traffic, 1 / 1.6) <= sampled <= 1.6
