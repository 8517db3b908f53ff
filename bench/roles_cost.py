"""Processor time for each span: all in one, through Kafka, on a ClickHouse server, on shards.

    .venv/bin/python -m bench.roles_cost [SPANS [RATE]]

Sends the same load to each, waits until all is stored and counted, and prints CPU-seconds per
million spans beyond what each process takes at rest, that, and its peak memory. RATE is spans a
second; 0: as fast as they are taken, which makes as many segments as the machine lets it, so that
two runs are not alike. The machine may be busy: wall clock is not told.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "packages/lymer/tests"))

from lymer.clock import monotonic_seconds  # noqa: E402

_processes: Any = importlib.import_module("e2e.lymer_process")
_brokers: Any = importlib.import_module("fakes.kafka_broker")
_certificates: Any = importlib.import_module("fakes.certificates")
_servers: Any = importlib.import_module("fakes.clickhouse_server")

_TICKS = os.sysconf("SC_CLK_TCK")
_SETTLE_SECONDS = 12
_REST_SECONDS = 10


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) >> 10


def _send(lymer: Any, spans: int, rate: int = 0) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lymer", "generate", f"--traces={spans // 10}", "--seed=1",
         "--services=20", "--spans-per-trace=10", f"--rate={rate}",
         f"--endpoint=http://127.0.0.1:{lymer.ports['otlp_http']}"],
        env=_processes.lymer_environment(), capture_output=True, text=True, timeout=900,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)


def _stored(lymer: Any) -> int:
    text = lymer.http.get(f"{lymer.admin_url}/metrics").text
    lines = [one for one in text.splitlines() if one.startswith("lymer_store_spans_total")]
    return round(float(lines[0].rsplit(" ", 1)[1])) if lines else 0


def _launched(lymer: Any, servers: dict[str, int]) -> dict[str, int]:
    lymer.launch()
    for _ in _processes.poll(180):
        if lymer.answers_ready():
            break
    return {"lymer": lymer.pid, **servers}


def _measure(
    name: str,
    folder: Path,
    spans: int,
    servers: dict[str, int],
    *,
    rate: int = 0,
    **environment: str,
) -> None:
    role = "collector" if servers else "all-in-one"
    folder.mkdir(parents=True, exist_ok=True)
    lymer = keeper = _processes.Lymer(folder, environment, role=role)
    try:
        pids = _launched(lymer, servers)
        if "LYMER__KAFKA__TOPIC" in environment:
            (folder / "ingester").mkdir()
            keeper = _processes.Lymer(folder / "ingester", environment, role="ingester")
            pids["ingester"] = _launched(keeper, {})["lymer"]
        _send(lymer, spans // 10)  # what happens once is not counted
        time.sleep(_SETTLE_SECONDS)
        resting = {one: _cpu(pid) for one, pid in pids.items()}
        time.sleep(_REST_SECONDS)
        idle = {one: (_cpu(pid) - resting[one]) / _REST_SECONDS for one, pid in pids.items()}
        began = monotonic_seconds()
        before = {one: _cpu(pid) for one, pid in pids.items()}
        first = _stored(keeper)
        _send(lymer, spans, rate)
        for _ in _processes.poll(600):
            if _stored(keeper) - first >= 0.95 * spans:
                break
        time.sleep(_SETTLE_SECONDS)
        seconds = monotonic_seconds() - began
        used = {
            one: (_cpu(pid) - before[one] - idle[one] * seconds) * 1e6 / spans
            for one, pid in pids.items()
        }
        shown = ", ".join(
            f"{one} {cost:.1f} CPU-s/M, {idle[one] * 100:.1f} % of a core at rest, "
            f"{_memory(pids[one])} MiB"
            for one, cost in used.items()
        )
        print(f"{name}: together {sum(used.values()):.1f} CPU-s/M spans ({shown})", flush=True)
    finally:
        lymer.close()
        keeper.close()


def main(spans: int, rate: int = 0) -> None:
    """Measure one after the other."""
    with tempfile.TemporaryDirectory(prefix="lymer-bench-") as name:
        folder = Path(name)
        _measure("all in one", folder / "embedded", spans, {}, rate=rate)
        broker = _brokers.Broker(folder / "broker", _certificates.Authority())
        try:
            broker.make_topic("bench", 4)
            _measure(
                "collector + broker + ingester", folder / "kafka", spans, {"broker": broker.pid},
                LYMER__KAFKA__BROKERS=broker.address, LYMER__KAFKA__TOPIC="bench",
                LYMER__KAFKA__ENABLED="true", rate=rate,
            )  # fmt: skip
        finally:
            broker.kill()
        server, url = _servers.start_server(folder / "server")
        try:
            _measure(
                "collector + server", folder / "one", spans, {"server": server.pid},
                LYMER__STORAGE__CLICKHOUSE_URL=url, rate=rate,
            )  # fmt: skip
        finally:
            server.kill()
            server.wait()
        for count in (2, 3):
            shards = _servers.Shards(folder / f"shards-{count}", count)
            try:
                _measure(
                    f"collector + {count} shards", folder / f"cluster-{count}", spans,
                    {f"shard {at}": one.pid for at, one in enumerate(shards.processes)},
                    LYMER__STORAGE__CLICKHOUSE_URL=",".join(shards.urls),
                    LYMER__STORAGE__CLICKHOUSE_CLUSTER=_servers.CLUSTER, rate=rate,
                )  # fmt: skip
            finally:
                shards.close()


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:3] or ["500000"]))
