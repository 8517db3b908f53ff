"""Alertmanager itself takes what `lymer watch` tells it."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from e2e.lymer_process import NO_TLS, poll
from lymer.cli.watch import tell
from lymer.clock import unix_nano

_CHANGE: Final[dict[str, Any]] = {
    "service": "cart",
    "operation": None,
    "caller": "web",
    "what": "latency",
    "before": 1e6,
    "after": 4e6,
    "strength": 2.0,
}


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """Yield the address of one without receivers."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("there is no prometheus-alertmanager (Debian's package of that name)")
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        [program, f"--config.file={config}", f"--storage.path={tmp_path / 'data'}",
         "--cluster.listen-address=", f"--web.listen-address={address}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in poll(30):
        try:
            if httpx.get(f"http://{address}/-/ready", verify=NO_TLS).status_code == 200:
                break
        except httpx.TransportError:
            continue
    yield f"http://{address}"
    process.terminate()
    process.wait(10)


def test_a_change_is_an_alert(alertmanager: str) -> None:
    """Of an edge and of an operation, told twice as after a restart: one alert each."""
    now = unix_nano()
    edge: dict[str, Any] = {**_CHANGE, "atUnixNano": now - 120 * 10**9}
    operation = {**_CHANGE, "operation": "GET /", "caller": None, "what": "errors",
                 "before": 0.0, "after": 0.4, "atUnixNano": now}  # fmt: skip
    for one in (edge, operation, edge):
        tell(one, webhook=None, alertmanager=alertmanager)
    found: list[Any] = []
    for _ in poll(10):
        found = httpx.get(f"{alertmanager}/api/v2/alerts", verify=NO_TLS).json()
        if len(found) == 2:
            break
    assert sorted(str(sorted(one["labels"].items())) for one in found) == [
        "[('alertname', 'LymerChangeErrors'), ('operation', 'GET /'), ('service', 'cart')]",
        "[('alertname', 'LymerChangeLatency'), ('caller', 'web'), ('service', 'cart')]",
    ]
    latency = next(one for one in found if "caller" in one["labels"])
    assert latency["annotations"]["summary"].endswith("web -> cart: latency 1 ms -> 4 ms")
    started = datetime.fromisoformat(latency["startsAt"]).timestamp()
    assert started == pytest.approx(edge["atUnixNano"] / 1e9, abs=0.01)
