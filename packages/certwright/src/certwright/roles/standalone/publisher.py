"""Secrets of Certificates, shown as folders of files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from certwright import clock
from certwright.adapters.secret_folder import Access, Look, look_of, publish, shows, tidy, withdraw
from certwright.engine.store import Selection, Store
from certwright.errors import InvalidError, StoreError
from certwright.pki.certificates import decode_certificates
from certwright.resources import known, meta
from certwright.resources.kinds import CONFIG_MAP, SECRET, Manifest
from certwright.resources.secret import Secret
from certwright.roles.standalone.layout import Layout

__all__ = ["Published", "Publisher", "Readers"]

_FILE_NAME: Final = re.compile(r"[-_a-zA-Z0-9][-._a-zA-Z0-9]{0,252}")


@dataclass(frozen=True, slots=True)
class Published:
    """What one pass did."""

    changed: tuple[str, ...]
    """`NAMESPACE/NAME` of what was written or removed."""
    problems: tuple[str, ...]
    """Why something could not be."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Who may read keys besides their owner, and which."""

    group_id: int | None = None
    """This group; None for nobody."""
    also: frozenset[str] = frozenset()
    """`NAME` or `NAMESPACE/NAME` of Secrets that it may read although they are a CA's."""

    def access(self, folder: Path, files: Mapping[str, bytes]) -> Access:
        """Return who may read this one: whoever serves TLS needs no CA's key."""
        if known.TLS_KEY not in files and folder.parent.name == "bundles":
            return Access(is_public=True)
        is_named = bool(self.also & {folder.name, f"{folder.parent.name}/{folder.name}"})
        return Access(self.group_id if is_named or not _is_ca(files) else None)


class Publisher:
    """Keeps `DIR/secrets` the same as the Secrets of Certificates."""

    def __init__(
        self,
        store: Store,
        layout: Layout,
        readers: Readers,
        before_change: Callable[[Sequence[str]], None],
    ) -> None:
        """`before_change` is told, on a thread, what a pass is about to change."""
        self._store = store
        self._layout = layout
        self._readers = readers
        self._before_change = before_change
        self._revision = -1
        self._wanted: dict[Path, Manifest] = {}
        self._seen: dict[Path, tuple[str, Look]] = {}
        """Version of the Secret and look of the folder when they were last compared in full."""

    async def publish_all(self, revision: int) -> Published:
        """Write what is not yet there, remove what has no Secret any more.

        Args:
            revision: Of the store; while it is the same, so are the Secrets.

        Raises:
            StoreError: The store does not answer.
        """
        if revision != self._revision:
            listing = await self._store.list(Selection(SECRET))
            self._wanted = {
                self._layout.secrets / meta.namespace(obj) / meta.name(obj): obj
                for obj in listing.objects
                if _is_shown(obj)
            }
            for kind in (SECRET, CONFIG_MAP):
                for obj in (await self._store.list(Selection(kind, "", known.BUNDLE))).objects:
                    self._wanted[self._layout.bundles / meta.name(obj)] = obj
            self._revision = revision
        return await asyncio.to_thread(self._write, self._wanted)

    def _write(self, wanted: Mapping[Path, Manifest]) -> Published:
        looks = {folder: look_of(folder) for folder in wanted}
        stale = [folder for folder, obj in wanted.items() if not self._is_shown(folder, obj, looks)]
        gone = [folder for folder in self._present() if folder not in wanted]
        if stale or gone:
            self._before_change([_shown(folder) for folder in (*stale, *gone)])
        changed: list[str] = []
        problems: list[str] = []
        for folder in (*stale, *gone):
            self._seen.pop(folder, None)
            try:
                if folder in wanted:
                    files = _files(wanted[folder])
                    publish(folder, files, self._readers.access(folder, files))
                else:
                    withdraw(folder)
            except StoreError as error:
                problems.append(str(error))
            else:
                changed.append(_shown(folder))
        now = clock.now().timestamp()
        for folder, look in looks.items():
            if look is None or look.has_old_versions or folder in stale:
                tidy(folder, now)
        return Published(tuple(changed), tuple(problems))

    def _is_shown(self, folder: Path, obj: Manifest, looks: Mapping[Path, Look | None]) -> bool:
        """Tell whether a folder shows a Secret; files are read only if either has changed."""
        look = looks[folder]
        if look is None:
            return False
        state = (meta.resource_version(obj), look)
        if self._seen.get(folder) == state:
            return True
        files = _files(obj)
        try:
            is_shown = shows(folder, files, self._readers.access(folder, files))
        except OSError:
            return False
        if is_shown:
            self._seen[folder] = state
        return is_shown

    def _present(self) -> list[Path]:
        """Return the folders that we made: those that have versions."""
        parents = [self._layout.bundles] if self._layout.bundles.is_dir() else []
        if self._layout.secrets.is_dir():
            parents += [found for found in self._layout.secrets.iterdir() if found.is_dir()]
        return [
            folder
            for parent in parents
            for folder in parent.iterdir()
            if (folder / "..data").is_symlink() and not folder.name.startswith(".")
        ]


def _shown(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def _is_ca(files: Mapping[str, bytes]) -> bool:
    """Return whether the key signs certificates; what cannot be read might."""
    try:
        return decode_certificates(files.get(known.TLS_CRT, b""))[0].is_ca
    except (InvalidError, IndexError):
        return True


def _is_shown(secret: Manifest) -> bool:
    """Return whether it is the Secret of a Certificate, with a certificate in it."""
    return (
        known.CERTIFICATE_NAME in meta.annotations(secret)
        and known.NEXT_PRIVATE_KEY not in meta.labels(secret)
        and known.TLS_CRT in meta.mapping_at(secret, "data")
    )


def _files(secret: Manifest) -> dict[str, bytes]:
    try:
        if meta.kind_of(secret) == CONFIG_MAP:
            texts = meta.mapping_at(secret, "data")
            binary = Secret({**secret, "data": meta.mapping_at(secret, "binaryData")}).data
            return {name: str(text).encode() for name, text in texts.items()} | dict(binary)
        data = Secret(secret).data
    except InvalidError:
        return {}
    return {name: content for name, content in data.items() if _FILE_NAME.fullmatch(name)}
