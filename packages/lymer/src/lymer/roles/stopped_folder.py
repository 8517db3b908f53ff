"""A data folder that no Lymer uses now, opened by a command: to answer from it, or to add to it.

To answer, a twin is opened: the parts of the store are linked, for the engine never changes a file
of a part, and what may be changed is copied. So nothing of the folder is touched, and yet what was
waiting in the journal is stored, and counted, in the twin.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from starlette.types import ASGIApp, Message

from lymer import __version__, clock
from lymer.api.app import create_app
from lymer.config import Config
from lymer.errors import OverloadedError, StartupError
from lymer.journal.lock import FolderLock
from lymer.query.service import Queries
from lymer.receivers.intake import Intake
from lymer.roles.receiving import make_intake
from lymer.roles.storing import Loading, open_deliveries, open_store
from lymer.storage.clickhouse.tiers import has_cold_spans
from lymer.storage.contract import SpanReader, TenantReaders
from lymer.telemetry.metrics import Metrics
from lymer.tenancy import DEFAULT_TENANT
from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["StoppedFolder", "open_stopped_folder"]

_KEPT: Final = re.compile(r"toIntervalSecond\((\d+)\)")
_WAIT_SECONDS: Final = 0.05
_TWIN_PREFIX: Final = "reading-"
_NEVER_CHANGED: Final = frozenset({".bin", ".packed"})
"""Ends of the names of files with columns and indexes, by far the largest."""


class _OneTenant:
    """The store of a tenant, whoever is asked for."""

    def __init__(self, readers: TenantReaders, tenant: str) -> None:
        self._readers, self._tenant = readers, tenant

    def for_tenant(self, _tenant: str, /) -> SpanReader:
        return self._readers.for_tenant(self._tenant)


class StoppedFolder:
    """Answers as the query API does, and takes spans. Used by one thread."""

    def __init__(
        self, runner: asyncio.Runner, app: ASGIApp, intake: Intake, loading: Loading, tenant: str
    ) -> None:
        """Use what is open."""
        self._runner, self._app, self._tenant = runner, app, tenant
        self._intake, self._loading = intake, loading

    def get(self, path: str, query: str) -> tuple[int, bytes]:
        """Return the status and the body of an answer of the API."""
        return self._runner.run(_asked(self._app, path, query.encode("latin-1")))

    def put(self, request: CheckedRequest) -> None:
        """Store spans; they are durable when it returns."""
        while True:
            try:
                self._runner.run(self._intake.accept(request, "file", tenant=self._tenant))
            except OverloadedError:  # the journal is full: the loader is behind
                if self._loading.problem():
                    raise
                self._runner.run(asyncio.sleep(_WAIT_SECONDS))
            else:
                return


@contextmanager
def open_stopped_folder(
    config: Config, *, tenant: str = DEFAULT_TENANT, writes: bool = False
) -> Iterator[StoppedFolder]:
    """Open the data folder of `config`, and close it.

    Retention stays what it was: the tables know it.

    Raises:
        StartupError: There is no store in it, another process has it, or nothing is known of the
            tenant.
    """
    folder = config.storage.data_dir.absolute()
    if config.storage.clickhouse_url:
        raise StartupError(
            "cannot open the folder alone: its spans are in the ClickHouse server that "
            "storage.clickhouse_url names; start lymer and ask it with --url"
        )
    if not writes and not (folder / "store").is_dir():
        raise StartupError(f"there is no store in {folder}; name another folder with --data-dir")
    if not writes and has_cold_spans(folder / "store"):
        # A copy of the folder would remove what it no longer needs from the storage that both use.
        raise StartupError(
            f"cannot read {folder} alone: old spans lie on object storage; start lymer and ask it "
            "with --url"
        )
    lock = FolderLock(folder)
    try:
        with _opened(folder, writes=writes) as opened, asyncio.Runner() as runner:
            stack = AsyncExitStack()
            try:
                yield runner.run(_serve(stack, runner, config, opened, tenant, writes=writes))
            finally:
                runner.run(stack.aclose())
    finally:
        lock.release()


async def _serve(
    stack: AsyncExitStack,
    runner: asyncio.Runner,
    config: Config,
    folder: Path,
    tenant: str,
    *,
    writes: bool,
) -> StoppedFolder:
    storage = replace(config.storage, data_dir=folder)
    sampling = replace(config.tail_sampling, policies_file=None)
    config = replace(config, storage=storage, tail_sampling=sampling)
    kept = _kept(folder)
    config = replace(config, storage=replace(storage, **kept))
    metrics = Metrics(__version__)
    store = open_store(stack, config, folder)
    if not writes and tenant not in store.tenants():
        known = ", ".join(filter(None, store.tenants())) or "none"
        raise StartupError(f"there is no tenant {tenant!r} in the folder; there are: {known}")
    deliveries = open_deliveries(config, folder)
    intake = make_intake(config, metrics, deliveries)
    loading = Loading(stack, config, folder, store, intake, deliveries, metrics)
    intake.open(loading.journal, loading.tenants())
    await loading.wait_for_recovery()
    if loading.problem():
        raise StartupError(f"cannot open {folder}: {loading.problem()}")
    executor = ThreadPoolExecutor(config.storage.query_threads, thread_name_prefix="query")
    stack.callback(executor.shutdown, wait=False, cancel_futures=True)
    queries = Queries(_OneTenant(store, tenant))
    app = create_app(queries, executor=executor, now_unix_nano=clock.unix_nano)
    return StoppedFolder(runner, app, intake, loading, tenant)


def _kept(folder: Path) -> dict[str, Any]:
    """Return how long the tables of a folder keep rows, by the settings that say so."""
    kept: dict[str, Any] = {}
    settings = {"spans": "retention_seconds", "archive": "archive_retention_seconds"}
    for table, setting in settings.items():
        for file in (folder / "store" / "store").glob(f"*/*/{table}.sql"):
            found = _KEPT.search(file.read_text("utf-8", "replace"))
            if found:
                kept[setting] = float(found[1])
    return kept


@contextmanager
def _opened(folder: Path, *, writes: bool) -> Iterator[Path]:
    """Yield the folder itself, or a twin of it that is removed afterwards."""
    if writes:
        yield folder
        return
    for left in folder.glob(_TWIN_PREFIX + "*"):  # whoever made it is gone: the lock is ours
        shutil.rmtree(left, ignore_errors=True)
    try:
        twin = Path(tempfile.mkdtemp(prefix=_TWIN_PREFIX, dir=folder))
    except OSError as error:
        raise StartupError(
            f"cannot read {folder}: {error.strerror}; it must be writable, for what is read is "
            "linked there, or copy it first"
        ) from error
    try:
        for name in ("store", "journal", "deliveries"):
            if (folder / name).is_dir():
                shutil.copytree(
                    folder / name, twin / name, symlinks=True, copy_function=_linked_or_copied
                )
            elif (folder / name).is_file():
                shutil.copy2(folder / name, twin / name)
        yield twin
    finally:
        shutil.rmtree(twin, ignore_errors=True)


def _linked_or_copied(source: str, target: str) -> str:
    """Link what is large in a part of a table; everything else may be written to, and is copied."""
    if Path(source).suffix in _NEVER_CHANGED:
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.EMLINK, errno.EXDEV, errno.ENOTSUP}:
                raise
        else:
            return target
    return shutil.copy2(source, target)


async def _asked(app: ASGIApp, path: str, query: bytes) -> tuple[int, bytes]:
    sent: list[Message] = []
    asked = False

    async def receive() -> Message:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()  # nobody hangs up
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [],
        "server": ("folder", None),
        "client": None,
    }
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)
