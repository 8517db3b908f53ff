"""Other tracing backends: how each is started, where it takes spans, how its own API is asked.

Nothing of theirs is here: a program is named by an environment variable. Each listens on the
loopback interface only, keeps its files in one folder, and has its defaults but for what `changed`
says.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from bench.questions import Question

__all__ = ["PEERS", "Peer", "is_wrong", "jaeger_found"]

_Ports = tuple[int, int, int, int]
"""Free ones; the first is asked, the second takes spans over HTTP if that is another."""


@dataclass(frozen=True, slots=True)
class Peer:
    """What is known of a system before it runs."""

    name: str
    variable: str
    """Environment variable with the path of its program."""
    changed: str
    """What is not as it comes, for the reader of the table."""
    version: tuple[str, ...]
    """Arguments that make the program tell its version."""
    command: Callable[[Path, _Ports], list[str]]
    """Arguments that start it on a folder; writes its configuration there."""
    ready: str
    """Path that answers 200 once it may be asked."""
    takes: str
    """Path of OTLP over HTTP."""
    takes_at: int
    """Which of the ports."""
    path: Callable[[Question], str]
    """Path of a question; "" where it cannot be asked."""
    found: Callable[[Question, bytes], list[str]]
    """What an answer with status 200 holds."""
    settle_seconds_min: float = 12.0
    """Longer than its timers; a system that looks idle may only wait for them."""
    is_on_disk: bool = True


def is_wrong(question: Question, found: list[str]) -> bool:
    """Say whether an answer is not the one that the question has."""
    if question.spans >= 0:
        return len(found) != question.spans
    if question.is_only and question.trace_id not in found:
        return True
    return bool(found) != question.finds


# ------------------------------------------------------------------------------- Jaeger


def jaeger_found(question: Question, body: bytes) -> list[str]:
    """Return trace ids (of one trace: of each span), or names, of an answer in Jaeger's form."""
    answer = json.loads(body)
    entries = answer if isinstance(answer, list) else answer.get("data") or answer.get("summaries")
    match question.method:
        case "get_traces":
            return [span["traceID"] for trace in entries or [] for span in trace["spans"]]
        case "find_traces":
            return list({trace.get("traceID") or trace["traceId"] for trace in entries or []})
        case _:
            return [str(entry) for entry in entries or []]


def _jaeger_path(question: Question) -> str:
    if question.method == "find_traces" and not question.arguments["service"]:
        return ""
    return question.path


def _jaeger(store: Callable[[Path], dict[str, Any]]) -> Callable[[Path, _Ports], list[str]]:
    def command(folder: Path, ports: _Ports) -> list[str]:
        query, http, grpc, query_grpc = (f"127.0.0.1:{port}" for port in ports)
        document = {
            "service": {
                "extensions": ["jaeger_storage", "jaeger_query"],
                "pipelines": {
                    "traces": {
                        "receivers": ["otlp"],
                        "processors": ["batch"],
                        "exporters": ["jaeger_storage_exporter"],
                    }
                },
                "telemetry": {
                    "resource": {"service.name": "jaeger"},
                    "metrics": {"level": "none"},
                    "logs": {"level": "warn"},
                },
            },
            "extensions": {
                "jaeger_query": {
                    "storage": {"traces": "spans"},
                    "http": {"endpoint": query},
                    "grpc": {"endpoint": query_grpc},
                },
                "jaeger_storage": {"backends": {"spans": store(folder)}},
            },
            "receivers": {
                "otlp": {"protocols": {"http": {"endpoint": http}, "grpc": {"endpoint": grpc}}}
            },
            "processors": {"batch": {}},
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "spans"}},
        }
        configuration = folder / "configuration.yaml"
        configuration.write_text(json.dumps(document), encoding="utf-8")
        return ["--config", str(configuration)]

    return command


def _badger(folder: Path) -> dict[str, Any]:
    directories = {"keys": f"{folder}/keys", "values": f"{folder}/values"}
    return {"badger": {"directories": directories, "ephemeral": False, "ttl": {"spans": "168h"}}}


def _memory(_: Path) -> dict[str, Any]:
    return {"memory": {"max_traces": 10_000_000}}


