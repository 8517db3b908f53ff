"""Tenants of a data folder that no Lymer uses now: who there is, and how one goes for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lymer.config import Config
from lymer.errors import StartupError
from lymer.journal.disk import sync_folder
from lymer.journal.lock import FolderLock
from lymer.journal.recovery import segment_path
from lymer.roles.storing import open_engines
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.engine_front import FRONT
from lymer.storage.clickhouse.tenants import database_of, stored_tenants
from lymer.tenancy import DEFAULT_TENANT, is_tenant, tenant_code

__all__ = ["StoredTenant", "list_tenants", "opened_engines", "remove_tenant"]

_SIZES: Final = (
    "SELECT {mark}, sumIf(rows, table = 'spans'), sum(bytes_on_disk) FROM system.parts "
    "WHERE active AND database = '{db}'"
)


@dataclass(frozen=True, slots=True)
class StoredTenant:
    """One tenant, and what it has in the store."""

    name: str
    """Empty for what was stored without tenancy."""
    span_count: int
    byte_count: int
    """On disk, indexes and rollups included."""


def list_tenants(config: Config) -> list[StoredTenant]:
    """Return the tenants of the store, sorted; the default tenant is the first.

    Raises:
        StartupError: There is no store, or another process has it.
    """
    with opened_engines(config) as (_, engines):
        found = []
        names = {name for engine in engines for name in stored_tenants(engine)}
        for name in [DEFAULT_TENANT, *sorted(names)]:
            sizes = [engine.select(database_of(name), _SIZES, 2) for engine in engines]
            found.append(
                StoredTenant(
                    name,
                    sum(spans for (spans,), _ in sizes),
                    sum(size for _, (size,) in sizes),
                )
            )
        return found


def remove_tenant(config: Config, name: str) -> None:
    """Remove all that `name` has: what waits in the journal, the store, and the quarantine.

    Each step may be repeated: after a crash in the middle, call it again.

    Raises:
        StartupError: There is no such tenant, no store, or another process has it.
    """
    with opened_engines(config) as (data_dir, engines):
        journal, quarantine = data_dir / "journal", data_dir / "quarantine"
        waiting = _files(journal, f"*.{tenant_code(name)}{segment_path(journal, 0).suffix}")
        known = is_tenant(name) and (
            waiting or any(name in stored_tenants(engine) for engine in engines)
        )
        if not known:
            raise StartupError(f"cannot remove tenant {name!r}: nothing is stored of it")
        for path in waiting:
            path.unlink()
        if waiting:
            sync_folder(journal)
        for engine in engines:
            for database in (FRONT + database_of(name), database_of(name)):
                engine.command(database, "DROP DATABASE IF EXISTS {db} SYNC")
        for path in _files(quarantine, f"*.{tenant_code(name)}-*"):
            path.unlink()


def _files(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern)) if folder.is_dir() else []


@contextmanager
def opened_engines(config: Config) -> Iterator[tuple[Path, Sequence[Engine]]]:
    """Give the data folder, and the engine of each shard, of a store that no process here uses.

    Raises:
        StartupError: There is no store, or another process has the folder.
    """
    data_dir = config.storage.data_dir.absolute()
    if not config.storage.clickhouse_url and not (data_dir / "store").is_dir():
        raise StartupError(f"there is no store in {data_dir}; name another with --data-dir")
    lock = FolderLock(data_dir)
    try:
        engines = open_engines(config, data_dir)
        try:
            yield data_dir, engines
        finally:
            for engine in engines:
                engine.close()
    finally:
        lock.release()
