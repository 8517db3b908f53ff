"""Spans from files and into files: through a running Lymer, and through a stopped one's folder."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from e2e.lymer_process import Lymer, lymer_environment, poll
from fakes.language_oracle.questions import random_traces
from lymer.clock import unix_nano
from lymer.files.reading import Piece, read_spans
from lymer.wire.traces_json import traces_to_json_object
from make import START, make_request, make_span


def _lymer(*arguments: object, code: int = 0, text: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "lymer", *map(str, arguments)],
        env=lymer_environment(),
        input=text,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done


def _made(folder: Path, traces: int = 30) -> Path:
    """Write random traces as lines of JSON."""
    path = folder / "made.jsonl"
    requests = random_traces(random.Random(5), traces)
    path.write_text(
        "".join(
            json.dumps(traces_to_json_object(TracesData.FromString(one.SerializeToString()))) + "\n"
            for one in requests
        )
    )
    return path


def _spans(path: Path) -> list[bytes]:
    """Return every span of a file, as bytes, with its resource; in an order of their own."""
    found = []
    with path.open("rb") as stream:
        for one in read_spans(stream):
            assert isinstance(one, Piece), one
            for resource in TracesData.FromString(one.request.body).resource_spans:
                own = resource.resource.SerializeToString()
                for scope in resource.scope_spans:
                    around = own + scope.scope.SerializeToString()
                    for span in scope.spans:
                        if not span.status.ByteSize():
                            span.ClearField("status")  # whether it is empty or absent is the same
                        found.append(around + span.SerializeToString())
    return sorted(found)


def _files_of(folder: Path) -> dict[str, Any]:
    return {
        str(one): (one.stat().st_size, one.stat().st_mtime_ns)
        for one in folder.rglob("*")
        if one.is_file() and one.name != "lock"
    }


def test_what_is_exported_and_imported_is_the_same(tmp_path: Path) -> None:
    """From folder to folder; reading changes nothing, and nothing is stored twice."""
    made, first, second = _made(tmp_path), tmp_path / "first", tmp_path / "second"
    count = len(_spans(made))
    told = json.loads(_lymer("import", made, "--data-dir", first, "--json").stdout)
    assert told == {"files": 1, "spans": count, "known": 0, "refused": 0, "problems": 0}
    again = json.loads(_lymer("import", made, made, "--data-dir", first, "--json").stdout)
    assert (again["spans"], again["known"]) == (0, count)
    before = _files_of(first)
    out = tmp_path / "out.json.zst"
    _lymer("export", "--data-dir", first, "--output", out)
    assert _spans(out) == _spans(made)
    listed = _lymer("search", "--data-dir", first, "--json", "--since", "366d").stdout
    assert _files_of(first) == before
    _lymer("import", out, "--data-dir", second)
    same = _lymer("search", "--data-dir", second, "--json", "--since", "366d").stdout
    assert json.loads(same)["traces"] == json.loads(listed)["traces"] != []


@pytest.fixture
def lymer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lymer]:
    """Yield a Lymer that is started by the test."""
    made = Lymer(tmp_path_factory.mktemp("files"))
    yield made
    made.close()


def test_a_running_lymer_takes_files_and_gives_them_back(lymer: Lymer, tmp_path: Path) -> None:
    """From stdin, a folder or a pattern; a question chooses; an export goes on where it ended."""
    made = _made(tmp_path)
    lymer.start()
    to = ["--url", lymer.query_url, "--endpoint", f"http://127.0.0.1:{lymer.ports['otlp_http']}"]
    _lymer("import", tmp_path / "*.jsonl", *to)
    at = ["--url", lymer.query_url]
    out = tmp_path / "out.pb.gz"
    for _ in poll(20):
        _lymer("export", "--output", out, *at)
        if len(_spans(out)) == len(_spans(made)):
            break
    assert _spans(out) == _spans(made)
    told = _lymer("import", "-", *to, text=made.read_text()).stdout
    assert told.startswith("0 spans of 1 files are stored, ")
    part = tmp_path / "part.json"
    _lymer("export", "--limit", 3, "--format", "jaeger-json", "--output", part, *at)
    assert len(json.loads(part.read_text())["data"]) == 3
    lines = _lymer("export", "{ status = error }", *at).stdout.splitlines()
    assert 0 < len(lines) < 30
    failed = [
        any(
            span.get("status", {}).get("code") == 2
            for resource in json.loads(line)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        )
        for line in lines
    ]
    assert all(failed)


def _many(folder: Path, spans: int) -> Path:
    """Write so many spans as lines of JSON, ten a trace; every 50th trace begins with `marked`."""
    now = unix_nano()
    path = folder / "many.jsonl"
    with path.open("w") as file:
        for trace in range(spans // 10):
            listed = [
                make_span(trace + 1, 10 * trace + n + 1, 10 * trace + 1 if n else 0,
                          name="marked" if n == 0 and trace % 50 == 0 else "plain",
                          offset_nano=now - START - trace * 1_000_000,
                          attrs={"long": "x" * 200})
                for n in range(10)
            ]  # fmt: skip
            message = TracesData.FromString(make_request(*listed).SerializeToString())
            file.write(json.dumps(traces_to_json_object(message)) + "\n")
    return path


def _killed_import(path: Path, *to: object, is_begun: Callable[[], bool]) -> None:
    """Import a file that does not end, and kill the importer when some of it is taken."""
    importer = subprocess.Popen(
        [sys.executable, "-m", "lymer", "import", "-", *map(str, to)],
        env=lymer_environment(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert importer.stdin is not None
    importer.stdin.write(path.read_bytes())
    importer.stdin.flush()
    for _ in poll(60):
        if is_begun():
            break
    importer.kill()
    importer.stdin.close()
    assert importer.wait() < 0
    assert is_begun()


@pytest.mark.timeout(600)
def test_an_import_that_is_killed_goes_on(lymer: Lymer, tmp_path: Path) -> None:
    """Into a folder and into a running Lymer: nothing is doubled, nothing is lost.

    The one who follows is there all the time, whoever is killed or started again.
    """
    many, folder = _many(tmp_path, 8_000), tmp_path / "folder"

    def journal_bytes() -> int:
        return sum(one.stat().st_size for one in (folder / "journal").rglob("*") if one.is_file())

    _killed_import(many, "--data-dir", folder, is_begun=lambda: journal_bytes() > 100_000)
    told = json.loads(_lymer("import", many, "--data-dir", folder, "--json").stdout)
    assert told["spans"] + told["known"] == 8_000
    assert told["known"] > 0
    out = tmp_path / "out.pb"
    _lymer("export", "--data-dir", folder, "--output", out)
    assert _spans(out) == _spans(many)

    lymer.start()
    to = ["--url", lymer.query_url, "--endpoint", f"http://127.0.0.1:{lymer.ports['otlp_http']}"]
    with _following(lymer, 16) as following:
        _killed_import(many, *to, is_begun=lambda: _stored(lymer) > 0)
        known = _stored(lymer)
        assert lymer.stop() == 0
        lymer.start()
        told = json.loads(_lymer("import", many, *to, "--json").stdout)
        assert told["spans"] + told["known"] == 8_000
        assert told["known"] >= known
        shown = [json.loads(line) for line in following.communicate(timeout=60)[0].splitlines()]
        assert following.returncode == 0
    assert len({one["spanID"] for one in shown}) == len(shown) == 16
    for _ in poll(20):
        if _stored(lymer) == 8_000:
            break
    assert _stored(lymer) == 8_000


@contextmanager
def _following(lymer: Lymer, count: int) -> Iterator[subprocess.Popen[str]]:
    """Follow the marked spans."""
    command = ["lymer", "tail", '{ name = "marked" }', "--json", "--rate=1000", f"--count={count}"]
    following = subprocess.Popen(
        [sys.executable, "-m", *command, "--url", lymer.query_url],
        env=lymer_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        yield following
    finally:
        following.kill()
        following.communicate()


def _stored(lymer: Lymer) -> int:
    """Return how many spans are stored, copies counted."""
    asked = {"q": "{ } | count_over_time()", "since": "1h"}
    answer = lymer.http.get(f"{lymer.query_url}/tempo/api/metrics/query", params=asked).json()
    return int(sum(one["value"] for one in answer["series"]))


def test_what_cannot_be_read_is_told_and_codes_hide_names(tmp_path: Path) -> None:
    """With file and line, and an exit code."""
    made = _made(tmp_path)
    spoilt = tmp_path / "spoilt.jsonl"
    lines = made.read_text().splitlines()
    spoilt.write_text("\n".join([lines[0], lines[1][:-20], *lines[2:]]))
    said = _lymer("import", spoilt, "--data-dir", tmp_path / "data", code=1)
    assert f"{spoilt}, line 2: " in said.stderr
    assert "1 places could not be read" in said.stdout
    assert "there is no file" in _lymer("import", tmp_path / "no.json", code=1).stderr
    assert "nobody answers" in _lymer("import", made, "--url", "http://127.0.0.1:9", code=1).stderr
    empty = _lymer("export", "--data-dir", tmp_path / "nobody", code=1).stderr
    assert "there is no store" in empty
    out = tmp_path / "hidden.json"
    _lymer("anonymize", made, "--output", out)
    assert len(_spans(out)) == len(_spans(made))
    assert '"stringValue":"x' in out.read_text()
