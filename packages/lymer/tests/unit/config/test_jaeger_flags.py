"""What Jaeger v1's flags and variables are here."""

from __future__ import annotations

import pytest

from lymer.config import ConfigError
from lymer.config.catalog import SETTINGS
from lymer.config.jaeger_flags import known_flags, read_flags, split_flags
from lymer.config.roles import ROLES
from lymer.config.sources import Effective, load_effective

_HOME = {"HOME": "/home/ada"}


def _load(role: str, *arguments: str, **environ: str) -> Effective:
    flags, rest = split_flags(role, arguments)
    assert rest == []
    return load_effective(None, _HOME | environ, role=role, jaeger_flags=flags)


@pytest.mark.parametrize("role", ROLES)
def test_every_flag_sets_a_setting_or_says_why_not(role: str) -> None:
    """No row of the table names a setting that does not exist."""
    for flag in known_flags(role):
        spoken = read_flags(role, [(flag.removeprefix("--"), "localhost:1")])

        paths = {entry.path for entry in spoken.document.entries}
        assert paths <= set(SETTINGS), flag
        assert paths or spoken.remarks, flag


def test_the_operators_sidecar_is_understood() -> None:
    """Source: jaeger-operator, as reference jaeger.md 8.6 has it."""
    effective = _load(
        "agent",
        "--reporter.grpc.host-port=dns:///x-collector-headless.ns.svc:14250",
        "--reporter.grpc.tls.enabled=true",
        "--agent.tags=cluster=undefined,pod.name=${POD_NAME:},host.ip=${HOST_IP:}",
        HOST_IP="10.0.0.7",
    )

    agent = effective.config.agent
    assert agent.targets == "dns:///x-collector-headless.ns.svc:14250"
    assert agent.protocol == "jaeger"
    assert agent.tls.enabled
    assert agent.tags == (("cluster", "undefined"), ("pod.name", ""), ("host.ip", "10.0.0.7"))
    assert effective.origins["agent.targets"] == "--reporter.grpc.host-port"


def test_an_address_without_host_is_every_address() -> None:
    """As Go listens; IPv6 comes in brackets."""
    config = _load(
        "collector",
        "--collector.grpc-server.host-port=:14251",
        "--collector.http-server.host-port=[::1]:14269",
        "--admin.http.host-port", "localhost:0",
    ).config  # fmt: skip

    receivers = config.receivers
    assert (receivers.jaeger_grpc.host, receivers.jaeger_grpc.port) == ("0.0.0.0", 14251)
    assert (receivers.jaeger_http.host, receivers.jaeger_http.port) == ("::1", 14269)
    assert (config.admin.host, config.admin.port) == ("localhost", 0)


def test_a_port_that_is_set_opens_its_door() -> None:
    """As setting the host-port does in Jaeger."""
    config = _load("all-in-one", "--processor.zipkin-compact.server-host-port=:5776").config

    assert config.receivers.zipkin_udp_compact.enabled
    assert config.receivers.zipkin_udp_compact.port == 5776


def test_what_has_no_meaning_is_accepted_and_said() -> None:
    """With what stands in its place."""
    effective = _load(
        "collector", "--span-storage.type", "elasticsearch", "--collector.queue-size=9"
    )

    assert len(effective.remarks) == 2
    assert effective.remarks[0].startswith("--span-storage.type has no meaning here")
    assert "journal.backlog_bytes_max" in effective.remarks[1]


def test_variables_mean_what_flags_mean() -> None:
    """Ours win over Jaeger's, flags over both."""
    environ = {
        "REPORTER_GRPC_HOST_PORT": "a:1",
        "AGENT_TAGS": "a=jaeger",
        "LYMER__AGENT__TAGS": "a=lymer",
        "PROCESSOR_JAEGER_COMPACT_SERVER_HOST_PORT": ":7000",
        "SPAN_STORAGE_TYPE": "cassandra",
    }
    effective = _load("agent", "--processor.jaeger-compact.server-host-port=:7001", **environ)

    config = effective.config
    assert (config.agent.targets, config.agent.tags) == ("a:1", (("a", "lymer"),))
    assert config.receivers.jaeger_udp_compact.port == 7001
    assert effective.origins["agent.targets"] == "REPORTER_GRPC_HOST_PORT"
    assert [remark.split()[0] for remark in effective.remarks] == ["SPAN_STORAGE_TYPE"]


def test_a_switch_needs_no_value() -> None:
    """The next word is only its value if it is one."""
    flags, rest = split_flags(
        "agent", ["--reporter.grpc.tls.enabled", "--x", "--reporter.grpc.tls.enabled", "false"]
    )

    assert [value for _, value in flags] == ["true", "false"]
    assert rest == ["--x"]


