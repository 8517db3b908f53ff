"""An engine that is opened when it is first asked, and again until that works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lymer.storage.clickhouse.engine import Engine, Parameter, Settings

__all__ = ["LateEngine"]


class LateEngine:
    """An `Engine`; what opening raises, a statement raises."""

    def __init__(self, open_engine: Callable[[], Engine]) -> None:
        """Remember how it is opened."""
        self._open = open_engine
        self._lock = threading.Lock()
        self._opened: Engine | None = None

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
        return self._engine().select(database, statement, width, parameters, settings)

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
        return self._engine().select_array(database, statement, row, parameters, settings)

    def command(
        self,
        database: str,
        statement: str,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> None:
        """See `Engine.command`."""
        self._engine().command(database, statement, parameters, settings)

    def load_file(
        self, database: str, statement: str, path: Path, structure: str, settings: Settings, /
    ) -> None:
        """See `Engine.load_file`."""
        self._engine().load_file(database, statement, path, structure, settings)

    def check(self) -> None:
        """See `Engine.check`."""
        self._engine().check()

    def close(self) -> None:
        """Close it if it was opened; idempotent."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()

    def _engine(self) -> Engine:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened
