"""Jaeger's UDP doors on real sockets: what is taken, what is lost, and that it is counted."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import pytest

from fakes import jaeger_batch as jaeger
from fakes.durable_log import FakeDurableLog
from fakes.jaeger_batch import Batch, thrift_message
from fakes.recorded_wire import recorded
from integration.receivers.doors import eventually
from lymer.clock import monotonic_seconds
from lymer.errors import OverloadedError
from lymer.receivers.intake import Intake
from lymer.receivers.jaeger_udp import JaegerUdpReceiver
from lymer.telemetry.metrics import Metrics
from lymer.wire.thrift import Protocol

ONE = thrift_message(Batch("svc", [jaeger.Span()]), Protocol.COMPACT)


@dataclass(slots=True)
class Door:
    """What a test holds on to."""

    log: FakeDurableLog
    metrics: Metrics
    sender: socket.socket
    transport: str
    receiver: JaegerUdpReceiver

    def spans(self) -> int:
        """Return how many spans are in the journal."""
        return sum(count for _, count in self.log.requests)

    def refused(self, reason: str) -> float:
        """Return how many datagrams, or groups of them, were counted as lost."""
        labels = {"receiver": "jaeger", "transport": self.transport, "reason": reason}
        name = "lymer_receiver_refused_requests_total"
        return self.metrics.registry.get_sample_value(name, labels) or 0

    def counted(self, name: str) -> float:
        """Return a counter of spans."""
        labels = {"receiver": "jaeger", "transport": self.transport}
        return self.metrics.registry.get_sample_value(name, labels) or 0


@asynccontextmanager
async def door(
    protocol: Literal["compact", "binary"] = "compact", address: str = "127.0.0.1"
) -> AsyncIterator[Door]:
    """Receive; the sender is connected."""
    metrics = Metrics("test")
    intake = Intake(asyncio.get_running_loop(), metrics)
    log = FakeDurableLog(intake)
    intake.open(log)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    bound.bind((address, 0))
    receiver = JaegerUdpReceiver(intake, protocol=protocol)
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.connect(bound.getsockname())
        await receiver.start([bound])
        yield Door(log, metrics, sender, f"udp_{protocol}", receiver)
        await receiver.stop()
        assert bound.fileno() == -1


@pytest.mark.parametrize(
    ("protocol", "client", "name"),
    [
        ("compact", "py-jaeger-client-const", "001-udp6831.bin"),
        ("binary", "js-jaeger-client-udp", "001-udp6832.bin"),
    ],
)
async def test_what_real_clients_sent_is_journaled(
    protocol: Literal["compact", "binary"], client: str, name: str
) -> None:
    """Three spans each."""
    body = recorded(client, name)
    async with door(protocol) as udp:
        udp.sender.send(body)
        await eventually(lambda: udp.spans() == 3)
        await eventually(lambda: udp.counted("otelcol_receiver_accepted_spans_total") == 3)


async def test_datagrams_that_wait_are_one_request() -> None:
    """The journal is asked once for all of them."""
    async with door() as udp:
        for _ in range(50):
            udp.sender.send(ONE)
        await eventually(lambda: udp.spans() == 50)
        assert len(udp.log.requests) < 5


async def test_malformed_datagrams_are_counted_and_stop_nothing() -> None:
    """Empty, cut, of the other protocol, of another method."""
    malformed = [
        b"",
        ONE[:-1],
        b"\x00" * 100,
        thrift_message(Batch("svc", [jaeger.Span()]), Protocol.BINARY),
        ONE.replace(b"emitBatch", b"emitBotch"),
    ]
    async with door() as udp:
        for datagram in malformed:
            udp.sender.send(datagram)
            udp.sender.send(ONE)
        await eventually(lambda: udp.spans() == len(malformed))
        assert udp.refused("undecodable") == len(malformed)


async def test_a_datagram_over_the_limit_is_counted_and_dropped() -> None:
    """65,000 bytes are taken, more is not."""
    span = jaeger.Span(tags=[("k", "v" * 60_000)])
    body = thrift_message(Batch("svc", [span]), Protocol.COMPACT)
    async with door() as udp:
        udp.sender.send(body + bytes(65_000 - len(body)))
        udp.sender.send(body + bytes(65_001 - len(body)))
        udp.sender.send(ONE)
        await eventually(lambda: udp.spans() == 2)
        assert udp.refused("too_large") == 1


async def test_what_cannot_be_made_durable_is_counted_as_lost() -> None:
    """Nobody is there to try again."""
    async with door() as udp:
        udp.log.refusal = OverloadedError("the journal is full")
        udp.sender.send(ONE)
        await eventually(lambda: udp.refused("overloaded") == 1)
        assert udp.counted("otelcol_receiver_refused_spans_total") == 1
        udp.log.refusal = None
        udp.sender.send(ONE)
        await eventually(lambda: udp.spans() == 1)


async def test_what_waits_for_the_journal_is_bounded() -> None:
    """A journal that hangs costs 32 MiB, then datagrams are dropped and counted."""
    span = jaeger.Span(tags=[("k", "v" * 60_000)])
    body = thrift_message(Batch("svc", [span]), Protocol.COMPACT)
    async with door() as udp:
        udp.log.hold()
        for sent in range(700):
            udp.sender.send(body)
            if sent % 2:
                await asyncio.sleep(0)
        await eventually(lambda: udp.refused("overloaded") > 0)
        await eventually(lambda: udp.spans() + udp.refused("overloaded") == 700)
        assert 32 * 2**20 * 0.98 < udp.spans() * len(body) < 32 * 2**20
        udp.log.release()
        await asyncio.sleep(0)
        udp.sender.send(body)
        await eventually(lambda: udp.spans() + udp.refused("overloaded") == 701)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a socket dropped")
async def test_what_the_system_drops_is_counted() -> None:
    """A burst larger than the socket's buffer, while the loop is busy."""
    async with door() as udp:
        # Root gets the 8 MiB that were asked for, others what the system allows.
        for _ in range(60_000):
            udp.sender.send(ONE)  # the loop does not run meanwhile
        await eventually(lambda: 0 < udp.spans() < 60_000)
        sent = 60_000

        def told() -> bool:
            # What was dropped is told with the next datagram, which may be dropped itself.
            nonlocal sent
            if udp.spans() + udp.refused("overloaded") == sent:
                return True
            udp.sender.send(ONE)
            sent += 1
            return False

        await eventually(told)
        assert udp.refused("overloaded") > 0


