"""Jaeger's configurations in ours, and what is left out of them by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lymer.config.from_jaeger import as_yaml, read_jaeger
from lymer.config.jaeger_v2 import is_jaeger_v2
from lymer.config.problem import ConfigError
from lymer.config.sources import load_effective

ALL_IN_ONE: dict[str, Any] = {
    "service": {
        "extensions": ["jaeger_storage", "jaeger_query"],
        "pipelines": {
            "traces": {
                "receivers": ["otlp", "jaeger"],
                "processors": ["batch"],
                "exporters": ["jaeger_storage_exporter"],
            }
        },
        "telemetry": {
            "logs": {"level": "warn", "encoding": "json"},
            "metrics": {
                "readers": [
                    {"pull": {"exporter": {"prometheus": {"host": "0.0.0.0", "port": 8888}}}}
                ]
            },
        },
    },
    "extensions": {
        "healthcheckv2": {"http": {"endpoint": "0.0.0.0:13133"}},
        "jaeger_query": {
            "base_path": "/jaeger",
            "max_clock_skew_adjust": "30s",
            "http": {"endpoint": "${env:HOST:-localhost}:16686", "keep_alives_enabled": False},
            "multi_tenancy": {"enabled": True, "header": "x-who", "tenants": ["a", "b"]},
            "storage": {"traces": "some", "metrics": "prom"},
        },
        "jaeger_storage": {
            "backends": {"some": {"badger": {"ttl": {"spans": "48h"}}}, "mem": {"memory": None}}
        },
        "remote_sampling": {
            "adaptive": {"sampling_store": "some", "target_samples_per_second": 3},
            "http": {"endpoint": ":5778"},
        },
        "pprof": {},
    },
    "receivers": {
        "otlp": {
            "protocols": {
                "grpc": {
                    "endpoint": "0.0.0.0:4317",
                    "max_recv_msg_size_mib": 16,
                    "tls": {"cert_file": "/c", "key_file": "/k", "client_ca_file": "/ca"},
                    "keepalive": {},
                },
                "http": {"endpoint": "[::1]:4318"},
            }
        },
        "jaeger": {"protocols": {"grpc": None, "thrift_http": {"endpoint": ":14268"}}},
        "zipkin": {},
    },
    "processors": {"batch": {}, "tail_sampling": {}},
    "exporters": {"jaeger_storage_exporter": {"trace_storage": "some"}},
}


def test_every_part_of_v2_has_its_setting_or_its_reason() -> None:
    """What runs, where it listens, how long it keeps; and each thing without a place is named."""
    made = read_jaeger(yaml.safe_dump(ALL_IN_ONE))

    assert made.role == "all-in-one"
    assert made.settings == {
        "receivers.jaeger_http.host": "0.0.0.0",
        "receivers.jaeger_http.port": "14268",
        "receivers.otlp_grpc.host": "0.0.0.0",
        "receivers.otlp_grpc.port": "4317",
        "receivers.otlp_grpc.tls.cert_file": "/c",
        "receivers.otlp_grpc.tls.key_file": "/k",
        "receivers.otlp_grpc.tls.client_ca_file": "/ca",
        "receivers.otlp_grpc.message_bytes_max": "16MiB",
        "receivers.otlp_http.host": "::1",
        "receivers.otlp_http.port": "4318",
        "receivers.jaeger_udp_compact.enabled": "false",
        "receivers.jaeger_udp_binary.enabled": "false",
        "receivers.zipkin.enabled": "false",
        "query.base_path": "/jaeger",
        "query.max_clock_skew_adjust_seconds": "30s",
        "query.host": "${env:HOST:-localhost}",
        "query.port": "16686",
        "tenancy.enabled": "true",
        "tenancy.header": "x-who",
        "tenancy.tenants": "a,b",
        "storage.retention_seconds": "48h",
        "sampling.http.enabled": "true",
        "sampling.http.host": "0.0.0.0",
        "sampling.http.port": "5778",
        "sampling.adaptive.enabled": "true",
        "sampling.adaptive.target_samples_per_second": "3",
        "health.host": "0.0.0.0",
        "health.port": "13133",
        "logs.level": "warning",
        "logs.encoding": "json",
        "admin.port": "8888",
        "admin.host": "0.0.0.0",
    }
    assert {place for place, why in made.left_out if why} == {
        "keepalive of receivers.otlp_grpc",
        "keep_alives_enabled of query",
        "extensions.jaeger_query.storage.metrics",
        "extensions.jaeger_storage.backends.some.badger",
        "extensions.jaeger_storage.backends.mem.memory",
        "extensions.remote_sampling.adaptive.sampling_store",
        "extensions.pprof",
        "processors.batch",
        "processors.tail_sampling",
    }


def test_what_is_printed_can_be_read(tmp_path: Path) -> None:
    """It is a configuration file of the role that is named."""
    for extra, role in (
        ({}, "all-in-one"),
        ({"exporters": {"otlp": {"endpoint": "c:4317", "tls": {"insecure": True}}}}, "agent"),
    ):
        document = {**ALL_IN_ONE, **extra}
        extensions = {k: v for k, v in ALL_IN_ONE["extensions"].items() if k != "remote_sampling"}
        receivers = {"otlp": {"protocols": {"grpc": None, "http": None}}, "jaeger": {}}
        document |= {"extensions": extensions, "receivers": receivers}
        made = read_jaeger(yaml.safe_dump(document))
        assert made.role == role
        file = tmp_path / "lymer.yaml"
        file.write_text(as_yaml(made))
        load_effective(file, {"HOME": "/tmp"}, role=role)


@pytest.mark.parametrize(
    ("exporters", "extensions", "role"),
    [
        ({"jaeger_storage_exporter": {}}, {"jaeger_query": {}}, "all-in-one"),
        ({"jaeger_storage_exporter": {}}, {}, "collector"),
        ({"nop": {}}, {"jaeger_query": {}}, "query"),
        ({"otlp": {"endpoint": "c:4317"}}, {}, "agent"),
        ({"kafka": {"brokers": ["k:9092"]}}, {}, "collector"),
    ],
)
def test_the_role_follows_from_what_runs(
    exporters: dict[str, Any], extensions: dict[str, Any], role: str
) -> None:
    """Who stores, who shows, who passes on."""
    document = {"service": {}, "exporters": exporters, "extensions": extensions}

    assert read_jaeger(yaml.safe_dump(document)).role == role


def test_kafka_of_v2_is_translated() -> None:
    """The example of Jaeger's ingester, with what brokers may ask for."""
    receiver = {
        "brokers": ["a:9092", "b:9092"],
        "traces": {"topic": "t", "encoding": "jaeger_json"},
        "initial_offset": "earliest",
        "auth": {"sasl": {"mechanism": "SCRAM-SHA-512", "username": "u", "password": "p"}},
        "tls": {"ca_file": "/ca.pem"},
    }
    made = read_jaeger(yaml.safe_dump({"service": {}, "receivers": {"kafka": receiver}}))

    assert made.role == "ingester"
    assert made.settings == {
        "kafka.brokers": "a:9092,b:9092",
        "kafka.topic": "t",
        "kafka.encoding": "jaeger_json",
        "kafka.initial_offset": "earliest",
        "kafka.tls.enabled": "true",
        "kafka.tls.ca_file": "/ca.pem",
        "kafka.sasl.mechanism": "scram-sha-512",
        "kafka.sasl.username": "u",
    }
    assert [place for place, _ in made.left_out] == ["receivers.kafka.sasl password"]


