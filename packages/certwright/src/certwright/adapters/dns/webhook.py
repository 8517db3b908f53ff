"""Solvers of others, behind the API server: the contract of webhook solvers.

Source: reference cert-manager.md 3.5 (webhook); cert-manager v1.12.2
pkg/acme/webhook/apis/acme/v1alpha1 and pkg/issuer/acme/dns/webhook.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from certwright.adapters.dns.change import Change, ProviderError

__all__ = ["change_by_webhook"]

_VERSION: Final = "v1alpha1"
_KIND: Final = "ChallengePayload"


async def change_by_webhook(change: Change) -> None:
    """Call the solver.

    Raises:
        CertwrightError: It did not do it; what it says is the text.
    """
    if change.webhook is None:
        raise ProviderError("webhook solvers need an API server: there is none here")
    group, solver = change.setting("groupName"), change.setting("solverName")
    config = change.solver.config.get("config")
    request: dict[str, Any] = {
        "uid": change.uid,
        "action": "Present" if change.is_present else "CleanUp",
        "type": "dns-01",
        "dnsName": change.domain,
        "key": change.value,
        "resourceNamespace": change.solver.resource_namespace,
        "resolvedFQDN": change.name,
        "resolvedZone": await change.zone(),
        "allowAmbientCredentials": change.solver.may_be_ambient,
    }
    if config is not None:
        request["config"] = config
    payload = {"kind": _KIND, "apiVersion": f"{group}/{_VERSION}", "request": request}
    path = f"/apis/{quote(group, safe='')}/{_VERSION}/{quote(solver, safe='')}"
    answer = await change.webhook(path, payload)
    response = answer.get("response")
    if not isinstance(response, Mapping):
        raise ProviderError("invalid payload response, did not succeed but no result provided")
    if response.get("success") is True:
        return
    result = response.get("status")
    message = result.get("message") if isinstance(result, Mapping) else ""
    raise ProviderError(
        str(message)[:2000]
        if message
        else "invalid payload response, did not succeed but no result provided"
    )
