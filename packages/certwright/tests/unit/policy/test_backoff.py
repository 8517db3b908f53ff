"""How long failures wait.

Source: reference cert-manager.md 2.3.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from certwright.policy.backoff import backoff_hours, backoff_remaining
from certwright.policy.verdict import Evidence
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.kinds import Manifest
from certwright_testing.objects import certificate

FAILED = datetime(2023, 6, 2, 10, 0, 0, tzinfo=UTC)


def failed(after: timedelta, **status: object) -> Evidence:
    """Return a Certificate that failed, and the time since."""
    obj: Manifest = certificate()
    obj["status"] = {"lastFailureTime": "2023-06-02T10:00:00Z", **status}
    return Evidence(Certificate(obj), FAILED + after)


@pytest.mark.parametrize(
    ("attempts", "hours"),
    [(None, 1), (0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 32), (10**9, 32)],
)
def test_the_wait_doubles_up_to_32_hours(attempts: int | None, hours: int) -> None:
    """Each failure in a row counts; none recorded is one."""
    assert backoff_hours(attempts) == hours


def test_the_wait_ends_in_its_second() -> None:
    """A second before it is one second; then it is over."""
    assert backoff_remaining(failed(timedelta(seconds=3599)), None) == timedelta(seconds=1)
    assert backoff_remaining(failed(timedelta(seconds=3600)), None) is None


def test_without_a_failure_there_is_no_wait() -> None:
    """The first issuance begins at once."""
    assert backoff_remaining(Evidence(Certificate(certificate()), FAILED), None) is None


def test_a_clock_set_back_does_not_make_the_wait_longer() -> None:
    """A failure in the future waits as long as one of now."""
    remaining = backoff_remaining(failed(-timedelta(days=9), failedIssuanceAttempts=3), None)

    assert remaining == timedelta(hours=4)


def test_a_request_that_does_not_fit_or_cannot_be_read_ends_the_wait() -> None:
    """The spec was changed since, or the request is broken."""
    broken = CertificateRequest({"metadata": {}, "spec": {"request": "eA=="}})

    assert backoff_remaining(failed(timedelta()), broken) is None
