"""Serves the built UI: hashed files that never change, and one page for every other path.

Everything is read into memory once (about one megabyte), so a request never touches the disk and a
path can name nothing but a file that was there at the start.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from lymer.errors import StartupError
from lymer.ui.site import SITE_SCRIPT_PATH, SiteFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

__all__ = [
    "DIST",
    "SECURITY_HEADERS",
    "UiCapabilities",
    "UiConfig",
    "base_href",
    "choose_coding",
    "not_found",
    "read_assets",
    "render_index",
    "ui_routes",
]

DIST: Final = Path(__file__).parent / "dist"
"""Where the build hook puts the UI."""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'self'"
)
"""Nothing inline, nothing from elsewhere. The configuration block is data, which no rule covers."""

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

IMMUTABLE: Final = "public, max-age=31536000, immutable"
"""For files whose name holds a hash of their content."""

_BASE_TAG: Final = '<base href="/" />'
_CONFIG_TAG: Final = '<script type="application/json" id="lymer-config">{}</script>'
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
"""Content coding and file ending, the best first."""
_NOT_BUILT: Final = """\
Lymer is running, but this install has no UI.

It was installed with LYMER_SKIP_UI=1 or from a tree where the UI was not built. Install it again
without that variable (pip install --force-reinstall --no-deps lymer), or, in a source tree:

    cd packages/lymer/ui && npm ci --ignore-scripts && npx vite build

The HTTP API under api/ works without it.
"""


@dataclass(frozen=True, slots=True)
class UiCapabilities:
    """What the server can do beyond search and traces; the names are Jaeger's, in snake case."""

    archive_storage: bool = True
    metrics_storage: bool = True
    search_without_service_name: bool = True
    ai_assistant: bool = False


@dataclass(frozen=True, slots=True)
class UiConfig:
    """What the page is told."""

    base_path: str = "/"
    """Path the UI is reached under, as the browser sees it: starts with `/`."""
    version: str = ""
    otlp_grpc: str = "localhost:4317"
    """`host:port` shown to people who have nothing stored yet."""
    otlp_http: str = "http://localhost:4318"
    """URL without path, shown likewise."""
    capabilities: UiCapabilities = field(default_factory=UiCapabilities)
    site: SiteFile = field(default_factory=SiteFile)
    """What the site's own file says, in Jaeger's format."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file and its compressed forms, by content coding; `identity` is always there."""

    media_type: str
    bodies: Mapping[str, bytes]


def base_href(base_path: str) -> str:
    """Return `base_path` with a slash at both ends.

    Raises:
        StartupError: It does not start with `/`, or holds what cannot stand in an attribute.
    """
    if (
        not base_path.startswith("/")
        or base_path.startswith("//")
        or set(base_path) & set("\"'<>&?# \\")
    ):
        message = f"cannot serve the ui: base path {base_path!r} is not a path such as /lymer"
        raise StartupError(message)
    return base_path.rstrip("/") + "/"


def render_index(template: str, config: UiConfig) -> bytes:
    """Put base path and configuration into the built `index.html`.

    Raises:
        StartupError: The base path is not a path, or the template lacks the places to fill.
    """
    href = base_href(config.base_path)
    if _BASE_TAG not in template or _CONFIG_TAG not in template:
        message = (
            "cannot serve the ui: index.html has no base or no lymer-config element; rebuild the ui"
        )
        raise StartupError(message)
    can = config.capabilities
    text = json.dumps(
        {
            "basePath": href,
            "version": config.version,
            "otlpGrpc": config.otlp_grpc,
            "otlpHttp": config.otlp_http,
            "capabilities": {
                "archiveStorage": can.archive_storage,
                "metricsStorage": can.metrics_storage,
                "searchWithoutServiceName": can.search_without_service_name,
                "aiAssistant": can.ai_assistant,
            },
            "ui": config.site.settings,
        }
    )
    # `</script>` inside the block would end it; JSON reads the escape as the same character.
    text = text.replace("<", "\\u003c")
    page = template.replace(_BASE_TAG, f'<base href="{href}" />')
    block = _CONFIG_TAG.replace("{}", text)
    if config.site.script is not None:
        # A file of its own, since the policy lets no script stand in the page; it runs before ours.
        block += f'<script src="{SITE_SCRIPT_PATH.lstrip("/")}"></script>'
    return page.replace(_CONFIG_TAG, block).encode()


