"""Which stores the kit runs against: add a line to `STORES`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Final

import pytest

from certwright.adapters.memory import MemoryStore
from certwright.engine.store import Store


@dataclass(frozen=True, slots=True)
class StoreUnderTest:
    """How a store is opened, and what it cannot do."""

    open: Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Store]]
    cannot: frozenset[str] = frozenset()
    """Names of the kit's demands it cannot meet, each with the reason where it is listed."""


STORES: Final[dict[str, StoreUnderTest]] = {
    "memory": StoreUnderTest(lambda _request: nullcontext(MemoryStore())),
}


@pytest.fixture(params=list(STORES))
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
