"""Which collector a segment goes to, and what of it is done: kept over restarts.

A segment goes to one collector as a whole. That collector knows what of it came before, so a
repeated request does no harm there; at another one it may be stored a second time. So the choice is
written down before anything is sent, and a move, with all that was answered until then, before
anything goes to the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgpack

from lymer.journal.disk import replace_file
from lymer.journal.marks import Marks
from lymer.journal.recovery import SEGMENT_SUFFIX
from lymer.telemetry.logs import EventLog

__all__ = ["Route", "read_route", "remove_orphans", "remove_route", "write_route"]

_log = EventLog(__name__)
_SUFFIX: Final = ".route"
"""Of the file beside the segment."""


@dataclass(slots=True)
class Route:
    """Where one segment goes, and what of it need not be sent any more."""

    reference: str = ""
    """Empty is none yet."""
    done: Marks = field(default_factory=Marks)

    def packed(self) -> bytes:
        """Return what `write_route` writes."""
        packed: bytes = msgpack.packb([self.reference, self.done.whole, self.done.parts])
        return packed


def read_route(segment: Path) -> Route:
    """Return what a former run wrote beside `segment`; an empty route if nothing."""
    file = segment.with_suffix(_SUFFIX)
    try:
        reference, whole, parts = msgpack.unpackb(file.read_bytes())
        return Route(str(reference), Marks(whole, parts))
    except FileNotFoundError:
        return Route()
    except (OSError, ValueError, TypeError, msgpack.UnpackException) as error:
        # It only saves a second copy; the segment itself is whole.
        _log.error("route not read, collectors may get spans twice", file=file, error=error)
        return Route()


def write_route(segment: Path, packed: bytes) -> None:
    """Make a packed route durable.

    Raises:
        OSError: It is not.
    """
    replace_file(segment.with_suffix(_SUFFIX), packed)


def remove_route(segment: Path) -> None:
    """Forget it: the segment is removed."""
    segment.with_suffix(_SUFFIX).unlink(missing_ok=True)


def remove_orphans(folder: Path) -> None:
    """Remove routes whose segment is gone, and what a crash left half written."""
    for file in folder.glob(f"*{_SUFFIX}*"):
        if file.suffix != _SUFFIX or not file.with_suffix(SEGMENT_SUFFIX).exists():
            file.unlink(missing_ok=True)
