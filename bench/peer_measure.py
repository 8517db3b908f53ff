"""One system, start to end: started, sent to, settled, asked.

All systems get the same bytes in the same way, one after the other; each has the machine for itself
as far as this run goes. How much of it others took meanwhile is measured, too.
"""

from __future__ import annotations

import http.client
import os
import resource
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from bench.asking import check_truth
from bench.load import send_all
from bench.measure import check_sums
from bench.numbers import Spread, spread_of
from bench.peer_systems import Peer, is_wrong, jaeger_found
from bench.process import (
    cpu_seconds,
    disk_bytes,
    machine_busy_seconds,
    memory_bytes,
    peak_memory_bytes,
    run_module,
    wait_quiet,
)
from bench.questions import Question
from bench.server import Server
from bench.workload import Workload
from lymer import clock

__all__ = ["Answers", "Column", "measure_lymer", "measure_peer"]

_START_SECONDS_MAX = 120.0
_STOP_SECONDS_MAX = 60.0
_ANSWER_SECONDS_MAX = 60.0
_GROUP_SECONDS_MAX = 20.0
"""Then no more questions of a kind are asked: a system that takes seconds has shown it."""
_MEMORY_BYTES_MAX = 10 * 2**30
"""A peer that wants more gets no more: others live on this machine."""
_CONNECTIONS = 8
_PROTOCOL = "http/protobuf"
"""The one that all take."""
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Answers:
    """To the questions of one kind."""

    spread: Spread
    """Milliseconds of wall time; CPU is the system's."""
    found: float = 0.0
    """Traces, spans or names in an answer, on average: compare it before you compare times."""
    wrong: int = 0
    """Answers that do not hold what was sent, errors included."""


@dataclass(slots=True)
class Column:
    """All that was measured of one system."""

    name: str
    version: str
    changed: str
    figures: dict[str, float] = field(default_factory=dict)
    answers: dict[str, Answers] = field(default_factory=dict)
    failed: str = ""
    """Why there are no figures from some point on."""


class _Running(Protocol):
    """A system that runs: Lymer's `Server`, or a `_PeerServer`."""

    @property
    def pid(self) -> int: ...

    ports: dict[str, int]

    def endpoint(self, protocol: str, /) -> str: ...
    def settle(self) -> float: ...


