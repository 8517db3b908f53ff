"""Request bodies, read under a limit."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from lymer.errors import TooLargeError

__all__ = ["BODY_BYTES_MAX", "read_body"]

BODY_BYTES_MAX: Final = 20 * 1024 * 1024
"""Largest body the query API reads, bytes: as much as the OTLP receiver takes."""


async def read_body(request: Request) -> bytes:
    """Return the body.

    Raises:
        TooLargeError: It is over `BODY_BYTES_MAX`; reading stops there.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise TooLargeError(f"cannot read body: it is over the limit of {BODY_BYTES_MAX} bytes")
        parts.append(part)
    return b"".join(parts)
