"""A proxy in front of a CA that plays one trick at one request, or at some of one kind."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal, get_args

import aiohttp
from aiohttp import web

from certwright_testing.pebble import Pebble

__all__ = ["KINDS", "TRICKS", "AcmeProxy", "Trick", "acme_proxy"]

Trick = Literal[
    "error page",
    "busy",
    "busy at once",
    "rate limit",
    "rate limit without a time",
    "bad nonce",
    "reset",
    "reset in the body",
    "cut",
    "answer lost",
    "endless body",
    "slow body",
    "no JSON",
    "page",
    "wrong type",
    "no location",
]
TRICKS: tuple[Trick, ...] = (
    "error page",
    "busy",
    "rate limit",
    "reset",
    "answer lost",
    "endless body",
    "no JSON",
)
"""Those that are played at every request of a whole story."""
KINDS: tuple[Trick, ...] = get_args(Trick)
_AFTERWARDS: frozenset[Trick] = frozenset(
    {"answer lost", "wrong type", "no location", "cut", "reset in the body"}
)
"""The CA has done what was asked when these happen."""
_RENEWAL = "/renewal-info-of-the-proxy"
_LEAK = "<html>internal-secret-of-the-proxy</html>"


@dataclass(slots=True)
class AcmeProxy:
    """What happens, and what was asked."""

    url: str = ""
    at: int = -1
    """Number of the request that meets the trick; -1 for none."""
    where: str = ""
    """What is in the paths of requests that meet it instead; empty for none."""
    times: int = 0
    """How many of those meet it."""
    trick: Trick = "busy"
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Methods and paths."""
    renewal: tuple[int, str] | None = None
    """Status and body of all renewal information, which the CA is then said to have."""

    def is_met(self, number: int, path: str) -> bool:
        """Return whether this request meets the trick, and count it."""
        if not (self.where and self.where in path and self.times):
            return number == self.at
        self.times -= 1
        return True


@asynccontextmanager
async def acme_proxy(pebble: Pebble, port: int = 0) -> AsyncIterator[AcmeProxy]:
    """Stand in front; Pebble names its resources by the Host that was asked for."""
    found = AcmeProxy()
    trusting = ssl.create_default_context(cafile=str(pebble.folder / "pebble.pem"))
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def answer(request: web.Request) -> web.StreamResponse:
            number = len(found.requests)
            found.requests.append((request.method, request.path))
            if found.renewal is not None and request.path.startswith(_RENEWAL):
                return web.Response(status=found.renewal[0], text=found.renewal[1])
            is_met = found.is_met(number, request.path)
            if is_met and found.trick not in _AFTERWARDS:
                return await _play(request, found.trick)
            async with session.request(
                request.method,
                f"https://127.0.0.1:{pebble.port}{request.path_qs}",
                data=await request.read() or None,
                headers={"Host": request.host, "Content-Type": request.content_type},
                ssl=trusting,
            ) as response:
                body = await response.read()
                if found.renewal is not None and request.path == "/dir":
                    renewal = f"https://{request.host}{_RENEWAL}"
                    body = json.dumps({**json.loads(body), "renewalInfo": renewal}).encode()
                headers = {
                    name: value
                    for name, value in response.headers.items()
                    if name in {"Location", "Replay-Nonce", "Content-Type", "Link", "Retry-After"}
                }
            if is_met and found.trick == "wrong type":
                headers["Content-Type"] = "text/plain"
            if is_met and found.trick == "no location":
                headers.pop("Location", None)
            if is_met and found.trick in {"cut", "reset in the body"}:
                return await _cut(request, found.trick, body, headers)
            if is_met and found.trick == "answer lost":
                return await _play(request, "reset")
            return web.Response(status=response.status, body=body, headers=headers)

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pebble.folder / "pebble.pem", pebble.folder / "pebble.key")
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        found.url = f"https://127.0.0.1:{runner.addresses[0][1]}/dir"
        try:
            yield found
        finally:
            await runner.cleanup()


async def _cut(
    request: web.Request, trick: Trick, body: bytes, headers: dict[str, str]
) -> web.StreamResponse:
    """Send half of the body: as if it were all, or until the connection breaks."""
    half = body[: len(body) // 2]
    if trick == "cut":
        return web.Response(body=half, headers=headers)
    response = web.StreamResponse(headers={**headers, "Content-Length": str(len(body) + 1)})
    await response.prepare(request)
    await response.write(half)
    assert request.transport is not None
    request.transport.close()
    return response


def _problem(kind: str, status: int, content_type: str, **headers: str) -> web.Response:
    found = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": "slow down"}
    return web.json_response(found, status=status, headers=headers, content_type=content_type)


_ANSWERS: dict[str, Callable[[], web.Response]] = {
    "error page": lambda: web.Response(status=500, text=_LEAK, content_type="text/html"),
    "busy": lambda: web.Response(status=503, text=_LEAK, headers={"Retry-After": "7"}),
    "busy at once": lambda: web.Response(status=503, text=_LEAK, headers={"Retry-After": "0"}),
    "page": lambda: web.Response(text=_LEAK, content_type="text/html"),
    "no JSON": lambda: web.Response(text=_LEAK, content_type="application/json"),
    "bad nonce": lambda: _problem("badNonce", 400, "text/plain"),
    "rate limit without a time": lambda: _problem("rateLimited", 429, "application/json"),
    "rate limit": lambda: _problem(
        "rateLimited", 429, "application/problem+json", **{"Retry-After": "3600"}
    ),
}


async def _play(request: web.Request, trick: Trick) -> web.StreamResponse:
    if trick in _ANSWERS:
        return _ANSWERS[trick]()
    if trick == "reset" or request.method == "HEAD":
        assert request.transport is not None
        request.transport.close()
        return web.Response()
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with suppress(ConnectionError):
        for _ in range(20):
            await response.write(b" " * (1_048_576 if trick == "endless body" else 1))
            await asyncio.sleep(0 if trick == "endless body" else 0.1)
    return response
