"""Jaeger v1's flags and environment variables as our settings, for manuals that deploy with them.

A flag that means nothing here is accepted, with a remark why, and so is one of a family of Jaeger's
(`jaeger_families.py`) that is not in the table: none ends a start.

Source: Jaeger v1.76, `cmd/agent`, `cmd/collector`,
`cmd/query`; reference jaeger.md 2.2 to 2.10, 4.6, 8.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lymer.config.document import Document, Entry
from lymer.config.jaeger_families import foreign_remark, foreign_variables

__all__ = ["Spoken", "known_flags", "read_environment", "read_flags", "split_flags"]


@dataclass(frozen=True, slots=True)
class _Flag:
    """What one flag is here."""

    path: str = ""
    """Setting it sets; of `host-port` the group that has `host` and `port`; empty for none."""
    form: str = "text"
    """`text` as it is, `lower` in small letters, `address` a host and a port, `switch` true or
    false, `foreign` may have no value; the others are words of Jaeger's, `_word`."""
    also: tuple[tuple[str, str], ...] = ()
    """(path, text) it sets beside; no text is what it was given."""
    remark: str = ""
    """What to tell who uses it."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What flags or variables of Jaeger say."""

    document: Document
    remarks: tuple[str, ...]
    """For people: what has no meaning here, and what has its place."""


def _tls(flag: str, group: str, *, client: bool) -> dict[str, _Flag]:
    names = {"ca": "ca_file", "cert": "cert_file", "key": "key_file"}
    if client:
        names |= {"server-name": "server_name"}
    else:
        names = {"cert": "cert_file", "key": "key_file", "client-ca": "client_ca_file"}
    flags = {f"{flag}.{name}": _Flag(f"{group}.{field}") for name, field in names.items()}
    flags[f"{flag}.enabled"] = _Flag(f"{group}.enabled", "switch")
    if client:
        flags[f"{flag}.skip-host-verify"] = _Flag(f"{group}.insecure_skip_verify", "switch")
    else:
        flags[f"{flag}.min-version"] = _Flag(f"{group}.min_version")
        flags[f"{flag}.max-version"] = _Flag(f"{group}.max_version")
    return flags


_FOR_EVER: Final = "requests are repeated until a collector takes them"
_NO_QUEUE: Final = (
    "there is no queue in memory: a request is answered when it is durable, and "
    "receivers.admission limits what is in flight, journal.backlog_bytes_max what waits on disk"
)
_UDP: Final = "sockets have as large a buffer as the system allows, and one task reads them"

