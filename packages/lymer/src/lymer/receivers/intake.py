"""The one way in for every protocol: check, journal, and only then say yes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from lymer import clock
from lymer.errors import LymerError, OverloadedError, TenantError, TooLargeError
from lymer.journal.delivery import Delivery
from lymer.telemetry.metrics import Metrics
from lymer.tenancy import DEFAULT_TENANT, Tenancy
from lymer.wire.otlp_proto import CheckedRequest
from lymer.wire.resource_tags import ResourceTags

__all__ = ["DeliveryLog", "DurableLog", "Intake", "Ticket"]


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

    def append(self, body: bytes, span_count: int, ticket: Ticket, tenant: str, /) -> None:
        """Queue a request of `tenant`; the ticket is resolved through `Intake.on_durable`."""


class DeliveryLog(Protocol):
    """What the intake needs to know of requests that agents repeat."""

    def has(self, delivery: Delivery, /) -> bool:
        """Tell whether this request is durable already."""

    def add(self, delivery: Delivery, /) -> None:
        """Remember that it is."""


class Intake:
    """Makes requests durable. Lives on one event loop; `on_durable` may come from any thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        metrics: Metrics,
        tenancy: Tenancy | None = None,
        *,
        tenants_max: int = 1,
        tags: Sequence[tuple[str, str]] = (),
        deliveries: DeliveryLog | None = None,
    ) -> None:
        """Prepare; `open` gives the journal.

        Args:
            loop: Where `accept` is called; tickets belong to it.
            metrics: Counted here: what came in and what was turned away.
            tenancy: How requests name their tenant; None if they need not.
            tenants_max: Spans of further tenants are refused.
            tags: (key, value) pairs for every resource that lacks the key.
            deliveries: What agents have delivered; without it each request is taken as new.
        """
        self._loop = loop
        self._metrics = metrics
        self._tenancy = tenancy
        self._tenants_max = tenants_max
        self._tenants: set[str] = set()
        self._tags = ResourceTags(tags)
        self._deliveries = deliveries
        self._arriving: dict[str, Ticket] = {}
        self._own_name = b""
        self._journal: DurableLog | None = None
        self.wait_for_store: Callable[[], Awaitable[object]] | None = None
        """Returns when all that has arrived by then is stored; None where another process stores.
        It raises `OverloadedError` if that takes too long."""

    def open(self, journal: DurableLog, tenants: Iterable[str] = ()) -> None:
        """Begin to accept; `tenants` are those who have spans already."""
        self._tenants.update(tenants)
        self._tenants.discard(DEFAULT_TENANT)
        self._journal = journal

    def refuse_from(self, agent: bytes) -> None:
        """Turn away what is delivered under the name `agent`, our own: it goes in a circle."""
        self._own_name = agent

    def tenant_of_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return whose spans an HTTP request brings.

        Raises:
            TenantError: It does not say, or says it wrongly.
        """
        return self._tenancy.tenant_of_headers(headers) if self._tenancy else DEFAULT_TENANT

    def tenant_of_call(self, context: Any) -> str:
        """Return whose spans a gRPC call brings, given its context; as `tenant_of_headers`."""
        if self._tenancy is None:
            return DEFAULT_TENANT
        return self._tenancy.tenant_of_metadata(context.invocation_metadata() or ())

    async def accept(
        self,
        request: CheckedRequest,
        transport: str,
        receiver: str = "otlp",
        delivery: Delivery | None = None,
        *,
        tenant: str,
    ) -> None:
        """Return once `request` is durable: the sender may be told so.

        A request whose `delivery` is durable already, or becomes so in another call, is not stored
        again.

        A caller that is cancelled comes back only when the journal has let go of the request, so
        that what it counts as in flight is in flight.

        Args:
            request: What came in.
            transport: With `receiver`, which door it came by, for the metrics.
            receiver: See `transport`.
            delivery: Its name, if an agent sent it.
            tenant: Whose spans they are, as `Tenancy` said.

        Raises:
            OverloadedError: It is not durable; the sender should retry.
            TenantError: There are too many tenants to have another one.
        """
        if request.span_count == 0:
            return
        if tenant not in self._tenants:
            self._add_tenant(tenant)
        if self._journal is None:
            raise OverloadedError("cannot accept the request: not started yet")
        started = clock.monotonic_seconds()
        ticket: Ticket | None = None
        try:
            ticket, is_new = self._append(self._journal, request, delivery, tenant)
            if ticket is not None:
                await ticket
        except asyncio.CancelledError:
            if ticket is not None and ticket.done():
                ticket.exception()  # nobody will ask for it any more
            raise
        except LymerError:
            self._metrics.refused_spans.labels(receiver, transport).inc(request.span_count)
            raise
        if not is_new:
            self._metrics.repeated_spans.inc(request.span_count)
            return
        self._metrics.commit_seconds.observe(clock.monotonic_seconds() - started)
        self._metrics.accepted_spans.labels(receiver, transport).inc(request.span_count)
        self._metrics.received_bytes.labels(receiver, transport).inc(len(request.body))

    def _append(
        self,
        journal: DurableLog,
        request: CheckedRequest,
        delivery: Delivery | None,
        tenant: str,
    ) -> tuple[Ticket | None, bool]:
        """Hand a request to the journal, if it is new.

        Returns:
            What to wait for, None if it is durable already; and whether it is new.
        """
        log = self._deliveries
        if delivery is None or log is None:
            ticket = Ticket(loop=self._loop)
            journal.append(self._tagged(request.body), request.span_count, ticket, tenant)
            return ticket, True
        if delivery.agent == self._own_name:
            raise OverloadedError("cannot accept the request: this agent sends to itself")
        if log.has(delivery):
            log.add(delivery)  # it may say that the agent is done with more
            return None, False
        name = delivery.text
        if name in self._arriving:
            return self._arriving[name], False
        ticket = Ticket(loop=self._loop)
        body = delivery.behind(self._tagged(request.body))
        journal.append(body, request.span_count, ticket, tenant)
        self._arriving[name] = ticket

        def arrived(_: asyncio.Future[None]) -> None:
            # Not where it is waited for: who waits may have gone, and yet it is durable.
            del self._arriving[name]
            if ticket.exception() is None:
                log.add(delivery)

        ticket.add_done_callback(arrived)
        return ticket, True

    def _tagged(self, body: bytes) -> bytes:
        return self._tags.add_to(body) if self._tags else body

    def refuse(
        self, error: LymerError, transport: str, receiver: str = "otlp", count: int = 1
    ) -> None:
        """Count a request, or `count` of them, that was turned away."""
        if isinstance(error, OverloadedError):
            reason = "overloaded"
        elif isinstance(error, TenantError):
            reason = "tenant"
        else:
            reason = "too_large" if isinstance(error, TooLargeError) else "undecodable"
        self._metrics.refused_requests.labels(receiver, transport, reason).inc(count)

    def _add_tenant(self, tenant: str) -> None:
        if tenant == DEFAULT_TENANT:
            return
        if len(self._tenants) >= self._tenants_max:
            raise TenantError(
                f"cannot add a tenant: there are {len(self._tenants)}, "
                f"the limit is {self._tenants_max} (tenancy.tenants_max)"
            )
        self._tenants.add(tenant)

    def on_durable(self, tickets: Sequence[Ticket], error: LymerError | None) -> None:
        """Resolve the tickets of one group, with one wake-up of the loop for all."""
        self._loop.call_soon_threadsafe(_resolve, tickets, error)


def _resolve(tickets: Sequence[Ticket], error: LymerError | None) -> None:
    for ticket in tickets:
        if error is None:
            ticket.set_result(None)
        else:
            ticket.set_exception(error)
