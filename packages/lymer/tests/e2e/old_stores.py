"""What a store made by an earlier release is asked, and how its answers are compared."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from e2e.lymer_process import Lymer
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from make import START

__all__ = [
    "ARCHIVES",
    "OPEN_SETTINGS",
    "Answers",
    "ask",
    "ask_overview",
    "ask_red",
    "tail_settings",
]

ARCHIVES: Final = Path(__file__).parent / "old-stores"
Answers = dict[str, Any]

_POLICIES: Final = """\
policies:
  - name: errors
    type: status_code
    status_code: {status_codes: [ERROR]}
  - name: slow
    type: latency
    latency: {threshold_ms: 5000}
  - name: everything old
    type: string_attribute
    string_attribute: {key: keep, values: ["yes"]}
  - name: some
    type: probabilistic
    probabilistic: {sampling_percentage: 40}
"""
"""Decide by the trace alone, so that every release decides alike."""

OPEN_SETTINGS: Final = {
    # Retention goes by arrival: a store of years ago must still hold its spans.
    "LYMER__STORAGE__RETENTION_SECONDS": "18000d",
}

_MEMORY_BYTES_MAX: Final = 600 * 2**20
_HOUR: Final = 3_600_000_000
_WINDOW: Final = f"start={START // 1000 - _HOUR}&end={START // 1000 + _HOUR}&limit=1500"
_SEARCHES: Final = [
    "service=shop&operation=GET%20%2Fcart",
    "service=shop&tags=%7B%22http.status_code%22%3A%22500%22%7D",
    "service=shop&tags=%7B%22error%22%3A%22true%22%7D",
    "service=shop&tags=%7B%22text%22%3A%22%ED%95%9C%EA%B5%AD%22%7D",
    "service=stock&minDuration=2ms",
    "service=stock&maxDuration=2ms",
    "service=shop&tags=%7B%22host.name%22%3A%22h1%22%7D",
    "service=shop&tags=%7B%22exception.message%22%3A%22no%22%7D",
]


def tail_settings(folder: Path) -> dict[str, str]:
    """Write the policies into `folder` and return the settings that name them."""
    file = folder / "policies.yaml"
    file.write_text(_POLICIES)
    return {
        "LYMER__TAIL_SAMPLING__POLICIES_FILE": str(file),
        "LYMER__TAIL_SAMPLING__GRACE_SECONDS": "1s",
    }


def ask_overview(lymer: Lymer, tenant: str = "") -> Answers:
    """Return services, operations, what searches find, and dependencies."""
    services: list[str] = sorted(_get(lymer, tenant, "/api/services")["data"])
    end = START // 10**6 + 3_600_000
    dependencies = _get(lymer, tenant, f"/api/dependencies?endTs={end}&lookback=86400000")["data"]
    searches = [*_SEARCHES, *(f"service={one}" for one in services)]
    return {
        "services": services,
        "operations": {
            one: _get(lymer, tenant, f"/api/operations?service={one}")["data"] for one in services
        },
        "searches": {
            search: sorted(
                one["traceID"]
                for one in _get(lymer, tenant, f"/api/traces?{search}&{_WINDOW}")["data"]
            )
            for search in searches
        },
        "dependencies": sorted(dependencies, key=_key),
    }


def ask(lymer: Lymer, tenant: str = "") -> Answers:
    """Return every answer, in an order and a form that only their content decides."""
    answers = ask_overview(lymer, tenant)
    found = answers["searches"]
    traces = sorted({one for service in answers["services"] for one in found[f"service={service}"]})
    answers["traces"] = {
        trace: {
            "raw": _spans(_get(lymer, tenant, f"/api/traces/{trace}?raw=true")["data"]),
            "adjusted": _spans(_get(lymer, tenant, f"/api/traces/{trace}")["data"]),
            "otlp": _otlp(_get(lymer, tenant, f"/api/v3/traces/{trace}?raw_traces=true")),
        }
        for trace in traces
    }
    return answers


def _get(lymer: Lymer, tenant: str, path: str) -> Any:  # JSON
    headers = {"x-tenant": tenant} if tenant else {}
    response = lymer.http.get(lymer.query_url + path, headers=headers)
    assert response.status_code == 200, (path, response.text)
    return response.json()


def ask_red(data_dir: Path, tenants: list[str]) -> Answers:
    """Return tenants, and rate, errors and duration of each, of a stopped Lymer's folder."""
    engine = ChdbEngine(data_dir / "store", memory_bytes_max=_MEMORY_BYTES_MAX)
    store = ClickHouseStore(
        engine, retention_seconds=18_000 * 86_400, memory_bytes_max=_MEMORY_BYTES_MAX
    )
    try:
        store.catch_up()
        red = {
            tenant: sorted(
                (_plain(one) for one in store.for_tenant(tenant).get_red(0, 2**62, "")), key=_key
            )
            for tenant in tenants
        }
        return {"tenants": sorted(store.tenants()), "red": red}
    finally:
        store.close()


def _plain(value: Any) -> Any:  # a dataclass, as JSON has it
    return json.loads(json.dumps(asdict(value), default=list))


def _key(value: Any) -> str:  # JSON
    return json.dumps(value, sort_keys=True)


def _spans(traces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the spans with their processes in them: the numbers of processes may change."""
    (trace,) = traces
    spans = [
        {**span, "process": trace["processes"][span["processID"]], "processID": ""}
        for span in trace["spans"]
    ]
    return sorted(spans, key=_key)


def _otlp(answer: dict[str, Any]) -> list[Any]:
    """Return one entry a span, with its resource and scope: groups may be cut otherwise."""
    spans = []
    for group in answer["result"]["resourceSpans"]:
        for scope in group["scopeSpans"]:
            around = {
                "resource": group.get("resource"),
                "resource_schema": group.get("schemaUrl"),
                "scope": scope.get("scope"),
                "scope_schema": scope.get("schemaUrl"),
            }
            spans += [{**around, "span": span} for span in scope["spans"]]
    return sorted(spans, key=_key)
