"""Large answers are made one at a time, whoever asks and by whichever door.

One that is read in parts gives its turn back between two pieces, so that all of them go on; what
they hold meanwhile has a limit, and who would go beyond it keeps the turn to its end.
"""

from __future__ import annotations

import asyncio
from typing import Final

from lymer.errors import OverloadedError

__all__ = [
    "HELD_BYTES_MAX",
    "SLOW_READER_BYTES_PER_SECOND",
    "SLOW_READER_SECONDS",
    "LargeAnswer",
    "Pace",
    "Turn",
]

HELD_BYTES_MAX: Final = 384 * 2**20
"""What large answers that are being sent hold together while each waits for its next piece."""

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
        self._held = 0

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

    def hold(self, byte_count: int) -> bool:
        """Take so much of what answers may hold while others have the turn; tell if there is."""
        if self._held + byte_count > HELD_BYTES_MAX:
            return False
        self._held += byte_count
        return True

    def let_go(self, byte_count: int) -> None:
        """Give it back."""
        self._held -= byte_count

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for it."""
        return self._waiting > 0


class LargeAnswer:
    """One large answer, from its turn to its end; not thread-safe."""

    def __init__(self, turn: Turn) -> None:
        """It has not begun."""
        self._turn = turn
        self._has_turn = False
        self._held: int | None = None

    async def begin(self) -> None:
        """Wait for the turn."""
        await self._turn.acquire()
        self._has_turn = True

    def share(self, bytes_held: int | None) -> None:
        """Give the turn back until the next piece, if that may be held meanwhile.

        Args:
            bytes_held: What the answer holds of memory while it is sent; None: all of it.
        """
        if bytes_held is not None and self._turn.hold(bytes_held):
            self._held = bytes_held
            self._pause()

    async def __aenter__(self) -> None:
        """Wait until a piece may be made."""
        if not self._has_turn:
            await self.begin()

    async def __aexit__(self, *_error: object) -> None:
        """Let another answer make one."""
        if self._held is not None:
            self._pause()

    def end(self) -> None:
        """Give back what it has; idempotent."""
        self._pause()
        self._turn.let_go(self._held or 0)
        self._held = None

    def _pause(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turn.release()


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
