"""A client of an ASGI application, without a socket."""

from __future__ import annotations

import asyncio

import httpx
from starlette.types import ASGIApp, Message

__all__ = ["Client"]


class Client:
    """Sends requests to an app without a socket."""

    def __init__(self, app: ASGIApp) -> None:
        """Send to `app`."""
        self._app = app

    def send(
        self, method: str, target: str, *, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Return the response; a bug inside is a 500, as a server shows it."""

        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://lymer") as client:
                return await client.request(method, target, content=body, headers=headers)

        return asyncio.run(run())

    def get(self, target: str, **headers: str) -> httpx.Response:
        """GET a path with its query."""
        return self.send("GET", target, headers=headers)

    def get_raw(self, path: str, query_string: bytes) -> tuple[int, bytes]:
        """GET with a query string of any length, which httpx would refuse; status and body."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query_string,
            "headers": [],
            "http_version": "1.1",
            "scheme": "http",
            "server": ("lymer", 80),
            "client": ("127.0.0.1", 1),
        }

        async def run() -> None:
            await self._app(scope, receive, send)

        asyncio.run(run())
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)
