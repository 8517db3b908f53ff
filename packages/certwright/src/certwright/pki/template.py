"""Templates: what a certificate will say, and signing it.

Byte for byte what Go's `x509.CreateCertificate` makes of cert-manager's templates: version 3, no
back-dating, an end that is not clipped to the CA's own, BasicConstraints always and critical, a
subject key identifier only on CAs.

Source: reference cert-manager.md 2.7 (Certificate template), 2.10; Go `crypto/x509`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from certwright.errors import InvalidError
from certwright.pki import der, extensions
from certwright.pki.certificates import DecodedCertificate, decode_certificate
from certwright.pki.csr import (
    DecodedRequest,
    alternative_names_of,
    decode_csr,
    distinguished_name_of,
    subject_der_of,
)
from certwright.pki.extensions import AlternativeNames, Extension
from certwright.pki.keys import SigningKey, public_key_der, public_keys_equal, signing_key
from certwright.pki.names import DistinguishedName, encode_rdns, rdns_of_name
from certwright.pki.pem import decode_pem
from certwright.pki.signatures import scheme_of_key, sign
from certwright.pki.usages import key_usages
from certwright.resources.certificate import DEFAULT_DURATION_NANO, Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.features import (
    LITERAL_CERTIFICATE_SUBJECT,
    NAME_CONSTRAINTS,
    OTHER_NAMES,
    FeatureGates,
)

__all__ = [
    "CertificateTemplate",
    "ca_template",
    "sign_template",
    "template_of_csr",
    "template_of_request",
    "temporary_certificate",
    "with_asked_for",
]

_TEMPORARY_CA_NAME: Final = "cert-manager.local"
_TEMPORARY_SERIAL_NUMBER: Final = "1234567890"
_EMPTY_NAME: Final = der.sequence()


@dataclass(frozen=True, slots=True)
class CertificateTemplate:
    """What a certificate says but for who signs it."""

    serial: int
    subject_der: bytes
    names: AlternativeNames
    not_before: datetime
    """UTC; parts of a second are cut off when it is written, here and in `not_after`."""
    not_after: datetime
    public_key: PublicKeyTypes
    is_ca: bool
    key_usage: int
    """Bits; bit 0 is digitalSignature. The extension is left out if there are none."""
    extended_key_usages: tuple[str, ...]
    """Object identifiers; the extension is left out if there are none."""
    crl_distribution_points: tuple[str, ...] = ()
    ocsp_servers: tuple[str, ...] = ()
    issuing_certificate_urls: tuple[str, ...] = ()
    name_constraints: Extension | None = None


def template_of_request(
    request: CertificateRequest, *, now: datetime, serial: int
) -> CertificateTemplate:
    """Return what is to be signed for a CertificateRequest.

    Subject, names and key are those of the CSR; duration, CA and usages those of the spec.

    Raises:
        InvalidError: A usage is not known, or the CSR is none or not signed by its own key.
    """
    bits, extended = key_usages(request.usages, is_ca=request.is_ca)
    return template_of_csr(
        request.request,
        duration_nano=request.duration_nano_or_default,
        is_ca=request.is_ca,
        key_usage=bits,
        extended_key_usages=extended,
        now=now,
        serial=serial,
    )


def with_asked_for(
    template: CertificateTemplate, csr_pem: bytes, gates: FeatureGates
) -> CertificateTemplate:
    """Return the template with what the CSR asks for besides, where the gates allow that.

    1.12 signs neither other names nor name constraints, whoever asks.
    """
    csr = decode_csr(csr_pem)
    if OTHER_NAMES in gates:
        template = replace(template, names=csr.names)
    if NAME_CONSTRAINTS in gates and template.is_ca:
        found = csr.extensions.get(extensions.NAME_CONSTRAINTS)
        template = replace(template, name_constraints=found)
    return template


def template_of_csr(
    csr_pem: bytes,
    *,
    duration_nano: int,
    is_ca: bool,
    key_usage: int,
    extended_key_usages: Sequence[str],
    now: datetime,
    serial: int,
) -> CertificateTemplate:
    """Return what is to be signed for a CSR; its own usages are not looked at.

    Args:
        csr_pem: The CSR, PEM.
        duration_nano: Life in nanoseconds.
        is_ca: What BasicConstraints will say.
        key_usage: Bits; bit 0 is digitalSignature.
        extended_key_usages: Object identifiers.
        now: Start of the life.
        serial: Serial number.

    Raises:
        InvalidError: It is no CSR, or not signed by its own key.
    """
    if next(decode_pem(csr_pem), None) is None:
        raise InvalidError("failed to decode csr")
    csr = decode_csr(csr_pem)
    key = csr.public_key
    if key is None:
        raise InvalidError("x509: cannot verify signature: algorithm unimplemented")
    if not csr.is_signature_valid:
        raise InvalidError(_signature_problem(csr, key))
    return CertificateTemplate(
        serial=serial,
        subject_der=csr.subject_der,
        names=replace(csr.names, others=()),
        not_before=now,
        not_after=now + timedelta(microseconds=duration_nano // 1000),
        public_key=key,
        is_ca=is_ca,
        key_usage=key_usage,
        extended_key_usages=tuple(extended_key_usages),
    )


def ca_template(
    common_name: str,
    key: PublicKeyTypes,
    *,
    now: datetime,
    serial: int,
    duration_nano: int = DEFAULT_DURATION_NANO,
) -> CertificateTemplate:
    """Return a CA of its own with nothing but a common name."""
    bits, extended = key_usages((), is_ca=True)
    return CertificateTemplate(
        serial=serial,
        subject_der=encode_rdns(rdns_of_name(DistinguishedName(common_name=common_name))),
        names=AlternativeNames(),
        not_before=now,
        not_after=now + timedelta(microseconds=duration_nano // 1000),
        public_key=key,
        is_ca=True,
        key_usage=bits,
        extended_key_usages=extended,
    )


def sign_template(
    template: CertificateTemplate,
    signer: PrivateKeyTypes,
    issuer: DecodedCertificate | None = None,
) -> DecodedCertificate:
    """Return the certificate, signed.

    Args:
        template: What it says.
        signer: The issuer's key.
        issuer: The issuer's certificate; None signs it by itself.

    Raises:
        InvalidError: A name cannot be written, or `signer` is not the issuer's key.

    Source: Go `x509.CreateCertificate`.
    """
    try:
        return _signed(template, signing_key(signer), issuer)
    except InvalidError as error:
        raise InvalidError(f"error creating x509 certificate: {error}") from None


def temporary_certificate(
    cert: Certificate,
    key: PrivateKeyTypes,
    gates: FeatureGates,
    *,
    ca_key: PrivateKeyTypes,
    now: datetime,
    serials: tuple[int, int],
) -> bytes:
    """Return a certificate for the time until the real one is there, PEM, without its CA.

    Args:
        cert: What it is for.
        key: The key it is for.
        gates: Whether `spec.literalSubject` counts.
        ca_key: Key of a CA that is thrown away; ECDSA P-521 by the original.
        now: Start of its life.
        serials: Serial numbers of the CA and of the certificate.

    Raises:
        InvalidError: The Certificate asks for what cannot be.

    Source: reference cert-manager.md 2.10.
    """
    ca_public_key = signing_key(ca_key).public_key()
    ca = sign_template(
        ca_template(_TEMPORARY_CA_NAME, ca_public_key, now=now, serial=serials[0]), ca_key
    )
    names = alternative_names_of(cert)
    subject_der = subject_der_of(cert, gates)
    if not names and subject_der == _EMPTY_NAME:
        raise InvalidError("no common name or subject alt names requested on certificate")
    if not (LITERAL_CERTIFICATE_SUBJECT in gates and cert.literal_subject):
        name = replace(distinguished_name_of(cert), serial_number=_TEMPORARY_SERIAL_NUMBER)
        subject_der = encode_rdns(rdns_of_name(name))
    bits, extended = key_usages(cert.usages, is_ca=cert.is_ca)
    template = CertificateTemplate(
        serial=serials[1],
        subject_der=subject_der,
        names=names,
        not_before=now,
        not_after=now + timedelta(microseconds=cert.duration_nano_or_default // 1000),
        public_key=signing_key(key).public_key(),
        is_ca=cert.is_ca,
        key_usage=bits,
        extended_key_usages=extended,
    )
    return sign_template(template, ca_key, ca).pem


def _signed(
    template: CertificateTemplate, key: SigningKey, issuer: DecodedCertificate | None
) -> DecodedCertificate:
    issuer_key = template.public_key if issuer is None else issuer.public_key
    if issuer_key is None or not public_keys_equal(key.public_key(), issuer_key):
        raise InvalidError("x509: provided PrivateKey doesn't match parent's PublicKey")
    scheme = scheme_of_key(key)
    wanted = _extensions_of(template, issuer)
    signed = der.sequence(
        der.context(0, der.integer(2)),
        der.integer(template.serial),
        scheme.encode(),
        template.subject_der if issuer is None else issuer.subject_der,
        der.sequence(der.time(template.not_before), der.time(template.not_after)),
        template.subject_der,
        public_key_der(template.public_key),
        der.context(3, der.sequence(*(extension.encode() for extension in wanted))),
    )
    signature = der.bit_string(sign(key, signed, scheme))
    return decode_certificate(der.sequence(signed, scheme.encode(), signature))


def _extensions_of(
    template: CertificateTemplate, issuer: DecodedCertificate | None
) -> list[Extension]:
    wanted: list[Extension] = []
    if template.key_usage:
        wanted.append(extensions.key_usage(template.key_usage, critical=True))
    if template.extended_key_usages:
        wanted.append(extensions.extended_key_usage(template.extended_key_usages))
    wanted.append(extensions.basic_constraints(is_ca=template.is_ca, critical=True))
    if template.is_ca:
        key_id = der.octet_string(_key_id(template.public_key))
        wanted.append(Extension(extensions.SUBJECT_KEY_ID, key_id))
    if issuer and issuer.subject_key_id and issuer.subject_der != template.subject_der:
        wanted.append(extensions.authority_key_id(issuer.subject_key_id))
    if template.ocsp_servers or template.issuing_certificate_urls:
        urls = template.issuing_certificate_urls
        wanted.append(extensions.authority_information_access(template.ocsp_servers, urls))
    if template.names:
        critical = template.subject_der == _EMPTY_NAME
        wanted.append(extensions.subject_alternative_names(template.names, critical=critical))
    if template.name_constraints is not None:
        wanted.append(template.name_constraints)
    if template.crl_distribution_points:
        wanted.append(extensions.crl_distribution_points(template.crl_distribution_points))
    return wanted


def _key_id(key: PublicKeyTypes) -> bytes:
    """Return SHA-1 of the bits of the public key, as RFC 5280 4.2.1.2 (1) and Go make it."""
    reader = der.Reader(public_key_der(key)).read(der.SEQUENCE).reader
    reader.read(der.SEQUENCE)
    bits = der.decode_bit_string(reader.read(der.BIT_STRING).content)
    return hashlib.sha1(bits, usedforsecurity=False).digest()


def _signature_problem(csr: DecodedRequest, key: PublicKeyTypes) -> str:
    if not csr.scheme.kind:
        return "x509: cannot verify signature: algorithm unimplemented"
    if isinstance(key, rsa.RSAPublicKey):
        return "crypto/rsa: verification error"
    return f"x509: {csr.scheme.kind} verification failure"
