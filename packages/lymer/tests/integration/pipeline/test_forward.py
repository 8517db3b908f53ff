"""From an agent's journal to real gRPC servers that fail in ordered ways."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fakes.fake_collector import FakeCollector, accept_and_die, answer_with, hang
from integration.pipeline.agent_bench import body_of, running_agent, span_ids
from integration.receivers.doors import eventually
from lymer.clock import monotonic_seconds
from lymer.journal.journal import Journal
from lymer.journal.segments import WrittenSegment
from lymer.wire.jaeger_proto import request_from_post_spans

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


async def test_a_span_is_sent_at_once_and_its_segment_removed(tmp_path: Path) -> None:
    """Not when the segment is sealed: that may take minutes."""
    async with FakeCollector().serving() as collector:
        async with running_agent(
            tmp_path, [collector.port], segment_age_seconds_max=3600, flush_seconds=10
        ) as agent:
            for number in range(1, 4):
                started = monotonic_seconds()
                await agent.put(number)
                await eventually(lambda: len(collector.taken) == number)  # noqa: B023
                assert monotonic_seconds() - started < 1.0

            assert collector.spans() == span_ids(1, 2, 3)
        assert list((tmp_path / "journal").iterdir()) == []


async def test_names_are_the_segment_and_the_place_in_it(tmp_path: Path) -> None:
    """And everything before the segments under way is said to be settled."""
    async with FakeCollector().serving() as collector:
        async with running_agent(tmp_path, [collector.port]) as agent:
            await agent.put(1)
            await agent.put(2)
            await agent.sent()
            await agent.put(3)
            await agent.sent()

        names = [name.split("/") for name in collector.taken]
        assert len({agent for agent, _ in names}) == 1
        numbers = sorted(tuple(map(int, rest.split("."))) for _, rest in names)
        first, second = numbers[0][0], numbers[2][0]
        assert first < second
        assert [(first, 0, 1), (first, 1, 1), (second, 0, 1)] == numbers
        assert [first - 1, first - 1, second - 1] == collector.settled


class _HeldBack:
    """A journal that gives out the segments of tenant `a` only when it is told to."""

    def __init__(self, journal: Journal[str]) -> None:
        self._journal = journal
        self.is_open = threading.Event()
        self._held: list[WrittenSegment] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._journal, name)

    def take_written(
        self, seen: Mapping[int, int], timeout_seconds: float
    ) -> WrittenSegment | None:
        """Return what is new, or None."""
        if self.is_open.is_set() and self._held:
            return self._held.pop()
        held = {one.segment.segment_id: one.segment.byte_count for one in self._held}
        written = self._journal.take_written({**seen, **held}, timeout_seconds)
        if written is None or written.segment.tenant != "a":
            return written
        self._held = [written]  # says all that an earlier one said
        return None


async def test_an_older_segment_of_another_tenant_is_not_said_to_be_settled(
    tmp_path: Path,
) -> None:
    """Segments of tenants come in any order; a collector drops what it was told is settled."""
    held: list[_HeldBack] = []

    def hold_back(journal: Journal[str]) -> Journal[str]:
        held.append(_HeldBack(journal))
        return held[0]  # type: ignore[return-value]

    async with (
        FakeCollector().serving() as collector,
        running_agent(tmp_path, [collector.port], source=hold_back) as agent,
    ):
        await agent.put(1, tenant="a")
        older = agent.journal.oldest_segment_id()
        assert older is not None
        await agent.put(2, tenant="b")
        await eventually(lambda: collector.spans() == span_ids(2))
        assert max(collector.settled) < older
        held[0].is_open.set()
        await agent.sent()

        assert collector.spans() == span_ids(1, 2)


async def test_a_collector_that_is_away_loses_nothing(tmp_path: Path) -> None:
    """Before it was ever there, and after it went; senders are not held up."""
    async with FakeCollector().serving() as collector:
        port = collector.port
        await collector.stop()
        async with running_agent(tmp_path, [port]) as agent:
            for number in range(1, 51):
                await agent.put(number)
            await asyncio.sleep(0.3)
            assert "UNAVAILABLE" in agent.forwarder.problem
            assert agent.count("lymer_forward_collectors_working") == 0
            await collector.start(port)
            await agent.sent()
            assert agent.forwarder.problem == ""
            await collector.stop()
            for number in range(51, 101):
                await agent.put(number)
            await collector.start(port)
            await agent.sent()
            assert agent.count("lymer_forward_spans_total") == 100
            assert agent.count("jaeger_agent_connection_status_collector_connected") == 1

        assert collector.spans() == span_ids(*range(1, 101))


async def test_what_a_former_run_left_is_sent_under_its_names(tmp_path: Path) -> None:
    """So a collector that has some of it already drops that; and the new run has a new name."""
    async with FakeCollector().serving() as collector:
        collector.always = accept_and_die()
        async with running_agent(
            tmp_path, [collector.port], segment_age_seconds_max=3600, flush_seconds=0.1
        ) as agent:
            for number in range(1, 21):
                await agent.put(number)
            await eventually(lambda: len(collector.taken) >= 8)
        before = set(collector.taken)
        assert before

        collector.always = None
        async with running_agent(tmp_path, [collector.port]) as agent:
            await agent.put(21)
            await agent.sent()

        assert collector.spans() == span_ids(*range(1, 22))
        assert before < set(collector.taken)
        assert len({name.partition("/")[0] for name in collector.taken}) == 2


@pytest.mark.parametrize(
    "act",
    [
        answer_with(UNAVAILABLE),
        answer_with(grpc.StatusCode.RESOURCE_EXHAUSTED),
        answer_with(grpc.StatusCode.DEADLINE_EXCEEDED),
        answer_with(grpc.StatusCode.ABORTED),
        answer_with(grpc.StatusCode.INTERNAL),
        answer_with(grpc.StatusCode.UNAUTHENTICATED),
        answer_with(grpc.StatusCode.UNIMPLEMENTED),
        accept_and_die(),
        hang(1.0),
    ],
    ids=[
        "unavailable", "full", "late", "aborted", "internal", "who are you", "no such method",
        "dies after accepting", "slow",
    ],
)  # fmt: skip
async def test_what_may_succeed_later_is_repeated(tmp_path: Path, act: object) -> None:
    """Under the same name each time, and nothing is quarantined."""
    async with FakeCollector().serving() as collector:
        collector.acts = [act] * 6  # type: ignore[list-item]
        async with running_agent(tmp_path, [collector.port], request_seconds_max=0.5) as agent:
            await agent.put(1)
            await agent.put(2)
            await agent.sent()
            assert agent.count("lymer_forward_requests_total", outcome="repeat") >= 6
            assert agent.count("lymer_forward_quarantined_requests_total") == 0

        assert collector.spans() == span_ids(1, 2)
        assert len(collector.arrivals) == 2


async def test_a_pause_that_is_asked_for_is_kept(tmp_path: Path) -> None:
    """RetryInfo wins over our own, shorter pauses."""
    async with FakeCollector().serving() as collector:
        collector.acts = [answer_with(UNAVAILABLE, retry_after_seconds=0.7)]
        async with running_agent(tmp_path, [collector.port]) as agent:
            started = monotonic_seconds()
            await agent.put(1)
            await agent.sent()

            assert monotonic_seconds() - started > 0.65
            assert collector.spans() == span_ids(1)


async def test_poison_is_found_and_set_aside_and_blocks_nothing(tmp_path: Path) -> None:
    """A refused request is sent in halves until the span to blame is alone."""
    async with FakeCollector().serving() as collector:
        bad = span_ids(5)[0]

        async def refuse_bad(_: FakeCollector, body: bytes, name: str, context: object) -> bool:
            if bad in body:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad span")  # type: ignore[attr-defined]
            return True

        collector.always = refuse_bad
        async with running_agent(tmp_path, [collector.port]) as agent:
            await agent.put(*range(1, 9))
            await agent.put(9)
            await agent.sent()
            assert agent.count("lymer_forward_quarantined_requests_total") == 1

        assert collector.spans() == span_ids(*(n for n in range(1, 10) if n != 5))
        (kept,) = (tmp_path / "quarantine").glob("*.otlp")
        assert body_of(5) == kept.read_bytes()


async def test_a_request_that_only_ever_fails_is_poison_if_others_succeed(tmp_path: Path) -> None:
    """INTERNAL for one request and OK for its neighbours is the request's fault."""
    async with FakeCollector().serving() as collector:
        bad = span_ids(77)[0]

        async def crash_on_bad(_: FakeCollector, body: bytes, name: str, context: object) -> bool:
            if bad in body:
                await context.abort(grpc.StatusCode.INTERNAL, "boom")  # type: ignore[attr-defined]
            return True

        collector.always = crash_on_bad
        async with running_agent(tmp_path, [collector.port]) as agent:
            await agent.put(77)
            for number in range(2, 40):
                await agent.put(number)
                await asyncio.sleep(0.05)
            await agent.sent()

        assert collector.spans() == span_ids(*range(2, 40))
        assert len(list((tmp_path / "quarantine").glob("*.otlp"))) == 1


