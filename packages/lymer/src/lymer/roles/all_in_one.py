"""All in one: receive, journal, store, answer and show in one process.

A timeline: `run` starts the parts in order, serves until a signal, and stops them in reverse.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

import uvloop
from starlette.types import ASGIApp

from lymer import __version__, clock
from lymer.api.app import create_app
from lymer.api.health import Readiness, create_admin_app, create_health_app
from lymer.config import Config
from lymer.journal.journal import Journal, JournalLimits
from lymer.journal.lock import FolderLock
from lymer.pipeline.loader import Loader
from lymer.pipeline.rollup import RollupWorker
from lymer.query.service import QueryService
from lymer.receivers.admission import Admission
from lymer.receivers.intake import Intake, Ticket
from lymer.receivers.otlp_grpc import OtlpGrpcReceiver
from lymer.receivers.otlp_http import OtlpHttpReceiver
from lymer.roles.foreign_receivers import ForeignReceivers
from lymer.roles.listening import REQUEST_GRACE_SECONDS, bind_grpc, listen, serve
from lymer.roles.ready_block import Endpoints, ready_block
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics
from lymer.ui.assets import UiConfig, ui_routes

__all__ = ["run"]

_log = EventLog(__name__)
_DRAIN_SECONDS_MAX: Final = 30.0
"""The store may take so long to load what the journal holds; the rest waits for the next start."""
_CLOSE_SECONDS_MAX: Final = 10.0
"""Then everything is durable, and a query that will not end must not keep the process alive."""
_DECODE_THREADS: Final = 2


def run(config: Config) -> int:
    """Run until SIGINT or SIGTERM; return the exit code.

    Raises:
        StartupError: It cannot start: a taken port, an unwritable or used folder, a newer schema.
    """
    return uvloop.run(_AllInOne(config, Metrics(__version__)).run())


class _Listener(Protocol):
    """Settings of something that listens."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


