"""What every `SamplingStore` must do: throughput of roots, and rates that are kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from fakes.memory_store.segment import decode_segment
from fakes.memory_store.span import to_stored_spans
from fakes.memory_store.throughput import MemorySampling
from lymer import clock
from lymer.model.segment import SealedSegment
from lymer.model.throughput import OperationRate, Throughput
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.sampling_contract import OPERATIONS_PER_SERVICE_MAX, SamplingStore
from lymer.tenancy import DEFAULT_TENANT
from make import Plain, make_request, make_span, write_segment_file

SECOND = clock.unix_nano() // 10**9 - 100
"""Of today: throughput of the day before yesterday is forgotten."""
IDS = itertools.count(1)


class Subject(Protocol):
    """A store under test that takes segments."""

    sampling: SamplingStore

    def write(self, folder: Path, segment_id: int, tenant: str, *spans: Span) -> None:
        """Store spans of service `s`."""

    def close(self) -> None:
        """Release it."""


def _segment(folder: Path, segment_id: int, tenant: str, spans: tuple[Span, ...]) -> SealedSegment:
    request = make_request(*spans, service="s")
    return write_segment_file(folder, request, segment_id=segment_id, tenant=tenant)


class _Memory:
    def __init__(self, folder: Path) -> None:
        self.sampling = self._sampling = MemorySampling()

    def write(self, folder: Path, segment_id: int, tenant: str, *spans: Span) -> None:
        segment = _segment(folder, segment_id, tenant, spans)
        for request in decode_segment(segment.path.read_bytes()):
            self._sampling.add(segment_id, to_stored_spans(request))

    def close(self) -> None:
        pass


class _ClickHouse:
    def __init__(self, folder: Path) -> None:
        engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
        self.store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
        self.sampling = self.store.count_throughput()

    def write(self, folder: Path, segment_id: int, tenant: str, *spans: Span) -> None:
        self.store.write_segment(_segment(folder, segment_id, tenant, spans))

    def close(self) -> None:
        self.store.close()


STORES = {"memory": _Memory, "clickhouse": _ClickHouse}


@pytest.fixture(params=list(STORES))
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """Yield an empty store."""
    made = STORES[request.param](tmp_path)
    yield made
    made.close()


def root(name: str = "op", *, trace_state: str = "", **tags: Plain) -> Span:
    """Return a root span; tags are named with underscores for dots."""
    number = next(IDS)
    attrs = [(key.replace("_", "."), value) for key, value in tags.items()]
    return make_span(number, number, name=name, trace_state=trace_state, attrs=attrs)


def sampled(kind: str, param: Plain, name: str = "op") -> Span:
    """Return a root as Jaeger's clients send it."""
    return root(name, sampler_type=kind, sampler_param=param)


def one(subject: Subject, folder: Path, *spans: Span) -> list[Throughput]:
    """Store spans and return the throughput of their second."""
    subject.write(folder, SECOND * 1_000_000 + 5, DEFAULT_TENANT, *spans)
    return subject.sampling.get_throughput(SECOND - 1, SECOND)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        pytest.param(
            lambda: sampled("probabilistic", 0.25),
            Throughput("s", "op", 1, frozenset({0.25})),
            id="probabilistic",
        ),
        pytest.param(
            lambda: sampled("lowerbound", 0.25),
            Throughput("s", "op", 0, frozenset({0.25})),
            id="lowerbound is known and not counted",
        ),
        pytest.param(
            lambda: sampled("ratelimiting", 5.0),
            Throughput("s", "op", 0, frozenset({5.0})),
            id="ratelimiting",
        ),
        pytest.param(
            lambda: sampled("const", 1),
            Throughput("s", "op", 0, frozenset({1.0})),
            id="const with a whole number",
        ),
        pytest.param(
            lambda: sampled("probabilistic", "0.1234567"),
            Throughput("s", "op", 1, frozenset({0.123457})),
            id="a text, six decimals",
        ),
        pytest.param(
            lambda: root(sampler_type="const", sampler_param=True),
            None,
            id="a truth value",
        ),
        pytest.param(lambda: sampled("probabilistic", "often"), None, id="no number"),
        pytest.param(lambda: sampled("remote", 0.5), None, id="unknown sampler"),
        pytest.param(lambda: root(sampler_type="probabilistic"), None, id="no param"),
        pytest.param(
            lambda: root(jaeger_sampler_type="probabilistic", jaeger_sampler_param=0.5),
            Throughput("s", "op", 1, frozenset({0.5})),
            id="OpenTelemetry Go",
        ),
        pytest.param(root, Throughput("s", "op", 1, unmarked=True), id="says nothing"),
        pytest.param(
            lambda: root(trace_state="ot=th:c"),
            Throughput("s", "op", 1, thresholds=frozenset({0.25})),
            id="threshold",
        ),
        pytest.param(
            lambda: root(trace_state="a=b, ot=rv:abcdefabcdefab;th:0;x:y ,c=d"),
            Throughput("s", "op", 1, thresholds=frozenset({1.0})),
            id="threshold among others",
        ),
        pytest.param(
            lambda: root(trace_state="ot=th:ffffffffffffff"),
            Throughput("s", "op", 1, thresholds=frozenset({0.0})),
            id="the least probability",
        ),
        pytest.param(
            lambda: root(trace_state="ot=th:xyz,other=th:8,rot=th:8"),
            Throughput("s", "op", 1, unmarked=True),
            id="no threshold",
        ),
        pytest.param(
            lambda: root(trace_state="ot=th:8", sampler_type="probabilistic", sampler_param=0.1),
            Throughput("s", "op", 1, frozenset({0.1})),
            id="tags come first",
        ),
    ],
)
def test_a_root_says_how_it_was_sampled(
    subject: Subject, tmp_path: Path, span: Callable[[], Span], expected: Throughput | None
) -> None:
    """Or not; what names a sampler and no probability is left out."""
    assert ([] if expected is None else [expected]) == one(subject, tmp_path, span())