_ANY: Final = {
    "admin.http.host-port": _Flag("admin", "address"),
    **_tls("admin.http.tls", "admin.tls", client=False),
    "log-encoding": _Flag("logs.encoding"),
    "metrics-backend": _Flag(remark="metrics are Prometheus's, on the admin port"),
    "metrics-http-route": _Flag(remark="metrics are on the admin port at /metrics"),
    "multi-tenancy.enabled": _Flag("tenancy.enabled", "switch"),
    "multi-tenancy.header": _Flag("tenancy.header"),
    "multi-tenancy.tenants": _Flag("tenancy.tenants"),
    "span-storage.type": _Flag(remark="storage is the embedded engine"),
}
_KAFKA_CLIENT: Final = {
    # First: what else is said about who we are goes further.
    "authentication": _Flag("kafka.sasl.mechanism", "authentication"),
    "brokers": _Flag("kafka.brokers"),
    "topic": _Flag("kafka.topic"),
    "encoding": _Flag("kafka.encoding", "encoding"),
    "protocol-version": _Flag(remark="client and broker agree on it"),
    "plaintext.username": _Flag("kafka.sasl.username"),
    "plaintext.password": _Flag(remark="put it into a file, kafka.sasl.password_file names it"),
    "plaintext.mechanism": _Flag("kafka.sasl.mechanism", "lower"),
    **_tls("tls", "kafka.tls", client=True),
}
_KAFKA_PRODUCER: Final = {
    **{f"kafka.producer.{name}": flag for name, flag in _KAFKA_CLIENT.items()},
    "kafka.producer.compression": _Flag("kafka.compression"),
    "kafka.producer.max-message-bytes": _Flag("kafka.message_bytes_max"),
    "kafka.producer.required-acks": _Flag(remark="all in-sync replicas have a span, always"),
    "span-storage.type": _Flag("kafka.enabled", "storage"),
}
_INGESTER: Final = {
    **{f"kafka.consumer.{name}": flag for name, flag in _KAFKA_CLIENT.items()},
    "kafka.consumer.group-id": _Flag("kafka.group_id"),
    "kafka.consumer.client-id": _Flag("kafka.client_id"),
}
_UDP_PORTS: Final = {
    "jaeger-compact": "jaeger_udp_compact",
    "jaeger-binary": "jaeger_udp_binary",
    "zipkin-compact": "zipkin_udp_compact",
}
_PROCESSORS: Final = {
    f"processor.{name}.{option}": flag
    for name, door in _UDP_PORTS.items()
    for option, flag in {
        "server-host-port": _Flag(
            f"receivers.{door}", "address", ((f"receivers.{door}.enabled", "true"),)
        ),
        "workers": _Flag(remark=_UDP),
        "server-queue-size": _Flag(remark=_UDP),
        "server-max-packet-size": _Flag(remark="datagrams up to 65,000 bytes are taken"),
        "server-socket-buffer-size": _Flag(remark=_UDP),
    }.items()
}
_AGENT: Final = {
    "reporter.grpc.host-port": _Flag("agent.targets", also=(("agent.protocol", "jaeger"),)),
    "reporter.grpc.retry.max": _Flag(remark=_FOR_EVER),
    "reporter.grpc.discovery.min-peers": _Flag(remark="all addresses of a name are used"),
    "reporter.type": _Flag(remark="collectors are reached by gRPC"),
    **_tls("reporter.grpc.tls", "agent.tls", client=True),
    "agent.tags": _Flag("agent.tags"),
    "jaeger.tags": _Flag("agent.tags"),
    "http-server.host-port": _Flag("sampling.http", "address"),
}
_COLLECTOR: Final = {
    "collector.grpc-server.host-port": _Flag("receivers.jaeger_grpc", "address"),
    "collector.grpc-server.max-message-size": _Flag("receivers.jaeger_grpc.message_bytes_max"),
    **_tls("collector.grpc.tls", "receivers.jaeger_grpc.tls", client=False),
    "collector.http-server.host-port": _Flag("receivers.jaeger_http", "address"),
    **_tls("collector.http.tls", "receivers.jaeger_http.tls", client=False),
    "collector.zipkin.host-port": _Flag(
        "receivers.zipkin", "address", (("receivers.zipkin.enabled", "true"),)
    ),
    **_tls("collector.zipkin.tls", "receivers.zipkin.tls", client=False),
    "collector.otlp.enabled": _Flag(
        "receivers.otlp_grpc.enabled", "switch", (("receivers.otlp_http.enabled", ""),)
    ),
    "collector.otlp.grpc.host-port": _Flag("receivers.otlp_grpc", "address"),
    "collector.otlp.grpc.max-message-size": _Flag("receivers.otlp_grpc.message_bytes_max"),
    **_tls("collector.otlp.grpc.tls", "receivers.otlp_grpc.tls", client=False),
    "collector.otlp.http.host-port": _Flag("receivers.otlp_http", "address"),
    "collector.otlp.http.cors.allowed-origins": _Flag("receivers.otlp_http.cors.allowed_origins"),
    "collector.otlp.http.cors.allowed-headers": _Flag("receivers.otlp_http.cors.allowed_headers"),
    **_tls("collector.otlp.http.tls", "receivers.otlp_http.tls", client=False),
    "collector.tags": _Flag("collector.tags"),
    "sampling.strategies-file": _Flag("sampling.file.path"),
    "sampling.strategies-reload-interval": _Flag("sampling.file.reload_seconds"),
    "sampling.default-sampling-probability": _Flag("sampling.file.default_probability"),
    "collector.queue-size": _Flag(remark=_NO_QUEUE),
    "collector.queue-size-memory": _Flag(remark=_NO_QUEUE),
    "collector.num-workers": _Flag(remark=_NO_QUEUE),
    "collector.enable-span-size-metrics": _Flag(remark="lymer_receiver_bytes counts always"),
}
_QUERY: Final = {
    "query.http-server.host-port": _Flag("query", "address"),
    "query.host-port": _Flag("query", "address"),
    "query.grpc-server.host-port": _Flag("query.grpc", "address"),
    "query.base-path": _Flag("query.base_path"),
    "query.ui-config": _Flag("query.ui_config_file"),
    "query.max-clock-skew-adjustment": _Flag("query.max_clock_skew_adjust_seconds"),
    **_tls("query.http.tls", "query.tls", client=False),
    "query.static-files": _Flag("query.ui_assets_path"),
    "query.enable-tracing": _Flag(remark="Lymer does not trace itself here"),
    "grpc-storage.server": _Flag("remote_storage.target"),
    "grpc-storage.connection-timeout": _Flag(remark="a store that is away is looked for always"),
    **_tls("grpc-storage.tls", "remote_storage.tls", client=True),
}
_ROLES: Final[Mapping[str, Mapping[str, _Flag]]] = {
    "agent": {**_ANY, **_PROCESSORS, **_AGENT},
    "collector": {**_ANY, **_COLLECTOR, **_KAFKA_PRODUCER},
    "ingester": {**_ANY, **_INGESTER},
    "query": {**_ANY, **_QUERY},
    "all-in-one": {**_ANY, **_PROCESSORS, **_COLLECTOR, **_QUERY},
}
_WORDS: Final = {"true", "false", "1", "0", "t", "f"}


