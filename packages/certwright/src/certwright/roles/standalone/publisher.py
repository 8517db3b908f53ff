"""Secrets of Certificates, shown as folders of files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from certwright import clock
from certwright.adapters.secret_folder import Access, publish, tidy, withdraw
from certwright.engine.store import Selection, Store
from certwright.errors import InvalidError
from certwright.resources import known, meta
from certwright.resources.kinds import SECRET, Manifest
from certwright.resources.secret import Secret
from certwright.roles.standalone.layout import Layout

__all__ = ["Publisher"]

_FILE_NAME: Final = re.compile(r"[-_a-zA-Z0-9][-._a-zA-Z0-9]{0,252}")


class Publisher:
    """Keeps `DIR/secrets` the same as the Secrets of Certificates."""

    def __init__(self, store: Store, layout: Layout, access: Access) -> None:
        self._store = store
        self._layout = layout
        self._access = access

    async def publish_all(self) -> list[str]:
        """Write what is not yet there, remove what has no Secret any more.

        Returns:
            `NAMESPACE/NAME` of what changed.

        Raises:
            StoreError: Something could not be written.
        """
        listing = await self._store.list(Selection(SECRET))
        changed: list[str] = []
        shown: set[Path] = set()
        for obj in listing.objects:
            if not _is_shown(obj):
                continue
            folder = self._layout.secrets / meta.namespace(obj) / meta.name(obj)
            shown.add(folder)
            if publish(folder, _files(obj), self._access):
                changed.append(f"{meta.namespace(obj)}/{meta.name(obj)}")
            tidy(folder, clock.now().timestamp())
        gone = [folder for folder in self._present() if folder not in shown and withdraw(folder)]
        changed += [f"{folder.parent.name}/{folder.name}" for folder in gone]
        return changed

    def _present(self) -> list[Path]:
        """Return the folders that we made: those that have versions."""
        if not self._layout.secrets.is_dir():
            return []
        return [
            folder
            for namespace in self._layout.secrets.iterdir()
            if namespace.is_dir()
            for folder in namespace.iterdir()
            if (folder / "..data").is_symlink() and not folder.name.startswith(".")
        ]


def _is_shown(secret: Manifest) -> bool:
    """Return whether it is the Secret of a Certificate, with a certificate in it."""
    return (
        known.CERTIFICATE_NAME in meta.annotations(secret)
        and known.NEXT_PRIVATE_KEY not in meta.labels(secret)
        and known.TLS_CRT in meta.mapping_at(secret, "data")
    )


def _files(secret: Manifest) -> dict[str, bytes]:
    try:
        data = Secret(secret).data
    except InvalidError:
        return {}
    return {name: content for name, content in data.items() if _FILE_NAME.fullmatch(name)}
