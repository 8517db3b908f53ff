"""What the store takes on its disks, and how it takes less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from lymer.config import Config
from lymer.errors import StartupError
from lymer.roles.storing import open_engines
from lymer.roles.tenants import opened_engines
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.stats import (
    KINDS,
    Size,
    TenantSizes,
    merge_sizes,
    tenant_sizes,
)
from lymer.storage.clickhouse.tenants import database_of, stored_tenants
from lymer.tenancy import DEFAULT_TENANT

__all__ = ["KINDS", "measure_storage", "optimize_storage", "to_json"]

_TABLES = (
    "SELECT {mark}, name FROM system.tables WHERE database = '{db}' AND engine LIKE '%MergeTree'"
)
_PARTS: Final = (
    "SELECT {mark}, partition_id, count(), sum(bytes_on_disk) FROM system.parts "
    "WHERE active AND database = '{db}' AND table = '%s' GROUP BY partition_id "
    "ORDER BY partition_id"
)


def measure_storage(config: Config, tenant: str | None) -> dict[str, TenantSizes]:
    """Return what each tenant takes, all shards together; reads every span once.

    On a ClickHouse server collectors may be at work; the embedded engine is one process's.

    Raises:
        StartupError: There is no store, another process has it, or there is no such tenant.
    """
    with _engines(config) as engines:
        return {
            name: merge_sizes(tenant_sizes(engine, database_of(name)) for engine in engines)
            for name in _tenants(engines, tenant)
        }


def optimize_storage(
    config: Config, tenant: str | None
) -> Iterator[tuple[str, str, str, int, int]]:
    """Merge each partition of each table into one part, and drop what has expired on the way.

    May be stopped and begun again: what is one part is left alone. A partition needs as much free
    space as it takes.

    Yields:
        Tenant, table, partition, and bytes before and after, for each that was merged.

    Raises:
        StartupError: As `measure_storage`.
    """
    with _engines(config) as engines:
        for name in _tenants(engines, tenant):
            for engine in engines:
                for table, partition, before, after in _optimized(engine, database_of(name)):
                    yield name, table, partition, before, after


def to_json(sizes: dict[str, TenantSizes]) -> dict[str, Any]:
    """Return the sizes as `lymer storage stats --json` prints them."""
    return {
        "tenants": [
            {
                "name": name,
                **{kind: [_to_json(one) for one in getattr(of, kind)] for kind in KINDS},
            }
            for name, of in sizes.items()
        ]
    }


def _to_json(one: Size) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": one.name,
        "rows": one.rows,
        "bytes": one.bytes,
        "plainBytes": one.plain_bytes,
        "ratio": round(one.ratio, 3),
    }
    return {**shown, "parts": one.parts} if one.parts else shown


def _optimized(engine: Engine, database: str) -> Iterator[tuple[str, str, int, int]]:
    (tables,) = engine.select(database, _TABLES, 1)
    for table in sorted(name.decode() for name in tables):
        before = _parts(engine, database, table)
        for partition, (count, size) in before.items():
            if count < 2:
                continue
            engine.command(
                database,
                f"OPTIMIZE TABLE {{db}}.{table} PARTITION ID '{partition}' FINAL",
                {},
                {"optimize_throw_if_noop": 0, "max_execution_time": 0},
            )
            after = _parts(engine, database, table).get(partition, (0, 0))
            yield table, partition, size, after[1]


def _parts(engine: Engine, database: str, table: str) -> dict[str, tuple[int, int]]:
    columns = engine.select(database, _PARTS % table, 3)
    return {name.decode(): (count, size) for name, count, size in zip(*columns, strict=True)}


def _tenants(engines: Sequence[Engine], tenant: str | None) -> list[str]:
    known = [
        DEFAULT_TENANT,
        *sorted({name for engine in engines for name in stored_tenants(engine)}),
    ]
    if tenant is None:
        return known
    if tenant not in known:
        raise StartupError(f"cannot measure tenant {tenant!r}: nothing is stored of it")
    return [tenant]


@contextmanager
def _engines(config: Config) -> Iterator[Sequence[Engine]]:
    """Give the engines; the data folder is needed only where the store lies in it."""
    if not config.storage.clickhouse_url:
        with opened_engines(config) as (_, engines):
            yield engines
        return
    connected = open_engines(config, config.storage.data_dir)
    try:
        yield connected
    finally:
        for engine in connected:
            engine.close()
