"""Metrics of what goes into Kafka and comes out of it."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

__all__ = ["KafkaMetrics"]


class KafkaMetrics:
    """Made in the registry of a process; without Kafka they stay zero."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Make every metric."""
        self.sent: Final = Counter(
            "lymer_kafka_sent_messages",
            "Messages a collector sent, by outcome: acknowledged, failed (the sender was told to "
            "repeat its request; look at the brokers).",
            ["outcome"],
            registry=registry,
        )
        self.read: Final = Counter(
            "lymer_kafka_read_messages", "Messages an ingester has read.", registry=registry
        )
        self.poison: Final = Counter(
            "lymer_kafka_poison_messages",
            "Messages that hold no spans in kafka.encoding; they lie in the quarantine folder.",
            registry=registry,
        )
        self.lag: Final = Gauge(
            "lymer_kafka_lag_messages",
            "Messages of a partition of ours that are not stored. Rising: more ingesters.",
            ["topic", "partition"],
            registry=registry,
        )
        self.rebalances: Final = Counter(
            "lymer_kafka_rebalances",
            "How often partitions were given to us or taken from us. Rising without starts and "
            "stops: ingesters are too slow to be believed alive.",
            registry=registry,
        )