def test_roots_are_summed_by_operation(subject: Subject, tmp_path: Path) -> None:
    """Children are none, and kinds of marks mix."""
    child = root("child")
    child.parent_span_id = b"12345678"

    found = one(
        subject, tmp_path, root("b"), root("b"), sampled("probabilistic", 0.5, "b"),
        sampled("lowerbound", 0.25, "b"), root("b", trace_state="ot=th:8"), root("a"), child,
    )  # fmt: skip

    assert [
        Throughput("s", "a", 1, unmarked=True),
        Throughput("s", "b", 4, frozenset({0.5, 0.25}), frozenset({0.5}), unmarked=True),
    ] == found


def test_time_is_when_they_arrived(subject: Subject, tmp_path: Path) -> None:
    """After one second, up to and with another; whenever the spans started."""
    for offset in (0, 1, 2, 3):
        spans = [root() for _ in range(10**offset)]
        subject.write(tmp_path, (SECOND + offset) * 1_000_000 + 999_999, DEFAULT_TENANT, *spans)

    found = subject.sampling.get_throughput(SECOND, SECOND + 2)

    assert [Throughput("s", "op", 110, unmarked=True)] == found
    assert [] == subject.sampling.get_throughput(SECOND + 3, SECOND + 100)


def test_tenants_count_together(subject: Subject, tmp_path: Path) -> None:
    """Clients that ask for a strategy do not say whose they are."""
    for number, tenant in enumerate((DEFAULT_TENANT, "acme", "umbrella")):
        subject.write(tmp_path, SECOND * 1_000_000 + number, tenant, root())

    found = subject.sampling.get_throughput(SECOND - 1, SECOND)

    assert [Throughput("s", "op", 3, unmarked=True)] == found


def test_rates_are_kept(subject: Subject) -> None:
    """The last ones, whatever the names are; nothing is something."""
    assert [] == subject.sampling.get_rates()
    subject.sampling.put_rates([OperationRate("s", "gone", 0.5, 1.0)])
    rates = [
        OperationRate("s", 'GET /it\'s \\ "한국어"\n\t\0', 1e-5, 1234.5),
        OperationRate("a", "", 1.0, 0.0),
    ]
    subject.sampling.put_rates(rates)

    assert sorted(rates, key=lambda rate: rate.service) == subject.sampling.get_rates()

    subject.sampling.put_rates([])

    assert [] == subject.sampling.get_rates()


def test_throughput_and_rates_survive(tmp_path: Path) -> None:
    """A restart counts nothing twice and forgets nothing."""
    first = _ClickHouse(tmp_path)
    first.write(tmp_path, SECOND * 1_000_000, DEFAULT_TENANT, root())
    expected = first.sampling.get_throughput(SECOND - 1, SECOND)
    first.sampling.put_rates([OperationRate("s", "op", 0.5, 2.0)])
    first.close()
    second = _ClickHouse(tmp_path)

    assert expected == second.sampling.get_throughput(SECOND - 1, SECOND)
    assert [OperationRate("s", "op", 0.5, 2.0)] == second.sampling.get_rates()
    second.close()


def test_too_many_operations_are_cut(tmp_path: Path) -> None:
    """The busiest stay."""
    subject = _ClickHouse(tmp_path)
    names = [f"GET /{number}" for number in range(OPERATIONS_PER_SERVICE_MAX)]
    subject.write(
        tmp_path, SECOND * 1_000_000, DEFAULT_TENANT, root("z"), *(root(name) for name in names * 2)
    )

    found = subject.sampling.get_throughput(SECOND - 1, SECOND)

    assert sorted(names) == [each.operation for each in found]
    subject.close()
