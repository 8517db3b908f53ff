"""What exists: operations, resources, scopes, keys of events and links; in memory, and in tables.

The writer asks each segment once what it holds. What is new, or was told long ago, goes into the
tables first and into memory then, so a reader's question about it costs no statement. Telling is
idempotent: the tables take the maximum and the union.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lymer import clock
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.span_columns import CAST_RESOURCE, CAST_SCOPE
from lymer.storage.clickhouse.statements import NESTED_KEYS, statement

__all__ = ["ORIGINS_MAX", "Catalog"]

ORIGINS_MAX: Final = 50_000
"""Pairs of resource and scope held in memory, about 2 kB each; of more the tables are asked."""
_REFRESH_MICROSECONDS_MAX: Final = 3600 * 1_000_000
_LOOK_SECONDS: Final = 0.1
_BATCH: Final = 1024
"""Origins asked for at once: the engine reads statements of 256 KiB at most."""
_FORGOTTEN: Final = (
    "max(arrayMax(block_numbers.number)) AS last, countIf(NOT is_done) FROM system.mutations "
    "WHERE database = '{db}' AND table IN ('operations', 'origins')"
)
_TOLD: Final = (
    "SELECT {mark}, groupBitXor(cityHash64(table, name)), "
    "(SELECT max(arrayMax(block_numbers.number)) FROM system.mutations WHERE database = '{db}' "
    "AND table IN ('operations', 'origins') AND is_done) FROM system.parts "
    "WHERE database = '{db}' AND table IN ('operations', 'origins') AND active"
)
"""A number that changes whenever somebody tells, and one that changes when somebody forgets."""
_ONE_THREAD: Final = {"max_threads": 1}
_LOAD_ORIGINS: Final = statement(
    "origins", resource=CAST_RESOURCE, scope=CAST_SCOPE, limit=ORIGINS_MAX
)
_HOLDINGS: Final = statement("holdings", nested_keys=NESTED_KEYS)
_NEW_ORIGINS: Final = statement("new_origins", resource=CAST_RESOURCE, scope=CAST_SCOPE)
_TELL_OPERATIONS: Final = statement("tell_operations")
_TELL_ORIGINS: Final = statement("tell_origins", nested_keys=NESTED_KEYS)

_Operation = tuple[bytes, bytes, int]
_Attribute = tuple[bytes, bytes]


@dataclass(slots=True)
class _Known:
    """What the tables say, and when each entry was told last: a segment id."""

    operations: dict[bytes, dict[tuple[bytes, int], int]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    origins: dict[tuple[int, int], int] = field(default_factory=dict)
    nested: dict[tuple[int, int, bytes], int] = field(default_factory=dict)
    nested_keys: set[bytes] = field(default_factory=set)
    resources_by_attribute: dict[_Attribute, set[int]] = field(
        default_factory=lambda: defaultdict(set)
    )
    scopes_by_attribute: dict[_Attribute, set[int]] = field(
        default_factory=lambda: defaultdict(set)
    )
    scopes_by_name: dict[bytes, set[int]] = field(default_factory=lambda: defaultdict(set))
    scopes_by_version: dict[bytes, set[int]] = field(default_factory=lambda: defaultdict(set))


class Catalog:
    """What one tenant has; told by one thread at a time, asked by any."""

    def __init__(
        self,
        engine: Engine,
        database: str,
        *,
        retention_seconds: int,
        is_shared: bool = False,
        told: str = "",
    ) -> None:
        """Read the tables.

        Args:
            engine: Holds the tables.
            database: The tenant's.
            retention_seconds: Entries not told for so long go away; what is still seen is told
                again eight times within.
            is_shared: Whether other processes tell, too: the tables are looked at again now and
                then, and for the first time when somebody asks.
            told: A statement whose number changes when anybody tells; empty: that of one server.
        """
        self._engine = engine
        self._database = database
        self._retention = retention_seconds * 1_000_000
        self._refresh = min(_REFRESH_MICROSECONDS_MAX, self._retention // 8)
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._newest = 0
        self._known = _Known()
        self._look_lock = threading.Lock()
        self._is_shared = is_shared
        self._told_statement = told or _TOLD
        self._looked_seconds = -math.inf
        self._looked_at: list[Any] = []
        self._forgotten: list[Any] = []
        if not is_shared:
            self._load()

    def _load(self) -> None:
        """Add what the tables say to what is known."""
        operations = self._engine.select(self._database, statement("operations"), 4)
        rows = self._rows(_LOAD_ORIGINS, 6)
        with self._lock:
            for service, name, kind, seen in zip(*operations, strict=True):
                known = self._known.operations[service]
                known[name, kind] = max(seen * 1_000_000, known.get((name, kind), 0))
                if self._is_shared:
                    self._newest = max(self._newest, seen * 1_000_000)
            for resource, scope, keys, seen, attributes, library in rows:
                if self._known.origins.get((resource, scope), -1) < seen * 1_000_000:
                    self._learn(resource, scope, attributes, library)
                    self._note_origin((resource, scope), keys, seen * 1_000_000)

    def look(self) -> None:
        """Learn what other processes have told meanwhile; a look is good for a tenth of a second.

        Raises:
            StorageError: The tables cannot be read.
        """
        if not self._is_shared:
            return
        with self._look_lock:
            now = clock.monotonic_seconds()
            if now - self._looked_seconds < _LOOK_SECONDS:
                return
            looked_at = self._engine.select(self._database, self._told_statement, 2)
            if looked_at[1:] != self._looked_at[1:]:
                with self._lock:
                    self._known = _Known()  # somebody had traces deleted
            if looked_at != self._looked_at or looked_at[0] == [0]:
                self._load()
            self._looked_at, self._looked_seconds = looked_at, now

    @property
    def holds_all_origins(self) -> bool:
        """Whether all resources and scopes are in memory; if not, ask the tables."""
        self.look()
        return self._has_room

    @property
    def _has_room(self) -> bool:
        return len(self._known.origins) < ORIGINS_MAX

    def services(self) -> list[bytes]:
        """Return the names of services, in any order."""
        self.look()
        with self._lock:
            return [
                service
                for service, operations in self._known.operations.items()
                if any(map(self._is_kept, operations.values()))
            ]

    def operations(self, service: bytes) -> list[tuple[bytes, int]]:
        """Return (name, kind) of the operations of a service, in any order."""
        self.look()
        with self._lock:
            operations = self._known.operations.get(service, {})
            return [one for one, seen in operations.items() if self._is_kept(seen)]

    def has_operation(self, service: bytes, name: bytes) -> bool:
        """Tell whether a span of this service and name can be stored; empty stands for any."""
        self.look()
        with self._lock:
            if service:
                operations = self._known.operations.get(service, {})
                return any(name in {b"", one} for one, _ in operations)
            return not name or any(
                name == one
                for operations in self._known.operations.values()
                for one, _ in operations
            )

    def is_nested_key(self, key: bytes) -> bool:
        """Tell whether some event or link can have an attribute with this key."""
        self.look()
        with self._lock:
            return key in self._known.nested_keys

    def resources(self, attributes: Iterable[_Attribute]) -> set[int]:
        """Return the resources that have one of these attributes (key, AnyValue), as hashes."""
        self.look()
        with self._lock:
            return _any_of(self._known.resources_by_attribute, attributes)

    def scopes(
        self, attributes: Iterable[_Attribute], names: Sequence[bytes], versions: Sequence[bytes]
    ) -> set[int]:
        """Return the scopes that have one of these attributes, names or versions, as hashes."""
        self.look()
        with self._lock:
            return (
                _any_of(self._known.scopes_by_attribute, attributes)
                | _any_of(self._known.scopes_by_name, names)
                | _any_of(self._known.scopes_by_version, versions)
            )

    def said_by_resources(self, key: bytes) -> dict[int, bytes] | None:
        """Return the AnyValue that resources have under a key, by hash; None: too many to know."""
        return self._said(self._known.resources_by_attribute, key)

    def said_by_scopes(self, key: bytes) -> dict[int, bytes] | None:
        """Return the AnyValue that scopes have under a key, by hash; None: too many to know."""
        return self._said(self._known.scopes_by_attribute, key)

    def keys(self) -> dict[str, set[bytes]]:
        """Return the keys of attributes of resources, scopes and events or links."""
        self.look()
        with self._lock:
            return {
                "resource": {key for key, _ in self._known.resources_by_attribute},
                "instrumentation": {key for key, _ in self._known.scopes_by_attribute},
                "event": set(self._known.nested_keys),
            }

    def names_of_scopes(self) -> dict[int, bytes] | None:
        """Return the names of scopes that have one, by hash; None: too many to know."""
        return self._texts(self._known.scopes_by_name)

    def versions_of_scopes(self) -> dict[int, bytes] | None:
        """Return the versions of scopes that have one, by hash; None: too many to know."""
        return self._texts(self._known.scopes_by_version)

    def _said(self, places: Mapping[_Attribute, set[int]], key: bytes) -> dict[int, bytes] | None:
        if not self.holds_all_origins:
            return None
        with self._lock:
            found = [(value, hashes) for (one, value), hashes in places.items() if one == key]
            return {number: value for value, hashes in found if value for number in hashes}

    def _texts(self, places: Mapping[bytes, set[int]]) -> dict[int, bytes] | None:
        if not self.holds_all_origins:
            return None
        with self._lock:
            return {number: text for text, numbers in places.items() if text for number in numbers}

    def add(self, segment_id: int) -> None:
        """Make the catalog know what the stored segment holds.

        Raises:
            StorageError: It is not known whether it does; calling again is right.
        """
        with self._telling:
            self._add(segment_id)

    def holdings(self, segment_id: int, table: str = "{db}.spans") -> list[tuple[Any, ...]]:
        """Return what a segment holds in `table`, as `holdings.sql` says.

        Raises:
            StorageError: The engine failed.
        """
        text = _HOLDINGS.replace("{db}.spans", table)
        return self._rows(text.replace("{seg}", str(segment_id)), 6)

    def forget(self, statements: Sequence[str], settings: Mapping[str, str | int]) -> None:
        """Change the tables by these statements, and know what they say then.

        Nothing is told meanwhile: what comes after is told to tables that have forgotten.

        Raises:
            StorageError: Some may have been run; calling again is right.
        """
        with self._telling:
            for text in statements:
                self._engine.command(self._database, text, {}, settings)
            with self._lock:
                self._known = _Known()
            self._load()

    def _add(self, segment_id: int) -> None:
        operations: set[_Operation] = set()
        origins: dict[tuple[int, int], set[bytes]] = defaultdict(set)
        for service, name, kind, resource, scope, keys in self.holdings(segment_id):
            operations.add((service, name, kind))
            origins[resource, scope].update(keys)
        due = (
            math.inf
            if self._is_shared and self._may_be_forgotten()
            else (segment_id - self._refresh)
        )
        if any(self._told(*one) < due for one in operations):
            self._tell(_TELL_OPERATIONS, segment_id)
            with self._lock:
                for service, name, kind in operations:
                    self._known.operations[service][name, kind] = segment_id
        if any(self._is_due(origin, keys, due) for origin, keys in origins.items()):
            self._tell(_TELL_ORIGINS, segment_id)
            unknown = [origin for origin in origins if origin not in self._known.origins]
            if unknown and self._has_room:
                self._learn_from(segment_id, unknown)
            with self._lock:
                for origin, keys in origins.items():
                    self._note_origin(origin, keys, segment_id)
        self._newest = max(self._newest, segment_id)

    def _may_be_forgotten(self) -> bool:
        """Tell whether the tables may forget now what they were told.

        What they have forgotten since the last segment is not known to have been told any more.
        It is asked when the segment is stored: what they forget later they forget in spite of it.
        """
        text = f"SELECT {{mark}}, {_FORGOTTEN}"
        last, under_way = self._engine.select(self._database, text, 2)
        if under_way != [0]:
            return True
        if last != self._forgotten:
            self._forgotten = last
            with self._look_lock, self._lock:
                self._known, self._looked_at = _Known(), []
                self._looked_seconds = -math.inf
        return False

    def _told(self, service: bytes, name: bytes, kind: int) -> int:
        return self._known.operations.get(service, {}).get((name, kind), -1)

    def _is_due(self, origin: tuple[int, int], keys: Iterable[bytes], due: float) -> bool:
        known = self._known
        return known.origins.get(origin, -1) < due or any(
            known.nested.get((*origin, key), -1) < due for key in keys
        )

    def _is_kept(self, seen: int) -> bool:
        return seen >= self._newest - self._retention - self._refresh

    def _note_origin(self, origin: tuple[int, int], keys: Iterable[bytes], seen: int) -> None:
        if origin in self._known.origins or self._has_room:
            self._known.origins[origin] = seen
        for key in keys:
            self._known.nested_keys.add(key)
            if self._has_room:
                self._known.nested[(*origin, key)] = seen

    def _learn_from(self, segment_id: int, origins: Iterable[tuple[int, int]]) -> None:
        text = _NEW_ORIGINS.replace("{seg}", str(segment_id))
        asked = [f"({resource}, {scope})" for resource, scope in origins]
        for first in range(0, len(asked), _BATCH):
            pairs = ", ".join(asked[first : first + _BATCH])
            rows = self._rows(text.replace("{origins}", pairs), 4)
            with self._lock:
                for row in rows:
                    self._learn(*row)

    def _learn(
        self,
        resource: int,
        scope: int,
        attributes: Iterable[_Attribute],
        library: tuple[bytes, bytes, Iterable[_Attribute]],
    ) -> None:
        known = self._known
        for attribute in attributes:
            known.resources_by_attribute[attribute].add(resource)
        name, version, of_scope = library
        known.scopes_by_name[name].add(scope)
        known.scopes_by_version[version].add(scope)
        for attribute in of_scope:
            known.scopes_by_attribute[attribute].add(scope)

    def _tell(self, text: str, segment_id: int) -> None:
        filled = text.replace("{seg}", str(segment_id))
        self._engine.command(self._database, filled, settings=_ONE_THREAD)

    def _rows(self, text: str, width: int) -> list[tuple[Any, ...]]:
        columns = self._engine.select(self._database, text, width, settings=_ONE_THREAD)
        return list(zip(*columns, strict=True))


def _any_of(places: Mapping[Any, set[int]], wanted: Iterable[object]) -> set[int]:
    found: set[int] = set()
    for one in wanted:
        found |= places.get(one, set())
    return found
