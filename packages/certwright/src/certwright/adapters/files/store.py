"""The store in files: one JSON file for each object, written before the write is acknowledged.

::

    FOLDER / objects / certificates.cert - manager.io / default / web.json

A file is replaced by a rename, so it is whole at any time, and is the owner's only: Secrets are
among them. Who opens the folder holds its lock; others may read (`read_objects`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from certwright import clock
from certwright.adapters.atomic_files import sync_folder, write_private
from certwright.adapters.objects.store import RANDOM, ObjectStore
from certwright.adapters.objects.table import AccessReview, Admission, Chance, Write
from certwright.errors import StartupError, StoreError
from certwright.resources.kinds import EVENT, KINDS, LEASE, Key, Kind, Manifest

__all__ = ["FileStore", "read_objects"]

_PRIVATE_FOLDER: Final = 0o700
_NOT_KEPT: Final = frozenset({LEASE})
"""What is of no use after a restart."""


class FileStore(ObjectStore):
    """A `Store` that survives its process."""

    def __init__(
        self,
        folder: Path,
        kinds: Iterable[Kind] = KINDS,
        *,
        now: Callable[[], datetime] = clock.now,
        chance: Chance = RANDOM,
        admission: Admission | None = None,
        access_review: AccessReview | None = None,
    ) -> None:
        """Open the folder, which must be locked, and read what is in it.

        Raises:
            StartupError: A file cannot be read; says which and what to do.
        """
        self._objects_folder = folder / "objects"
        super().__init__(
            kinds,
            now=now,
            chance=chance,
            admission=admission,
            access_review=access_review,
            keep=self._keep_write,
        )
        try:
            self._objects_folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            for leftover in self._objects_folder.glob("*/*/.*.tmp"):
                leftover.unlink()
        except OSError as error:
            raise StartupError(f"cannot write {self._objects_folder}: {error.strerror}") from error
        self.table.load(read_objects(folder))

    async def _keep_write(self, write: Write) -> None:
        if write.key.kind in _NOT_KEPT:
            return
        await asyncio.to_thread(_keep, self._path(write.key), write.after)

    def _path(self, key: Key) -> Path:
        group = f".{key.kind.group}" if key.kind.group else ""
        folder = self._objects_folder / f"{key.kind.plural}{group}" / _safe(key.namespace or "_")
        return folder / f"{_safe(key.name)}.json"


def read_objects(folder: Path) -> list[Manifest]:
    """Return the objects that a folder holds, as they are this moment; it need not be locked.

    Raises:
        StartupError: A file cannot be read; says which and what to do.
    """
    objects: list[Manifest] = []
    for path in sorted((folder / "objects").glob("*/*/*.json")):
        if path.name.startswith("."):
            continue
        try:
            found: Any = json.loads(path.read_bytes())
            if not isinstance(found, dict) or "metadata" not in found:
                raise ValueError("it is no object")  # noqa: TRY301
        except FileNotFoundError:
            continue  # deleted since the folder was listed
        except (OSError, ValueError) as error:
            if path.parent.parent.name == EVENT.plural:
                continue  # a courtesy, and not written durably: see `_keep`
            raise StartupError(
                f"cannot read {path}: {error}; put it back from a backup, or remove it and what it "
                "held is made anew"
            ) from error
        objects.append(found)
    return objects


def _keep(path: Path, obj: Manifest | None) -> None:
    try:
        if obj is None:
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
            return
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    # Writes wait for each other, and for an event nothing should have to wait.
    durable = path.parent.parent.name != EVENT.plural
    text = json.dumps(obj, separators=(",", ":"), ensure_ascii=False)
    write_private(path, text.encode(), durable=durable)


def _safe(name: str) -> str:
    """Return a name as one part of a path; Kubernetes' own names stay as they are."""
    quoted = quote(name, safe="")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted
