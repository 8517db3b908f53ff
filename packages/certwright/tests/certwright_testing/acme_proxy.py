"""A proxy in front of a CA that plays one trick at one request."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import aiohttp
from aiohttp import web

from certwright_testing.pebble import Pebble

__all__ = ["TRICKS", "AcmeProxy", "Trick", "acme_proxy"]

Trick = Literal[
    "error page", "busy", "rate limit", "reset", "answer lost", "endless body", "no JSON", "limit"
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
_LEAK = "<html>internal-secret-of-the-proxy</html>"


@dataclass(slots=True)
class AcmeProxy:
    """What happens, and what was asked."""

    url: str = ""
    at: int = -1
    """Number of the request that meets the trick; -1 for none."""
    trick: Trick = "busy"
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Methods and paths."""


@asynccontextmanager
async def acme_proxy(pebble: Pebble, port: int = 0) -> AsyncIterator[AcmeProxy]:
    """Stand in front; Pebble names its resources by the Host that was asked for."""
    found = AcmeProxy()
    trusting = ssl.create_default_context(cafile=str(pebble.folder / "pebble.pem"))
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def answer(request: web.Request) -> web.StreamResponse:
            number = len(found.requests)
            found.requests.append((request.method, request.path))
            if number == found.at and found.trick != "answer lost":
                return await _play(request, found.trick)
            async with session.request(
                request.method,
                f"https://127.0.0.1:{pebble.port}{request.path_qs}",
                data=await request.read() or None,
                headers={"Host": request.host, "Content-Type": request.content_type},
                ssl=trusting,
            ) as response:
                body = await response.read()
                headers = {
                    name: value
                    for name, value in response.headers.items()
                    if name in {"Location", "Replay-Nonce", "Content-Type", "Link", "Retry-After"}
                }
            if number == found.at:
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


async def _play(request: web.Request, trick: Trick) -> web.StreamResponse:
    problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "slow down"}
    match trick:
        case "error page":
            return web.Response(status=500, text=_LEAK, content_type="text/html")
        case "busy":
            return web.Response(status=503, text=_LEAK, headers={"Retry-After": "7"})
        case "rate limit":
            return web.json_response(
                problem,
                status=429,
                headers={"Retry-After": "3600"},
                content_type="application/problem+json",
            )
        case "no JSON":
            return web.Response(text=_LEAK, content_type="application/json")
        case "endless body":
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(17):
                await response.write(b" " * 1_048_576)
            return response
        case _:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
