"""Tail sampling on the engine: what each policy keeps, late spans, budgets, crashes, RED."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson
import pytest
import yaml
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from fakes.mortal_engine import KilledError, MortalEngine
from lymer.errors import StartupError
from lymer.model.question import TraceQuestion
from lymer.sampling.tail_file import read_tail_policies
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.clickhouse.tail_rates import POLICY_TAG, RATE_TAG
from lymer.tenancy import DEFAULT_TENANT
from make import START, make_request, make_resource_spans, make_span, trace_hex, write_segment_file

SECOND: Final = 1_000_000
FIRST: Final = 1_795_365_821 * SECOND
"""The first segment: a whole second."""
MILLI: Final = 1_000_000


class Sampled:
    """A store that samples, and what a test does to it."""

    def __init__(self, folder: Path, policies: str) -> None:
        self._folder = folder
        self._policies = policies
        self.open()

    def open(self) -> None:
        """Open the store, as a start does."""
        self.engine = MortalEngine(
            ChdbEngine(self._folder / "engine", memory_bytes_max=900 * 2**20)
        )
        self.store = ClickHouseStore(
            self.engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20
        )
        if self._policies:
            self.store.sample_tails(read_tail_policies(self._policies.encode()))

    def close(self) -> None:
        """Close it."""
        self.store.close()

    def write(self, *spans: Span, at: float = 0, **origin: Any) -> None:
        """Store spans that arrived `at` seconds after the first second."""
        request = make_request(*spans, **origin)
        segment = write_segment_file(
            self._folder, request, segment_id=FIRST + round(at * SECOND) + 1
        )
        self.store.write_segment(segment)

    def decide(self, upto: float = 3600) -> tuple[int, int]:
        """Decide on what arrived until `upto`."""
        return self.store.decide_traces(FIRST + round(upto * SECOND))

    def left(self) -> dict[int, int]:
        """Return trace → spans that are still there."""
        reader = self.store.for_tenant(DEFAULT_TENANT)
        numbers = {trace_hex(number): number for number in range(1, 400)}
        columns = reader.get_traces([*numbers], raw=True, skeleton=False)
        return dict(Counter(numbers[trace] for trace in columns.trace_id))

    def found(self, key: str, value: str, *, operation: str = "") -> set[str]:
        """Return the traces that a search for a tag finds."""
        question = TraceQuestion(0, 2**63, operation=operation, tags=((key, value),))
        return {one.trace_id for one in self.store.for_tenant(DEFAULT_TENANT).find_traces(question)}

    def tags(self, trace: int) -> list[dict[str, Any]]:
        """Return the tags of each span of a trace."""
        reader = self.store.for_tenant(DEFAULT_TENANT)
        columns = reader.get_traces([trace_hex(trace)], raw=True, skeleton=False)
        return [
            {tag["key"]: tag["value"] for tag in orjson.loads(tags)} for tags in columns.tags_json
        ]


@pytest.fixture
def sampled(tmp_path: Path) -> Iterator[Any]:
    """Make stores; the last is closed."""
    made: list[Sampled] = []

    def make(policies: str | list[dict[str, Any]]) -> Sampled:
        text = policies if isinstance(policies, str) else yaml.safe_dump({"policies": policies})
        made.append(Sampled(tmp_path, text))
        return made[-1]

    yield make
    made[-1].close()


def _policy(kind: str, **settings: Any) -> dict[str, Any]:
    return {"name": kind, "type": kind, kind: settings}


LONG: Final = make_span(1, 1, duration_nano=5 * MILLI)
FAILED: Final = make_span(2, 1, status=2)
TAGGED: Final = make_span(
    3,
    1,
    attrs={"text": "green", "int": -500, "double": 0.5, "flag": True, "big": 2**62},
    trace_state="a=1, ot=th:8",
)
PAIR: Final = (make_span(4, 1), make_span(4, 2, 1, offset_nano=20 * MILLI))
PLAIN: Final = make_span(5, 1)
LONG_TEXT: Final = make_span(6, 1, attrs={"text": "x" * 200 + "needle" + "y" * 20_000})
ALL: Final = (LONG, FAILED, TAGGED, *PAIR, PLAIN, LONG_TEXT)


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        pytest.param(_policy("always_sample"), {1, 2, 3, 4, 5, 6}, id="always"),
        pytest.param(_policy("latency", threshold_ms=5), {1, 4}, id="long, as a whole"),
        pytest.param(
            _policy("latency", threshold_ms=5, upper_threshold_ms=20), {1}, id="not too long"
        ),
        pytest.param(_policy("status_code", status_codes=["ERROR"]), {2}, id="failed"),
        pytest.param(_policy("string_attribute", key="text", values=["green"]), {3}, id="text"),
        pytest.param(
            _policy("string_attribute", key="text", values=["ne+dle"], enabled_regex_matching=True),
            {6},
            id="expression in a long text",
        ),
        pytest.param(
            _policy("string_attribute", key="service.name", values=["shop"]),
            {1, 2, 3, 4, 5, 6},
            id="text of the resource",
        ),
        pytest.param(
            _policy("string_attribute", key="text", values=["green"], invert_match=True),
            {1, 2, 4, 5, 6},
            id="text, inverted",
        ),
        pytest.param(
            _policy("numeric_attribute", key="int", min_value=-500, max_value=-400),
            {3},
            id="negative number",
        ),
        pytest.param(
            _policy("numeric_attribute", key="big", min_value=2**62, max_value=2**62),
            {3},
            id="large number",
        ),
        pytest.param(
            _policy("numeric_attribute", key="int", min_value=-499, max_value=0),
            set(),
            id="number out of range",
        ),
        pytest.param(
            _policy("numeric_attribute", key="double", min_value=0, max_value=1), {3}, id="double"
        ),
        pytest.param(_policy("boolean_attribute", key="flag", value=True), {3}, id="truth value"),
        pytest.param(
            _policy("boolean_attribute", key="flag", value=False), set(), id="other truth value"
        ),
        pytest.param(_policy("trace_state", key="ot", values=["th:8"]), {3}, id="trace state"),
        pytest.param(_policy("span_count", min_spans=2), {4}, id="spans"),
        pytest.param(_policy("span_count", min_spans=1, max_spans=1), {1, 2, 3, 5, 6}, id="few"),
        pytest.param(_policy("probabilistic", sampling_percentage=0), set(), id="none by chance"),
        pytest.param(
            _policy(
                "and",
                and_sub_policy=[
                    _policy("span_count", min_spans=1),
                    _policy("latency", threshold_ms=5),
                    _policy("string_attribute", key="text", values=["green"], invert_match=True),
                ],
            ),
            {1, 4},
            id="and",
        ),
    ],
)
def test_a_policy_keeps(sampled: Any, policy: dict[str, Any], kept: set[int]) -> None:
    """Whole traces, and drops the others."""
    store: Sampled = sampled([policy])
    store.write(*ALL)

    assert store.decide() == (len(kept), 6 - len(kept))
    assert store.left() == {number: 2 if number == 4 else 1 for number in kept}


def test_policies_are_alternatives_but_a_veto_and_a_drop_are_final(sampled: Any) -> None:
    """As in the Collector: drop and a failed inverse beat every vote."""
    store: Sampled = sampled(
        [
            _policy("status_code", status_codes=["ERROR"]),
            _policy("latency", threshold_ms=5),
            _policy("string_attribute", key="text", values=["green"], invert_match=True),
            _policy("drop", drop_sub_policy=[_policy("span_count", min_spans=2)]),
        ]
    )
    store.write(*ALL)

    store.decide()

    assert set(store.left()) == {1, 2, 5, 6}


def test_only_what_is_old_enough_is_decided_and_as_a_whole(sampled: Any) -> None:
    """Spans of the trace that came with later segments count."""
    store: Sampled = sampled([_policy("status_code", status_codes=["ERROR"])])
    store.write(make_span(1, 1), make_span(2, 1), at=0)
    store.write(make_span(1, 2, 1, status=2), make_span(3, 1), at=5)

    assert store.decide(upto=2) == (1, 1)
    assert store.left() == {1: 2, 3: 1}
    assert store.decide(upto=10) == (0, 1)
    assert store.left() == {1: 2}


def test_late_spans_follow_the_decision(sampled: Any) -> None:
    """Kept if their trace was, even without a reason of their own; dropped if it was, with one."""
    store: Sampled = sampled([_policy("status_code", status_codes=["ERROR"])])
    store.write(make_span(1, 1, status=2), make_span(2, 1), at=0)
    store.decide(upto=2)
    store.write(make_span(1, 2, 1), make_span(2, 2, 1, status=2), at=60)

    assert store.decide() == (0, 0)
    assert store.left() == {1: 2}


def test_a_budget_is_for_each_second_and_gives_the_rate(sampled: Any) -> None:
    """Ten of twenty spans fit; the roots of what is kept say that each stands for two."""
    store: Sampled = sampled([_policy("rate_limiting", spans_per_second=10)])
    for second in (0, 1):
        numbers = range(20 * second + 1, 20 * second + 21)
        store.write(*(make_span(number, 1) for number in numbers), at=second)

    assert store.decide() == (20, 20)
    left = store.left()
    assert sum(number <= 20 for number in left) == 10
    (tags,) = store.tags(next(iter(left)))
    assert tags[RATE_TAG] == 0.5
    assert tags[POLICY_TAG] == "rate_limiting"


def test_chance_keeps_about_its_part_and_says_so(sampled: Any) -> None:
    """Errors are kept anyway, and stand for themselves."""
    store: Sampled = sampled(
        [
            _policy("status_code", status_codes=["ERROR"]),
            _policy("probabilistic", sampling_percentage=25, hash_salt="s"),
        ]
    )
    store.write(*(make_span(number, 1, status=2 * (number <= 20)) for number in range(1, 321)))

    kept, dropped = store.decide()

    assert kept + dropped == 320
    assert 20 + 40 <= kept <= 20 + 115
    left = store.left()
    assert set(range(1, 21)) <= set(left)
    (by_chance,) = store.tags(max(left))
    assert by_chance[RATE_TAG] == 0.25
    assert RATE_TAG not in store.tags(1)[0]


def _states(store: Sampled, first: int, last: int) -> dict[int, list[str]]:
    """Return the trace states of the spans that are left, by trace, as OTLP has them."""
    reader = store.store.for_tenant(DEFAULT_TENANT)
    numbers = {trace_hex(number): number for number in range(first, last)}
    data = TracesData.FromString(reader.get_otlp(list(numbers)))
    found: dict[int, list[str]] = {}
    for resource in data.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                found.setdefault(numbers[span.trace_id.hex()], []).append(span.trace_state)
    return found


def _threshold(state: str) -> tuple[dict[str, str], Fraction]:
    """Return what a trace state's `ot` says, and how many spans one stands for."""
    (entry,) = [one[3:] for one in state.split(",") if one.startswith("ot=")]
    said = dict(one.split(":", 1) for one in entry.split(";"))
    return said, Fraction(2**56, 2**56 - int(said["th"].ljust(14, "0"), 16))


