"""What shows why, in a browser: the query bar, the heatmap, incidents, the live map."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.lymer_process import Lymer, lymer_environment, poll
from e2e.otlp import new_trace_id
from e2e.web import Look, faults, open_browser, send_shop, visit
from lymer import clock
from make import START, make_request, make_span, trace_hex

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

LOOKS: Final = [
    Look(390, "light", "ko-KR"),
    Look(390, "dark", "en-US"),
    Look(1280, "dark", "ko-KR"),
    Look(1280, "light", "en-US"),
]
PHONE_KO: Final = LOOKS[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for all tests of this file."""
    with open_browser() as opened:
        yield opened


def plant(lymer: Lymer, kind: str, seed: int) -> dict[str, Any]:
    """Send an incident, as a user does; return what is true."""
    truth = lymer.folder / f"truth-{kind}-{seed}.json"
    subprocess.run(
        [
            *(sys.executable, "-m", "lymer", "generate", "--incident", kind, "--seed", str(seed)),
            *("--endpoint", lymer.otlp_http_url.removesuffix("/v1/traces"), "--truth", str(truth)),
        ],
        check=True,
        env=lymer_environment(),
        stdout=subprocess.DEVNULL,
        timeout=120,
    )
    known: dict[str, Any] = json.loads(truth.read_text())
    return known


@pytest.fixture(scope="module")
def incident() -> Iterator[tuple[Lymer, dict[str, Any]]]:
    """A Lymer of its own with a bad version in it, and what is true."""
    folder = Path(tempfile.mkdtemp(prefix="lymer-why-"))
    lymer = Lymer(folder)
    try:
        lymer.start()
        yield lymer, plant(lymer, "bad-version", 5)
    finally:
        lymer.close()
        shutil.rmtree(folder, ignore_errors=True)


def parameters(page: Page) -> dict[str, list[str]]:
    """Return what stands in the address."""
    return parse_qs(urlsplit(page.url).query)


def is_for_everybody(page: Page) -> None:
    """No fault that axe knows, and nothing sticks out."""
    page.wait_for_load_state("networkidle")
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")


QUESTION: Final = '{ resource.service.name = "payment" && duration > 10ms }'


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_question_is_written_with_completion(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser, look: Look
) -> None:
    """Keys, operators and values are offered; Enter asks; everything stands in the address."""
    lymer, _ = incident
    ko = look.language == "ko-KR"
    with visit(browser, look) as visited:
        page = visited.page
        page.goto(f"{lymer.query_url}/search?service=payment&lookback=1h")
        bar = page.get_by_label("검색 언어로 쓴 질의" if ko else "Question in the search language")
        expect(bar).to_have_value('{ resource.service.name = "payment" }')
        bar.fill("")
        bar.press_sequentially("{ resource.service.v")
        options = page.get_by_role("option")
        expect(options.filter(has_text="resource.service.version")).to_be_visible()
        bar.press("ArrowDown")
        bar.press("Enter")
        expect(bar).to_have_value("{ resource.service.version ")
        expect(options.filter(has_text="!=")).to_be_visible()
        bar.press_sequentially("= ")
        expect(options.filter(has_text="1.4.2")).to_be_visible()
        is_for_everybody(page)
        assert (
            page.locator(".ly-query-fault").evaluate("e => getComputedStyle(e).clipPath") != "none"
        )
        if look.width < 500:
            box = page.get_by_role("listbox").bounding_box()
            assert box is not None
            assert box["width"] > look.width - 40
        options.filter(has_text="1.4.2").click()
        expect(bar).to_have_value('{ resource.service.version = "1.4.2" ')
        expect(options.filter(has_text="&&")).to_be_visible()
        bar.press_sequentially("}")
        bar.press("Enter")
        page.wait_for_url("**q=*")
        assert parameters(page)["q"] == ['{ resource.service.version = "1.4.2" }']
        expect(page.locator("main a[href*='/trace/']").first).to_be_visible()
        # A click on a trace marks the spans that matched.
        assert "uiFind=" in str(page.locator("main a[href*='/trace/']").first.get_attribute("href"))
        is_for_everybody(page)
        page.go_back()
        expect(bar).to_have_value('{ resource.service.name = "payment" }')


