"""What nearly nothing costs, here and in an older tree: `python -m bench.trickle --old DIR`.

Requests of 1 to 10 spans come at a steady pace to a `lymer all-in-one` of each tree, at the same
time, so what else the machine does falls on both. Printed are the CPU of each and, measured after
that, how soon a span among them is found. A round should be longer than the period of the rollups.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from bench.freshness import measure_freshness
from bench.load import send_paced, small_requests
from bench.process import require_linux
from bench.server import Server
from bench.workload import make_workload

__all__ = ["main"]

_SPANS_OF_A_REQUEST: Final = 5
"""About."""
_FRESHNESS_SECONDS: Final = 20


def _both(call: Callable[[Server], object], servers: list[Server]) -> None:
    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(call, servers))


def main() -> int:
    """Measure and print; return the exit code."""
    require_linux()
    parser = argparse.ArgumentParser(prog="python -m bench.trickle", description=__doc__)
    parser.add_argument("--old", type=Path, required=True, help="the other tree")
    parser.add_argument("--seconds", type=int, default=125, help="at each pace (125)")
    parser.add_argument("--paces", type=int, nargs="*", default=[0, 10, 100], help="spans a second")
    arguments = parser.parse_args()
    trees = {"old": arguments.old.resolve(), "new": Path(__file__).resolve().parents[1]}
    with tempfile.TemporaryDirectory() as name:
        workload = make_workload(Path(name) / "workload.bin", 50_000, 512, None)
        with (
            Server(Path(name) / "old", tree=trees["old"]) as old,
            Server(Path(name) / "new", tree=trees["new"]) as new,
        ):
            servers = [old, new]
            for pace in arguments.paces:
                count = max(1, pace * arguments.seconds // _SPANS_OF_A_REQUEST)
                requests = small_requests(workload, count)
                before = [server.cpu() for server in servers]
                if pace:
                    send = partial(send_paced, requests=requests, pace_spans_per_second=pace)
                    _both(send, servers)
                else:
                    time.sleep(arguments.seconds)
                used = [server.cpu() - start for server, start in zip(servers, before, strict=True)]
                share = [one / arguments.seconds * 100 for one in used]
                print(f"{pace:4} spans/s: {share[0]:.1f} → {share[1]:.1f} % of a core, "
                      f"{share[1] / share[0]:.2f}x", flush=True)  # fmt: skip
                if pace:
                    _print_freshness(servers, requests[: pace * _FRESHNESS_SECONDS // 5], pace)
    return 0


def _print_freshness(servers: list[Server], requests: list[tuple[bytes, int]], pace: int) -> None:
    for name, server in zip(("old", "new"), servers, strict=True):
        load = partial(send_paced, server, requests, pace)
        by_id = measure_freshness(server, 1000, load).by_id
        print(f"     {name}: found by id after {by_id.p50:.0f} ms, p99 {by_id.p99:.0f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