def test_spans_kept_by_chance_say_what_they_stand_for(sampled: Any) -> None:
    """As OpenTelemetry writes it, times what they stood for before; late ones and after a start."""
    store: Sampled = sampled([_policy("probabilistic", sampling_percentage=25, hash_salt="s")])
    before = {
        0: "",
        1: "a=1,ot=p:8;th:8;x:y,b=2",
        2: "ot=rv:{};th:c",
        3: "ot=th:0",
        4: "b=2 , ot=rv:{}",
    }
    weights = {0: 1, 1: 2, 2: 4, 3: 1, 4: 1}
    random = Random(3)
    rv = {n: random.randrange(2**56 if n % 5 == 4 else 2**54) for n in range(1, 400)}
    rv |= {n: 2**56 - 1 - rv[n] for n in rv if n % 5 == 2}
    text = {n: before[n % 5].format(f"{rv[n]:014x}") for n in rv}
    store.write(*(make_span(n, 1, trace_state=text[n]) for n in rv))
    kept, _ = store.decide(upto=2)
    store.write(*(make_span(n, 2, 1, trace_state=text[n]) for n in rv), at=60)
    assert store.decide() == (0, 0)
    states = _states(store, 1, 400)

    assert len(states) == kept
    for number, (first, late) in states.items():
        said, weight = _threshold(first)
        assert first == late
        assert float(weight) == pytest.approx(4 * weights[number % 5], rel=1e-9)
        least = int(said["th"].ljust(14, "0"), 16)
        if number % 5 in (2, 4):  # randomness that all know: who has enough is kept, nobody else
            assert int(said["rv"], 16) == rv[number] >= least
        elif number % 5 != 1:
            assert int(said["rv"], 16) >= least
    threshold = 2**56 - 2**54 // 4
    wanted = {n for n in rv if n % 5 == 2 and rv[n] >= threshold}
    assert {n for n in states if n % 5 == 2} == wanted
    assert all(
        s[0].endswith(",a=1,b=2") and ";th:e;" not in s[0] for n, s in states.items() if n % 5 == 1
    )
    assert 55 <= kept <= 145