@pytest.mark.parametrize("look", [PHONE_KO, LOOKS[3]], ids=str)
def test_what_is_wrong_is_underlined_with_a_hint(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser, look: Look
) -> None:
    """At its place, before it is asked."""
    lymer, _ = incident
    with visit(browser, look) as visited:
        page = visited.page
        page.goto(f"{lymer.query_url}/search?service=payment&lookback=1h")
        bar = page.locator(".ly-query-text")
        bar.fill("{ service = 3 }")
        expect(page.locator(".ly-query-under mark")).to_have_text("service")
        fault = page.locator(".ly-query-fault")
        expect(fault).to_contain_text("3번째 글자" if look is PHONE_KO else "From character 3")
        expect(fault).to_contain_text("혹시" if look is PHONE_KO else "did you mean")
        expect(bar).to_have_attribute("aria-invalid", "true")
        is_for_everybody(page)
        bar.fill("{ .service = 3 }")
        expect(page.locator(".ly-query-under mark")).to_have_count(0)
        # It is the same bar where differences are looked for, and no question asks for everything.
        page.goto(f"{lymer.query_url}/diagnose?view=different&q={quote('{ status = error }')}")
        bar.fill("{ kin")
        expect(page.get_by_role("option").filter(has_text="kind").first).to_be_visible()
        expect(page.locator(".ly-query-under mark")).to_have_text("kin")
        bar.fill("")
        bar.press("Enter")
        page.wait_for_url("**/diagnose?view=different")


def test_form_and_language_lead_to_each_other(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser
) -> None:
    """One click each way, and Back undoes it; what the form cannot ask is not bent into it."""
    lymer, _ = incident
    with visit(browser, Look()) as visited:
        page = visited.page
        address = f"{lymer.query_url}/search?service=payment&minDuration=10ms&lookback=1h"
        page.goto(address)
        expect(page.locator("main a[href*='/trace/']").first).to_be_visible()
        page.get_by_role("button", name="As a question").click()
        asked = '{ resource.service.name = "payment" && duration >= 10ms }'
        page.wait_for_url("**q=*")
        assert parameters(page)["q"] == [asked]
        assert "service" not in parameters(page)
        expect(page.get_by_label("Min duration")).to_have_value("10ms")
        page.get_by_role("button", name="To the form").click()
        page.wait_for_url("**service=payment*")
        assert "q" not in parameters(page)
        page.go_back()
        expect(page.locator(".ly-query-text")).to_have_value(asked)
        page.go_back()
        assert page.url == address
        page.goto(f"{lymer.query_url}/search?q={quote('{ } >> { status = error }')}&lookback=1h")
        expect(page.get_by_role("button", name="The form cannot ask this")).to_be_disabled()
        # Structure, and what only a whole trace knows, find traces like any other question.
        above = '{ resource.service.name = "gateway" } >> { resource.service.name = "payment" }'
        for asked in (above, "{ traceDuration > 1ms } | count() > 2"):
            page.goto(f"{lymer.query_url}/search?q={quote(asked)}&lookback=1h&limit=5")
            expect(page.locator("main a[href*='/trace/']").first).to_be_visible(timeout=60_000)


def test_questions_are_remembered_and_kept(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser
) -> None:
    """The recent ones by themselves, others on request; in this browser only."""
    lymer, _ = incident
    with visit(browser, Look()) as visited:
        page = visited.page
        page.goto(f"{lymer.query_url}/search?lookback=1h")
        bar = page.locator(".ly-query-text")
        bar.fill(QUESTION)
        bar.press("Enter")
        page.wait_for_url("**q=*")
        page.get_by_role("button", name="Save this question").click()
        bar.fill("{ status = error }")
        bar.press("Escape")
        bar.press("Enter")
        expect(page.locator(".ly-results-bar h2")).to_be_visible()
        page.reload()
        page.get_by_role("button", name="Recent and saved questions").click()
        is_for_everybody(page)
        expect(page.get_by_role("group", name="Saved").get_by_role("menuitem")).to_have_text(
            [QUESTION]
        )
        page.get_by_role("group", name="Recent").get_by_role("menuitem", name=QUESTION).click()
        expect(bar).to_have_value(QUESTION)
        assert parameters(page)["q"] == [QUESTION]


