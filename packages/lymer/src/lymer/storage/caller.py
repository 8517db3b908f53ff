"""Whoever waits for an answer may leave: what is still running for them is stopped.

The one who answers puts a `Caller` into the context of the call; whatever runs a statement, or asks
another process, says how it can be stopped for as long as it runs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Final

import orjson

from lymer.errors import LymerError, StorageAwayError, StorageError, TraceNotFoundError
from lymer.telemetry.logs import EventLog

__all__ = [
    "CALLER",
    "ESTIMATE",
    "ESTIMATED",
    "PARTIAL",
    "Caller",
    "leave_out",
    "listener",
    "not_found",
    "stoppable",
    "tell_estimates",
]

PARTIAL: Final = "lymer-partial"
"""The header, and gRPC's trailing metadata, that says what an answer lacks."""
ESTIMATE: Final = "lymer-estimate"
"""The header, and gRPC's trailing metadata, that says that numbers are estimates."""
ESTIMATED: Final = "spans count as many as their sampling threshold says"
_PARTIAL_CHARACTERS_MAX: Final = 2_000
_NOTES_MAX: Final = 6
_NOTE_CHARACTERS_MAX: Final = 150
_log = EventLog(__name__)


class Caller:
    """Somebody who waits; thread-safe."""

    def __init__(self) -> None:
        """Wait."""
        self._lock = threading.Lock()
        self._has_left = False
        self._stops: list[Callable[[], object]] = []
        self._lacks: list[str] = []
        self.left_out: Final[dict[str, str]] = {}
        """Why traces that are stored are not in the answer, by their ids."""
        self.is_told_estimates = False
        """Whether the answer counts spans some of which stand for several."""
        self.on_part: Callable[[Any], object] | None = None
        """Takes what will be in the answer as it is, while the rest is looked for: for a question
        in the search language, `FoundSpansets` or `FoundSeries` in parts, newest first."""

    @property
    def told(self) -> list[tuple[str, str]]:
        """What the answer says of itself: names and values of headers."""
        partial = [(PARTIAL, self.partial)] if self.lacks else []
        return partial + ([(ESTIMATE, ESTIMATED)] if self.is_told_estimates else [])

    def leave(self) -> None:
        """Stop what runs, and refuse to begin anything else; blocks while it is told to stop."""
        with self._lock:
            self._has_left = True
            stops = list(self._stops)
        for stop in stops:
            stop()

    @property
    def lacks(self) -> tuple[str, ...]:
        """What the answer does not hold, though it should: sentences for its reader."""
        with self._lock:
            return tuple(self._lacks)

    def lack(self, sentence: str) -> None:
        """Let the answer say that it is partial."""
        with self._lock:
            if sentence not in self._lacks:
                self._lacks.append(sentence)

    def leave_out(self, trace_id: str, why: str) -> None:
        """Let the answer say that it lacks a trace, and why."""
        self.left_out[trace_id] = why
        self.lack(f"trace {trace_id} is left out: {why}")

    @property
    def partial(self) -> str:
        """What the answer does not hold, as the value of a header; empty if nothing."""
        text = "; ".join(self.lacks).encode("ascii", "replace").decode()
        if len(text) <= _PARTIAL_CHARACTERS_MAX:
            return text
        return f"{text[:_PARTIAL_CHARACTERS_MAX]} and more"

    def notes(self) -> bytes:
        """Return what the answer says of itself, for a process that passes it on; b"" if nothing.

        Some kilobytes at most, for it travels in a trailer.
        """
        left_out = list(self.left_out.items())
        told = {f"trace {trace_id} is left out: {why}" for trace_id, why in left_out}
        lacks = [one for one in self.lacks if one not in told]
        if not (lacks or left_out or self.is_told_estimates):
            return b""
        kept = [[trace_id, _cut(why)] for trace_id, why in left_out[:_NOTES_MAX]]
        if len(left_out) > _NOTES_MAX:
            kept.append(["", f"{len(left_out) - _NOTES_MAX} more"])
        notes = [[_cut(one) for one in lacks[:_NOTES_MAX]], kept, self.is_told_estimates]
        return orjson.dumps(notes)

    def take_notes(self, notes: bytes) -> None:
        """Let the answer say what `notes` of another process's caller say."""
        lacks, left_out, is_estimated = orjson.loads(notes)
        for sentence in lacks:
            self.lack(sentence)
        for trace_id, why in left_out:
            self.leave_out(trace_id or "of others", why)
        self.is_told_estimates = self.is_told_estimates or is_estimated

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


def _cut(sentence: str) -> str:
    """Return at most as much as may stand in a note; a lone half of a pair becomes a mark."""
    return sentence[:_NOTE_CHARACTERS_MAX].encode(errors="replace").decode()


CALLER: Final[ContextVar[Caller | None]] = ContextVar("CALLER", default=None)
"""Who waits for what is being done; None if nobody can leave."""


def listener() -> Callable[[Any], object] | None:
    """Return `Caller.on_part` of whoever waits here."""
    caller = CALLER.get()
    return caller.on_part if caller else None


def stoppable(stop: Callable[[], object]) -> contextlib.AbstractContextManager[None]:
    """Return `Caller.running` of whoever waits here."""
    caller = CALLER.get()
    return caller.running(stop) if caller else contextlib.nullcontext()


def tell_estimates(*, is_estimated: bool) -> None:
    """Let the answer that is being made say that it is an estimate, if it is."""
    caller = CALLER.get()
    if caller is not None and is_estimated:
        caller.is_told_estimates = True


def leave_out(trace_id: str, why: object) -> None:
    """Let the answer that is being made, and the log, say that a trace is too large for it."""
    _log.warning("trace left out of an answer", trace_id=trace_id, error=why)
    caller = CALLER.get()
    if caller is not None:
        caller.leave_out(trace_id, str(why))


def not_found(message: str = "trace not found") -> LymerError:
    """Return the error of what is not there; if the answer is partial, it may only be out of reach.

    A trace that was left out as too large does not count: that answer is about others.
    """
    caller = CALLER.get()
    if caller is None or len(caller.lacks) <= len(caller.left_out):
        return TraceNotFoundError(message)
    return StorageAwayError(f"{message}; {caller.partial}")
