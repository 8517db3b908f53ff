"""Objects, fetched for a person: what is missing is an error in the API server's words."""

from __future__ import annotations

from certwright.engine.store import Selection, Store
from certwright.errors import NotFoundError
from certwright.resources import meta
from certwright.resources.kinds import EVENT, Key, Kind, Manifest

__all__ = ["events_of", "fetch", "list_owned", "not_found"]


def not_found(key: Key) -> NotFoundError:
    """Return what an API server says about an object that is not there."""
    group = f".{key.kind.group}" if key.kind.group else ""
    return NotFoundError(f'{key.kind.plural}{group} "{key.name}" not found')


async def fetch(store: Store, key: Key) -> Manifest:
    """Return the object.

    Raises:
        NotFoundError: There is none.
    """
    found = await store.get(key)
    if found is None:
        raise not_found(key)
    return found


async def list_owned(store: Store, kind: Kind, owner: Manifest) -> list[Manifest]:
    """Return the objects of a kind in the owner's namespace that it owns, by name."""
    listing = await store.list(Selection(kind, meta.namespace(owner)))
    return [obj for obj in listing.objects if meta.is_owned_by(obj, meta.uid(owner))]


async def events_of(store: Store, obj: Manifest) -> list[Manifest]:
    """Return the events about an object, oldest first."""
    listing = await store.list(Selection(EVENT, meta.namespace(obj)))
    about = [
        event
        for event in listing.objects
        if meta.mapping_at(event, "involvedObject").get("uid") == meta.uid(obj)
    ]
    return sorted(about, key=lambda event: str(event.get("lastTimestamp") or ""))
