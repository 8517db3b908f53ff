"""The provider that reads a strategies file, from disk or from an HTTP server, again and again.

Source: reference jaeger.md 3.2. Differs where Jaeger 1.76 has a bug: if the server answers 503 at
start, it is asked again all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from lymer.errors import LymerError, StartupError
from lymer.sampling.file_source import read_source
from lymer.sampling.strategies import Strategy
from lymer.sampling.strategy_file import FileStrategies, read_strategies
from lymer.telemetry.logs import EventLog
from lymer.telemetry.sampling_metrics import SamplingMetrics

__all__ = ["FileProvider"]

_log = EventLog(__name__)
_NOTHING: Final = b"null"
_WARNINGS_LOGGED_MAX: Final = 20


class FileProvider:
    """A `StrategyProvider`; what it has read stays in force until something better is read."""

    def __init__(
        self,
        source: str,
        *,
        default_probability: float,
        reload_seconds: float,
        metrics: SamplingMetrics,
    ) -> None:
        """Prepare; `start` reads.

        Args:
            source: Path or `http(s)://` address; empty for none, which gives everybody the
                default.
            default_probability: See `read_strategies`.
            reload_seconds: Pause between readings; 0 reads once.
            metrics: Where failures are counted.
        """
        self._source = source
        self._default_probability = default_probability
        self._reload_seconds = reload_seconds
        self._metrics = metrics
        self._content = _NOTHING
        self._strategies = self._decoded(_NOTHING)
        self._problem = ""
        self._task: asyncio.Task[None] | None = None

    async def get_strategy(self, service: str, /) -> Strategy:
        """See `StrategyProvider.get_strategy`; never fails."""
        return self._strategies.get(service)

    async def start(self) -> None:
        """Read for the first time, and go on reading on the running event loop.

        Raises:
            StartupError: It cannot be read or used.
        """
        if not self._source:
            return
        try:
            content = await read_source(self._source)
            self._use(content, self._decoded(content))
        except LymerError as error:
            message = (
                f"cannot use the sampling strategies in {self._source}: {error}; correct it, or "
                "choose another one with --set sampling.file.path=PATH"
            )
            raise StartupError(message) from error
        if self._reload_seconds:
            self._task = asyncio.create_task(self._run(), name="sampling strategies")

    async def stop(self) -> None:
        """Stop reading; idempotent."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._reload_seconds)
            await self._reload()

    async def _reload(self) -> None:
        """Read again; what cannot be used changes nothing."""
        try:
            content = await read_source(self._source)
            if content != self._content:
                self._use(content, self._decoded(content))
                _log.info("sampling strategies read again", source=self._source)
        except LymerError as error:
            self._metrics.reload_failures.inc()
            if str(error) != self._problem:
                self._problem = str(error)
                _log.error(
                    "sampling strategies not read, the old ones stay",
                    source=self._source,
                    error=error,
                )
            return
        self._problem = ""

    def _decoded(self, content: bytes) -> FileStrategies:
        return read_strategies(content, default_probability=self._default_probability)

    def _use(self, content: bytes, strategies: FileStrategies) -> None:
        self._content, self._strategies = content, strategies
        for warning in strategies.warnings[:_WARNINGS_LOGGED_MAX]:
            _log.warning("sampling strategies", source=self._source, problem=warning)
