"""The Model Context Protocol, asked by its own SDK, over HTTP and over stdio."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from e2e.lymer_process import Lymer, lymer_environment, poll
from e2e.python_venv import install

_FOLDER = Path(__file__).parent / "python-mcp"
_JAEGERS = {
    "get_services", "get_span_names", "search_traces", "get_span_details", "get_trace_errors",
    "get_trace_topology", "get_critical_path", "get_service_dependencies", "read_skill",
}  # fmt: skip


@pytest.fixture(scope="module")
def filled(shared_lymer: Lymer) -> Lymer:
    """Return a Lymer with traces, some of which failed."""
    done = subprocess.run(
        [sys.executable, "-m", "lymer", "generate", "--traces=60", "--errors=0.5", "--services=3",
         f"--endpoint=http://127.0.0.1:{shared_lymer.ports['otlp_http']}"],
        env=lymer_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for _ in poll(20):
        if shared_lymer.find_traces(service="gateway", limit=100):
            break
    return shared_lymer


def _ask(lymer: Lymer, transport: str, *calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    python = install(_FOLDER)
    done = subprocess.run(
        [str(python), "ask.py", transport, lymer.query_url, sys.executable],
        cwd=_FOLDER,
        env=lymer_environment(),
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_the_sdk_lists_and_calls_the_tools(filled: Lymer, transport: str) -> None:
    """Jaeger's tools with their names, and ours; what is wrong is said to the assistant."""
    told = _ask(
        filled,
        transport,
        ("get_services", {"pattern": "^gate"}),
        ("search_traces", {"with_errors": True, "search_depth": 3}),
        ("search_traces", {"start_time_min": "yesterday"}),
        ("get_root_cause", {"start_time": "-5m"}),
        ("get_profile", {"query": "{ status = error }"}),
        ("get_profile", {"query": "{ nonsense"}),
        ("get_services", {"limit": "many"}),
        ("explain_spans", {"query": "{ status = error }", "max_tokens": 300}),
        ("read_skill", {"path": "SKILL.md"}),
        ("read_skill", {"path": "../../etc/passwd"}),
        ("read_skill", {"path": "latency.md", "max_tokens": 200}),
    )
    assert told["server"] == "lymer"
    assert set(told["tools"]) >= {*_JAEGERS, "get_root_cause", "explain_spans", "get_profile"}
    assert all("max_tokens" in schema["properties"] for schema in told["tools"].values())
    failed = [is_error for is_error, _ in told["answers"]]
    assert failed == [False, False, True, False, False, True, True, False, False, True, False]
    texts = [text for _, text in told["answers"]]
    assert json.loads(texts[0])["services"] == ["gateway"]
    traces = json.loads(texts[1])["traces"]
    assert len(traces) == 3
    assert all(trace["has_errors"] and trace["duration_us"] > 0 for trace in traces)
    assert "start_time_min" in texts[2]
    assert json.loads(texts[4])["operations"]
    assert "column" in texts[5]
    assert len(texts[7]) <= 300 * 4
    assert "latency.md" in json.loads(texts[8])["instructions"]
    assert "there is no skill" in texts[9]
    assert len(texts[10]) <= 200 * 4


def test_a_trace_is_read_by_tools(filled: Lymer) -> None:
    """Topology, errors, critical path and details tell of the same spans."""
    (found,) = filled.find_traces(service="gateway", tag="error:true", limit=1)
    trace_id, span_id = found["traceID"], found["spans"][0]["spanID"]
    told = _ask(
        filled,
        "http",
        ("get_trace_topology", {"trace_id": trace_id}),
        ("get_trace_topology", {"trace_id": trace_id, "depth": 1}),
        ("get_trace_errors", {"trace_id": trace_id}),
        ("get_critical_path", {"trace_id": trace_id}),
        ("get_span_details", {"trace_id": trace_id, "span_ids": [span_id, "ffff"]}),
        ("get_trace_findings", {"trace_id": trace_id}),
        ("compare_traces", {"trace_id": trace_id, "other_trace_id": trace_id}),
        ("get_span_details", {"trace_id": "f" * 32, "span_ids": ["1"]}),
    )
    assert [is_error for is_error, _ in told["answers"]] == [*[False] * 7, True]
    whole, top, errors, path, details, _, same = (
        json.loads(text) for _, text in told["answers"][:7]
    )
    assert len(whole["spans"]) == len(found["spans"])
    assert len(top["spans"]) == 1
    assert top["spans"][0]["truncated_children"] >= 1
    assert errors["total_error_count"] == len(errors["spans"]) >= 1
    assert 0 < path["critical_path_duration_us"] <= path["total_duration_us"]
    assert [span["span_id"] for span in details["spans"]] == [span_id]
    assert "000000000000ffff" in details["error"]
    assert same["summary"].startswith("The second takes ")


def test_a_foreign_page_may_not_ask(filled: Lymer) -> None:
    """And what is no request is answered as JSON-RPC says."""
    url = f"{filled.query_url}/api/ai/mcp/"
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    foreign = filled.http.post(url, json=ping, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert filled.http.post(url, json=ping).json() == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert filled.http.post(url, json={"jsonrpc": "2.0", "method": "x"}).status_code == 202
    for body, code in {
        b"{": -32700,
        b"[]": -32600,
        b"7": -32600,
        b'{"id":1,"method":"nope"}': -32601,
        b'{"id":1,"method":"tools/call","params":{"name":"x"}}': -32602,
    }.items():
        assert filled.http.post(url, content=body).json()["error"]["code"] == code
    assert filled.http.get(url).status_code in {404, 405}
