"""In which fields a request or a certificate is not what was asked for; usages; renewal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.errors import InvalidError
from certwright.pki.certificates import decode_certificates
from certwright.pki.csr import decode_csr
from certwright.pki.keys import generate_private_key
from certwright.pki.match import request_violations, secret_names_violations
from certwright.pki.renewal_time import renewal_time
from certwright.pki.template import sign_template, template_of_request, temporary_certificate
from certwright.pki.usages import EXTENDED_KEY_USAGES, KEY_USAGES, key_usages, usages_of
from certwright.resources.features import FeatureGates
from certwright_testing.pki import NOW, make_certificate, make_key, make_request

BASE = {"commonName": "a", "dnsNames": ["a", "b"], "duration": "1h"}


@pytest.mark.parametrize(
    ("changed", "violations"),
    [
        ({}, []),
        ({"dnsNames": ["b", "a"]}, []),
        ({"dnsNames": ["b", "a", "a"]}, ["spec.dnsNames"]),
        ({"commonName": "x"}, ["spec.commonName"]),
        ({"ipAddresses": ["::1"]}, ["spec.ipAddresses"]),
        ({"uris": ["a:b"]}, ["spec.uris"]),
        ({"emailAddresses": ["a@b"]}, ["spec.emailAddresses"]),
        ({"subject": {"serialNumber": "1"}}, ["spec.subject.serialNumber"]),
        ({"subject": {"organizations": ["o"]}}, ["spec.subject.organizations"]),
        ({"subject": {"countries": ["o"]}}, ["spec.subject.countries"]),
        ({"subject": {"localities": ["o"]}}, ["spec.subject.localities"]),
        ({"subject": {"organizationalUnits": ["o"]}}, ["spec.subject.organizationalUnits"]),
        (
            {"subject": {"postalCodes": ["o"], "provinces": ["p"]}},
            ["spec.subject.postCodes", "spec.subject.postCodes"],
        ),
        ({"subject": {"streetAddresses": ["o"]}}, ["spec.subject.streetAddresses"]),
        ({"literalSubject": "CN=a"}, []),
        ({"literalSubject": "CN=b"}, ["spec.literalSubject"]),
        ({"isCA": True}, ["spec.isCA"]),
        ({"usages": ["server auth"]}, ["spec.usages"]),
        ({"duration": "60m"}, []),
        ({"duration": "2h"}, ["spec.duration"]),
        ({"issuerRef": {"name": "ca", "kind": "Issuer"}}, ["spec.issuerRef"]),
    ],
)
def test_every_field_of_a_request_is_compared(
    changed: dict[str, object], violations: list[str]
) -> None:
    """Names are cert-manager's, its `postCodes` for provinces included."""
    request = make_request(make_certificate(**BASE))

    assert violations == request_violations(request, make_certificate(**{**BASE, **changed}))


def test_a_duration_counts_only_if_both_have_one() -> None:
    """An absent one is not the default one."""
    spec = {name: BASE[name] for name in ("commonName", "dnsNames")}

    assert (
        request_violations(make_request(make_certificate(**BASE)), make_certificate(**spec)) == []
    )


def test_another_way_to_write_an_address_does_not_issue_again() -> None:
    """cert-manager v1.12.2 compares texts and issues for ever."""
    spec = {"commonName": "a", "ipAddresses": ["2001:db8:0::1"], "uris": ["HTTP://h/ü"]}
    certificate = make_certificate(**spec)

    assert request_violations(make_request(certificate), certificate) == []


def test_a_request_that_cannot_be_read_is_an_error() -> None:
    """Not a mismatch: the caller decides what that means."""
    with pytest.raises(InvalidError, match="error decoding certificate request PEM block"):
        request_violations(make_request(request="eA=="), make_certificate(**BASE))


def test_a_request_cut_anywhere_is_an_error() -> None:
    """Never a crash."""
    pem = make_request().request
    for at in range(30, len(pem) - 40, 5):
        with pytest.raises(InvalidError):
            decode_csr(pem[:at] + b"\n-----END CERTIFICATE REQUEST-----\n")


