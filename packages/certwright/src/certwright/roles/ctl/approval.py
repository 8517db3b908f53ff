"""`ctl approve` and `ctl deny`: a person decides about a request.

Source: cert-manager v1.12 cmd/ctl/pkg/approve, deny.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from certwright.engine.store import Store
from certwright.errors import InvalidError
from certwright.resources.conditions import get_condition, with_condition
from certwright.resources.kinds import CERTIFICATE_REQUEST
from certwright.roles.ctl.objects import fetch
from certwright.roles.ctl.renewal import MANAGER

__all__ = ["decide"]


async def decide(
    store: Store,
    namespace: str,
    name: str,
    verdict: Literal["Approved", "Denied"],
    *,
    reason: str,
    message: str,
    now: datetime,
) -> str:
    """Set the condition and return the line that says so.

    Raises:
        InvalidError: It was decided before.
        CertwrightError: There is no such request, or the store refused.
    """
    request = await fetch(store, CERTIFICATE_REQUEST.key(namespace, name))
    for decided in ("Approved", "Denied"):
        condition = get_condition(request, decided)
        if condition is not None and condition.is_true:
            raise InvalidError(f"CertificateRequest is already {decided.lower()}")
    changed = with_condition(
        request, type=verdict, status="True", reason=reason, message=message, now=now
    )
    await store.update_status(changed, manager=MANAGER)
    return f"{verdict} CertificateRequest '{namespace}/{name}'"
