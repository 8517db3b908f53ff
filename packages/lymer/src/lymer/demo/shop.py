"""`lymer demo`: opens the shop, sends visitors, closes the shop."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Final
from urllib.parse import quote

from lymer.demo.visitors import Visitors
from lymer.errors import StartupError

__all__ = ["DemoSettings", "run"]

_NAMES: Final = ("frontend", "checkout", "inventory", "payment", "shipping")
_STOP_SECONDS: Final = 8.0
"""Longest wait for a service that was told to stop; it gives itself 5."""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What the demo is told."""

    endpoint: str
    """Address of an OTLP receiver."""
    protocol: str
    """`grpc` or `http/protobuf`."""
    visits_per_second: float
    """Visits on average, above 0."""
    duration_seconds: float | None
    """Stop after this time; None: when told to."""
    ui_url: str
    """Address of the UI, without a slash at its end."""
    seed: int = 1
    """Start of the random numbers."""


def run(settings: DemoSettings) -> int:
    """Run the demo until it is told to stop or its time is over, and return the exit code.

    Raises:
        StartupError: If a service does not come up.
    """
    stop = threading.Event()
    with _stopped_by_signals(stop), ExitStack() as stack:
        _say("starting five services ...")
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lymer-demo-"))
        addresses = _start_services(settings, folder, stack)
        if stop.is_set():
            return 0
        link = f"{settings.ui_url}/search?service={quote('frontend')}"
        _say(
            f"the shop is open: {settings.visits_per_second:g} visits per second, "
            f"traces go to {settings.endpoint}\n"
            f"  look at them   {link}\n"
            "  stop           Ctrl-C"
        )
        draw = random.Random(settings.seed)
        visitors = Visitors(addresses["frontend"], settings.visits_per_second, draw)
        visitors.run(stop, settings.duration_seconds)
        _say(f"closing: {visitors.visits} visits, {visitors.orders} orders")
    return 0


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    previous = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _start_services(settings: DemoSettings, folder: str, stack: ExitStack) -> dict[str, str]:
    """Start all services at once and return service → HOST:PORT once all of them listen."""
    processes: dict[str, subprocess.Popen[str]] = {}
    stack.callback(_stop_services, processes)
    for index, name in enumerate(_NAMES):
        process = subprocess.Popen(
            [sys.executable, "-m", "lymer.demo.service", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes[name] = process
        order = {
            "endpoint": settings.endpoint,
            "protocol": settings.protocol,
            "folder": folder,
            "seed": settings.seed * 100 + index,
        }
        _write_line(name, process, order)
    addresses: dict[str, str] = {}
    for name, process in processes.items():
        line = process.stdout.readline().strip() if process.stdout else ""
        if not line.isdecimal():
            raise StartupError(f"cannot open the demo shop: {name} ended before it was ready")
        addresses[name] = f"127.0.0.1:{line}"
    for name, process in processes.items():
        _write_line(name, process, addresses)
    return addresses


def _write_line(name: str, process: subprocess.Popen[str], content: Mapping[str, object]) -> None:
    if process.stdin is None:
        return
    try:
        process.stdin.write(json.dumps(content) + "\n")
        process.stdin.flush()
    except BrokenPipeError as error:
        raise StartupError(f"cannot open the demo shop: {name} ended by itself") from error


def _stop_services(processes: dict[str, subprocess.Popen[str]]) -> None:
    """Let go of the leashes, all at once; kill what holds on."""
    for process in processes.values():
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()
    for process in processes.values():
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
