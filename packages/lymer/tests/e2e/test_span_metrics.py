"""A real Prometheus scrapes spans as metrics, and answers Jaeger's and Grafana's questions."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from e2e.lymer_process import Lymer, free_ports, lymer_environment, poll
from lymer.clock import unix_nano
from make import START, make_resource_spans, make_span

pytestmark = pytest.mark.timeout(900)
PROMETHEUS: Final = shutil.which("prometheus")
SERVER, CLIENT = 2, 3


class Prometheus:
    """A server that scrapes one target every second."""

    def __init__(self, folder: Path, target: str, *flags: str) -> None:
        """Start it."""
        assert PROMETHEUS is not None
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        file = folder / "prometheus.yml"
        file.write_text(
            "scrape_configs:\n- job_name: lymer\n  scrape_interval: 1s\n"
            f"  static_configs:\n  - targets: ['{target}']\n"
        )
        self.log = folder / "prometheus.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    PROMETHEUS,
                    f"--config.file={file}",
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    *flags,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=lymer_environment(),
            )
        self.http = httpx.Client(timeout=30, trust_env=False)

    def ask(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the series of an instant query; nothing while it does not answer yet."""
        try:
            sent = self.http.get(f"{self.url}/api/v1/query", params={"query": query, **parameters})
        except httpx.HTTPError:
            return []
        if sent.status_code == 503:  # it has not read its log yet
            return []
        answer = sent.json()
        assert answer["status"] == "success", answer
        return list(answer["data"]["result"])

    def wait(self, query: str, value: float) -> list[dict[str, Any]]:
        """Return the series once the first has this value."""
        found: list[dict[str, Any]] = []
        for _ in poll(120):
            found = self.ask(query)
            if found and float(found[0]["value"][1]) == value:
                return found
        raise AssertionError(f"{query}: {found}\n{self.log.read_text()[-2000:]}")

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()
        self.http.close()


def _send(lymer: Lymer, first: int, count: int) -> None:
    since = unix_nano() - START
    for trace in range(first, first + count):
        spans = [
            ("web", make_span(trace, 1, kind=SERVER, name="GET /", offset_nano=since,
                              duration_nano=30_000_000)),
            ("web", make_span(trace, 2, 1, kind=CLIENT, name="call", offset_nano=since,
                              duration_nano=20_000_000)),
            ("cart", make_span(trace, 3, 2, kind=SERVER, name="Get", offset_nano=since,
                               status=2 if trace % 4 == 0 else 0, duration_nano=10_000_000)),
            ("cart", make_span(trace, 4, 3, kind=CLIENT, name="GET", offset_nano=since,
                               attrs={"db.system": "redis"}, duration_nano=3_000_000)),
        ]  # fmt: skip
        request = ExportTraceServiceRequest(
            resource_spans=[make_resource_spans([span], service=name) for name, span in spans]
        )
        answer = lymer.http.post(
            lymer.otlp_http_url,
            content=request.SerializeToString(),
            headers={"content-type": "application/x-protobuf"},
        )
        assert answer.status_code == 200


@pytest.fixture
def lymer(tmp_path: Path) -> Iterator[Lymer]:
    """Yield a Lymer of its own."""
    one = Lymer(tmp_path)
    one.start()
    yield one
    one.close()


