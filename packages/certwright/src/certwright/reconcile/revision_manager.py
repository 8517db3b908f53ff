"""certificates-revision-manager: keeps as many requests as the history is long.

Source: reference cert-manager.md 2.11.
"""

from __future__ import annotations

from certwright.reconcile.contract import Controller, Delete, Plan, Sources
from certwright.reconcile.gather import (
    WAKE_OWNER_OF_REQUEST,
    CertificateState,
    gather_for_revisions,
)
from certwright.reconcile.indexes import REQUESTS_BY_OWNER
from certwright.resources import meta
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import CERTIFICATE

__all__ = ["plan_revisions", "revision_manager_controller"]


def plan_revisions(state: CertificateState, _sources: Sources) -> Plan:
    """Plan the deletion of all requests but the newest `spec.revisionHistoryLimit`."""
    limit = state.certificate.revision_history_limit
    ready = get_condition(state.certificate.object, "Ready")
    if limit is None or ready is None or not ready.is_true:
        return Plan()
    numbered = [(request.revision, request) for request in state.requests]
    history = sorted(
        ((revision, request) for revision, request in numbered if revision is not None),
        key=lambda entry: entry[0],
    )
    gone = history[: max(0, len(history) - max(0, limit))]
    return Plan(
        tuple(
            Delete(meta.key_of(request.object), request.uid)
            for _, request in gone
            if meta.deletion_time(request.object) is None
        )
    )


def revision_manager_controller() -> Controller[CertificateState]:
    """Return the loop."""
    return Controller(
        name="certificates-revision-manager",
        kind=CERTIFICATE,
        gather=gather_for_revisions,
        plan=plan_revisions,
        wakes=(WAKE_OWNER_OF_REQUEST,),
        indexes=(REQUESTS_BY_OWNER,),
    )
