"""certificates-metrics: what gauges say about each Certificate.

Source: reference cert-manager.md 8.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from certwright.reconcile.contract import Controller, Observe, Plan, Reader, Sample, Sources
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import CERTIFICATE, Key

__all__ = ["certificate_metrics_controller", "certificate_samples", "plan_metrics"]


@dataclass(frozen=True, slots=True)
class MetricsState:
    """A Certificate, or that there is none of that name."""

    key: Key
    certificate: Certificate | None


def certificate_samples(certificate: Certificate) -> tuple[Sample, ...]:
    """Return the gauges of a Certificate; labels hold what the spec says, without defaults."""
    issuer = certificate.issuer_ref
    name = (("name", certificate.name), ("namespace", certificate.namespace))
    issued_by = (
        ("issuer_name", issuer.name),
        ("issuer_kind", issuer.kind),
        ("issuer_group", issuer.group),
    )
    ready = get_condition(certificate.object, "Ready")
    status = "Unknown" if ready is None else ready.status
    return (
        Sample(
            "certmanager_certificate_expiration_timestamp_seconds",
            (*name, *issued_by),
            _unix_seconds(certificate.not_after),
        ),
        Sample(
            "certmanager_certificate_renewal_timestamp_seconds",
            (*name, *issued_by),
            _unix_seconds(certificate.renewal_time),
        ),
        *(
            Sample(
                "certmanager_certificate_ready_status",
                (*name, ("condition", condition), *issued_by),
                1.0 if condition == status else 0.0,
            )
            for condition in ("True", "False", "Unknown")
        ),
    )


def plan_metrics(state: MetricsState, _sources: Sources) -> Plan:
    """Plan the gauges of a Certificate, or that they go with it."""
    samples = () if state.certificate is None else certificate_samples(state.certificate)
    return Plan((Observe(state.key, samples),))


async def _gather(key: Key, reader: Reader) -> MetricsState:
    found = await reader.get(key)
    return MetricsState(key, None if found is None else Certificate(found))


def _unix_seconds(instant: datetime | None) -> float:
    return 0.0 if instant is None else instant.timestamp()


def certificate_metrics_controller() -> Controller[MetricsState]:
    """Return the loop."""
    return Controller(
        name="certificates-metrics", kind=CERTIFICATE, gather=_gather, plan=plan_metrics
    )
