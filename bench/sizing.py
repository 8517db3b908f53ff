"""What each role of the chart takes: `python -m bench.sizing [SPANS]`, about five minutes.

Agent, collector and query as the chart lays them out, mTLS between them (bench/rotation.py), and
the all-in-one. Sends SPANS spans as fast as they are taken, waits until all is stored and counted,
then asks. Prints processor time for each million of spans and for each thousand of questions, at
rest, the most memory, and bytes on the disk; and what follows for 100 to 20,000 spans a second.
Processor time does not depend on what else the machine does, wall clock does and is not told.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.process import require_linux
from bench.rotation import ROOT, stored
from lymer.clock import monotonic_seconds

_chart: Any = importlib.import_module("fakes.chart")
_installed: Any = importlib.import_module("e2e.charts.test_installed_by_chart")
_kubelet: Any = importlib.import_module("fakes.kubelet")

_TICKS = os.sysconf("SC_CLK_TCK")
_SETTLE_SECONDS = 75
"""Rollups have their turn after a minute."""
_REST_SECONDS = 30
_QUESTIONS = 200
_RATES = (100, 1_000, 5_000, 20_000)
_RETENTION_SECONDS = 7 * 86_400


@dataclass(slots=True)
class _Cost:
    """What a role took."""

    cpu_per_million: float
    rest: float
    memory_mib: int
    bytes_per_span: float = 0.0

    def cores(self, rate: float) -> float:
        """Return cores at spans (or questions) a second."""
        return self.rest + self.cpu_per_million * rate / 1e6


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(x for x in status.splitlines() if x.startswith("VmHWM")).split()[1]) >> 10


def _send(address: str, spans: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lymer", "generate", f"--traces={spans // 10}", "--seed=1",
         "--services=20", "--spans-per-trace=10", f"--endpoint=http://{address}:4318"],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)


def _all_stored(pod: Any, spans: int) -> None:
    for _ in range(600):
        if stored(pod) >= spans:
            break
        time.sleep(1)
    time.sleep(_SETTLE_SECONDS)


def _disk(pod: Any) -> float:
    """Return bytes on the disk for each span; the pod has stopped."""
    done = subprocess.run(
        [sys.executable, "-m", "lymer", "storage", "stats", "--json",
         f"--data-dir={pod.mounts['/data']}"],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    (tenant,) = json.loads(done.stdout)["tenants"]
    rows = next(table["rows"] for table in tenant["tables"] if table["name"] == "spans")
    return float(sum(table["bytes"] for table in tenant["tables"]) / rows)


def _measure(kubelet: Any, taking: Any, storing: Any, showing: Any, spans: int) -> dict[str, _Cost]:
    """Return the cost of each pod, for spans; for `showing` that does not store, for questions."""
    pods = {pod.name: pod for pod in kubelet.pods.values()}
    pids = {name: pod.process.pid for name, pod in pods.items()}
    _send(taking.address, spans // 10)  # what happens once is not counted
    _all_stored(storing, spans // 10)
    before, began = {name: _cpu(pid) for name, pid in pids.items()}, monotonic_seconds()
    time.sleep(_REST_SECONDS)
    seconds = monotonic_seconds() - began
    rest = {name: (_cpu(pid) - before[name]) / seconds for name, pid in pids.items()}
    before, began = {name: _cpu(pid) for name, pid in pids.items()}, monotonic_seconds()
    _send(taking.address, spans)
    _all_stored(storing, spans // 10 + spans)
    seconds = monotonic_seconds() - began
    used = {name: _cpu(pid) - before[name] - rest[name] * seconds for name, pid in pids.items()}
    count = dict.fromkeys(pods, spans)
    base = f"http://{showing.address}:16686"
    with httpx.Client(trust_env=False, base_url=base, timeout=60) as http:
        service = http.get("/api/services").json()["data"][0]
        before_asking, began = _cpu(pids[showing.name]), monotonic_seconds()
        for _ in range(_QUESTIONS):
            parameters = {"service": service, "limit": 20, "lookback": "1h"}
            found = http.get("/api/traces", params=parameters).json()["data"]
            http.get(f"/api/traces/{found[0]['traceID']}").raise_for_status()
    if showing is not storing:
        seconds = monotonic_seconds() - began
        spent = _cpu(pids[showing.name]) - before_asking - rest[showing.name] * seconds
        used[showing.name], count[showing.name] = spent, 2 * _QUESTIONS
    memory = {name: _memory(pid) for name, pid in pids.items()}
    kubelet.stop()
    return {
        name: _Cost(
            max(0.0, used[name]) * 1e6 / count[name], rest[name], memory[name],
            _disk(pods[name]) if pods[name] is storing else 0.0,
        )
        for name in pods
    }  # fmt: skip


def _distributed(folder: Path, spans: int) -> dict[str, _Cost]:
    values = _chart.values_file("values-manual.yaml")
    running = _installed.Installed(folder, _chart.render(values))
    try:
        running.kubelet.start()
        return _measure(running.kubelet, running.agent, running.collector, running.query, spans)
    finally:
        running.kubelet.stop()


def _all_in_one(folder: Path, spans: int) -> dict[str, _Cost]:
    kubelet = _kubelet.Kubelet(folder, _chart.render({}))
    try:
        kubelet.start()
        pod = kubelet.pods["lymer"]
        return _measure(kubelet, pod, pod, pod, spans)
    finally:
        kubelet.stop()


def _line(name: str, cost: _Cost) -> str:
    if name == "lymer-query":
        cells = [
            f"{cost.cpu_per_million / 1e3:.1f} CPU-s for 1,000 questions",
            *("" for _ in _RATES),
        ]
    else:
        cells = [f"{cost.cpu_per_million:.1f} CPU-s for a million spans"]
        cells += [f"{math.ceil(cost.cores(rate) * 1000)}m" for rate in _RATES]
    kept = cost.bytes_per_span * _RETENTION_SECONDS / 1e9
    disk = [f"{kept * rate:.0f} GB" if kept else "" for rate in _RATES]
    rest = f"{math.ceil(cost.rest * 1000)}m"
    return " | ".join(
        ["", name, rest, *cells, f"{cost.memory_mib} MiB", f"{cost.bytes_per_span:.0f}", *disk, ""]
    ).strip()


def main(spans: int) -> None:
    """Measure both layouts and print the table."""
    require_linux()
    heads = [f"{rate:,}/s" for rate in _RATES]
    print("|".join(["", "role", "at rest", "each", *heads, "memory", "bytes a span", *heads, ""]))
    print(f"{spans:,} spans, {ROOT.name}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="lymer-bench-") as name:
        for measure in (_distributed, _all_in_one):
            for role, cost in measure(Path(name) / measure.__name__, spans).items():
                print(_line(role, cost), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)