def test_how_a_trace_was_kept_is_found_as_it_is_shown(sampled: Any) -> None:
    """By policy and by rate, on the span that shows it, and on no other one."""
    store: Sampled = sampled([_policy("probabilistic", sampling_percentage=70, hash_salt="s")])
    for number in range(1, 31):
        rooted = number % 3 > 0  # of the others the first span shows it
        store.write(make_span(number, 1, 0 if rooted else 77, name="first"), at=number)
        store.write(make_span(number, 2, 1, name="second", offset_nano=MILLI), at=number + 0.5)
    store.decide()
    left = {trace_hex(number) for number in store.left()}
    assert len(left) > 10

    assert store.found(POLICY_TAG, "probabilistic") == left
    assert store.found(RATE_TAG, "0.7") == left
    assert store.found(POLICY_TAG, "probabilistic", operation="first") == left
    for number in store.left():
        first, second = store.tags(number)
        assert (first[RATE_TAG], RATE_TAG in second) == (0.7, False)
    rootless = {trace_hex(number) for number in store.left() if number % 3 == 0}
    assert store.found(RATE_TAG, "0.7", operation="second") <= rootless
    for key, value in [(POLICY_TAG, "other"), (RATE_TAG, "0.3"), (RATE_TAG, "no number")]:
        assert store.found(key, value) == set()


