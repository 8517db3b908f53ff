"""All control loops.

Source: reference cert-manager.md 8.5.
"""

from __future__ import annotations

from typing import Final

from certwright.reconcile.acme_challenges import challenges_controller
from certwright.reconcile.acme_orders import orders_controller
from certwright.reconcile.acme_scheduler import scheduler_controller
from certwright.reconcile.approver import approver_controller
from certwright.reconcile.certificate_metrics import certificate_metrics_controller
from certwright.reconcile.certificate_request import requests_controller
from certwright.reconcile.contract import AnyController
from certwright.reconcile.issuers import issuers_controller
from certwright.reconcile.issuing import issuing_controller
from certwright.reconcile.key_manager import key_manager_controller
from certwright.reconcile.options import Options
from certwright.reconcile.readiness import readiness_controller
from certwright.reconcile.request_manager import request_manager_controller
from certwright.reconcile.revision_manager import revision_manager_controller
from certwright.reconcile.revocation import revocation_controller
from certwright.reconcile.shim import (
    gateway_shim_controller,
    ingress_shim_controller,
    listener_set_shim_controller,
)
from certwright.reconcile.signing_request import signing_requests_controller
from certwright.reconcile.trigger import trigger_controller
from certwright.reconcile.trust_bundles import bundles_controller
from certwright.resources.features import (
    EXPERIMENTAL_CERTIFICATE_SIGNING_REQUEST_CONTROLLERS,
    EXPERIMENTAL_GATEWAY_API_SUPPORT,
    LISTENER_SETS,
)
from certwright.resources.issuer import IssuerType
from certwright.resources.kinds import CLUSTER_ISSUER, ISSUER

__all__ = ["all_controllers", "certificate_controllers"]

_ISSUER_TYPES: Final[tuple[IssuerType, ...]] = ("acme", "ca", "selfSigned", "vault", "venafi")


def all_controllers(options: Options) -> tuple[AnyController, ...]:
    """Return every loop that runs with these options; --controllers chooses among them by name."""
    has_gateways = EXPERIMENTAL_GATEWAY_API_SUPPORT in options.gates
    gateways = (gateway_shim_controller(options),) if has_gateways else ()
    has_sets = has_gateways and LISTENER_SETS in options.gates
    listener_sets = (listener_set_shim_controller(options),) if has_sets else ()
    return (
        *certificate_controllers(options),
        ingress_shim_controller(options),
        *gateways,
        *listener_sets,
    )


def certificate_controllers(options: Options) -> tuple[AnyController, ...]:
    """Return the loops that need no cluster: all but those for a cluster's ways in."""
    cluster_wide = () if options.namespace else (issuers_controller(CLUSTER_ISSUER, options),)
    signing_requests = (
        tuple(signing_requests_controller(issuer_type, options) for issuer_type in _ISSUER_TYPES)
        if EXPERIMENTAL_CERTIFICATE_SIGNING_REQUEST_CONTROLLERS in options.gates
        else ()
    )
    return (
        issuers_controller(ISSUER, options),
        *cluster_wide,
        approver_controller(options),
        *(requests_controller(issuer_type, options) for issuer_type in _ISSUER_TYPES),
        *signing_requests,
        *((bundles_controller(options),) if options.trust.enabled else ()),
        orders_controller(options),
        challenges_controller(options),
        scheduler_controller(options),
        trigger_controller(options),
        readiness_controller(options),
        key_manager_controller(options),
        request_manager_controller(options),
        issuing_controller(options),
        revocation_controller(options),
        revision_manager_controller(),
        certificate_metrics_controller(),
    )
