"""Which store a command works on: a cluster, or the folder of `certwright standalone`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from certwright.adapters.kube import Connection, KubeStore, load_connection
from certwright.engine.store import Store

__all__ = ["Place", "open_store"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command works."""

    kubeconfig: str = ""
    context: str = ""
    server: str = ""
    folder: Path | None = None
    """The folder of a standalone; None for a cluster."""

    def default_namespace(self) -> str:
        """Return the namespace to use when none is given.

        Raises:
            StartupError: There is no usable kubeconfig.
        """
        if self.folder is not None:
            return "default"
        return self.connection().namespace

    def connection(self) -> Connection:
        """Return how to reach the API server.

        Raises:
            StartupError: There is no usable kubeconfig.
        """
        return load_connection(
            kubeconfig=self.kubeconfig,
            master=self.server,
            context=self.context,
            environment=os.environ,
            home=Path.home(),
        )


@asynccontextmanager
async def open_store(place: Place) -> AsyncIterator[Store]:
    """Give the store, and close it at the end."""
    async with KubeStore(place.connection(), reader="cmctl") as store:
        yield store
