"""What a Lease says when we take, renew and give it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from certwright.engine.leader import LeaseTerms, claimed, released
from certwright.resources.kinds import LEASE

NOW = datetime(2026, 1, 1, 12, 0, 0, 5, tzinfo=UTC)
TERMS = LeaseTerms(LEASE.key("kube-system", "cert-manager-controller"), "me")


def test_the_first_holder_counts_no_transition() -> None:
    """Names, times and length as client-go writes them."""
    lease = claimed(None, TERMS, NOW)

    assert lease["metadata"] == {"name": "cert-manager-controller", "namespace": "kube-system"}
    assert lease["spec"] == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 60,
        "acquireTime": "2026-01-01T12:00:00.000005Z",
        "renewTime": "2026-01-01T12:00:00.000005Z",
        "leaseTransitions": 0,
    }


def test_a_renewal_changes_only_its_time() -> None:
    """The same holder is no transition."""
    first = claimed(None, TERMS, NOW)
    again = claimed(first, TERMS, NOW + timedelta(seconds=15))

    assert again["spec"] == first["spec"] | {"renewTime": "2026-01-01T12:00:15.000005Z"}


def test_another_holder_is_a_transition() -> None:
    """So is taking back what was given back."""
    first = claimed(None, LeaseTerms(TERMS.key, "other"), NOW)
    mine = claimed(first, TERMS, NOW)
    free = released(mine, NOW)
    again = claimed(free, TERMS, NOW)

    assert mine["spec"]["leaseTransitions"] == 1
    assert free["spec"]["holderIdentity"] == ""
    assert free["spec"]["leaseDurationSeconds"] == 1
    assert again["spec"]["leaseTransitions"] == 2
