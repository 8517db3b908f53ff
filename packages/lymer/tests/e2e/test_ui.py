"""The web interface against the real server: what one can do with it.

`test_ui_pages.py` looks at every page in every look; this file uses them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.lymer_process import Lymer
from e2e.otlp import new_trace_id
from e2e.web import Look, Visit, open_browser, send_shop, visit
from lymer import clock

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SPAN = "a5".rjust(16, "0")


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
def trace_id(shared_lymer: Lymer) -> str:
    """A stored trace of three services."""
    return send_shop(shared_lymer, clock.unix_nano() - 3_000_000_000)


@pytest.fixture(scope="module")
def other_id(shared_lymer: Lymer) -> str:
    """One like it, with a span more."""
    return send_shop(shared_lymer, clock.unix_nano() - 2_000_000_000, extra=True)


def open_trace(page: Page, lymer: Lymer, trace_id: str, query: str = "") -> None:
    """Go to a trace and wait until its rows are there."""
    page.goto(f"{lymer.query_url}/trace/{trace_id}{query}")
    expect(page.locator(".ly-span").first).to_be_visible()


def test_a_search_link_finds_the_trace(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """A Jaeger search link lists the trace; a click opens it; the way back has the focus on it."""
    page.goto(f"{shared_lymer.query_url}/search?service=web-shop&lookback=1h&limit=20")
    link = page.locator(f'a[href*="/trace/{trace_id}"]').first
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="web-shop GET /basket")).to_be_focused()
    page.go_back()

    expect(link).to_be_focused()


def test_an_unknown_trace_is_said_to_be_unknown(browser: Browser, shared_lymer: Lymer) -> None:
    """A trace that nobody sent is not an empty page."""
    with visit(browser, Look()) as visited:
        visited.page.goto(f"{shared_lymer.query_url}/trace/{new_trace_id().hex()}")
        expect(visited.page.get_by_role("heading", name="No such trace")).to_be_visible()


def test_the_form_asks_what_it_shows(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """Tags typed as logfmt find the trace; the link in the address bar finds it again."""
    page.goto(f"{shared_lymer.query_url}/search?service=web-shop")
    page.get_by_label("Tags").fill("card.brand=heron shop.step=a2")
    page.get_by_role("button", name="Find traces").click()
    page.wait_for_url(re.compile("tags="))
    expect(page.locator(f'a[href*="{trace_id}"]').first).to_be_visible()
    page.reload()
    expect(page.locator(f'a[href*="{trace_id}"]').first).to_be_visible()
    page.get_by_label("Tags").fill("card.brand=wren")
    page.get_by_role("button", name="Find traces").click()
    expect(page.get_by_role("heading", name="No traces match")).to_be_visible()
    page.get_by_label("Tags").fill('card.brand="he')
    page.get_by_role("button", name="Find traces").click()

    expect(page.get_by_role("heading", name="cannot be asked")).to_be_visible()


@pytest.mark.parametrize(
    "query",
    [
        "start=9999999999999999999",
        "lookback=99999999999w",
        "start=-1&end=x&limit=1e9&tags=[1]&minDuration=soon&maxDuration=1q",
        "service=&operation=all&traceID=zz&span=@&view=7&sort=UP&plot=",
    ],
)
def test_a_malformed_link_still_searches(shared_lymer: Lymer, page: Page, query: str) -> None:
    """What cannot be read counts as not given."""
    page.goto(f"{shared_lymer.query_url}/search?{query}")

    expect(
        page.get_by_role("heading", name=re.compile(r"\d+ traces?|No traces match"))
    ).to_be_visible()


def test_keys_fold_zoom_and_find(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """Jaeger's keys work, on a Korean layout too; the address keeps what was done."""
    open_trace(page, shared_lymer, trace_id)
    rows = page.locator(".ly-span")
    expect(rows).to_have_count(7)
    page.keyboard.press("]")
    expect(rows).to_have_count(1)
    page.evaluate(
        "document.body.dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'ㅐ', code: 'KeyO', bubbles: true}))"
    )
    expect(rows).to_have_count(4)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Control+b")
    page.keyboard.type("shop.step=a4")
    expect(rows).to_have_count(6)  # the match is unfolded
    expect(page.get_by_text("1 / 1")).to_be_visible()
    page.wait_for_url(re.compile("zoom="))
    page.wait_for_url(re.compile("uiFind=shop"))


