"""Which stores the kit runs against: add a line to `STORES`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Final

import pytest

from certwright.adapters.files import FileStore
from certwright.adapters.kube import KubeStore
from certwright.engine.store import Selection, Store
from certwright.errors import NotFoundError
from certwright.resources.kinds import CERTIFICATE, SECRET
from certwright_testing.api_server import MemoryStore
from certwright_testing.cluster import Cluster


@dataclass(frozen=True, slots=True)
class StoreUnderTest:
    """How a store is opened, and what it cannot do."""

    open: Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Store]]
    cannot: frozenset[str] = frozenset()
    """Names of the kit's demands it cannot meet, each with the reason where it is listed."""


def _cluster(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[Store]:
    """Start the real API server before there is a loop."""
    return _swept(request.getfixturevalue("cluster"))


@asynccontextmanager
async def _swept(cluster: Cluster) -> AsyncIterator[Store]:
    """Open the API server, and leave nothing of the test in its two namespaces."""
    async with KubeStore(cluster.connection()) as store:
        try:
            yield store
        finally:
            for kind in (CERTIFICATE, SECRET):
                for namespace in ("one", "two"):
                    await _sweep(store, Selection(kind, namespace))


async def _sweep(store: Store, selection: Selection) -> None:
    for obj in (await store.list(selection)).objects:
        metadata = obj["metadata"]
        if metadata.pop("finalizers", None):
            await store.update(obj, manager="kit")
        try:
            await store.delete(
                selection.kind.key(metadata["namespace"], metadata["name"]), uid=metadata["uid"]
            )
        except NotFoundError:
            continue


STORES: Final[dict[str, StoreUnderTest]] = {
    "memory": StoreUnderTest(lambda _request: nullcontext(MemoryStore())),
    "files": StoreUnderTest(
        lambda request: nullcontext(FileStore(request.getfixturevalue("tmp_path"))),
        # A folder needs to know what was applied, and nothing of who updated what.
        cannot=frozenset({"books of updates"}),
    ),
    "cluster": StoreUnderTest(
        _cluster,
        # The garbage collector is part of kube-controller-manager.
        cannot=frozenset({"garbage collection"}),
    ),
}


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.cluster] if name == "cluster" else [])
        for name in STORES
    ]
)
def store(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[Store]:
    """Open a store with the namespaces `one` and `two`, and nothing of the test's in them."""
    return STORES[request.param].open(request)


@pytest.fixture(autouse=True)
def _demands(request: pytest.FixtureRequest) -> None:
    """Skip a test that demands what this store cannot do."""
    marker = request.node.get_closest_marker("demands")
    name = getattr(request.node, "callspec", None)
    if marker is None or name is None:
        return
    lacking = STORES[name.params["store"]].cannot & set(marker.args)
    if lacking:
        pytest.skip(f"{name.params['store']} cannot: {', '.join(sorted(lacking))}")
