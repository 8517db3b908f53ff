"""Tenants of a data folder that no Lymer uses now: who there is, and how one goes for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lymer.config import Config
from lymer.errors import StartupError
from lymer.journal.disk import sync_folder
from lymer.journal.lock import FolderLock
from lymer.journal.recovery import segment_path
from lymer.roles.storing import open_engine
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.tenants import database_of, stored_tenants
from lymer.tenancy import DEFAULT_TENANT, is_tenant, tenant_code

__all__ = ["StoredTenant", "list_tenants", "remove_tenant"]

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
    with _opened(config) as (_, engine):
        found = []
        for name in [DEFAULT_TENANT, *stored_tenants(engine)]:
            (spans,), (size,) = engine.select(database_of(name), _SIZES, 2)
            found.append(StoredTenant(name, spans, size))
        return found


def remove_tenant(config: Config, name: str) -> None:
    """Remove all that `name` has: what waits in the journal, the store, and the quarantine.

    Each step may be repeated: after a crash in the middle, call it again.

    Raises:
        StartupError: There is no such tenant, no store, or another process has it.
    """
    with _opened(config) as (data_dir, engine):
        journal, quarantine = data_dir / "journal", data_dir / "quarantine"
        waiting = _files(journal, f"*.{tenant_code(name)}{segment_path(journal, 0).suffix}")
        known = is_tenant(name) and (waiting or name in stored_tenants(engine))
        if not known:
            raise StartupError(f"cannot remove tenant {name!r}: nothing is stored of it")
        for path in waiting:
            path.unlink()
        if waiting:
            sync_folder(journal)
        engine.command(database_of(name), "DROP DATABASE IF EXISTS {db} SYNC")
        for path in _files(quarantine, f"*.{tenant_code(name)}-*"):
            path.unlink()


def _files(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern)) if folder.is_dir() else []


@contextmanager
def _opened(config: Config) -> Iterator[tuple[Path, Engine]]:
    data_dir = config.storage.data_dir.absolute()
    if not config.storage.clickhouse_url and not (data_dir / "store").is_dir():
        raise StartupError(f"there is no store in {data_dir}; name another with --data-dir")
    lock = FolderLock(data_dir)
    try:
        engine = open_engine(config, data_dir)
        try:
            yield data_dir, engine
        finally:
            engine.close()
    finally:
        lock.release()
