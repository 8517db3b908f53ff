"""A site's own settings of the UI reach the page, as JSON or as a script of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from lymer.errors import StartupError
from lymer.ui.assets import UiConfig, render_index
from lymer.ui.site import SiteFile, read_site_file

TEMPLATE = """<base href="/" /><script type="application/json" id="lymer-config">{}</script>"""


def test_no_file_has_no_settings() -> None:
    """Without a file nothing is set."""
    assert read_site_file(None) == SiteFile()


def test_settings_stand_in_the_page_as_data(tmp_path: Path) -> None:
    """JSON is put into the block of data, and cannot end it."""
    path = tmp_path / "ui.json"
    path.write_text('{"menu": [{"label": "</script>", "url": "/x"}]}')
    page = render_index(TEMPLATE, UiConfig(site=read_site_file(path))).decode()

    assert r'"label": "\u003c/script>"' in page
    assert page.count("</script>") == 1


def test_a_script_is_a_file_of_its_own(tmp_path: Path) -> None:
    """A script is named, below the base path, and does not stand in the page."""
    path = tmp_path / "ui.js"
    path.write_text("function UIConfig() { return {}; }")
    config = UiConfig(base_path="/lymer", site=read_site_file(path))
    page = render_index(TEMPLATE, config).decode()

    assert '<base href="/lymer/" />' in page
    assert '<script src="site/ui-config.js"></script>' in page
    assert "function" not in page


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        pytest.param("ui.json", "{", "Expecting property name", id="half an object"),
        pytest.param("ui.json", "[]", "not a JSON object", id="a list"),
        pytest.param("ui.js", "var x = 1", "no function UIConfig", id="another script"),
    ],
)
def test_a_file_of_something_else_is_refused(
    tmp_path: Path, name: str, content: str, says: str
) -> None:
    """The start fails and says why."""
    path = tmp_path / name
    path.write_text(content)

    with pytest.raises(StartupError, match=says):
        read_site_file(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """So is a file nobody can read."""
    with pytest.raises(StartupError, match="No such file"):
        read_site_file(tmp_path / "none.json")
