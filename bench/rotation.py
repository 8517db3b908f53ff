"""New certificates for every role, again and again, under load: `python -m bench.rotation`.

The chart's agent, collector and query as rendered (tests/fakes/kubelet.py), all links mTLS.
Certwright renews all three certificates every few seconds, while spans are sent to the agent at a
steady rate. Ends with how many exports failed and how many spans the collector has. Needs Linux.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bench.process import require_linux
from lymer.clock import monotonic_seconds

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "packages/lymer/tests"))

_installed: Any = importlib.import_module("e2e.charts.test_installed_by_chart")
_chart: Any = importlib.import_module("fakes.chart")
_otlp: Any = importlib.import_module("e2e.otlp")

_EXPORT_SPANS = 100
_SENDERS = 2
_SETTLE_SECONDS_MAX = 120
_PLACEHOLDER = b"\x7e" + b"bench.rotation\x00"


class _Load:
    """Senders that keep a rate, and what came of it."""

    def __init__(self, target: str, rate: float) -> None:
        self.target, self.rate = target, rate
        self.exports = 0
        self.failures: list[str] = []
        self.stop = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(_SENDERS)]
        spans = [_otlp.span_of(_PLACEHOLDER, "step") for _ in range(_EXPORT_SPANS)]
        self._body = _otlp.request_of(*spans, service="rotation").SerializeToString()
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        interval = _EXPORT_SPANS * _SENDERS / self.rate
        with grpc.insecure_channel(self.target) as channel:
            export = channel.unary_unary(
                _installed.EXPORT,
                request_serializer=bytes,
                response_deserializer=ExportTraceServiceResponse.FromString,
            )
            due = monotonic_seconds()
            while not self.stop.wait(max(0.0, due - monotonic_seconds())):
                due += interval
                body = self._body.replace(_PLACEHOLDER, b"\x7e" + os.urandom(15))
                try:
                    export(body, timeout=10)
                    self.exports += 1
                except grpc.RpcError as error:
                    self.failures.append(str(error))

    def end(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()


def stored(collector: Any) -> int:
    """Return how many spans a pod has stored since it started."""
    url = f"http://{collector.address}:{collector.port('http-admin')}/metrics"
    try:
        text = httpx.get(url, trust_env=False, timeout=30).text
    except httpx.HTTPError:
        return 0  # a busy machine; whoever waits asks again
    found = [line for line in text.splitlines() if line.startswith("lymer_store_spans_total")]
    return sum(round(float(line.rsplit(" ", 1)[1])) for line in found)


def _renew(running: Any) -> None:
    names = [f"lymer-{role}-tls" for role in ("collector", "query", "agent")]
    running.certificates.work("ctl", "renew", *names, "-n", _chart.NAMESPACE)
    running.certificates.work()
    running.take_secrets()
    for name, data in running.certificates.secrets(_chart.NAMESPACE).items():
        running.kubelet.rotate(name, data)


def main() -> int:
    """Rotate for as long as asked; return 1 if an export failed or a span is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.rotation", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (30)")
    parser.add_argument("--rate", type=float, default=5000.0, help="spans a second (5000)")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between renewals (10)")
    options = parser.parse_args()
    require_linux()
    with tempfile.TemporaryDirectory(prefix="lymer-bench-") as name:
        values = _chart.values_file("values-manual.yaml")
        values["config"] = {"tls": {"reload_interval_seconds": "500ms"}}
        running = _installed.Installed(Path(name), _chart.render(values))
        try:
            running.kubelet.start()
            load = _Load(f"{running.agent.address}:4317", options.rate)
            began = monotonic_seconds()
            renewals = 0
            try:
                while (left := began + 60 * options.minutes - monotonic_seconds()) > 0:
                    _renew(running)
                    renewals += 1
                    load.stop.wait(min(options.every, left))
                    print(f"{renewals} renewals, {load.exports} exports, "
                          f"{len(load.failures)} failed", flush=True)  # fmt: skip
            finally:
                load.end()
            seconds = monotonic_seconds() - began
            sent = load.exports * _EXPORT_SPANS
            found = 0
            for _ in range(_SETTLE_SECONDS_MAX):
                found = max(found, stored(running.collector))
                if found >= sent:
                    break
                time.sleep(1)
        finally:
            running.kubelet.stop()
    print(f"{seconds / 60:.1f} minutes, {sent / seconds:.0f} spans/s, all three certificates new "
          f"{renewals} times: {load.exports} exports, {len(load.failures)} failed, "
          f"{found} of {sent} spans stored")  # fmt: skip
    for failure in load.failures[:3]:
        print(failure)
    return 1 if load.failures or found != sent else 0


if __name__ == "__main__":
    raise SystemExit(main())