async def test_stopping_takes_what_has_arrived() -> None:
    """Sent before the end is received."""
    async with door() as udp:
        for _ in range(100):
            udp.sender.send(ONE)
    assert udp.spans() == 100
    assert udp.counted("otelcol_receiver_accepted_spans_total") == 100


async def test_ipv6() -> None:
    """Where there is one."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    async with door(address="::1") as udp:
        udp.sender.send(ONE)
        await eventually(lambda: udp.spans() == 1)


async def test_nothing_is_lost_at_ten_thousand_spans_a_second() -> None:
    """One span a datagram, ten tags, for a second, from a thread that keeps the pace.

    Three attempts: on a machine that is busy with others, 15 ms without a turn fill a buffer.
    """
    tags: list[tuple[str, object]] = [(f"key.{number}", f"value {number}") for number in range(10)]
    body = thrift_message(Batch("svc", [jaeger.Span(tags=tags)]), Protocol.COMPACT)

    def send(sender: socket.socket) -> None:
        started = monotonic_seconds()
        for number in range(100):
            for _ in range(100):
                sender.send(body)
            time.sleep(max(0.0, started + (number + 1) * 0.01 - monotonic_seconds()))

    arrived = 0
    for _ in range(3):
        async with door() as udp:
            await asyncio.to_thread(send, udp.sender)
        arrived = udp.spans()
        if arrived == 10_000:
            break
    assert arrived == 10_000