def _jaeger_peer(
    name: str, changed: str, store: Callable[[Path], dict[str, Any]], *, is_on_disk: bool
) -> Peer:
    return Peer(
        name,
        "LYMER_PEER_JAEGER",
        f"{changed}; its own metrics and spans off",
        ("version",),
        _jaeger(store),
        "/api/services",
        "/v1/traces",
        1,
        _jaeger_path,
        jaeger_found,
        is_on_disk=is_on_disk,
    )


# ----------------------------------------------------------------------- VictoriaTraces


def _victoria_command(folder: Path, ports: _Ports) -> list[str]:
    return [
        f"-storageDataPath={folder}/data",
        f"-httpListenAddr=127.0.0.1:{ports[0]}",
        "-retentionPeriod=7d",
        "-loggerLevel=WARN",
    ]


def _victoria_path(question: Question) -> str:
    arguments: dict[str, Any] = question.arguments
    match question.method:
        case "get_operations":
            return f"/select/jaeger/api/services/{quote(str(arguments['service']))}/operations"
        case "get_dependencies":
            return ""
        case "get_red":
            if arguments["service"]:
                return ""
            times = _logsql_times(arguments["start_unix_nano"], arguments["end_unix_nano"])
            return _logsql(
                f'{times} duration:* | stats by ("resource_attr:service.name", name) '
                "count() calls, quantile(0.99, duration) p99"
            )
        case "find_traces" if not arguments["service"]:
            ((key, value),) = arguments["tags"]
            times = _logsql_times(
                arguments["start_unix_nano_min"], arguments["start_unix_nano_max"]
            )
            text = json.dumps(value, ensure_ascii=False)
            return _logsql(
                f'{times} ("span_attr:{key}":={text} or "resource_attr:{key}":={text}) '
                "| stats by (trace_id) max(_time) t | sort by (t) desc "
                f"| limit {arguments['limit']}"
            )
        case _:
            return f"/select/jaeger{question.path}"


def _logsql(query: str) -> str:
    return "/select/logsql/query?" + urlencode({"query": query})


def _logsql_times(first: object, last: object) -> str:
    return f"_time:[{_rfc3339(first)}, {_rfc3339(last)}]"