@pytest.mark.parametrize("look", [PHONE_KO, LOOKS[3]], ids=str)
def test_numbers_over_time_are_drawn_and_told(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser, look: Look
) -> None:
    """A metric question is a chart and a table with the same lines."""
    lymer, _ = incident
    question = "{ } | quantile_over_time(duration, 0.95) by (resource.service.name)"
    with visit(browser, look) as visited:
        page = visited.page
        page.goto(f"{lymer.query_url}/search?q={quote(question)}&lookback=15m")
        table = page.get_by_role("table")
        expect(table.get_by_role("rowheader", name="payment")).to_be_visible()
        expect(table.get_by_role("row").nth(1)).to_contain_text("ms")
        expect(page.locator(".ly-chart-box canvas").first).to_be_attached()
        is_for_everybody(page)
        assert visited.complaints == []


def whole_map(page: Page) -> None:
    """Wait until the heatmap shows the seven minutes of the incident, and nothing else."""
    page.locator(".ly-heat-box").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    expect(page.locator(".ly-heat-frame")).to_have_attribute("aria-busy", "false")


def brush(page: Page, left: float, top: float, right: float, bottom: float) -> None:
    """Drag over a part of the heatmap; parts of its width and height."""
    place = page.locator(".ly-heat-box").bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + place["width"] * left, place["y"] + place["height"] * top)
    page.mouse.down()
    for part in (0.5, 1.0):
        page.mouse.move(
            place["x"] + place["width"] * (left + (right - left) * part),
            place["y"] + place["height"] * (top + (bottom - top) * part),
        )
    page.mouse.up()


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_part_of_the_heatmap_says_what_is_different(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser, look: Look
) -> None:
    """The planted version comes first; it narrows the question; Back undoes each step."""
    lymer, truth = incident
    ko = look.language == "ko-KR"
    with visit(browser, look) as visited:
        page = visited.page
        address = f"{lymer.query_url}/search?service={truth['service']}&lookback=1h"
        page.goto(address)
        whole_map(page)
        brush(page, 0.72, 0.02, 0.97, 0.5)
        page.wait_for_url("**box=*")
        panel = page.get_by_role("region", name="무엇이 다른가" if ko else "What is different")
        first = panel.get_by_role("article").first
        expect(first).to_contain_text(truth["attribute"])
        expect(first.get_by_role("heading")).to_contain_text(truth["value"])
        # Its distribution has the other version, too.
        expect(first.get_by_role("rowheader")).to_have_count(2)
        is_for_everybody(page)
        assert str(first.get_by_role("link").get_attribute("href")).startswith("/trace/")
        first.get_by_role("button", name="이것만 보기" if ko else "Only these").click()
        page.wait_for_url("**q=*")
        asked = parameters(page)["q"][0]
        assert f'resource.{truth["attribute"]} = "{truth["value"]}"' in asked
        assert "box" not in parameters(page)
        expect(page.locator(".ly-query-text")).to_have_value(asked)
        page.go_back()
        expect(first.get_by_role("heading")).to_contain_text(truth["value"])
        page.go_back()
        assert page.url == address
        expect(panel).to_have_count(0)
        assert visited.complaints == []


