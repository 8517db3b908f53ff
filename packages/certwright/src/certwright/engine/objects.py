"""All caches of a process, read as one: the `Reader` of every control loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from certwright.engine.cache import KindCache
from certwright.engine.reflector import Reflector
from certwright.engine.secrets import SecretCache
from certwright.engine.store import Selection, Store
from certwright.reconcile.contract import AnyController, Index
from certwright.resources.kinds import SECRET, Key, Kind, Manifest

__all__ = ["Objects", "OnKindChange"]

OnKindChange: TypeAlias = Callable[[Kind, Manifest | None, Manifest | None], None]
"""(kind, before, after)."""

_READER: Final = "cert-manager-controller"


class Objects:
    """What all loops of a process see: one cache for each kind they watch."""

    def __init__(
        self,
        store: Store,
        controllers: Iterable[AnyController],
        *,
        namespace: str = "",
        cluster_wide: bool = False,
        all_secrets: bool = False,
        on_change: OnKindChange,
    ) -> None:
        """Prepare caches for all that `controllers` are woken by.

        Args:
            store: Where the objects are.
            controllers: Whose kinds and indexes count.
            namespace: The only one that is looked at; cluster-wide kinds are not, then.
            cluster_wide: Look at cluster-wide kinds even so.
            all_secrets: Hold all Secrets rather than those with our label.
            on_change: Is told every change of a cache.
        """
        self._store = store
        self._caches: dict[Kind, KindCache | SecretCache] = {}
        self._is_narrow = bool(namespace) and not cluster_wide
        self.reflectors: list[Reflector] = []
        for kind, indexes in _kinds_and_indexes(controllers).items():
            if self._is_narrow and not kind.namespaced:
                continue
            told = _telling(on_change, kind)
            if kind == SECRET and not all_secrets:
                secrets = SecretCache(store, namespace, indexes, told)
                self._caches[kind] = secrets
                self.reflectors += secrets.reflectors
            else:
                cache = KindCache(kind, indexes, told, managed_fields=kind == SECRET)
                self._caches[kind] = cache
                self.reflectors.append(Reflector(store, Selection(kind, namespace), cache))

    def keys(self, kind: Kind) -> tuple[Key, ...]:
        """Return the keys of all cached objects of a kind."""
        cache = self._caches.get(kind)
        return tuple(cache.all_keys()) if isinstance(cache, KindCache) else ()

    # -------------------------------------------------------------------------- the Reader port

    async def get(self, key: Key, /) -> Manifest | None:
        """Return the object, or None if there is none."""
        cache = self._caches.get(key.kind)
        if cache is None:
            unseen = self._is_narrow and not key.kind.namespaced
            return None if unseen else await self._store.get(key)
        if isinstance(cache, SecretCache):
            return await cache.get(key)
        return cache.get(key.namespace, key.name)

    async def find(self, index: Index, value: str, /) -> list[Manifest]:
        """Return the objects with this value of the index, by name."""
        cache = self._caches.get(index.kind)
        return [] if cache is None else cache.find(index, value)

    async def list(self, kind: Kind, /, namespace: str | None = None) -> list[Manifest]:
        """Return every object of the kind, or of one namespace, by name."""
        cache = self._caches.get(kind)
        if cache is not None:
            return cache.all(namespace)
        if self._is_narrow and not kind.namespaced:
            return []
        return (await self._store.list(Selection(kind, namespace or ""))).objects

    async def review(self, question: Manifest, /) -> Manifest:
        """Return the question with its answer, from the store itself."""
        return await self._store.create(question, manager=_READER)

    # -------------------------------------------------------------------------- our own writes

    def wrote(self, kind: Kind, obj: Manifest) -> None:
        """Take an object as a write of ours returned it."""
        cache = self._caches.get(kind)
        if cache is not None:
            cache.wrote(obj)

    def deleted(self, key: Key, uid: str) -> None:
        """Take note that we deleted an object."""
        cache = self._caches.get(key.kind)
        if cache is not None:
            cache.deleted(key, uid)


def _telling(
    on_change: OnKindChange, kind: Kind
) -> Callable[[Manifest | None, Manifest | None], None]:
    return lambda before, after: on_change(kind, before, after)


def _kinds_and_indexes(controllers: Iterable[AnyController]) -> Mapping[Kind, list[Index]]:
    """Return every kind that is watched, with its indexes; one index may be many loops'."""
    found: dict[Kind, list[Index]] = {}
    for controller in controllers:
        for kind in (controller.kind, *(wake.kind for wake in controller.wakes)):
            found.setdefault(kind, [])
        for index in controller.indexes:
            indexes = found.setdefault(index.kind, [])
            if index not in indexes:
                assert all(index.name != other.name for other in indexes), index.name
                indexes.append(index)
    return found