@pytest.mark.parametrize("known", [True, False], ids=["by our limit", "by the collector's"])
async def test_what_is_too_large_is_sent_in_parts(tmp_path: Path, *, known: bool) -> None:
    """Each part has a name of its own, the same one every time."""
    async with FakeCollector(message_bytes_max=1_000).serving() as collector:
        limit = 1_000 if known else 2**22
        async with running_agent(tmp_path, [collector.port], message_bytes_max=limit) as agent:
            await agent.put(*range(1, 101))
            await agent.put(101)
            await agent.sent()
            assert agent.count("lymer_forward_quarantined_requests_total") == 0

        assert collector.spans() == span_ids(*range(1, 102))
        parts = sorted(int(name.rpartition(".")[2]) for name in collector.taken)
        assert len(parts) > 4
        assert all(arrivals == 1 for arrivals in collector.arrivals.values())


async def test_requests_in_flight_are_bounded(tmp_path: Path) -> None:
    """A slow collector gets no more at once than the limit, and gets all of it."""
    async with FakeCollector(always=hang(0.05)).serving() as collector:
        async with running_agent(
            tmp_path,
            [collector.port],
            requests_in_flight_max=3,
            segment_age_seconds_max=3600,  # one segment: the limit is for each
            flush_seconds=20,
        ) as agent:
            for number in range(1, 31):
                await agent.put(number)

        assert collector.in_flight_most == 3
        assert collector.spans() == span_ids(*range(1, 31))


