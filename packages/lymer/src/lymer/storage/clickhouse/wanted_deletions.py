"""Deletions on shards that are still wanted: each shard deletes its part, also if it is away now.

Before the first shard deletes, what is wanted of each stands in a table on one of them. A part that
is done is taken out of it. What is left, since a shard was away or the process ended, is carried
out by whoever counts on that shard when it is back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lymer.storage.clickhouse.engine import Engine

__all__ = ["MAKE_WANTED", "Wanted", "drop_wanted", "put_wanted", "read_wanted"]

MAKE_WANTED: Final = (
    "CREATE TABLE IF NOT EXISTS {db}.deletions_wanted (id UInt64, shard UInt16, who String, "
    "question String, ids String) ENGINE = MergeTree ORDER BY (id, shard) SETTINGS "
    "fsync_after_insert = 1, fsync_part_directory = 1, old_parts_lifetime = 20, "
    "cleanup_delay_period = 10, max_cleanup_delay_period = 20"
)
"""`ids` are trace ids in hex, one behind the other."""
_IDS_PER_ROW: Final = 2_000
_ID_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of one shard."""

    number: int
    """When it was asked for, microseconds."""
    shard: int
    who: str
    question: str
    trace_ids: tuple[str, ...]


def put_wanted(engine: Engine, database: str, one: Wanted, shards: int) -> None:
    """Write down that it is wanted of each of so many shards; `one.shard` is not looked at."""
    for first in range(0, len(one.trace_ids), _IDS_PER_ROW):
        engine.command(
            database,
            f"INSERT INTO {{db}}.deletions_wanted SELECT {one.number}, number, {{who:String}}, "
            f"{{question:String}}, {{ids:String}} FROM numbers({shards})",
            {
                "who": one.who,
                "question": one.question,
                "ids": "".join(one.trace_ids[first : first + _IDS_PER_ROW]),
            },
        )


def read_wanted(engine: Engine, database: str) -> list[Wanted]:
    """Return what is written down on one shard, the oldest first."""
    text = (
        "SELECT {mark}, id, shard, any(who), any(question), arrayStringConcat(groupArray(ids)) "
        "FROM {db}.deletions_wanted GROUP BY id, shard ORDER BY id, shard"
    )
    rows = zip(*engine.select(database, text, 5), strict=True)
    return [
        Wanted(number, shard, who.decode(errors="replace"), question.decode(errors="replace"),
               tuple(ids[at : at + _ID_DIGITS].decode() for at in range(0, len(ids), _ID_DIGITS)))
        for number, shard, who, question, ids in rows
    ]  # fmt: skip


def drop_wanted(engine: Engine, database: str, number: int, shard: int) -> None:
    """Take out what a shard has done."""
    engine.command(
        database,
        f"ALTER TABLE {{db}}.deletions_wanted DELETE WHERE id = {number} AND shard = {shard}",
        {},
        {"mutations_sync": 2},
    )
