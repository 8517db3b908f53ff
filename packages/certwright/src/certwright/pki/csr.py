"""Certificate signing requests: made from a Certificate, and read.

Source: reference cert-manager.md 2.7 (CSR); RFC 2986; cert-manager v1.12.2 pkg/util/pki/csr.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from certwright.errors import InvalidError
from certwright.pki import der, extensions
from certwright.pki.addresses import canonical_uri, ip_bytes
from certwright.pki.extensions import AlternativeNames, Extension
from certwright.pki.keys import decode_public_key, public_key_der, signing_key
from certwright.pki.literal_subject import decode_literal_subject, literal_common_name
from certwright.pki.names import (
    DistinguishedName,
    RdnSequence,
    decode_rdns,
    encode_rdns,
    name_of_rdns,
    rdns_of_name,
)
from certwright.pki.pem import decode_pem, encode_pem
from certwright.pki.signatures import Scheme, decode_scheme, is_signed, scheme_of, sign
from certwright.pki.usages import key_usages
from certwright.resources.certificate import SIGNATURE_ALGORITHMS, Certificate
from certwright.resources.features import (
    LITERAL_CERTIFICATE_SUBJECT,
    NAME_CONSTRAINTS,
    OTHER_NAMES,
    USE_CERTIFICATE_REQUEST_BASIC_CONSTRAINTS,
    FeatureGates,
)

__all__ = [
    "DecodedRequest",
    "alternative_names_of",
    "decode_csr",
    "distinguished_name_of",
    "generate_csr",
    "subject_der_of",
]

_BLOCK_TYPE: Final = "CERTIFICATE REQUEST"
_EXTENSION_REQUEST: Final = "1.2.840.113549.1.9.14"
_DECODED_REQUESTS_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class DecodedRequest:
    """One CSR."""

    der: bytes
    signed: bytes
    scheme: Scheme
    signature: bytes
    subject_der: bytes
    subject_rdns: RdnSequence
    public_key_der: bytes
    extensions: Mapping[str, Extension]
    """Extensions asked for, by object identifier."""
    names: AlternativeNames

    @property
    def subject(self) -> DistinguishedName:
        """The well-known fields of the subject."""
        return name_of_rdns(self.subject_rdns)

    @property
    def public_key(self) -> PublicKeyTypes | None:
        """The key to certify, or None if it is of a kind that is not known."""
        return decode_public_key(self.public_key_der)

    @property
    def is_signature_valid(self) -> bool:
        """Whether the request is signed by the key it is for."""
        key = self.public_key
        return key is not None and is_signed(
            key, self.signature, self.signed, self.scheme, sha1_counts=True
        )


def generate_csr(cert: Certificate, key: PrivateKeyTypes, gates: FeatureGates) -> bytes:
    """Return the request for what the Certificate wants, PEM, signed by `key`.

    Raises:
        InvalidError: The Certificate asks for what cannot be; the text says what.
    """
    _check_gates(cert, gates)
    has_common_name = bool(_common_name(cert, gates))
    names = alternative_names_of(cert)
    if not (has_common_name or names or cert.ip_addresses):
        raise InvalidError(
            "no common name, DNS name, URI SAN, or Email SAN specified on certificate"
        )
    scheme = _scheme_of_spec(cert)
    wanted = _extensions_of(cert, names, gates)
    subject = subject_der_of(cert, gates)
    attributes = (
        der.sequence(
            der.oid(_EXTENSION_REQUEST),
            der.set_of([der.sequence(*(extension.encode() for extension in wanted))]),
        )
        if wanted
        else b""
    )
    signer = signing_key(key)
    signed = der.sequence(
        der.integer(0), subject, public_key_der(signer.public_key()), der.context(0, attributes)
    )
    try:
        signature = sign(signer, signed, scheme)
    except InvalidError as error:
        raise InvalidError(f"error creating x509 certificate: {error}") from None
    return encode_pem(_BLOCK_TYPE, der.sequence(signed, scheme.encode(), der.bit_string(signature)))


def decode_csr(pem: bytes) -> DecodedRequest:
    """Return the request of the first PEM block, whatever the block's type.

    Raises:
        InvalidError: There is no block, or it holds no request.
    """
    return _decode(pem)


def subject_der_of(cert: Certificate, gates: FeatureGates) -> bytes:
    """Return the subject of the Certificate: its literal one if the gate is on, else its fields.

    Raises:
        InvalidError: The literal subject is not one.
    """
    if LITERAL_CERTIFICATE_SUBJECT in gates and cert.literal_subject:
        return encode_rdns(decode_literal_subject(cert.literal_subject))
    return encode_rdns(rdns_of_name(distinguished_name_of(cert)))


def distinguished_name_of(cert: Certificate) -> DistinguishedName:
    """Return `spec.commonName` and `spec.subject` as one name."""
    subject = cert.subject_or_default
    return DistinguishedName(
        countries=subject.countries,
        organizations=subject.organizations,
        organizational_units=subject.organizational_units,
        localities=subject.localities,
        provinces=subject.provinces,
        street_addresses=subject.street_addresses,
        postal_codes=subject.postal_codes,
        common_name=cert.common_name,
        serial_number=subject.serial_number,
    )


def alternative_names_of(cert: Certificate) -> AlternativeNames:
    """Return the names of the Certificate; addresses that are none are left out.

    Raises:
        InvalidError: A URI, or a DNS name, is one that Go's `net/url` does not read.
    """
    _canonical_uris(cert.dns_names, "DNSNames")
    return AlternativeNames(
        dns=cert.dns_names,
        emails=cert.email_addresses,
        ips=tuple(ip for ip in cert.ip_addresses if ip_bytes(ip) is not None),
        uris=_canonical_uris(cert.uris, "URIs"),
        others=cert.other_names,
    )


def _canonical_uris(uris: tuple[str, ...], what: str) -> tuple[str, ...]:
    found: list[str] = []
    problems: list[str] = []
    for uri in uris:
        try:
            found.append(canonical_uri(uri))
        except InvalidError as error:
            problems.append(str(error))
    if problems:
        raise InvalidError(f"failed to parse {what}: {', '.join(problems)}")
    return tuple(found)


def _common_name(cert: Certificate, gates: FeatureGates) -> str:
    if LITERAL_CERTIFICATE_SUBJECT in gates and cert.literal_subject:
        return literal_common_name(cert.literal_subject)
    return cert.common_name


def _extensions_of(
    cert: Certificate, names: AlternativeNames, gates: FeatureGates
) -> list[Extension]:
    wanted: list[Extension] = []
    try:
        if names:
            wanted.append(extensions.subject_alternative_names(names, critical=False))
    except InvalidError as error:
        raise InvalidError(f"error creating x509 certificate: {error}") from None
    if cert.encode_usages_in_request_or_default:
        try:
            bits, extended = key_usages(cert.usages, is_ca=cert.is_ca)
        except InvalidError as error:
            raise InvalidError(f"failed to build key usages: {error}") from None
        wanted.append(extensions.key_usage(bits, critical=False))
        if extended:
            wanted.append(extensions.extended_key_usage(extended))
    if cert.name_constraints is not None:
        wanted.append(extensions.name_constraints(cert.name_constraints))
    if USE_CERTIFICATE_REQUEST_BASIC_CONSTRAINTS in gates:
        wanted.append(extensions.basic_constraints(is_ca=cert.is_ca, critical=False))
    return wanted


def _check_gates(cert: Certificate, gates: FeatureGates) -> None:
    """Refuse what the webhook would have: a request without it would be made for ever."""
    for field, value, gate in (
        ("spec.otherNames", cert.other_names, OTHER_NAMES),
        ("spec.nameConstraints", cert.name_constraints, NAME_CONSTRAINTS),
    ):
        if value and gate not in gates:
            raise InvalidError(f"{field}: the feature gate {gate} is off")


def _scheme_of_spec(cert: Certificate) -> Scheme:
    """Return how the request is signed: `spec.signatureAlgorithm`, else `spec.privateKey`, says so.

    Not the key. Source: reference cert-manager.md 2.7 (CSR: signature hash chosen from
    spec.privateKey); cert-manager 1.18 (signatureAlgorithm).
    """
    spec = cert.private_key_or_default
    asked = cert.signature_algorithm
    if asked:
        if asked not in SIGNATURE_ALGORITHMS.get(spec.algorithm_or_default, ()):
            raise InvalidError(
                f"spec.signatureAlgorithm: {asked} is not for keys of {spec.algorithm_or_default}"
            )
        hash_name = re.search(r"SHA\d+", asked)
        return scheme_of(spec.algorithm_or_default, hash_name[0].lower() if hash_name else "")
    match spec.algorithm:
        case "":
            return scheme_of("RSA", "sha256")
        case "RSA":
            if spec.size != 0 and spec.size < 2048:
                raise InvalidError(
                    f"unsupported rsa keysize specified: {spec.size}. min keysize 2048"
                )
            name = "sha512" if spec.size >= 4096 else "sha384" if spec.size >= 3072 else "sha256"
            return scheme_of("RSA", name)
        case "Ed25519":
            return scheme_of("Ed25519", "")
        case "ECDSA":
            names = {0: "sha256", 256: "sha256", 384: "sha384", 521: "sha512"}
            if spec.size not in names:
                raise InvalidError(f"unsupported ecdsa keysize specified: {spec.size}")
            return scheme_of("ECDSA", names[spec.size])
        case _:
            raise InvalidError(
                f"unsupported algorithm specified: {spec.algorithm}. "
                "should be either 'ecdsa' or 'rsa"
            )


@lru_cache(maxsize=_DECODED_REQUESTS_MAX)
def _decode(pem: bytes) -> DecodedRequest:
    block = next(decode_pem(pem), None)
    if block is None:
        raise InvalidError("error decoding certificate request PEM block")
    outer = der.Reader(block.der)
    if len(block.der) > 1 and outer.tag != der.SEQUENCE:
        raise InvalidError(_not_a_request(block.der))
    reader = outer.read(der.SEQUENCE).reader
    outer.finish()
    signed = reader.read(der.SEQUENCE)
    scheme = decode_scheme(reader.read(der.SEQUENCE))
    signature = der.decode_bit_string(reader.read(der.BIT_STRING).content)
    inner = signed.reader
    inner.read(der.INTEGER)
    subject = inner.read(der.SEQUENCE)
    key = inner.read(der.SEQUENCE)
    decode_public_key(key.whole)
    attributes = inner.read_optional(0xA0)
    found = _requested_extensions(attributes) if attributes else {}
    alternative = found.get(extensions.SUBJECT_ALT_NAME)
    return DecodedRequest(
        der=block.der,
        signed=signed.whole,
        scheme=scheme,
        signature=signature,
        subject_der=subject.whole,
        subject_rdns=decode_rdns(subject.whole),
        public_key_der=key.whole,
        extensions=found,
        names=extensions.decode_alternative_names(alternative.value)
        if alternative
        else AlternativeNames(),
    )


def _not_a_request(data: bytes) -> str:
    """Say as Go does that the bytes begin with another tag; it prints its whole state."""
    tag, length = data[0], data[1]
    found = (
        f"{{class:{tag >> 6} tag:{tag & 0x1F} length:{length}"
        f" isCompound:{str(bool(tag & 0x20)).lower()}}}"
    )
    wanted = (
        "{optional:false explicit:false application:false private:false defaultValue:<nil>"
        " tag:<nil> stringType:0 timeType:0 set:false omitEmpty:false}"
    )
    return f"asn1: structure error: tags don't match (16 vs {found}) {wanted} certificateRequest @2"


def _requested_extensions(attributes: der.Element) -> dict[str, Extension]:
    found: dict[str, Extension] = {}
    for attribute in attributes.reader.rest():
        reader = attribute.reader
        if der.decode_oid(reader.read(der.OID).content) != _EXTENSION_REQUEST:
            continue
        values = reader.read(der.SET).reader
        found.update(extensions.decode_extensions(values.read(der.SEQUENCE)))
    return found
