"""`lymer demo` and `lymer generate` fill a running Lymer."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from e2e.lymer_process import Lymer, lymer_environment, poll


def _run(*arguments: str, seconds_max: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lymer", *arguments],
        env=lymer_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds_max,
        check=False,
    )


def test_the_demo_makes_traces_of_several_services(shared_lymer: Lymer) -> None:
    """Ten seconds of the shop give one trace with three services or more in it."""
    done = _run(
        "demo",
        f"--endpoint=http://{shared_lymer.otlp_grpc_target}",
        f"--ui={shared_lymer.query_url}",
        "--rate=5",
        "--duration=6s",
        seconds_max=50,
    )
    assert done.returncode == 0, done.stderr

    services = shared_lymer.http.get(f"{shared_lymer.query_url}/api/services").json()["data"]
    traces = [trace for name in services for trace in shared_lymer.find_traces(service=name)]
    widest = max(
        len({process["serviceName"] for process in trace["processes"].values()}) for trace in traces
    )
    assert widest >= 3


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_generate_sends_what_it_says(shared_lymer: Lymer, protocol: str) -> None:
    """All traces asked for are stored: the services' traces add up to their number."""
    endpoint = (
        f"http://{shared_lymer.otlp_grpc_target}"
        if protocol == "grpc"
        else f"http://127.0.0.1:{shared_lymer.ports['otlp_http']}"
    )
    spans_before = _spans_stored(shared_lymer)

    done = _run(
        "generate",
        f"--endpoint={endpoint}",
        f"--protocol={protocol}",
        "--traces=50",
        "--spans-per-trace=4",
        seconds_max=50,
    )

    assert done.returncode == 0, done.stderr
    assert re.search(r"\b200 spans", done.stdout + done.stderr)
    for _ in poll(10):
        if _spans_stored(shared_lymer) - spans_before == 200:
            break
    assert _spans_stored(shared_lymer) - spans_before == 200


def _spans_stored(lymer: Lymer) -> int:
    """Count the spans of all traces of all services, each trace once."""
    services = lymer.http.get(f"{lymer.query_url}/api/services").json()["data"]
    counts: dict[str, int] = {}
    for service in services:
        for trace in lymer.find_traces(service=service, limit=1000):
            counts[trace["traceID"]] = len(trace["spans"])
    return sum(counts.values())
