"""One cache, fed by a watch that is late and by our own writes that are not."""

from __future__ import annotations

from typing import Any

from certwright.engine.cache import KindCache
from certwright.engine.store import Change, Listing
from certwright.reconcile.contract import Index
from certwright.resources.kinds import SECRET, Manifest

TIER = Index("tier", SECRET, lambda obj: [obj["metadata"].get("labels", {}).get("tier", "none")])


def obj(name: str, version: int, uid: str = "", **metadata: Any) -> Manifest:
    """Return a Secret of a version."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": "one",
            "uid": uid or f"uid-{name}",
            "resourceVersion": str(version),
            **metadata,
        },
    }


class Told:
    """Remembers what a cache told."""

    def __init__(self) -> None:
        self.changes: list[tuple[str | None, str | None]] = []

    def __call__(self, before: Manifest | None, after: Manifest | None) -> None:
        """Remember the versions before and after."""
        self.changes.append(
            (
                before and before["metadata"]["resourceVersion"],
                after and after["metadata"]["resourceVersion"],
            )
        )


def new_cache() -> tuple[KindCache, Told]:
    """Return an empty cache and what it tells."""
    told = Told()
    return KindCache(SECRET, (TIER,), told), told


def test_our_own_write_is_seen_at_once_and_told_once() -> None:
    """The watch's later word about it is no news."""
    cache, told = new_cache()
    cache.wrote(obj("a", 5))
    cache.change(Change("ADDED", obj("a", 5)))

    assert cache.get("one", "a") == obj("a", 5)
    assert told.changes == [(None, "5")]


def test_a_late_change_does_not_undo_a_write() -> None:
    """Versions decide, not the order of arrival."""
    cache, told = new_cache()
    cache.wrote(obj("a", 7))
    cache.change(Change("MODIFIED", obj("a", 6)))

    assert cache.get("one", "a") == obj("a", 7)
    assert told.changes == [(None, "7")]


def test_what_we_deleted_does_not_come_back_with_a_late_change() -> None:
    """An object of the same name and another uid does."""
    cache, _ = new_cache()
    cache.wrote(obj("a", 5))
    cache.deleted(SECRET.key("one", "a"), "uid-a")
    cache.change(Change("MODIFIED", obj("a", 4)))
    cache.change(Change("MODIFIED", obj("a", 5)))

    assert cache.get("one", "a") is None
    cache.change(Change("DELETED", obj("a", 6)))
    cache.change(Change("ADDED", obj("a", 7, uid="new")))
    assert cache.get("one", "a") is not None


def test_a_deletion_that_waits_for_finalizers_leaves_the_object() -> None:
    """It goes when the watch says so."""
    cache, _ = new_cache()
    cache.wrote(obj("a", 5, finalizers=["x"]))
    cache.deleted(SECRET.key("one", "a"), "uid-a")

    assert cache.get("one", "a") is not None


def test_a_late_deletion_of_an_earlier_object_is_ignored() -> None:
    """The name has been taken again since."""
    cache, _ = new_cache()
    cache.wrote(obj("a", 9, uid="new"))
    cache.change(Change("DELETED", obj("a", 6, uid="old")))

    assert cache.get("one", "a") is not None


def test_a_list_removes_what_is_gone_but_not_what_we_wrote_since() -> None:
    """A list is a moment; writes after it are newer."""
    cache, told = new_cache()
    cache.wrote(obj("gone", 5))
    cache.wrote(obj("new", 12))
    cache.replace(Listing([obj("listed", 8)], "10"))

    assert [key.name for key in cache.all_keys()] == ["new", "listed"]
    assert told.changes[-1] == ("5", None)


def test_an_index_follows_its_objects() -> None:
    """Old values are forgotten."""
    cache, _ = new_cache()
    cache.wrote(obj("a", 1, labels={"tier": "web"}))
    cache.wrote(obj("b", 2, labels={"tier": "web"}))
    cache.wrote(obj("a", 3, labels={"tier": "db"}))

    assert [found["metadata"]["name"] for found in cache.find(TIER, "web")] == ["b"]
    assert [found["metadata"]["name"] for found in cache.find(TIER, "db")] == ["a"]
    cache.deleted(SECRET.key("one", "b"), "uid-b")
    assert cache.find(TIER, "web") == []


def test_objects_come_by_namespace_and_name() -> None:
    """Order does not depend on arrival."""
    cache, _ = new_cache()
    for name in ("c", "a", "b"):
        cache.wrote(obj(name, 1))

    assert [found["metadata"]["name"] for found in cache.all("one")] == ["a", "b", "c"]
    assert cache.all("two") == []
