"""The one way in for every protocol: check, journal, and only then say yes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from lymer import clock
from lymer.errors import LymerError, OverloadedError, TooLargeError
from lymer.telemetry.metrics import Metrics
from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["DurableLog", "Intake", "Ticket"]


class Ticket(asyncio.Future[None]):
    """Resolved when the request is durable; cannot be cancelled before.

    A task that is cancelled while it waits for a ticket is woken with the cancellation once the
    ticket is done. So a request is in flight until the journal has let go of it, however impatient
    its sender is, and waiting costs no more than for any future.
    """

    def cancel(self, msg: object = None) -> bool:
        """Refuse."""
        return False


class DurableLog(Protocol):
    """What the intake needs of the journal."""

    def append(self, body: bytes, span_count: int, ticket: Ticket, /) -> None:
        """Queue a request; the ticket is resolved through `Intake.on_durable`."""


class Intake:
    """Makes requests durable. Lives on one event loop; `on_durable` may come from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, metrics: Metrics) -> None:
        """Remember the loop tickets belong to; `open` gives the journal."""
        self._loop = loop
        self._metrics = metrics
        self._journal: DurableLog | None = None

    def open(self, journal: DurableLog) -> None:
        """Begin to accept."""
        self._journal = journal

    async def accept(self, request: CheckedRequest, transport: str, receiver: str = "otlp") -> None:
        """Return once `request` is durable: the sender may be told so.

        `transport` and `receiver` say in the metrics which door it came by.

        A caller that is cancelled comes back only when the journal has let go of the request, so
        that what it counts as in flight is in flight.

        Raises:
            OverloadedError: It is not durable; the sender should retry.
        """
        if request.span_count == 0:
            return
        if self._journal is None:
            raise OverloadedError("cannot accept the request: not started yet")
        started = clock.monotonic_seconds()
        ticket = Ticket(loop=self._loop)
        try:
            self._journal.append(request.body, request.span_count, ticket)
            await ticket
        except asyncio.CancelledError:
            if ticket.done():
                ticket.exception()  # nobody will ask for it any more
            raise
        except LymerError:
            self._metrics.refused_spans.labels(receiver, transport).inc(request.span_count)
            raise
        self._metrics.commit_seconds.observe(clock.monotonic_seconds() - started)
        self._metrics.accepted_spans.labels(receiver, transport).inc(request.span_count)
        self._metrics.received_bytes.labels(receiver, transport).inc(len(request.body))

    def refuse(
        self, error: LymerError, transport: str, receiver: str = "otlp", count: int = 1
    ) -> None:
        """Count a request, or `count` of them, that was turned away."""
        if isinstance(error, OverloadedError):
            reason = "overloaded"
        else:
            reason = "too_large" if isinstance(error, TooLargeError) else "undecodable"
        self._metrics.refused_requests.labels(receiver, transport, reason).inc(count)

    def on_durable(self, tickets: Sequence[Ticket], error: LymerError | None) -> None:
        """Resolve the tickets of one group, with one wake-up of the loop for all."""
        self._loop.call_soon_threadsafe(_resolve, tickets, error)


def _resolve(tickets: Sequence[Ticket], error: LymerError | None) -> None:
    for ticket in tickets:
        if error is None:
            ticket.set_result(None)
        else:
            ticket.set_exception(error)
