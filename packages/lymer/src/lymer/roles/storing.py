"""The part that owns the store: data folder, engine, journal, loader and rollups."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from lymer import clock
from lymer.config import Config
from lymer.errors import StartupError, StorageError
from lymer.journal.deliveries import Deliveries
from lymer.journal.journal import Journal, JournalLimits
from lymer.journal.lock import FolderLock, claim_folder
from lymer.model.tail_policy import Policy
from lymer.pipeline.loader import Loader
from lymer.pipeline.rollup import RollupWorker
from lymer.pipeline.tail import TailWorker
from lymer.receivers.intake import Intake, Ticket
from lymer.roles.lifetime import Lifetime
from lymer.sampling.tail_file import TailFileError, read_tail_policies, unread_settings
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics

__all__ = ["Loading", "lock_data_folder", "open_deliveries", "open_store"]

_log = EventLog(__name__)
GRAPH_AGE_SECONDS_MAX: Final = 2.0
"""How far behind the service graph may be for readers, seconds: counting takes a quarter of one."""
_DRAIN_SECONDS_MAX: Final = 30.0
"""The store may take so long to load what the journal holds; the rest waits for the next start."""
_CLOSE_SECONDS_MAX: Final = 10.0
"""Then everything is durable, and a query that will not end must not keep the process alive."""


def lock_data_folder(stack: AsyncExitStack, config: Config) -> Path:
    """Make the data folder ours until the stack unwinds, and return its absolute path.

    Raises:
        StartupError: It cannot be written, or another process has it.
    """
    folder = config.storage.data_dir.absolute()
    lock = FolderLock(folder)
    stack.callback(lock.release)
    claim_folder(folder / "journal")
    return folder


def open_deliveries(config: Config, data_dir: Path) -> Deliveries:
    """Read what agents have delivered.

    Raises:
        CorruptJournalError: It cannot be read.
    """
    return Deliveries(data_dir / "deliveries", agents_max=config.collector.agents_max)


def open_store(stack: AsyncExitStack, config: Config, data_dir: Path) -> ClickHouseStore:
    """Open the embedded engine and its store.

    Raises:
        StartupError: The store is of a newer version, or the policies cannot be used.
    """
    settings = config.storage
    policies = _tail_policies(config.tail_sampling.policies_file)
    engine = open_engine(config, data_dir)
    stack.callback(_close_engine, engine)
    try:
        store = ClickHouseStore(
            engine,
            retention_seconds=round(settings.retention_seconds),
            memory_bytes_max=settings.memory_bytes_max,
            query_timeout_seconds=settings.query_timeout_seconds,
            graph_age_seconds_max=GRAPH_AGE_SECONDS_MAX,
            archive_retention_seconds=round(settings.archive_retention_seconds),
        )
    except StorageError as error:
        place = settings.clickhouse_url or data_dir / "store"
        raise StartupError(f"cannot open the store in {place}: {error}") from error
    if policies:
        store.sample_tails(policies)
    return store


def open_engine(config: Config, data_dir: Path) -> ChdbEngine | ServerEngine:
    """Open the embedded engine, or a connection to the server that the settings name.

    Raises:
        StartupError: It cannot be opened, or reached.
    """
    settings = config.storage
    if not settings.clickhouse_url:
        claim_folder(data_dir / "store")
        return ChdbEngine(data_dir / "store", memory_bytes_max=settings.memory_bytes_max)
    password = ""
    if settings.clickhouse_password_file is not None:
        try:
            password = settings.clickhouse_password_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            file = settings.clickhouse_password_file
            raise StartupError(
                f"cannot read storage.clickhouse_password_file {file}: {error}"
            ) from error
    try:
        return ServerEngine(
            settings.clickhouse_url,
            user=settings.clickhouse_user,
            password=password,
            ca_file=settings.clickhouse_ca_file,
        )
    except StorageError as error:
        raise StartupError(str(error)) from error


def _tail_policies(file: Path | None) -> tuple[Policy, ...]:
    if file is None:
        return ()
    try:
        content = file.read_bytes()
        for sentence in unread_settings(content):
            _log.warning(
                "setting of the policies file is not read", file=str(file), setting=sentence
            )
        return read_tail_policies(content)
    except (OSError, TailFileError) as error:
        raise StartupError(f"cannot read tail_sampling.policies_file {file}: {error}") from error


def _close_engine(engine: ChdbEngine | ServerEngine) -> None:
    """Close the engine; leave the process if a statement will not end: all is durable."""
    timer = threading.Timer(_CLOSE_SECONDS_MAX, os._exit, [0])
    timer.daemon = True
    timer.start()
    engine.close()
    timer.cancel()


class Loading:
    """Journal, loader and rollups, at work from the first moment until the stack unwinds."""

    def __init__(
        self,
        stack: AsyncExitStack,
        config: Config,
        data_dir: Path,
        store: ClickHouseStore,
        intake: Intake,
        deliveries: Deliveries,
        metrics: Metrics,
    ) -> None:
        """Recover what a former run left and begin to load it; `intake` is not opened yet.

        Raises:
            CorruptJournalError: A segment of a former run cannot be read.
        """
        settings = config.journal
        journal: Journal[Ticket] = Journal(
            data_dir / "journal",
            JournalLimits(
                settings.segment_bytes_max,
                settings.segment_age_seconds_max,
                settings.backlog_bytes_max,
                settings.backlog_seconds_max,
                is_shared=config.tenancy.enabled,
            ),
            on_durable=intake.on_durable,
            unix_nano=clock.unix_nano,
            monotonic_seconds=clock.monotonic_seconds,
            first_segment_id=store.newest_segment_id + 1,
        )
        metrics.backlog_bytes.set_function(lambda: journal.state().backlog_bytes)
        metrics.journal_commits.set_function(lambda: journal.state().commits)
        metrics.journal_failures.set_function(lambda: journal.state().write_failures)
        self.journal = journal
        deliveries.recover(journal.recovered())
        store.expect(journal.recovered())  # a part of one may be there, which no rollup may count
        self._store = store
        self._loader = Loader(
            journal, store, data_dir / "quarantine", metrics, before_store=deliveries.settle
        )
        self._rollup = RollupWorker(store, metrics)
        self._tail = self._tail_worker(config, metrics)
        self._loader.start()
        self._rollup.start()
        if self._tail is not None:
            self._tail.start()
        stack.push_async_callback(self._drain)

    def problem(self) -> str:
        """Say why spans cannot be taken or stored now; nothing if they can."""
        return self.journal.problem() or self._loader.problem or self._rollup.problem

    def tenants(self) -> set[str]:
        """Return who has spans, stored or on their way."""
        return {*self._store.tenants(), *self.journal.tenants()}

    async def wait_for_recovery(self, life: Lifetime) -> None:
        """Wait until the last run's segments are searchable, or the store says why not."""
        while not (  # noqa: ASYNC110
            self._loader.has_recovered or self._loader.problem or life.is_stopping
        ):
            await asyncio.sleep(0.01)  # a thread's state, asked only while starting

    def _tail_worker(self, config: Config, metrics: Metrics) -> TailWorker | None:
        settings = config.tail_sampling
        if settings.policies_file is None:
            return None
        return TailWorker(
            self._store,
            metrics,
            grace_seconds=settings.grace_seconds,
            newest_complete=self._newest_complete,
        )

    def _newest_complete(self) -> int:
        """Return up to which segment all that arrived is stored; 0 before all is recovered."""
        if not self._loader.has_recovered:
            return 0
        now = clock.unix_nano() // 1000
        oldest = self.journal.oldest_segment_id()
        return now if oldest is None else min(now, oldest - 1)

    async def _drain(self) -> None:
        """Make durable what waits, store what is durable, count what is stored."""
        await asyncio.to_thread(self.journal.close)
        if not await asyncio.to_thread(self._loader.finish, _DRAIN_SECONDS_MAX):
            backlog = self.journal.state().backlog_bytes
            _log.warning("stopped before all was stored; the next start will", bytes=backlog)
        await asyncio.to_thread(self._rollup.stop)
        if self._tail is not None:
            await asyncio.to_thread(self._tail.stop)
