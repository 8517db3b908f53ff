"""The shards of a cluster as one engine to read: `Distributed` tables before the tables of each.

Any shard's server can put an answer together, so the next one is asked if one is away. A shard
that is away is left out only after a statement has failed for it, and whoever waits for the answer
is told (`Caller.lack`).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from lymer import clock
from lymer.errors import StorageAwayError, StorageError
from lymer.storage.caller import CALLER
from lymer.storage.clickhouse.engine import Engine, Parameter, Settings

__all__ = ["FRONT", "FrontEngine", "make_front", "told_by_shards"]

FRONT: Final = "all_"
"""Before the name of a tenant's database: that of its `Distributed` tables."""
_TABLES: Final = (
    "spans", "operations", "origins", "red", "red_hours", "dependencies", "graph", "throughput",
    "archive", "tail_decisions", "tail_progress", "tail_rates", "sampling_rates", "schema_versions",
)  # fmt: skip
_AWAY_CODES: Final = (
    "Code: 279.", "Code: 210.", "Code: 209.", "Code: 32.", "Code: 60.", "Code: 81.",
)  # fmt: skip
"""ALL_CONNECTION_TRIES_FAILED, NETWORK_ERROR, SOCKET_TIMEOUT, ATTEMPT_TO_READ_AFTER_EOF; and
UNKNOWN_TABLE, UNKNOWN_DATABASE of a shard that is new."""
_AWAY_SECONDS: Final = 2.0
"""A shard that was away is asked again after so long."""
_ALWAYS: Final[Mapping[str, str | int]] = {
    # A subquery of a statement is about all shards, not about that of the rows it is compared with.
    "distributed_product_mode": "global",
    "prefer_global_in_and_join": 1,
    "distributed_foreground_insert": 1,
    "connections_with_failover_max_tries": 1,
}
_Answer = TypeVar("_Answer")


def make_front(cluster: str) -> tuple[str, ...]:
    """Return the statements that make a tenant's `Distributed` tables anew, on each shard."""
    return (
        f"CREATE DATABASE IF NOT EXISTS {FRONT}{{db}}",
        *(
            f"CREATE OR REPLACE TABLE {FRONT}{{db}}.{table} AS {{db}}.{table} "
            f"ENGINE = Distributed('{cluster}', '{{db}}', '{table}', rand())"
            for table in _TABLES
        ),
    )


def told_by_shards(cluster: str) -> str:
    """Return the statement whose number changes when anybody tells a catalog on any shard."""
    return (
        "SELECT {mark}, groupBitXor(cityHash64(_shard_num, table, name)), "
        f"(SELECT sum(arrayMax(block_numbers.number)) FROM cluster('{cluster}', system.mutations) "
        f"WHERE concat('{FRONT}', database) = '{{db}}' AND table IN ('operations', 'origins') "
        "AND is_done) "
        f"FROM cluster('{cluster}', system.parts) WHERE concat('{FRONT}', database) = '{{db}}' "
        "AND table IN ('operations', 'origins') AND active"
    )


class FrontEngine:
    """An `Engine` that reads all shards; safe between threads."""

    def __init__(self, engines: Sequence[Engine], cluster: str) -> None:
        """Remember whom to ask.

        Args:
            engines: Each shard's server; closed by `close`.
            cluster: Its name.
        """
        self._engines = tuple(engines)
        self._cluster = cluster
        self._lock = threading.Lock()
        self._first = 0
        self._lacking_since = -math.inf

    def select(
        self,
        database: str,
        statement: str,
        width: int,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> list[list[Any]]:
        """See `Engine.select`."""
        return self._asked(
            lambda engine, more: engine.select(
                _front(database), statement, width, parameters, {**(settings or {}), **more}
            )
        )

    def select_array(
        self,
        database: str,
        statement: str,
        row: Sequence[tuple[str, str]],
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> NDArray[np.void]:
        """See `Engine.select_array`."""
        return self._asked(
            lambda engine, more: engine.select_array(
                _front(database), statement, row, parameters, {**(settings or {}), **more}
            )
        )

    def command(
        self,
        database: str,
        statement: str,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> None:
        """See `Engine.command`; what it inserts goes to one shard or another."""
        self._asked(
            lambda engine, more: engine.command(
                _front(database), statement, parameters, {**(settings or {}), **more}
            )
        )

    def load_file(
        self, database: str, statement: str, path: Path, structure: str, settings: Settings, /
    ) -> None:
        """Segments are loaded by the shards, each its own part."""
        raise NotImplementedError

    def check(self) -> None:
        """Return if at least one shard is likely to answer."""
        self._asked(lambda engine, _: engine.check())

    def close(self) -> None:
        """Close all; idempotent."""
        for engine in self._engines:
            engine.close()

    def _asked(self, ask: Callable[[Engine, Settings], _Answer]) -> _Answer:
        """Ask the first server that is there, for all shards or for those that are there."""
        with self._lock:
            first = self._first
            lacks = clock.monotonic_seconds() - self._lacking_since < _AWAY_SECONDS
        away: StorageError | None = None
        for offset in range(len(self._engines)):
            place = (first + offset) % len(self._engines)
            engine = self._engines[place]
            try:
                if not lacks:
                    try:
                        return ask(engine, _ALWAYS)
                    except StorageError as error:
                        if not str(error).startswith(_AWAY_CODES):
                            raise
                answer = ask(engine, {**_ALWAYS, "skip_unavailable_shards": 1})
            except StorageAwayError as error:
                away = error
                continue
            with self._lock:
                self._first = place
                if not lacks:
                    self._lacking_since = clock.monotonic_seconds()
            caller = CALLER.get()
            if caller is not None:
                caller.lack(
                    f"this answer is partial: not all shards of the ClickHouse cluster "
                    f"{self._cluster} answer, and it lacks what lies on the others"
                )
            return answer
        raise away or StorageAwayError("cannot ask the ClickHouse cluster: it has no shards")


def _front(database: str) -> str:
    return FRONT + database if database else ""