@pytest.mark.parametrize("is_own", [True, False], ids=["its own", "a callee's"])
def test_a_finding_narrows_to_the_spans_it_counts(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser, *, is_own: bool
) -> None:
    """Only these are as many as the panel counts; without them, those that lack the key stay."""
    lymer, truth = incident
    start, end = (truth[f"{side}_unix_nano"] // 1000 for side in ("start", "end"))
    if not is_own:
        end = start + 40_000_000  # whole traces are looked at
    within = {"start": start - 900_000_000 if is_own else start, "end": end}
    service = truth["service"] if is_own else "gateway"
    asked = f'{{ resource.service.name = "{service}" }}'
    box = {"windowStart": start, "windowEnd": end, "minDuration": "20ms", "maxDuration": "1h"}

    def get(path: str, **parameters: object) -> Any:
        return lymer.http.get(
            lymer.query_url + path, params={**within, **parameters}, timeout=60
        ).json()

    def counted(question: str) -> int:
        return sum(get("/api/search/heatmap", q=question, columns=20)["spans"])

    told = get("/api/lymer/v1/diagnosis/explain", q=asked, **box)
    finding = next(one for one in told["findings"] if one["value"] == truth["value"])
    assert (finding["own"] == finding["support"]) == is_own
    with visit(browser, Look()) as visited:
        page = visited.page
        page.goto(
            f"{lymer.query_url}/search?q={quote(asked)}&lookback=custom&start={within['start']}"
            f"&end={within['end']}&box={start}-{end},20000000-3600000000000"
        )
        panel = page.get_by_role("region", name="What is different")
        first = panel.get_by_role("article").filter(
            has=page.get_by_role("heading", name=truth["value"])
        )
        expect(first).to_be_visible(timeout=60_000)
        found = []
        for name in ("Only these", "Without"):
            before = page.url
            first.get_by_role("button", name=name).first.click()
            expect(page).not_to_have_url(before)
            found.append(counted(parameters(page)["q"][0]))
            page.go_back()
            expect(first).to_be_visible(timeout=60_000)
    assert sum(found) == counted(asked)
    # Where the spans have it themselves, those of the panel's durations are those it counts.
    assert found[0] >= finding["support"]
    if is_own and told["sample"]["spans"] == told["sample"]["ofSpans"]:
        key = f'resource.{finding["key"]} = "{finding["value"]}"'
        slow = f'{{ resource.service.name = "{service}" && {key} && duration >= 20ms }}'
        assert counted(slow) == finding["support"]


def test_the_heatmap_is_marked_by_keys(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser
) -> None:
    """Arrows move, Shift marks, Enter asks, Escape clears; what is marked is said."""
    lymer, truth = incident
    with visit(browser, Look()) as visited:
        page = visited.page
        page.goto(f"{lymer.query_url}/search?service={truth['service']}&lookback=1h")
        whole_map(page)
        heat = page.locator(".ly-heat-box")
        heat.focus()
        heat.press("ArrowUp")
        expect(heat.get_by_role("status")).to_contain_text("span")
        for _ in range(12):
            heat.press("Shift+ArrowLeft")
        heat.press("Shift+ArrowDown")
        heat.press("Enter")
        page.wait_for_url("**box=*")
        expect(page.get_by_role("region", name="What is different")).to_be_visible()
        heat.press("Escape")
        expect(page.get_by_role("region", name="What is different")).to_have_count(0)
        assert "box" not in parameters(page)


def test_the_slowest_the_failed_and_a_group_are_one_click(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser
) -> None:
    """By buttons, for who does not drag; a group is a chart; a part alone is a question."""
    lymer, truth = incident
    with visit(browser, Look(390)) as visited:
        page = visited.page
        page.goto(f"{lymer.query_url}/search?service={truth['service']}&lookback=1h")
        whole_map(page)
        page.get_by_role("button", name="Slowest 5 %").tap()
        page.wait_for_url("**box=*")
        cards = page.get_by_role("region", name="What is different").get_by_role("article")
        first = cards.filter(has=page.get_by_role("heading", name=truth["value"]))
        first.get_by_role("button", name="Over time by this").tap()
        page.wait_for_url("**rate*")
        expect(page.get_by_role("rowheader", name=truth["value"])).to_be_visible()
        page.go_back()
        page.get_by_role("button", name="Only this part").tap()
        page.wait_for_url("**duration*")
        assert parameters(page)["lookback"] == ["custom"]
        expect(page.locator("main a[href*='/trace/']").first).to_be_visible()
        page.go_back()
        page.get_by_role("button", name="Failed ones").tap()
        page.wait_for_url("**failed=1*")
        expect(page.get_by_role("region", name="What is different")).to_be_visible()


def test_a_brush_is_made_with_a_finger(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser
) -> None:
    """Across it marks, up and down still scrolls the page."""
    lymer, truth = incident
    with visit(browser, Look(390)) as visited:
        page = visited.page
        page.goto(f"{lymer.query_url}/search?service={truth['service']}&lookback=1h")
        whole_map(page)
        heat = page.locator(".ly-heat-box")
        heat.scroll_into_view_if_needed()
        place = heat.bounding_box()
        assert place is not None
        assert heat.evaluate("e => getComputedStyle(e).touchAction") == "pan-y"
        touch = page.context.new_cdp_session(page)
        at = [
            {"x": place["x"] + place["width"] * part, "y": place["y"] + place["height"] * high}
            for part, high in ((0.72, 0.1), (0.8, 0.12), (0.9, 0.3), (0.95, 0.5))
        ]
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at[0]]})
        for point in at[1:]:
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_url("**box=*")
        first = page.get_by_role("region", name="What is different").get_by_role("article").first
        expect(first).to_contain_text(truth["value"])


