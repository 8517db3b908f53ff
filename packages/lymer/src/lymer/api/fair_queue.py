"""Who waits for a thread: whoever asks much waits behind his own questions, nobody else's."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Final

from lymer.errors import OverloadedError

__all__ = ["NEWCOMERS_SHARE", "FairQueue"]

NEWCOMERS_SHARE: Final = 4
"""One in so many places is kept for those who have none."""


class FairQueue:
    """Places for questions, some of which run; lives on one event loop.

    Those who wait are served in turn, a question of each. Nobody may hold all places.
    """

    def __init__(self, *, running_max: int, places_max: int) -> None:
        """Begin empty.

        Args:
            running_max: Questions that run at once.
            places_max: Questions that run or wait.
        """
        self._running_max = running_max
        self._places_max = places_max
        self._held: dict[str, int] = {}
        self._places = 0
        self._running = 0
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def enter(self, asker: str) -> None:
        """Wait until a question of `asker` may run; `leave` must follow.

        Raises:
            OverloadedError: There is no place for it.
        """
        others = self._places_max - self._places_max // NEWCOMERS_SHARE
        held = self._held.get(asker, 0)
        if self._places >= self._places_max or (held and self._places >= others):
            raise OverloadedError(
                f"cannot answer now: {self._places} questions are being answered, {held} of them "
                f"yours, the limit is {others if held else self._places_max}"
            )
        self._places += 1
        self._held[asker] = held + 1
        if self._running < self._running_max:
            self._running += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(asker, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(asker)  # its turn came, and nobody took it
            else:
                self._give_up(asker)
                self._drop(asker, turn)
            raise

    def leave(self, asker: str) -> None:
        """Give the place back; the next one in turn runs."""
        self._give_up(asker)
        self._running -= 1
        while self._waiting:
            following, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[following] = turns
            if not turn.cancelled():
                self._running += 1
                turn.set_result(None)
                return

    def _give_up(self, asker: str) -> None:
        self._places -= 1
        self._held[asker] -= 1
        if not self._held[asker]:
            del self._held[asker]

    def _drop(self, asker: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(asker, deque())
        if turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[asker]
