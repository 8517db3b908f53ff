"""The collectors that write to one store: their numbers, and how far each of them has come."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lymer.errors import StartupError, StorageError
from lymer.model.segment_id import COLLECTORS_MAX
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.lease import Lease

__all__ = [
    "MAKE_WRITERS",
    "Sharing",
    "collector_identity",
    "collector_number",
    "publish",
    "published",
    "share",
]

_DATABASE: Final = "lymer"
_PREFIX: Final = "collector_"
_EXISTS: Final = "Code: 57."
_IDENTITY: Final = re.compile(r"[0-9a-f]{32}\Z")

MAKE_WRITERS: Final = (
    "CREATE TABLE IF NOT EXISTS {db}.writers (collector UInt16, settled UInt64) "
    "ENGINE = ReplacingMergeTree(settled) ORDER BY collector SETTINGS fsync_after_insert = 1"
)
"""Up to which segment each collector has stored all of a tenant's."""


def collector_identity(data_dir: Path) -> str:
    """Return who the collector of a data folder is, made at its first start.

    Raises:
        StartupError: The file cannot be read or written, or holds something else.
    """
    file = data_dir / "collector-id"
    try:
        if not file.exists():
            draft = file.with_suffix(".new")
            draft.write_text(secrets.token_hex(16) + "\n", encoding="ascii")
            draft.replace(file)
        identity = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"cannot know which collector this is: {file}: {error}") from error
    if not _IDENTITY.match(identity):
        raise StartupError(
            f"cannot know which collector this is: {file} does not hold 32 hex digits; restore it, "
            "or remove it once journal/ beside it is empty"
        )
    return identity


def collector_number(engines: Sequence[Engine], identity: str) -> int:
    """Return the number that a collector has in each of these stores, 1 to 4095.

    A new one gets the lowest that is free in all. A number is a table: of two who make one with the
    same name, one fails.

    Raises:
        StartupError: There is none left.
        StorageError: An engine failed.
    """
    for engine in engines:
        engine.command(_DATABASE, "CREATE DATABASE IF NOT EXISTS {db}")
    while True:
        taken = [_taken(engine) for engine in engines]
        # The first store has the say, for it is asked first; one that is cut off goes on here.
        number = next((one for one, of in taken[0].items() if of == identity), None)
        if number is None:
            number = next(
                (one for one in range(1, COLLECTORS_MAX) if all(one not in of for of in taken)),
                None,
            )
        if number is None:
            raise StartupError(
                f"cannot write to the store: {COLLECTORS_MAX - 1} collectors have written to it; "
                f"give collectors lasting data folders, and drop a table {_DATABASE}.{_PREFIX}NNNN "
                "of one that is gone for good"
            )
        if all(
            of.get(number) == identity or (number not in of and _claim(engine, number, identity))
            for engine, of in zip(engines, taken, strict=True)
        ):
            return number
        if identity == taken[0].get(number):
            raise StartupError(
                f"cannot write to the cluster: collector number {number} is another's on one of "
                "its shards; shards that were stores of their own cannot be put together"
            )


def _taken(engine: Engine) -> dict[int, str]:
    statement = (
        f"SELECT {{mark}}, name, comment FROM system.tables WHERE database = '{_DATABASE}' "
        f"AND startsWith(name, '{_PREFIX}')"
    )
    names, comments = engine.select("", statement, 2)
    return {
        int(name.decode().removeprefix(_PREFIX)): comment.decode()
        for name, comment in zip(names, comments, strict=True)
    }


def _claim(engine: Engine, number: int, identity: str) -> bool:
    """Make a number ours; return whether nobody was faster."""
    try:
        engine.command(
            _DATABASE,
            f"CREATE TABLE {{db}}.{_PREFIX}{number:04d} (nothing UInt8) ENGINE = Memory "
            f"COMMENT '{identity}'",
        )
    except StorageError as error:
        if _EXISTS in str(error):
            return False
        raise
    return True


def publish(engine: Engine, database: str, collector: int, settled: int) -> None:
    """Say up to which segment a collector has stored all; a lower one than before is ignored."""
    engine.command(database, f"INSERT INTO {{db}}.writers SELECT {collector}, {settled}")


def published(engine: Engine, database: str) -> dict[int, int]:
    """Return up to which segment each collector has stored all."""
    statement = "SELECT {mark}, collector, max(settled) FROM {db}.writers GROUP BY collector"
    collectors, settled = engine.select(database, statement, 2)
    return dict(zip(collectors, settled, strict=True))


@dataclass(frozen=True, slots=True)
class Sharing:
    """Our part among the collectors of a store."""

    identity: str
    """Lasts as long as the data folder."""
    collector: int
    """Number in this store."""
    counts: Lease
    """Whoever holds it counts rollups and decides on traces."""
    loads: Lease
    """Ours alone. A load that was given up is of an earlier turn: it cannot begin any more."""
    shard: int = 0
    """Which of `shards` this store is; it keeps the traces whose hash says so."""
    shards: int = 1
    cluster: str = ""
    """Name of the cluster that the shards are; empty if there is one server."""

    @property
    def ours(self) -> str:
        """A clause WHERE for segments of this collector."""
        return f" WHERE bitAnd(seg, {COLLECTORS_MAX - 1}) = {self.collector}"

    @property
    def share(self) -> str:
        """A condition on the traces that this shard keeps, where they are loaded; empty: all."""
        if self.shards == 1:
            return ""
        return f"cityHash64(trace) % {self.shards} = {self.shard}"


def share(engines: Sequence[Engine], data_dir: Path, cluster: str = "") -> list[Sharing]:
    """Take part in each shard's store: as who the data folder says, with one number.

    Raises:
        StartupError: It cannot be known who we are, or there are too many.
        StorageError: An engine failed.
    """
    identity = collector_identity(data_dir)
    number = collector_number(engines, identity)
    return [
        Sharing(
            identity,
            number,
            Lease(engine, "counts", identity),
            _turn_of_loads(engine, number, identity),
            shard,
            len(engines),
            cluster,
        )
        for shard, engine in enumerate(engines)
    ]


def _turn_of_loads(engine: Engine, number: int, identity: str) -> Lease:
    turn = Lease(engine, f"loads{number}", identity)
    turn.seize()
    return turn