async def test_jaegers_protocol_carries_the_same_spans(tmp_path: Path) -> None:
    """What arrives is a `PostSpansRequest`."""
    async with FakeCollector().serving() as collector:
        async with running_agent(tmp_path, [collector.port], protocol="jaeger") as agent:
            await agent.put(1, 2)
            await agent.sent()

        (body,) = collector.taken.values()
        sent = ExportTraceServiceRequest.FromString(request_from_post_spans(body).body)
        (spans,) = sent.resource_spans[0].scope_spans
        assert [span.span_id for span in spans.spans] == span_ids(1, 2)


async def test_segments_go_to_collectors_in_turn(tmp_path: Path) -> None:
    """Each segment to one of them, whole."""
    async with FakeCollector().serving() as first, FakeCollector().serving() as second:
        async with running_agent(tmp_path, [first.port, second.port]) as agent:
            for number in range(1, 9):
                await agent.put(number)
                await agent.sent()

        assert len(first.taken) == len(second.taken) == 4
        assert sorted(first.spans() + second.spans()) == span_ids(*range(1, 9))


async def test_a_collector_that_is_down_is_passed_over_at_once(tmp_path: Path) -> None:
    """Nothing was sent there, so nothing can be stored twice by going elsewhere."""
    async with FakeCollector().serving() as first, FakeCollector().serving() as second:
        await first.stop()
        async with running_agent(tmp_path, [first.port, second.port]) as agent:
            started = monotonic_seconds()
            for number in range(1, 9):
                await agent.put(number)
                await agent.sent()
            assert monotonic_seconds() - started < 10

        assert second.spans() == span_ids(*range(1, 9))


async def test_what_one_collector_may_have_does_not_go_to_another(tmp_path: Path) -> None:
    """Until the collector has been away for as long as is allowed; then it is not lost either."""
    async with FakeCollector().serving() as first, FakeCollector().serving() as second:
        for collector in (first, second):
            collector.acts = [accept_and_die()] * 10_000
        async with running_agent(
            tmp_path, [first.port, second.port], move_seconds=1.0, flush_seconds=0.1
        ) as agent:
            await agent.put(1)
            await asyncio.sleep(0.5)
            assert len(first.taken) + len(second.taken) == 1

            await asyncio.sleep(1.5)
            assert len(first.taken) == len(second.taken) == 1
            assert agent.count("lymer_forward_moved_segments_total") >= 1


async def test_a_restart_does_not_change_the_collector(tmp_path: Path) -> None:
    """Which collector a segment goes to is written beside it before anything is sent."""
    async with FakeCollector().serving() as first, FakeCollector().serving() as second:
        for collector in (first, second):
            collector.always = accept_and_die()
        for restart in range(4):
            async with running_agent(
                tmp_path,
                [first.port, second.port],
                flush_seconds=0.1,
                segment_age_seconds_max=3600,
            ) as agent:
                if restart == 0:
                    await agent.put(1)
                await asyncio.sleep(0.3)

        assert len(first.taken) + len(second.taken) == 1
        first.always = second.always = None
        async with running_agent(tmp_path, [first.port, second.port]) as agent:
            await agent.sent()
            assert agent.files() == []
        assert len(first.taken) + len(second.taken) == 1
