"""What every object has, read with names that speak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from certwright.resources import meta
from certwright.resources.kinds import Manifest
from certwright.resources.meta import mapping_at

__all__ = ["View"]


@dataclass(frozen=True, slots=True)
class View:
    """A view of an object of any kind; reads `object` and never changes it."""

    object: Manifest

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return meta.name(self.object)

    @property
    def namespace(self) -> str:
        """`metadata.namespace`; empty for what belongs to the cluster."""
        return meta.namespace(self.object)

    @property
    def uid(self) -> str:
        """`metadata.uid`."""
        return meta.uid(self.object)

    @property
    def generation(self) -> int:
        """`metadata.generation`."""
        return meta.generation(self.object)

    @property
    def creation_time(self) -> datetime | None:
        """`metadata.creationTimestamp`."""
        return meta.creation_time(self.object)

    @property
    def annotations(self) -> Mapping[str, str]:
        """`metadata.annotations`."""
        return meta.annotations(self.object)

    @property
    def labels(self) -> Mapping[str, str]:
        """`metadata.labels`."""
        return meta.labels(self.object)

    @property
    def spec(self) -> Mapping[str, Any]:
        """`spec` as it is."""
        return mapping_at(self.object, "spec")

    @property
    def status(self) -> Mapping[str, Any]:
        """`status` as it is."""
        return mapping_at(self.object, "status")