def around(truth: dict[str, Any]) -> str:
    """Return the parameter that ends a range at the incident's end."""
    return f"end={truth['end_unix_nano'] // 1000 + 1_000_000}"


@pytest.mark.parametrize("look", [PHONE_KO, LOOKS[2]], ids=str)
def test_every_page_that_shows_why_is_for_everybody(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser, look: Look
) -> None:
    """Cause on its line of time, profile against before, two sets, exceptions, map, live."""
    lymer, truth = incident
    last = around(truth)
    pages = {
        f"/diagnose?last=15m&{last}": (".ly-changeline-window", truth["service"]),
        f"/diagnose?view=profile&last=2m&against=before&{last}": (".ly-operations .ly-row", "▲"),
        # Paths of all traces merged, and the part of each operation in their critical paths.
        f"/diagnose?view=profile&costs=-critical&last=2m&{last}": (
            ".ly-merged canvas",
            "" if look.width < 500 else "임계 경로",  # a phone has no room for the column
        ),
        f"/diagnose?view=compare&last=2m&{last}": (".ly-operations .ly-row", truth["service"]),
        f"/diagnose?view=exceptions&last=15m&{last}": (".ly-exceptions .ly-spark", "gateway"),
        f"/dependencies?lookback=1h&selected={truth['service']}": (".ly-spark", "p95"),
        "/dependencies?lookback=1h&layout=table": (".ly-table .ly-row", truth["service"]),
        "/tail": ("main .ly-query", ""),
    }
    wrong: list[str] = []
    with visit(browser, look) as visited:
        page = visited.page
        for address, (sign, text) in pages.items():
            page.goto(lymer.query_url + address)
            expect(page.locator(sign).first).to_be_attached(timeout=60_000)
            expect(page.locator("main")).to_contain_text(text)
            wrong += [f"{address}: {one}" for one in faults(page)]
            if page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
                wrong.append(f"{address}: sticks out")
        assert visited.complaints == []
        assert visited.hosts == {lymer.query_url.removeprefix("http://")}
    assert "\n".join(wrong) == ""


