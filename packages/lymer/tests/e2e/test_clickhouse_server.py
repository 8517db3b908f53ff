"""Lymer on a real ClickHouse server: what arrives while it is away is stored once it is back."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from e2e.lymer_process import Lymer, lymer_environment, poll
from fakes.clickhouse_server import start_server
from fakes.faulty_proxy import FaultyProxy
from lymer.storage.clickhouse.engine_server import ServerEngine

_START_SECONDS_MAX: Final = 120.0
_FULL: Final = (
    "<clickhouse><storage_configuration><disks><default><keep_free_space_bytes>"
    f"{2**60}</keep_free_space_bytes></default></disks></storage_configuration></clickhouse>"
)
"""Of a server that may not fill its disk further than it is."""


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


class _Server:
    """A server process, and what is wrong with it for a while."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "server"
        self._full = folder / "full.xml"
        self._full.write_text(_FULL)
        self._process, self.url = start_server(self._folder)

    def begin(self, fault: str) -> None:
        """Have it."""
        if fault == "does not answer":
            self._process.send_signal(signal.SIGSTOP)
        elif fault == "full disk":
            self._restart(str(self._full))
        else:
            self._make_read_only(1)

    def end(self, fault: str) -> None:
        """Have it no more."""
        if fault == "does not answer":
            self._process.send_signal(signal.SIGCONT)
        elif fault == "full disk":
            self._restart()
        else:
            self._make_read_only(0)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _restart(self, *config: str) -> None:
        self.close()
        port = int(self.url.rsplit(":", 1)[1])
        self._process, _ = start_server(self._folder, *config, http_port=port)

    def _make_read_only(self, value: int) -> None:
        with contextlib.closing(ServerEngine(self.url)) as engine:
            engine.command(
                "lymer", f"ALTER TABLE {{db}}.spans MODIFY SETTING table_readonly = {value}"
            )


@pytest.mark.timeout(400)
def test_a_server_that_cannot_store_for_a_while_loses_and_doubles_nothing(
    new_lymer: Callable[..., Lymer], tmp_path: Path
) -> None:
    """What is sent meanwhile is acknowledged, waits, is stored once; status says why it waits."""
    server = _Server(tmp_path)
    try:
        lymer = new_lymer(LYMER__STORAGE__CLICKHOUSE_URL=server.url)
        lymer.launch()
        assert any(lymer.answers_ready() for _ in poll(_START_SECONDS_MAX)), lymer.log_tail()
        sent = 0
        for seed, fault in enumerate(("does not answer", "read only", "full disk")):
            _send(lymer, 20, 2 * seed)
            assert any(_spans(lymer) >= sent + 80 for _ in poll(_START_SECONDS_MAX)), fault

            server.begin(fault)
            _send(lymer, 20, 2 * seed + 1)
            if fault != "does not answer":
                assert any(not lymer.answers_ready() for _ in poll(_START_SECONDS_MAX)), fault
            server.end(fault)

            sent += 160
            assert any(_spans(lymer) >= sent for _ in poll(_START_SECONDS_MAX)), lymer.log_tail()
            assert any(lymer.answers_ready() for _ in poll(_START_SECONDS_MAX)), fault
        with contextlib.closing(ServerEngine(server.url)) as engine:
            counted = "SELECT {mark}, count(), uniqExact(trace_id, span_id) FROM {db}.spans"
            assert engine.select("lymer", counted, 2) == [[sent], [sent]]
    finally:
        server.close()


_HEAD_BYTES: Final = 100
"""An answer that is cut there has told nothing."""
_SLOW_BYTES_PER_SECOND: Final = 4_000
"""A segment of the test takes some seconds; what is asked about one, too."""


@pytest.mark.timeout(400)
def test_a_slow_server_and_one_whose_answers_are_cut_lose_and_double_nothing(
    new_lymer: Callable[..., Lymer], tmp_path: Path
) -> None:
    """A load whose answer was cut is stored and not known to be; a reader is told what is wrong."""
    server, url = start_server(tmp_path / "server")
    proxy = FaultyProxy(url)
    try:
        lymer = new_lymer(
            LYMER__STORAGE__CLICKHOUSE_URL=proxy.url, LYMER__STORAGE__QUERY_TIMEOUT_SECONDS="2"
        )
        lymer.launch()
        assert any(lymer.answers_ready() for _ in poll(_START_SECONDS_MAX)), lymer.log_tail()
        _send(lymer, 50, 1)
        assert any(_spans(lymer) == 200 for _ in poll(_START_SECONDS_MAX))

        proxy.answer_bytes_max = _HEAD_BYTES
        _send(lymer, 20, 2)
        assert any(proxy.cuts > 10 for _ in poll(_START_SECONDS_MAX))
        _is_told(lymer, "cannot ask the ClickHouse server")
        proxy.answer_bytes_max = None
        assert any(_spans(lymer) == 280 for _ in poll(_START_SECONDS_MAX)), lymer.log_tail()

        proxy.bytes_per_second = _SLOW_BYTES_PER_SECOND
        _send(lymer, 20, 3)
        _is_told(lymer, "cannot ask the ClickHouse server")
        proxy.bytes_per_second = 0
        assert any(_spans(lymer) == 360 for _ in poll(_START_SECONDS_MAX)), lymer.log_tail()

        with contextlib.closing(ServerEngine(url)) as engine:
            counted = "SELECT {mark}, count(), uniqExact(trace_id, span_id) FROM {db}.spans"
            assert engine.select("lymer", counted, 2) == [[360], [360]]
    finally:
        proxy.close()
        server.kill()
        server.wait()


def _is_told(lymer: Lymer, what: str) -> None:
    response = lymer.http.get(
        f"{lymer.query_url}/api/traces", params={"service": "gateway", "limit": "1500"}
    )
    assert response.status_code >= 500
    assert what in response.json()["errors"][0]["msg"]
