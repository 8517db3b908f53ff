"""Which web pages may send to an HTTP port from a browser.

Source: Fetch standard, "CORS protocol" (preflight and headers); reference jaeger.md 2.3;
opentelemetry-collector v0.155, `config/confighttp` (patterns, credentials).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from lymer.transport.http_gate import App

__all__ = ["CorsOptions", "refusing_foreign_pages", "with_cors"]

_Header: TypeAlias = tuple[bytes, bytes]
_Message: TypeAlias = MutableMapping[str, Any]

_ALWAYS_ALLOWED: Final = frozenset(
    {
        "accept",
        "accept-language",
        "authorization",
        "baggage",
        "content-encoding",
        "content-language",
        "content-type",
        "traceparent",
        "tracestate",
        "x-requested-with",
    }
)
"""What OpenTelemetry's exporters in browsers send, and what harms nobody: who may not pass is
stopped by the gate, not here."""
_METHODS: Final = b"POST"
_VARY_PREFLIGHT: Final = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


_SIMPLE_TYPES: Final = frozenset(
    {b"", b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data"}
)
"""What a page may send without a preflight."""


@dataclass(frozen=True, slots=True)
class CorsOptions:
    """Who may send, and what."""

    allowed_origins: tuple[str, ...]
    """Origins; `*` stands for any part. None: nobody may."""
    allowed_headers: tuple[str, ...] = ()
    """Names beside those always allowed; `*` is all."""
    max_age_seconds: float = 0.0
    """How long an answer to a preflight may be remembered; 0 leaves it to the browser."""


def with_cors(app: App, options: CorsOptions) -> App:
    """Return `app` that answers preflights and lets pages read its answers.

    Without origins it is `app` itself. A preflight carries no credentials, so this stands in
    front of a gate.
    """
    if not options.allowed_origins:
        return app
    policy = _Policy(options)

    async def answer(
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            given = policy.preflight_headers(origin, headers)
            await send({"type": "http.response.start", "status": 204, "headers": given})
            await send({"type": "http.response.body", "body": b""})
            return
        added = policy.headers(origin) if origin else [(b"vary", b"Origin")]

        async def send_with_headers(message: _Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await app(scope, receive, send_with_headers)

    return answer


def refusing_foreign_pages(app: App, options: CorsOptions) -> App:
    """Return `app` that takes nothing from a page which a browser did not have to ask for.

    A page of any origin may send a form or plain text without a preflight, and the browser only
    keeps the answer from it. Source: Fetch standard, "CORS-safelisted request-header".
    """
    policy = _Policy(options)

    async def answer(
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        headers: dict[bytes, bytes] = dict(scope.get("headers", ()))
        origin = headers.get(b"origin", b"").decode("latin-1")
        is_sent = scope.get("method", "POST") == "POST"
        if origin and is_sent and _is_simple(headers) and not _is_own(origin, headers):
            allowed = len(policy.headers(origin)) > 1
            if not allowed:
                text = b"403 forbidden: pages of this origin may not send here\n"
                given = [(b"content-type", b"text/plain"),
                         (b"content-length", str(len(text)).encode())]  # fmt: skip
                await send({"type": "http.response.start", "status": 403, "headers": given})
                await send({"type": "http.response.body", "body": text})
                return
        await app(scope, receive, send)

    return answer


def _is_simple(headers: dict[bytes, bytes]) -> bool:
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return media_type in _SIMPLE_TYPES


def _is_own(origin: str, headers: dict[bytes, bytes]) -> bool:
    return origin.lower().partition("://")[2] == headers.get(b"host", b"").decode("latin-1").lower()


class _Policy:
    """Answers to what a browser asks."""

    def __init__(self, options: CorsOptions) -> None:
        self._is_for_all = "*" in options.allowed_origins
        patterns = (
            re.escape(origin.lower()).replace(r"\*", ".*") for origin in options.allowed_origins
        )
        self._origins = re.compile("|".join(patterns))
        self._allows_all_headers = "*" in options.allowed_headers
        self._headers = _ALWAYS_ALLOWED | {name.lower() for name in options.allowed_headers}
        self._max_age = round(options.max_age_seconds)

    def headers(self, origin: str) -> list[_Header]:
        """Return what is added to an answer, preflight or not."""
        vary = (b"vary", b"Origin")
        if self._is_for_all:
            return [vary, (b"access-control-allow-origin", b"*")]
        if not self._origins.fullmatch(origin.lower()):
            return [vary]
        return [
            vary,
            (b"access-control-allow-origin", origin.encode("latin-1")),
            # `navigator.sendBeacon`, by which older exporters send, always carries them.
            (b"access-control-allow-credentials", b"true"),
        ]

    def preflight_headers(self, origin: str, sent: dict[bytes, bytes]) -> list[_Header]:
        """Return the whole answer to a preflight; without a permission in it, it is a no."""
        vary = (b"vary", _VARY_PREFLIGHT)
        permission = self.headers(origin)[1:]
        asked = sent.get(b"access-control-request-headers", b"").decode("latin-1")
        names = [name.strip().lower() for name in asked.split(",") if name.strip()]
        refused = not self._allows_all_headers and not self._headers.issuperset(names)
        method = sent[b"access-control-request-method"].upper()
        if not permission or refused or method != _METHODS:
            return [vary]
        given = [vary, *permission, (b"access-control-allow-methods", _METHODS)]
        if names:
            given.append((b"access-control-allow-headers", ", ".join(names).encode("latin-1")))
        if self._max_age:
            given.append((b"access-control-max-age", str(self._max_age).encode()))
        return given
