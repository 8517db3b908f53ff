"""Which offsets of a partition of Kafka are stored, in the store itself.

Before a range is stored it is written down here, with the segments it goes into; whoever has the
partition next asks whether those are stored. A partition has a turn in the store (`lease.py`):
what an earlier holder still sends throws. Why: docs/adr/061-kafka.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from lymer.model.offset_range import OffsetRange, RangeSegment
from lymer.storage.clickhouse.engine import Engine, Parameter, Settings
from lymer.storage.clickhouse.lease import Lease
from lymer.tenancy import tenant_code, tenant_of_code

__all__ = ["PartitionClaim", "guard_of"]

_DATABASE: Final = "lymer"
_MAKE: Final = (
    "CREATE TABLE IF NOT EXISTS {db}.kafka_offsets (topic String, partition UInt32, "
    "version UInt64, first UInt64, next UInt64, segs Array(UInt64), tenants Array(String), "
    "spans Array(UInt64)) ENGINE = ReplacingMergeTree(version) ORDER BY (topic, partition) "
    "SETTINGS fsync_after_insert = 1"
)
_guards: ContextVar[tuple[tuple[Engine, Lease], ...]] = ContextVar("_guards", default=())


def guard_of(engine: Engine) -> tuple[str, Settings]:
    """Return a condition and settings for what is written to `engine` now; empty without one."""
    for guarded, lease in _guards.get():
        if guarded is engine:
            return lease.fence(), lease.settings()
    return "", {}


class PartitionClaim:
    """Our turn with one partition. One thread at a time."""

    def __init__(
        self, engines: Sequence[Engine], topic: str, partition: int, *, holder: str
    ) -> None:
        """Take the partition, from whoever has it.

        Args:
            engines: Every shard; the first keeps the offsets.
            topic: Its name, with that of its cluster.
            partition: Its number.
            holder: Who we are; empty if nobody else can write here.

        Raises:
            StorageError: An engine failed.
        """
        self._engine = engines[0]
        self._topic = topic
        self._partition = partition
        self._version = 0
        name = "kafka" + hashlib.sha256(f"{topic}/{partition}".encode()).hexdigest()[:16]
        leases = [(one, Lease(one, name, holder)) for one in engines] if holder else []
        for _, lease in leases:
            lease.seize()
        self._leases = tuple(leases)
        self._engine.command(_DATABASE, _MAKE)

    def read(self) -> OffsetRange | None:
        """Return the last range that was written down; None if there is none."""
        statement = (
            "SELECT {mark}, version, first, next, segs, tenants, spans FROM {db}.kafka_offsets "
            "WHERE topic = {topic:String} AND partition = {partition:UInt32} "
            "ORDER BY version DESC LIMIT 1"
        )
        asked: dict[str, Parameter] = {"topic": self._topic, "partition": self._partition}
        rows = list(zip(*self._engine.select(_DATABASE, statement, 6, asked), strict=True))
        if not rows:
            return None
        ((self._version, first, behind, ids, tenants, counts),) = rows
        return OffsetRange(
            first,
            behind,
            tuple(
                RangeSegment(tenant_of_code(code.decode()), one, count)
                for one, code, count in zip(ids, tenants, counts, strict=True)
            ),
        )

    def write(self, stored: OffsetRange) -> None:
        """Write down a range, before anything of it is stored.

        Raises:
            StorageError: It is not written, or somebody else has the partition.
        """
        self._version = version = self._version + 1  # one that fails may be written yet
        ids = ", ".join(str(one.segment_id) for one in stored.segments)
        codes = ", ".join(f"'{tenant_code(one.tenant)}'" for one in stored.segments)
        counts = ", ".join(str(one.span_count) for one in stored.segments)
        with self.guarding():
            fence, settings = guard_of(self._engine)
        self._engine.command(
            _DATABASE,
            "INSERT INTO {db}.kafka_offsets SELECT {topic:String}, {partition:UInt32}, "
            f"{version}, {stored.first}, {stored.next}, [{ids}], [{codes}], [{counts}]"
            + (f" WHERE {fence}" if fence else ""),
            {"topic": self._topic, "partition": self._partition},
            settings,
        )

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Within, segments are written only while the partition is ours."""
        token = _guards.set(self._leases)
        try:
            yield
        finally:
            _guards.reset(token)
