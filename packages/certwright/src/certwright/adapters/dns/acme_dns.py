"""acme-dns: a name server for nothing but challenges.

Source: acme-dns documentation (POST /update); reference cert-manager.md 3.5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from certwright.adapters.dns.change import Change, ProviderError

__all__ = ["change_by_acme_dns"]


async def change_by_acme_dns(change: Change) -> None:
    """Set the text; there is nothing to clean up: the next one takes its place.

    Raises:
        CertwrightError: The server did not do it.
    """
    if not change.is_present:
        return
    account = _account(change)
    headers = {"X-Api-User": str(account["username"]), "X-Api-Key": str(account["password"])}
    body = {"subdomain": str(account["subdomain"]), "txt": change.value}
    url = f"{change.setting('host').rstrip('/')}/update"
    change.decoded(await change.call("POST", url, headers=headers, body=body), "update")


def _account(change: Change) -> Mapping[str, Any]:
    try:
        accounts = json.loads(change.solver.secrets.get("accountSecretRef", b""))
    except ValueError as error:
        raise ProviderError(f"Error unmarshalling accountJSON: {error}") from None
    found = accounts.get(change.domain) if isinstance(accounts, Mapping) else None
    if not isinstance(found, Mapping):
        raise ProviderError(f"account credentials not found for domain {change.domain}")
    if missing := [name for name in ("username", "password", "subdomain") if name not in found]:
        raise ProviderError(f"the account for {change.domain} has no {', '.join(missing)}")
    return found
