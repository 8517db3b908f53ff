"""The folder's files, read again whenever one of them changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from certwright.adapters.atomic_files import write_private
from certwright.engine.store import Selection, Store
from certwright.resources import meta
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import Key
from certwright.roles.standalone.layout import Layout
from certwright.roles.standalone.manifests import (
    FILE_BYTES_MAX,
    Document,
    Problem,
    decode_manifests,
)
from certwright.roles.standalone.sync import FILE_KINDS, SOURCE, bring_in_line, is_from_file
from certwright.telemetry.logs import EventLog

__all__ = ["Intake"]

_log: Final = EventLog(__name__)
_Signature: TypeAlias = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Read:
    documents: list[Document]
    problems: list[Problem]
    unread: frozenset[str]
    """Files of which it is not known what they hold: their objects stay."""


class Intake:
    """Brings the store in line with the files."""

    def __init__(self, store: Store, layout: Layout, gates: FeatureGates) -> None:
        self._store = store
        self._layout = layout
        self._gates = gates
        self._seen: _Signature | None = None
        self._told: list[str] = []

    async def take(self) -> bool:
        """Read the files if one has changed since the last time; return whether they were read.

        Raises:
            StartupError: The folder cannot be read.
            StoreError: The store does not answer.
        """
        paths = self._layout.manifests()
        signature = _signature(paths)
        if signature == self._seen:
            return False
        read = _read(paths, self._gates)
        kept = await self._kept(read)
        problems = read.problems + await bring_in_line(self._store, read.documents, kept)
        self._tell([str(problem) for problem in problems])
        # Not before the work is done: after an error all of it is repeated.
        self._seen = signature
        return True

    async def _kept(self, read: _Read) -> frozenset[Key]:
        """Return what must not be deleted although no document that can be used names it."""
        kept = {problem.key for problem in read.problems if problem.key is not None}
        if read.unread:
            for kind in FILE_KINDS:
                for obj in (await self._store.list(Selection(kind))).objects:
                    source = meta.annotations(obj).get(SOURCE, "")
                    if is_from_file(obj) and source.partition(" document ")[0] in read.unread:
                        kept.add(meta.key_of(obj))
        return frozenset(kept)

    def _tell(self, lines: list[str]) -> None:
        for line in lines:
            if line not in self._told:
                _log.warning("not used as it stands", problem=line)
        self._told = lines
        if lines:
            write_private(self._layout.problems, "".join(f"{line}\n" for line in lines).encode())
        else:
            self._layout.problems.unlink(missing_ok=True)


def _signature(paths: list[Path]) -> _Signature:
    found = []
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            found.append((path.name, 0, 0, 0))
        else:
            found.append((path.name, status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def _read(paths: list[Path], gates: FeatureGates) -> _Read:
    documents: list[Document] = []
    problems: list[Problem] = []
    unread: set[str] = set()
    for path in paths:
        try:
            with path.open("rb") as file:
                content = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            problems.append(Problem(path.name, f"cannot read it: {error.strerror}"))
            unread.add(path.name)
            continue
        found, bad = decode_manifests(path.name, content, gates)
        documents += found
        problems += bad
        if any(problem.key is None for problem in bad):
            unread.add(path.name)
    return _Read(documents, problems, frozenset(unread))