@pytest.mark.parametrize(
    ("value", "open_"), [("=false", False), ("=F", False), ("=0", False), ("", True), ("=1", True)]
)
def test_otlp_can_be_closed(value: str, open_: bool) -> None:  # noqa: FBT001 - a table's column
    """Both doors of it, by one switch, as the collector of Jaeger v1 has it."""
    receivers = _load("collector", f"--collector.otlp.enabled{value}").config.receivers

    assert (receivers.otlp_grpc.enabled, receivers.otlp_http.enabled) == (open_, open_)
    assert not _load("collector", COLLECTOR_OTLP_ENABLED="false").config.receivers.otlp_grpc.enabled


@pytest.mark.parametrize("value", ["14250", "", "x:y", ":"])
def test_an_address_that_is_none_is_refused(value: str) -> None:
    """By the flag's name."""
    with pytest.raises(ConfigError, match=r"--collector\.grpc-server\.host-port: .* HOST:PORT"):
        _load("collector", f"--collector.grpc-server.host-port={value}")


def test_flags_of_another_role_set_nothing() -> None:
    """A collector has no reporter, and says so."""
    effective = _load("collector", "--reporter.grpc.host-port=a:1")

    assert effective.remarks[0].startswith("--reporter.grpc.host-port has no meaning here")
    assert "--reporter.grpc.host-port" not in effective.origins.values()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--es.server-urls=http://es:9200"], "storage.data_dir"),
        (["--es.server-urls", "http://es:9200", "--es.num-shards=5"], "storage.data_dir"),
        (["--memory.max-traces=50000"], "storage.retention_seconds"),
        (["--cassandra-archive.enabled"], "archived"),
        (["--badger.ephemeral", "--badger.directory-value", "/data"], "retention"),
        (["--kafka.consumer.rack-id=a"], "built otherwise"),
        (["--downsampling.ratio=0.5"], "tail_sampling"),
        (["--query.bearer-token-propagation=true"], "built otherwise"),
        (["--collector.otlp.grpc.max-connection-age=1h"], "built otherwise"),
        (["--config-file=/etc/jaeger.yaml"], "--config"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_no_flag_of_jaegers_ends_a_start(role: str, arguments: list[str], hint: str) -> None:
    """What the operator adds is accepted, and says what to use instead."""
    remarks = _load(role, *arguments).remarks

    assert any(hint in remark for remark in remarks)


def test_variables_of_jaegers_storage_are_named() -> None:
    """Each with what to use; empty ones and those of others are not."""
    named = {"MEMORY_MAX_TRACES": "9", "LOG_LEVEL": "debug", "SPAN_STORAGE_TYPE": "cassandra"}
    remarks = _load("all-in-one", **named, ES_SERVER_URLS="", ESSAY="x", KAFKA_HOME="/opt").remarks

    assert [remark.split()[0] for remark in remarks] == sorted(named)
    assert "LYMER__LOGS__LEVEL" in remarks[0]


def test_a_flag_of_nobody_is_still_refused() -> None:
    """A typing error in a flag of ours must not be lost among Jaeger's."""
    assert split_flags("all-in-one", ["--retentoin=5h"]) == ([], ["--retentoin=5h"])


def test_kafka_is_spoken_as_jaegers_collector_and_ingester_do() -> None:
    """Flags and variables of both, words of Jaeger's among them."""
    variables = {"SPAN_STORAGE_TYPE": "kafka", "KAFKA_PRODUCER_BROKERS": "a:9092,b:9092"}
    flags = (
        "--kafka.producer.plaintext.mechanism=SCRAM-SHA-256",
        "--kafka.producer.authentication=plaintext",
        "--kafka.producer.encoding=protobuf",
        "--kafka.producer.required-acks=local",
    )
    effective = _load("collector", *flags, **variables)
    kafka = effective.config.kafka

    assert (kafka.enabled, kafka.brokers, kafka.encoding) == (True, "a:9092,b:9092", "jaeger_proto")
    assert kafka.sasl.mechanism == "scram-sha-256"
    assert [remark.split()[0] for remark in effective.remarks] == ["--kafka.producer.required-acks"]

    read = _load(
        "ingester",
        "--kafka.consumer.group-id=g",
        "--kafka.consumer.encoding=zipkin-thrift",
        "--kafka.consumer.authentication=tls",
        "--ingester.deadlockInterval=1m",
    )
    kafka = read.config.kafka
    assert (kafka.enabled, kafka.group_id, kafka.encoding) == (True, "g", "zipkin_thrift")
    assert kafka.tls.enabled
    assert "ingester.deadlockInterval" in read.remarks[0]


def test_a_collector_with_another_storage_hands_nothing_to_kafka() -> None:
    """The storage is the engine's, and it is said."""
    effective = _load("collector", SPAN_STORAGE_TYPE="cassandra")

    assert not effective.config.kafka.enabled
    assert effective.remarks[0].startswith("SPAN_STORAGE_TYPE has no meaning here")
