"""Which store a command works on: a cluster, or the folder of `certwright standalone`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from certwright.adapters.files import FileStore, FolderLock, read_objects
from certwright.adapters.kube import Connection, KubeStore, load_connection
from certwright.adapters.objects import ObjectStore
from certwright.engine.store import Store
from certwright.errors import RefusedError, StartupError
from certwright.resources import known, meta
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE, Manifest
from certwright.roles.standalone.layout import DEFAULT_NAMESPACE, Layout
from certwright.roles.standalone.rules import WebhookRules
from certwright.roles.standalone.wishes import leave_wish

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
            return DEFAULT_NAMESPACE
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
    """Give the store, and close it at the end.

    Raises:
        StartupError: There is no usable kubeconfig, or nothing ever ran on the folder.
    """
    if place.folder is None:
        async with KubeStore(place.connection(), reader="cmctl") as store:
            yield store
        return
    layout = Layout(place.folder)
    if not layout.state.is_dir():
        raise StartupError(
            f"cannot work on {place.folder}: nothing has run on it yet; start `certwright "
            f"standalone {place.folder}`"
        )
    lock = FolderLock(layout.state)
    if not lock.try_lock():
        yield _StoreOfAnother(layout)
        return
    with lock:
        yield FileStore(layout.state, admission=WebhookRules(FeatureGates()))


class _StoreOfAnother(ObjectStore):
    """What a folder holds while another process works on it: to be looked at, and to wish for."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self._layout = layout
        self.table.load(read_objects(layout.state))

    async def create(self, obj: Manifest, /, *, manager: str, dry_run: bool = False) -> Manifest:
        """Allow a trial only."""
        if not dry_run:
            raise self._refusal()
        return await super().create(obj, manager=manager, dry_run=True)

    async def update_status(self, obj: Manifest, /, *, manager: str) -> Manifest:
        """Hand the wish for a new certificate, or a new try, over to the process that works."""
        if meta.kind_of(obj) != CERTIFICATE:
            raise self._refusal()
        issuing = get_condition(obj, "Issuing")
        before = self.table.get(meta.key_of(obj))
        has_failed = before is not None and Certificate(before).last_failure_time is not None
        if has_failed and Certificate(obj).last_failure_time is None:
            leave_wish(self._layout, "retry", meta.key_of(obj))
        elif issuing is not None and issuing.is_true:
            leave_wish(self._layout, "renew", meta.key_of(obj))
        else:
            raise self._refusal()
        return obj

    async def update(self, obj: Manifest, /, *, manager: str) -> Manifest:
        """Hand the wish for another account key over to the process that works."""
        if known.ROLLOVER_ACCOUNT_KEY not in meta.annotations(obj):
            raise self._refusal()
        leave_wish(self._layout, "rollover", meta.key_of(obj))
        return obj

    def _refusal(self) -> RefusedError:
        return RefusedError(
            f"another process works on {self._layout.folder}; end it first, or change the files"
        )
