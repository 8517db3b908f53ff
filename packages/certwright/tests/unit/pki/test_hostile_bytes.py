"""Bytes from anybody: read or refused in our words, soon, and never read in two ways."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from certwright.errors import InvalidError
from certwright.pki import der
from certwright.pki.certificates import DecodedCertificate, decode_certificate
from certwright.pki.csr import decode_csr, generate_csr
from certwright.pki.keys import decode_private_key, decode_public_key, generate_private_key
from certwright.pki.keystores import pkcs12_truststore
from certwright.pki.names import decode_rdns, name_text
from certwright.pki.pem import decode_pem, encode_pem
from certwright.resources.certificate import Certificate
from certwright.resources.features import FeatureGates
from certwright_testing.pki import make_ca

_KEY = generate_private_key("ECDSA", 256)
_CSR = next(
    decode_pem(
        generate_csr(
            Certificate(
                {
                    "spec": {
                        "commonName": "a.example",
                        "dnsNames": ["a.example", "*.b.example"],
                        "ipAddresses": ["192.0.2.1", "2001:db8::1"],
                        "uris": ["urn:a"],
                        "emailAddresses": ["a@b.example"],
                        "usages": ["digital signature", "server auth", "decipher only"],
                        "privateKey": {"algorithm": "ECDSA"},
                    }
                }
            ),
            _KEY,
            FeatureGates(),
        )
    )
).der
_CERTIFICATE = make_ca("Root")[0].der


def refused_or(read: Callable[[bytes], object], data: bytes) -> object | None:
    """Return what was read, or None if it was refused as it should be."""
    try:
        return read(data)
    except InvalidError:
        return None


def _changed(data: bytes) -> st.SearchStrategy[bytes]:
    """Give bytes like these with a few changes: a byte, a cut, a piece twice."""

    def apply(changes: list[tuple[int, int, int]]) -> bytes:
        result = bytearray(data)
        for kind, at, value in changes:
            position = at % max(1, len(result))
            match kind:
                case 0:
                    result[position : position + 1] = bytes((value,))
                case 1:
                    del result[position : position + value % 8]
                case 2:
                    result[position:position] = result[position : position + value % 32]
                case _:
                    result[position:position] = bytes((value,))
        return bytes(result)

    change = st.tuples(st.integers(0, 3), st.integers(0, 2000), st.integers(0, 255))
    return st.lists(change, min_size=1, max_size=4).map(apply)


@settings(max_examples=600, deadline=None)
@given(_changed(_CERTIFICATE) | st.binary(max_size=300))
def test_a_certificate_is_read_or_refused(data: bytes) -> None:
    """And one that is read is the same for the library, wherever that reads it too."""
    found = refused_or(decode_certificate, data)
    if not isinstance(found, DecodedCertificate):
        return
    with warnings.catch_warnings(action="ignore"):  # it warns of what it will refuse some day
        try:
            other = x509.load_der_x509_certificate(data)
            names, serial = other.extensions, other.serial_number
        except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            return
        except x509.InvalidVersion:  # it knows no v2
            assert found.version == 2
            return
    assert found.serial == serial
    assert found.not_after == other.not_valid_after_utc
    assert set(found.extensions) == {extension.oid.dotted_string for extension in names}


@pytest.mark.parametrize("version", [3, 4, 127, 255])
def test_a_certificate_of_a_version_that_is_none_is_refused(version: int) -> None:
    """0 to 2 are, for v1 to v3; the library has an error of its own for the others."""
    head, was = b"\xa0\x03\x02\x01", b"\x02"
    assert _CERTIFICATE.count(head + was) == 1
    data = _CERTIFICATE.replace(head + was, head + bytes((version,)))
    with pytest.raises(InvalidError, match="invalid version"):
        decode_certificate(data)


def test_what_the_library_does_not_take_is_a_sentence() -> None:
    """It knows no v2, which Go reads: a CA outside may have one."""
    data = _CERTIFICATE.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01")
    assert decode_certificate(data).version == 2
    with pytest.raises(InvalidError, match="keystore"):
        pkcs12_truststore(b"password", encode_pem("CERTIFICATE", data))


@settings(max_examples=600, deadline=None)
@given(_changed(_CSR) | st.binary(max_size=300))
def test_a_request_is_read_or_refused(data: bytes) -> None:
    """In PEM, as it comes."""
    refused_or(decode_csr, encode_pem("CERTIFICATE REQUEST", data))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
@pytest.mark.parametrize("read", [decode_csr, decode_private_key, decode_public_key, decode_rdns])
def test_any_bytes_are_read_or_refused(read: Callable[[bytes], object], data: bytes) -> None:
    """Whatever reads bytes."""
    refused_or(read, data)
    refused_or(read, b"-----BEGIN PRIVATE KEY-----\n" + data + b"\n-----END PRIVATE KEY-----\n")


@settings(max_examples=500)
@given(st.binary(max_size=24))
def test_what_is_read_has_only_one_form(content: bytes) -> None:
    """Written again it is the same bytes: DER, not BER, so that two readers cannot disagree."""
    for read, write, tag in (
        (der.decode_integer, der.integer, der.INTEGER),
        (der.decode_oid, der.oid, der.OID),
        (der.decode_boolean, lambda value: der.boolean(value=value), der.BOOLEAN),
    ):
        try:
            value = read(content)  # type: ignore[operator]
        except InvalidError:
            continue
        assert write(value) == der.tlv(tag, content)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("read", "content", "text"),
    [
        (der.decode_integer, b"\x00\x01", "integer not minimally-encoded"),
        (der.decode_integer, b"\xff\x80", "integer not minimally-encoded"),
        (der.decode_integer, b"", "empty integer"),
        (der.decode_oid, b"\x55\x80\x01", "integer is not minimally encoded"),
        (der.decode_oid, b"\x55\x88\x80\x80\x80\x00", "base 128 integer too large"),
        (der.decode_oid, b"\x55\x81", "invalid object identifier"),
        (der.decode_boolean, b"\x01", "invalid boolean"),
        (der.decode_boolean, b"\xff\xff", "invalid boolean"),
        (der.decode_bit_string, b"\x01\x01", "invalid bit string"),
        (der.decode_bit_string, b"\x08\x00", "invalid bit string"),
    ],
)
def test_what_is_not_der_is_refused(
    read: Callable[[bytes], object], content: bytes, text: str
) -> None:
    """Non-minimal numbers, and bits where there must be none, as Go refuses them."""
    with pytest.raises(InvalidError, match=text):
        read(content)


def test_the_largest_number_of_an_identifier_is_read() -> None:
    """31 bits: Go has no more."""
    assert der.decode_oid(der.Reader(der.oid("2.5.2147483647")).read().content) == "2.5.2147483647"


@pytest.mark.parametrize(
    "data",
    [
        der.tlv(der.OID, b"\xff" * 1_000_000 + b"\x7f"),
        der.tlv(der.SEQUENCE, b"\x30\x80" * 500_000),
        b"\x30\x84\xff\xff\xff\xff",
        der.sequence(*[der.set_of([])] * 200_000),
    ],
    ids=["an identifier of a megabyte", "depth", "length", "many"],
)
def test_a_megabyte_of_nonsense_is_refused_soon(data: bytes) -> None:
    """In a time that grows with its length and no faster."""
    began = time.process_time()
    refused_or(decode_rdns, der.sequence(der.set_of([der.sequence(data, der.null())])))
    refused_or(decode_certificate, data)
    refused_or(decode_csr, encode_pem("CERTIFICATE REQUEST", data))

    assert time.process_time() - began < 5


def test_a_name_that_was_read_can_be_written() -> None:
    """With an identifier that nobody knows."""
    encoded = der.sequence(
        der.set_of([der.sequence(der.oid("1.2.3"), der.tlv(der.UTF8_STRING, b"x"))])
    )
    assert name_text(decode_rdns(encoded))
