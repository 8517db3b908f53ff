"""Lymer as a user starts it: one process, its own folder, free ports."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from lymer.clock import monotonic_seconds

__all__ = ["NO_TLS", "PORT_SETTINGS", "Lymer", "free_ports", "lymer_environment"]

PORT_SETTINGS: Final = {
    "otlp_grpc": "LYMER__RECEIVERS__OTLP_GRPC__PORT",
    "otlp_http": "LYMER__RECEIVERS__OTLP_HTTP__PORT",
    "jaeger_grpc": "LYMER__RECEIVERS__JAEGER_GRPC__PORT",
    "jaeger_http": "LYMER__RECEIVERS__JAEGER_HTTP__PORT",
    "jaeger_udp_compact": "LYMER__RECEIVERS__JAEGER_UDP_COMPACT__PORT",
    "jaeger_udp_binary": "LYMER__RECEIVERS__JAEGER_UDP_BINARY__PORT",
    "zipkin": "LYMER__RECEIVERS__ZIPKIN__PORT",
    "zipkin_udp_compact": "LYMER__RECEIVERS__ZIPKIN_UDP_COMPACT__PORT",
    "sampling_http": "LYMER__SAMPLING__HTTP__PORT",
    "sampling_grpc": "LYMER__SAMPLING__GRPC__PORT",
    "storage_api": "LYMER__STORAGE_API__PORT",
    "query": "LYMER__QUERY__PORT",
    "query_grpc": "LYMER__QUERY__GRPC__PORT",
    "tempo": "LYMER__API__TEMPO__PORT",
    "admin": "LYMER__ADMIN__PORT",
    "health": "LYMER__HEALTH__PORT",
}
"""Every listener → the environment variable that moves it."""

NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Of clients of http://; the machine's authorities, which they load else, take 20 ms of each."""
READY_SECONDS_MAX: Final = 120.0
STOP_SECONDS_MAX: Final = 20.0
SEARCHABLE_SECONDS_MAX: Final = 10.0
"""Generous: the machine may be busy. What is promised (2 s) is measured in bench/, not here."""


