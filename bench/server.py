"""The real program as a process of its own: free ports, a folder of its own, no other setting."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from bench.process import cpu_seconds, memory_bytes, peak_memory_bytes, wait_quiet
from lymer import clock

__all__ = ["Server"]

_START_SECONDS_MAX = 120.0
_STOP_SECONDS_MAX = 120.0
_STORED_SECONDS_MAX = 600.0
_ROLLUP_PERIOD_SECONDS = 71.0
"""A few spans are counted after 60 s by a worker with a period of 10: a server that looks idle may
only be waiting for it."""
_PORTS = {
    "query": r"UI +http://localhost:(\d+)",
    "grpc": r"OTLP gRPC +localhost:(\d+)",
    "http": r"OTLP HTTP +https?://localhost:(\d+)",
    "udp": r"UDP compact (\d+)",
    "admin": r"Metrics +http://localhost:(\d+)",
}


class Server:
    """`lymer all-in-one` on `folder`; a context manager."""

    def __init__(
        self, folder: Path, settings: tuple[str, ...] = (), tree: Path | None = None
    ) -> None:
        """Start it and wait for its ready block.

        Args:
            folder: The data folder; kept at the end.
            settings: `path=value` each, beside the ports.
            tree: Another source tree whose program is started, with its own `.venv`.

        Raises:
            RuntimeError: It did not become ready.
        """
        sets = [f"{name}=0" for name in _port_settings(tree)] + list(settings)
        python = tree / ".venv/bin/python" if tree else sys.executable
        command = [str(python), "-m", "lymer", "all-in-one", "--data-dir", str(folder)]
        command += ["--log-level", "warning"]
        for value in sets:
            command += ["--set", value]
        self.folder = folder
        started = clock.monotonic_seconds()
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
        block = self._ready_block()
        self.start_seconds = clock.monotonic_seconds() - started
        """From the command to the ready block."""
        self.ports: dict[str, int] = {}
        for name, pattern in _PORTS.items():
            match = re.search(pattern, block)
            if match is None:
                self.stop()
                raise RuntimeError(f"cannot measure: no {name} address in the ready block")
            self.ports[name] = int(match.group(1))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the process."""
        self.stop()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def endpoint(self, protocol: str) -> str:
        """Return where spans are sent by `grpc` or `http/protobuf`."""
        return f"http://localhost:{self.ports['grpc' if protocol == 'grpc' else 'http']}"

    def cpu(self) -> float:
        """Processor seconds so far."""
        return cpu_seconds(self.pid)

    def memory(self) -> int:
        """Resident bytes now."""
        return memory_bytes(self.pid)

    def peak_memory(self) -> int:
        """Most resident bytes so far."""
        return peak_memory_bytes(self.pid)

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        url = f"http://localhost:{self.ports['admin']}/metrics"
        with urllib.request.urlopen(url, timeout=30) as response:
            lines = response.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((name + " ", name + "{"))
        )

    def wait_stored(self, spans: int) -> float:
        """Wait until that many spans are stored since the start; return the time it was so.

        Raises:
            RuntimeError: They are not, after a long time.
        """
        deadline = clock.monotonic_seconds() + _STORED_SECONDS_MAX
        stored = 0.0
        while clock.monotonic_seconds() < deadline:
            stored = self.metric("lymer_store_spans_total")
            if stored >= spans:
                return clock.monotonic_seconds()
            time.sleep(0.05)
        raise RuntimeError(f"refusing to report: {stored:.0f} of {spans} spans were stored")

    def wait_loaded(self) -> None:
        """Wait until what was acknowledged is stored; merges may go on."""
        while self.metric("lymer_journal_backlog_bytes") > 0:
            time.sleep(0.1)

    def settle(self, seconds_min: float = _ROLLUP_PERIOD_SECONDS) -> float:
        """Wait until nothing is left to do; return the processor seconds when the quiet began.

        Nothing is left when the backlog is empty, the rollup worker has had its turn
        (`seconds_min`), and the process is quiet: so merges are over too.

        Raises:
            RuntimeError: It does not come to rest.
        """
        return wait_quiet(
            self.pid, seconds_min, lambda: self.metric("lymer_journal_backlog_bytes") == 0
        )

    def settle_now(self) -> float:
        """Settle without the rollup worker's turn: for a smoke run."""
        return self.settle(seconds_min=0)

    def stop(self) -> float:
        """Ask it to end; return how long that took, seconds.

        Raises:
            RuntimeError: It did not end well.
        """
        if self._process.poll() is not None:
            return 0.0
        started = clock.monotonic_seconds()
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise RuntimeError("cannot measure: the server did not stop") from None
        if code != 0:
            raise RuntimeError(f"cannot measure: the server ended with exit code {code}")
        return clock.monotonic_seconds() - started

    def _ready_block(self) -> str:
        assert self._process.stdout is not None
        block = ""
        deadline = clock.monotonic_seconds() + _START_SECONDS_MAX
        for line in self._process.stdout:
            block += line
            if "Stop:" in line or clock.monotonic_seconds() > deadline:
                break
        if "is ready" not in block:
            self._process.kill()
            raise RuntimeError(f"cannot measure: the server did not start: {block[-500:]}")
        return block


def _port_settings(tree: Path | None) -> list[str]:
    """Return the path of every setting that is a port, those of later versions too."""
    package = tree / "packages/lymer/src/lymer" if tree else files("lymer")
    document = yaml.safe_load(package.joinpath("all_in_one.yaml").read_text())
    found: list[str] = []

    def look(path: tuple[str, ...], value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                look((*path, key), inner)
        elif path[-1] == "port":
            found.append(".".join(path))

    look((), document)
    return found