def read_assets(folder: Path) -> dict[str, Asset]:
    """Return every file under `folder`, by its path there; compressed twins go with their file."""
    files = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    twins = tuple(ending for _, ending in _ENCODINGS)
    assets = {}
    for name, path in files.items():
        if name.endswith(twins):
            continue
        bodies = {"identity": path.read_bytes()}
        for coding, ending in _ENCODINGS:
            if name + ending in files:
                bodies[coding] = files[name + ending].read_bytes()
        assets[name] = Asset(_media_type(name), bodies)
    return assets


def _media_type(name: str) -> str:
    if name.endswith(".js"):
        return "text/javascript; charset=utf-8"  # some systems' tables say otherwise
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def choose_coding(accept_encoding: str, available: Mapping[str, bytes]) -> str:
    """Return the best coding both sides know. Source: RFC 9110, section 12.5.3."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, _, parameter = part.strip().partition(";")
        weight = parameter.strip().removeprefix("q=")
        try:
            weights[name.strip()] = float(weight) if weight else 1.0
        except ValueError:
            weights[name.strip()] = 0.0
    for coding, _ in _ENCODINGS:
        if coding in available and weights.get(coding, weights.get("*", 0.0)) > 0:
            return coding
    return "identity"


def ui_routes(config: UiConfig, *, dist: Path = DIST) -> list[BaseRoute]:
    """Return the routes of the UI. They match every path: put them last.

    Args:
        config: What the page is told. With a base path, mount these routes at that path.
        dist: The built UI. If it was not built, every path answers with a text that says so, with
            status 200, since probes of Jaeger installations ask for `/`.

    Raises:
        StartupError: The base path is not a path, or `dist` is not a build of this UI.
    """
    index = dist / "index.html"
    if not index.is_file():
        return [Route("/{path:path}", _not_built)]
    assets = read_assets(dist / "static")
    page = render_index(index.read_text(encoding="utf-8"), config)
    page_tag = f'"{hashlib.sha256(page).hexdigest()[:32]}"'
    page_headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "ETag": page_tag,
        **SECURITY_HEADERS,
    }

    async def static(request: Request) -> Response:
        asset = assets.get(request.path_params["path"])
        if asset is None:
            return not_found()
        coding = choose_coding(request.headers.get("accept-encoding", ""), asset.bodies)
        headers = {"Cache-Control": IMMUTABLE, "Vary": "Accept-Encoding", **SECURITY_HEADERS}
        if coding != "identity":
            headers["Content-Encoding"] = coding
        return Response(asset.bodies[coding], media_type=asset.media_type, headers=headers)

    async def any_page(request: Request) -> Response:
        path: str = request.path_params["path"]
        if path == "api" or path.startswith("api/"):
            return not_found()  # a client that mistypes an API path must not get a page
        if page_tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=page_headers)
        return Response(page, media_type="text/html", headers=page_headers)

    async def site_script(_request: Request) -> Response:
        headers = {"Cache-Control": "no-cache", **SECURITY_HEADERS}
        return Response(
            config.site.script, media_type="text/javascript; charset=utf-8", headers=headers
        )

    site = [] if config.site.script is None else [Route(SITE_SCRIPT_PATH, site_script)]
    return [Route("/static/{path:path}", static), *site, Route("/{path:path}", any_page)]


def not_found() -> Response:
    """Answer as Go's HTTP server does, and so Jaeger."""
    return PlainTextResponse("404 page not found\n", status_code=404, headers=SECURITY_HEADERS)


async def _not_built(_request: Request) -> Response:
    return PlainTextResponse(_NOT_BUILT, headers={"Cache-Control": "no-cache", **SECURITY_HEADERS})