_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
_next_port = itertools.cycle(
    20_000 + _WORKER * 1_500 + (at + os.getpid() * 97) % 750 for at in range(750)
)


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on now.

    Each test worker has a range of its own below the kernel's ephemeral ports, so that a port
    found is not taken by an outgoing connection or another worker before it is used.
    """
    found: list[int] = []
    while len(found) < count:
        port = next(_next_port)
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        with tcp, udp, contextlib.suppress(OSError):
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            found.append(port)
    return found


def lymer_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return our environment without what would configure Lymer or an SDK, plus `extra`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LYMER_", "JAEGER_", "OTEL_"))
    }
    return {**kept, "PYTHONUNBUFFERED": "1", **(extra or {})}


class Lymer:
    """One role's process; the folder outlives it, so it can be started again."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        role: str = "all-in-one",
        arguments: Sequence[str] = (),
        within: Sequence[str] = (),
    ) -> None:
        """Choose ports and paths; nothing runs yet. `within` is a command that runs ours."""
        self.folder = folder
        self.role = role
        self.arguments = list(arguments)
        self._within = list(within)
        self.data_dir = folder / ("data" if role == "all-in-one" else f"data-{role}")
        self.log = folder / ("lymer.log" if role == "all-in-one" else f"lymer-{role}.log")
        self.ports = dict(zip(PORT_SETTINGS, free_ports(len(PORT_SETTINGS)), strict=True))
        self._extra = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        # Nothing of the machine's proxy settings applies to loopback.
        self.http = httpx.Client(timeout=30, trust_env=False, verify=NO_TLS)

    @property
    def environment(self) -> dict[str, str]:
        """The environment the process gets."""
        ports = {PORT_SETTINGS[name]: str(port) for name, port in self.ports.items()}
        return lymer_environment({**ports, **self._extra})

    @property
    def query_url(self) -> str:
        """Address of the UI and the HTTP API."""
        return f"http://127.0.0.1:{self.ports['query']}"

    @property
    def otlp_http_url(self) -> str:
        """Address to send OTLP/HTTP to."""
        return f"http://127.0.0.1:{self.ports['otlp_http']}/v1/traces"

    @property
    def otlp_grpc_target(self) -> str:
        """Address to send OTLP/gRPC to."""
        return f"127.0.0.1:{self.ports['otlp_grpc']}"

    @property
    def zipkin_url(self) -> str:
        """Address of the Zipkin port, without path."""
        return f"http://127.0.0.1:{self.ports['zipkin']}"

    @property
    def health_url(self) -> str:
        """Address that answers 200 when Lymer is ready."""
        port = "health" if self.role in {"all-in-one", "collector"} else "admin"
        return f"http://127.0.0.1:{self.ports[port]}/status"

    @property
    def admin_url(self) -> str:
        """Address of metrics."""
        return f"http://127.0.0.1:{self.ports['admin']}"

    @property
    def pid(self) -> int:
        """Process id of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def command(self) -> list[str]:
        """The command line."""
        own = [sys.executable, "-m", "lymer", self.role, "--data-dir", str(self.data_dir)]
        return self._within + own + self.arguments

    def start(self) -> None:
        """Start, and return when the health endpoint says ready."""
        self.launch()
        assert self._process is not None
        for _ in poll(READY_SECONDS_MAX):
            code = self._process.poll()
            if code is not None:
                raise AssertionError(f"lymer exited with {code} at start\n{self.log_tail()}")
            if self.answers_ready():
                return
        raise AssertionError(f"lymer was not ready within {READY_SECONDS_MAX} s\n{self.log_tail()}")

    def launch(self) -> None:
        """Start, and return at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.folder,
            )

    def answers_ready(self) -> bool:
        """Say whether the health endpoint answers 200 now."""
        try:
            return self.http.get(self.health_url, timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Ask the process to stop and return its exit code."""
        assert self._process is not None
        self._process.send_signal(with_signal)
        try:
            return self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"lymer did not stop within {STOP_SECONDS_MAX} s\n{self.log_tail()}"
            ) from None

    def kill(self) -> None:
        """End the process whatever it does."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def is_running(self) -> bool:
        """Say whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """End the process and our connections."""
        self.kill()
        self.http.close()

    def log_tail(self, lines: int = 40) -> str:
        """Return the end of what the process printed."""
        if not self.log.exists():
            return "(no log)"
        text = self.log.read_text(errors="replace").splitlines()
        return "\n".join([f"--- {self.log}", *text[-lines:]])

    def wait_for_trace(
        self, trace_id: str, span_count: int, *, raw: bool = False
    ) -> dict[str, Any]:
        """Return the trace as `/api/traces/{id}` has it, once it holds `span_count` spans.

        Raw is as it was sent; otherwise Jaeger's adjusters have been at work, and sorted it.
        """
        parameters = {"raw": "true"} if raw else {}
        response = None
        for _ in poll(SEARCHABLE_SECONDS_MAX):
            response = self.http.get(f"{self.query_url}/api/traces/{trace_id}", params=parameters)
            if response.status_code == 200:
                (trace,) = response.json()["data"]
                if len(trace["spans"]) >= span_count:
                    return dict(trace)
        assert response is not None
        raise AssertionError(
            f"trace {trace_id} did not have {span_count} spans within {SEARCHABLE_SECONDS_MAX} s: "
            f"{response.status_code} {response.text[:500]}\n{self.log_tail()}"
        )

    def find_traces(self, **parameters: str | int) -> list[dict[str, Any]]:
        """Return what a search answers."""
        response = self.http.get(f"{self.query_url}/api/traces", params=parameters)
        assert response.status_code == 200, response.text
        return list(response.json()["data"])


def poll(seconds_max: float) -> Iterator[None]:
    """Yield again and again, with a short rest, until `seconds_max` have passed."""
    deadline = monotonic_seconds() + seconds_max
    yield
    while monotonic_seconds() < deadline:
        time.sleep(0.05)
        yield
