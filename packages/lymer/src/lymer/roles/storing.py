"""The part that owns the store: data folder, engine, journal, loader and rollups."""

from __future__ import annotations

import asyncio
import functools
import math
import os
import re
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, TypeAlias

from lymer import clock
from lymer.config import Config
from lymer.errors import OverloadedError, StartupError, StorageError
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
from lymer.storage.clickhouse.collectors import share
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.engine_front import FrontEngine, told_by_shards
from lymer.storage.clickhouse.engine_late import LateEngine
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.image_pages import release_image_pages
from lymer.storage.clickhouse.reading_store import ReadingStore
from lymer.storage.clickhouse.sharded_store import ShardedStore
from lymer.storage.clickhouse.store import ClickHouseStore, Retention
from lymer.storage.clickhouse.tiers import EMBEDDED_POLICY, ObjectStorage, Tiers
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics
from lymer.transport.watched_files import read_file

__all__ = [
    "Loading",
    "Store",
    "lock_data_folder",
    "open_deliveries",
    "open_engines",
    "open_reading_store",
    "open_store",
    "tiers_of",
]

Store: TypeAlias = ClickHouseStore | ShardedStore

_log = EventLog(__name__)
GRAPH_AGE_SECONDS_MAX: Final = 2.0
"""How far behind the service graph may be for readers, seconds: counting takes a quarter of one."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+\Z")
_DRAIN_SECONDS_MAX: Final = 30.0
"""The store may take so long to load what the journal holds; the rest waits for the next start."""
_WAIT_SECONDS_MAX: Final = 60.0
"""A deletion or an import waits so long for what arrived before it to be stored."""
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
    # Made when there is something to set aside; that must not be when it turns out to be a file.
    if os.path.lexists(folder / "quarantine"):
        claim_folder(folder / "quarantine")
    return folder


def open_deliveries(config: Config, data_dir: Path) -> Deliveries:
    """Read what agents have delivered.

    Raises:
        CorruptJournalError: It cannot be read.
    """
    return Deliveries(data_dir / "deliveries", agents_max=config.collector.agents_max)


def open_journal(
    config: Config, data_dir: Path, intake: Intake, metrics: Metrics, store: Store | None = None
) -> Journal[Ticket]:
    """Recover what a former run left and take what `intake` gives; it is not opened yet.

    Args:
        config: The whole; only roles see it so.
        data_dir: Holds the folder `journal`.
        intake: Told what became durable.
        metrics: Of what the journal holds.
        store: Where segments are loaded; None where they are sent on.

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
            settings.backlog_seconds_max if store else math.inf,
            is_shared=config.tenancy.enabled,
        ),
        on_durable=intake.on_durable,
        unix_nano=clock.unix_nano,
        monotonic_seconds=clock.monotonic_seconds,
        first_segment_id=store.newest_segment_id + 1 if store else 0,
        next_segment_id=store.next_segment_id if store else int,
    )
    metrics.backlog_bytes.set_function(lambda: journal.state().backlog_bytes)
    metrics.journal_commits.set_function(lambda: journal.state().commits)
    metrics.journal_failures.set_function(lambda: journal.state().write_failures)
    return journal


def open_store(stack: AsyncExitStack, config: Config, data_dir: Path) -> Store:
    """Open the store: the embedded engine's, a ClickHouse server's, or that of several.

    Raises:
        StartupError: The store is of a newer version, or the policies cannot be used.
    """
    settings = config.storage
    policies = _tail_policies(config.tail_sampling.policies_file)
    engines = open_engines(config, data_dir)
    for engine in engines:
        stack.callback(_close_engine, engine)
    cluster = settings.clickhouse_cluster
    try:
        sharing = share(engines, data_dir, cluster) if settings.clickhouse_url else [None]
        stores = [
            ClickHouseStore(
                engine,
                retention_seconds=round(settings.retention_seconds),
                memory_bytes_max=settings.memory_bytes_max,
                query_timeout_seconds=settings.query_timeout_seconds,
                graph_age_seconds_max=GRAPH_AGE_SECONDS_MAX,
                archive_retention_seconds=round(settings.archive_retention_seconds),
                sharing=one,
                retention=Retention(
                    tuple(
                        (tenant, round(seconds)) for tenant, seconds in settings.retention_by_tenant
                    ),
                    tuple(
                        (service, round(seconds))
                        for service, seconds in settings.retention_by_service
                    ),
                    tiers_of(config),
                ),
            )
            for engine, one in zip(engines, sharing, strict=True)
        ]
    except StorageError as error:
        place = settings.clickhouse_url or data_dir / "store"
        raise StartupError(f"cannot open the store in {place}: {error}") from error
    store: Store = stores[0]
    if cluster:
        front = open_reading_store(config)
        stack.callback(front.close)
        store = ShardedStore(stores, front)
    stack.callback(store.leave)
    if policies:
        store.sample_tails(policies)
    if not settings.clickhouse_url:
        release_image_pages()
    return store


def open_reading_store(config: Config) -> ReadingStore:
    """Return the readers of a ClickHouse server, or of the shards of a cluster; asks nothing yet.

    Raises:
        StartupError: Servers and cluster do not go together.
    """
    settings = config.storage
    urls = _urls(config)
    late = [LateEngine(functools.partial(_connect, config, url)) for url in urls]
    cluster = settings.clickhouse_cluster
    return ReadingStore(
        FrontEngine(late, cluster) if cluster else late[0],
        retention_seconds=round(settings.retention_seconds),
        memory_bytes_max=settings.memory_bytes_max,
        query_timeout_seconds=settings.query_timeout_seconds,
        told=told_by_shards(cluster) if cluster else "",
    )


