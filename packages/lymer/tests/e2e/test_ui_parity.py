"""What a Jaeger user brings along: every parameter of Jaeger's addresses, every key, every must.

docs/interface.md has the table of what Jaeger's interface does → the test that shows it here.
Source: Jaeger UI v2.20, `packages/jaeger-ui/src/components/*/url*`, `utils/embedded-url.ts`,
`components/TracePage/keyboard-mappings.ts`, `constants/default-config.ts`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.lymer_process import Lymer
from e2e.web import Look, Visit, open_browser, send_shop, visit
from lymer import clock

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

ROOT = "a1".rjust(16, "0")
LEAF = "a5".rjust(16, "0")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for all tests of this file."""
    with open_browser() as opened:
        yield opened


@pytest.fixture
def visited(browser: Browser) -> Iterator[Visit]:
    """A page on a laptop, in English, light; the browser must not complain."""
    with visit(browser, Look()) as made:
        yield made
        assert made.complaints == []


@pytest.fixture
def page(visited: Visit) -> Page:
    """The page of `visited`."""
    return visited.page


@pytest.fixture(scope="module")
def shop(shared_lymer: Lymer) -> dict[str, str]:
    """Two stored traces, `a` and `b`, and times around them in microseconds."""
    now = clock.unix_nano() - 2_000_000_000
    return {
        "a": send_shop(shared_lymer, now),
        "b": send_shop(shared_lymer, now + 500_000_000, extra=True),
        "start": str(now // 1000 - 60_000_000),
        "end": str(now // 1000 + 60_000_000),
    }


def go(page: Page, lymer: Lymer, address: str) -> None:
    """Open an address of the interface."""
    page.goto(lymer.query_url + address)


def rows_of(page: Page, trace_id: str) -> int:
    """Return how many links of the results lead to a trace, once there are results."""
    expect(
        page.get_by_role("heading", name=re.compile(r"\d+ traces?$|No traces match"))
    ).to_be_visible()
    return page.locator(f'.ly-results a[href*="{trace_id}"]').count()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("service=web-shop", True),
        ("service=web-shop&lookback=1h&limit=20", True),
        ("service=web-shop&lookback=1h&limit=20&start={start}&end={end}", True),
        ("service=web-shop&lookback=custom&start={start}&end={end}", True),
        ("service=web-shop&start=1000&end=2000&lookback=custom", False),
        ("service=web-shop&operation=GET%20%2Fbasket", True),
        ("service=web-shop&operation=all", True),
        ("service=web-shop&operation=POST%20%2Fbasket", False),
        ("service=web-shop&tags=%7B%22shop.step%22%3A%22a2%22%7D", True),
        ("service=web-shop&tags=%7B%22shop.step%22%3A%22zz%22%7D", False),
        ("service=web-shop&tag=shop.step%3Aa2", True),
        ("service=basket-service&tags=%7B%22error%22%3A%22true%22%7D", True),
        ("service=web-shop&minDuration=100ms&maxDuration=200ms", True),
        ("service=web-shop&minDuration=121ms", False),
        ("service=web-shop&maxDuration=1us", False),
        ("service=nobody", False),
        ("traceID={a}", True),
        ("traceID={a}&traceID={b}", True),
        ("traceID={b}", False),
        ("span=" + LEAF + "%40{a}", True),
        ("span=" + ROOT + "%20" + LEAF + "%40{a}&traceID={b}", True),
    ],
)
def test_a_search_link_finds_what_it_found(
    shared_lymer: Lymer, page: Page, shop: dict[str, str], query: str, *, found: bool
) -> None:
    """Each parameter of Jaeger's search page means here what it means there."""
    go(page, shared_lymer, "/search?" + query.format(**shop))

    assert (rows_of(page, shop["a"]) > 0) == found


def test_a_limit_is_kept(shared_lymer: Lymer, page: Page, shop: dict[str, str]) -> None:
    """The newest come first, as many as asked for; the form shows what the link says."""
    assert shop
    go(page, shared_lymer, "/search?service=web-shop&limit=1&minDuration=1ms&maxDuration=9s")
    expect(page.get_by_role("heading", name="1 trace", exact=True)).to_be_visible()
    for label, value in (("Limit", "1"), ("Min duration", "1ms"), ("Max duration", "9s")):
        expect(page.get_by_label(label)).to_have_value(value)