def test_a_composite_gives_each_trace_to_the_first_part_that_wants_it(sampled: Any) -> None:
    """What does not fit the share of its part is dropped, though another has room."""
    store: Sampled = sampled(
        [
            _policy(
                "composite",
                max_total_spans_per_second=100,
                policy_order=["failed", "rest"],
                composite_sub_policy=[
                    {**_policy("always_sample"), "name": "rest"},
                    {**_policy("status_code", status_codes=["ERROR"]), "name": "failed"},
                ],
                rate_allocation=[
                    {"policy": "failed", "percent": 5},
                    {"policy": "rest", "percent": 10},
                ],
            )
        ]
    )
    store.write(*(make_span(number, 1, status=2 * (number <= 10)) for number in range(1, 101)))

    assert store.decide() == (15, 85)
    left = store.left()
    assert sum(number <= 10 for number in left) == 5
    rates = {store.tags(number)[0][RATE_TAG] for number in left if number <= 10}
    assert rates == {0.5}


def test_red_and_dependencies_count_what_was_dropped(sampled: Any) -> None:
    """They are those of all traffic, before and after."""
    store: Sampled = sampled([_policy("probabilistic", sampling_percentage=0)])
    caller = make_resource_spans([make_span(7, 1, kind=3)], service="web")
    called = make_resource_spans([make_span(7, 2, 1, kind=2, status=2)], service="shop")
    request = make_request(service="none")
    request.resource_spans.extend([caller, called])
    store.store.write_segment(
        write_segment_file(store._folder, request, segment_id=FIRST + 1)  # noqa: SLF001
    )
    store.decide()

    reader = store.store.for_tenant(DEFAULT_TENANT)
    assert store.left() == {}
    red = reader.get_red(START - 10**12, START + 10**12, "")
    assert {(one.service, one.call_count, one.error_count) for one in red} == {
        ("web", 1, 0),
        ("shop", 1, 1),
    }
    links = reader.get_dependencies(START - 10**12, START + 10**12)
    assert [(link.parent, link.child, link.call_count) for link in links] == [("web", "shop", 1)]


