"""What lies on the disks, counted: by table, disk, column, day and service of one tenant.

Sizes of tables and days are the engine's own. Spans lie in parts of one file, of which the engine
does not say what each column takes; but its marks say where each column of each granule begins, so
that is summed. A service's bytes are apportioned: of each column it takes the share that it has of
the column's values in memory.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Final

from lymer.storage.clickhouse.engine import Engine

__all__ = ["KINDS", "Size", "TenantSizes", "merge_sizes", "tenant_sizes"]

_TABLES: Final = """
SELECT {mark}, table, count(), sum(rows), sum(bytes_on_disk), sum(data_uncompressed_bytes)
FROM system.parts WHERE active AND database = '{db}' GROUP BY table
"""
_DAYS: Final = """
SELECT {mark}, partition, count(), sum(rows), sum(bytes_on_disk), sum(data_uncompressed_bytes)
FROM system.parts WHERE active AND database = '{db}' AND table = 'spans' GROUP BY partition
"""
_DISKS: Final = """
SELECT {mark}, disk_name, count(), sum(rows), sum(bytes_on_disk), sum(data_uncompressed_bytes)
FROM system.parts WHERE active AND database = '{db}' GROUP BY disk_name
"""
_COLUMNS: Final = (
    "SELECT {mark}, name FROM system.columns WHERE database = '{db}' AND table = 'spans' "
    "ORDER BY position"
)
_STREAMS: Final = (
    "SELECT {mark}, arrayJoin(names) FROM ("
    "SELECT JSONExtractKeys(formatRowNoNewline('JSONEachRow', *)) AS names "
    "FROM mergeTreeIndex('{db}', 'spans', with_marks = true) LIMIT 1)"
)
"""The columns of that table function, which no other statement tells."""
_WIDE: Final = """
SELECT {mark}, column, sum(column_bytes_on_disk)
FROM system.parts_columns
WHERE active AND database = '{db}' AND table = 'spans' AND part_type = 'Wide' GROUP BY column
"""
_IS_WIDE: Final = (
    "part_name IN (SELECT name FROM system.parts WHERE active AND database = '{db}' "
    "AND table = 'spans' AND part_type = 'Wide')"
)
_COLUMN_OF_STREAM: Final = re.compile(r"(.+?)(?:\.|%2E).*\Z")


@dataclass(frozen=True, slots=True)
class Size:
    """What something takes."""

    name: str
    rows: int
    bytes: int
    """On disk."""
    plain_bytes: int
    """As values in memory, or as the engine has them before it compresses."""
    parts: int = 0
    """Parts; 0 where there are none to count."""

    @property
    def ratio(self) -> float:
        """How many times smaller it is on disk; 0 where nothing is."""
        return self.plain_bytes / self.bytes if self.bytes else 0.0


@dataclass(frozen=True, slots=True)
class TenantSizes:
    """What one tenant takes, largest first."""

    tables: tuple[Size, ...] = ()
    disks: tuple[Size, ...] = ()
    """All tables by where they lie: the engine's disk `default`, and object storage."""
    columns: tuple[Size, ...] = ()
    """Of the span table; `(indexes)` is what is no column's."""
    days: tuple[Size, ...] = ()
    """Of arrival, UTC."""
    services: tuple[Size, ...] = ()


KINDS: Final = tuple(one.name for one in fields(TenantSizes))