def test_spans_of_a_link_are_marked(shared_lymer: Lymer, page: Page, shop: dict[str, str]) -> None:
    """`span=ids@trace` names the trace; the way into it looks for these spans and opens them."""
    go(page, shared_lymer, f"/search?span={LEAF}%40{shop['a']}&span={ROOT}%40{shop['a']}")
    page.locator(f'.ly-results a[href*="{shop["a"]}"]').first.click()
    page.wait_for_url(re.compile(rf"uiFind={LEAF}(\+|%20){ROOT}"))

    expect(page.get_by_text("/ 2")).to_be_visible()
    expect(page.get_by_role("group", name=re.compile("^Details of"))).to_have_count(2)


def test_results_are_sorted_shown_and_opened(
    shared_lymer: Lymer, page: Page, shop: dict[str, str]
) -> None:
    """The order is kept for the next visit; a list shows the same; a point of the plot opens."""
    go(page, shared_lymer, f"/search?traceID={shop['a']}&traceID={shop['b']}")
    links = page.locator(".ly-results a[href*='/trace/']")
    page.get_by_label("Sort").select_option("LEAST_SPANS")
    expect(links.first).to_have_attribute("href", re.compile(shop["a"]))
    page.get_by_label("Sort").select_option("MOST_SPANS")
    expect(links.first).to_have_attribute("href", re.compile(shop["b"]))
    page.goto("about:blank")
    go(page, shared_lymer, f"/search?traceID={shop['a']}&traceID={shop['b']}&view=list")
    expect(links.first).to_have_attribute("href", re.compile(shop["b"]))
    expect(page.locator(".ly-card")).to_have_count(2)
    plot = page.locator(".ly-plot-canvas")
    box = plot.bounding_box()
    assert box
    plot.click(position={"x": 58, "y": 22})  # the first of two points, as high as they are long

    expect(page).to_have_url(re.compile(rf"/trace/{shop['a']}"))


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("charge", 1),
        ("SELECT charge", 3),
        ('"load basket"', 1),
        ("card.brand=her", 7),
        ("heron -card.brand", 0),
        (LEAF, 1),
        ("web-shop", 2),
        ("event=try", 1),
        ('card.brand="her on"', 7),
    ],
)
def test_find_in_a_trace(
    shared_lymer: Lymer, page: Page, shop: dict[str, str], text: str, matches: int
) -> None:
    """`uiFind` has Jaeger's language, and a link opens what it finds, so Back leads out at once."""
    go(page, shared_lymer, "/search")
    go(page, shared_lymer, f"/trace/{shop['a']}?uiFind={quote(text)}")
    shown = re.compile(rf"^\d+ / {matches}$") if matches else re.compile("^(0|0 / 0|no match.*)$")
    expect(page.locator(".ly-find").get_by_text(shown)).to_be_visible()
    expect(page.get_by_role("group", name=re.compile("^Details of"))).not_to_have_count(
        0 if matches else 1
    )
    page.go_back()

    expect(page).to_have_url(re.compile("/search$"))


def test_every_key_of_jaeger(shared_lymer: Lymer, page: Page, shop: dict[str, str]) -> None:
    """Each key does on the timeline what Jaeger's help says, and ours lists it."""
    go(page, shared_lymer, f"/trace/{shop['a']}")
    rows = page.locator(".ly-span")
    expect(rows).to_have_count(7)
    for keys, count in (("]", 1), ("o", 4), ("o", 7), ("p", 4), ("[", 7)):
        page.keyboard.press(keys)
        expect(rows).to_have_count(count)

    def zoom() -> tuple[int, int]:
        found = re.search(r"zoom=(\d+)-(\d+)", page.url)
        return (int(found[1]), int(found[2])) if found else (0, 120_000_000)

    def after(key: str) -> tuple[int, int]:
        before = page.url
        page.keyboard.press(key)
        page.wait_for_url(lambda url: url != before)
        return zoom()

    small = after("ArrowUp")
    smaller = after("Shift+ArrowUp")
    assert 0 < small[0] < smaller[0] < smaller[1] < small[1] < 120_000_000
    for left, right, by in (("a", "d", 1), ("ArrowLeft", "ArrowRight", 1), ("A", "D", 3)):
        start = zoom()
        gone = after(left)
        assert gone[0] < start[0], left
        assert (start[0] - gone[0]) * 3 >= by * (start[1] - start[0]) // 10, left
        assert after(right)[0] == start[0], right
    assert after("Shift+ArrowDown")[0] < smaller[0]
    assert after("ArrowDown")
    page.keyboard.press("f")
    expect(page.locator(".ly-span[data-state~=active]")).to_have_count(1)
    page.keyboard.press("b")
    page.keyboard.press("Control+b")
    expect(page.get_by_role("textbox", name="Find in trace")).to_be_focused()
    page.keyboard.type("charge")
    page.wait_for_url(re.compile("uiFind=charge"))
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "uiFind" not in url)
    page.locator("h1").click()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog").locator("kbd")
    expect(keys.filter(has_text=re.compile("^[SWFBADOP]$"))).to_have_count(11)


