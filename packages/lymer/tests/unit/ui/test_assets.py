"""The UI is served with the right caching, coding and protection, and nothing else is."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from lymer.errors import StartupError
from lymer.ui.assets import UiCapabilities, UiConfig, render_index, ui_routes

INDEX = """<!doctype html><html><head>
<base href="/" />
<script type="application/json" id="lymer-config">{}</script>
<script type="module" src="./static/app-1.js"></script>
</head></html>"""
APP = b"console.log('app');" * 50


@dataclass(frozen=True, slots=True)
class Answer:
    """What an ASGI app said."""

    status: int
    headers: dict[str, str]
    body: bytes


def get(app: Starlette, path: str, **headers: str) -> Answer:
    """GET `path` as an ASGI server would pass it on, without cleaning it."""
    messages: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ],
        "server": ("localhost", 80),
        "client": ("localhost", 50000),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(dict(message))

    asyncio.run(app(scope, receive, send))
    head = {key.decode(): value.decode() for key, value in messages[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return Answer(messages[0]["status"], head, body)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A built UI of three files, and a file beside it that nobody may read."""
    static = tmp_path / "dist" / "static"
    static.mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "dist" / "index.html").write_text(INDEX)
    (static / "app-1.js").write_bytes(APP)
    (static / "app-1.js.gz").write_bytes(gzip.compress(APP))
    (static / "app-1.js.br").write_bytes(b"brotli")
    (static / "small.svg").write_text("<svg/>")
    return tmp_path / "dist"


@pytest.fixture
def app(dist: Path) -> Starlette:
    """The UI at the root."""
    return Starlette(routes=ui_routes(UiConfig(version="1.2.3"), dist=dist))


@pytest.mark.parametrize("path", ["/", "/search", "/trace/abc", "/trace/abc/def.js", "/apish"])
def test_every_page_path_answers_with_the_page(app: Starlette, path: str) -> None:
    """Routes are the page's business, so reloading any address works."""
    answer = get(app, path)

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert b"lymer-config" in answer.body


def test_the_page_allows_no_inline_script_or_style(app: Starlette) -> None:
    """The policy lets nothing in that is not a file of ours."""
    policy = get(app, "/").headers["content-security-policy"]

    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")


def test_the_page_is_not_sent_again_while_it_is_the_same(app: Starlette) -> None:
    """A matching entity tag is answered with 304 and no body."""
    tag = get(app, "/").headers["etag"]
    again = get(app, "/search", if_none_match=tag)
    other = get(app, "/", if_none_match='"other"')

    assert (304, b"") == (again.status, again.body)
    assert other.status == 200


@pytest.mark.parametrize("path", ["/api", "/api/traces", "/api/v3/nothing"])
def test_unknown_api_paths_are_not_pages(app: Starlette, path: str) -> None:
    """A client that mistypes an API path gets Jaeger's 404, not HTML."""
    answer = get(app, path)

    assert (404, b"404 page not found\n") == (answer.status, answer.body)


@pytest.mark.parametrize(
    ("accept", "coding", "body"),
    [
        pytest.param("gzip, deflate, br", "br", b"brotli", id="the smallest form"),
        pytest.param("gzip", "gzip", gzip.compress(APP), id="what the client knows"),
        pytest.param("br;q=0, gzip;q=0.5", "gzip", gzip.compress(APP), id="not what it refuses"),
        pytest.param("*", "br", b"brotli", id="anything goes"),
        pytest.param("br;q=oops", None, APP, id="a broken weight counts as refused"),
        pytest.param("", None, APP, id="nothing known"),
    ],
)
def test_assets_come_in_the_best_form_the_client_reads(
    app: Starlette, accept: str, coding: str | None, body: bytes
) -> None:
    """Compressed forms are picked by Accept-Encoding."""
    answer = get(app, "/static/app-1.js", accept_encoding=accept)

    assert (200, coding) == (answer.status, answer.headers.get("content-encoding"))
    assert answer.body[10:] == body[10:]  # the head of a gzip file holds the time
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"].startswith("text/javascript")


def test_assets_may_be_kept_for_ever(app: Starlette) -> None:
    """Their names change with their content."""
    answer = get(app, "/static/small.svg", accept_encoding="br, gzip")

    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../secret.txt",
        "/static/..%2f..%2fsecret.txt",
        "/static//etc/passwd",
        "/static/../index.html",
        "/static/app-1.js.gz",
        "/static/",
        "/static/nothing.js",
    ],
)
def test_only_built_files_are_served(app: Starlette, path: str) -> None:
    """No path leads out of the folder, and no twin is served as a file of its own."""
    answer = get(app, path)

    assert answer.status == 404
    assert b"secret" not in answer.body


def test_under_a_base_path_the_page_says_so(dist: Path) -> None:
    """All addresses of the page are relative to its base."""
    routes = ui_routes(UiConfig(base_path="/tools/lymer"), dist=dist)
    app = Starlette(routes=[Mount("/tools/lymer", routes=routes)])
    page = get(app, "/tools/lymer/search")

    assert b'<base href="/tools/lymer/" />' in page.body
    assert get(app, "/tools/lymer/static/small.svg").body == b"<svg/>"
    assert get(app, "/tools/lymer/api/x").status == 404


def test_the_configuration_cannot_end_its_block() -> None:
    """`<` is escaped, and the page reads back what was put in."""
    config = UiConfig(version="</script><b>", capabilities=UiCapabilities(archive_storage=True))
    page = render_index(INDEX, config).decode()
    block = re.search(r'id="lymer-config">(.*?)</script>', page)

    assert block is not None
    told = json.loads(block[1])
    assert told["version"] == "</script><b>"
    assert told["basePath"] == "/"
    assert told["capabilities"]["archiveStorage"] is True
    assert told["capabilities"]["searchWithoutServiceName"] is True


@pytest.mark.parametrize("base_path", ["lymer", "", '/"><script>', "/a b", "//elsewhere.example"])
def test_a_base_path_that_is_no_path_stops_the_start(base_path: str) -> None:
    """It would break every address of the page, or worse."""
    with pytest.raises(StartupError, match="is not a path"):
        render_index(INDEX, UiConfig(base_path=base_path))


def test_a_page_without_places_to_fill_stops_the_start() -> None:
    """A build that does not fit is found at the start, not by a user."""
    with pytest.raises(StartupError, match="rebuild the ui"):
        render_index("<html></html>", UiConfig())


def test_without_a_build_the_page_says_how_to_get_one(tmp_path: Path) -> None:
    """An install with LYMER_SKIP_UI=1 still answers on every path."""
    app = Starlette(routes=ui_routes(UiConfig(), dist=tmp_path))
    answer = get(app, "/search")

    assert answer.status == 200
    assert b"vite build" in answer.body
    assert answer.headers["content-type"].startswith("text/plain")
