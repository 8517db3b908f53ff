"""When certificates are renewed: spread, suggested, or as cert-manager does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

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
    found = (
        renewal_moment(Certificate(certificate(uid=f"u{number}")), leaf, rule)
        for number in range(10_000)
    )
    moments = [moment for moment in found if moment is not None]

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
    assert own is not None
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
        assert found is not None
        expected = START + LIFE - timedelta(hours=hours)
        assert abs(found - expected) < timedelta(seconds=2), percentage


def renewing(*windows: dict[str, str], uid: str = "u", **renewal: Any) -> Certificate:
    """Return a Certificate with windows."""
    spec = {"secretName": "tls", "issuerRef": {"name": "ca"}}
    renewal = {"policy": "RenewBefore", "windows": list(windows), **renewal}
    return Certificate(certificate(uid=uid, spec={**spec, "renewal": renewal}))


NIGHT = {"cron": "0 2 * * *", "windowDuration": "1h"}
WEEKLY = {"cron": "0 4 * * 2", "windowDuration": "3h"}
# 160 hours from 2026-01-01: due 2026-01-05T10:40, at the end 2026-01-07T16:00 (a Wednesday).
DUE = datetime(2026, 1, 5, 10, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        pytest.param((), DUE, id="none"),
        pytest.param((NIGHT,), datetime(2026, 1, 6, 2, tzinfo=UTC), id="the next night"),
        pytest.param((WEEKLY,), datetime(2026, 1, 6, 4, tzinfo=UTC), id="the next Tuesday"),
        pytest.param((WEEKLY, NIGHT), datetime(2026, 1, 6, 2, tzinfo=UTC), id="the nearest"),
        pytest.param(({**NIGHT, "cron": "0 10 * * *"},), DUE, id="open"),
        pytest.param(({**NIGHT, "cron": "0 2 * * 4"},), DUE, id="not before the end"),
        pytest.param(({**NIGHT, "cron": "0 2 30 2 *"},), DUE, id="never"),
        pytest.param(({**NIGHT, "cron": "55 15 7 1 *"},), DUE, id="at the last moment"),
        pytest.param(({**NIGHT, "cron": "nonsense"},), DUE, id="no cron"),
        pytest.param(({**NIGHT, "windowDuration": "1d"},), DUE, id="no duration"),
        pytest.param(({**NIGHT, "timezone": "Nowhere"},), DUE, id="no zone"),
        pytest.param(
            ({**NIGHT, "cron": "nonsense"}, NIGHT),
            datetime(2026, 1, 6, 2, tzinfo=UTC),
            id="one that is none beside another",
        ),
        pytest.param(
            ({**NIGHT, "timezone": "Asia/Seoul"},),
            datetime(2026, 1, 5, 17, tzinfo=UTC),
            id="a night elsewhere",
        ),
    ],
)
def test_windows(windows: tuple[dict[str, str], ...], expected: datetime) -> None:
    """Later than without, never earlier, and never so late that the certificate ends."""
    found = renewal_moment(renewing(*windows), issued(), RenewalRule())
    assert found == expected


def test_a_window_is_spread_too() -> None:
    """Else all that wait for it would renew in its first second."""
    rule = RenewalRule(spread=0.01)
    found = [
        renewal_moment(renewing(NIGHT, uid=f"u{number}"), issued(), rule) for number in range(500)
    ]
    moments = [moment for moment in found if moment is not None]
    opens = datetime(2026, 1, 6, 2, tzinfo=UTC)
    assert opens <= min(moments) < max(moments) < opens + timedelta(hours=1)
    assert max(moments) - min(moments) > timedelta(minutes=50)


def test_who_is_not_to_be_renewed_is_not() -> None:
    """Whatever the CA suggests."""
    assert renewal_moment(renewing(policy="Disabled"), issued(), RenewalRule()) is None


def test_what_the_ca_suggests_comes_before_windows() -> None:
    """It may be about to revoke the certificate."""
    leaf = issued()
    dates = {"notBefore": format_time(leaf.not_before), "notAfter": format_time(leaf.not_after)}
    window = {"start": "2026-01-02T12:00:00Z", "end": "2026-01-02T13:00:00Z"}
    status = {**dates, "acme": {"ari": {"suggestedWindow": window}}}
    suggested = Certificate({**renewing(NIGHT).object, "status": status})
    found = renewal_moment(suggested, leaf, RenewalRule(use_suggestions=True))
    assert found is not None
    assert datetime(2026, 1, 2, 12, tzinfo=UTC) <= found <= datetime(2026, 1, 2, 13, tzinfo=UTC)
