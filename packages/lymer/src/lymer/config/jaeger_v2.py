"""A configuration of Jaeger v2 as our settings, with what has no place here named.

Jaeger v2's file is that of an OpenTelemetry Collector: parts by kind (receivers, processors,
exporters, extensions), and `service`, which says which of them run.

Source: Jaeger v2.20, `cmd/jaeger`; reference jaeger.md 1.1, 2, 3, 4.6, 5.3, 8.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

__all__ = ["Translation", "at", "is_jaeger_v2", "looks_like_it", "translate"]

_KINDS: Final = ("receivers", "processors", "exporters", "extensions", "connectors")
_RECEIVERS: Final = {
    "otlp.protocols.grpc": "otlp_grpc",
    "otlp.protocols.http": "otlp_http",
    "jaeger.protocols.grpc": "jaeger_grpc",
    "jaeger.protocols.thrift_http": "jaeger_http",
    "jaeger.protocols.thrift_compact": "jaeger_udp_compact",
    "jaeger.protocols.thrift_binary": "jaeger_udp_binary",
    "zipkin": "zipkin",
}
"""Where a receiver stands there → its name here."""
_VARIABLE: Final = re.compile(r"\$\{(?:env:)?(?P<name>\w+)(?::-(?P<default>[^}]*))?\}")
_ALWAYS: Final = frozenset({"otlp_grpc", "otlp_http"})
_QUERY: Final = {
    "base_path": "query.base_path",
    "ui.config_file": "query.ui_config_file",
    "max_clock_skew_adjust": "query.max_clock_skew_adjust_seconds",
    "max_trace_size": "query.max_trace_size_spans",
}
_ADAPTIVE: Final = {
    "target_samples_per_second": "target_samples_per_second",
    "delta_tolerance": "delta_tolerance",
    "calculation_interval": "calculation_interval_seconds",
    "calculation_delay": "calculation_delay_seconds",
    "calculation_buckets": "calculation_buckets",
    "aggregation_buckets": "aggregation_buckets",
    "initial_sampling_probability": "initial_sampling_probability",
    "min_sampling_probability": "min_sampling_probability",
    "min_samples_per_second": "min_samples_per_second",
}
_TLS: Final = ("cert_file", "key_file", "client_ca_file", "min_version", "max_version")
_LISTENER: Final = frozenset(
    {
        "endpoint",
        "tls",
        "cors",
        "max_recv_msg_size_mib",
        "max_request_body_size",
        "transport",
        "storage",
    }
)
_CLIENT_TLS: Final = {
    "ca_file": "ca_file",
    "cert_file": "cert_file",
    "key_file": "key_file",
    "server_name_override": "server_name",
    "insecure_skip_verify": "insecure_skip_verify",
}
_WITHOUT_PLACE: Final = {
    "processors.batch": "what arrives is durable at once, nothing waits for a batch",
    "processors.memory_limiter": "receivers.admission bounds the bytes in flight",
    "processors.tail_sampling": "tail_sampling.policies_file takes its policies, in a file apart",
    "processors.adaptive_sampling": "the store counts throughput itself",
    "exporters.nop": "nothing to do",
    "exporters.debug": "logs.level=debug",
    "connectors.spanmetrics": "RED metrics come from the store",
    "extensions.expvar": "metrics are at admin /metrics",
    "extensions.zpages": "there are no z-pages",
    "extensions.pprof": "there is no pprof",
    "extensions.basicauth": "receivers.auth, query.auth: a file of tokens or an htpasswd file",
}


@dataclass(slots=True)
class Translation:
    """What a file of Jaeger means here."""

    role: str = "all-in-one"
    settings: dict[str, str] = field(default_factory=dict)
    """Setting → text."""
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """(what stands there, why it has no place here or what to use)."""


def looks_like_it(text: str) -> bool:
    """Say whether a text is a configuration of Jaeger v2, or of a Collector."""
    try:
        return is_jaeger_v2(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, RecursionError):
        return False


def is_jaeger_v2(document: object) -> bool:
    """Say whether a YAML document is a configuration of Jaeger v2, or of a Collector."""
    if not isinstance(document, Mapping):
        return False
    service = document.get("service")
    return isinstance(service, Mapping) and any(kind in document for kind in _KINDS[:4])


def translate(document: Mapping[str, Any]) -> Translation:
    """Return what a configuration of Jaeger v2 means here."""
    made = Translation()
    parts = {kind: dict(_mapping(document, kind)) for kind in _KINDS}
    running = _running(_mapping(document, "service"))
    extensions = parts["extensions"]
    _receivers(made, parts["receivers"], running)
    _query(made, _part(extensions, "jaeger_query"))
    _storage(made, _part(extensions, "jaeger_storage"))
    _sampling(made, _part(extensions, "remote_sampling"))
    if remote := _part(extensions, "remote_storage"):
        made.settings["storage_api.enabled"] = "true"
        _listener(made, "storage_api", remote)
    health = _part(extensions, "healthcheckv2")
    _address(made, "health", at(health, "http.endpoint"))
    _telemetry(made, _mapping(_mapping(document, "service"), "telemetry"))
    for kind in ("receivers", "exporters"):
        _kafka(made, kind, _part(parts[kind], "kafka"))
    made.role = _role(made, parts)
    for kind in _KINDS:
        for name in parts[kind]:
            if why := _WITHOUT_PLACE.get(f"{kind}.{name.partition('/')[0]}"):
                made.left_out.append((f"{kind}.{name}", why))
            elif not _known(kind, name):
                made.left_out.append((f"{kind}.{name}", "nothing here does that"))
    return made


def _known(kind: str, name: str) -> bool:
    known = {
        "receivers": {"otlp", "jaeger", "zipkin", "kafka", "nop"},
        "exporters": {"jaeger_storage_exporter", "kafka", "otlp", "otlp_grpc"},
        "extensions": {
            "jaeger_query",
            "jaeger_storage",
            "remote_sampling",
            "remote_storage",
            "healthcheckv2",
        },
    }
    return name.partition("/")[0] in known.get(kind, set())


def _running(service: Mapping[str, Any]) -> set[str]:
    pipelines = _mapping(service, "pipelines")
    return {
        str(name)
        for key, pipeline in pipelines.items()
        if str(key).partition("/")[0] == "traces" and isinstance(pipeline, Mapping)
        for name in pipeline.get("receivers") or ()
    }


def _receivers(made: Translation, receivers: Mapping[str, Any], running: set[str]) -> None:
    found = set()
    for name in sorted(running & set(receivers)):
        base = name.partition("/")[0]
        for place, ours in _RECEIVERS.items():
            first, _, rest = place.partition(".")
            settings = receivers[name] if first == base else None
            if settings is None and not (first == base and not rest):
                continue
            there = at(settings or {}, rest) if rest else (settings or {})
            if there is None and not _has(settings or {}, rest):
                continue
            found.add(ours)
            _listener(made, f"receivers.{ours}", there or {})
            for key, setting in (
                ("max_recv_msg_size_mib", "message_bytes_max"),
                ("max_request_body_size", "body_bytes_max"),
            ):
                if (size := at(there or {}, key)) is not None:
                    unit = "MiB" if key.endswith("mib") else ""
                    made.settings[f"receivers.{ours}.{setting}"] = f"{size}{unit}"
            origins = at(there or {}, "cors.allowed_origins")
            if origins and ours in {"otlp_http", "zipkin"}:
                made.settings[f"receivers.{ours}.cors.allowed_origins"] = ",".join(
                    map(str, origins)
                )
    if not running:
        return
    for ours in _RECEIVERS.values():
        if ours not in found and ours not in _ALWAYS:
            made.settings[f"receivers.{ours}.enabled"] = "false"
        elif ours not in found:
            made.left_out.append((f"(no receiver {ours})", "this one cannot be switched off here"))


def _query(made: Translation, query: Mapping[str, Any]) -> None:
    for place, path in _QUERY.items():
        if (value := at(query, place)) is not None:
            made.settings[path] = str(value)
    if _has(query, "http"):
        _listener(made, "query", _mapping(query, "http"))
    if _has(query, "grpc"):
        _listener(made, "query.grpc", _mapping(query, "grpc"))
    tenancy = _mapping(query, "multi_tenancy")
    for key in ("enabled", "header"):
        if key in tenancy:
            made.settings[f"tenancy.{key}"] = _text(tenancy[key])
    if tenancy.get("tenants"):
        made.settings["tenancy.tenants"] = ",".join(map(str, tenancy["tenants"]))
    for key, why in (
        ("enable_tracing", "it traces itself into nothing"),
        ("bearer_token_propagation", "the store is our own and asks for no token"),
        ("storage.metrics", "the monitor's metrics come from the store"),
        ("storage.traces_archive", "what is archived is in the same store"),
        ("ai", "`lymer mcp`, if this version has it"),
    ):
        if _has(query, key):
            made.left_out.append((f"extensions.jaeger_query.{key}", why))
    known = {
        "base_path",
        "ui",
        "max_clock_skew_adjust",
        "max_trace_size",
        "http",
        "grpc",
        "storage",
    }
    known |= {"multi_tenancy", "enable_tracing", "bearer_token_propagation", "ai"}
    _others(made, "extensions.jaeger_query", query, known)


def _storage(made: Translation, storage: Mapping[str, Any]) -> None:
    for name, backend in _mapping(storage, "backends").items():
        for kind, settings in _mapping({"x": backend}, "x").items():
            place = f"extensions.jaeger_storage.backends.{name}.{kind}"
            if kind == "grpc" and (endpoint := at(settings or {}, "endpoint")):
                made.settings["remote_storage.target"] = str(endpoint)
                _client_tls(made, "remote_storage.tls", _mapping(settings or {}, "tls"))
                made.left_out.append(
                    (place, "must be a `lymer collector`: its storage API is ours")
                )
                continue
            if (ttl := at(settings or {}, "ttl.spans")) or (
                (ttl := at(settings or {}, "ttl")) and not isinstance(ttl, Mapping)
            ):
                made.settings["storage.retention_seconds"] = str(ttl)
            made.left_out.append(
                (place, "spans are kept in storage.data_dir; those of before stay there")
            )


def _sampling(made: Translation, sampling: Mapping[str, Any]) -> None:
    for place, path in (
        ("file.path", "sampling.file.path"),
        ("file.default_sampling_probability", "sampling.file.default_probability"),
        ("file.reload_interval", "sampling.file.reload_seconds"),
    ):
        if (value := at(sampling, place)) is not None:
            made.settings[path] = str(value)
    for door in ("http", "grpc"):
        if _has(sampling, door):
            made.settings[f"sampling.{door}.enabled"] = "true"
            _listener(made, f"sampling.{door}", _mapping(sampling, door))
    if _has(sampling, "adaptive"):
        made.settings["sampling.adaptive.enabled"] = "true"
        for key, value in _mapping(sampling, "adaptive").items():
            if key in _ADAPTIVE:
                made.settings[f"sampling.adaptive.{_ADAPTIVE[key]}"] = str(value)
            else:
                why = "one process decides, and it is the one with the store"
                made.left_out.append((f"extensions.remote_sampling.adaptive.{key}", why))


def _telemetry(made: Translation, telemetry: Mapping[str, Any]) -> None:
    logs = _mapping(telemetry, "logs")
    if "level" in logs:
        made.settings["logs.level"] = str(logs["level"]).lower().replace("warn", "warning")
    if "encoding" in logs:
        made.settings["logs.encoding"] = str(logs["encoding"])
    for reader in _mapping(telemetry, "metrics").get("readers") or ():
        place = at(reader, "pull.exporter.prometheus")
        if isinstance(place, Mapping) and "port" in place:
            made.settings["admin.port"] = str(place["port"])
            if "host" in place:
                made.settings["admin.host"] = str(place["host"])
    if "resource" in telemetry:
        made.left_out.append(("service.telemetry.resource", "Lymer's own metrics have no resource"))


def _kafka(made: Translation, kind: str, there: Mapping[str, Any]) -> None:
    """Translate contrib's Kafka receiver or exporter."""
    traces = _mapping(there, "traces")
    for name in ("brokers", "topic", "encoding", "group_id", "client_id", "initial_offset"):
        value = traces.get(name, there.get(name))
        if value:
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            made.settings[f"kafka.{name}"] = text
    producer = _mapping(there, "producer")
    for theirs, ours in (
        ("compression", "compression"),
        ("max_message_bytes", "message_bytes_max"),
    ):
        if theirs in producer:
            made.settings[f"kafka.{ours}"] = str(producer[theirs])
    auth = _mapping(there, "auth")
    for tls in (there.get("tls"), auth.get("tls")):
        if isinstance(tls, Mapping):
            _client_tls(made, "kafka.tls", tls)
    sasl = _mapping(auth, "sasl") or _mapping(auth, "plain_text")
    if sasl:
        made.settings["kafka.sasl.mechanism"] = str(sasl.get("mechanism", "plain")).lower()
        made.settings["kafka.sasl.username"] = str(sasl.get("username", ""))
        if "password" in sasl:
            why = "put it into a file, kafka.sasl.password_file names it"
            made.left_out.append((f"{kind}.kafka.sasl password", why))