def known_flags(role: str) -> list[str]:
    """Return the flags a role takes, with their dashes, sorted."""
    return sorted(f"--{name}" for name in _ROLES[role])


def split_flags(role: str, arguments: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Part Jaeger's flags from other arguments.

    Args:
        role: Whose flags are known.
        arguments: What a command line holds, as `--name=value` or `--name value`.

    Returns:
        (name, value) of each flag, the value of a switch without one is `true`; and the rest.
    """
    flags: list[tuple[str, str]] = []
    rest: list[str] = []
    pending = list(arguments)
    while pending:
        argument = pending.pop(0)
        name, equals, value = argument.removeprefix("--").partition("=")
        flag = _flag(role, name) if argument.startswith("--") else None
        if flag is None:
            rest.append(argument)
        elif equals:
            flags.append((name, value))
        elif flag.form == "switch" and (not pending or pending[0].lower() not in _WORDS):
            flags.append((name, "true"))
        elif flag.form == "foreign" and (not pending or pending[0].startswith("-")):
            flags.append((name, ""))
        else:
            flags.append((name, pending.pop(0) if pending else ""))
    return flags, rest


def _flag(role: str, name: str) -> _Flag | None:
    known = _ROLES[role].get(name)
    if known is None and (remark := foreign_remark(name)):
        return _Flag(form="foreign", remark=remark)
    return known


def read_flags(role: str, flags: Sequence[tuple[str, str]]) -> Spoken:
    """Return what flags of a role say; all are known to it."""
    return _read(role, [(name, value, f"--{name}") for name, value in flags])


def read_environment(role: str, environ: Mapping[str, str]) -> Spoken:
    """Return what variables say: `--agent.tags` is AGENT_TAGS; a flag without meaning says nothing.

    Source: Jaeger v1, viper's `SetEnvKeyReplacer` of "-" and "." to "_".
    """
    found = []
    for name, flag in _ROLES[role].items():
        variable = name.upper().replace("-", "_").replace(".", "_")
        if environ.get(variable) and flag.path:
            found.append((name, environ[variable], variable))
    spoken = _read(role, found)
    taken = {variable for _, _, variable in found}
    remarks = [
        f"{variable} has no meaning here: {remark}"
        for variable, remark in foreign_variables(environ)
        if variable not in taken and environ[variable]
    ]
    return Spoken(spoken.document, (*spoken.remarks, *remarks))


def _read(role: str, spoken: Sequence[tuple[str, str, str]]) -> Spoken:
    entries: list[Entry] = []
    problems: list[str] = []
    remarks: list[str] = []
    for name, value, place in sorted(spoken, key=lambda one: ".authentication" not in one[0]):
        flag = _flag(role, name)
        assert flag is not None, name
        if flag.form == "storage" and value.lower() != "kafka":
            flag = _ANY["span-storage.type"]
        if flag.remark:
            remarks.append(f"{place} has no meaning here: {flag.remark}")
        if not flag.path:
            continue
        try:
            entries += _entries(flag, value, place)
        except ValueError:
            problems.append(f'{place}: "{value[:80]}" is no HOST:PORT, such as :14250')
    return Spoken(Document(tuple(entries), tuple(problems)), tuple(remarks))


def _entries(flag: _Flag, value: str, place: str) -> Iterator[Entry]:
    if flag.form == "switch":
        value = value.lower()
        value = {"1": "true", "t": "true", "0": "false", "f": "false"}.get(value, value)
    for path, text in flag.also:
        yield Entry(path, text or value, place)
    if flag.form == "authentication" and value == "tls":
        yield Entry("kafka.tls.enabled", "true", place)
        return
    value = _word(flag.form, value)
    if flag.form == "address":
        host, colon, port = value.rpartition(":")
        if not colon or not port.isdecimal():
            raise ValueError
        yield Entry(f"{flag.path}.host", host.strip("[]") or "0.0.0.0", place)  # noqa: S104 - as Go has it
        yield Entry(f"{flag.path}.port", port, place)
    else:
        yield Entry(flag.path, value, place)


def _word(form: str, value: str) -> str:
    """Return what a word of Jaeger's is here; one that is nothing here is refused as it stands."""
    if form == "storage":
        return "true"
    if form in {"lower", "authentication"}:
        return {"plaintext": "plain"}.get(value.lower(), value.lower())
    if form == "encoding":
        words = {"protobuf": "jaeger_proto", "json": "jaeger_json"}
        return words.get(value, value.replace("-", "_"))
    return value
