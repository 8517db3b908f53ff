"""The web interface against the real server: what one can do, and whether everybody can.

`test_browser.py` asks whether the pages open; this file uses them.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from e2e.lymer_process import Lymer
from e2e.otlp import new_trace_id
from lymer import clock

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
AXE = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
SPAN_ID = "00000000000000b2"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium; without one the tests are skipped, and say so."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip("no Chromium on this machine: the web interface is untested")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about."""
    return []


IN_EACH_SCHEME = pytest.mark.parametrize("page", ["light", "dark"], indirect=True)


@pytest.fixture
def page(browser: Browser, complaints: list[str], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of its own, in English; light unless a test asks for another colour scheme."""
    scheme: Literal["light", "dark"] = getattr(request, "param", "light")
    context = browser.new_context(locale="en-US", color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(15_000)

    def note(message: object) -> None:
        if getattr(message, "type", "error") == "error":
            complaints.append(str(getattr(message, "text", message)))

    page.on("console", note)
    page.on("pageerror", note)
    yield page
    context.close()


def span_json(trace_id: str, span_id: str, name: str, *, start: int, **more: Any) -> dict[str, Any]:
    """Return a span in OTLP JSON that starts at `start`, Unix nanoseconds, and takes 50 ms."""
    return {
        "traceId": trace_id,
        "spanId": span_id,
        "name": name,
        "kind": 2,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 50_000_000),
        **more,
    }


@pytest.fixture
def trace_id(shared_lymer: Lymer) -> str:
    """A stored trace of two services' spans, sent as OTLP JSON; the second span failed."""
    trace_id: str = new_trace_id().hex()
    start = clock.unix_nano() - 1_000_000_000
    attribute = {"key": "card.brand", "value": {"stringValue": "heron"}}
    spans = [
        span_json(trace_id, "00000000000000a1", "pay", start=start),
        span_json(
            trace_id,
            SPAN_ID,
            "charge",
            start=start + 10_000_000,
            parentSpanId="00000000000000a1",
            attributes=[attribute],
            status={"code": 2},
        ),
    ]
    service = {"key": "service.name", "value": {"stringValue": "ui-till"}}
    body = {
        "resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": [{"spans": spans}]}]
    }
    response = shared_lymer.http.post(shared_lymer.otlp_http_url, json=body)
    assert response.status_code == 200
    shared_lymer.wait_for_trace(trace_id, 2)
    return trace_id


def serious_faults(page: Page) -> list[str]:
    """Return what axe finds serious or critical on the page as it is."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run npm ci in packages/lymer/ui")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]}"
        for fault in result["violations"]
        if fault["impact"] in {"serious", "critical"}
    ]


@IN_EACH_SCHEME
def test_the_search_page_is_for_everybody(
    shared_lymer: Lymer, page: Page, complaints: list[str], trace_id: str
) -> None:
    """Form and results have no serious fault of accessibility, and break no policy."""
    page.goto(f"{shared_lymer.query_url}/search?service=ui-till&lookback=1h")
    expect(page.locator(f'a[href*="{trace_id}"]').first).to_be_visible()

    assert serious_faults(page) == []
    assert complaints == []


@IN_EACH_SCHEME
def test_the_trace_page_is_for_everybody(
    shared_lymer: Lymer, page: Page, complaints: list[str], trace_id: str
) -> None:
    """Rows and open details have no serious fault of accessibility, and break no policy."""
    page.goto(f"{shared_lymer.query_url}/trace/{trace_id}?span={SPAN_ID}")
    expect(page.get_by_role("rowheader", name="card.brand")).to_be_visible()

    assert serious_faults(page) == []
    assert complaints == []


def test_the_form_asks_what_it_shows(
    shared_lymer: Lymer, page: Page, complaints: list[str], trace_id: str
) -> None:
    """Tags typed as logfmt find the trace; the link in the address bar finds it again."""
    page.goto(f"{shared_lymer.query_url}/search?service=ui-till")
    page.get_by_label("Tags").fill("card.brand=heron error=true")
    page.get_by_role("button", name="Find traces").click()
    page.wait_for_url(re.compile("tags="))
    expect(page.locator(f'a[href*="{trace_id}"]').first).to_be_visible()
    page.reload()
    expect(page.locator(f'a[href*="{trace_id}"]').first).to_be_visible()
    page.get_by_label("Tags").fill("card.brand=wren")
    page.get_by_role("button", name="Find traces").click()
    expect(page.get_by_role("heading", name="No traces match")).to_be_visible()

    assert complaints == []


def test_keys_fold_zoom_and_find(
    shared_lymer: Lymer, page: Page, complaints: list[str], trace_id: str
) -> None:
    """Jaeger's keys work, attributes are found, and the address keeps what was done."""
    page.goto(f"{shared_lymer.query_url}/trace/{trace_id}")
    rows = page.locator(".ly-span")
    expect(rows).to_have_count(2)
    page.keyboard.press("]")
    expect(rows).to_have_count(1)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Control+b")
    page.keyboard.type("brand=heron")
    expect(rows).to_have_count(2)  # the match is unfolded
    expect(page.get_by_text("1 / 1")).to_be_visible()
    page.wait_for_url(re.compile("zoom="))
    page.wait_for_url(re.compile("uiFind=brand"))

    assert complaints == []


def test_a_trace_is_looked_up_by_its_id(
    shared_lymer: Lymer, page: Page, complaints: list[str], trace_id: str
) -> None:
    """The box in the top bar opens a trace, however the id is written."""
    page.goto(f"{shared_lymer.query_url}/search")
    box = page.get_by_role("textbox", name="Look up a trace by its id")
    box.fill(trace_id.upper())
    box.press("Enter")

    expect(page.get_by_role("heading", name="ui-till pay")).to_be_visible()
    assert complaints == []
