"""The look at an HTTP-01 answer before the CA is asked, against a web server."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from certwright.acme.questions import CheckHttp, Done, NotYet
from certwright.adapters.acme.http01 import PASS_SECONDS, HttpCheck

PATH = "/.well-known/acme-challenge/tok"
KEY = "tok.thumbprint-of-the-account"


def question(server: TestServer, passes: int = 5) -> CheckHttp:
    """Return the question about this server."""
    return CheckHttp("uid", "127.0.0.1", "tok", KEY, (), passes, server.port or 0)


def serving(*answers: tuple[int, str]) -> TestServer:
    """Return a server that gives these answers, the last one for ever."""
    left = list(answers)

    async def answer(_: web.Request) -> web.Response:
        status, text = left.pop(0) if len(left) > 1 else left[0]
        headers = {"Location": "/elsewhere"} if status == 302 else None
        return web.Response(status=status, text=text, headers=headers)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    return TestServer(application, host="127.0.0.1")


async def test_it_must_be_seen_five_times_in_a_row() -> None:
    """A failure in between begins anew; the pauses are two seconds."""
    good, bad = (200, KEY), (404, "")
    async with serving(good, good, good, good, bad, good) as server:
        check = HttpCheck()
        found = [await check.check(question(server)) for _ in range(10)]
    again = NotYet("", PASS_SECONDS)
    failed = NotYet("wrong status code '404', expected '200'")
    assert found == [*([again] * 4), failed, *([again] * 4), Done()]


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        pytest.param(((200, KEY),), "", id="the answer"),
        pytest.param(((302, ""), (200, KEY)), "", id="behind a redirect"),
        pytest.param(
            ((200, f"{KEY}\n"),),
            f'did not get expected response when querying endpoint, expected "{KEY}" but got: '
            "tok.thumbprint-of-the-ac... (truncated)",
            id="a line more",
        ),
        pytest.param(
            ((200, "other"),),
            f'did not get expected response when querying endpoint, expected "{KEY}" but got: '
            "other",
            id="another",
        ),
        pytest.param(((503, ""),), "wrong status code '503', expected '200'", id="busy"),
    ],
)
async def test_what_is_seen(answers: tuple[tuple[int, str], ...], why: str) -> None:
    """In the original's words; nothing is trimmed."""
    async with serving(*answers) as server:
        found = await HttpCheck().check(question(server, passes=1))
    assert found == (NotYet(why) if why else Done())
