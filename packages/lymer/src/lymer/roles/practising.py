"""Demo traffic and incidents as processes of this one: what the buttons of the first page start."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from lymer.clock import unix_nano
from lymer.errors import QuestionError
from lymer.telemetry.logs import EventLog

__all__ = ["KINDS", "PracticeGround", "is_loopback_address"]

KINDS: Final = (
    "slow-callee", "bad-version", "bad-host", "n-plus-one", "retry-storm", "lock", "queue",
    "cold-cache", "error-burst",
)  # fmt: skip
"""As `lymer.incidents.kinds` has them, which imports numpy; a test compares."""

TRAFFIC_SECONDS: Final = 600
"""Demo traffic stops by itself after so long."""
INCIDENTS_MAX: Final = 20
"""Newest incidents whose truth is kept."""
_LOOK_SECONDS: Final = 0.5
_STORED_LOOKS_MAX: Final = 240
_STOP_SECONDS: Final = 12.0
_OF_THE_DEMO: Final = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.grpc")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

_log = EventLog(__name__)


def is_loopback_address(host: str) -> bool:
    """Tell whether only this machine reaches a listener there."""
    return host in _LOOPBACK


class PracticeGround:
    """Implements `lymer.api.practice.Practice`. At most one process of each sort runs."""

    def __init__(
        self,
        otlp_grpc: Callable[[], str],
        otlp_http: Callable[[], str],
        newest_complete: Callable[[], int],
        folder: Path,
    ) -> None:
        """Start nothing yet.

        Args:
            otlp_grpc: The receiver, known once it listens: `host:port`.
            otlp_http: Likewise, a URL without path.
            newest_complete: Up to which microsecond since the epoch all that arrived is stored.
            folder: Within the data folder, which alone may be writable; made when needed.
        """
        self._newest_complete = newest_complete
        self._grpc = otlp_grpc
        self._http = otlp_http
        self._traffic: asyncio.subprocess.Process | None = None
        self._incident: asyncio.subprocess.Process | None = None
        self._folder = folder
        self._planted: list[dict[str, Any]] = []
        self._draw = random.Random(unix_nano())  # noqa: S311 - which incident, no secret
        self._waiting: set[asyncio.Task[None]] = set()

    def state(self) -> Mapping[str, Any]:
        """See `Practice.state`."""
        return {
            "traffic": _runs(self._traffic),
            "kinds": list(KINDS),
            "incidents": list(reversed(self._planted)),
        }

    async def start_traffic(self) -> None:
        """See `Practice.start_traffic`: the shop, or what needs no SDK where none is installed."""
        if _runs(self._traffic):
            return
        seconds = f"{TRAFFIC_SECONDS}s"
        if _has_demo():
            command = ["demo", "--endpoint", f"http://{self._grpc()}", "--protocol", "grpc"]
        else:
            command = ["generate", "--endpoint", self._http(), "--rate", "200"]
        self._traffic = await _start([*command, "--duration", seconds])

    async def stop_traffic(self) -> None:
        """See `Practice.stop_traffic`."""
        traffic, self._traffic = self._traffic, None
        if traffic is not None:
            await _stop(traffic)

    async def plant(self, kind: str, seed: int) -> None:
        """See `Practice.plant`."""
        if kind and kind not in KINDS:
            raise QuestionError(f"cannot plant {kind[:50]!r}: kinds are {', '.join(KINDS)}")
        if _runs(self._incident):
            raise QuestionError("cannot plant an incident: one is being sent; it takes seconds")
        kind = kind or self._draw.choice(KINDS)
        seed = seed or self._draw.randrange(1, 1_000_000)
        await asyncio.to_thread(self._folder.mkdir, exist_ok=True)
        truth = self._folder / f"{kind}-{seed}.json"
        planted: dict[str, Any] = {"kind": kind, "seed": seed, "state": "sending", "truth": None}
        self._incident = await _start(
            ["generate", "--incident", kind, "--seed", str(seed), "--endpoint", self._http(),
             "--truth", str(truth)]
        )  # fmt: skip
        self._planted = [*self._planted, planted][-INCIDENTS_MAX:]
        waiting = asyncio.create_task(self._tell(self._incident, planted, truth))
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)

    async def _tell(
        self, process: asyncio.subprocess.Process, planted: dict[str, Any], truth: Path
    ) -> None:
        """Wait until the incident is sent and can be found, then say what is true."""
        code = await process.wait()
        sent = unix_nano() // 1_000
        for _ in range(_STORED_LOOKS_MAX):
            if code or self._newest_complete() >= sent:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        with contextlib.suppress(OSError, ValueError):
            planted["truth"] = json.loads(await asyncio.to_thread(truth.read_text, "utf-8"))
        planted["state"] = "failed" if code else "sent"

    async def close(self) -> None:
        """Stop everything that was started."""
        for process in (self._traffic, self._incident):
            if process is not None:
                await _stop(process)
        for waiting in self._waiting:
            waiting.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


async def _start(arguments: Sequence[str]) -> asyncio.subprocess.Process:
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lymer", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise QuestionError(f"cannot start it: {error.strerror}") from error
    _log.info("practice started", what=arguments[0], pid=process.pid)
    return process


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _runs(process: asyncio.subprocess.Process | None) -> bool:
    return process is not None and process.returncode is None


def _has_demo() -> bool:
    try:
        return all(find_spec(name) is not None for name in _OF_THE_DEMO)
    except ModuleNotFoundError:
        return False