@pytest.mark.skipif(PROMETHEUS is None, reason="there is no prometheus on this machine")
@pytest.mark.parametrize("flags", [(), ("--enable-feature=native-histograms,exemplar-storage",)])
def test_a_prometheus_answers_as_we_do(
    lymer: Lymer, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """Calls, errors, durations, edges; native histograms and exemplars where it takes them."""
    prometheus = Prometheus(tmp_path, f"127.0.0.1:{lymer.ports['admin']}", *flags)
    try:
        prometheus.wait('up{job="lymer"}', 1)
        _send(lymer, 1, 8)
        calls = 'sum(traces_span_metrics_calls_total{service_name="cart",span_name="Get"})'
        prometheus.wait(calls, 8)
        errors = (
            'sum(traces_span_metrics_calls_total{service_name="cart",'
            'status_code="STATUS_CODE_ERROR",span_kind="SPAN_KIND_SERVER"})'
        )
        prometheus.wait(errors, 2)
        edge = 'traces_service_graph_request_total{client="web",server="cart"}'
        (found,) = prometheus.wait(edge, 8)
        assert found["metric"].get("connection_type", "") == ""
        prometheus.wait('traces_service_graph_request_failed_total{client="web"}', 2)
        (found,) = prometheus.wait('traces_service_graph_request_total{client="cart"}', 8)
        assert (found["metric"]["server"], found["metric"]["connection_type"]) == (
            "redis", "database",
        )  # fmt: skip
        time.sleep(2)
        _send(lymer, 9, 8)
        prometheus.wait(calls, 16)
        prometheus.wait(edge, 16)
        name = "traces_span_metrics_duration_milliseconds"
        of = '{service_name =~ "cart", span_kind =~ "SPAN_KIND_SERVER"}'
        if flags:
            (asked,) = prometheus.ask(f"histogram_quantile(0.5, sum({name}{of}))")
            assert float(asked["value"][1]) == pytest.approx(10, rel=0.1)
            (count,) = prometheus.ask(f"histogram_count(sum({name}{of}))")
            assert float(count["value"][1]) == 16
            (time_sum,) = prometheus.ask(f"histogram_sum(sum({name}{of}))")
            assert float(time_sum["value"][1]) == pytest.approx(160)
            server = "traces_service_graph_request_server_seconds"
            (asked,) = prometheus.ask(f"histogram_quantile(0.5, sum({server}))")
            assert float(asked["value"][1]) == pytest.approx(0.01, rel=0.2)
        else:
            (asked,) = prometheus.ask(
                f"histogram_quantile(0.5, sum({name}_bucket{of}) by (service_name, le))"
            )
            assert 8 <= float(asked["value"][1]) <= 10
            series = prometheus.ask(
                f'{name}_bucket{{service_name="cart",span_name="GET",le="4.0"}}'
            )
            assert [one["value"][1] for one in series] == ["16"]
            _compare_with_monitor(lymer, prometheus)
    finally:
        prometheus.close()


def _compare_with_monitor(lymer: Lymer, prometheus: Prometheus) -> None:
    """Ask what Jaeger's reader asks. Source: reference jaeger.md 6.1."""
    of = '{service_name =~ "cart", span_kind =~ "SPAN_KIND_SERVER"}'
    failed = of[:-1] + ', status_code = "STATUS_CODE_ERROR"}'
    name = "traces_span_metrics_calls_total"
    questions = {
        "errors": f"sum(rate({name}{failed}[10m])) by (service_name) / "
        f"sum(rate({name}{of}[10m])) by (service_name)",
        "latencies": "histogram_quantile(0.5, sum(rate("
        f"traces_span_metrics_duration_milliseconds_bucket{of}[10m])) by (service_name, le))",
    }
    now = unix_nano() // 10**6 + 60_000  # our minute is whole then
    for what, question in questions.items():
        (series,) = prometheus.ask(question)
        ours = lymer.http.get(
            f"{lymer.query_url}/api/metrics/{what}",
            params={
                "service": "cart", "endTs": now, "lookback": 600_000, "step": 60_000,
                "quantile": "0.5",
            },
        ).json()  # fmt: skip
        last = ours["metrics"][0]["metricPoints"][-1]["gaugeValue"]["doubleValue"]
        assert float(series["value"][1]) == pytest.approx(last, rel=0.3), what
        assert series["metric"] == {"service_name": "cart"}


def test_text_openmetrics_and_protobuf_say_the_same(lymer: Lymer) -> None:
    """Exemplars lead to traces; switched off, nothing of it is there."""
    _send(lymer, 1, 4)
    text = ""
    for _ in poll(60):
        text = lymer.http.get(
            f"{lymer.admin_url}/metrics", headers={"accept": "application/openmetrics-text"}
        ).text
        if 'traces_span_metrics_calls_total{service_name="cart"' in text:
            break
    line = next(
        one for one in text.splitlines()
        if one.startswith("traces_span_metrics_duration_milliseconds_bucket") and "trace_id" in one
    )  # fmt: skip
    trace_id = line.partition('trace_id="')[2].partition('"')[0]
    assert lymer.http.get(f"{lymer.query_url}/api/traces/{trace_id}").status_code == 200
    plain = lymer.http.get(f"{lymer.admin_url}/metrics").text
    assert "traces_span_metrics_calls_total" in plain
    assert "otelcol_receiver_accepted_spans_total" in plain
    lymer.stop()
    off = Lymer(lymer.folder, {"LYMER__ADMIN__SPAN_METRICS__ENABLED": "false"})
    off.start()
    try:
        assert "traces_span" not in off.http.get(f"{off.admin_url}/metrics").text
    finally:
        off.close()
