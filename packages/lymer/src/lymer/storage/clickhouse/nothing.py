"""An engine without a single row: what a tenant has of whom nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lymer.errors import StorageError
from lymer.storage.clickhouse.engine import Parameter, Settings

__all__ = ["NoEngine"]


class NoEngine:
    """An `Engine` that finds nothing and takes nothing."""

    def select(
        self,
        database: str,
        statement: str,
        width: int,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> list[list[Any]]:
        """Find nothing."""
        return [[] for _ in range(width)]

    def select_array(
        self,
        database: str,
        statement: str,
        row: Sequence[tuple[str, str]],
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> NDArray[np.void]:
        """Find nothing."""
        return np.empty(0, dtype=[*row])

    def command(
        self,
        database: str,
        statement: str,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Refuse."""
        raise StorageError("cannot store: there is no engine")

    def load_file(
        self, database: str, statement: str, path: Path, structure: str, settings: Settings, /
    ) -> None:
        """Refuse."""
        raise StorageError("cannot store: there is no engine")

    def check(self) -> None:
        """Be well."""

    def close(self) -> None:
        """Hold nothing."""
