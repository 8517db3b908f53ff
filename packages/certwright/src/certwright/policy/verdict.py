"""A check, what it looks at, and what it may object to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from certwright.policy.ca_rotation import CaRotation
from certwright.policy.renewal import RenewalRule
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.secret import Secret

__all__ = ["Check", "Evidence", "Violation", "first_violation"]


@dataclass(frozen=True, slots=True)
class Violation:
    """Why the state is not what it should be."""

    reason: str
    """One of `policy.reasons`."""
    message: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a check may look at."""

    certificate: Certificate
    now: datetime
    """UTC."""
    secret: Secret | None = None
    """The Secret of `spec.secretName`; None if there is none."""
    current_request: CertificateRequest | None = None
    """The request of the revision that is stored; None if it is gone or nothing was issued."""
    output_formats: tuple[str, ...] = ()
    """`spec.additionalOutputFormats`, empty while their feature gate is off."""
    renewal: RenewalRule = field(default_factory=RenewalRule)
    """When certificates are renewed."""
    rotation: CaRotation | None = None
    """Where the issuer's CA stands; None if it does not take part."""
    owner_ref_enabled: bool = False
    """--enable-certificate-owner-ref."""


Check: TypeAlias = Callable[[Evidence], Violation | None]
"""Objects, or has nothing to say. It stands alone: it does not rely on another check before it."""


def first_violation(chain: Sequence[Check], evidence: Evidence) -> Violation | None:
    """Return the first objection of a chain, or None if no check objects."""
    for check in chain:
        violation = check(evidence)
        if violation is not None:
            return violation
    return None