def test_a_part_is_marked_on_the_overview(
    shared_lymer: Lymer, page: Page, shop: dict[str, str]
) -> None:
    """Dragging over the overview, or over the timeline's head, zooms to what was marked."""
    go(page, shared_lymer, f"/trace/{shop['a']}")
    box = page.locator(".ly-minimap-box").bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile(r"zoom=(29|30|31)\d{6}-(89|90|91)\d{6}"))


def test_the_critical_path_is_shown_on_demand(
    shared_lymer: Lymer, page: Page, shop: dict[str, str]
) -> None:
    """The menu has the switch, the bars change with it, and the choice is kept."""
    go(page, shared_lymer, f"/trace/{shop['a']}")
    expect(page.locator(".ly-span").first).to_be_visible()
    bars = page.locator(".ly-bars-canvas, .ly-timeline-scroll canvas").first

    def picture() -> object:
        return bars.evaluate("canvas => canvas.toDataURL()")

    on = picture()
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitemcheckbox", name="Critical path").click()
    page.keyboard.press("Escape")
    page.wait_for_timeout(300)

    assert picture() != on


def test_statistics_have_jaegers_columns(
    shared_lymer: Lymer, page: Page, shop: dict[str, str]
) -> None:
    """Count, total, average, least, most, each of self time, and the share; in two levels."""
    go(page, shared_lymer, f"/trace/{shop['a']}?view=statistics")
    headings = page.get_by_role("columnheader")
    for name in ("Count", "Total", "Avg", "Min", "Max", "Self total", "Self avg", "Self min"):
        expect(
            headings.filter(has_text=re.compile(f"^{name}$", re.IGNORECASE)).first
        ).to_be_attached()
    expect(page.locator("tr", has_text="web-shop").first).to_be_visible()
    expect(page.locator("tr", has_text="SELECT prices")).to_be_visible()


@pytest.mark.parametrize("density", ["mc", "up-vs-down", "per-level", "ppe", "ext-vs-int"])
def test_paths_have_jaegers_densities(
    shared_lymer: Lymer, page: Page, shop: dict[str, str], density: str
) -> None:
    """`density` and `showOp` are read; operations are told apart if one was asked for."""
    assert shop
    go(page, shared_lymer, f"/deep-dependencies?service=till&density={density}&showOp=1")
    expect(page.locator(".ly-node", has_text="charge")).to_be_visible()
    expect(page.get_by_label("One box for")).to_have_value(density)
    go(page, shared_lymer, f"/deep-dependencies?service=till&density={density}")
    expect(page.locator(".ly-node", has_text="web-shop")).to_be_visible()
    expect(page.locator(".ly-node", has_text="GET /basket")).to_have_count(0)
    go(page, shared_lymer, f"/deep-dependencies?service=till&operation=charge&density={density}")
    expect(page.locator(".ly-node", has_text="GET /basket")).to_be_visible()


def test_the_monitor_shows_what_a_link_says(
    shared_lymer: Lymer, page: Page, shop: dict[str, str]
) -> None:
    """Service, kind and time frame stand in Jaeger's parameters; an operation leads to traces."""
    assert shop
    address = "/monitor?service=web-shop&spanKind=server&timeframe=1800000"
    go(page, shared_lymer, address)
    expect(page.get_by_label("Time range")).to_have_value("1800000")
    operation = page.locator("tr", has_text="GET /basket")
    for _ in range(20):  # counted by the minute, some seconds after it
        if operation.count():
            break
        page.wait_for_timeout(1000)
        page.reload()
        page.wait_for_load_state("networkidle")
    expect(operation).to_be_visible()
    expect(page.locator(".ly-chart canvas")).to_have_count(3)
    page.get_by_label("Kind").select_option("client")
    page.wait_for_url(re.compile("spanKind=client.*timeframe=1800000"))