def tenant_sizes(engine: Engine, database: str) -> TenantSizes:
    """Measure one tenant's database; reads every span once.

    Raises:
        StorageError: The engine failed.
    """
    tables, disks, days = (
        [
            Size(name.decode(), rows, size, plain, parts)
            for name, parts, rows, size, plain in _rows(engine, database, statement, 5)
        ]
        for statement in (_TABLES, _DISKS, _DAYS)
    )
    spans = next((one for one in tables if one.name == "spans"), Size("spans", 0, 0, 0))
    names = [name.decode() for (name,) in _rows(engine, database, _COLUMNS, 1)]
    on_disk = _column_bytes(engine, database, names) if spans.rows else {}
    sizes = ", ".join(f"byteSize(`{name}`)" for name in names)
    services = _rows(
        engine,
        database,
        f"SELECT {{mark}}, service, count(), sumForEach([{sizes}]) FROM {{db}}.spans "
        "GROUP BY service",
        3,
    )
    plain = {name: sum(row[2][at] for row in services) for at, name in enumerate(names)}
    columns = [Size(name, spans.rows, on_disk.get(name, 0), plain[name]) for name in names]
    rest = spans.bytes - sum(one.bytes for one in columns)
    if rest > 0:
        columns.append(Size("(indexes)", spans.rows, rest, rest))
    weights = {one.name: one.bytes / one.plain_bytes if one.plain_bytes else 0.0 for one in columns}
    rest_per_row = max(rest, 0) / spans.rows if spans.rows else 0.0
    found = [
        Size(
            service.decode(errors="replace"),
            rows,
            round(
                rows * rest_per_row
                + sum(size * weights[name] for size, name in zip(of, names, strict=True))
            ),
            sum(of),
        )
        for service, rows, of in services
    ]
    kinds = (tables, disks, columns, days, found)
    return TenantSizes(*map(_sorted, kinds))


def merge_sizes(parts: Iterable[TenantSizes]) -> TenantSizes:
    """Return the sizes of several shards together."""
    all_of: dict[str, list[Size]] = defaultdict(list)
    for part in parts:
        for kind in KINDS:
            all_of[kind].extend(getattr(part, kind))
    return TenantSizes(**{kind: _added(sizes) for kind, sizes in all_of.items()})


def _added(sizes: Iterable[Size]) -> tuple[Size, ...]:
    by_name: dict[str, Size] = {}
    for one in sizes:
        seen = by_name.get(one.name, Size(one.name, 0, 0, 0))
        by_name[one.name] = Size(
            one.name,
            seen.rows + one.rows,
            seen.bytes + one.bytes,
            seen.plain_bytes + one.plain_bytes,
            seen.parts + one.parts,
        )
    return _sorted(by_name.values())


def _column_bytes(engine: Engine, database: str, names: list[str]) -> dict[str, int]:
    """Return what each column of the span table takes in its parts' data files."""
    streams = [name.decode() for (name,) in _rows(engine, database, _STREAMS, 1)]
    begins: dict[str, list[str]] = {name: [] for name in names}
    for stream in streams:
        found = _COLUMN_OF_STREAM.match(stream)
        if stream.endswith(".mark") and found and found[1] in begins:
            begins[found[1]].append(f"ifNull(tupleElement(`{stream}`, 1), {2**63})")
    first = [
        f"least({', '.join([*ones, ones[0]])})" if ones else "toUInt64(0)"
        for ones in begins.values()
    ]
    steps = ", ".join(
        f"greatest(0, toInt64(begins[{at + 2}]) - toInt64(begins[{at + 1}]))"
        for at in range(len(names))
    )
    statement = (
        f"SELECT {{mark}}, sumForEach([{steps}]) FROM ("
        f"SELECT arrayPushBack(ones, following) AS begins FROM ("
        f"SELECT [{', '.join(first)}] AS ones, leadInFrame(ones[1]) OVER "
        "(PARTITION BY part_name ORDER BY mark_number "
        "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS following, rows_in_granule "
        f"FROM mergeTreeIndex('{{db}}', 'spans', with_marks = true) WHERE NOT {_IS_WIDE}) "
        "WHERE rows_in_granule > 0)"
    )
    ((compact,),) = engine.select(database, statement, 1)
    sizes = dict(zip(names, compact or [0] * len(names), strict=True))
    for name, size in _rows(engine, database, _WIDE, 2):
        sizes[name.decode()] = sizes.get(name.decode(), 0) + size
    return sizes


def _rows(engine: Engine, database: str, statement: str, width: int) -> list[tuple[Any, ...]]:
    return list(zip(*engine.select(database, statement, width), strict=True))


def _sorted(sizes: Iterable[Size]) -> tuple[Size, ...]:
    return tuple(sorted(sizes, key=lambda one: (-one.bytes, one.name)))
