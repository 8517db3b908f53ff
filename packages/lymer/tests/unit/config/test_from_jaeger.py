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
    ],
)
def test_the_role_follows_from_what_runs(
    exporters: dict[str, Any], extensions: dict[str, Any], role: str
) -> None:
    """Who stores, who shows, who passes on."""
    document = {"service": {}, "exporters": exporters, "extensions": extensions}

    assert read_jaeger(yaml.safe_dump(document)).role == role


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