def test_quality_is_asked_with_jaegers_parameter(
    shared_lymer: Lymer, page: Page, shop: dict[str, str]
) -> None:
    """`lookback` is a number of hours."""
    assert shop
    with page.expect_response(re.compile(r"quality-metrics\?.*hours=6\b")):
        go(page, shared_lymer, "/quality-metrics?service=web-shop&lookback=6")
    expect(page.get_by_label("Time range")).to_have_value("6")


def test_a_comparison_may_lack_one_side(
    shared_lymer: Lymer, page: Page, shop: dict[str, str]
) -> None:
    """`/trace/A...` has the rest of the cohort to choose from."""
    a, b = shop["a"], shop["b"]
    go(page, shared_lymer, f"/trace/{a}...?cohort={a}&cohort={b}")
    expect(page.get_by_role("heading", name="Pick two traces")).to_be_visible()
    page.get_by_role("combobox").nth(1).select_option(b)
    page.wait_for_url(re.compile(rf"/trace/{a}\.\.\.{b}\?cohort="))
    expect(page.locator(".ly-node").first).to_be_visible()


def test_a_trace_id_is_read_in_capitals(
    shared_lymer: Lymer, page: Page, shop: dict[str, str]
) -> None:
    """They mean the same."""
    go(page, shared_lymer, "/trace/" + shop["a"].upper())

    expect(page.locator(".ly-span")).to_have_count(7)


@pytest.mark.parametrize(
    ("switch", "gone", "kept"),
    [
        ("", "header.ly-top", ".ly-minimap"),
        ("&uiTimelineCollapseTitle=1", "h1", ".ly-facts"),
        ("&uiTimelineHideMinimap=1", ".ly-minimap", "h1"),
        ("&uiTimelineHideSummary=1", ".ly-facts", ".ly-minimap"),
    ],
)
def test_each_switch_of_an_embedded_trace(
    shared_lymer: Lymer, page: Page, shop: dict[str, str], switch: str, gone: str, kept: str
) -> None:
    """Each leaves out what it names and nothing else."""
    go(page, shared_lymer, f"/trace/{shop['a']}?uiEmbed=v0{switch}")
    expect(page.locator(".ly-span").first).to_be_visible()
    expect(page.locator(gone)).to_have_count(0)
    expect(page.locator(kept)).to_have_count(1)


def test_an_embedded_search_is_only_results(
    shared_lymer: Lymer, page: Page, shop: dict[str, str]
) -> None:
    """No form, nothing to pick; the plot unless it is switched off. Other versions mean nothing."""
    assert shop
    go(page, shared_lymer, "/search?service=web-shop&uiEmbed=v0")
    expect(page.locator(".ly-plot, .ly-heatmap")).to_be_visible()  # as chosen last
    expect(page.locator("form, .ly-pick")).to_have_count(0)
    go(page, shared_lymer, "/search?service=web-shop&uiEmbed=v9&uiSearchHideGraph=1")
    expect(page.locator("form.ly-form")).to_be_visible()


def test_a_theme_is_chosen_and_kept(shared_lymer: Lymer, page: Page, shop: dict[str, str]) -> None:
    """By the menu in the top bar, for the next visit too."""
    assert shop
    go(page, shared_lymer, "/search")
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("menuitemradio", name="Dark").or_(
        page.get_by_role("menuitemcheckbox", name="Dark")
    ).click()
    expect(page.locator("html")).to_have_attribute("data-scheme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-scheme", "dark")


def test_without_storage_every_page_works(
    browser: Browser, shared_lymer: Lymer, shop: dict[str, str]
) -> None:
    """A browser that keeps nothing, as in a frame of another site, breaks no page."""
    with visit(browser, Look()) as visited:
        page = visited.page
        page.add_init_script(
            "Object.defineProperty(window, 'localStorage', "
            "{get() { throw new DOMException('denied', 'SecurityError'); }})"
        )
        for address in ("/search?service=web-shop", f"/trace/{shop['a']}", "/monitor"):
            go(page, shared_lymer, address)
            expect(page.locator("main h1, main h2").first).to_be_visible()
            expect(page.get_by_text("This page has failed")).to_have_count(0)


