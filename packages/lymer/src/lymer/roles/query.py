"""Query: answer and show what another process stores.

A timeline: `run` starts the parts in order, serves until a signal, and stops them in reverse. It
starts while the store is away, says so, and works again when it is back.
"""

from __future__ import annotations

import asyncio
from typing import Final

import uvloop

from lymer import __version__
from lymer.config import Config
from lymer.errors import LymerError
from lymer.roles.answering import UI, listen_for_queries, serve_queries
from lymer.roles.lifetime import Lifetime
from lymer.roles.listening import Ports
from lymer.roles.ready_block import place, role_block, url
from lymer.roles.securing import Security
from lymer.roles.storing import open_reading_store
from lymer.roles.watching import ADMIN, listen_for_admin, serve_admin
from lymer.storage.clickhouse.reading_store import ReadingStore
from lymer.storage.remote.reader import RemoteStore
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics

__all__ = ["run"]

_log = EventLog(__name__)
_CHECK_PERIOD_SECONDS: Final = 1.0
"""How often the store is asked how it is: so old may what health says be."""


def run(config: Config) -> int:
    """Run until SIGINT or SIGTERM; return the exit code.

    Raises:
        StartupError: It cannot start: a taken port.
    """
    uvloop.run(_serve(config, Metrics(__version__)))
    return 0


async def _serve(config: Config, metrics: Metrics) -> None:
    """Start in order, serve, stop in reverse."""
    life = Lifetime()
    async with life.parts() as stack:
        security = Security(stack, config.tls, metrics)
        ports = Ports(stack, security)
        listen_for_queries(ports, config)
        listen_for_admin(ports, config)
        store = _open_store(security, config)
        stack.callback(store.close)
        watch = _StoreWatch(store)
        await watch.look()
        stack.push_async_callback(_cancel, asyncio.create_task(watch.run(), name="store watch"))
        life.watch(watch.problem)
        receivers = config.receivers
        await serve_queries(
            stack,
            config,
            ports,
            store,
            # Where the collector listens is its own business; these are the usual places.
            otlp_grpc=place("localhost", receivers.otlp_grpc.port),
            otlp_http=f"http://{place('localhost', receivers.otlp_http.port)}",
        )
        serve_admin(ports, life, metrics, config)
        place_of_store = config.storage.clickhouse_url or config.remote_storage.target
        rows = [
            ("UI", url(config, config.query, ports.number(UI)) + config.query.base_path),
            ("Store", f"{place_of_store} ({watch.problem() or 'answers'})"),
            ("Admin", url(config, config.admin, ports.number(ADMIN))),
        ]
        await life.serve(lambda seconds: role_block("query", rows, seconds))
    _log.info("stopped")


def _open_store(security: Security, config: Config) -> RemoteStore | ReadingStore:
    """Return the store to read: a ClickHouse server's, or the one that a collector owns."""
    if config.storage.clickhouse_url:
        return open_reading_store(config)
    settings = config.remote_storage
    auth = security.client_auth(settings.auth, "remote_storage.auth")
    return RemoteStore(
        settings.target,
        call_seconds_max=settings.call_seconds_max,
        tls=security.client_tls(settings.tls, "remote_storage.tls"),
        metadata=auth.metadata if auth else tuple,
    )


class _StoreWatch:
    """Asks the store now and then how it is."""

    def __init__(self, store: RemoteStore | ReadingStore) -> None:
        self._store = store
        self._problem = ""

    def problem(self) -> str:
        """Say why there would be no answer now; nothing if there would be."""
        return self._problem

    async def look(self) -> None:
        """Ask once; a change is logged."""
        try:
            await asyncio.to_thread(self._store.check)
            problem = ""
        except LymerError as error:
            problem = str(error)
        if bool(problem) != bool(self._problem):
            if problem:
                _log.warning("the store does not answer", error=problem)
            else:
                _log.info("the store answers again")
        self._problem = problem

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(_CHECK_PERIOD_SECONDS)
            await self.look()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
