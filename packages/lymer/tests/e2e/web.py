"""Helpers of the browser tests: Chromium, made-up shop traces, and what axe says of a page."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import pytest
from jsonschema_rs import validator_for
from playwright.sync_api import Browser, Page, Request, Response, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from e2e.lymer_process import SEARCHABLE_SECONDS_MAX, Lymer, poll
from e2e.otlp import new_trace_id
from lymer.api.openapi import document

__all__ = ["Look", "Visit", "faults", "open_browser", "send_shop", "visit"]

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
AXE: Final = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
DOCUMENT: Final = document()
MILLISECOND: Final = 1_000_000


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start the machine's own Chromium; without one a test is skipped, which fails in CI."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip("no Chromium on this machine: the web interface is untested")
    expect.set_options(timeout=20_000)  # the machine may be busy
    with sync_playwright() as playwright:
        # Chromium refuses to run as root inside its own sandbox; the pages are ours alone.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody looks at a page."""

    width: int = 1280
    scheme: Literal["light", "dark"] = "light"
    language: str = "en-US"

    def __str__(self) -> str:
        """Name the look for the report of a test."""
        return f"{self.width}-{self.scheme}-{self.language}"


@dataclass(slots=True)
class Visit:
    """One page of a browser, and what the browser complained about meanwhile."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    """Hosts that something was asked of."""


@contextmanager
def visit(browser: Browser, look: Look) -> Iterator[Visit]:
    """Open a page of its own."""
    phone = look.width < 500
    context = browser.new_context(
        locale=look.language,
        color_scheme=look.scheme,
        viewport={"width": look.width, "height": 844 if phone else 900},
        has_touch=phone,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    made = Visit(page)

    def note(message: object) -> None:
        if getattr(message, "type", "error") == "error":
            made.complaints.append(str(getattr(message, "text", message)))

    page.on("console", note)
    page.on("pageerror", note)

    def hold(request: Request) -> None:
        # An answer that nobody waits for any more is gone with its page.
        with contextlib.suppress(PlaywrightError):
            response = request.response()
            kind = response.headers.get("content-type", "") if response and response.ok else ""
            if response and "application/json" in kind:
                made.complaints.extend(_misfits(response))

    page.on("request", lambda request: made.hosts.add(request.url.split("/")[2]))
    page.on("requestfinished", hold)
    yield made
    context.close()


def _misfits(response: Response) -> list[str]:
    """Return how an answer differs from what the OpenAPI document says of it."""
    path = urlsplit(response.url).path
    method = response.request.method.lower()
    for template, operations in DOCUMENT["paths"].items():
        if method in operations and re.fullmatch(
            ".*" + re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path
        ):
            content = operations[method]["responses"]["200"]["content"]
            schema = content.get("application/json", {}).get("schema", {})
            whole = {**schema, "components": DOCUMENT["components"]}
            found = validator_for(whole).iter_errors(json.loads(response.body()))
            return [f"{path}: {one.message} at {one.instance_path}" for one in found]
    return []


def faults(page: Page) -> list[str]:
    """Return everything axe finds on the page as it is, of any impact."""
    if not AXE.is_file():
        pytest.fail("axe-core is not installed: run npm ci in packages/lymer/ui")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{fault['impact']} {fault['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for fault in result["violations"]
        for node in fault["nodes"][:3]
    ]


def _attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


# Each span: id, parent, service, name, start and duration in milliseconds, kind, failed.
_SHOP: Final = (
    ("a1", "", "web-shop", "GET /basket", 0, 120, 2, False),
    ("a2", "a1", "web-shop", "render a basket, in words longer than a column", 2, 30, 1, False),
    ("a3", "a1", "basket-service", "load basket", 10, 70, 3, False),
    ("a4", "a3", "basket-service", "SELECT basket", 20, 15, 3, False),
    ("a5", "a3", "basket-service", "SELECT prices", 40, 30, 3, True),
    ("a6", "a1", "till", "charge", 85, 30, 3, True),
    ("a7", "a6", "till", "instant", 90, 0, 1, False),
)  # fmt: skip


def send_shop(
    lymer: Lymer, start_unix_nano: int, *, extra: bool = False, base_path: str = ""
) -> str:
    """Send one trace of three services and return its id; `extra` gives it one span more."""
    trace_id: str = new_trace_id().hex()
    rows = [*_SHOP, ("a8", "a6", "till", "print receipt", 100, 8, 1, False)] if extra else _SHOP
    by_service: dict[str, list[dict[str, Any]]] = {}
    for span, parent, service, name, start, length, kind, failed in rows:
        begin = start_unix_nano + start * MILLISECOND
        made = {
            "traceId": trace_id,
            "spanId": span.rjust(16, "0"),
            "name": name,
            "kind": kind,
            "startTimeUnixNano": str(begin),
            "endTimeUnixNano": str(begin + length * MILLISECOND),
            "attributes": [_attribute("card.brand", "heron"), _attribute("shop.step", span)],
        }
        if parent:
            made["parentSpanId"] = parent.rjust(16, "0")
        if failed:
            made["status"] = {"code": 2}
        if span == "a6":
            made["attributes"] += [_attribute("help", "https://help.example/charge")]
            made["links"] = [{"traceId": trace_id, "spanId": "a4".rjust(16, "0")}]
            made["events"] = [
                {
                    "name": f"try {number}",
                    "timeUnixNano": str(begin + number * 1000),
                    "attributes": [_attribute("why", "no answer yet, " * 30)] * (number < 3),
                }
                for number in range(300)
            ]
        by_service.setdefault(service, []).append(made)
    body = {
        "resourceSpans": [
            {
                "resource": {"attributes": [_attribute("service.name", service)]},
                "scopeSpans": [{"spans": spans}],
            }
            for service, spans in by_service.items()
        ]
    }
    response = lymer.http.post(lymer.otlp_http_url, json=body)
    assert response.status_code == 200
    address = f"{lymer.query_url}{base_path}/api/traces/{trace_id}"
    for _ in poll(SEARCHABLE_SECONDS_MAX):
        answer = lymer.http.get(address)
        if answer.status_code == 200 and len(answer.json()["data"][0]["spans"]) == len(rows):
            return trace_id
    pytest.fail(f"the trace {trace_id} was not stored")
