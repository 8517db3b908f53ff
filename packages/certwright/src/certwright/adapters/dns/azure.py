"""Azure DNS: with a client secret, a workload identity or a managed identity.

Source: Microsoft documentation, "Azure DNS REST API" (2018-05-01), "OAuth 2.0 client credentials",
"managed identities on virtual machines: acquire a token", "workload identity federation"; reference
cert-manager.md 3.5. Unlike cert-manager, which replaces and deletes the whole record set, only our
own text comes and goes, guarded by the record set's etag.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from certwright.adapters.acme.transport import Answer
from certwright.adapters.dns.change import Change, ProviderError
from certwright.adapters.dns.oauth import ask_for_token, kept_token
from certwright.resources.meta import mapping_at

__all__ = ["change_by_azure"]

TTL_SECONDS: Final = 60
API_VERSION: Final = "2018-05-01"
_CLOUDS: Final = {
    "": ("https://login.microsoftonline.com", "https://management.azure.com"),
    "AzurePublicCloud": ("https://login.microsoftonline.com", "https://management.azure.com"),
    "AzureChinaCloud": ("https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn"),
    "AzureGermanCloud": (
        "https://login.microsoftonline.de",
        "https://management.microsoftazure.de",
    ),
    "AzureUSGovernmentCloud": (
        "https://login.microsoftonline.us",
        "https://management.usgovcloudapi.net",
    ),
}
"""Environment → who gives tokens, and the API."""
METADATA: Final = "http://169.254.169.254"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def change_by_azure(change: Change) -> None:
    """Add our text to the record set, or take it out.

    Raises:
        CertwrightError: The API did not do it.
    """
    zone = change.setting("hostedZoneName") or (await change.zone()).rstrip(".")
    name = change.name.rstrip(".").removesuffix(f".{zone}")
    path = (
        f"/subscriptions/{quote(change.setting('subscriptionID'))}/resourceGroups/"
        f"{quote(change.setting('resourceGroupName'))}/providers/Microsoft.Network/dnsZones/"
        f"{quote(zone)}/TXT/{quote(name)}"
    )
    answer = await _call(change, "GET", path)
    found: dict[str, Any] = {}
    if answer.status != 404:
        found = change.decoded(answer, "GET record set")
    records = list(mapping_at(found, "properties").get("TXTRecords") or ())
    others = [entry for entry in records if "".join(entry.get("value") or ()) != change.value]
    if (len(others) < len(records)) == change.is_present:
        return
    guard = {"If-Match": str(found["etag"])} if found.get("etag") else {"If-None-Match": "*"}
    if not change.is_present and not others:
        change.decoded(await _call(change, "DELETE", path, headers=guard), "DELETE record set")
        return
    kept = [*others, {"value": [change.value]}] if change.is_present else others
    body = {"properties": {"TTL": TTL_SECONDS, "TXTRecords": kept}}
    change.decoded(await _call(change, "PUT", path, body, guard), "PUT record set")


async def _call(
    change: Change,
    method: str,
    path: str,
    body: Any | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    _, api = _cloud(change)
    token = await _token(change)
    url = f"{change.api(api)}{path}?api-version={API_VERSION}"
    sent = {"Authorization": f"Bearer {token}", **(headers or {})}
    return await change.call(method, url, headers=sent, body=body)


def _cloud(change: Change) -> tuple[str, str]:
    name = change.setting("environment")
    if name not in _CLOUDS:
        raise ProviderError(f"there is no cloud environment named {name}")
    return _CLOUDS[name]


async def _token(change: Change) -> str:
    login, api = _cloud(change)
    client = change.setting("clientID")
    if client:
        tenant, secret = change.setting("tenantID"), change.secret("clientSecretSecretRef")
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": secret,
            "scope": f"{api}/.default",
        }
        url = _token_url(change, login, tenant)
        return await kept_token((url, client, secret), lambda: ask_for_token(change, url, form))
    if not change.solver.may_be_ambient:
        raise ProviderError(
            "ClientID is not set but neither `--cluster-issuer-ambient-credentials` nor "
            "`--issuer-ambient-credentials` are set. These are necessary to enable Azure Managed "
            "Identities"
        )
    if os.environ.get("AZURE_FEDERATED_TOKEN_FILE"):
        return await _workload_token(change)
    return await _managed_token(change)


async def _workload_token(change: Change) -> str:
    login, api = _cloud(change)
    path = Path(os.environ["AZURE_FEDERATED_TOKEN_FILE"])
    try:
        assertion = (await asyncio.to_thread(path.read_text)).strip()
    except OSError as error:
        raise ProviderError(
            f"failed to read a file with a federated token: {path}: {error.strerror}"
        ) from error
    identity = mapping_at(change.solver.config, "managedIdentity")
    client = str(identity.get("clientID") or os.environ.get("AZURE_CLIENT_ID", ""))
    form = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_assertion_type": _ASSERTION,
        "client_assertion": assertion,
        "scope": f"{api}/.default",
    }
    authority = os.environ.get("AZURE_AUTHORITY_HOST", login)
    url = _token_url(change, authority.rstrip("/"), os.environ.get("AZURE_TENANT_ID", ""))
    return await kept_token((url, client, assertion), lambda: ask_for_token(change, url, form))


async def _managed_token(change: Change) -> str:
    _, api = _cloud(change)
    identity = mapping_at(change.solver.config, "managedIdentity")
    query = {"api-version": "2018-02-01", "resource": api}
    if identity.get("clientID"):
        query["client_id"] = str(identity["clientID"])
    elif identity.get("resourceID"):
        query["mi_res_id"] = str(identity["resourceID"])
    url = f"{change.api(METADATA)}/metadata/identity/oauth2/token?{urlencode(query)}"
    headers = {"Metadata": "true"}
    return await kept_token(url, lambda: ask_for_token(change, url, headers=headers))


def _token_url(change: Change, login: str, tenant: str) -> str:
    return f"{change.api(login)}/{quote(tenant)}/oauth2/v2.0/token"
