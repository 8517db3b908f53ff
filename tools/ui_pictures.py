"""Write docs/images: every page of the interface, in each width, theme and language.

Usage: `lymer` and `lymer demo` running for some minutes, then
`.venv/bin/python tools/ui_pictures.py http://localhost:16686`. Needs Chromium. One sheet for each
look holds all pages, so that they stay below 1.5 MB together; a few pages are shown large too.
"""

from __future__ import annotations

import base64
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
LOOKS = (
    (390, "light", "ko"),
    (390, "dark", "en"),
    (1280, "light", "en"),
    (1280, "dark", "ko"),
    (1920, "light", "ko"),
    (1920, "dark", "en"),
)
LARGE = {
    (1280, "light", "en", "search"): "search",
    (1280, "light", "en", "trace"): "trace",
    (1280, "light", "en", "flame"): "flame",
    (1280, "light", "en", "compare"): "compare",
    (1280, "dark", "ko", "statistics"): "statistics-ko-dark",
    (390, "light", "ko", "trace"): "phone-ko",
}
"""Which pages are shown large, and the names of their files."""
SHEET_PX = 1800
QUALITY = 0.55
DRAW = """async ([pictures, columns, width, quality]) => {
  const images = await Promise.all(pictures.map(async (data) => {
    const image = new Image();
    image.src = data;
    await image.decode();
    return image;
  }));
  const scale = Math.min(1, width / columns / images[0].width);
  const [w, h] = [images[0].width * scale, images[0].height * scale];
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(columns * (w + 6));
  canvas.height = Math.round(Math.ceil(images.length / columns) * (h + 6));
  const context = canvas.getContext("2d");
  context.fillStyle = "#888";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  images.forEach((image, at) =>
    context.drawImage(image, (at % columns) * (w + 6), Math.floor(at / columns) * (h + 6), w, h));
  return canvas.toDataURL("image/webp", quality);
}"""


def pages(address: str) -> dict[str, str]:
    """Return the pages, with the two traces of the demo that have most spans."""
    asked = {"service": "frontend", "limit": 50, "lookback": "6h"}
    found: list[Any] = httpx.get(f"{address}/api/traces", params=asked, timeout=60).json()["data"]
    a, b = (one["traceID"] for one in sorted(found, key=lambda one: -len(one["spans"]))[:2])
    return {
        "search": "/search?service=frontend&lookback=1h",
        "search-list": "/search?service=frontend&lookback=1h&view=list",
        "trace": f"/trace/{a}",
        "detail": f"/trace/{a}?uiFind=authorize",
        "graph": f"/trace/{a}?view=graph",
        "statistics": f"/trace/{a}?view=statistics",
        "spans": f"/trace/{a}?view=spans",
        "flame": f"/trace/{a}?view=flame",
        "events": f"/trace/{a}?view=logs",
        "json": f"/trace/{a}?view=json",
        "compare": f"/trace/{a}...{b}?cohort={a}&cohort={b}",
        "compare-table": f"/trace/{a}...{b}?view=table",
        "architecture": "/dependencies?lookback=1h",
        "architecture-force": "/dependencies?layout=force&lookback=1h",
        "architecture-table": "/dependencies?layout=table&lookback=1h",
        "paths": "/deep-dependencies?service=payment&showOp=1&lookback=1h",
        "monitor": "/monitor?service=frontend&timeframe=900000",
        "quality": "/quality-metrics?service=frontend",
        "diagnosis": "/diagnose",
        "diagnosis-different": "/diagnose?view=different&slowest=5%25",
        "diagnosis-profile": "/diagnose?view=profile",
        "diagnosis-changes": "/diagnose?view=changes",
    }


def picture(page: Page, address: str) -> str:
    """Return a page as it is once it is drawn."""
    page.goto(address)
    page.wait_for_load_state("networkidle", timeout=60_000)
    page.wait_for_timeout(400)
    return "data:image/png;base64," + base64.b64encode(page.screenshot()).decode()


def write(name: str, data: str) -> None:
    """Write a picture that the browser made."""
    (IMAGES / f"{name}.webp").write_bytes(base64.b64decode(data.partition(",")[2]))


def sheet(browser: Browser, address: str, look: tuple[int, str, str]) -> None:
    """Write the sheet of one look, and what is shown large of it."""
    width, scheme, language = look
    phone = width < 500
    context = browser.new_context(
        locale=f"{language}-{'KR' if language == 'ko' else 'US'}",
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 844 if phone else width * 5 // 8},
    )
    page = context.new_page()
    taken = {name: picture(page, address + path) for name, path in pages(address).items()}
    page.goto("about:blank")
    shown = [list(taken.values()), 8 if phone else 4, SHEET_PX, QUALITY]
    write(f"pages-{width}-{scheme}-{language}", page.evaluate(DRAW, shown))
    for name, data in taken.items():
        if file := LARGE.get((*look, name)):
            write(file, page.evaluate(DRAW, [[data], 1, width, 0.7]))
    context.close()


def main(address: str) -> None:
    """Write all of them."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        for look in LOOKS:
            sheet(browser, address.rstrip("/"), look)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
