"""What adaptive sampling asks of a store. `tests/contract/sampling` is the second half of it.

Every method blocks and may be called from any thread. A failure is a `StorageError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lymer.model.throughput import OperationRate, Throughput

__all__ = ["OPERATIONS_PER_SERVICE_MAX", "SamplingStore"]

OPERATIONS_PER_SERVICE_MAX = 2_000
"""Of a service, the operations with most traces; clients remember no more either."""


class SamplingStore(Protocol):
    """Counts traces by operation, and keeps what was computed from that through a restart."""

    def get_throughput(
        self, after_unix_seconds: int, upto_unix_seconds: int, /
    ) -> list[Throughput]:
        """Return what arrived after one second, up to and with another, of all tenants together.

        One entry for each operation that had a root span, sorted by service and operation.
        """

    def put_rates(self, rates: Sequence[OperationRate], /) -> None:
        """Keep what was computed; it replaces all that was kept. Atomic, durable on return."""

    def get_rates(self) -> list[OperationRate]:
        """Return what was kept last, sorted by service and operation; nothing if never."""