def open_engines(config: Config, data_dir: Path) -> list[ChdbEngine | ServerEngine]:
    """Open the embedded engine, or a connection to each server that the settings name.

    Raises:
        StartupError: It cannot be opened, or reached.
    """
    if not config.storage.clickhouse_url:
        claim_folder(data_dir / "store")
        return [
            ChdbEngine(
                data_dir / "store",
                memory_bytes_max=config.storage.memory_bytes_max,
                cold=_object_storage(config),
            )
        ]
    try:
        return [_connect(config, url) for url in _urls(config)]
    except StorageError as error:
        raise StartupError(str(error)) from error


def tiers_of(config: Config) -> Tiers:
    """Return when spans leave the local disk.

    Raises:
        StartupError: It is not said where to.
    """
    settings = config.storage
    is_server = bool(settings.clickhouse_url)
    policy = settings.cold_policy if is_server else settings.cold_s3_url and EMBEDDED_POLICY
    if settings.cold_after_seconds and not policy:
        needed = "storage.cold_policy" if is_server else "storage.cold_s3_url"
        raise StartupError(f"cannot move old spans: {needed} must say where to")
    if policy and not _NAME.match(policy):
        raise StartupError(
            "cannot use storage.cold_policy: a name has letters, digits, - and _ only"
        )
    return Tiers(policy, round(settings.cold_after_seconds))


def _object_storage(config: Config) -> ObjectStorage | None:
    """Return where the embedded engine may put old spans.

    Raises:
        StartupError: Its key cannot be read.
    """
    settings = config.storage
    if not settings.cold_s3_url:
        return None
    if settings.cold_s3_key_file is None:
        return ObjectStorage(settings.cold_s3_url)
    content = read_file(settings.cold_s3_key_file, "storage.cold_s3_key_file")
    lines = content.decode(errors="replace").split()
    if len(lines) != 2:
        raise StartupError(
            f"cannot use storage.cold_s3_key_file {settings.cold_s3_key_file}: it must have two "
            "lines, access key id and secret"
        )
    return ObjectStorage(settings.cold_s3_url, *lines)


def _urls(config: Config) -> list[str]:
    """Return the servers, one for each shard."""
    settings = config.storage
    urls = [url.strip() for url in settings.clickhouse_url.split(",") if url.strip()]
    if len(urls) > 1 and not settings.clickhouse_cluster:
        raise StartupError(
            f"cannot use {len(urls)} servers: storage.clickhouse_cluster must name the cluster "
            "whose shards they are"
        )
    if settings.clickhouse_cluster and not _NAME.match(settings.clickhouse_cluster):
        raise StartupError(
            "cannot use storage.clickhouse_cluster: a name has letters, digits, - and _ only"
        )
    return urls


def _connect(config: Config, url: str) -> ServerEngine:
    """Connect to a server with what the settings say of it.

    Raises:
        StartupError: The password cannot be read, or what is needed is not installed.
        StorageAwayError: Nobody answers there.
    """
    settings = config.storage
    password = ""
    if settings.clickhouse_password_file is not None:
        try:
            content = read_file(
                settings.clickhouse_password_file, "storage.clickhouse_password_file"
            )
            password = content.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            file = settings.clickhouse_password_file
            raise StartupError(
                f"cannot read storage.clickhouse_password_file {file}: {error}"
            ) from error
    if settings.clickhouse_ca_file is not None:
        read_file(settings.clickhouse_ca_file, "storage.clickhouse_ca_file")
    return ServerEngine(
        url,
        user=settings.clickhouse_user,
        password=password,
        ca_file=settings.clickhouse_ca_file,
    )


def _tail_policies(file: Path | None) -> tuple[Policy, ...]:
    if file is None:
        return ()
    try:
        content = read_file(file, "tail_sampling.policies_file")
        for sentence in unread_settings(content):
            _log.warning(
                "setting of the policies file is not read", file=str(file), setting=sentence
            )
        return read_tail_policies(content)
    except TailFileError as error:
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
        store: Store,
        intake: Intake,
        deliveries: Deliveries,
        metrics: Metrics,
    ) -> None:
        """Recover what a former run left and begin to load it; `intake` is not opened yet.

        Raises:
            CorruptJournalError: A segment of a former run cannot be read.
        """
        journal = self.journal = open_journal(config, data_dir, intake, metrics, store)
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

    async def wait_for_store(self) -> int:
        """Wait until all that has arrived by now is stored, and return up to which segment it is.

        Raises:
            OverloadedError: The store is too far behind.
        """
        asked = clock.unix_nano() // 1_000
        ends = clock.monotonic_seconds() + _WAIT_SECONDS_MAX
        while (complete := self.newest_complete()) < asked:
            if clock.monotonic_seconds() > ends:
                raise OverloadedError("what has arrived is not stored yet", retry_after_seconds=30)
            await asyncio.sleep(0.05)
        return complete

    async def wait_for_recovery(self, life: Lifetime | None = None) -> None:
        """Wait until the last run's segments are searchable, or the store says why not."""
        while not (  # noqa: ASYNC110
            self._loader.has_recovered
            or self._loader.problem
            or (life is not None and life.is_stopping)
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
            newest_complete=self.newest_complete,
        )

    def newest_complete(self) -> int:
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
