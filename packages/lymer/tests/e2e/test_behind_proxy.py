"""Lymer below a path of a real nginx: every page, every door, and nothing beside the path."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from e2e.lymer_process import Lymer, free_ports, poll
from e2e.test_ui_pages import PAGES
from e2e.web import Look, open_browser, send_shop, visit
from lymer import clock
from lymer.api.openapi import document

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PREFIX = "/team/tracing"
CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location {prefix}/ {{
      proxy_pass {behind};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Proxied:
    """Lymer behind nginx."""

    lymer: Lymer
    address: str
    """What people type, up to the prefix."""
    traces: dict[str, str]


@pytest.fixture
def proxied(new_lymer: Callable[..., Lymer], tmp_path: Path) -> Iterator[Proxied]:
    """Start both, with two traces stored."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("no nginx on this machine: a proxy in front is untested")
    lymer = new_lymer(LYMER__QUERY__BASE_PATH=PREFIX)
    lymer.start()
    now = clock.unix_nano() - 2_000_000_000
    traces = {
        "a": send_shop(lymer, now, base_path=PREFIX),
        "b": send_shop(lymer, now + 500_000_000, extra=True, base_path=PREFIX),
    }
    (port,) = free_ports(1)
    file = tmp_path / "nginx.conf"
    file.write_text(
        CONFIGURATION.format(folder=tmp_path, port=port, prefix=PREFIX, behind=lymer.query_url)
    )
    with subprocess.Popen([nginx, "-c", str(file), "-p", str(tmp_path)]) as process:
        try:
            address = f"http://127.0.0.1:{port}{PREFIX}"
            for _ in poll(20.0):
                try:
                    if lymer.http.get(f"{address}/api/services").status_code == 200:
                        break
                except httpx.TransportError:
                    continue
            yield Proxied(lymer, address, traces)
        finally:
            process.terminate()


def test_every_page_below_the_prefix(proxied: Proxied) -> None:
    """Each is drawn, and everything it asks for and links to lies below the prefix."""
    beside: set[str] = set()
    with open_browser() as browser, visit(browser, Look()) as visited:
        page = visited.page
        page.on(
            "request",
            lambda request: (
                None
                if urlsplit(request.url).path.startswith(PREFIX + "/")
                else beside.add(request.url)
            ),
        )
        for address, sign in PAGES.values():
            page.goto(proxied.address + address.format(**proxied.traces))
            expect(page.locator(sign.format(**proxied.traces)).first).to_be_attached()
            hrefs = page.eval_on_selector_all(
                "a[href]",
                "links => links.map(link => new URL(link.href))"
                ".filter(link => link.host === location.host).map(link => link.pathname)",
            )
            beside |= {href for href in hrefs if not href.startswith(PREFIX)}
        page.goto(proxied.address + "/")
        page.wait_for_url(proxied.address + "/search")
        page.get_by_role("link", name="Monitor").click()
        page.wait_for_url(proxied.address + "/monitor")
        wrong = [text for text in visited.complaints if "Failed to load resource" not in text]
        assert wrong == []
    assert beside == set()


def test_every_door_below_the_prefix(proxied: Proxied) -> None:
    """Each path of the document that needs no question is answered there, and only there."""
    http = proxied.lymer.http
    told = http.get(f"{proxied.address}/api/openapi.json").json()
    assert told["servers"] == [{"url": PREFIX}]
    asked = 0
    for path, item in document()["paths"].items():
        needs = [one for one in item.get("get", {}).get("parameters", ()) if one["required"]]
        if "get" not in item or needs:
            continue
        with http.stream("GET", proxied.address + path) as answer:  # one of them never ends
            assert answer.status_code < 500, path
            assert answer.status_code != 404, path
        asked += 1
    assert asked >= 15
    trace_id = proxied.traces["a"]
    for path in (
        f"/api/traces/{trace_id}",
        f"/api/v3/traces/{trace_id}",
        f"/zipkin/api/v2/trace/{trace_id}",
        f"/tempo/api/traces/{trace_id}",
        f"/api/lymer/v1/traces/{trace_id}/columns",
    ):
        assert http.get(proxied.address + path).status_code == 200, path
    assert http.get(proxied.lymer.query_url + "/api/services").status_code == 404
