"""An engine for readers whose old spans may be out of reach: what lies on local disks answers then.

A question that may need an old part fails while its object storage is away, even one for a trace of
today: a part's index lies where the part lies. It is asked again of the parts on local disks alone,
and whoever waits for the answer is told (`Caller.lack`). Nobody else gets half an answer: what a
rollup or a sampler reads is whole, or an error.
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
from lymer.errors import StorageError
from lymer.storage.caller import CALLER
from lymer.storage.clickhouse.engine import Engine, Parameter, Settings

__all__ = ["TieredEngine"]

_AWAY_CODE: Final = "Code: 499."
"""S3_ERROR."""
_AWAY_WORDS: Final = "for S3 disk"
"""What the engine adds to any error of reading a part there."""
_AWAY_SECONDS: Final = 5.0
"""So long after a failure old parts are not asked for: each try takes the engine's retries."""
_DISKS: Final = "SELECT {mark}, name, type = 'Local' FROM system.disks ORDER BY name"
_Answer = TypeVar("_Answer")


class TieredEngine:
    """An `Engine` of a reader; safe between threads."""

    def __init__(self, engine: Engine, on_partial: Callable[[], object]) -> None:
        """Ask through `engine`; `on_partial` is called before what is not whole is returned."""
        self._engine = engine
        self._on_partial = on_partial
        self._lock = threading.Lock()
        self._away_since = -math.inf

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
            database,
            settings,
            lambda more: self._engine.select(database, statement, width, parameters, more),
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
            database,
            settings,
            lambda more: self._engine.select_array(database, statement, row, parameters, more),
        )

    def command(
        self,
        database: str,
        statement: str,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> None:
        """See `Engine.command`; what it copies is whole, or an error."""
        self._engine.command(database, statement, parameters, settings)

    def load_file(
        self, database: str, statement: str, path: Path, structure: str, settings: Settings, /
    ) -> None:
        """See `Engine.load_file`."""
        self._engine.load_file(database, statement, path, structure, settings)

    def check(self) -> None:
        """See `Engine.check`."""
        self._engine.check()

    def close(self) -> None:
        """See `Engine.close`."""
        self._engine.close()

    def _asked(
        self, database: str, settings: Settings | None, ask: Callable[[Settings | None], _Answer]
    ) -> _Answer:
        caller = CALLER.get()
        if caller is None:
            return ask(settings)
        failure: StorageError | None = None
        if self._may_be_there():
            try:
                answer = ask(settings)
            except StorageError as error:
                if not str(error).startswith(_AWAY_CODE) and _AWAY_WORDS not in str(error):
                    raise
                failure = error
            else:
                self._is_there()
                if caller.lacks:  # of a shard
                    self._on_partial()
                return answer
        local, away = self._disks()
        if failure is not None and not away:
            raise failure
        listed = ", ".join(rf"\'{name}\'" for name in local)
        only_local = f"{{'{database}.spans': '_disk_name IN ({listed})'}}"
        answer = ask({**(settings or {}), "additional_table_filters": only_local})
        if failure is not None:
            self._is_away()
        self._on_partial()
        caller.lack(
            "this answer is partial: object storage does not answer, and it lacks the old spans "
            f"that lie there (disk {', '.join(away)})"
        )
        return answer

    def _may_be_there(self) -> bool:
        """Say whether old parts are to be asked for; of those who wait, one finds out."""
        with self._lock:
            now = clock.monotonic_seconds()
            if now - self._away_since < _AWAY_SECONDS:
                return False
            if self._away_since > -math.inf:
                self._away_since = now
            return True

    def _is_there(self) -> None:
        with self._lock:
            self._away_since = -math.inf

    def _is_away(self) -> None:
        with self._lock:
            self._away_since = clock.monotonic_seconds()

    def _disks(self) -> tuple[list[str], list[str]]:
        """Return the names of local disks, and of all others."""
        names, are_local = self._engine.select("", _DISKS, 2)
        listed = list(zip(map(bytes.decode, names), are_local, strict=True))
        return [name for name, is_local in listed if is_local], [
            name for name, is_local in listed if not is_local
        ]
