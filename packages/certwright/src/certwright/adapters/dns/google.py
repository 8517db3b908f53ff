"""Google Cloud DNS: with a service account's key, or the machine's own account.

Source: Google documentation, "Cloud DNS API v1", "Using OAuth 2.0 for server to server
applications", "metadata server"; reference cert-manager.md 3.5. Unlike cert-manager, which replaces
the record set, only our own text comes and goes.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from certwright import clock
from certwright.acme.jws import b64url
from certwright.adapters.dns.change import Change, ProviderError
from certwright.adapters.dns.oauth import ask_for_token, kept_token
from certwright.pki.keys import decode_private_key

__all__ = ["change_by_google"]

API: Final = "https://dns.googleapis.com"
TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
METADATA: Final = "http://metadata.google.internal"
SCOPE: Final = "https://www.googleapis.com/auth/ndev.clouddns.readwrite"
TTL_SECONDS: Final = 60
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE_SECONDS: Final = 3600


async def change_by_google(change: Change) -> None:
    """Add our text to the record set, or take it out.

    Raises:
        CertwrightError: The API did not do it.
    """
    zone = change.setting("hostedZoneName") or await _managed_zone(change)
    base = f"/managedZones/{quote(zone)}"
    query = urlencode({"name": change.name, "type": "TXT"})
    listed = await _call(change, "GET", f"{base}/rrsets?{query}")
    present = [entry for entry in listed.get("rrsets") or () if entry.get("name") == change.name]
    texts = [str(text) for entry in present for text in entry.get("rrdatas") or ()]
    others = [text for text in texts if text.strip('"') != change.value]
    if (len(others) < len(texts)) == change.is_present:
        return
    kept = [*others, f'"{change.value}"'] if change.is_present else others
    body: dict[str, Any] = {}
    if kept:
        body["additions"] = [
            {"name": change.name, "type": "TXT", "ttl": TTL_SECONDS, "rrdatas": kept}
        ]
    if present:
        body["deletions"] = [
            {field: entry[field] for field in ("name", "type", "ttl", "rrdatas") if field in entry}
            for entry in present
        ]
    await _call(change, "POST", f"{base}/changes", body)


async def _managed_zone(change: Change) -> str:
    zone = await change.zone()
    found = await _call(change, "GET", f"/managedZones?{urlencode({'dnsName': zone})}")
    zones = found.get("managedZones") or ()
    if not zones:
        raise ProviderError(f"No matching GoogleCloud domain found for domain {zone}")
    public = [entry for entry in zones if entry.get("visibility", "public") == "public"]
    return str((public or zones)[0]["name"])


async def _call(change: Change, method: str, path: str, body: Any | None = None) -> Any:
    headers = {"Authorization": f"Bearer {await _token(change)}"}
    url = f"{change.api(API)}/dns/v1/projects/{quote(change.setting('project'))}{path}"
    answer = await change.call(method, url, headers=headers, body=body)
    return change.decoded(answer, f"{method} {path.partition('?')[0]}")


async def _token(change: Change) -> str:
    if "serviceAccountSecretRef" in change.solver.secrets:
        return await _account_token(change, change.solver.secrets["serviceAccountSecretRef"])
    if not change.solver.may_be_ambient:
        raise ProviderError(
            "unable to construct clouddns provider: empty credentials; perhaps you meant to enable "
            "ambient credentials?"
        )
    if path := os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        try:
            return await _account_token(change, await asyncio.to_thread(Path(path).read_bytes))
        except OSError as error:
            raise ProviderError(f"cannot read {path}: {error.strerror}") from error
    host = os.environ.get("GCE_METADATA_HOST")
    url = f"{change.api(f'http://{host}' if host else METADATA)}/computeMetadata/v1/instance"
    url += "/service-accounts/default/token"
    headers = {"Metadata-Flavor": "Google"}
    return await kept_token(url, lambda: ask_for_token(change, url, headers=headers))


async def _account_token(change: Change, data: bytes) -> str:
    try:
        account = json.loads(data)
        if not isinstance(account, Mapping):
            raise ValueError("it is no JSON object")  # noqa: TRY004, TRY301
        if account.get("type") != "service_account":
            raise ValueError(f'its type is "{account.get("type")}", not "service_account"')  # noqa: TRY301
        key = decode_private_key(str(account["private_key"]).encode())
        email = str(account["client_email"])
    except (ValueError, KeyError) as error:
        raise ProviderError(f"Unable to acquire config: {error}") from None
    if not isinstance(key, RSAPrivateKey):
        raise ProviderError("Unable to acquire config: the account's key is not RSA")
    url = str(account.get("token_uri") or TOKEN_URL)
    target = change.api(url)

    async def ask() -> tuple[str, float]:
        issued = int(clock.now().timestamp())
        claims = {
            "iss": email,
            "scope": SCOPE,
            "aud": url,
            "iat": issued,
            "exp": issued + _LIFE_SECONDS,
        }
        header = {"alg": "RS256", "typ": "JWT", "kid": str(account.get("private_key_id") or "")}
        signed = ".".join(
            b64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)
        )
        signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        form = {"grant_type": _GRANT, "assertion": f"{signed}.{b64url(signature)}"}
        return await ask_for_token(change, target, form)

    return await kept_token((target, email, account.get("private_key_id")), ask)
