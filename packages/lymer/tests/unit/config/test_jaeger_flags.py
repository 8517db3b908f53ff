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


@pytest.mark.parametrize("value", ["14250", "", "x:y", ":"])
def test_an_address_that_is_none_is_refused(value: str) -> None:
    """By the flag's name."""
    with pytest.raises(ConfigError, match=r"--collector\.grpc-server\.host-port: .* HOST:PORT"):
        _load("collector", f"--collector.grpc-server.host-port={value}")


def test_flags_of_another_role_are_unknown() -> None:
    """A collector has no reporter."""
    assert split_flags("collector", ["--reporter.grpc.host-port=a:1"])[0] == []