class _AllInOne:
    """The parts, and the order in which they come and go."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        self._config = config
        self._metrics = metrics
        self._foreign = ForeignReceivers(config.receivers)
        self._data_dir = config.storage.data_dir.absolute()
        self._started_unix_nano = clock.unix_nano()
        self._state = "starting"
        self._stop = asyncio.Event()
        self._loader: Loader | None = None

    async def run(self) -> int:
        """Start in order, serve, stop in reverse."""
        self._handle_signals()
        started = clock.monotonic_seconds()
        async with contextlib.AsyncExitStack() as stack:
            store = self._open_store(stack)
            intake = Intake(asyncio.get_running_loop(), self._metrics)
            journal = self._open_journal(stack, store, intake)
            self._open_query(stack, store)
            await self._open_receivers(stack, intake)
            intake.open(journal)
            await self._wait_for_recovery()
            self._state = ""
            gc.freeze()  # what lives until the end need not be looked at by every collection
            seconds = clock.monotonic_seconds() - started
            _print(ready_block(self._config, self._data_dir, self._endpoints, seconds))
            await self._stop.wait()
            self._state = "stopping"
            _log.info("stopping")
        _log.info("stopped")
        return 0

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if self._stop.is_set():
                os._exit(130)  # asked twice: what was acknowledged is in the journal
            self._stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)

    def _open_store(self, stack: contextlib.AsyncExitStack) -> ClickHouseStore:
        settings = self._config.storage
        lock = FolderLock(self._data_dir)
        stack.callback(lock.release)
        # Ports are tried before the engine is opened, for that is where a start usually fails.
        self._sockets = self._listen(stack)
        engine = ChdbEngine(self._data_dir / "store", memory_bytes_max=settings.memory_bytes_max)
        stack.callback(self._close_engine, engine)
        return ClickHouseStore(
            engine,
            retention_seconds=round(settings.retention_seconds),
            memory_bytes_max=settings.memory_bytes_max,
            query_timeout_seconds=settings.query_timeout_seconds,
        )

    def _listen(self, stack: contextlib.AsyncExitStack) -> dict[str, list[socket.socket]]:
        config = self._config
        wanted: dict[str, tuple[_Listener, str]] = {
            "UI and query API": (config.query, "query.port"),
            "OTLP HTTP": (config.receivers.otlp_http, "receivers.otlp_http.port"),
            "admin": (config.admin, "admin.port"),
            "health": (config.health, "health.port"),
        }
        sockets = {}
        for what, (settings, name) in wanted.items():
            sockets[what] = listen(settings.host, settings.port, what, name)
            for listener in sockets[what]:
                stack.callback(listener.close)
        self._foreign.listen(stack)
        self._endpoints = Endpoints(
            ui_port=_port(sockets["UI and query API"]),
            otlp_http_port=_port(sockets["OTLP HTTP"]),
            admin_port=_port(sockets["admin"]),
            health_port=_port(sockets["health"]),
        )
        return sockets

    def _open_journal(
        self, stack: contextlib.AsyncExitStack, store: ClickHouseStore, intake: Intake
    ) -> Journal[Ticket]:
        settings = self._config.journal
        data_dir = self._data_dir
        journal: Journal[Ticket] = Journal(
            data_dir / "journal",
            JournalLimits(
                settings.segment_bytes_max,
                settings.segment_age_seconds_max,
                settings.backlog_bytes_max,
            ),
            on_durable=intake.on_durable,
            unix_nano=clock.unix_nano,
            monotonic_seconds=clock.monotonic_seconds,
            first_segment_id=store.settled_segment_id + 1,
        )
        self._metrics.backlog_bytes.set_function(lambda: journal.state().backlog_bytes)
        self._metrics.journal_commits.set_function(lambda: journal.state().commits)
        self._metrics.journal_failures.set_function(lambda: journal.state().write_failures)
        loader = self._loader = Loader(journal, store, data_dir / "quarantine", self._metrics)
        rollup = RollupWorker(store, self._metrics)
        loader.start()
        rollup.start()
        stack.push_async_callback(self._drain, journal, loader, rollup)
        return journal

    def _open_query(self, stack: contextlib.AsyncExitStack, store: ClickHouseStore) -> None:
        config = self._config
        executor = ThreadPoolExecutor(config.storage.query_threads, thread_name_prefix="query")
        stack.callback(executor.shutdown, wait=False, cancel_futures=True)
        query = QueryService(
            store,
            max_clock_skew_adjust_seconds=config.query.max_clock_skew_adjust_seconds,
            max_trace_size_spans=config.query.max_trace_size_spans,
        )
        base_path = config.query.base_path
        ui = ui_routes(
            UiConfig(
                base_path=base_path or "/",
                version=__version__,
                otlp_grpc=self._endpoints.otlp_grpc(config),
                otlp_http=self._endpoints.otlp_http(config),
            )
        )
        app = create_app(query, executor=executor, extra_routes=ui, base_path=base_path)
        self._serve(stack, app, "UI and query API")
        self._serve(stack, create_health_app(self._readiness), "health")
        self._serve(stack, create_admin_app(self._readiness, self._metrics.registry), "admin")

    async def _open_receivers(self, stack: contextlib.AsyncExitStack, intake: Intake) -> None:
        settings = self._config.receivers
        admission = Admission(
            bytes_in_flight_max=settings.admission.bytes_in_flight_max,
            requests_in_flight_max=settings.admission.requests_in_flight_max,
        )
        self._metrics.in_flight_bytes.set_function(lambda: admission.bytes_in_flight)
        executor = ThreadPoolExecutor(_DECODE_THREADS, thread_name_prefix="decode")
        stack.callback(executor.shutdown, wait=False, cancel_futures=True)
        http = OtlpHttpReceiver(
            intake, admission, executor, body_bytes_max=settings.otlp_http.body_bytes_max
        )
        self._serve(stack, http, "OTLP HTTP")
        grpc = OtlpGrpcReceiver(
            intake, admission, message_bytes_max=settings.otlp_grpc.message_bytes_max
        )
        otlp = settings.otlp_grpc
        self._endpoints.otlp_grpc_port = bind_grpc(
            grpc, otlp.host, otlp.port, "OTLP gRPC", "receivers.otlp_grpc.port"
        )
        await grpc.start()
        stack.push_async_callback(grpc.stop, REQUEST_GRACE_SECONDS)
        # Last, just before the journal opens: what came by UDP before that would be lost.
        await self._foreign.open(stack, intake, admission, executor)
        self._endpoints.foreign = self._foreign.described()

    def _serve(self, stack: contextlib.AsyncExitStack, app: ASGIApp, what: str) -> None:
        serve(stack, app, self._sockets[what], what)

    async def _wait_for_recovery(self) -> None:
        """Wait until the last run's segments are searchable, or the store says why not."""
        assert self._loader is not None
        while not (  # noqa: ASYNC110
            self._loader.has_recovered or self._loader.problem or self._stop.is_set()
        ):
            await asyncio.sleep(0.01)  # a thread's state, asked only while starting

    async def _drain(self, journal: Journal[Ticket], loader: Loader, rollup: RollupWorker) -> None:
        """Make durable what waits, store what is durable, count what is stored."""
        await asyncio.to_thread(journal.close)
        if not await asyncio.to_thread(loader.finish, _DRAIN_SECONDS_MAX):
            backlog = journal.state().backlog_bytes
            _log.warning("stopped before all was stored; the next start will", bytes=backlog)
        await asyncio.to_thread(rollup.stop)

    def _close_engine(self, engine: ChdbEngine) -> None:
        """Close the engine; leave the process if a statement will not end: all is durable."""
        timer = threading.Timer(_CLOSE_SECONDS_MAX, os._exit, [0])
        timer.daemon = True
        timer.start()
        engine.close()
        timer.cancel()

    def _readiness(self) -> Readiness:
        reason = self._state or (self._loader.problem if self._loader else "starting")
        return Readiness(not reason, reason, self._started_unix_nano)


def _port(sockets: list[socket.socket]) -> int:
    return int(sockets[0].getsockname()[1])


def _print(text: str) -> None:
    """Write the ready block; a closed pipe is no reason to stop."""
    with contextlib.suppress(OSError):
        sys.stdout.write(text)
        sys.stdout.flush()