def test_the_address_is_followed_both_ways(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """A link to a span of the same trace opens it; Back and Forward undo and do it again."""
    open_trace(page, shared_lymer, trace_id, "?span=" + "a6".rjust(16, "0"))
    details = page.get_by_role("group", name="Details of SELECT basket")
    page.locator(".ly-links a").click()
    expect(details).to_be_visible()
    page.go_back()
    expect(details).to_have_count(0)
    page.go_forward()

    expect(details).to_be_visible()


def test_back_closes_a_detail_at_once(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """However soon after the page came: each opened detail is a step of its own."""
    open_trace(page, shared_lymer, trace_id)
    for row in (1, 2):
        page.locator(".ly-span").nth(row).click()
    expect(page.locator(".ly-kv").first).to_be_visible()
    details = page.get_by_role("group", name=re.compile("^Details of"))
    expect(details).to_have_count(2)
    page.go_back()
    expect(details).to_have_count(1)
    page.go_back()
    expect(details).to_have_count(0)

    expect(page).to_have_url(re.compile(rf"/trace/{trace_id}$"))


def test_details_say_what_there_is(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """Three hundred events are capped, web addresses are links, a span without length has 0."""
    open_trace(page, shared_lymer, trace_id, "?span=" + "a6".rjust(16, "0"))
    events = page.locator(".ly-events li")
    expect(events).to_have_count(100)
    page.get_by_role("button", name="Show all 300 events").click()
    expect(events).to_have_count(300)
    expect(page.get_by_role("link", name="https://help.example/charge")).to_be_visible()
    open_trace(page, shared_lymer, trace_id, "?span=" + "a7".rjust(16, "0"))

    expect(page.locator(".ly-detail-head dl")).to_contain_text("Duration0")
    expect(page.get_by_text("Negative duration")).to_have_count(0)


@pytest.mark.parametrize(
    ("tab", "shows"),
    [
        ("Graph", ".ly-node >> text=SELECT prices"),
        ("Statistics", "tr >> text=SELECT prices"),
        ("Spans", "tr >> text=SELECT prices"),
        ("Flame graph", "tr >> text=SELECT prices"),
        ("Events", "tr >> text=try 7"),
        ("JSON", "code >> text=operationName"),
    ],
)
def test_each_view_of_a_trace(
    shared_lymer: Lymer, page: Page, trace_id: str, tab: str, shows: str
) -> None:
    """A tab shows its view, stands in the address, and Back leads to the timeline."""
    open_trace(page, shared_lymer, trace_id)
    page.get_by_role("tab", name=tab, exact=True).click()
    expect(page.get_by_role("tabpanel").locator(shows).last).to_be_visible()
    page.reload()
    expect(page.get_by_role("tabpanel").locator(shows).last).to_be_visible()
    page.go_back()

    expect(page.locator(".ly-span").first).to_be_visible()


def test_statistics_by_an_attribute(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """Any attribute can be the group; a row leads to its longest span."""
    page.goto(f"{shared_lymer.query_url}/trace/{trace_id}?view=statistics&by=shop.step")
    page.get_by_role("button", name="a5", exact=True).click()

    expect(page.get_by_role("group", name="Details of SELECT prices")).to_be_visible()


def test_only_some_services(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """The filter hides the spans of a service; the address keeps it in Jaeger's form."""
    open_trace(page, shared_lymer, trace_id)
    page.get_by_role("button", name="All services").click()
    page.get_by_role("button", name="Only till").click()
    expect(page.locator(".ly-span")).to_have_count(2)
    page.wait_for_url(re.compile(r"svcFilter=[0-9a-f]{4}\.2"))
    page.reload()

    expect(page.locator(".ly-span")).to_have_count(2)


def test_details_beside_the_timeline(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """A span's details stand in a panel of their own if one wants."""
    open_trace(page, shared_lymer, trace_id)
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitemcheckbox", name="Details beside the timeline").click()
    page.locator(".ly-span").nth(2).click()

    expect(page.get_by_role("complementary", name="Details beside")).to_contain_text("card.brand")


def test_traces_are_compared(shared_lymer: Lymer, page: Page, trace_id: str, other_id: str) -> None:
    """Two traces picked in the results are laid over each other; one more span is seen."""
    page.goto(f"{shared_lymer.query_url}/search?service=web-shop&lookback=1h")
    for one in (trace_id, other_id):
        page.locator("tr", has=page.locator(f'a[href*="{one}"]')).get_by_role("checkbox").check()
    page.get_by_role("button", name="Compare 2").click()
    page.wait_for_url(re.compile(rf"/trace/{trace_id}\.\.\.{other_id}\?cohort="))
    expect(
        page.get_by_role("button", name=re.compile("till print receipt: only in B"))
    ).to_be_visible()
    page.get_by_role("button", name="Swap A and B").click()
    expect(
        page.get_by_role("button", name=re.compile("till print receipt: only in A"))
    ).to_be_visible()
    page.get_by_text("Table", exact=True).click()

    expect(page.get_by_role("row", name=re.compile("print receipt only in A"))).to_be_visible()


def test_files_are_opened(shared_lymer: Lymer, page: Page, trace_id: str, tmp_path: Path) -> None:
    """Jaeger's JSON and OTLP by lines are shown like stored traces, details and find included."""
    jaeger = tmp_path / "jaeger.json"
    body = shared_lymer.http.get(f"{shared_lymer.query_url}/api/traces/{trace_id}").text
    jaeger.write_text(body.replace(trace_id, "f" * 32).replace("web-shop", "file-shop"))
    span = {"traceId": "e" * 32, "spanId": "1" * 16, "name": "from a line"}
    span |= {"startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000500000000"}
    lines = tmp_path / "otlp.jsonl"
    lines.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n")
    broken = tmp_path / "broken.json"
    broken.write_text('{"data": [')
    page.goto(f"{shared_lymer.query_url}/search")
    page.get_by_role("tab", name="Open a file").click()
    page.locator("input[type=file]").set_input_files([jaeger, lines, broken])
    expect(page.get_by_text("line 1 cannot be read")).to_be_visible()
    expect(page.get_by_role("heading", name="2 traces")).to_be_visible()
    page.locator(f'a[href*="{"f" * 32}"]').first.click()
    expect(page.get_by_role("heading", name="file-shop GET /basket")).to_be_visible()
    page.get_by_role("textbox", name="Find in trace").fill("shop.step=a5")
    expect(page.get_by_text("1 / 1")).to_be_visible()
    page.locator(".ly-span", has_text="SELECT prices").click()

    expect(page.get_by_role("rowheader", name="card.brand")).to_be_visible()


def test_results_are_saved(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """All traces of a list are saved in one file, which can be opened again."""
    page.goto(f"{shared_lymer.query_url}/search?traceID={trace_id}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download these traces").click()
    saved = json.loads(download.value.path().read_text())

    assert [len(trace["spans"]) for trace in saved["data"]] == [7]


def test_who_calls_whom(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """The architecture in layers, by forces and as a table; around one service."""
    assert trace_id
    page.goto(f"{shared_lymer.query_url}/dependencies?service=till&depth=1&lookback=1h")
    shop = page.get_by_role("button", name=re.compile("^web-shop, Service"))
    expect(shop).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^basket-service, Service"))).to_have_count(0)
    page.get_by_text("Forces", exact=True).click()
    shop.click()
    expect(page.get_by_role("complementary", name="web-shop")).to_contain_text("till")
    page.get_by_text("Table", exact=True).click()

    expect(page.get_by_role("row", name=re.compile("web-shop till"))).to_be_visible()


def test_embedded_in_another_page(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """`uiEmbed=v0` leaves out the frame and what its switches name; links stay embedded."""
    page.goto(
        f"{shared_lymer.query_url}/search?service=web-shop&lookback=1h&uiEmbed=v0&uiSearchHideGraph=1&uiTheme=dark"
    )
    link = page.locator(f'a[href*="{trace_id}"]').first
    expect(link).to_have_attribute("href", re.compile("uiEmbed=v0"))
    expect(page.locator("header.ly-top, form, .ly-plot")).to_have_count(0)
    expect(page.locator("html")).to_have_attribute("data-scheme", "dark")
    switches = "uiTimelineCollapseTitle=1&uiTimelineHideMinimap=1&uiTimelineHideSummary=1"
    open_trace(page, shared_lymer, trace_id, f"?uiEmbed=v0&{switches}")

    expect(page.locator("h1, .ly-minimap, .ly-facts")).to_have_count(0)
    expect(page.get_by_role("link", name="Open in Lymer")).to_have_attribute(
        "href", f"/trace/{trace_id}"
    )


def test_what_cannot_be_loaded_is_said_and_offered_again(
    browser: Browser, shared_lymer: Lymer, trace_id: str
) -> None:
    """Without a connection the form and the details say so in words, and try again on demand."""
    with visit(browser, Look(language="ko-KR")) as visited:
        page = visited.page
        page.route("**/api/services", lambda route: route.abort())
        for part in ("spans/**", "findings", "search/heatmap*", "search/check*"):
            page.route(f"**/{part}", lambda route: route.abort())
        page.goto(f"{shared_lymer.query_url}/search?service=web-shop&lookback=1h")
        expect(page.get_by_text("서비스 목록을 불러오지 못했습니다.")).to_be_visible()
        expect(page.get_by_text("서버에 연결할 수 없습니다").first).to_be_visible()
        # Services, the question and the heatmap: each says so and is asked for again.
        expect(page.get_by_role("alert").get_by_role("button", name="다시 시도")).to_have_count(3)
        page.goto(f"{shared_lymer.query_url}/trace/{trace_id}?span={SPAN}")
        details = page.get_by_role("alert").filter(has_text="상세 정보를 불러오지 못했습니다")
        expect(details).to_be_visible()
        expect(page.get_by_text("눈여겨볼 점을 불러오지 못했습니다")).to_be_visible()
        page.unroute("**/spans/**")
        details.get_by_role("button", name="다시 시도").click()
        expect(page.get_by_role("rowheader", name="card.brand")).to_be_visible()


def test_a_trace_is_archived(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """By the button, which then says so and offers it no more."""
    open_trace(page, shared_lymer, trace_id)
    button = page.get_by_role("button", name="Keep in the archive")
    button.click()

    expect(page.get_by_role("status").filter(has_text="Kept in the archive")).to_be_visible()
    expect(button).to_be_disabled()


def test_a_trace_is_looked_up_by_its_id(shared_lymer: Lymer, page: Page, trace_id: str) -> None:
    """The box in the top bar opens a trace, however the id is written."""
    page.goto(f"{shared_lymer.query_url}/search")
    box = page.get_by_role("textbox", name="Look up a trace by its id")
    box.fill(trace_id.upper())
    box.press("Enter")

    expect(page.get_by_role("heading", name="web-shop GET /basket")).to_be_visible()


def test_a_site_has_its_own_menus_and_links(
    new_lymer: Callable[..., Lymer], browser: Browser, tmp_path: Path
) -> None:
    """Jaeger's settings file, as a script and below a base path, makes menus and links."""
    settings = {
        "menu": [{"label": "Team", "items": [{"label": "Wiki", "url": "https://wiki.example"}]}],
        "linkPatterns": [
            {"type": "tags", "key": "card.brand", "url": "https://cards.example/#{card.brand}"},
            {"type": "traces", "url": "https://logs.example/#{trace.traceID}", "text": "Logs"},
        ],
        "monitor": {"menuEnabled": False},
    }
    script = tmp_path / "ui.js"
    script.write_text(f"function UIConfig() {{ return {json.dumps(settings)}; }}")
    lymer = new_lymer(LYMER__QUERY__UI_CONFIG_FILE=str(script), LYMER__QUERY__BASE_PATH="/tracing")
    lymer.start()
    trace_id = send_shop(lymer, clock.unix_nano() - 1_000_000_000, base_path="/tracing")
    with visit(browser, Look()) as visited:
        page = visited.page
        page.goto(f"{lymer.query_url}/tracing/trace/{trace_id}?span={SPAN}")
        expect(page.get_by_role("link", name="https://cards.example/heron")).to_be_visible()
        page.get_by_role("button", name="Links", exact=True).click()
        expect(page.get_by_role("menuitem", name="Logs")).to_have_attribute(
            "href", f"https://logs.example/{trace_id}"
        )
        page.keyboard.press("Escape")
        page.get_by_role("button", name="More links").click()
        expect(page.get_by_role("menuitem", name="Wiki")).to_be_visible()
        expect(page.get_by_role("link", name="Monitor")).to_have_count(0)
        assert visited.complaints == []
