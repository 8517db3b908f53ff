"""certificaterequests-approver: approves every request that nobody has decided about.

Whether it may is decided by the webhook and the cluster's roles; a refusal is tried again.

Source: reference cert-manager.md 3.3 (Approver).
"""

from __future__ import annotations

from functools import partial
from typing import Final

from certwright.reconcile.contract import SLOW_BACKOFF, Controller, Emit, Plan, Reader, Sources
from certwright.reconcile.indexes import is_closed
from certwright.reconcile.options import Options
from certwright.reconcile.status import write_status
from certwright.resources.conditions import get_condition, with_condition
from certwright.resources.kinds import CERTIFICATE_REQUEST, Key, Manifest

__all__ = ["approver_controller", "plan_approval"]

_REASON: Final = "cert-manager.io"
_MESSAGE: Final = "Certificate request has been approved by cert-manager.io"


def plan_approval(request: Manifest, sources: Sources, *, options: Options) -> Plan:
    """Plan the condition Approved, unless the request is decided or answered."""
    decided = any(
        condition is not None and condition.is_true
        for condition in (get_condition(request, "Approved"), get_condition(request, "Denied"))
    )
    if decided or is_closed(request):
        return Plan()
    approved = with_condition(
        request, type="Approved", status="True", reason=_REASON, message=_MESSAGE, now=sources.now
    )
    return Plan(
        (
            *write_status(request, approved, options.gates, conditions=("Approved",)),
            Emit(request, "Normal", _REASON, _MESSAGE),
        )
    )


async def _gather(key: Key, reader: Reader) -> Manifest | None:
    return await reader.get(key)


def approver_controller(options: Options) -> Controller[Manifest]:
    """Return the loop."""
    return Controller(
        name="certificaterequests-approver",
        kind=CERTIFICATE_REQUEST,
        gather=_gather,
        plan=partial(plan_approval, options=options),
        backoff=SLOW_BACKOFF,
    )
