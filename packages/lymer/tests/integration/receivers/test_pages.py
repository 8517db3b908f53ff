"""What pages of other origins may not do, and senders that take for ever."""

from __future__ import annotations

import asyncio

import pytest

from lymer.transport.cors import CorsOptions, refusing_foreign_pages


async def _status(origins: tuple[str, ...], **headers: str) -> int:
    statuses = []

    async def app(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 202})  # type: ignore[operator]

    async def send(message: object) -> None:
        statuses.append(message.get("status"))  # type: ignore[attr-defined]

    guarded = refusing_foreign_pages(app, CorsOptions(origins, (), 0))
    sent = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    await guarded({"type": "http", "headers": sent}, asyncio.Event().wait, send)  # type: ignore[arg-type]
    return int(statuses[0])


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "text/plain;charset=UTF-8", "multipart/form-data"]
)
async def test_a_foreign_page_sends_nothing_without_a_preflight(kind: str) -> None:
    """Whatever a browser lets it: text, a form, no type at all."""
    foreign = {"origin": "http://evil", "host": "localhost:9411", "content_type": kind}
    assert await _status((), **foreign) == 403
    assert await _status(("http://good",), **foreign) == 403
    assert await _status(("http://evil",), **foreign) == 202
    assert await _status(("*",), **foreign) == 202
    assert await _status((), **{**foreign, "origin": "http://localhost:9411"}) == 202
    assert await _status((), host="x", content_type=kind) == 202  # no browser says no origin


async def test_what_needs_a_preflight_had_one() -> None:
    """The browser asked for JSON before."""
    assert await _status((), origin="http://evil", content_type="application/json") == 202
