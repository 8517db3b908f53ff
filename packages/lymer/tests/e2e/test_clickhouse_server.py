"""Lymer on a real ClickHouse server: what arrives while it is away is stored once it is back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from e2e.lymer_process import Lymer, lymer_environment, poll
from fakes.clickhouse_server import start_server


def _send(lymer: Lymer, traces: int, seed: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lymer", "generate", f"--traces={traces}", f"--seed={seed}",
         "--services=1", "--spans-per-trace=4",
         f"--endpoint=http://127.0.0.1:{lymer.ports['otlp_http']}"],
        env=lymer_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _spans(lymer: Lymer) -> int:
    response = lymer.http.get(
        f"{lymer.query_url}/api/traces", params={"service": "gateway", "limit": "1500"}
    )
    if response.status_code != 200:
        return -1
    return sum(len(trace["spans"]) for trace in response.json()["data"])


def test_a_server_that_is_restarted_loses_and_doubles_nothing(
    new_lymer: Callable[..., Lymer], tmp_path: Path
) -> None:
    """Sent before, sent while it is away, and after: each span once; Lymer restarted, too."""
    server, url = start_server(tmp_path / "server")
    try:
        lymer = new_lymer(LYMER__STORAGE__CLICKHOUSE_URL=url)
        lymer.start()
        _send(lymer, 100, 1)
        for _ in poll(40):
            if _spans(lymer) == 400:
                break
        assert _spans(lymer) == 400
        server.kill()
        server.wait()
        _send(lymer, 50, 2)  # acknowledged: the journal has them
        assert _spans(lymer) == -1
        port = url.rsplit(":", 1)[1]
        server, _ = start_server(tmp_path / "server", http_port=int(port))
        for _ in poll(60):
            if _spans(lymer) == 600:
                break
        assert _spans(lymer) == 600
        lymer.stop()
        lymer.start()
        assert _spans(lymer) == 600
    finally:
        server.kill()
        server.wait()
