"""The part that shows spans as metrics: on the admin port, where the store is."""

from __future__ import annotations

from lymer.config import Config
from lymer.pipeline.span_metrics import SpanMetrics
from lymer.storage.clickhouse.sharded_store import ShardedStore
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.telemetry.metrics import Metrics

__all__ = ["count_spans"]


def count_spans(config: Config, store: ClickHouseStore | ShardedStore, metrics: Metrics) -> None:
    """Show what is stored from now on, unless that is switched off or the store is in shards."""
    settings = config.admin.span_metrics
    if not settings.enabled or isinstance(store, ShardedStore):
        return
    spans = SpanMetrics(
        store.look_at_spans,
        namespace=settings.namespace,
        series_max=settings.series_max,
        with_tenants=config.tenancy.enabled,
    )
    metrics.registry.register(spans)
    store.before_dropping = spans.catch_up
