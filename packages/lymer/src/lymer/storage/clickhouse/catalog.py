"""What exists: operations, resources, scopes, keys of events and links; kept beside the spans.

A materialized view per table would cost 25 ms of CPU a segment, mostly planning, to write what is
known already. So a segment is asked once what it holds, and only if some of that is new (or was
told long ago) are the tables told. Telling is idempotent: they take the maximum and the union.
"""

from __future__ import annotations

from typing import Any, Final

from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.statements import NESTED_KEYS

__all__ = ["Catalog"]

_ENTRIES_MAX: Final = 500_000
"""Entries remembered, about 100 bytes each; at more, all are forgotten and told again."""
_COLUMNS: Final = 6
_HOLDINGS: Final = (
    "SELECT {mark}, service, name, kind, cityHash64(resource) AS resource_hash, "
    "cityHash64(scope) AS scope_hash, "
    f"arraySort(groupUniqArrayArray({NESTED_KEYS})) FROM {{db}}.spans "
    "WHERE seg = {seg} GROUP BY service, name, kind, resource_hash, scope_hash"
)
_SEEN: Final = "max(toDateTime(intDiv(seg, 1000000), 'UTC'))"
_TELL_OPERATIONS: Final = (
    f"INSERT INTO {{db}}.operations SELECT service, name, kind, {_SEEN} "
    "FROM {db}.spans WHERE seg = {seg} GROUP BY service, name, kind"
)
_TELL_ORIGINS: Final = (
    "INSERT INTO {db}.origins SELECT toString(any(resource)), toString(any(scope)), "
    f"groupUniqArrayArray({NESTED_KEYS}), {_SEEN} "
    "FROM {db}.spans WHERE seg = {seg} GROUP BY cityHash64(resource), cityHash64(scope)"
)
_REFRESH_MICROSECONDS_MAX: Final = 3600 * 1_000_000


class Catalog:
    """Tells the catalog's tables what segments hold; one thread at a time."""

    def __init__(self, engine: Engine, database: str, *, retention_seconds: int) -> None:
        """Begin with nothing known: the first segments tell all they hold.

        Args:
            engine: Holds the tables.
            database: The tenant's.
            retention_seconds: Entries not told for so long go away; what is still seen is told
                again eight times within.
        """
        self._engine = engine
        self._database = database
        self._refresh = min(_REFRESH_MICROSECONDS_MAX, retention_seconds * 1_000_000 // 8)
        self._told: dict[int, int] = {}

    def add(self, segment_id: int) -> None:
        """Make the catalog know what the stored segment holds.

        Raises:
            StorageError: It is not known whether it does; calling again is right.
        """
        holdings = self._engine.select(
            self._database, _HOLDINGS.replace("{seg}", str(segment_id)), _COLUMNS
        )
        operations: set[int] = set()
        origins: set[int] = set()
        for service, name, kind, resource, scope, keys in zip(*holdings, strict=True):
            operations.add(hash((service, name, kind)))
            origins.add(hash((resource, scope)))
            origins.update(hash((resource, scope, key)) for key in keys)
        self._tell(_TELL_OPERATIONS, operations, segment_id)
        self._tell(_TELL_ORIGINS, origins, segment_id)

    def _tell(self, statement: str, entries: set[int], segment_id: int) -> None:
        due = segment_id - self._refresh
        news = [entry for entry in entries if self._told.get(entry, -1) < due]
        if not news:
            return
        settings: dict[str, Any] = {"max_threads": 1}
        self._engine.command(
            self._database, statement.replace("{seg}", str(segment_id)), {}, settings
        )
        if len(self._told) > _ENTRIES_MAX:
            self._told.clear()
        self._told.update(dict.fromkeys(entries, segment_id))
