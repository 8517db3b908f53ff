"""Certificates, read: everything a decision may ask of one.

They are read by our own reader, because the library refuses some that Go's `crypto/x509` takes.

Source: RFC 5280 4.1; Go `crypto/x509` (ParseCertificate, CheckSignatureFrom); cert-manager v1.12.2
pkg/util/pki/parse.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from certwright.errors import InvalidError
from certwright.pki import der, extensions
from certwright.pki.extensions import AlternativeNames, Extension
from certwright.pki.keys import decode_public_key
from certwright.pki.names import (
    DistinguishedName,
    RdnSequence,
    decode_rdns,
    name_of_rdns,
)
from certwright.pki.pem import decode_pem, encode_pem
from certwright.pki.signatures import Scheme, decode_scheme, is_signed
from certwright.pki.usages import CERT_SIGN

__all__ = ["DecodedCertificate", "decode_certificate", "decode_certificates", "encode_certificates"]

T = TypeVar("T")

_VERSION_MAX: Final = 3
_DECODED_CHAINS_MAX: Final = 1024
"""Chains remembered by their bytes: loops look at the same Secret again and again."""


@dataclass(frozen=True, slots=True)
class DecodedCertificate:
    """One certificate. Two are equal if their bytes are."""

    der: bytes
    signed: bytes
    """The part that is signed (tbsCertificate)."""
    scheme: Scheme
    signature: bytes
    version: int
    """1 to 3."""
    serial: int
    issuer_der: bytes
    issuer: RdnSequence
    subject_der: bytes
    subject_rdns: RdnSequence
    not_before: datetime
    """UTC, whole seconds."""
    not_after: datetime
    """UTC, whole seconds."""
    public_key_der: bytes
    """SubjectPublicKeyInfo as it stands there."""
    extensions: Mapping[str, Extension]
    """By object identifier, also those that are not known here."""
    names: AlternativeNames
    has_basic_constraints: bool
    is_ca: bool
    """Whether BasicConstraints are there and say so."""
    key_usage: int
    """Bits of KeyUsage, 0 if the extension is absent; bit 0 is digitalSignature."""
    extended_key_usages: tuple[str, ...]
    """Object identifiers."""
    subject_key_id: bytes
    """Empty if absent."""
    authority_key_id: bytes
    """Empty if absent."""
    ocsp_servers: tuple[str, ...]
    issuing_certificate_urls: tuple[str, ...]
    crl_distribution_points: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DecodedCertificate) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)

    @property
    def subject(self) -> DistinguishedName:
        """The well-known fields of the subject."""
        return name_of_rdns(self.subject_rdns)

    @property
    def pem(self) -> bytes:
        """The certificate as one PEM block."""
        return encode_pem("CERTIFICATE", self.der)

    @property
    def public_key(self) -> PublicKeyTypes | None:
        """The key that is certified, or None if it is of a kind that is not known."""
        return decode_public_key(self.public_key_der)

    @property
    def is_self_signed(self) -> bool:
        """Whether it is a CA that signed itself (Go's `CheckSignatureFrom(self)`)."""
        return self.is_signed_by(self)

    def is_signed_by(self, parent: DecodedCertificate) -> bool:
        """Return whether `parent` may sign certificates and signed this one; names do not count.

        Source: Go `crypto/x509` Certificate.CheckSignatureFrom.
        """
        if not parent.is_ca and (parent.version == 3 or parent.has_basic_constraints):
            return False
        if parent.key_usage and not parent.key_usage & CERT_SIGN:
            return False
        key = parent.public_key
        return key is not None and is_signed(key, self.signature, self.signed, self.scheme)


def decode_certificates(pem: bytes) -> list[DecodedCertificate]:
    """Return the certificates of every PEM block, in order; at least one.

    Raises:
        InvalidError: There is no block, or one holds no certificate.
    """
    return list(_decode_chain(pem))


@lru_cache(maxsize=_DECODED_CHAINS_MAX)
def decode_certificate(encoded: bytes) -> DecodedCertificate:
    """Return the certificate of its DER.

    Raises:
        InvalidError: It is malformed, or there is something behind it.
    """
    outer = der.Reader(encoded)
    try:
        certificate = outer.read(der.SEQUENCE)
    except InvalidError:
        raise InvalidError("x509: malformed certificate") from None
    if outer.tag >= 0:
        raise InvalidError("x509: trailing data")
    reader = certificate.reader
    signed = reader.read(der.SEQUENCE)
    identifier = reader.read(der.SEQUENCE)
    signature = der.decode_bit_string(reader.read(der.BIT_STRING).content)
    return _decode_signed(encoded, signed, identifier, signature)


def encode_certificates(certificates: list[DecodedCertificate]) -> bytes:
    """Return the certificates as PEM, one block after the other."""
    return b"".join(certificate.pem for certificate in certificates)


@lru_cache(maxsize=_DECODED_CHAINS_MAX)
def _decode_chain(pem: bytes) -> tuple[DecodedCertificate, ...]:
    found = []
    for block in decode_pem(pem):
        try:
            found.append(decode_certificate(block.der))
        except InvalidError as error:
            raise InvalidError(f"error parsing TLS certificate: {error}") from None
    if not found:
        raise InvalidError("error decoding certificate PEM block")
    return tuple(found)


def _decode_signed(
    encoded: bytes, signed: der.Element, identifier: der.Element, signature: bytes
) -> DecodedCertificate:
    reader = signed.reader
    wrapped = reader.read_optional(0xA0)
    version = 1 + (der.decode_integer(wrapped.reader.read(der.INTEGER).content) if wrapped else 0)
    if not 1 <= version <= _VERSION_MAX:
        raise InvalidError("x509: invalid version")
    serial = der.decode_integer(reader.read(der.INTEGER).content)
    if reader.read(der.SEQUENCE).whole != identifier.whole:
        raise InvalidError("x509: inner and outer signature algorithm identifiers don't match")
    issuer = reader.read(der.SEQUENCE)
    validity = reader.read(der.SEQUENCE).reader
    subject = reader.read(der.SEQUENCE)
    key = reader.read(der.SEQUENCE)
    decode_public_key(key.whole)
    reader.read_optional(0x81)
    reader.read_optional(0x82)
    wrapper = reader.read_optional(0xA3)
    found = extensions.decode_extensions(wrapper.reader.read(der.SEQUENCE)) if wrapper else {}
    access = found.get(extensions.AUTHORITY_INFORMATION_ACCESS)
    ocsp_servers, issuing_urls = (
        extensions.decode_information_access(access.value) if access else ((), ())
    )
    return DecodedCertificate(
        der=encoded,
        signed=signed.whole,
        scheme=decode_scheme(identifier),
        signature=signature,
        version=version,
        serial=serial,
        issuer_der=issuer.whole,
        issuer=decode_rdns(issuer.whole),
        subject_der=subject.whole,
        subject_rdns=decode_rdns(subject.whole),
        not_before=der.decode_time(validity.read()),
        not_after=der.decode_time(validity.read()),
        public_key_der=key.whole,
        extensions=found,
        names=_value(
            found,
            extensions.SUBJECT_ALT_NAME,
            extensions.decode_alternative_names,
            AlternativeNames(),
        ),
        has_basic_constraints=extensions.BASIC_CONSTRAINTS in found,
        is_ca=extensions.BASIC_CONSTRAINTS in found
        and extensions.decode_basic_constraints(found[extensions.BASIC_CONSTRAINTS].value),
        key_usage=_value(found, extensions.KEY_USAGE, extensions.decode_key_usage, 0),
        extended_key_usages=_value(
            found, extensions.EXTENDED_KEY_USAGE, extensions.decode_extended_key_usage, ()
        ),
        subject_key_id=_value(found, extensions.SUBJECT_KEY_ID, _decode_octets, b""),
        authority_key_id=_value(
            found, extensions.AUTHORITY_KEY_ID, extensions.decode_authority_key_id, b""
        ),
        ocsp_servers=ocsp_servers,
        issuing_certificate_urls=issuing_urls,
        crl_distribution_points=_value(
            found,
            extensions.CRL_DISTRIBUTION_POINTS,
            extensions.decode_crl_distribution_points,
            (),
        ),
    )


def _value(found: Mapping[str, Extension], oid: str, decode: Callable[[bytes], T], absent: T) -> T:
    extension = found.get(oid)
    return absent if extension is None else decode(extension.value)


def _decode_octets(value: bytes) -> bytes:
    return der.Reader(value).read(der.OCTET_STRING).content
