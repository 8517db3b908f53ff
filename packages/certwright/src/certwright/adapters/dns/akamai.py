"""Akamai Edge DNS, with requests signed by EdgeGrid.

Source: Akamai documentation "Edge DNS Zone Management API v2" and "EdgeGrid authentication"
(EG1-HMAC-SHA256); reference cert-manager.md 3.5.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from typing import Any, Final
from urllib.parse import quote, urlsplit

from certwright import clock
from certwright.adapters.acme.transport import Answer
from certwright.adapters.dns.change import Change, ProviderError

__all__ = ["change_by_akamai", "edgegrid_header"]

TTL_SECONDS: Final = 300
SIGNED_BYTES_MAX: Final = 131_072
"""Of a body, so much is signed."""


async def change_by_akamai(change: Change) -> None:
    """Add our text to the record set, or take it out.

    Raises:
        CertwrightError: The API did not do it.
    """
    zone = (await change.zone()).rstrip(".")
    name = change.name.rstrip(".")
    if not name.endswith(zone):
        raise ProviderError(f"fqdn {change.name} is not part of {zone}")
    path = f"/config-dns/v2/zones/{quote(zone)}/names/{quote(name)}/types/TXT"
    answer = await _call(change, "GET", path)
    texts: list[str] = []
    is_there = answer.status != 404
    if is_there:
        texts = [str(text) for text in change.decoded(answer, "GET record").get("rdata") or ()]
    own = [text for text in texts if text.strip('"') == change.value]
    others = [text for text in texts if text.strip('"') != change.value]
    if bool(own) == change.is_present:
        return
    kept = [*others, f'"{change.value}"'] if change.is_present else others
    if not kept:
        change.decoded(await _call(change, "DELETE", path), "DELETE record")
        return
    record = {"name": name, "type": "TXT", "ttl": TTL_SECONDS, "rdata": kept}
    method = "PUT" if is_there else "POST"
    change.decoded(await _call(change, method, path, record), f"{method} record")


async def _call(change: Change, method: str, path: str, body: Any | None = None) -> Answer:
    data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    url = change.api(f"https://{change.setting('serviceConsumerDomain')}") + path
    header = edgegrid_header(
        method,
        url,
        data,
        client_token=change.secret("clientTokenSecretRef"),
        client_secret=change.secret("clientSecretSecretRef"),
        access_token=change.secret("accessTokenSecretRef"),
        timestamp=clock.now().strftime("%Y%m%dT%H:%M:%S+0000"),
        nonce=str(uuid.uuid4()),
    )
    return await change.call(method, url, headers={"Authorization": header}, body=body)


def edgegrid_header(
    method: str,
    url: str,
    body: bytes,
    *,
    client_token: str,
    client_secret: str,
    access_token: str,
    timestamp: str,
    nonce: str,
) -> str:
    """Return the Authorization header of a request."""
    header = (
        f"EG1-HMAC-SHA256 client_token={client_token};access_token={access_token};"
        f"timestamp={timestamp};nonce={nonce};"
    )
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    hashed = ""
    if method == "POST" and body:
        hashed = _base64(hashlib.sha256(body[:SIGNED_BYTES_MAX]).digest())
    signed = f"{method}\t{parts.scheme}\t{parts.netloc}\t{target}\t\t{hashed}\t{header}"
    key = _base64(hmac.digest(client_secret.encode(), timestamp.encode(), "sha256"))
    return f"{header}signature={_base64(hmac.digest(key.encode(), signed.encode(), 'sha256'))}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
