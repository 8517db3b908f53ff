"""certificates-metrics: what gauges say about each Certificate, and the alarm before it ends.

A certificate is late when half of the time that renewing it should have had is over: then
`certwright_certificate_renewal_late` is 1, and an event says until when, since when, and why.

Source: reference cert-manager.md 8.1; the alarm is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from certwright.reconcile.contract import (
    Controller,
    Emit,
    Observe,
    Plan,
    Reader,
    Sample,
    Sources,
)
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import CERTIFICATE, Key
from certwright.resources.times import format_time

__all__ = [
    "certificate_metrics_controller",
    "certificate_samples",
    "late_since",
    "plan_metrics",
]

ALARM_SECONDS: Final = 3600.0
"""How often the alarm is repeated while a certificate is late."""


@dataclass(frozen=True, slots=True)
class MetricsState:
    """A Certificate, or that there is none of that name."""

    key: Key
    certificate: Certificate | None


def certificate_samples(certificate: Certificate, *, is_late: bool = False) -> tuple[Sample, ...]:
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
        Sample("certwright_certificate_renewal_late", (*name, *issued_by), 1.0 if is_late else 0.0),
    )


def plan_metrics(state: MetricsState, sources: Sources) -> Plan:
    """Plan the gauges of a Certificate, or that they go with it, and the alarm if it is late."""
    certificate = state.certificate
    if certificate is None:
        return Plan((Observe(state.key, ()),))
    late_at = late_since(certificate)
    is_late = late_at is not None and late_at <= sources.now
    observed = Observe(state.key, certificate_samples(certificate, is_late=is_late))
    if late_at is None:
        return Plan((observed,))
    if not is_late:
        seconds = (late_at - sources.now).total_seconds()
        return Plan((observed,), look_again_after_seconds=seconds)
    said = Emit(certificate.object, "Warning", "RenewalLate", _late_text(certificate, sources.now))
    return Plan((observed, said), look_again_after_seconds=ALARM_SECONDS)


def late_since(certificate: Certificate) -> datetime | None:
    """Return when a certificate that is not renewed is late; None if that is not known."""
    end, due = certificate.not_after, certificate.renewal_time
    return None if end is None or due is None or due >= end else due + (end - due) / 2


def _late_text(certificate: Certificate, now: datetime) -> str:
    end, due = certificate.not_after, certificate.renewal_time
    assert end is not None
    assert due is not None
    verb = "ends" if now < end else "ended"
    text = f"The certificate {verb} at {format_time(end)}, to be renewed since {format_time(due)}"
    issuing = get_condition(certificate.object, "Issuing")
    ready = get_condition(certificate.object, "Ready")
    why = issuing or ready
    return f"{text}: {why.message}" if why is not None and why.message else text


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
