"""The store port: where objects live. A cluster, a folder of files, or memory.

`tests/contract/store` is the second half of this page. What a store promises is what an API server
promises (reference cert-manager.md section 10): resourceVersion and optimistic locking, generation
raised by changes outside of status, status apart from the rest where the kind says so, server-side
apply with `metadata.managedFields` for each manager, deletion with finalizers and a precondition on
the uid, background deletion of what is owned by a deleted object, and watches that end with
`ExpiredError` when their history is gone.

`manager` is the field manager of a write, such as `cert-manager-certificates-issuing`. Objects that
are passed in are never changed or kept; objects that come out belong to the caller.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

from certwright.resources.kinds import Key, Kind, Manifest

__all__ = ["Change", "Listing", "Selection", "Store"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a kind a list or a watch gives."""

    kind: Kind
    namespace: str = ""
    """Empty for all namespaces."""
    label_selector: str = ""
    """Kubernetes' syntax, such as `controller.cert-manager.io/fao=true`; empty for all."""
    metadata_only: bool = False
    """Give `metadata`, `kind` and `apiVersion` only (PartialObjectMetadata)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list gives."""

    objects: list[Manifest]
    resource_version: str
    """Where a watch goes on from."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a watch gives."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Manifest
    """The object as it is now, or as it was last; of a bookmark only its resourceVersion counts."""


class Store(Protocol):
    """Holds objects. Every method may raise `StoreError` of the kinds named in `errors`."""

    async def get(self, key: Key, /) -> Manifest | None:
        """Return the object as it is now, or None."""

    async def list(self, selection: Selection, /) -> Listing:
        """Return the selected objects, by namespace and name."""

    def watch(self, selection: Selection, resource_version: str, /) -> AsyncIterator[Change]:
        """Give every change after `resource_version`, in order, until the connection ends.

        Raises:
            ExpiredError: The history is gone; list again.
            UnavailableError: The connection could not be had or broke.
        """

    async def create(self, obj: Manifest, /, *, manager: str, dry_run: bool = False) -> Manifest:
        """Store a new object; `generateName` without a name gets a random suffix.

        Raises:
            AlreadyExistsError: The name is taken.
            RefusedError: It is not valid, or not allowed.
        """

    async def update(self, obj: Manifest, /, *, manager: str) -> Manifest:
        """Replace an object, its status excepted where that is a subresource.

        Raises:
            ConflictError: `resourceVersion` is set and is not the present one.
            NotFoundError: There is none.
        """

    async def update_status(self, obj: Manifest, /, *, manager: str) -> Manifest:
        """Replace the status only; otherwise like `update`."""

    async def apply(
        self, obj: Manifest, /, *, manager: str, force: bool = True, subresource: str = ""
    ) -> Manifest:
        """Server-side apply: `obj` is all that `manager` wants; what it owned before goes."""

    async def delete(self, key: Key, /, *, uid: str = "") -> None:
        """Delete an object; with finalizers it stays, with a deletionTimestamp, until they go.

        Raises:
            NotFoundError: There is none.
            ConflictError: `uid` is given and the object has another one.
        """
