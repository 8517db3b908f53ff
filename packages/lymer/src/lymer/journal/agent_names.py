"""Under which name an agent delivers each of its segments.

A name is chosen at every start, for the segments this start makes; it is written down before the
first of them is sent, so that a later start sends what is left of them under the same name. Two
agents that begin with copies of one disk share the names of what is on it, and no other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lymer.errors import CorruptJournalError
from lymer.journal.disk import replace_file
from lymer.model.segment import SealedSegment

__all__ = ["AgentNames"]

_NAME_BYTES: Final = 16


class AgentNames:
    """Names by segment."""

    def __init__(self, file: Path, recovered: Sequence[SealedSegment]) -> None:
        """Read the names of former starts, choose ours, and write all that are needed.

        Args:
            file: Durable when this returns.
            recovered: What former starts left, oldest first. Our segments have higher ids.

        Raises:
            CorruptJournalError: The file cannot be read or written.
        """
        first = recovered[-1].segment_id + 1 if recovered else 0
        former = [run for run in self._read(file) if run[0] < first]
        # A name is needed if a segment is left between its first one and the next name's.
        ends = [*(run[0] for run in former), first][1:]
        needed = [
            run
            for run, end in zip(former, ends, strict=True)
            if any(run[0] <= segment.segment_id < end for segment in recovered)
        ]
        self._runs = [*needed, (first, os.urandom(_NAME_BYTES))]
        self._write(file)

    @property
    def own(self) -> bytes:
        """The name of this start, 16 bytes."""
        return self._runs[-1][1]

    def of(self, segment_id: int) -> bytes:
        """Return the name a segment is delivered under, 16 bytes."""
        names = [name for first, name in self._runs if first <= segment_id]
        # A segment older than the file: it was made before there was one, or the file was removed.
        return names[-1] if names else self.own

    def _read(self, file: Path) -> list[tuple[int, bytes]]:
        try:
            runs = json.loads(file.read_text(encoding="utf-8"))["runs"]
            return [(int(run["first_segment"]), bytes.fromhex(run["name"])) for run in runs]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = (
                f"cannot read {file}, under which names this agent delivers: {error}; remove it "
                "to go on, then what was sent and not yet answered may be stored twice"
            )
            raise CorruptJournalError(message) from error

    def _write(self, file: Path) -> None:
        runs = [{"first_segment": first, "name": name.hex()} for first, name in self._runs]
        try:
            # For our eyes only: who knows a name could name requests by it.
            replace_file(file, json.dumps({"runs": runs}).encode())
        except OSError as error:
            raise CorruptJournalError(f"cannot write {file}: {error}") from error
