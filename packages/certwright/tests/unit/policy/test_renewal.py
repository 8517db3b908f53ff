"""When certificates are renewed: spread, suggested, or as cert-manager does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from certwright.pki.certificates import DecodedCertificate
from certwright.pki.renewal_time import renewal_time
from certwright.policy.renewal import RenewalRule, renewal_moment
from certwright.resources.certificate import Certificate
from certwright.resources.times import format_time
from certwright_testing.objects import certificate
from certwright_testing.pki import make_ca

START = datetime(2026, 1, 1, tzinfo=UTC)
LIFE = timedelta(hours=160)


def issued(serial: int = 1) -> DecodedCertificate:
    """Return a certificate of 160 hours."""
    decoded, _ = make_ca()
    return replace(decoded, serial=serial, not_before=START, not_after=START + LIFE)


def test_by_default_it_is_cert_managers() -> None:
    """Nothing is spread."""
    leaf = issued()
    found = renewal_moment(Certificate(certificate(uid="u")), leaf, RenewalRule())

    assert found == renewal_time(leaf.not_before, leaf.not_after, None)


def test_ten_thousand_that_were_issued_together_do_not_renew_together() -> None:
    """Over half a day of 160 hours, none later than alone, each always at its own moment."""
    leaf, rule = issued(), RenewalRule(spread=0.25)
    due = renewal_time(leaf.not_before, leaf.not_after, None)
    moments = [
        renewal_moment(Certificate(certificate(uid=f"u{number}")), leaf, rule)
        for number in range(10_000)
    ]

    assert max(moments) <= due
    assert max(moments) - min(moments) > timedelta(hours=13)
    per_minute = Counter(moment.replace(second=0) for moment in moments)
    assert max(per_minute.values()) < 40
    again = renewal_moment(Certificate(certificate(uid="u7")), leaf, rule)
    assert again == moments[7]


def test_a_window_of_another_certificate_does_not_count() -> None:
    """Else the certificate that has just been issued would be renewed at once."""
    window = {"start": "2025-12-01T00:00:00Z", "end": "2025-12-02T00:00:00Z"}
    rule = RenewalRule(use_suggestions=True)
    leaf = issued()
    obj = certificate(uid="u")
    dates = {"notBefore": format_time(leaf.not_before), "notAfter": format_time(leaf.not_after)}
    ari = {"acme": {"ari": {"suggestedWindow": window}}}

    own = renewal_moment(Certificate({**obj, "status": {**dates, **ari}}), leaf, rule)
    assert own < START
    other = renewal_moment(
        Certificate({**obj, "status": {**dates, **ari, "notAfter": "2025-12-03T00:00:00Z"}}),
        leaf,
        rule,
    )
    assert other == renewal_time(leaf.not_before, leaf.not_after, None)


def test_a_percentage_of_the_life() -> None:
    """A field of later versions; what is no part of the life is not used."""
    spec = {"secretName": "tls", "issuerRef": {"name": "ca"}}
    for percentage, hours in ((25, 40), (1, 1.6), (0, 160 / 3), (100, 160 / 3)):
        wanted = certificate(uid="u", spec={**spec, "renewBeforePercentage": percentage})
        found = renewal_moment(Certificate(wanted), issued(), RenewalRule())
        expected = START + LIFE - timedelta(hours=hours)
        assert abs(found - expected) < timedelta(seconds=2), percentage