class _PeerServer:
    """A peer's program on an empty folder and free ports; a context manager."""

    def __init__(self, peer: Peer, folder: Path) -> None:
        """Start it and wait until it may be asked.

        Raises:
            RuntimeError: It did not become ready.
        """
        self._peer = peer
        self._ports = _free_ports()
        self.ports = {"query": self._ports[0]}
        folder.mkdir()
        arguments = peer.command(folder, self._ports)
        # Jaeger's query service would send spans of its own, to whoever listens on the usual port.
        environment = {**os.environ, "OTEL_TRACES_SAMPLER": "always_off"}
        with (folder.parent / f"{folder.name}.log").open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    [os.environ[peer.variable], *arguments],
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    env=environment,
                )
            except OSError as error:  # of another architecture, a script without an interpreter
                raise _no_start(peer, str(error)) from error
        limit = (_MEMORY_BYTES_MAX, _MEMORY_BYTES_MAX)
        resource.prlimit(self.pid, resource.RLIMIT_DATA, limit)
        deadline = clock.monotonic_seconds() + _START_SECONDS_MAX
        while not self._is_ready():
            if self._process.poll() is not None or clock.monotonic_seconds() > deadline:
                self.stop()
                last = Path(log.name).read_text(errors="replace")[-300:]
                raise _no_start(peer, last)
            time.sleep(0.05)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the process."""
        self.stop()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def endpoint(self, protocol: str) -> str:
        """Return where spans are sent over HTTP."""
        assert protocol == _PROTOCOL
        return f"http://127.0.0.1:{self._ports[self._peer.takes_at]}{self._peer.takes}"

    def settle(self) -> float:
        """Wait until it rests; return its processor seconds when that began."""
        return wait_quiet(self.pid, self._peer.settle_seconds_min, lambda: True)

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["query"], timeout=5)
        try:
            connection.request("GET", self._peer.ready)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _no_start(peer: Peer, said: str) -> RuntimeError:
    return RuntimeError(
        f"cannot measure: {peer.name} did not start: {said.strip() or 'it said nothing'}; see that "
        f"{os.environ[peer.variable]} runs here by itself, or unset {peer.variable} to go without"
    )


def _free_ports() -> tuple[int, int, int, int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    first, second, third, fourth = (one.getsockname()[1] for one in sockets)
    for one in sockets:
        one.close()
    return first, second, third, fourth


def measure_lymer(
    column: Column,
    tree: Path | None,
    folder: Path,
    workload: Workload,
    questions: Sequence[Question],
    *,
    is_quick: bool,
) -> None:
    """Fill the column of this tree's Lymer, or of another tree's.

    RED has no HTTP route that answers for all operations at once, so the store itself is asked.

    Raises:
        RuntimeError: What was stored is not what was sent.
    """
    with Server(folder / "data", tree=tree) as server:
        _load(column, server, workload, server.settle_now if is_quick else server.settle)
        _measure_disk(column, server.folder, workload)
        check_truth(server, workload)
        _ask(column, server, lambda one: one.path, jaeger_found, questions)
    asked = [[one.group, one.method, one.arguments] for one in questions if one.method == "get_red"]
    order = {"folder": str(folder / "data" / "store"), "questions": asked}
    direct = run_module("bench.direct", order, tree)
    check_sums(direct, workload)
    for group, timed in direct["groups"].items():
        column.answers[group] = Answers(spread_of(timed["milliseconds"], timed["cpu"]))
    column.figures["bytes a span, in use"] = direct["bytes"]["active"] / workload.spans


def measure_peer(
    column: Column,
    peer: Peer,
    folder: Path,
    workload: Workload,
    questions: Sequence[Question],
) -> None:
    """Fill the column of a peer.

    Raises:
        RuntimeError: It did not start, take spans, or come to rest.
    """
    with _PeerServer(peer, folder / "data") as server:
        _load(column, server, workload, server.settle)
        if peer.is_on_disk:
            _measure_disk(column, folder / "data", workload)
        _ask(column, server, peer.path, peer.found, questions)


def _load(
    column: Column, server: _Running, workload: Workload, settle: Callable[[], float]
) -> None:
    figures, million = column.figures, workload.spans / 1e6
    time.sleep(1)
    figures["memory before the first span, MiB"] = memory_bytes(server.pid) / _MIB
    others, cpu = _Others(server.pid), cpu_seconds(server.pid)
    sent = send_all(server.endpoint(_PROTOCOL), workload, _PROTOCOL, _CONNECTIONS)
    figures["CPU-s a million spans, acknowledged"] = (cpu_seconds(server.pid) - cpu) / million
    figures["acknowledged, spans/s"] = sent.spans / sent.seconds
    figures["acknowledgement, p99, ms"] = sent.ack_seconds.p99 * 1000
    figures["CPU-s a million spans, settled"] = (settle() - cpu) / million
    figures["processors that others used while loading"] = others.processors()
    figures["memory, peak, MiB"] = peak_memory_bytes(server.pid) / _MIB
    figures["memory, settled, MiB"] = memory_bytes(server.pid) / _MIB


def _measure_disk(column: Column, folder: Path, workload: Workload) -> None:
    each = disk_bytes(folder) / workload.spans
    column.figures["bytes a span, whole folder"] = each
    column.figures["bytes a span, in use"] = each


def _ask(
    column: Column,
    server: _Running,
    path: Callable[[Question], str],
    found: Callable[[Question, bytes], list[str]],
    questions: Sequence[Question],
) -> None:
    groups: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        if path(question):
            groups[question.group].append(question)
    others = _Others(server.pid)
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.ports["query"], timeout=_ANSWER_SECONDS_MAX
    )
    for group, members in sorted(groups.items()):
        _get(connection, path(members[0]))
        cpu, took, counts, wrong = cpu_seconds(server.pid), list[float](), list[int](), 0
        for question in members:
            began = clock.monotonic_seconds()
            status, body = _get(connection, path(question))
            took.append((clock.monotonic_seconds() - began) * 1000)
            entries = found(question, body) if status == 200 else []
            wrong += status not in {200, 404} or is_wrong(question, entries)
            counts.append(len(entries))
            if sum(took) > _GROUP_SECONDS_MAX * 1000:
                break
        cpu = (cpu_seconds(server.pid) - cpu) * 1000 / len(took)
        mean = sum(counts) / len(counts)
        column.answers[group] = Answers(spread_of(took, cpu), mean, wrong)
    connection.close()
    column.figures["processors that others used while asking"] = others.processors()
    column.figures["memory, after all questions, MiB"] = memory_bytes(server.pid) / _MIB


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        connection.close()  # the next request connects again
        return 0, b""


class _Others:
    """How many processors were busy with neither this run nor its system."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before, self._at = self._seconds(), clock.monotonic_seconds()

    def _seconds(self) -> float:
        return machine_busy_seconds() - cpu_seconds(self._pid) - time.process_time()

    def processors(self) -> float:
        """Return it since the start."""
        seconds = clock.monotonic_seconds() - self._at
        return max(0.0, self._seconds() - self._before) / seconds
