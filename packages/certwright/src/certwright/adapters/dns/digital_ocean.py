"""DigitalOcean.

Source: DigitalOcean API v2 documentation; reference cert-manager.md 3.5. Unlike cert-manager, which
reads one page and deletes every TXT record of the name, all pages are read and only our own text
goes.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from certwright.adapters.dns.change import Change

__all__ = ["change_by_digital_ocean"]

API: Final = "https://api.digitalocean.com"
TTL_SECONDS: Final = 60
PAGES_MAX: Final = 100
_PAGE_RECORDS: Final = 200


async def change_by_digital_ocean(change: Change) -> None:
    """Make the record, or delete it.

    Raises:
        CertwrightError: The API did not do it.
    """
    zone = (await change.zone()).rstrip(".")
    records = await _records(change, zone)
    if change.is_present:
        if not records:
            body = {"type": "TXT", "name": change.name, "data": change.value, "ttl": TTL_SECONDS}
            await _call(change, "POST", f"/v2/domains/{zone}/records", body)
        return
    for record in records:
        await _call(change, "DELETE", f"/v2/domains/{zone}/records/{record['id']}")


async def _records(change: Change, zone: str) -> list[Any]:
    """Return the records with our text; the API's own filter takes the whole name."""
    found: list[Any] = []
    for page in range(1, PAGES_MAX + 1):
        query = urlencode(
            {
                "type": "TXT",
                "name": change.name.rstrip("."),
                "per_page": _PAGE_RECORDS,
                "page": page,
            }
        )
        answer = await _call(change, "GET", f"/v2/domains/{zone}/records?{query}")
        records = answer.get("domain_records") or []
        found += [record for record in records if record.get("data") == change.value]
        if len(records) < _PAGE_RECORDS:
            break
    return found


async def _call(change: Change, method: str, path: str, body: Any | None = None) -> Any:
    headers = {"Authorization": f"Bearer {change.secret('tokenSecretRef')}"}
    answer = await change.call(method, f"{change.api(API)}{path}", headers=headers, body=body)
    return change.decoded(answer, f"{method} {path.partition('?')[0]}")