def _role(made: Translation, parts: Mapping[str, Mapping[str, Any]]) -> str:
    stores = "jaeger_storage_exporter" in {name.partition("/")[0] for name in parts["exporters"]}
    shows = bool(_named(parts["extensions"], "jaeger_query"))
    if _named(parts["receivers"], "kafka"):
        return "ingester"
    if _named(parts["exporters"], "kafka"):
        made.settings["kafka.enabled"] = "true"
        return "collector"
    for name, settings in parts["exporters"].items():
        if name.partition("/")[0] in {"otlp", "otlp_grpc"} and not stores:
            made.settings["agent.targets"] = str(at(settings or {}, "endpoint") or "")
            _client_tls(made, "agent.tls", _mapping(settings or {}, "tls"))
            return "agent"
    if stores and not shows:
        return "collector"
    if shows and not stores:
        return "query"
    return "all-in-one"


# ------------------------------------------------------------------------------ reading


def _listener(made: Translation, path: str, there: Mapping[str, Any]) -> None:
    _address(made, path, there.get("endpoint"))
    _others(made, path, there, _LISTENER)
    _others(made, f"{path}.tls", _mapping(there, "tls"), {*_TLS, "reload_interval"})
    tls = _mapping(there, "tls")
    for key in _TLS:
        if tls.get(key) and not path.endswith(("udp_compact", "udp_binary")):
            made.settings[f"{path}.tls.{key}"] = str(tls[key])


