"""The part that deletes traces: on the admin port, where the store is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

from lymer.api.deletion import OPEN_PORT, create_deletion_app, create_refusing_app
from lymer.config import Config
from lymer.roles.listening import Ports
from lymer.roles.storing import Loading
from lymer.roles.tenancy import tenancy_of
from lymer.roles.watching import ADMIN
from lymer.storage.clickhouse.sharded_store import ShardedStore
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.transport.http_gate import App, behind_gate

__all__ = ["deletion_app"]


def deletion_app(
    stack: AsyncExitStack,
    config: Config,
    ports: Ports,
    store: ClickHouseStore | ShardedStore,
    loading: Loading,
) -> App | None:
    """Return who deletes until the stack unwinds, behind a gate; None if that is switched off."""
    settings = config.admin.deletion
    if not settings.enabled:
        return None
    if settings.auth.is_open and not ports.is_local(ADMIN):
        return create_refusing_app(OPEN_PORT)
    executor = ThreadPoolExecutor(1, thread_name_prefix="deletion")
    # What is begun is carried out by the next start: the end need not wait for it.
    stack.callback(executor.shutdown, wait=False, cancel_futures=True)
    app = create_deletion_app(
        store,
        store,
        executor=executor,
        tenancy=tenancy_of(config),
        wait_for_store=loading.wait_for_store,
    )
    return behind_gate(app, ports.security.gate(settings.auth, "admin.deletion.auth"))
