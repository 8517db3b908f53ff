"""A store that is asked over HTTP, in words of ours when it does not answer."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Final
from urllib.error import HTTPError
from urllib.parse import SplitResult, unquote
from urllib.request import Request, urlopen

from lymer.errors import StartupError

__all__ = ["HttpSource"]

_CALL_SECONDS_MAX: Final = 300.0


class HttpSource:
    """One address, with the user and the password that stand in it."""

    def __init__(self, address: SplitResult, *, port: int, is_secure: bool) -> None:
        """Remember it; `port` is used if the address names none."""
        host = address.hostname or ""
        host = f"[{host}]" if ":" in host else host
        self.url: Final = f"{'https' if is_secure else 'http'}://{host}:{address.port or port}"
        self._headers = {"Content-Type": "application/json"}
        if address.username:
            pair = f"{unquote(address.username)}:{unquote(address.password or '')}"
            encoded = base64.b64encode(pair.encode()).decode()
            self._headers["Authorization"] = f"Basic {encoded}"

    @contextmanager
    def ask(self, method: str, path: str, body: bytes | None = None) -> Iterator[HTTPResponse]:
        """Yield the answer, to be read inside.

        Raises:
            StartupError: Nobody answers, the answer breaks off, or it is a refusal.
        """
        asked = Request(  # noqa: S310 - whoever made this has checked the scheme
            self.url + path, body, self._headers, method=method
        )
        try:
            with urlopen(asked, timeout=_CALL_SECONDS_MAX) as answer:  # noqa: S310
                yield answer
        except HTTPError as error:
            words = error.read(2_000).decode("utf-8", "replace").strip()
            raise StartupError(f"{self.url} refuses {path}: {error.code} {words}") from error
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise StartupError(f"nobody answers at {self.url} ({reason})") from error
