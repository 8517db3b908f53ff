"""`lymer demo` and `lymer generate` fill a running Lymer."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.lymer_process import Lymer, lymer_environment, poll
from lymer.roles.load_shape import service_name


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
    """A few seconds of the shop give one trace with three services or more in it."""
    done = _run(
        "demo",
        f"--endpoint=http://{shared_lymer.otlp_grpc_target}",
        f"--ui={shared_lymer.query_url}",
        "--rate=5",
        "--duration=4s",
        seconds_max=50,
    )
    assert done.returncode == 0, done.stderr

    services = shared_lymer.http.get(f"{shared_lymer.query_url}/api/services").json()["data"]
    traces = [trace for name in services for trace in shared_lymer.find_traces(service=name)]
    widest = max(
        len({process["serviceName"] for process in trace["processes"].values()}) for trace in traces
    )
    assert widest >= 3


@pytest.mark.slow
def test_every_example_of_the_language_finds_something_in_the_demo(shared_lymer: Lymer) -> None:
    """What docs/language.md shows is what the demo has."""
    endpoint = f"--endpoint=http://{shared_lymer.otlp_grpc_target}"
    done = _run("demo", endpoint, "--rate=20", "--duration=5s", seconds_max=50)
    assert done.returncode == 0, done.stderr
    page = Path(__file__).parents[4] / "docs" / "language.md"
    questions = re.findall(r"```traceql\n(.*?)\n```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(questions) == 10

    def found(question: str) -> bool:
        is_series = "_over_time" in question or "rate()" in question
        path, key = ("/api/search/series", "series") if is_series else ("/api/search", "traces")
        answer = shared_lymer.http.get(
            f"{shared_lymer.query_url}{path}", params={"q": question, "since": "1h"}
        )
        assert answer.status_code == 200, answer.text
        return bool(answer.json()[key])

    for question in questions:
        assert any(found(question) for _ in poll(20.0)), question


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_generate_sends_what_it_says(shared_lymer: Lymer, protocol: str) -> None:
    """All spans asked for are stored, none twice."""
    endpoint = (
        f"http://{shared_lymer.otlp_grpc_target}"
        if protocol == "grpc"
        else f"http://127.0.0.1:{shared_lymer.ports['otlp_http']}"
    )
    before = _generated_spans(shared_lymer)

    done = _run(
        "generate",
        f"--endpoint={endpoint}",
        f"--protocol={protocol}",
        "--traces=20",
        "--spans-per-trace=4",
        "--services=1",
        seconds_max=50,
    )

    assert done.returncode == 0, done.stderr
    assert re.search(r"\b80 spans", done.stdout + done.stderr)
    for _ in poll(10):
        if _generated_spans(shared_lymer) - before >= 80:
            break
    assert _generated_spans(shared_lymer) - before == 80


def _generated_spans(lymer: Lymer) -> int:
    """Count the spans of the one service that generate made up."""
    traces = lymer.find_traces(service=service_name(0), limit=1000)
    return sum(len(trace["spans"]) for trace in traces)
