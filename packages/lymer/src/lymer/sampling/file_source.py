"""The bytes of a strategies file, from disk or from an HTTP server, within a size and a time."""

from __future__ import annotations

import asyncio
import http.client
import re
from pathlib import Path
from typing import Final
from urllib import error, request

from lymer import clock
from lymer.errors import StorageError
from lymer.given_file import read_given
from lymer.sampling.strategy_file import FILE_BYTES_MAX

__all__ = ["FETCH_SECONDS_MAX", "SourceError", "read_source"]

FETCH_SECONDS_MAX: Final = 1.0
"""For one answer of a server, from asking to its last byte. Source: reference jaeger.md 3.2."""
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]")
_HTTP: Final = re.compile(r"https?://", re.IGNORECASE)
_CHUNK_BYTES: Final = 64 * 1024
_ERROR_CHARACTERS_MAX: Final = 200
_UNAVAILABLE: Final = 503
_NULL: Final = b"null"


class SourceError(StorageError):
    """A strategies file that could not be read this time."""


async def read_source(source: str) -> bytes:
    """Return what lies at a path or an `http(s)://` address, at most `FILE_BYTES_MAX` + 1 bytes.

    A server that answers 503 has no strategies now: that is JSON `null`, as in Jaeger.

    Raises:
        SourceError: It cannot be read; the message says why, without the place.
    """
    if not _URL.match(source):
        return await asyncio.to_thread(_read_file, Path(source))
    if not _HTTP.match(source):
        raise SourceError("an address must begin with http:// or https://")
    return await asyncio.to_thread(_fetch, source)


def _read_file(path: Path) -> bytes:
    try:
        return read_given(path, FILE_BYTES_MAX)
    except OSError as failure:
        raise SourceError(failure.strerror or str(failure)) from failure


def _fetch(url: str) -> bytes:
    # Redirects and the proxies of the environment, as Go's default client; no file:// or ftp://.
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPRedirectHandler(),
        request.HTTPErrorProcessor(),
        request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    deadline = clock.monotonic_seconds() + FETCH_SECONDS_MAX
    try:
        with opener.open(url, timeout=FETCH_SECONDS_MAX) as answer:
            return _read_body(answer, deadline)
    except error.HTTPError as failure:
        with failure:
            if failure.code == _UNAVAILABLE:
                return _NULL
            said = failure.read(_ERROR_CHARACTERS_MAX).decode("utf-8", "replace")
        raise SourceError(
            f"the server answered {failure.code} {failure.reason}: {said}"
        ) from failure
    except error.URLError as failure:
        raise SourceError(f"the server cannot be asked: {failure.reason}") from failure
    except (OSError, http.client.HTTPException, ValueError) as failure:
        raise SourceError(f"the server cannot be asked: {failure}") from failure


def _read_body(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    chunks, size = [], 0
    while size <= FILE_BYTES_MAX:
        if clock.monotonic_seconds() > deadline:
            raise SourceError(f"the server took longer than {FETCH_SECONDS_MAX:g} s")
        chunk = answer.read1(_CHUNK_BYTES)
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)
