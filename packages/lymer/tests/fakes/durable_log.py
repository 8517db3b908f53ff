"""A journal in memory that says "durable" when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lymer.errors import LymerError
from lymer.receivers.intake import Intake, Ticket

__all__ = ["FakeDurableLog"]


class FakeDurableLog:
    """A `DurableLog`; answers come through the intake, as the journal's do."""

    def __init__(self, intake: Intake) -> None:
        """Make requests durable at once, until `hold`."""
        self._intake = intake
        self._held: list[Ticket] = []
        self._holds = False
        self.requests: list[tuple[bytes, int]] = []
        """Bodies and span counts, in order."""
        self.tenants: list[str] = []
        """Whose they are."""
        self.arrived = asyncio.Event()
        """Set by every request."""
        self.refusal: LymerError | None = None
        """What `append` raises."""
        self.failure: LymerError | None = None
        """What requests are told instead of "durable"."""

    def append(self, body: bytes, span_count: int, ticket: Ticket, tenant: str, /) -> None:
        """Take a request."""
        if self.refusal is not None:
            raise self.refusal
        self.requests.append((body, span_count))
        self.tenants.append(tenant)
        self._held.append(ticket)
        self.arrived.set()
        if not self._holds:
            self._answer(self.failure)

    def hold(self) -> None:
        """Keep what comes from now on waiting."""
        self._holds = True

    def release(self) -> None:
        """Everything that waits is durable."""
        self._holds = False
        self._answer(self.failure)

    def _answer(self, error: LymerError | None) -> None:
        held: Sequence[Ticket]
        held, self._held = self._held, []
        self._intake.on_durable(held, error)
