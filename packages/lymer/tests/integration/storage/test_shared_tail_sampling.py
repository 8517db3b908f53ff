"""Tail sampling by several collectors on a server, and on shards: a trace is decided once.

Whoever holds the lease decides. It may end after any of its statements; the next one goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from fakes.clickhouse_server import shards
from fakes.mortal_engine import KilledError, MortalEngine
from fakes.two_shards import open_sharded
from integration.storage.collectors import Collectors, drop_databases
from lymer.sampling.tail_file import read_tail_policies
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.contract import SpanReader
from lymer.tenancy import DEFAULT_TENANT
from make import START, make_request, make_span, trace_hex, write_segment_file

pytestmark = pytest.mark.timeout(600)

FIRST: Final = 1_795_365_821_000_000
SECOND: Final = 1_000_000


def policies(*some: dict[str, Any]) -> Any:
    """Return policies as a file has them."""
    return read_tail_policies(yaml.safe_dump({"policies": list(some)}).encode())


ERRORS: Final = {
    "name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]},
}  # fmt: skip
FOUR: Final = {
    "name": "four", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 4},
}  # fmt: skip
QUARTER: Final = {
    "name": "quarter", "type": "probabilistic",
    "probabilistic": {"sampling_percentage": 25, "hash_salt": "s"},
}  # fmt: skip


def left(reader: SpanReader, numbers: range) -> dict[int, list[str]]:
    """Return the traces that are left, with the trace states of their spans."""
    named = {trace_hex(one): one for one in numbers}
    data = TracesData.FromString(reader.get_otlp(list(named)))
    found: dict[int, list[str]] = {}
    for resource in data.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                found.setdefault(named[span.trace_id.hex()], []).append(span.trace_state)
    return found


def stands_for(state: str) -> float:
    """Return how many spans one with this trace state stands for."""
    if "th:" not in state:
        return 1.0
    text = state.split("th:")[1].split(";", maxsplit=1)[0].split(",", maxsplit=1)[0]
    return float(Fraction(2**56, 2**56 - int(text.ljust(14, "0"), 16)))


def test_whoever_decides_next_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    """After each statement: a trace is decided once, with its weight; late spans follow."""
    both = Collectors(tmp_path)
    for store in both.stores:
        store.sample_tails(policies(ERRORS, FOUR))

    def write(which: int, at: float, *spans: Span) -> None:
        segment = both.stores[which].next_segment_id(FIRST + round(at * SECOND) + 1)
        both.stores[which].write_segment(
            write_segment_file(tmp_path, make_request(*spans), segment_id=segment)
        )

    rounds = range(1, 9)
    for one in rounds:  # eight plain traces and one that failed, by both collectors
        traces = [100 * one + number for number in range(9)]
        for which in (0, 1):
            spans = [
                make_span(trace, 1 + which, which, status=2 * (trace % 100 == 8))
                for trace in traces
            ]
            write(which, 10 * one + 0.1 * which, *spans)
        if one > 1:  # late ones of the round before, by either
            write(one % 2, 10 * one + 0.2, *(make_span(trace - 100, 9, 1) for trace in traces))
        dies, goes_on = one % 2, 1 - one % 2
        both.count(dies)
        both.engines[dies].commands_left = one
        try:
            both.stores[dies].decide_traces(FIRST + (10 * one + 5) * SECOND)
        except KilledError:
            both.engines[dies].commands_left = None
        both.count(goes_on)
        both.stores[goes_on].decide_traces(FIRST + (10 * one + 5) * SECOND)
        both.engines[dies].commands_left = None
    reader = both.stores[0].for_tenant(DEFAULT_TENANT)
    found = left(reader, range(100, 1000))
    for one in rounds:
        kept = {trace: states for trace, states in found.items() if trace // 100 == one}
        assert set(kept) >= {100 * one + 8}
        assert len(kept) in (2, 3), "two traces of two spans have room in a second"
        for trace, states in kept.items():
            assert len(states) == (2 if one == rounds[-1] else 3), (trace, states)
            weights = [stands_for(state) for state in states]
            expected = 1 if trace % 100 == 8 else 18 / 4  # spans of the second, and its budget
            assert weights == [pytest.approx(expected, rel=1e-6)] * len(states)
    both.count(0)
    red = reader.get_red(START - 10**12, START + 10**12, "")
    assert sum(one.call_count for one in red) == 8 * 18 + 7 * 9, "what was dropped was counted"
    both.close()


@pytest.fixture
def sharded(tmp_path: Path) -> Iterator[Any]:
    """Return what opens the store on two shards, with engines that may be killed."""
    opened = []

    def reopen() -> Any:
        for store in opened:
            for shard in store._shards:  # noqa: SLF001
                shard.engine.commands_left = None
            store.close()
        opened[:] = [open_sharded(shards().urls, tmp_path, MortalEngine)]
        return opened[0]

    for url in shards().urls:
        drop_databases(url)
    yield reopen
    opened[0].close()


def test_shards_decide_as_one_store(sharded: Any, tmp_path: Path) -> None:
    """A trace lies on one: chance, failures, weights and late spans are as without shards."""
    rules = policies(ERRORS, QUARTER)
    batches = [
        (0, [make_span(n, 1, status=2 * (n % 20 == 0)) for n in range(1, 161)]),
        (5, [make_span(n, 2, 1, trace_state="ot=th:8") for n in range(1, 161)]),
        (60, [make_span(n, 3, 1) for n in range(1, 161)]),
    ]
    engine = ChdbEngine(tmp_path / "single", memory_bytes_max=900 * 2**20)
    single = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    single.sample_tails(rules)
    many = sharded()
    many.sample_tails(rules)
    for at, spans in batches:
        for number, store in enumerate((single, many)):
            segment = write_segment_file(
                tmp_path, make_request(*spans), segment_id=FIRST + at * SECOND + 1 + number
            )
            store.write_segment(segment)
        upto = FIRST + (at + 3) * SECOND
        if at != 5:  # the second half of each trace is there when it is decided
            counts = single.decide_traces(upto)
            if at == 60:  # a collector that ends in the middle, on either shard, goes on
                for which, statements in ((0, 2), (1, 3)):
                    many.catch_up()
                    many._shards[which].engine.commands_left = statements  # noqa: SLF001
                    with pytest.raises(KilledError):
                        many.decide_traces(upto)
                    many = sharded()
                    many.sample_tails(rules)
                many.decide_traces(upto)
            else:
                assert many.decide_traces(upto) == counts
    numbers = range(1, 161)
    expected = left(single.for_tenant(DEFAULT_TENANT), numbers)
    found = left(many.for_tenant(DEFAULT_TENANT), numbers)
    single.close()
    assert {n: sorted(states) for n, states in found.items()} == {
        n: sorted(states) for n, states in expected.items()
    }
    assert 20 < len(found) < 80
    on = [
        {*left(shard.for_tenant(DEFAULT_TENANT), numbers)}
        for shard in many._shards  # noqa: SLF001
    ]
    assert min(map(len, on)) > 5
    assert not on[0] & on[1]
