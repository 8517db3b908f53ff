"""What tail sampling costs: `python -m bench.tail`.

The same requests go twice to a `lymer all-in-one` of their own, without and with policies: errors,
long traces, one service, one in ten of the rest. What is compared is the processor time of the
server until nothing is left to do: merges, rollups and decisions included. Most spans are dropped,
so merges have less to do, which is part of the answer. Runs alternate, for the machine is shared.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from bench.load import send_all
from bench.process import require_linux
from bench.server import Server
from bench.workload import Workload, make_workload

_GRACE_SECONDS: Final = 30
"""The default: how often is decided depends on it, and each time costs something."""
_DECIDED_SECONDS: Final = 15
"""Then the last whole second of arrivals is decided."""
_POLICIES: Final = """\
policies:
  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
  - {name: long, type: latency, latency: {threshold_ms: 5000}}
  - name: checkout
    type: string_attribute
    string_attribute: {key: service.name, values: [checkout]}
  - {name: some, type: probabilistic, probabilistic: {sampling_percentage: 10}}
"""


def _run(workload: Workload, settings: tuple[str, ...], connections: int) -> tuple[float, str]:
    """Return CPU seconds for a million spans, and what was decided."""
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder), settings) as server:
        before = server.cpu()
        send_all(server.endpoint("grpc"), workload, "grpc", connections)
        server.wait_stored(workload.spans)
        # Both kinds wait as long, for a server at rest takes a little, too.
        time.sleep(_GRACE_SECONDS + _DECIDED_SECONDS)
        settled = server.settle()
        decided = server.metric("lymer_tail_traces_total")
        return (settled - before) / workload.spans * 1e6, f"{decided:,.0f} traces decided"


def main() -> int:
    """Measure and print; return the exit code."""
    require_linux()
    parser = argparse.ArgumentParser(prog="python -m bench.tail", description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000, help="spans of a run (1000000)")
    parser.add_argument("--runs", type=int, default=2, help="of each kind (2)")
    parser.add_argument("--connections", type=int, default=8, help="at once (8)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        policies = folder / "policies.yaml"
        policies.write_text(_POLICIES)
        workload = make_workload(folder / "workload.bin", arguments.spans, 512, None)
        sampled = (
            f"tail_sampling.policies_file={policies}",
            f"tail_sampling.grace_seconds={_GRACE_SECONDS}",
        )
        without: list[float] = []
        with_policies: list[float] = []
        for _ in range(arguments.runs):
            for settings, figures in (((), without), (sampled, with_policies)):
                cpu, decided = _run(workload, settings, arguments.connections)
                figures.append(cpu)
                print(f"{'with' if settings else 'without'}: {cpu:.2f} CPU-us a span, {decided}")
    ratio = median(with_policies) / median(without)
    print(f"tail sampling: {ratio:.2f} times the processor time ({ratio - 1:+.0%}; goal +10 %)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
