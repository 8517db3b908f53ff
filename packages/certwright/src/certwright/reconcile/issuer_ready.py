"""The Ready condition of an issuer, written with the events that go with it.

Source: reference cert-manager.md 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from certwright.issuers.contract import IssuerState
from certwright.reconcile.contract import Action, Apply, Emit, Plan, Sources
from certwright.reconcile.options import Options
from certwright.reconcile.status import set_fields, write_status
from certwright.resources.conditions import with_condition
from certwright.resources.issuer import Issuer
from certwright.resources.kinds import Key, Manifest

__all__ = ["IssuerGathered", "plan_ready", "resource_namespace"]


@dataclass(frozen=True, slots=True)
class IssuerGathered:
    """An issuer and the objects that its readiness depends on."""

    issuer: Issuer
    objects: Mapping[Key, Manifest] = field(default_factory=dict)
    leaves: tuple[Manifest, ...] = ()
    """Secrets of its Certificates, while more than one CA is trusted."""


def resource_namespace(issuer: Issuer, options: Options) -> str:
    """Return where the Secrets of an issuer are."""
    return options.cluster_resource_namespace if issuer.is_cluster_issuer else issuer.namespace


def plan_ready(
    issuer: Issuer,
    state: IssuerState,
    sources: Sources,
    options: Options,
    *,
    acme: Mapping[str, str] | None = None,
    actions: tuple[Action, ...] = (),
    again_after_seconds: float | None = None,
) -> Plan:
    """Plan the condition Ready.

    Args:
        issuer: Whose.
        state: What it says, and which events go with it.
        sources: Time.
        options: Settings.
        acme: What `status.acme` becomes; None leaves it.
        actions: What comes before.
        again_after_seconds: When to look again although nothing may have changed.
    """
    ready = with_condition(
        issuer.object,
        type="Ready",
        status="True" if state.ready else "False",
        reason=state.reason,
        message=state.message,
        now=sources.now,
        observed_generation=issuer.generation,
    )
    if acme is not None:
        ready = set_fields(ready, acme=dict(acme))
    events = [
        Emit(issuer.object, notice.type, notice.reason, notice.message) for notice in state.notices
    ]
    if state.error:
        message = f"Error initializing issuer: {state.error}"
        events.append(Emit(issuer.object, "Warning", "ErrInitIssuer", message))
    written = write_status(
        issuer.object, ready, options.gates, conditions=("Ready",), fields=("acme",)
    )
    return Plan(
        (*actions, *map(Apply, state.apply), *written, *events),
        look_again_after_seconds=again_after_seconds,
        retry=state.error if again_after_seconds is None else "",
    )