def test_a_span_among_its_peers_and_what_is_remarkable(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser
) -> None:
    """An example of the cause is slower than nearly all; a repeated call is one line."""
    lymer, truth = incident
    last = truth["end_unix_nano"] // 1000
    causes = lymer.http.get(
        f"{lymer.query_url}/api/lymer/v1/diagnosis/root-cause",
        params={"start": last - 900_000_000, "end": last},
    ).json()
    trace_id = causes["candidates"][0]["evidence"]["traceIds"][0]
    spans = lymer.http.get(f"{lymer.query_url}/api/traces/{trace_id}").json()["data"][0]["spans"]
    span = next(one for one in spans if one["operationName"] == "POST /charge")["spanID"]
    with visit(browser, Look()) as visited:
        page = visited.page
        page.goto(f"{lymer.query_url}/trace/{trace_id}?span={span}")
        peers = page.locator(".ly-peers")
        expect(peers).to_contain_text("Slower than")
        part = float(peers.inner_text().split("Slower than ")[1].split("%")[0])
        assert part > 90
        page.locator(".ly-remarkable summary").click()
        line = page.locator(".ly-remarkable li").first
        expect(line).to_be_visible()
        is_for_everybody(page)
        line.get_by_role("button").click()
        page.wait_for_url("**uiFind=*")
        assert visited.complaints == []


def test_repeated_calls_are_one_row(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser
) -> None:
    """A click or a key shows each; the address keeps it, Back folds again, find opens."""
    lymer, _ = incident
    trace_id = new_trace_id().hex()
    now = clock.unix_nano()
    made = [("GET /list", 0, 200), *[(f"SELECT {n % 12 // 11}", 2 + n * 3, 2) for n in range(12)]]
    spans = [
        {"traceId": trace_id, "spanId": f"{number:016x}", "name": name, "kind": 3,
         **({"parentSpanId": f"{1:016x}"} if number > 1 else {}),
         "startTimeUnixNano": str(now + start * 1_000_000),
         "endTimeUnixNano": str(now + (start + length) * 1_000_000)}
        for number, (name, start, length) in enumerate(made, 1)
    ]  # fmt: skip
    sent = lymer.http.post(
        lymer.otlp_http_url,
        json={"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": spans}]}]},
    )
    assert sent.status_code == 200
    for _ in poll(30):
        if lymer.http.get(f"{lymer.query_url}/api/traces/{trace_id}").status_code == 200:
            break
    with visit(browser, Look(390, "dark", "ko-KR")) as visited:
        page = visited.page
        page.goto(f"{lymer.query_url}/trace/{trace_id}")
        rows = page.locator(".ly-span")
        expect(rows).to_have_count(3)
        run = rows.nth(1)
        expect(run).to_contain_text("×11")
        expect(run).to_have_attribute("aria-expanded", "false")
        is_for_everybody(page)
        run.click()
        page.wait_for_url("**runs=all*")
        expect(rows).to_have_count(13)
        page.reload()
        expect(rows).to_have_count(13)
        page.go_back()
        expect(rows).to_have_count(3)
        run.press("Enter")
        expect(rows).to_have_count(13)
        page.get_by_title("같은 호출 11회: 한 줄로 접기").click()
        expect(rows).to_have_count(3)
        page.goto(f"{lymer.query_url}/trace/{trace_id}?uiFind={5:016x}")
        expect(page.locator(".ly-span[data-state~=found]")).to_have_count(1)
        expect(rows).to_have_count(13)
        assert visited.complaints == []


def test_the_palette_and_what_is_copied(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser
) -> None:
    """Ctrl+K by the place of the key goes anywhere; a copied command works."""
    lymer, truth = incident
    with visit(browser, Look()) as visited:
        page = visited.page
        page.goto(f"{lymer.query_url}/search?service={truth['service']}&lookback=1h")
        expect(page.locator("main a[href*='/trace/']").first).to_be_visible()
        page.get_by_role("button", name="Share").click()
        page.get_by_role("menuitem", name="Copy as curl").click()
        command = page.evaluate("navigator.clipboard.readText()")
        done = subprocess.run(["sh", "-c", command], capture_output=True, check=True, timeout=60)
        assert json.loads(done.stdout)["traces"]
        page.evaluate(
            "window.dispatchEvent(new KeyboardEvent('keydown', "
            "{key: 'ㅏ', code: 'KeyK', ctrlKey: true}))"
        )
        box = page.get_by_role("combobox", name="A page, a service")
        box.fill("shipping monitor")
        is_for_everybody(page)
        box.press("Enter")
        page.wait_for_url("**/monitor?service=shipping")


