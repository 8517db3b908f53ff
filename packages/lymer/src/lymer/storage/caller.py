"""Whoever waits for an answer may leave: what is still running for them is stopped.

The one who answers puts a `Caller` into the context of the call; whatever runs a statement, or asks
another process, says how it can be stopped for as long as it runs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Final

from lymer.errors import StorageError

__all__ = ["CALLER", "Caller", "stoppable"]


class Caller:
    """Somebody who waits; thread-safe."""

    def __init__(self) -> None:
        """Wait."""
        self._lock = threading.Lock()
        self._has_left = False
        self._stops: list[Callable[[], object]] = []

    def leave(self) -> None:
        """Stop what runs, and refuse to begin anything else; blocks while it is told to stop."""
        with self._lock:
            self._has_left = True
            stops = list(self._stops)
        for stop in stops:
            stop()

    @contextlib.contextmanager
    def running(self, stop: Callable[[], object]) -> Iterator[None]:
        """Have `stop` called if the caller leaves meanwhile; it may be called a little too late.

        Raises:
            StorageError: The caller has left already.
        """
        with self._lock:
            if self._has_left:
                raise StorageError("cannot answer: nobody waits for it any more")
            self._stops.append(stop)
        try:
            yield
        finally:
            with self._lock:
                self._stops.remove(stop)


CALLER: Final[ContextVar[Caller | None]] = ContextVar("CALLER", default=None)
"""Who waits for what is being done; None if nobody can leave."""


def stoppable(stop: Callable[[], object]) -> contextlib.AbstractContextManager[None]:
    """Return `Caller.running` of whoever waits here."""
    caller = CALLER.get()
    return caller.running(stop) if caller else contextlib.nullcontext()
