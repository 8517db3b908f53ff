"""The part that lets other processes read the store: the storage API."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

from lymer.api.storage_grpc import CheckedStore, Export, StorageApi
from lymer.config import Config
from lymer.roles.listening import Ports
from lymer.roles.tenancy import tenancy_of

__all__ = ["serve_store"]


async def serve_store(
    stack: AsyncExitStack,
    config: Config,
    ports: Ports,
    store: CheckedStore,
    export: Export | None = None,
) -> int:
    """Answer from `store` until the stack unwinds, if the storage API is enabled.

    `export` takes spans of a Jaeger whose storage this is.

    Returns:
        The port; 0 if it is not enabled.

    Raises:
        StartupError: The port cannot be had.
    """
    settings = config.storage_api
    if not settings.enabled:
        return 0
    executor = ThreadPoolExecutor(config.storage.query_threads, thread_name_prefix="storage-api")
    stack.callback(executor.shutdown, wait=False, cancel_futures=True)
    gate = ports.security.gate(settings.auth, "storage_api.auth")
    api = StorageApi(store, executor, gate=gate, tenancy=tenancy_of(config), export=export)
    return await ports.serve_grpc(api, settings, "storage API", "storage_api.port")
