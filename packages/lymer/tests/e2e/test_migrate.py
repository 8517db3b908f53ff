"""`lymer migrate` from a real OpenSearch into a running Lymer, killed in the middle."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from e2e.lymer_process import Lymer, lymer_environment, poll
from fakes.opensearch_server import OpenSearch
from lymer.clock import unix_nano

_SPANS = (200, 2_100, 200, 300)
"""Of each index, the newest last and read first; one has more than a page."""


def _document(number: int, start_micros: int) -> dict[str, Any]:
    """Return a span as Jaeger writes it into Elasticsearch: five make a trace."""
    trace, span = divmod(number, 5)
    return {
        "traceID": f"{trace + 1:032x}",
        "spanID": f"{number + 1:016x}",
        "flags": 1,
        "operationName": f"GET /{span}",
        "references": [
            {"refType": "CHILD_OF", "traceID": f"{trace + 1:032x}", "spanID": f"{number:016x}"}
        ][: bool(span)],
        "startTime": start_micros + number,
        "startTimeMillis": (start_micros + number) // 1_000,
        "duration": 1_000,
        "tags": [
            {"key": "span.kind", "type": "string", "value": "server"},
            {"key": "number", "type": "int64", "value": str(number)},
        ],
        "logs": [
            {
                "timestamp": start_micros,
                "fields": [{"key": "event", "type": "string", "value": "seen"}],
            }
        ],
        "process": {"serviceName": "shop", "tags": [], "tag": {"host@name": "a"}},
    }


def _command(lymer: Lymer, source: str, state: Path) -> list[str]:
    return [
        sys.executable, "-m", "lymer", "migrate", source, f"--state={state}", "--json",
        f"--url={lymer.query_url}", f"--endpoint=http://127.0.0.1:{lymer.ports['otlp_http']}",
    ]  # fmt: skip


@pytest.mark.timeout(300)
def test_indices_are_moved_whole_though_it_is_killed(
    new_lymer: Callable[..., Lymer], tmp_path: Path
) -> None:
    """Every span once, known by the count of both ends; nothing is left open at the source."""
    state = tmp_path / "state.json"
    start = unix_nano() // 1_000 - 3_600 * 10**6
    search = OpenSearch(tmp_path / "search")
    try:
        for at, count in enumerate(_SPANS):
            first = sum(_SPANS[:at])
            documents = [_document(number, start) for number in range(first, first + count)]
            search.add(f"prod-jaeger-span-2026-11-{at + 10}", documents)
        search.add("prod-jaeger-service-2026-11-10", [{"serviceName": "shop"}])
        lymer = new_lymer()
        lymer.start()
        command = _command(lymer, f"{search.url}/prod", state)
        first_run = subprocess.Popen(command, env=lymer_environment(), stdout=subprocess.DEVNULL)
        for _ in poll(120):
            if state.exists() or first_run.poll() is not None:
                break
        first_run.kill()
        first_run.wait()

        done = subprocess.run(
            command,
            env=lymer_environment(),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told = orjson.loads(done.stdout)
        assert told["parts_before"] >= 1, "the first run was killed before it had stored an index"
        assert (told["missing"], told["refused"], told["problems"]) == (0, 0, 0)
        left = sum(_SPANS[: len(_SPANS) - told["parts_before"]])
        assert told["spans"] == told["added"] + told["known"] == left
        assert search.open_scrolls() <= 1, "only the one of the run that was killed"

        again = _command(lymer, f"{search.url}/prod", tmp_path / "none.json")
        counted = subprocess.run(
            again, env=lymer_environment(), capture_output=True, text=True, timeout=240, check=False
        )
        assert counted.returncode == 0, counted.stderr
        told = orjson.loads(counted.stdout)
        assert (told["spans"], told["known"], told["added"]) == (sum(_SPANS), sum(_SPANS), 0)
        (trace,) = lymer.find_traces(service="shop", tags='{"number":"7"}', limit=5)
        assert len(trace["spans"]) == 5
    finally:
        search.close()
