"""What a table asks about fields: how an apply merges, and who owns what.

An API server keeps exact books of every field that anybody ever wrote (`certwright_testing` has
them, for tests). A folder needs less: what a manager applied and no longer applies must go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from certwright.resources.kinds import Kind, Manifest

__all__ = ["Merging", "Writer"]


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, and how."""

    manager: str
    operation: Literal["Apply", "Update"]
    api_version: str
    subresource: str = ""


class Merging(Protocol):
    """Keeps `metadata.managedFields`."""

    def check(self, kind: Kind, obj: Manifest) -> None:
        """Refuse an object whose lists cannot be merged.

        Raises:
            RefusedError: With the field and the reason.
        """

    def updated(
        self, before: Manifest | None, after: Manifest, writer: Writer, kind: Kind, now: str
    ) -> Manifest:
        """Return `after` with the managedFields it gets when `writer` replaces `before` by it."""

    def applied(
        self,
        before: Manifest | None,
        configuration: Manifest,
        writer: Writer,
        kind: Kind,
        *,
        now: str,
        force: bool,
    ) -> Manifest:
        """Return the object after a server-side apply; `before` itself if nothing changes.

        Raises:
            ConflictError: Others own what would change, and `force` is not set.
        """
