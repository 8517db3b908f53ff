"""Cloudflare.

Source: Cloudflare API v4 documentation; reference cert-manager.md 3.5. Unlike cert-manager, which
replaces whatever TXT record has the name, only records with our own text are touched.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from certwright.adapters.dns.change import Change, ProviderError

__all__ = ["change_by_cloudflare"]

API: Final = "https://api.cloudflare.com/client/v4"
TTL_SECONDS: Final = 120


async def change_by_cloudflare(change: Change) -> None:
    """Make the record, or delete it.

    Raises:
        CertwrightError: The API did not do it.
    """
    zone = await _zone_id(change)
    name = change.name.rstrip(".")
    query = urlencode({"per_page": 100, "type": "TXT", "name": name})
    found = await _call(change, "GET", f"/zones/{zone}/dns_records?{query}")
    records = [
        record
        for record in found or ()
        if record.get("name") == name
        and str(record.get("content") or "").strip('"') == change.value
    ]
    if change.is_present:
        if not records:
            body = {"type": "TXT", "name": name, "content": change.value, "ttl": TTL_SECONDS}
            await _call(change, "POST", f"/zones/{zone}/dns_records", body)
        return
    for record in records:
        await _call(change, "DELETE", f"/zones/{zone}/dns_records/{record['id']}")


async def _zone_id(change: Change) -> str:
    """Return the id of the closest zone that the credentials may see."""
    labels = change.name.rstrip(".").split(".")
    for start in range(len(labels) - 1):
        name = ".".join(labels[start:])
        found = await _call(change, "GET", f"/zones?{urlencode({'name': name})}")
        if found:
            return str(found[0]["id"])
    raise ProviderError(
        f"Found no Zones for domain {change.name} (neither in the sub-domain nor in the SLD) please"
        " make sure your domain-entries in the config are correct and the API key is correctly "
        "setup with Zone.read rights."
    )


async def _call(change: Change, method: str, path: str, body: Any | None = None) -> Any:
    if "apiTokenSecretRef" in change.solver.secrets:
        headers = {"Authorization": f"Bearer {change.secret('apiTokenSecretRef')}"}
    else:
        headers = {
            "X-Auth-Email": change.setting("email"),
            "X-Auth-Key": change.secret("apiKeySecretRef"),
        }
    answer = await change.call(method, f"{change.api(API)}{path}", headers=headers, body=body)
    return change.decoded(answer, f"{method} {path.partition('?')[0]}").get("result")
