"""`lymer delete` against a running Lymer: asked, confirmed, gone, recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from e2e.lymer_process import Lymer, lymer_environment
from lymer.clock import unix_nano
from make import START, make_request, make_span, trace_hex

TRACES: Final = "/api/lymer/v1/traces"
pytestmark = pytest.mark.timeout(900)


def _run(
    lymer: Lymer, *arguments: str, code: int = 0, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "lymer", "delete", "--url", lymer.admin_url, *arguments],
        env=lymer_environment(),
        input=typed,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done


def _send(lymer: Lymer, *traces: int) -> None:
    since = unix_nano() - START
    for one in traces:
        span = make_span(
            one, 1, kind=2, name=f"GET /{one}", offset_nano=since, attrs={"user": one % 2}
        )
        answer = lymer.http.post(
            lymer.otlp_http_url,
            content=make_request(span).SerializeToString(),
            headers={"content-type": "application/x-protobuf"},
        )
        assert answer.status_code == 200


@pytest.fixture
def lymer(tmp_path: Path) -> Iterator[Lymer]:
    """Yield a Lymer of its own."""
    one = Lymer(tmp_path)
    one.start()
    yield one
    one.close()


def _calls(lymer: Lymer) -> Any:
    said = lymer.http.get(f"{lymer.query_url}/api/operations", params={"service": "shop"}).json()[
        "data"
    ]
    return sorted(one["name"] for one in said)


def test_traces_are_deleted_by_question_and_by_id(lymer: Lymer) -> None:
    """Also what was acknowledged a moment ago; what it asks for is confirmed, or not done."""
    _send(lymer, 1, 2, 3)
    dry = json.loads(_run(lymer, "{ .user = 1 }", "--dry-run", "--json").stdout)
    assert (dry["traces"], dry["spans"], dry["dryRun"], dry["complete"]) == (2, 2, True, True)
    assert _calls(lymer) == ["GET /1", "GET /2", "GET /3"]
    assert "2 traces with 2 spans" in _run(lymer, "{ .user = 1 }", code=130, typed="n\n").stderr
    assert _calls(lymer) == ["GET /1", "GET /2", "GET /3"]
    assert "Deleted 2 traces" in _run(lymer, "{ .user = 1 }", typed="y\n").stdout
    assert _calls(lymer) == ["GET /2"]
    _send(lymer, 5)
    said = _run(lymer, "--trace-id", trace_hex(2), "--trace-id", trace_hex(5), "--yes").stdout
    assert "Deleted 2 traces with 2 spans." in said
    assert lymer.http.get(f"{lymer.query_url}/api/services").json()["data"] == []
    assert "No trace is to be deleted." in _run(lymer, "{ }").stdout
    log = json.loads(_run(lymer, "--log", "--json").stdout)
    assert [one["traces"] for one in log] == [2, 2]
    assert log[1]["question"] == "{ .user = 1 }"
    assert log[1]["who"] == "somebody from 127.0.0.1"
    _run(lymer, code=2)
    assert "cannot read the question" in _run(lymer, "{ user", "--yes", code=1).stderr
    refused = lymer.http.delete(
        lymer.admin_url + TRACES, params={"q": "{ }"}, headers={"origin": "https://evil.example"}
    )
    assert refused.status_code == 403
    assert lymer.http.delete(lymer.query_url + TRACES, params={"q": "{ }"}).status_code == 404
    _send(lymer, 7)
    lymer.stop()
    lymer.start()
    assert len(json.loads(_run(lymer, "--log", "--json").stdout)) == 2
    assert _calls(lymer) == ["GET /7"]


def test_who_may_delete_is_apart_from_who_may_read_metrics(tmp_path: Path) -> None:
    """With users for deleting, metrics stay open; on an open port nobody may without."""
    users, token = tmp_path / "users", tmp_path / "password"
    users.write_text("ada:secret\n")
    token.write_text("secret\n")
    lymer = Lymer(
        tmp_path,
        {
            "LYMER__ADMIN__DELETION__AUTH__HTPASSWD_FILE": str(users),
            "LYMER__ADMIN__HOST": "0.0.0.0",
        },
    )
    lymer.start()
    try:
        _send(lymer, 1)
        assert "401" in _run(lymer, "{ }", "--yes", code=1).stderr
        assert lymer.http.get(f"{lymer.admin_url}/metrics").status_code == 200
        _run(lymer, "{ }", "--yes", "--user", "ada", "--password-file", str(token))
        log = json.loads(
            _run(lymer, "--log", "--json", "--user", "ada", "--password-file", str(token)).stdout
        )
        assert log[0]["who"] == "ada from 127.0.0.1"
        assert _calls(lymer) == []
    finally:
        lymer.close()
    (tmp_path / "open").mkdir()
    lymer = Lymer(tmp_path / "open", {"LYMER__ADMIN__HOST": "0.0.0.0"})
    lymer.start()
    try:
        assert "set admin.deletion.auth" in _run(lymer, "{ }", "--yes", code=1).stderr
    finally:
        lymer.close()
