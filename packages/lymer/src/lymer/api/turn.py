"""Large answers are made one at a time, whoever asks and by whichever door."""

from __future__ import annotations

import asyncio
from typing import Final

from lymer.errors import OverloadedError

__all__ = ["SLOW_READER_BYTES_PER_SECOND", "SLOW_READER_SECONDS", "Pace", "Turn"]

SLOW_READER_SECONDS: Final = 15.0
SLOW_READER_BYTES_PER_SECOND: Final = 262_144
"""A reader of a large answer that takes less, once it has had `SLOW_READER_SECONDS` more, is left:
others wait for their turn."""


class Turn:
    """One for all doors of a process; lives on one event loop."""

    def __init__(self) -> None:
        """Nobody has it yet."""
        self._lock = asyncio.Lock()
        self._waiting = 0

    async def acquire(self) -> None:
        """Wait for it; each must be given back."""
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1

    def release(self) -> None:
        """Give it back."""
        self._lock.release()

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for it."""
        return self._waiting > 0


class Pace:
    """Measures how fast the reader of a large answer takes it."""

    def __init__(self, turn: Turn) -> None:
        """Begin; the answer has the turn."""
        self._turn = turn
        self._reading = 0.0
        self._size = 0

    def took(self, byte_count: int, seconds: float) -> None:
        """Count a piece that was taken.

        Raises:
            OverloadedError: It reads too slowly, and others wait.
        """
        self._reading += seconds
        self._size += byte_count
        late = self._reading - SLOW_READER_SECONDS
        if late * SLOW_READER_BYTES_PER_SECOND > self._size and self._turn.is_awaited:
            raise OverloadedError("the answer is read too slowly, and others wait")