@pytest.mark.parametrize(
    ("issued", "wanted", "violations"),
    [
        ({"commonName": "a", "dnsNames": ["b"]}, {"commonName": "a", "dnsNames": ["b"]}, []),
        ({"dnsNames": ["a", "b"]}, {"commonName": "a", "dnsNames": ["b"]}, []),
        ({"commonName": "a"}, {"dnsNames": ["a"]}, []),
        ({"commonName": "x", "dnsNames": ["b"]}, {"dnsNames": ["b"]}, ["spec.commonName"]),
        ({"dnsNames": ["b"]}, {"dnsNames": ["b", "c"]}, ["spec.dnsNames"]),
        (
            {"commonName": "x"},
            {"commonName": "y", "dnsNames": ["z"]},
            ["spec.commonName", "spec.dnsNames"],
        ),
        ({"dnsNames": ["a"], "ipAddresses": ["::1"]}, {"dnsNames": ["a"]}, ["spec.ipAddresses"]),
        ({"dnsNames": ["a"]}, {"dnsNames": ["a"], "uris": ["a:b"]}, ["spec.uris"]),
        (
            {"dnsNames": ["a"]},
            {"dnsNames": ["a"], "emailAddresses": ["x@y"]},
            ["spec.emailAddresses"],
        ),
    ],
)
def test_a_certificate_without_its_request_is_compared_by_names(
    issued: dict[str, object], wanted: dict[str, object], violations: list[str]
) -> None:
    """A common name and a DNS name may stand for each other."""
    request = make_request(make_certificate(**issued))
    certificate = sign_template(template_of_request(request, now=NOW, serial=1), make_key())

    assert violations == secret_names_violations(certificate, make_certificate(**wanted))


# ------------------------------------------------------------------------------ usages


@given(st.lists(st.sampled_from([*KEY_USAGES, *EXTENDED_KEY_USAGES]), unique=True, min_size=1))
def test_usages_come_back_by_their_first_name(usages: list[str]) -> None:
    """`signing` is `digital signature`, `s/mime` is `email protection`."""
    bits, extended = key_usages(usages, is_ca=False)
    same = {"signing": "digital signature", "s/mime": "email protection"}

    assert set(usages_of(bits, extended)) == {same.get(usage, usage) for usage in usages}


def test_a_ca_signs_certificates_whatever_it_asks_for() -> None:
    """No usage at all means the two default ones."""
    assert key_usages((), is_ca=True) == (0b100101, ())
    assert key_usages(["server auth"], is_ca=True) == (0b100000, ("1.3.6.1.5.5.7.3.1",))


# ------------------------------------------------------------------------------ renewal

START = datetime(2023, 1, 1, tzinfo=UTC)
HOUR_NANO = 3600 * 10**9


@pytest.mark.parametrize(
    ("hours", "renew_before_ns", "expected_seconds"),
    [
        (3, None, 7200),
        (3, HOUR_NANO // 2, 9000),
        (3, 3 * HOUR_NANO, 7200),
        (3, 3 * HOUR_NANO - 1, 0),
        (3, 1, 10799),
        (1, None, 2400),
    ],
)
def test_a_certificate_is_renewed_at_two_thirds_or_as_asked(
    hours: int, renew_before_ns: int | None, expected_seconds: int
) -> None:
    """A wish as long as the life is no wish; a part of a second counts as a whole one."""
    found = renewal_time(START, START + timedelta(hours=hours), renew_before_ns)

    assert found == START + timedelta(seconds=expected_seconds)


# ------------------------------------------------------------------------------ temporary


def test_a_temporary_certificate_is_recognised_by_its_serial_number() -> None:
    """It is signed by a CA that is thrown away."""
    certificate = make_certificate(commonName="a", dnsNames=["a", "b"], duration="2h")
    pem = temporary_certificate(
        certificate,
        make_key(),
        FeatureGates(),
        ca_key=generate_private_key("ECDSA", 521),
        now=NOW,
        serials=(1, 2),
    )
    (found,) = decode_certificates(pem)

    assert found.subject.serial_number == "1234567890"
    assert found.names.dns == ("a", "b")
    assert found.issuer == ((("2.5.4.3", "cert-manager.local"),),)
    assert found.not_after - found.not_before == timedelta(hours=2)
    assert found.authority_key_id
