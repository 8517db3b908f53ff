"""What `ctl inspect secret` asks outside of the store: CRLs, OCSP servers, this computer's CAs."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Final

import aiohttp

from certwright.errors import UnavailableError
from certwright.roles.ctl.secret_inspection import Internet

__all__ = ["INTERNET"]

_ANSWER_SECONDS_MAX: Final = 15
_TIMEOUT: Final = aiohttp.ClientTimeout(total=_ANSWER_SECONDS_MAX)
_ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
"""A CRL of a public CA may hold millions of entries; more than this is not read."""
_OCSP_HEADERS: Final = {
    "Content-Type": "application/ocsp-request",
    "Accept": "application/ocsp-response",
}


async def _get(url: str) -> bytes:
    return await _ask(url, None)


async def _post_ocsp(url: str, request: bytes) -> bytes:
    return await _ask(url, request)


async def _ask(url: str, body: bytes | None) -> bytes:
    method, headers = ("GET", {}) if body is None else ("POST", _OCSP_HEADERS)
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.request(method, url, data=body, headers=headers) as response,
        ):
            if response.status != 200:
                raise UnavailableError(f"{url} answered {response.status}")
            data = await response.content.read(_ANSWER_BYTES_MAX + 1)
            while len(data) <= _ANSWER_BYTES_MAX and not response.content.at_eof():
                data += await response.content.read(_ANSWER_BYTES_MAX + 1 - len(data))
    except (TimeoutError, aiohttp.ClientError, ValueError) as error:
        raise UnavailableError(
            f"error getting HTTP response: {str(error) or type(error).__name__}"
        ) from error
    if len(data) > _ANSWER_BYTES_MAX:
        raise UnavailableError(f"{url} gives more than {_ANSWER_BYTES_MAX} bytes")
    return data


def _trusted() -> Sequence[bytes]:
    return ssl.create_default_context().get_ca_certs(binary_form=True)


INTERNET: Final = Internet(get=_get, post_ocsp=_post_ocsp, trusted=_trusted)