def _others(
    made: Translation, place: str, there: Mapping[str, Any], known: AbstractSet[str]
) -> None:
    for key in there:
        if key not in known:
            made.left_out.append((f"{key} of {place}", "no such setting here"))


def _address(made: Translation, path: str, endpoint: object) -> None:
    text = str(endpoint or "")
    # A variable for host and port together cannot be two settings; its default can.
    if whole := _VARIABLE.fullmatch(text):
        text = whole["default"] or ""
        others = (f"{path}.host", f"{path}.port")
        named = " and ".join(f"LYMER__{one.upper().replace('.', '__')}" for one in others)
        made.left_out.append((f"variable {whole['name']} of {path}", f"{named} are read here"))
    host, colon, port = text.rpartition(":")
    if colon:
        made.settings[f"{path}.host"] = host.strip("[]") or "0.0.0.0"  # noqa: S104 - as Go has it
        made.settings[f"{path}.port"] = port


def _client_tls(made: Translation, path: str, tls: Mapping[str, Any]) -> None:
    if _text(tls.get("insecure", "false")) == "true":
        return
    made.settings[f"{path}.enabled"] = "true"
    for theirs, ours in _CLIENT_TLS.items():
        if theirs in tls:
            made.settings[f"{path}.{ours}"] = _text(tls[theirs])


def _named(parts: Mapping[str, Any], base: str) -> list[str]:
    return [name for name in parts if name.partition("/")[0] == base]


def _part(parts: Mapping[str, Any], base: str) -> Mapping[str, Any]:
    for name in _named(parts, base):
        return _mapping(parts, name)
    return {}


def _mapping(there: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = there.get(key)
    return found if isinstance(found, Mapping) else {}


def at(there: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a dotted path, or None."""
    found: Any = there
    for key in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def _has(there: Mapping[str, Any], path: str) -> bool:
    *outer, last = path.split(".")
    for key in outer:
        there = _mapping(there, key)
    return last in there


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
