"""A built Jaeger UI from a folder, in place of ours: `index.html` filled in as Jaeger fills it.

Source: Jaeger v1.76 and v2.20, `jaegerquery/internal/static_handler.go`: the patterns, and that
only `/static/` is served from the folder while every other path is the page.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lymer.errors import StartupError
from lymer.ui.assets import (
    SECURITY_HEADERS,
    UiConfig,
    base_href,
    choose_coding,
    not_found,
    read_assets,
)

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

__all__ = ["fill_index", "mounted_ui_routes"]

_CONFIG: Final = re.compile("JAEGER_CONFIG *= *DEFAULT_CONFIG;")
_CONFIG_JS: Final = re.compile(r"^\s*//\s*JAEGER_CONFIG_JS.*\n.*", re.IGNORECASE | re.MULTILINE)
_VERSION: Final = re.compile("JAEGER_VERSION *= *DEFAULT_VERSION;")
_STORAGE: Final = re.compile("JAEGER_STORAGE_CAPABILITIES *= *DEFAULT_STORAGE_CAPABILITIES;")
_BACKEND: Final = re.compile("JAEGER_BACKEND_CAPABILITIES *= *DEFAULT_BACKEND_CAPABILITIES;")
_BASE: Final = re.compile('<base href="/"')
_REVALIDATED: Final = "no-cache"
"""Names need not hold a hash here: a browser asks each time, and is told that nothing changed."""


def mounted_ui_routes(config: UiConfig, folder: Path) -> list[BaseRoute]:
    """Return the routes of the UI in `folder`. They match every path: put them last.

    Args:
        config: What the page is told. With a base path, mount these routes at that path.
        folder: Holds `index.html` and `static/`; read once.

    Raises:
        StartupError: It does not, or the base path is not a path.
    """
    try:
        template = (folder / "index.html").read_text(encoding="utf-8")
        assets = read_assets(folder / "static")
    except (OSError, UnicodeDecodeError) as error:
        message = (
            f"cannot serve the ui from {folder}: {error}; query.ui_assets_path "
            "(--query.static-files) names the folder of a built Jaeger UI"
        )
        raise StartupError(message) from error
    page = fill_index(template, config)
    tags = {
        (name, coding): f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        for name, asset in assets.items()
        for coding, body in asset.bodies.items()
    }

    async def static(request: Request) -> Response:
        name = request.path_params["path"]
        asset = assets.get(name)
        if asset is None:
            return not_found()
        coding = choose_coding(request.headers.get("accept-encoding", ""), asset.bodies)
        tag = tags[name, coding]
        headers = {"Cache-Control": _REVALIDATED, "Vary": "Accept-Encoding", "ETag": tag,
                   **SECURITY_HEADERS}  # fmt: skip
        if coding != "identity":
            headers["Content-Encoding"] = coding
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.bodies[coding], media_type=asset.media_type, headers=headers)

    async def any_page(request: Request) -> Response:
        path: str = request.path_params["path"]
        if path == "api" or path.startswith("api/"):
            return not_found()  # a client that mistypes an API path must not get a page
        headers = {"Cache-Control": _REVALIDATED, **SECURITY_HEADERS}
        return Response(page, media_type="text/html", headers=headers)

    return [Route("/static/{path:path}", static), Route("/{path:path}", any_page)]


def fill_index(template: str, config: UiConfig) -> bytes:
    """Put settings, capabilities, version and base path where Jaeger puts them.

    A place that the page lacks is left out: pages of other versions have others.

    Raises:
        StartupError: The base path is not a path.
    """
    can = config.capabilities
    storage = {"archiveStorage": can.archive_storage, "metricsStorage": can.metrics_storage}
    backend = {
        **storage,
        "aiAssistant": can.ai_assistant,
        "searchWithoutServiceName": can.search_without_service_name,
    }
    version = {"gitCommit": "", "gitVersion": f"lymer {config.version}", "buildDate": ""}
    page = _set(_VERSION, template, f"JAEGER_VERSION = {_json(version)};")
    page = _set(_STORAGE, page, f"JAEGER_STORAGE_CAPABILITIES = {_json(storage)};")
    page = _set(_BACKEND, page, f"JAEGER_BACKEND_CAPABILITIES = {_json(backend)};")
    page = _set(_BASE, page, f'<base href="{base_href(config.base_path)}"')
    if config.site.script is not None:
        page = _set(_CONFIG_JS, page, config.site.script.decode("utf-8", "replace").strip())
    elif config.site.settings:
        page = _set(_CONFIG, page, f"JAEGER_CONFIG = {_json(dict(config.site.settings))};")
    return page.encode()


def _set(place: re.Pattern[str], page: str, text: str) -> str:
    return place.sub(lambda _match: text, page)


def _json(value: dict[str, Any]) -> str:
    """Return JSON that can stand in a script: `</script>` would end it."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
