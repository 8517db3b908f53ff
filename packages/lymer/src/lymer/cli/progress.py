"""How far a command has come, on a terminal; nothing is said where nobody looks."""

from __future__ import annotations

import sys
from typing import Final

import click

from lymer.clock import monotonic_seconds

__all__ = ["Progress"]

_PERIOD_SECONDS: Final = 0.5
_BAR_WIDTH: Final = 20


class Progress:
    """A line on stderr, written over now and then."""

    def __init__(self, what: str, count: int = 0) -> None:
        """Count `what` from `count`."""
        self._what = what
        self._begun = monotonic_seconds()
        self._count = self._first = count
        self._file = self._bar = ""
        self._shown = self._begun
        self._is_shown = False

    def file(self, name: str, place: int = 0, of: int = 0) -> None:
        """Say what is being read, and the how manyth of how many it is if that is known."""
        done = _BAR_WIDTH * (place - 1) // of if of else 0
        self._bar = f"[{'#' * done}{'.' * (_BAR_WIDTH - done)}] {place}/{of}  " if of else ""
        self._file = name

    def add(self, count: int) -> None:
        """Count so many more."""
        self._count += count
        now = monotonic_seconds()
        if now - self._shown < _PERIOD_SECONDS or not sys.stderr.isatty():
            return
        self._shown, self._is_shown = now, True
        rate = (self._count - self._first) / max(now - self._begun, 1e-9)
        line = f"{self._bar}{self._count} {self._what}, {rate:.0f}/s"
        click.echo(f"\r\x1b[K{line}  {self._file}", nl=False, err=True)

    def end(self) -> None:
        """Take the line away."""
        if self._is_shown:
            click.echo("\r\x1b[K", nl=False, err=True)
