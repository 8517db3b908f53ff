"""Validation of every kind: which rules run when an object is created or updated.

Source: reference cert-manager.md 1 and 4.2 (ResourceValidation).
"""

from __future__ import annotations

from certwright.admission.acme import updated_challenge_errors, updated_order_errors
from certwright.admission.certificate import certificate_errors
from certwright.admission.certificate_request import (
    created_request_errors,
    updated_request_errors,
)
from certwright.admission.fields import Verdict
from certwright.admission.issuer import issuer_verdict
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.features import FeatureGates
from certwright.resources.issuer import Issuer
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CHALLENGE,
    CLUSTER_ISSUER,
    ISSUER,
    ORDER,
    Manifest,
)
from certwright.resources.meta import kind_of

__all__ = ["validate_create", "validate_update"]


def validate_create(obj: Manifest, gates: FeatureGates) -> Verdict:
    """Say what is wrong with a new object; its shape must have passed `schema.check_shape`.

    Raises:
        InvalidError: A value cannot be read at all, such as a duration; or the kind is not ours.
    """
    match kind_of(obj):
        case kind if kind == CERTIFICATE:
            return Verdict(tuple(certificate_errors(Certificate(obj), gates)))
        case kind if kind == CERTIFICATE_REQUEST:
            return Verdict(tuple(created_request_errors(CertificateRequest(obj))))
        case kind if kind in {ISSUER, CLUSTER_ISSUER}:
            return issuer_verdict(Issuer(obj))
        case _:
            return Verdict()


def validate_update(old: Manifest, obj: Manifest, gates: FeatureGates) -> Verdict:
    """Say what is wrong with an object that is to replace `old`; also for a change of status.

    Raises:
        InvalidError: As for `validate_create`.
    """
    match kind_of(obj):
        case kind if kind == CERTIFICATE_REQUEST:
            errors = updated_request_errors(CertificateRequest(old), CertificateRequest(obj))
            return Verdict(tuple(errors))
        case kind if kind == ORDER:
            return Verdict(tuple(updated_order_errors(old, obj)))
        case kind if kind == CHALLENGE:
            return Verdict(tuple(updated_challenge_errors(old, obj)))
        case _:
            return validate_create(obj, gates)
