"""Secrets, without holding those of everybody else in memory.

Two watches: whole Secrets with our label, and metadata only of the rest. Contents of the rest are
read when they are asked for; the last ones read are kept, and count as long as their version is the
one that the metadata watch knows, so a CA's key pair is not fetched for each certificate.

A Secret whose label is put on or taken off leaves one watch before it enters the other. For a while
after it left, its absence is not believed but asked about.

Source: reference cert-manager.md 2.0 (SecretsFilteredCaching), 11 (memory), 13.27.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from certwright import clock
from certwright.engine.cache import KindCache, OnChange
from certwright.engine.reflector import Reflector
from certwright.engine.store import Selection, Store
from certwright.reconcile.contract import Index
from certwright.resources.kinds import SECRET, Key, Manifest
from certwright.resources.known import CONTROLLER_FAO

__all__ = ["SecretCache"]

READ_SECRETS_MAX: Final = 256
"""Contents of foreign Secrets that are kept."""
DOUBT_SECONDS: Final = 10.0
"""How long the absence of a Secret that left a watch is checked."""


class SecretCache:
    """Our Secrets as a `KindCache` has them, the rest by metadata."""

    def __init__(
        self, store: Store, namespace: str, indexes: Iterable[Index], on_change: OnChange
    ) -> None:
        self._store = store
        self._on_change = on_change
        self._ours = KindCache(SECRET, indexes, self._changed, managed_fields=True)
        self._others = KindCache(SECRET, (), self._changed)
        self._read: OrderedDict[Key, Manifest] = OrderedDict()
        self._doubtful: dict[Key, float] = {}
        label = f"{CONTROLLER_FAO}=true"
        self.reflectors = (
            Reflector(store, Selection(SECRET, namespace, label), self._ours),
            Reflector(
                store,
                Selection(SECRET, namespace, f"{CONTROLLER_FAO}!=true", metadata_only=True),
                self._others,
            ),
        )

    async def get(self, key: Key) -> Manifest | None:
        """Return a Secret with its contents.

        Raises:
            StoreError: It is not ours, and cannot be read now.
        """
        if (ours := self._ours.get(key.namespace, key.name)) is not None:
            return ours
        other = self._others.get(key.namespace, key.name)
        if other is None and not self._is_doubtful(key):
            return None
        read = self._read.get(key)
        if read is not None and other is not None and _version(read) == _version(other):
            self._read.move_to_end(key)
            return read
        found = await self._store.get(key)
        if found is None:
            self._read.pop(key, None)
            return None
        self._read[key] = found
        if len(self._read) > READ_SECRETS_MAX:
            self._read.popitem(last=False)
        return found

    def find(self, index: Index, value: str) -> list[Manifest]:
        """Return our Secrets with this value of an index."""
        return self._ours.find(index, value)

    def all(self, namespace: str | None) -> list[Manifest]:
        """Return our Secrets."""
        return self._ours.all(namespace)

    def wrote(self, obj: Manifest) -> None:
        """Take a Secret as a write of ours returned it."""
        if (obj["metadata"].get("labels") or {}).get(CONTROLLER_FAO) == "true":
            self._ours.wrote(obj)
        else:
            self._others.wrote({n: obj[n] for n in ("apiVersion", "kind", "metadata")})

    def deleted(self, key: Key, uid: str) -> None:
        """Take note that we deleted a Secret."""
        self._ours.deleted(key, uid)
        self._others.deleted(key, uid)
        self._read.pop(key, None)
        self._doubtful.pop(key, None)

    def _changed(self, before: Manifest | None, after: Manifest | None) -> None:
        if after is None and before is not None:
            metadata = before["metadata"]
            key = SECRET.key(metadata.get("namespace", ""), metadata["name"])
            self._doubtful.pop(key, None)
            self._doubtful[key] = clock.monotonic_seconds() + DOUBT_SECONDS
            self._read.pop(key, None)
        self._on_change(before, after)

    def _is_doubtful(self, key: Key) -> bool:
        now = clock.monotonic_seconds()
        for other, until in list(self._doubtful.items()):
            if until > now:
                break  # they were added in the order of their end
            del self._doubtful[other]
        return key in self._doubtful


def _version(obj: Manifest) -> str:
    version: str = obj["metadata"]["resourceVersion"]
    return version
