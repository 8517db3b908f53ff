"""The gate of an HTTP port: 401 for who may not pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from lymer.errors import OverloadedError
from lymer.transport.gate import Gate

__all__ = ["App", "behind_gate"]

_Message: TypeAlias = MutableMapping[str, Any]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]
App: TypeAlias = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[_Message]], _Send], Awaitable[None]
]
"""An ASGI application."""

_REFUSED: Final = b"401 unauthorized: send a token or a user and password that are known here\n"


def behind_gate(app: App, gate: Gate | None) -> App:
    """Return `app` for those who may pass; without a gate, `app` itself.

    Source: RFC 7235, 3.1 (401 and `WWW-Authenticate`).
    """
    if gate is None:
        return app

    async def guarded(
        scope: MutableMapping[str, Any], receive: Callable[[], Awaitable[_Message]], send: _Send
    ) -> None:
        if scope["type"] != "http":
            return
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        sent = [value for name, value in headers if name == b"authorization"]
        try:
            # Two of them are none: who put the second there is not known.
            reason = await gate.refusal(sent[0].decode("latin-1") if len(sent) == 1 else "")
        except OverloadedError as error:
            after = str(error.retry_after_seconds).encode()
            await _answer(send, 503, f"503 {error}\n".encode(), [(b"retry-after", after)])
            return
        if reason:
            asked = [(b"www-authenticate", challenge.encode()) for challenge in gate.challenges]
            await _answer(send, 401, _REFUSED, asked)
            return
        await app(scope, receive, send)

    return guarded


async def _answer(
    send: _Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    fixed = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": fixed + headers})
    await send({"type": "http.response.body", "body": body})
