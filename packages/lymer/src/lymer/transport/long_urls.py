"""URLs beyond 64 KiB, which the HTTP library counts in 16 bits and cannot split."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["LongUrls"]

_SPLIT_BYTES_MAX: Final = 60_000
"""Longest URL the library splits."""

_KEPT_BYTES_MAX: Final = 2**20 + 2**16
"""What is kept of a URL: more than any application takes, so that it can refuse it."""


class LongUrls(HttpToolsProtocol):
    """Uvicorn's HTTP/1.1, with long query strings; what is too long is the app's to say."""

    def on_url(self, url: bytes) -> None:
        """Take a piece of the URL."""
        room = _KEPT_BYTES_MAX - len(self.url)
        if room > 0:
            super().on_url(url[:room])

    def on_headers_complete(self) -> None:
        """Begin the request; the library sees a long URL without its query."""
        if len(self.url) <= _SPLIT_BYTES_MAX:
            super().on_headers_complete()
            return
        self.url, _, query = self.url.partition(b"?")
        super().on_headers_complete()
        # The application's task has not begun; it gets the same object.
        self.scope["query_string"] = query.partition(b"#")[0]
