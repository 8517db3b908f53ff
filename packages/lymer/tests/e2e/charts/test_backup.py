"""A copy of a stopped folder, elsewhere, answers the same; as docs/install/runbook.md says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2e.lymer_process import Lymer, poll
from e2e.otlp import PROTOBUF, new_trace_id, request_of, span_of

NewLymer = Callable[..., Lymer]


def answers(lymer: Lymer, traces: list[str]) -> dict[str, Any]:
    """Return what is asked of both: lists, each trace, dependencies."""
    asked = ["/api/services", "/api/services/shop/operations", "/api/services/desk/operations"]
    asked += [f"/api/traces/{trace_id}" for trace_id in traces]
    asked.append("/api/dependencies?endTs=4000000000000&lookback=4000000000000")
    found = {}
    for path in asked:
        answer = lymer.http.get(f"{lymer.query_url}{path}")
        assert answer.status_code == 200, f"{path}: {answer.text}"
        found[path] = json.loads(answer.text)
    return found


def test_a_restored_folder_answers_the_same(new_lymer: NewLymer, tmp_path: Path) -> None:
    """With tar, which keeps links as links; the original stays as it was."""
    first = new_lymer()
    first.start()
    traces: list[str] = []
    before: dict[str, Any] = {}
    for number in range(30):
        trace_id = new_trace_id()
        body = request_of(
            *(span_of(trace_id, f"work {at}") for at in range(4)),
            service="shop" if number % 2 else "desk",
        )
        first.http.post(
            first.otlp_http_url,
            content=body.SerializeToString(),
            headers={"content-type": PROTOBUF},
        ).raise_for_status()
        traces.append(trace_id.hex())
    first.wait_for_trace(traces[-1], 4)
    for _ in poll(20):
        before = answers(first, traces)
        if before["/api/services"]["total"] == 2:
            break
    first.stop()

    archive = tmp_path / "backup.tar"
    subprocess.run(["tar", "-C", str(first.data_dir), "-cf", str(archive), "."], check=True)
    second = new_lymer()
    second.data_dir.mkdir(parents=True)
    subprocess.run(["tar", "-C", str(second.data_dir), "-xf", str(archive)], check=True)
    second.start()
    assert answers(second, traces) == before
    second.stop()

    first.start()
    assert answers(first, traces) == before
