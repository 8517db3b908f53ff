"""When a certificate ends."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from fakes.certificates import Authority
from lymer.transport.pem import first_certificate_end

AUTHORITY = Authority()


@pytest.mark.parametrize("days", [-3, 1, 29, 20_000, 300_000])
def test_the_end_is_that_of_the_first_certificate(days: int) -> None:
    """The two forms of time, before and after 2050, text around it, a chain behind it."""
    pem = AUTHORITY.issue(days=days).certificate
    expected = x509.load_pem_x509_certificate(pem).not_valid_after_utc

    found = first_certificate_end(b"Bag Attributes\n" + pem + AUTHORITY.certificate)

    assert found == expected
    assert isinstance(found, datetime)
    assert found.tzinfo is UTC


@given(st.binary(max_size=300))
def test_what_is_no_certificate_is_a_value_error(content: bytes) -> None:
    """Whatever the bytes."""
    import base64

    block = base64.b64encode(content)
    pem = b"-----BEGIN CERTIFICATE-----\n" + block + b"\n-----END CERTIFICATE-----\n"
    for text in (content, pem):
        with pytest.raises(ValueError, match="certificate"):
            first_certificate_end(text)


def test_a_certificate_cut_anywhere_is_a_value_error() -> None:
    """Down to the last byte that matters."""
    import base64
    import ssl

    der = ssl.PEM_cert_to_DER_cert(AUTHORITY.certificate.decode())
    for length in range(len(der)):
        block = base64.b64encode(der[:length])
        with pytest.raises(ValueError, match="certificate"):
            first_certificate_end(
                b"-----BEGIN CERTIFICATE-----\n" + block + b"\n-----END CERTIFICATE-----\n"
            )
