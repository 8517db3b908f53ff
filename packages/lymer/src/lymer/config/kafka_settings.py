"""Settings of Kafka between a collector and an ingester."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from lymer.config.addresses import TARGETS
from lymer.config.rules import FILE, SWITCH, choice, size, text
from lymer.config.security import ClientTlsSettings

__all__ = ["KafkaSaslSettings", "KafkaSettings"]

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class KafkaSaslSettings:
    """How we say to brokers who we are; a client certificate is `kafka.tls.cert_file`."""

    mechanism: Annotated[str, choice("none", "plain", "scram-sha-256", "scram-sha-512")] = "none"
    """SASL mechanism. Default none. With `plain` the password crosses the network as it is: use
    it with TLS. Jaeger's `--kafka.*.authentication=plaintext` and `.plaintext.mechanism`."""

    username: Annotated[str, text("a user name")] = ""
    """Who we are. Default nobody. Jaeger's `--kafka.*.plaintext.username`."""

    password_file: Annotated[Path | None, FILE] = None
    """File with the password of `username`, read at the start. Default none."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Kafka: a collector puts spans into a topic, ingesters store what is in it."""

    enabled: Annotated[bool, SWITCH] = False
    """Whether a collector hands spans to the topic and stores nothing. Default false; true in the
    role `ingester`. A sender is told OK when all in-sync replicas have its spans. Jaeger's
    `SPAN_STORAGE_TYPE=kafka`."""

    brokers: Annotated[str, TARGETS] = "localhost:9092"
    """Brokers to begin with, `host:port`, commas between them. Default port 9092 of this machine,
    as Jaeger's `--kafka.producer.brokers` and `--kafka.consumer.brokers`."""

    topic: Annotated[str, text("a topic")] = "jaeger-spans"
    """Topic. Default jaeger-spans, as Jaeger's. It is not made here; ingesters share its
    partitions."""

    encoding: Annotated[
        str,
        choice(
            "otlp_proto",
            "otlp_json",
            "jaeger_proto",
            "jaeger_json",
            "zipkin_json",
            "zipkin_proto",
            "zipkin_thrift",
        ),
    ] = "otlp_proto"
    """How spans are written there. Default otlp_proto, as Jaeger v2's: requests as they came in.
    `jaeger_proto` and `jaeger_json` are one span a message, Jaeger v1's `protobuf` and `json`;
    `zipkin_proto` and `zipkin_thrift` can be read and not written. All but the default cost a
    translation of each span."""

    client_id: Annotated[str, text("a name")] = "lymer"
    """Our name in the brokers' logs and quotas. Default lymer."""

    group_id: Annotated[str, text("a name")] = "jaeger-ingester"
    """Consumer group: ingesters with the same one share the topic. Default jaeger-ingester, as
    Jaeger's `--kafka.consumer.group-id`."""

    initial_offset: Annotated[str, choice("earliest", "latest")] = "earliest"
    """Where a group begins that has read nothing. Default earliest: what is there is stored."""

    compression: Annotated[str, choice("none", "gzip", "snappy", "lz4", "zstd")] = "none"
    """How the collector compresses batches. Default none, as Jaeger's; lz4 costs little and saves
    half of the network and of the brokers' disks."""

    message_bytes_max: Annotated[int, size(64 * _KIB, 64 * _MIB)] = 1_000_000
    """Largest message the collector sends, in bytes; a larger request goes in parts. Default
    1,000,000, as Jaeger's, below a broker's own 1 MiB (`message.max.bytes`)."""

    tls: ClientTlsSettings = field(default_factory=ClientTlsSettings)
    """TLS of the links to brokers."""

    sasl: KafkaSaslSettings = field(default_factory=KafkaSaslSettings)
    """How we say who we are."""
