"""Bring the database to the schema this program knows: what is missing, in order, once."""

from __future__ import annotations

import re
from typing import Final

from lymer.errors import StartupError
from lymer.storage.clickhouse.database import Database
from lymer.storage.clickhouse.expressions import schema_scripts
from lymer.telemetry.logs import EventLog

__all__ = ["migrate"]

_log = EventLog(__name__)
_TABLES_WITH_TTL: Final = (
    "spans",
    "operations",
    "origins",
    "red",
    "dependencies",
    "tail_rates",
)
_TTL: Final = re.compile(r"\bTTL (.*?INTERVAL|.*?toIntervalSecond\()\s*'?(\d+)'?", re.DOTALL)


def migrate(database: Database, retention_seconds: int) -> None:
    """Create or upgrade the tables, and set how long they keep rows.

    A script is recorded after its last statement; its statements are `CREATE`s, each skipped if its
    object exists, so a crash in the middle is repaired by the next start.

    Raises:
        StartupError: The database was made by a newer program.
        StorageError: The engine refused a statement.
    """
    database.command("CREATE DATABASE IF NOT EXISTS {db}", {})
    database.command(
        "CREATE TABLE IF NOT EXISTS {db}.schema_versions (version UInt32, name String, "
        "applied DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version "
        "SETTINGS fsync_after_insert = 1",
        {},
    )
    rows = database.query("SELECT max(version) FROM {db}.schema_versions FORMAT TSV", {}, {})
    current = int(rows)
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
            database.command(_if_not_exists(statement, retention_seconds), {})
        database.command(
            f"INSERT INTO {{db}}.schema_versions (version, name) VALUES ({version}, '{name}')", {}
        )
        _log.info("schema applied", version=version, schema=name)
    _set_retention(database, retention_seconds)


def _if_not_exists(statement: str, retention_seconds: int) -> str:
    filled = statement.replace("{retention_seconds}", str(retention_seconds))
    return re.sub(
        r"^CREATE (TABLE|MATERIALIZED VIEW) ", r"CREATE \1 IF NOT EXISTS ", filled, count=1
    )


def _set_retention(database: Database, retention_seconds: int) -> None:
    """Change the TTL of tables that were made with another retention."""
    tables = ", ".join(f"'{table}'" for table in _TABLES_WITH_TTL)
    output = database.query(
        "SELECT name, replaceAll(create_table_query, '\\n', ' ') FROM system.tables "
        f"WHERE database = '{{db}}' AND name IN ({tables}) FORMAT TSVRaw",
        {},
        {},
    )
    for line in output.decode().splitlines():
        table, _, text = line.partition("\t")
        found = _TTL.search(text)
        if found is None or int(found.group(2)) == retention_seconds:
            continue
        expression = found.group(1) + found.group(2)
        changed = expression[: -len(found.group(2))] + str(retention_seconds)
        changed += ")" if changed.count("(") > changed.count(")") else " SECOND"
        database.command(f"ALTER TABLE {{db}}.{table} MODIFY TTL {changed}", {"mutations_sync": 0})
        _log.info("retention changed", table=table, seconds=retention_seconds)
