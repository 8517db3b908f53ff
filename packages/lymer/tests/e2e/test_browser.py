"""The web interface in a real browser, in front of the real server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from e2e.lymer_process import Lymer
from e2e.otlp import PROTOBUF, new_trace_id, request_of, span_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page in the machine's own Chromium; without one the tests are skipped, and say so."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        # Chromium refuses to run as root inside its own sandbox; the page is ours alone.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        page = browser.new_page(locale="en-US", viewport={"width": 1440, "height": 900})
        page.set_default_timeout(15_000)
        yield page
        browser.close()


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """Collect what the browser complains about: scripts, policy, missing files."""
    found: list[str] = []

    def note_console(message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        if kind == "error":
            found.append(str(text))

    def note_error(error: object) -> None:
        found.append(str(error))

    page.on("console", note_console)
    page.on("pageerror", note_error)
    yield found
    page.remove_listener("console", note_console)
    page.remove_listener("pageerror", note_error)


@pytest.fixture
def trace_id(shared_lymer: Lymer) -> str:
    """A stored trace of a parent and a child in the service `browser-shop`."""
    trace_id = new_trace_id()
    parent, child = span_of(trace_id, "open the shop"), span_of(trace_id, "count the money")
    child.parent_span_id = parent.span_id
    response = shared_lymer.http.post(
        shared_lymer.otlp_http_url,
        content=request_of(parent, child, service="browser-shop").SerializeToString(),
        headers={"Content-Type": PROTOBUF},
    )
    assert response.status_code == 200
    shared_lymer.wait_for_trace(trace_id.hex(), 2)
    return trace_id.hex()


def test_a_trace_opens_by_its_address(
    shared_lymer: Lymer, page: Page, complaints: list[str], trace_id: str
) -> None:
    """`/trace/{id}` shows the service and both spans, and the browser complains about nothing."""
    page.goto(f"{shared_lymer.query_url}/trace/{trace_id}")

    expect(page.get_by_text("browser-shop").first).to_be_visible()
    expect(page.get_by_text("open the shop").first).to_be_visible()
    expect(page.get_by_text("count the money").first).to_be_visible()
    assert complaints == []


def test_a_search_link_finds_the_trace(
    shared_lymer: Lymer, page: Page, complaints: list[str], trace_id: str
) -> None:
    """A Jaeger search link lists the trace, and a click on it opens the trace."""
    page.goto(f"{shared_lymer.query_url}/search?service=browser-shop&lookback=1h&limit=20")

    page.locator(f'a[href*="/trace/{trace_id}"]').first.click()

    expect(page.get_by_text("count the money").first).to_be_visible()
    assert f"/trace/{trace_id}" in page.url
    assert complaints == []


def test_an_unknown_trace_is_said_to_be_unknown(shared_lymer: Lymer, page: Page) -> None:
    """A trace that nobody sent is not an empty page."""
    page.goto(f"{shared_lymer.query_url}/trace/{new_trace_id().hex()}")

    expect(page.get_by_text("No such trace").first).to_be_visible()
