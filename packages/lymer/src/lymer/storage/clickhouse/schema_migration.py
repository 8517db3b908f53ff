"""Bring the database to the schema this program knows: what is missing, in order, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lymer.errors import StartupError
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.statements import schema_scripts
from lymer.storage.clickhouse.tiers import COLD_VOLUME, Tiers
from lymer.telemetry.logs import EventLog

__all__ = ["ARCHIVE_SECONDS", "NO_TIERS", "Kept", "migrate"]

_log = EventLog(__name__)
NO_TIERS: Final = Tiers()
RETENTION: Final = {
    "spans": "toDateTime(intDiv(seg, 1000000), 'UTC')",
    "operations": "seen",
    "origins": "seen",
    "red": "toDateTime(intDiv(batch, 1000000), 'UTC')",
    "red_hours": "toDateTime(intDiv(batch, 1000000), 'UTC')",
    "dependencies": "toDateTime(intDiv(batch, 1000000), 'UTC')",
    "graph": "toDateTime(intDiv(batch, 1000000), 'UTC')",
    "tail_rates": "toDateTime(intDiv(batch, 1000000), 'UTC')",
    "archive": "archived",
}
"""Tables whose rows go when they are old, and the instant from which that is counted. Written as
the engine writes expressions, so that a table's own text can be compared."""


ROLLUP_SECONDS: Final = 30 * 24 * 3_600
"""Sums (RED, dependencies) are kept so long, seconds, or as long as spans if that is longer."""
_ROLLUPS: Final = frozenset({"red", "red_hours", "dependencies", "graph"})


ARCHIVE_SECONDS: Final = 3_650 * 24 * 3_600
"""Archived traces are kept so long, seconds, where nobody says otherwise: ten years."""

_STATISTICS: Final = "auto_statistics_types"
"""Of every column, whenever spans are loaded: about 0.15 µs a span
(docs/adr/029-how-spans-lie-on-the-disk.md). No schema script: older servers lack it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How long tables keep rows, seconds."""

    spans: int
    archive: int = ARCHIVE_SECONDS
    tiers: Tiers = NO_TIERS

    def seconds(self, table: str) -> int:
        """Return how long a table keeps them: sums are small, and asked for after the spans."""
        if table == "archive":
            return self.archive
        return max(self.spans, ROLLUP_SECONDS) if table in _ROLLUPS else self.spans


def migrate(engine: Engine, database: str, kept: Kept, *, besides: Sequence[str] = ()) -> None:
    """Create or upgrade the tables, and set how long they keep rows.

    `besides` are statements for this store only, which may be repeated.

    A script is recorded after its last statement, and its statements may be repeated: what exists
    is not made again. So a crash in the middle is repaired by the next start.

    Raises:
        StartupError: The database was made by a newer program.
        StorageError: The engine refused a statement.
    """
    engine.command(database, "CREATE DATABASE IF NOT EXISTS {db}")
    engine.command(
        database,
        "CREATE TABLE IF NOT EXISTS {db}.schema_versions (version UInt32, name String, "
        "applied DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version "
        "SETTINGS fsync_after_insert = 1",
    )
    ((current,),) = engine.select(
        database, "SELECT {mark}, max(version) FROM {db}.schema_versions", 1
    )
    scripts = schema_scripts()
    newest = scripts[-1][0]
    if current > newest:
        message = (
            f"cannot open the store: its schema has version {current}, this program knows "
            f"{newest}; start the newer Lymer that wrote it, or choose another --data-dir"
        )
        raise StartupError(message)
    for version, name, statements in scripts:
        if version <= current:
            continue
        for statement in statements:
            engine.command(database, _filled(statement, kept))
        engine.command(
            database,
            f"INSERT INTO {{db}}.schema_versions (version, name) SELECT {version}, '{name}'",
        )
        _log.info("schema applied", version=version, schema=name)
    for text in besides:
        engine.command(database, text)
    statement = "SELECT {mark}, name, create_table_query FROM system.tables WHERE database = '{db}'"
    names, texts = engine.select(database, statement, 2)
    present = dict(zip(names, texts, strict=True))
    _set_retention(engine, database, kept, present)
    if _STATISTICS.encode() not in present[b"spans"]:
        _forgo_statistics(engine, database)


def _filled(statement: str, kept: Kept) -> str:
    for table, instant in RETENTION.items():
        statement = statement.replace(f"{{ttl_{table}}}", _ttl(instant, kept.seconds(table)))
    return statement


def _ttl(instant: str, retention_seconds: int) -> str:
    return f"TTL {instant} + toIntervalSecond({retention_seconds})"


def _forgo_statistics(engine: Engine, database: str) -> None:
    """Have none made of spans, where the engine would; one that has no such setting makes none."""
    ((known,),) = engine.select(
        database,
        f"SELECT {{mark}}, count() FROM system.merge_tree_settings WHERE name = '{_STATISTICS}'",
        1,
    )
    if known:
        engine.command(database, f"ALTER TABLE {{db}}.spans MODIFY SETTING {_STATISTICS} = ''")
        _log.info("statistics forgone", table="spans")


def _set_retention(
    engine: Engine, database: str, kept: Kept, present: Mapping[bytes, bytes]
) -> None:
    """Change policy and TTL of tables that were made with another retention, or without tiers."""
    tiers = kept.tiers
    policy = f"storage_policy = '{tiers.policy}'"
    if tiers.policy and policy.encode() not in present[b"spans"]:
        engine.command(database, f"ALTER TABLE {{db}}.spans MODIFY SETTING {policy}")
        _log.info("storage policy changed", table="spans", policy=tiers.policy)
    for table, instant in RETENTION.items():
        ttl = _ttl(instant, kept.seconds(table))
        if table == "spans" and 0 < tiers.after_seconds < kept.spans:
            moved = _ttl(instant, tiers.after_seconds).removeprefix("TTL ")
            ttl += f", {moved} TO VOLUME '{COLD_VOLUME}'"
        if f"{ttl} SETTINGS".encode() in present[table.encode()]:
            continue
        engine.command(
            database, f"ALTER TABLE {{db}}.{table} MODIFY {ttl}", {}, {"mutations_sync": 0}
        )
        _log.info("retention changed", table=table, seconds=kept.seconds(table))
