"""An engine that is killed between two statements."""

from __future__ import annotations

from typing import Any

from lymer.storage.clickhouse.engine import Engine

__all__ = ["KilledError", "MortalEngine"]


class KilledError(BaseException):
    """What a program under kill -9 sees next: nothing."""


class MortalEngine:
    """An `Engine` in front of another one."""

    def __init__(self, engine: Engine) -> None:
        """Live as long as nobody sets `commands_left`."""
        self._engine = engine
        self.commands_left: int | None = None
        """Statements that store something and still work; None for all."""

    def command(self, database: str, statement: str, /, *arguments: Any, **settings: Any) -> None:
        """Run a statement, or be dead."""
        if self.commands_left is not None:
            if self.commands_left == 0:
                raise KilledError
            self.commands_left -= 1
        self._engine.command(database, statement, *arguments, **settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)
