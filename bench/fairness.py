"""Do others wait while many search: `python -m bench.fairness`.

A steady sender and somebody who lists services are timed while nobody else is there, and then while
many clients search without a pause. The 99th percentile of an acknowledgement should be at most
twice what it was, and every list of services should come. Who is timed and who searches are a
process each: a client that waits for its own threads says nothing of the server. A busy machine
spoils that: the load stands above the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.load import send_paced, small_requests
from bench.process import require_linux
from bench.server import Server
from bench.workload import make_workload
from lymer import clock

__all__ = ["main"]

_RATIO_MAX: Final = 2.0
_NICE: Final = -10
_SEARCHES: Final = (
    "/api/traces?service=frontend&limit=20&lookback=1h",
    "/api/traces?service=cart&tags=%7B%22error%22%3A%22true%22%7D&limit=20",
    "/api/search?q=%7B%20duration%20%3E%201ms%20%7D",
)


class _Timed:
    """Calls somebody over and over, and remembers how long it took."""

    def __init__(self, call: Callable[[], bool]) -> None:
        self._call = call
        self._stop = threading.Event()
        self.seconds: list[float] = []
        self.failed = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            began = clock.monotonic_seconds()
            try:
                is_good = self._call()
            except (OSError, http.client.HTTPException):
                is_good = False
            self.seconds.append(clock.monotonic_seconds() - began)
            self.failed += not is_good
            self._stop.wait(0.02)

    def tell(self) -> None:
        """Say that no more calls are wanted."""
        self._stop.set()

    def stop(self) -> None:
        """Call no more."""
        self.tell()
        self._thread.join()


def _getter(port: int, paths: tuple[str, ...]) -> Callable[[], bool]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    turn = 0

    def get() -> bool:
        nonlocal turn
        turn += 1
        try:
            connection.request("GET", paths[turn % len(paths)])
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        return answer.status == 200

    return get


def _poster(port: int, body: bytes) -> Callable[[], bool]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post() -> bool:
        try:
            connection.request(
                "POST", "/v1/traces", body, {"content-type": "application/x-protobuf"}
            )
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        return answer.status == 200

    return post


@dataclass(frozen=True, slots=True)
class _Measured:
    """What who is not to wait has seen."""

    acks: list[float]
    """Seconds of each acknowledgement, sorted."""
    names: list[float]
    """Of each list of services, sorted."""
    failed: int
    """Lists of services that did not come."""

    @property
    def ack_p99(self) -> float:
        """Milliseconds."""
        return _p99(self.acks)


def _p99(seconds: list[float]) -> float:
    return seconds[int(len(seconds) * 0.99)] * 1_000


def _send_and_list(port: int, query_port: int, body: bytes, seconds: float) -> _Measured:
    """Run in a process of its own, which the machine lets run: it stands for another machine."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    acks = _Timed(_poster(port, body))
    names = _Timed(_getter(query_port, ("/api/services",)))
    threading.Event().wait(seconds)
    for one in (acks, names):
        one.tell()
    for one in (acks, names):
        one.stop()
    return _Measured(sorted(acks.seconds), sorted(names.seconds), names.failed)


def _search(query_port: int, seconds: float, clients: int) -> tuple[int, int]:
    """Return how many searches were answered and refused; in a process of its own too."""
    searching = [_Timed(_getter(query_port, _SEARCHES)) for _ in range(clients)]
    threading.Event().wait(seconds)
    for one in searching:
        one.tell()  # all of them first: who is left searches on while another is waited for
    for one in searching:
        one.stop()
    refused = sum(one.failed for one in searching)
    return sum(len(one.seconds) for one in searching) - refused, refused


def _measure(
    pool: ProcessPoolExecutor, server: Server, body: bytes, seconds: float, clients: int
) -> _Measured:
    ports = server.ports
    searches = pool.submit(_search, ports["query"], seconds, clients)
    seen = pool.submit(_send_and_list, ports["http"], ports["query"], body, seconds).result()
    done, refused = searches.result()
    print(
        f"{clients:4} searching: ack p99 {seen.ack_p99:7.1f} ms of {len(seen.acks)}, "
        f"services p99 {_p99(seen.names):7.1f} ms of {len(seen.names)}, {seen.failed} refused; "
        f"{done} searches answered, {refused} told to come back"
    )
    return seen


def main() -> int:
    """Measure and print; return the exit code."""
    require_linux()
    parser = argparse.ArgumentParser(prog="python -m bench.fairness", description=__doc__)
    parser.add_argument("--clients", type=int, default=200, help="that search (200)")
    parser.add_argument("--seconds", type=float, default=20, help="of each half (20)")
    parser.add_argument("--spans", type=int, default=100_000, help="stored before (100,000)")
    parser.add_argument("--tree", type=Path, help="another tree than this one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        workload = make_workload(Path(name) / "workload.bin", arguments.spans, 512, None)
        requests = small_requests(workload, 1)
        tree = arguments.tree or Path(__file__).resolve().parents[1]
        with Server(Path(name) / "data", tree=tree.resolve()) as server:
            with workload.bodies() as bodies:
                send_paced(server, list(bodies), pace_spans_per_second=20_000)
            print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
            body = requests[0][0]
            with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
                quiet = _measure(pool, server, body, arguments.seconds, 0)
                busy = _measure(pool, server, body, arguments.seconds, arguments.clients)
    ratio = busy.ack_p99 / quiet.ack_p99
    print(f"acknowledgements: {ratio:.1f} times as long, {_RATIO_MAX:g} is the goal")
    return 0 if ratio <= _RATIO_MAX and not busy.failed else 1


if __name__ == "__main__":
    sys.exit(main())
