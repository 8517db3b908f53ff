"""`lymer migrate` into a running Lymer, killed in the middle: from OpenSearch, from a Lymer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from e2e.lymer_process import Lymer, lymer_environment, poll
from e2e.otlp import PROTOBUF
from fakes.opensearch_server import OpenSearch
from lymer.clock import unix_nano
from make import START, make_request, make_span, trace_hex

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


def _kill_when_a_part_is_done(command: list[str], state: Path) -> None:
    run = subprocess.Popen(command, env=lymer_environment(), stdout=subprocess.DEVNULL)
    for _ in poll(120):
        if state.exists() or run.poll() is not None:
            break
    run.kill()
    run.wait()


def _run(command: list[str]) -> Any:
    done = subprocess.run(
        command, env=lymer_environment(), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout)


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
        _kill_when_a_part_is_done(command, state)
        told = _run(command)
        assert told["parts_before"] >= 1, "the first run was killed before it had stored an index"
        assert (told["missing"], told["refused"], told["problems"]) == (0, 0, 0)
        left = sum(_SPANS[: len(_SPANS) - told["parts_before"]])
        assert told["spans"] == told["added"] + told["known"] == left
        assert search.open_scrolls() <= 1, "only the one of the run that was killed"

        told = _run(_command(lymer, f"{search.url}/prod", tmp_path / "none.json"))
        assert (told["spans"], told["known"], told["added"]) == (sum(_SPANS), sum(_SPANS), 0)
        (trace,) = lymer.find_traces(service="shop", tags='{"number":"7"}', limit=5)
        assert len(trace["spans"]) == 5
    finally:
        search.close()


_TRACES = 2_200
"""Of a Lymer: three pages."""


@pytest.mark.timeout(300)
def test_a_running_lymer_is_moved_whole_though_both_are_killed(
    new_lymer: Callable[..., Lymer], shared_lymer: Lymer, tmp_path: Path
) -> None:
    """The command and its source are killed after a page; each span is here once, as it was."""
    state = tmp_path / "state.json"
    source = new_lymer()
    source.start()
    now = unix_nano() - START  # all of them: a page ends between traces of one instant
    for first in range(0, _TRACES, 550):
        numbers = range(20_000_000 + first, 20_000_000 + first + 550)
        body = make_request(
            *(make_span(one, 1, offset_nano=now, attrs={"n": one}) for one in numbers),
            *(make_span(one, 2, 1, offset_nano=now) for one in numbers),
            service="moved-shop",
        ).SerializeToString()
        headers = {"content-type": PROTOBUF}
        source.http.post(source.otlp_http_url, content=body, headers=headers).raise_for_status()
    source.wait_for_trace(trace_hex(20_000_000 + _TRACES - 1), 2)

    command = _command(shared_lymer, source.query_url.replace("http", "lymer", 1), state)
    _kill_when_a_part_is_done(command, state)
    source.kill()
    source.start()
    told = _run(command)
    assert 1 <= told["parts_before"] < 3, "the first run was not killed in the middle"
    assert (told["missing"], told["refused"], told["problems"]) == (0, 0, 0)
    assert told["spans"] == 2 * (_TRACES - 1_000 * told["parts_before"])

    told = _run([*command[:5], f"--state={tmp_path / 'none.json'}", *command[6:]])
    assert (told["spans"], told["known"], told["added"]) == (2 * _TRACES, 2 * _TRACES, 0)
    for lymer in (source, shared_lymer):
        (trace,) = lymer.find_traces(service="moved-shop", tags='{"n":"20000007"}', limit=5)
        assert len(trace["spans"]) == 2
