"""Lymer on two real ClickHouse servers as two shards: one goes away and comes back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from e2e.lymer_process import Lymer, lymer_environment, poll
from fakes.clickhouse_server import CLUSTER, Shards


def _send(lymer: Lymer, traces: int, seed: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lymer", "generate", f"--traces={traces}", f"--seed={seed}",
         "--services=1", "--spans-per-trace=4",
         f"--endpoint=http://127.0.0.1:{lymer.ports['otlp_http']}"],
        env=lymer_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _found(lymer: Lymer) -> tuple[int, str, str]:
    """Return number of traces, and how the answer says that it is partial: header and JSON."""
    response = lymer.http.get(
        f"{lymer.query_url}/api/traces", params={"service": "gateway", "limit": "1500"}
    )
    if response.status_code != 200:
        return -1, "", ""
    answer = response.json()
    assert all(len(trace["spans"]) == 4 for trace in answer["data"])
    errors = " ".join(error["msg"] for error in answer["errors"] or [])
    return len(answer["data"]), response.headers.get("lymer-partial", ""), errors


def test_an_answer_without_a_shard_comes_and_says_so(
    new_lymer: Callable[..., Lymer], tmp_path: Path
) -> None:
    """What arrives meanwhile waits, and is stored once; either shard may be the one."""
    shards = Shards(tmp_path / "shards")
    try:
        environment = {
            "LYMER__STORAGE__CLICKHOUSE_URL": ",".join(shards.urls),
            "LYMER__STORAGE__CLICKHOUSE_CLUSTER": CLUSTER,
        }
        lymer = new_lymer(**environment)
        lymer.launch()  # two schemas are made: on a busy machine longer than a start may take
        for _ in poll(120):
            if lymer.answers_ready():
                break
        _send(lymer, 100, 1)
        for _ in poll(60):
            if _found(lymer)[0] == 100:
                break
        assert _found(lymer) == (100, "", "")
        sent = 100
        for away in range(2):
            shards.kill(away)
            count, header, errors = _found(lymer)
            assert 0.3 * sent < count < 0.7 * sent, "the other shard has half of them"
            assert "partial" in header
            assert "partial" in errors
            _send(lymer, 20, 2 + away)
            sent += 20
            shards.start(away)
            for _ in poll(90):
                if _found(lymer) == (sent, "", ""):
                    break
            assert _found(lymer) == (sent, "", "")
    finally:
        shards.close()