def _rfc3339(unix_nano: object) -> str:
    assert isinstance(unix_nano, int)
    return datetime.fromtimestamp(unix_nano // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _victoria_found(question: Question, body: bytes) -> list[str]:
    if not _victoria_path(question).startswith("/select/logsql/"):
        return jaeger_found(question, body)
    rows = [json.loads(line) for line in body.splitlines() if line]
    return [row.get("trace_id") or row.get("name", "") for row in rows]


# -------------------------------------------------------------------------------- Tempo


def _tempo_command(folder: Path, ports: _Ports) -> list[str]:
    slack = {"ingestion_time_range_slack": "48h"}
    document = {
        "stream_over_http_enabled": False,
        "server": {
            "http_listen_address": "127.0.0.1",
            "http_listen_port": ports[0],
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": ports[3],
            "log_level": "warn",
        },
        "memberlist": {"bind_addr": ["127.0.0.1"], "join_members": []},
        "distributor": {
            "ring": {"instance_addr": "127.0.0.1", "kvstore": {"store": "inmemory"}},
            "receivers": {
                "otlp": {
                    "protocols": {
                        "http": {"endpoint": f"127.0.0.1:{ports[1]}"},
                        "grpc": {"endpoint": f"127.0.0.1:{ports[2]}"},
                    }
                }
            },
        },
        "live_store": {
            "wal": {"path": f"{folder}/live-store/traces", **slack},
            "shutdown_marker_dir": f"{folder}/live-store/marker",
        },
        "block_builder": {"wal": {"path": f"{folder}/block-builder"}},
        "backend_scheduler": {"local_work_path": str(folder)},
        "storage": {
            "trace": {
                "backend": "local",
                # What began more than 15 minutes ago is looked for in finished blocks alone, and in
                # those that the last poll saw: with 5 minutes between two it finds nothing yet.
                "blocklist_poll": "15s",
                "wal": {"path": f"{folder}/wal", **slack},
                "local": {"path": f"{folder}/blocks"},
            }
        },
        "overrides": {
            "defaults": {
                "ingestion": {
                    "rate_limit_bytes": 2_000_000_000,
                    "burst_size_bytes": 2_000_000_000,
                    "max_traces_per_user": 0,
                }
            }
        },
        "usage_report": {"reporting_enabled": False},
    }
    configuration = folder / "configuration.yaml"
    configuration.write_text(json.dumps(document), encoding="utf-8")
    return [f"-config.file={configuration}", "-target=all"]


def _tempo_path(question: Question) -> str:
    arguments: dict[str, Any] = question.arguments
    match question.method:
        case "get_traces":
            (trace_id,) = arguments["trace_ids"]
            return f"/api/traces/{trace_id}"
        case "get_services":
            return "/api/v2/search/tag/resource.service.name/values"
        case "get_operations":
            query = f"{{ resource.service.name = {_text(arguments['service'])} }}"
            return "/api/v2/search/tag/name/values?" + urlencode({"q": query})
        case "get_red" if not arguments["service"]:
            query = "{ } | rate() by (resource.service.name, name)"
            times = arguments["start_unix_nano"], arguments["end_unix_nano"]
            return "/api/metrics/query_range?" + _tempo_query(query, *times, step="60s")
        case "find_traces":
            times = arguments["start_unix_nano_min"], arguments["start_unix_nano_max"]
            limit = str(arguments["limit"])
            return "/api/search?" + _tempo_query(_traceql(arguments), *times, limit=limit)
        case _:
            return ""


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _traceql(arguments: dict[str, Any]) -> str:
    conditions = []
    if arguments["service"]:
        conditions.append(f"resource.service.name = {_text(arguments['service'])}")
    if arguments["operation"]:
        conditions.append(f"name = {_text(arguments['operation'])}")
    for key, value in arguments["tags"]:
        conditions.append(f".{_text(key)} = {_text(value)}")
    if arguments["duration_nano_min"]:
        conditions.append(f"duration >= {arguments['duration_nano_min']}ns")
    return f"{{ {' && '.join(conditions)} }}"


def _tempo_query(query: str, first: object, last: object, **more: str) -> str:
    assert isinstance(first, int)
    assert isinstance(last, int)
    return urlencode({"q": query, "start": first // 10**9, "end": last // 10**9, **more})


def _tempo_found(question: Question, body: bytes) -> list[str]:
    answer = json.loads(body)
    match question.method:
        case "get_traces":
            resources = answer.get("batches") or answer.get("resourceSpans") or []
            scopes = [scope for one in resources for scope in one.get("scopeSpans") or []]
            return [span["traceId"] for scope in scopes for span in scope.get("spans") or []]
        case "find_traces":
            return [trace["traceID"].zfill(32) for trace in answer.get("traces") or []]
        case _:
            return [str(one) for one in answer.get("tagValues") or answer.get("series") or []]


PEERS: Final = (
    Peer(
        "VictoriaTraces",
        "LYMER_PEER_VICTORIATRACES",
        "nothing but paths and loopback",
        ("-version",),
        _victoria_command,
        "/health",
        "/insert/opentelemetry/v1/traces",
        0,
        _victoria_path,
        _victoria_found,
    ),
    _jaeger_peer(
        "Jaeger, memory",
        "10,000,000 traces instead of 100,000, else it forgets",
        _memory,
        is_on_disk=False,
    ),
    _jaeger_peer(
        "Jaeger, Badger", "spans kept 168 h instead of 48, no archive", _badger, is_on_disk=True
    ),
    Peer(
        "Tempo",
        "LYMER_PEER_TEMPO",
        "limits of ingestion off, starts may lie 48 h back, finished blocks looked for each 15 s "
        "instead of 5 min, usage report off",
        ("-version",),
        _tempo_command,
        "/ready",
        "/v1/traces",
        1,
        _tempo_path,
        _tempo_found,
        settle_seconds_min=75.0,  # blocks are cut after 30 s, finished, and polled
    ),
)