def test_flags_and_variables_of_v1() -> None:
    """As in a manifest's args, or in an environment file."""
    text = """
    # of the collector
    --collector.grpc-server.host-port=:14250 --collector.queue-size=3000
    export SPAN_STORAGE_TYPE=elasticsearch
    SAMPLING_STRATEGIES_FILE=/etc/s.json
    """
    made = read_jaeger(text)

    assert made.role == "collector"
    assert made.settings == {
        "receivers.jaeger_grpc.host": "0.0.0.0",
        "receivers.jaeger_grpc.port": "14250",
        "sampling.file.path": "/etc/s.json",
    }
    assert {place for place, _ in made.left_out} == {"--collector.queue-size", "SPAN_STORAGE_TYPE"}


def test_v1s_file_is_its_flags_as_a_tree() -> None:
    """Viper reads `reporter: {grpc: {host-port: …}}` as it reads the flag."""
    made = read_jaeger("reporter:\n  grpc:\n    host-port: c:14250\nagent:\n  tags: a=b\n")

    assert made.role == "agent"
    assert made.settings["agent.targets"] == "c:14250"
    assert made.settings["agent.tags"] == "a=b"


def test_what_is_not_jaegers_is_refused() -> None:
    """With a sentence."""
    with pytest.raises(ConfigError, match="nothing of Jaeger's"):
        read_jaeger("")


def test_lymer_says_so_when_it_is_given_jaegers(tmp_path: Path) -> None:
    """Instead of one problem for each line."""
    file = tmp_path / "jaeger.yaml"
    file.write_text(yaml.safe_dump(ALL_IN_ONE))

    with pytest.raises(ConfigError, match="lymer config from-jaeger") as caught:
        load_effective(file, {"HOME": "/tmp"})
    assert len(caught.value.problems) == 1
    assert not is_jaeger_v2({"receivers": {"otlp_grpc": {"port": 1}}})


def checked(text: str, tmp_path: Path) -> tuple[str, dict[str, str], str]:
    """Return role, settings and what was left out, after our own check of the settings."""
    made = read_jaeger(text)
    file = tmp_path / "lymer.yaml"
    file.write_text(as_yaml(made))
    load_effective(file, {"HOME": "/tmp", "POD_NAMESPACE": "shop"}, role=made.role)
    return made.role, made.settings, "; ".join(map(": ".join, made.left_out))


