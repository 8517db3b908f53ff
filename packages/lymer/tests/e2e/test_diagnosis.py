"""The walk of docs/diagnosis.md: an incident is sent, and the commands find what was planted."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from e2e.lymer_process import Lymer, lymer_environment, poll
from e2e.web import open_browser


def _run(lymer: Lymer, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "lymer", *arguments],
        env={**lymer_environment(), "LYMER_URL": lymer.query_url},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout


def _send(lymer: Lymer, kind: str, folder: Path) -> dict[str, Any]:
    """Send an incident, wait until all of it can be found, and return the truth."""
    truth = folder / f"{kind}.json"
    said = _run(
        lymer,
        "generate",
        f"--endpoint=http://127.0.0.1:{lymer.ports['otlp_http']}",
        f"--incident={kind}",
        "--seed=3",
        f"--truth={truth}",
    )
    sent = int(re.match(r"sent (\d+) spans", said).group(1))  # type: ignore[union-attr]
    for _ in poll(60):
        found = json.loads(_run(lymer, "profile", "--since=20m", "--json"))
        if found["sample"]["ofSpans"] >= sent:
            break
    parsed: dict[str, Any] = json.loads(truth.read_text())
    return parsed


@pytest.fixture
def alerts() -> Iterator[tuple[str, list[Any]]]:
    """Yield the address of an alert endpoint, and what it gets."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()


@pytest.mark.timeout(240)
def test_an_incident_is_found_from_the_terminal(
    new_lymer: Callable[..., Lymer], tmp_path: Path, alerts: tuple[str, list[Any]]
) -> None:
    """Its service first, its version as what is different; and every command has an answer."""
    lymer = new_lymer()
    lymer.start()
    truth = _send(lymer, "bad-version", tmp_path)

    cause = json.loads(_run(lymer, "root-cause", "--json"))
    assert cause["candidates"][0]["service"] == truth["service"]
    assert abs(cause["start_unix_nano"] - truth["start_unix_nano"]) < 30e9
    different = json.loads(_run(lymer, "explain", "--json"))
    first = different["findings"][0]
    assert (first["key"], first["value"]) == (truth["attribute"], truth["value"])
    assert {"scope", "key", "value", "effect", "support", "sample"} <= set(first)

    said = _run(lymer, "root-cause")
    assert re.search(rf"^1\. {truth['service']} .* takes longer by itself", said, re.MULTILINE)
    assert "service.version=1.4.2" in said
    assert "A plain rule" in said
    assert "+" in _run(lymer, "explain")
    assert "gateway GET /search" in _run(lymer, "profile", '{ rootName = "GET /search" }')
    ids = cause["candidates"][0]["evidence"]["traceIds"]
    assert _run(lymer, "diff", ids[0], ids[1]).startswith("The second takes ")
    _find_by_mouse(lymer, truth)
    url, got = alerts
    _run(lymer, "watch", "--once", f"--webhook={url}/hook", f"--alertmanager={url}", "--json",
         code=1 if _has_changes(lymer) else 0)  # fmt: skip
    assert {path for path, _ in got} <= {"/hook", "/api/v2/alerts"}


def _find_by_mouse(lymer: Lymer, truth: dict[str, Any]) -> None:
    """Open the interface, click on the diagnosis, and read service and version; then an example."""
    with open_browser() as browser:
        page = browser.new_page()
        page.goto(lymer.query_url)
        page.get_by_role("link", name="Diagnosis").click()
        first = page.locator(".ly-cause").first
        expect(first).to_contain_text(truth["service"], timeout=60_000)
        expect(first).to_contain_text(truth["value"])
        page.get_by_role("tab", name="What is different").click()
        expect(page.locator(".ly-finding").first).to_contain_text(truth["value"], timeout=60_000)
        page.get_by_role("link", name="Only these").first.click()
        expect(page.get_by_label("Question in the search language")).to_have_value(
            f'{{ resource.{truth["attribute"]} = "{truth["value"]}" }}'
        )
        page.go_back()
        expect(page).to_have_url(re.compile(r"/diagnose\?view=different$"))
        page.go_back()
        expect(page).to_have_url(re.compile(r"/diagnose$"))
        page.locator(".ly-example-list a").first.click()
        expect(page).to_have_url(re.compile(r"/trace/[0-9a-f]{32}"), timeout=60_000)


def _has_changes(lymer: Lymer) -> bool:
    found = lymer.http.get(f"{lymer.query_url}/api/lymer/v1/diagnosis/changes").json()["changes"]
    return bool(found)


def test_what_cannot_be_asked_is_one_sentence(shared_lymer: Lymer) -> None:
    """Exit code 1, with the server's words; nobody there likewise."""
    for arguments, words in (
        (("explain", "{ foo"), "cannot"),
        (("explain", "--slowest=200%"), "slowest"),
        (("diff", "zz", "1"), "refuses"),
        (("profile", "--url=http://127.0.0.1:9"), "nobody answers at http://127.0.0.1:9"),
        (("profile", "--url=ftp://x"), "an address is http://HOST:PORT"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "lymer", *arguments],
            env={**lymer_environment(), "LYMER_URL": shared_lymer.query_url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1, arguments
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) <= 3
        assert "Traceback" not in done.stderr