def test_a_site_decides_words_times_and_what_there_is(
    new_lymer: Callable[..., Lymer], browser: Browser, tmp_path: Path
) -> None:
    """Jaeger's settings that change what the pages say and offer."""
    settings = {
        "useOpenTelemetryTerms": True,
        "archiveEnabled": False,
        "disableFileUploadControl": True,
        "disableJsonView": True,
        "criticalPathEnabled": False,
        "dependencies": {"menuEnabled": False},
        "themes": {"enabled": False},
        "traceIdDisplayLength": 16,
        "topTagPrefixes": ["shop."],
        "search": {
            "maxLookback": {"label": "6 hours", "value": "6h"},
            "defaultLookback": "2h",
            "maxLimit": 33,
            "adjustEndTime": "1m",
        },
        "traceTimeline": {"enableSidePanel": False},
    }
    file = tmp_path / "ui.json"
    file.write_text(json.dumps(settings))
    lymer = new_lymer(LYMER__QUERY__UI_CONFIG_FILE=str(file))
    lymer.start()
    trace_id = send_shop(lymer, clock.unix_nano() - 1_000_000_000)
    with visit(browser, Look()) as visited:
        page = visited.page
        go(page, lymer, "/search?service=web-shop&limit=50")
        expect(page.get_by_role("combobox", name="Span name")).to_be_visible()
        expect(page.get_by_label("Attributes")).to_be_visible()
        expect(page.get_by_label("Limit")).to_have_value("33")
        times = page.get_by_label("Time range")
        expect(times).to_have_value("2h")
        expect(times.locator("option[value='6h']")).to_have_count(1)
        expect(times.locator("option[value='12h']")).to_have_count(0)
        expect(page.get_by_text("ends 1m ago")).to_be_visible()
        expect(page.get_by_role("tab", name="Open a file")).to_have_count(0)
        expect(page.get_by_role("link", name="Architecture")).to_have_count(0)
        expect(page.get_by_role("button", name="Theme")).to_have_count(0)
        page.get_by_role("button", name="Find traces").click()
        page.wait_for_url(re.compile("start="))
        found = re.search(r"start=(\d+)&end=(\d+)", page.url)
        assert found
        assert int(found[2]) - int(found[1]) == (7200 - 60) * 1_000_000
        go(page, lymer, f"/trace/{trace_id}?span={LEAF}")
        expect(page.get_by_role("rowheader").first).to_have_text("shop.step")
        expect(page.get_by_role("tab", name="JSON")).to_have_count(0)
        expect(page.get_by_role("button", name="Keep in the archive")).to_have_count(0)
        assert visited.complaints == []


def test_a_keyboard_is_enough(shared_lymer: Lymer, page: Page, shop: dict[str, str]) -> None:
    """From the search to a span's details and back, with Tab, Enter and arrows alone."""
    go(page, shared_lymer, f"/search?traceID={shop['a']}&traceID={shop['b']}")
    expect(page.locator(".ly-results a[href*='/trace/']").first).to_be_visible()

    def tab_to(what: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate("what => document.activeElement.matches(what)", what):
                return
        pytest.fail(f"Tab does not lead to {what}")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    tab_to(f".ly-results a[href*='{shop['a']}']")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_be_focused()
    tab_to(".ly-span")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    details = page.get_by_role("group", name=re.compile("^Details of"))
    expect(details).to_have_count(1)
    tab_to("[aria-label^='Details of'] summary, [aria-label^='Details of'] button")
    page.go_back()
    expect(details).to_have_count(0)
    page.go_back()
    expect(page.locator(f".ly-results a[href*='{shop['a']}']").first).to_be_focused()


def test_nothing_moves_for_who_wants_no_motion(
    browser: Browser, shared_lymer: Lymer, shop: dict[str, str]
) -> None:
    """With the system's switch on, no animation and no transition takes time."""
    moving = """() => [...document.querySelectorAll("*")].flatMap((one) => {
      const { animationDuration, animationName, transitionDuration } = getComputedStyle(one);
      const longest = (text) => Math.max(...text.split(",").map(Number.parseFloat));
      const moves = (animationName !== "none" && longest(animationDuration) > 0.02)
        || longest(transitionDuration) > 0.02;
      return moves ? [`${one.tagName}.${one.getAttribute("class")}`] : [];
    })"""
    with visit(browser, Look()) as visited:
        visited.page.emulate_media(reduced_motion="reduce")
        for address in ("/search?service=web-shop", f"/trace/{shop['a']}", "/dependencies"):
            go(visited.page, shared_lymer, address)
            expect(visited.page.locator("main h1, main h2").first).to_be_attached()
            assert visited.page.evaluate(moving) == []
