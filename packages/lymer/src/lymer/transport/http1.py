"""HTTP/1.1 as we serve it: URLs beyond 64 KiB, and nobody who never comes to the point.

The HTTP library counts a URL in 16 bits and cannot split a longer one, and the server waits for the
end of a request's headers for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HEADERS_SECONDS_MAX", "Http1"]

_PREFACE: Final = b"PRI * HTTP/2.0"
"""How every connection of HTTP/2 begins. Source: RFC 9113, 3.4."""

HEADERS_SECONDS_MAX: Final = 60.0
"""A request's headers must be whole so long after the connection, or their first byte."""

_SPLIT_BYTES_MAX: Final = 60_000
"""Longest URL the library splits."""

_KEPT_BYTES_MAX: Final = 2**20 + 2**16
"""What is kept of a URL: more than any application takes, so that it can refuse it."""


class Http1(HttpToolsProtocol):
    """Uvicorn's HTTP/1.1; a query string that is too long is the app's to say."""

    _headers_due: asyncio.TimerHandle | None = None

    def __init__(
        self, *args: Any, h2: Callable[[], asyncio.Protocol] | None = None, **named: Any
    ) -> None:
        """Prepare.

        Args:
            *args: The library's.
            h2: Makes who goes on with a connection that begins as HTTP/2 does; without it HTTP/1.1
                is spoken only.
            **named: The library's.
        """
        super().__init__(*args, **named)
        self._h2 = h2
        self._begun = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, but not for ever."""
        super().connection_made(transport)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first ones say which protocol it is."""
        if self._h2 is not None:
            data, self._begun = self._begun + data, b""
            if len(data) < len(_PREFACE) and _PREFACE.startswith(data):
                self._begun = data
                return
            h2, self._h2 = self._h2, None
            if data.startswith(_PREFACE):
                self._hand_over(h2(), data)
                return
        super().data_received(data)

    def _hand_over(self, successor: asyncio.Protocol, data: bytes) -> None:
        transport = self.transport
        # The library forgets the connection, and does not close it: that is said by an exception.
        self.connection_lost(ConnectionAbortedError())
        transport.set_protocol(successor)
        successor.connection_made(transport)
        successor.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._have_headers()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Wait for the headers of a request that has begun."""
        super().on_message_begin()
        self._await_headers()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the URL."""
        room = _KEPT_BYTES_MAX - len(self.url)
        if room > 0:
            super().on_url(url[:room])

    def on_headers_complete(self) -> None:
        """Begin the request; the library sees a long URL without its query."""
        self._have_headers()
        if len(self.url) <= _SPLIT_BYTES_MAX:
            super().on_headers_complete()
            return
        self.url, _, query = self.url.partition(b"?")
        super().on_headers_complete()
        # The application's task has not begun; it gets the same object.
        self.scope["query_string"] = query.partition(b"#")[0]

    def _await_headers(self) -> None:
        if self._headers_due is None:
            self._headers_due = self.loop.call_later(HEADERS_SECONDS_MAX, self._give_up)

    def _have_headers(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _give_up(self) -> None:
        self._headers_due = None
        if not self.transport.is_closing():
            self.transport.close()
