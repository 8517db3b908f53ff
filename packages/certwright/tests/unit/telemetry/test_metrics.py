"""The text that Prometheus reads."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

from certwright.telemetry.metrics import METRICS, Metrics

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def new_metrics() -> Metrics:
    """Return empty metrics at NOW."""
    return Metrics(lambda: NOW)


def test_counters_keep_the_originals_names() -> None:
    """No `_total` is put behind them."""
    metrics = new_metrics()
    metrics.count("certmanager_controller_sync_call_count", (("controller", "issuers"),))
    metrics.count("certmanager_controller_sync_call_count", (("controller", "issuers"),))

    assert 'certmanager_controller_sync_call_count{controller="issuers"} 2\n' in metrics.text()


def test_the_clock_is_there_twice() -> None:
    """As a counter for old dashboards, and as a gauge."""
    text = new_metrics().text()

    assert "# TYPE certmanager_clock_time_seconds counter\n" in text
    assert "certmanager_clock_time_seconds 1767268800\n" in text
    assert "certmanager_clock_time_seconds_gauge 1767268800\n" in text


def test_gauges_of_an_object_go_with_it() -> None:
    """Replaced as a whole, and forgotten as a whole."""
    metrics = new_metrics()
    name = "certmanager_certificate_ready_status"
    labels = (("name", 'a"\\\n'), ("issuer_group", ""))
    metrics.replace("web", [(name, labels, 1.0)])

    text = metrics.text()
    assert f'{name}{{name="a\\"\\\\\\n",issuer_group=""}} 1\n' in text
    metrics.replace("web", [])
    assert name not in metrics.text()


def test_a_summary_has_its_quantiles() -> None:
    """0.5, 0.9 and 0.99 of the last ten minutes."""
    metrics = new_metrics()
    name = "certmanager_http_venafi_client_request_duration_seconds"
    for value in range(100):
        metrics.observe(name, (("api_call", "read"),), float(value))

    text = metrics.text()
    assert f'{name}{{api_call="read",quantile="0.5"}} 50\n' in text
    assert f'{name}{{api_call="read",quantile="0.99"}} 99\n' in text
    assert f'{name}_sum{{api_call="read"}} 4950\n' in text
    assert f'{name}_count{{api_call="read"}} 100\n' in text


def test_another_reader_of_the_format_agrees() -> None:
    """What prometheus-client reads is what was counted."""
    metrics = new_metrics()
    metrics.count("certmanager_controller_sync_error_count", (("controller", 'x"y'),), 3)

    families = {family.name: family for family in text_string_to_metric_families(metrics.text())}

    (sample,) = families["certmanager_controller_sync_error_count"].samples
    assert (sample.labels, sample.value) == ({"controller": 'x"y'}, 3)


def test_every_metric_is_listed_once_by_name() -> None:
    """The table is the documentation."""
    names = [metric.name for metric in METRICS]

    assert names == sorted(set(names))
