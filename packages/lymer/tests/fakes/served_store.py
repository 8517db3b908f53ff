"""A store that is asked through the storage API over a real connection, and written to directly."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from lymer.api.storage_grpc import StorageApi
from lymer.errors import StorageError
from lymer.storage.contract import SealedSegment, SpanStore, TenantReaders
from lymer.storage.remote.reader import RemoteStore

__all__ = ["ApiThread", "ServedStore"]

_CALL_SECONDS_MAX = 60.0
_QUERY_THREADS = 4


class _Store(SpanStore, Protocol):
    def close(self) -> None: ...


class _Checked:
    """A store with a word about how it is; says it is ill if `illness` is set."""

    def __init__(self, store: TenantReaders) -> None:
        self._store = store
        self.illness = ""

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def check(self) -> None:
        if self.illness:
            raise StorageError(self.illness)


class ApiThread:
    """A storage API on a free port of loopback, with an event loop of its own."""

    def __init__(
        self, store: TenantReaders, *, port: int = 0, calls_in_flight_max: int = 64
    ) -> None:
        """Serve `store` at once."""
        self.checked = _Checked(store)
        self._executor = ThreadPoolExecutor(_QUERY_THREADS)
        self._loop = asyncio.new_event_loop()
        started: Future[StorageApi] = Future()

        async def start() -> None:
            api = StorageApi(
                self.checked,  # type: ignore[arg-type]
                self._executor,
                calls_in_flight_max=calls_in_flight_max,
            )
            self.port = api.bind(f"127.0.0.1:{port}")
            await api.start()
            started.set_result(api)

        def run() -> None:
            _starting = self._loop.create_task(start())
            self._loop.run_forever()

        self._thread = threading.Thread(target=run)
        self._thread.start()
        self._api = started.result(timeout=10)

    def close(self) -> None:
        """Stop serving."""
        asyncio.run_coroutine_threadsafe(self._api.stop(0), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._executor.shutdown()


class ServedStore(RemoteStore):
    """What the collector and the query role are together."""

    def __init__(self, store: _Store) -> None:
        """Serve `store`, which is closed with us."""
        self._store = store
        self._api = ApiThread(store)
        super().__init__(f"127.0.0.1:{self._api.port}", call_seconds_max=_CALL_SECONDS_MAX)

    def write_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.write_segment`."""
        self._store.write_segment(segment)

    def recover_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.recover_segment`."""
        self._store.recover_segment(segment)

    def write_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter.write_part`."""
        self._store.write_part(segment, path)

    def try_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter.try_part`."""
        self._store.try_part(segment, path)

    def expect(self, segments: Sequence[SealedSegment], /) -> None:
        """See `SpanWriter.expect`."""
        self._store.expect(segments)

    def announce(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.announce`."""
        self._store.announce(segment)

    def close(self) -> None:
        """Close everything."""
        super().close()
        self._api.close()
        self._store.close()