@pytest.mark.parametrize("done", [2, 3, 4])
def test_a_crash_between_the_steps_is_made_good_by_the_next_start(sampled: Any, done: int) -> None:
    """What was decided is carried out, once, with the rates."""
    store: Sampled = sampled(
        [
            _policy("status_code", status_codes=["ERROR"]),
            _policy("rate_limiting", spans_per_second=2),
        ]
    )
    store.write(make_span(1, 1, status=2), make_span(2, 1), make_span(3, 1))
    store.store.catch_up()
    store.engine.commands_left = done
    with pytest.raises(KilledError):
        store.decide()
    store.close()
    store.open()

    left = store.left()
    assert set(left) == {1, 2}
    assert store.tags(2)[0][RATE_TAG] == pytest.approx(2 / 3, abs=1e-5)
    assert store.decide() == (0, 0)


@pytest.mark.parametrize("done", [1, 2, 3, 4])
def test_a_crash_loses_no_decision_on_late_spans(sampled: Any, done: int) -> None:
    """Earlier decisions are repeated for a window before its own: they hold after any step."""
    store: Sampled = sampled([_policy("status_code", status_codes=["ERROR"])])
    store.write(make_span(1, 1, status=2), make_span(2, 1), at=0)
    store.decide(upto=2)
    late = make_span(1, 2, 1), make_span(2, 2, 1, status=2)
    store.write(*late, make_span(3, 1), make_span(4, 1, status=2), at=60)
    store.store.catch_up()
    store.engine.commands_left = done
    with pytest.raises(KilledError):
        store.decide()
    store.close()
    store.open()

    store.decide()
    assert store.left() == {1: 2, 4: 1}


def test_what_was_stored_before_sampling_was_switched_on_stays(
    sampled: Any, tmp_path: Path
) -> None:
    """Nobody agreed to drop it."""
    before = Sampled(tmp_path, "")
    before.write(make_span(1, 1))
    before.close()
    store: Sampled = sampled([_policy("probabilistic", sampling_percentage=0)])
    store.write(make_span(2, 1), at=5)

    assert store.decide() == (0, 1)
    assert store.left() == {1: 1}


@pytest.mark.parametrize("restarts", [1, 3])
@pytest.mark.parametrize("tenant", [DEFAULT_TENANT, "new"])
def test_a_new_store_decides_what_came_before_its_first_decision(
    sampled: Any, restarts: int, tenant: str
) -> None:
    """Stopped before anything was decided, a start goes on where the store began."""
    store: Sampled = sampled([_policy("probabilistic", sampling_percentage=0)])
    for number in range(restarts):
        segment = write_segment_file(
            store._folder,  # noqa: SLF001
            make_request(make_span(number + 1, 1)),
            segment_id=FIRST + number + 1,
            tenant=tenant,
        )
        store.store.write_segment(segment)
        store.close()
        store.open()

    assert store.decide() == (0, restarts)
    reader = store.store.for_tenant(tenant)
    assert not len(reader.get_traces([trace_hex(1)], raw=True, skeleton=False))


def test_tenants_are_decided_apart(sampled: Any) -> None:
    """The same trace id in two tenants is two traces."""
    store: Sampled = sampled([_policy("status_code", status_codes=["ERROR"])])
    folder = store._folder  # noqa: SLF001
    for number, (tenant, status) in enumerate([("a", 2), ("b", 0)]):
        segment = write_segment_file(
            folder,
            make_request(make_span(1, 1, status=status)),
            segment_id=FIRST + number + 1,
            tenant=tenant,
        )
        store.store.write_segment(segment)

    assert store.decide() == (1, 1)
    for tenant, spans in (("a", 1), ("b", 0)):
        reader = store.store.for_tenant(tenant)
        assert len(reader.get_traces([trace_hex(1)], raw=True, skeleton=False)) == spans


def test_an_expression_the_engine_cannot_read_stops_the_start(tmp_path: Path) -> None:
    """With its policy's name."""
    with pytest.raises(StartupError, match=r"policy 'string_attribute': '\(' is no regular"):
        Sampled(
            tmp_path,
            yaml.safe_dump(
                {
                    "policies": [
                        _policy(
                            "string_attribute", key="k", values=["("], enabled_regex_matching=True
                        )
                    ]
                }
            ),
        )