def test_a_variable_for_host_and_port_gives_its_default(tmp_path: Path) -> None:
    """As in Jaeger's own config-remote-storage-backend.yaml, storage server and all."""
    text = """
service:
  extensions: [jaeger_storage, remote_storage]
  pipelines: {traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}}
extensions:
  jaeger_storage: {backends: {some: {memory: {max_traces: 1}}}}
  remote_storage: {endpoint: "localhost:17271", storage: some}
receivers: {otlp: {protocols: {grpc: {endpoint: "${env:OTLP_AT:-0.0.0.0:14317}"}}}}
exporters: {jaeger_storage_exporter: {trace_storage: some}}
"""
    role, settings, left_out = checked(text, tmp_path)

    assert role == "collector"
    assert settings["receivers.otlp_grpc.host"] == "0.0.0.0"
    assert settings["receivers.otlp_grpc.port"] == "14317"
    assert "variable OTLP_AT of receivers.otlp_grpc: LYMER__RECEIVERS__OTLP_GRPC__HOST" in left_out
    assert settings["storage_api.enabled"] == "true"
    assert settings["storage_api.port"] == "17271"


MANIFESTS = {
    "operator, v1": (
        """
apiVersion: jaegertracing.io/v1
kind: Jaeger
metadata: {name: my-jaeger}
spec:
  strategy: production
  query: {options: {query: {base-path: /jaeger}}}
  collector: {options: {log-level: debug}}
  ui: {options: {menu: [{label: About}]}}
""",
        "all-in-one",
        {"query.base_path": "/jaeger"},
        "LYMER__LOGS__LEVEL says how much is logged; spec.strategy: the chart's `mode`",
    ),
    "operator, nothing said": (
        "apiVersion: jaegertracing.io/v1\nkind: Jaeger\nmetadata: {name: simplest}\n",
        "all-in-one",
        {},
        "",
    ),
    "sidecar, beside another's container": (
        """
kind: Service
---
kind: StatefulSet
spec:
  template:
    spec:
      containers:
        - {name: shop, image: "shop:1", args: ["--query.base-path=/not-ours"]}
        - name: jaeger-agent
          image: jaegertracing/jaeger-agent:1.65.0
          args: ["--reporter.grpc.host-port=dns:///collector-headless.$(POD_NAMESPACE):14250"]
          env: [{name: LOG_LEVEL, value: debug}]
""",
        "agent",
        {"agent.targets": "dns:///collector-headless.${POD_NAMESPACE}:14250"},
        "",
    ),
    "compose": (
        """
services:
  hotrod: {image: "jaegertracing/example-hotrod:1", command: ["all"]}
  jaeger:
    image: jaegertracing/all-in-one:1.65
    command: --query.base-path=/traces
    environment: [SPAN_STORAGE_TYPE=memory]
""",
        "all-in-one",
        {"query.base_path": "/traces"},
        "",
    ),
    "ingester": (
        """
services:
  ingester:
    image: jaegertracing/jaeger-ingester:1.65
    command: ["--kafka.consumer.brokers=kafka:9092"]
""",
        "ingester",
        {"kafka.brokers": "kafka:9092"},
        "",
    ),
    "values of a chart, v1": (
        "collector: {cmdlineParams: {collector.tags: cluster=blue}, replicaCount: 2}",
        "collector",
        {"collector.tags": "cluster=blue"},
        "",
    ),
    "OpenTelemetryCollector, v2 as text": (
        """
apiVersion: opentelemetry.io/v1beta1
kind: OpenTelemetryCollector
spec:
  image: jaegertracing/jaeger:2.13.0
  config: |
    service: {extensions: [jaeger_query]}
    extensions: {jaeger_query: {base_path: /jaeger}}
""",
        "query",
        {"query.base_path": "/jaeger"},
        "",
    ),
    "jaeger-remote-storage": (
        "grpc: {endpoint: ':17271'}\nstorage: {backends: {some: {badger: {ttl: {spans: 48h}}}}}",
        "collector",
        {"storage_api.host": "0.0.0.0", "storage.retention_seconds": "48h"},
        "",
    ),
}


@pytest.mark.parametrize("case", MANIFESTS.values(), ids=MANIFESTS.keys())
def test_a_configuration_is_found_in_what_holds_it(
    case: tuple[str, str, dict[str, str], str], tmp_path: Path
) -> None:
    """Objects, values and Compose files as people have them, not a file of flags alone."""
    text, role, settings, named = case
    found_role, found, left_out = checked(text, tmp_path)

    assert found_role == role
    assert settings.items() <= found.items()
    assert "not-ours" not in str(found)
    assert named in left_out


def test_manifests_without_jaeger_are_refused() -> None:
    """Not translated into nothing."""
    with pytest.raises(ConfigError, match="no arguments, variables or configuration of Jaeger"):
        read_jaeger("kind: Deployment\nspec: {replicas: 1}\n")