def test_the_map_goes_back_in_time(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser
) -> None:
    """A slider; the address keeps the instant; long before, nothing was there."""
    lymer, truth = incident
    with visit(browser, Look()) as visited:
        page = visited.page
        page.goto(f"{lymer.query_url}/dependencies?lookback=15m")
        expect(page.locator(".ly-node").first).to_be_visible()
        page.get_by_role("slider", name="Time").press("Home")
        page.wait_for_url("**end=*")
        expect(page.locator(".ly-scrubber output")).to_contain_text("Until")
        expect(page.get_by_role("heading", level=1).last).to_be_visible()
        expect(page.locator(".ly-node")).to_have_count(0)
        page.get_by_role("button", name="Until now").click()
        node = page.get_by_role("button", name=f"{truth['service']}, ")
        expect(node).to_be_visible()
        node.click()
        panel = page.get_by_role("complementary", name=truth["service"])
        expect(panel.get_by_role("img")).to_have_count(3)
        expect(panel.locator("a[href^='/trace/']").first).to_be_visible()


def test_spans_are_followed_as_they_come(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser
) -> None:
    """What is sent stands at the top, failed ones marked; a pause lets nothing through."""
    lymer, _ = incident
    with visit(browser, Look(390, "dark", "en-US")) as visited:
        page = visited.page
        question = quote('{ resource.service.name = "till" }')
        page.goto(f"{lymer.query_url}/tail?q={question}")
        expect(page.get_by_role("status").filter(has_text="following")).to_be_visible()
        send_shop(lymer, clock.unix_nano())
        row = page.get_by_role("row").filter(has_text="till charge")
        expect(row).to_be_visible(timeout=60_000)
        expect(row.locator(".ly-error-mark")).to_be_attached()
        expect(page.get_by_role("row").filter(has_text="basket")).to_have_count(0)
        is_for_everybody(page)
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("status").filter(has_text="paused")).to_be_visible()
        row.get_by_role("link").click()
        page.wait_for_url("**/trace/*")


def test_fifty_thousand_spans_are_read_to_the_last(
    incident: tuple[Lymer, dict[str, Any]], browser: Browser
) -> None:
    """Few of them are rows at a time; the last is a key away, and find goes to any."""
    lymer, _ = incident
    trace, late = 0x5F5F, clock.unix_nano() - START - 60 * 10**9
    for first in range(1, 50_001, 25_000):
        spans = [
            make_span(
                trace, number, number // 5, name=f"step{number}", offset_nano=late + number * 1_000
            )
            for number in range(first, first + 25_000)
        ]
        sent = lymer.http.post(
            lymer.otlp_http_url,
            content=make_request(*spans).SerializeToString(),
            headers={"Content-Type": "application/x-protobuf"},
        )
        assert sent.status_code == 200
    steps = f"{lymer.query_url}/api/lymer/v1/traces/{trace_hex(trace)}/find?text=step"
    for _ in poll(60):
        found = lymer.http.get(steps)
        if found.status_code == 200 and found.json()["spanCount"] == 50_000:
            break
    with visit(browser, Look()) as visited:
        page = visited.page
        page.goto(f"{lymer.query_url}/trace/{trace_hex(trace)}")
        rows = page.locator(".ly-span")
        expect(rows.first).to_contain_text("step1")
        expect(page.get_by_text("50,000").first).to_be_visible()
        assert rows.count() < 200
        page.get_by_role("textbox", name="Find in trace").fill("step49999")
        expect(page.locator(".ly-span[data-state~=found]")).to_have_count(1)
        # A script's focus is no key: the grid takes keys from who came by Tab.
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('.ly-span')"):
                break
        page.keyboard.press("End")
        expect(page.locator(".ly-span:focus")).to_contain_text("step15624")
