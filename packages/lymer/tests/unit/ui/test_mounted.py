"""An unmodified Jaeger UI is told by its page what Jaeger would tell it.

The pages are those of `packages/jaeger-ui/index.html` as built, v1.76 and v2.20, cut to the places
that Jaeger's `static_handler.go` fills.
"""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from lymer.errors import StartupError
from lymer.ui.assets import UiCapabilities, UiConfig
from lymer.ui.mounted import fill_index, mounted_ui_routes
from lymer.ui.site import SiteFile
from unit.ui.test_assets import get

OLD = """<head><base href="/" data-inject-target="BASE_URL"/><script>
      // JAEGER_CONFIG_JS
      // the line above may be replaced by a JS file that should define a UIConfig function.
      function getJaegerUiConfig() {
        const DEFAULT_CONFIG = null;
        const JAEGER_CONFIG = DEFAULT_CONFIG;
        return JAEGER_CONFIG;
      }
      const JAEGER_STORAGE_CAPABILITIES = DEFAULT_STORAGE_CAPABILITIES;
      const JAEGER_VERSION = DEFAULT_VERSION;
</script></head>"""
NEW = """<head><script>
      // JAEGER_CONFIG_JS

      const JAEGER_CONFIG = DEFAULT_CONFIG;
      const JAEGER_STORAGE_CAPABILITIES = DEFAULT_STORAGE_CAPABILITIES;
      const JAEGER_BACKEND_CAPABILITIES = DEFAULT_BACKEND_CAPABILITIES;
      const JAEGER_VERSION = DEFAULT_VERSION;
</script></head>"""


def told(page: str, name: str) -> object:
    """Return the value that a constant of the page has."""
    match = re.search(rf"{name} = (.*);", page)
    assert match, name
    return json.loads(match[1])


@pytest.mark.parametrize("template", [OLD, NEW], ids=["1.76", "2.20"])
def test_capabilities_and_version_are_told(template: str) -> None:
    """The truth, by the names each version reads."""
    page = fill_index(template, UiConfig(version="1.2", capabilities=UiCapabilities())).decode()

    assert {"archiveStorage": True, "metricsStorage": True} == told(
        page, "JAEGER_STORAGE_CAPABILITIES"
    )
    assert "lymer 1.2" == told(page, "JAEGER_VERSION")["gitVersion"]  # type: ignore[index]
    if template is NEW:
        backend = told(page, "JAEGER_BACKEND_CAPABILITIES")
        assert {
            "archiveStorage": True, "metricsStorage": True, "aiAssistant": False,
            "searchWithoutServiceName": True,
        } == backend  # fmt: skip
    assert "JAEGER_CONFIG = DEFAULT_CONFIG;" in page


def test_settings_of_the_site_are_told() -> None:
    r"""JSON in its place, a script in its own; `\1` and `</script>` are texts."""
    settings = SiteFile(settings={"menu": ["</script>", "\\1 $1"]})
    page = fill_index(OLD, UiConfig(site=settings)).decode()
    assert {"menu": ["</script>", "\\1 $1"]} == told(page, "JAEGER_CONFIG")
    assert page.count("</script>") == 1

    script = SiteFile(script=b"function UIConfig() { return { a: '\\1' }; }\n")
    page = fill_index(OLD, UiConfig(site=script)).decode()
    assert "function UIConfig() { return { a: '\\1' }; }\n      function getJaegerUiConfig" in page
    assert "JAEGER_CONFIG_JS" not in page
    assert "the line above" not in page


def test_a_base_path_is_told_where_the_page_asks_for_it() -> None:
    """2.20 finds it by itself."""
    page = fill_index(OLD, UiConfig(base_path="/tracing")).decode()
    assert '<base href="/tracing/" data-inject-target="BASE_URL"/>' in page
    with pytest.raises(StartupError, match="is not a path"):
        fill_index(OLD, UiConfig(base_path='/"'))


def test_files_and_the_page_are_served(tmp_path: Path) -> None:
    """Only what is below `static/`; every other path but the API's is the page."""
    (tmp_path / "index.html").write_text(NEW)
    (tmp_path / "secret.txt").write_text("no")
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "app.js").write_bytes(b"let a;")
    (tmp_path / "static" / "app.js.gz").write_bytes(gzip.compress(b"let a;"))
    routes = mounted_ui_routes(UiConfig(base_path="/t"), tmp_path)
    app = Starlette(routes=[Mount("/t", routes=routes)])

    script = get(app, "/t/static/app.js")
    assert (200, b"let a;") == (script.status, script.body)
    assert "javascript" in script.headers["content-type"]
    again = get(app, "/t/static/app.js", if_none_match=script.headers["etag"])
    assert (304, b"") == (again.status, again.body)
    zipped = get(app, "/t/static/app.js", accept_encoding="gzip")
    assert b"let a;" == gzip.decompress(zipped.body)
    for path in ("/t/", "/t/search", "/t/trace/abc", "/t/secret.txt", "/t/static/../secret.txt"):
        page = get(app, path)
        assert b"no" != page.body
        assert page.status in {200, 404}
    assert b"JAEGER_VERSION" in get(app, "/t/search").body
    assert 404 == get(app, "/t/api/nothing").status


@pytest.mark.parametrize("made", ["nothing", "no folder"])
def test_a_folder_without_a_ui_stops_the_start(tmp_path: Path, made: str) -> None:
    """The message says which setting names it."""
    folder = tmp_path if made == "nothing" else tmp_path / "absent"
    with pytest.raises(StartupError, match=r"query\.ui_assets_path"):
        mounted_ui_routes(UiConfig(), folder)
