"""Every page of the web interface, in each width, theme and language."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from e2e.lymer_process import Lymer
from e2e.web import Look, faults, open_browser, send_shop, visit
from lymer import clock

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

LOOKS = [
    Look(390, "light", "ko-KR"),
    Look(390, "dark", "en-US"),
    Look(1280, "light", "en-US"),
    Look(1280, "dark", "ko-KR"),
    Look(1920, "light", "ko-KR"),
    Look(1920, "dark", "en-US"),
]
"""Each width in both themes and both languages, each theme in both languages."""

PAGES = {
    "search": ("/search?service=web-shop&lookback=1h", "a[href*='{a}']"),
    "search-list": ("/search?service=web-shop&lookback=1h&view=list", "a[href*='{a}']"),
    "timeline": (
        "/trace/{a}?span=00000000000000a6&uiFind=charge",
        ".ly-span[data-state~=dimmed]",
    ),
    "graph": ("/trace/{a}?view=graph", ".ly-node"),
    "statistics": ("/trace/{a}?view=statistics", ".ly-table .ly-row"),
    "spans": ("/trace/{a}?view=spans", ".ly-table .ly-row"),
    "flame": ("/trace/{a}?view=flame", ".ly-flame-box canvas"),
    "events": ("/trace/{a}?view=logs", ".ly-table .ly-row"),
    "json": ("/trace/{a}?view=json", ".ly-json-line"),
    "compare": ("/trace/{a}...{b}?cohort={a}&cohort={b}", ".ly-node"),
    "compare-table": ("/trace/{a}...{b}?view=table", ".ly-table .ly-row"),
    "compare-empty": ("/trace/...", "h1"),
    "architecture": ("/dependencies?service=web-shop", ".ly-node"),
    "architecture-force": ("/dependencies?layout=force", ".ly-node"),
    "architecture-table": ("/dependencies?layout=table", ".ly-table .ly-row"),
    "paths": ("/deep-dependencies?service=web-shop&showOp=1", ".ly-node"),
    "monitor": ("/monitor?service=web-shop", "main h1"),
    "quality": ("/quality-metrics?service=web-shop", "main h1"),
    "diagnosis": ("/diagnose", ".ly-causes, .ly-notice"),
    "diagnosis-different": ("/diagnose?view=different&slowest=5%25", ".ly-findings, .ly-notice"),
    "diagnosis-profile": ("/diagnose?view=profile&last=24h", ".ly-flame-box canvas, .ly-notice"),
    "diagnosis-changes": ("/diagnose?view=changes&last=24h", ".ly-changes, .ly-notice"),
    "unknown": ("/no-such-page", "h1"),
}
"""Page → its address, and what is there once it is drawn; `a` and `b` are trace ids."""

WIDER = """() => [...document.querySelectorAll("main *, header *")].filter((element) => {
  const box = element.getBoundingClientRect();
  if (box.width === 0 || box.right <= innerWidth + 1) return false;
  const inRow = element.closest(".ly-timeline-scroll") && !element.closest(".ly-detail");
  return !inRow && !element.closest(".ly-ticks, .ly-tabs, .ly-json, svg, pre")
    && !element.closest(".ly-hidden, .ly-skip, .ly-events, [popover], td, th");
}).map((element) => `${element.tagName}.${element.className}`)"""
"""What sticks out of the page to the right, without what scrolls or is cut on purpose."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for all tests of this file."""
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def shop(shared_lymer: Lymer) -> dict[str, str]:
    """Two stored traces, `a` and `b`."""
    now = clock.unix_nano() - 2_000_000_000
    return {
        "a": send_shop(shared_lymer, now),
        "b": send_shop(shared_lymer, now + 500_000_000, extra=True),
    }


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_page_is_for_everybody(
    shared_lymer: Lymer, browser: Browser, shop: dict[str, str], look: Look
) -> None:
    """No page has a fault that axe knows, sticks out, breaks the policy or asks another host."""
    found: list[str] = []
    with visit(browser, look) as visited:
        page = visited.page
        for name, (address, sign) in PAGES.items():
            page.goto(shared_lymer.query_url + address.format(**shop))
            expect(page.locator(sign.format(**shop)).first).to_be_attached()
            page.wait_for_load_state("networkidle")
            wrong = faults(page) + [f"sticks out: {what}" for what in page.evaluate(WIDER)[:5]]
            if page.evaluate("document.documentElement.lang") != look.language[:2]:
                wrong.append("another language")
            found += [f"{name}: {what}" for what in wrong]
        # What a server cannot answer yet is a failed load; the page says it in words.
        broken = [text for text in visited.complaints if "Failed to load resource" not in text]
        assert broken == []
        assert visited.hosts == {shared_lymer.query_url.removeprefix("http://")}
    assert "\n".join(found) == ""


def test_a_page_that_waits_can_be_read(shared_lymer: Lymer, browser: Browser) -> None:
    """What moves while something is asked for keeps its contrast in every moment."""
    with visit(browser, Look(1280, "dark", "ko-KR")) as visited:
        page = visited.page
        page.route("**/api/v3/trace-summaries*", lambda _: None)  # never answered
        page.goto(shared_lymer.query_url + "/search?service=web-shop&lookback=1h")
        expect(page.locator("button[aria-busy=true]").first).to_be_visible()
        page.evaluate("""document.getAnimations().forEach((one) => {
          one.pause();
          one.currentTime = one.effect.getComputedTiming().duration / 2;
        })""")
        assert faults(page) == []


def test_what_jaeger_has_and_we_lack_is_not_called_mistyped(
    shared_lymer: Lymer, browser: Browser
) -> None:
    """An address of Jaeger without a page says so; another one is said not to exist."""
    with visit(browser, Look()) as visited:
        visited.page.goto(shared_lymer.query_url + "/plexus-demo")
        expect(visited.page.get_by_role("heading", name="Not here yet")).to_be_visible()
        visited.page.goto(shared_lymer.query_url + "/searching")
        expect(visited.page.get_by_role("heading", name="does not exist")).to_be_visible()
