"""The way from all in one to collectors and two shards, by the commands of docs/deployment.md."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from e2e.lymer_process import Lymer, free_ports, lymer_environment, poll
from e2e.otlp import PROTOBUF
from fakes.clickhouse_server import start_server
from make import make_request, make_span

_PAGE: Final = Path(__file__).parents[4] / "docs/deployment.md"
_TRACES: Final = 1_100
_START_SECONDS_MAX: Final = 120.0
_MOVE_SECONDS_MAX: Final = 240.0


def _page(heading: str, language: str) -> str:
    """Return the first block of a section of the page."""
    section = _PAGE.read_text("utf-8").split(f"\n### {heading}\n")[1]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found.group(1)


def _filled(text: str, places: Mapping[str, str]) -> str:
    for place, ours in places.items():
        assert place in text
        text = text.replace(place, ours)
    return text


def _commands(places: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the arguments of each command of the section, with our places for its."""
    text = _filled(_page("From all in one", "sh").replace("\\\n", " "), places)
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    assert [words[0] for words in lines] == ["lymer"] * 3
    return {words[1]: words[2:] for words in lines}


@pytest.fixture
def shards(tmp_path: Path) -> Iterator[list[int]]:
    """Yield the ports of two servers that the page's configuration makes a cluster."""
    tcp, http = free_ports(2), free_ports(2)
    config = tmp_path / "cluster.xml"
    config.write_text(
        _filled(
            _page("Shards", "xml"),
            {
                f"<host>clickhouse-{at}</host><port>9000</port>": (
                    f"<host>127.0.0.1</host><port>{tcp[at]}</port>"
                )
                for at in range(2)
            },
        )
    )
    with ExitStack() as stack:
        for at in range(2):
            server, _ = start_server(
                tmp_path / f"shard-{at}", str(config), http_port=http[at], tcp_port=tcp[at]
            )
            stack.callback(server.wait)
            stack.callback(server.kill)
        yield http


def _spans(query: Lymer) -> Counter[bytes]:
    """Return every span that is found there, with its resource and scope, and how often."""
    done = subprocess.run(
        [sys.executable, "-m", "lymer", "export", "--format=otlp-proto",
         f"--url={query.query_url}"],
        env=lymer_environment(), capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return Counter(
        b"".join(
            part.SerializeToString(deterministic=True) for part in (of.resource, scope.scope, span)
        )
        for of in TracesData.FromString(done.stdout).resource_spans
        for scope in of.scope_spans
        for span in scope.spans
    )


def _send(lymer: Lymer, traces: int, seed: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lymer", "generate", f"--traces={traces}", f"--seed={seed}",
         "--services=2", "--spans-per-trace=2",
         f"--endpoint=http://127.0.0.1:{lymer.ports['otlp_http']}"],
        env=lymer_environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _wait_ready(*processes: Lymer) -> None:
    for one in processes:
        assert any(one.answers_ready() for _ in poll(_START_SECONDS_MAX)), one.log_tail()


def _wait_spans(query: Lymer, count: int) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    for _ in poll(_START_SECONDS_MAX):
        found = _spans(query)
        if found.total() >= count:
            break
    assert found.total() == count
    return found


@pytest.mark.timeout(500)
def test_every_trace_of_the_all_in_one_answers_from_the_shards(
    shards: list[int], tmp_path: Path
) -> None:
    """The migration is killed and goes on; what comes in meanwhile is there; each span once."""
    places = {"/var/lib/": f"{tmp_path}/"} | {
        f"clickhouse-{at}:8123": f"127.0.0.1:{port}" for at, port in enumerate(shards)
    }
    first = _commands(places)
    second = _commands({**places, "/var/lib/": f"{tmp_path}/second/"})
    source = Path(first["migrate"][0])
    with ExitStack() as stack:

        def started(name: str, role: str, arguments: list[str]) -> Lymer:
            (tmp_path / name).mkdir(exist_ok=True)
            made = Lymer(tmp_path / name, role=role, arguments=arguments)
            stack.callback(made.close)
            made.launch()
            return made

        old = started("old", "all-in-one", ["--data-dir", str(source)])
        _wait_ready(old)
        _send(old, _TRACES, 1)
        odd = make_request(
            make_span(b"\x01" * 16, 1, offset_nano=-(10**18)),  # decades ago, and years ahead
            make_span(b"\x02" * 16, 1, offset_nano=10**17),
        )
        httpx.post(
            old.otlp_http_url, content=odd.SerializeToString(), headers={"content-type": PROTOBUF}
        ).raise_for_status()
        before = _wait_spans(old, 2 * _TRACES + 2)
        assert old.stop() == 0

        here = started("first", "collector", first["collector"])
        there = started("second", "collector", second["collector"])
        query = started("query", "query", first["query"])
        _wait_ready(here, there, query)
        _send(there, 50, 2)
        environment = lymer_environment(
            {
                "LYMER_URL": query.query_url,
                "LYMER_ENDPOINT": f"http://127.0.0.1:{here.ports['otlp_http']}",
            }
        )
        command = [sys.executable, "-m", "lymer", "migrate", *first["migrate"]]
        state = Path(first["migrate"][2])
        killed = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            assert any(state.exists() for _ in poll(_MOVE_SECONDS_MAX))
        finally:
            killed.kill()
            killed.wait()
        _send(there, 50, 3)
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_MOVE_SECONDS_MAX,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr + here.log_tail()
        assert "parts were done before" in done.stdout
        assert " 0 are missing here" in done.stdout
        after = _wait_spans(query, before.total() + 200)
        assert before <= after
        assert set(after.values()) == {1}
