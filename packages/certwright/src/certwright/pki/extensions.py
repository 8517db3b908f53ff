"""The extensions of certificates and requests that Go's `crypto/x509` writes and reads.

Source: reference cert-manager.md 2.7; RFC 5280 4.2; Go `crypto/x509` (buildCertExtensions).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from certwright.errors import InvalidError
from certwright.pki import der
from certwright.pki.addresses import canonical_uri, ip_bytes, ip_text, uri_host
from certwright.resources.gotext import quote

__all__ = [
    "AUTHORITY_INFORMATION_ACCESS",
    "AUTHORITY_KEY_ID",
    "BASIC_CONSTRAINTS",
    "CRL_DISTRIBUTION_POINTS",
    "EXTENDED_KEY_USAGE",
    "KEY_USAGE",
    "NAME_CONSTRAINTS",
    "SUBJECT_ALT_NAME",
    "SUBJECT_KEY_ID",
    "AlternativeNames",
    "Extension",
    "authority_information_access",
    "authority_key_id",
    "basic_constraints",
    "crl_distribution_points",
    "decode_alternative_names",
    "decode_authority_key_id",
    "decode_basic_constraints",
    "decode_crl_distribution_points",
    "decode_extended_key_usage",
    "decode_extensions",
    "decode_information_access",
    "decode_key_usage",
    "extended_key_usage",
    "key_usage",
    "name_constraints",
    "subject_alternative_names",
]

SUBJECT_KEY_ID: Final = "2.5.29.14"
KEY_USAGE: Final = "2.5.29.15"
SUBJECT_ALT_NAME: Final = "2.5.29.17"
BASIC_CONSTRAINTS: Final = "2.5.29.19"
NAME_CONSTRAINTS: Final = "2.5.29.30"
CRL_DISTRIBUTION_POINTS: Final = "2.5.29.31"
AUTHORITY_KEY_ID: Final = "2.5.29.35"
EXTENDED_KEY_USAGE: Final = "2.5.29.37"
AUTHORITY_INFORMATION_ACCESS: Final = "1.3.6.1.5.5.7.1.1"
_OCSP: Final = "1.3.6.1.5.5.7.48.1"
_CA_ISSUERS: Final = "1.3.6.1.5.5.7.48.2"

_LABEL: Final = re.compile(rb"[!-~]+")
_OTHER, _EMAIL, _DNS, _URI, _IP = 0xA0, 0x81, 0x82, 0x86, 0x87


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension: its value is what stands in the OCTET STRING."""

    oid: str
    value: bytes
    critical: bool = False

    def encode(self) -> bytes:
        """Return it as DER; `critical` stands there only if it is true."""
        critical = der.boolean(value=True) if self.critical else b""
        return der.sequence(der.oid(self.oid), critical, der.octet_string(self.value))


@dataclass(frozen=True, slots=True)
class AlternativeNames:
    """Subject alternative names of the kinds that Certwright writes; each in order."""

    dns: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    """Canonical texts when decoded; any text `ip_bytes` takes when encoded."""
    uris: tuple[str, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    """Other names that are texts: object identifier and text."""

    def __bool__(self) -> bool:
        return bool(self.dns or self.emails or self.ips or self.uris or self.others)


# ------------------------------------------------------------------------------ writing


def key_usage(bits: int, *, critical: bool) -> Extension:
    """Return KeyUsage; bit 0 of `bits` is digitalSignature."""
    return Extension(KEY_USAGE, der.named_bits(bits), critical)


def extended_key_usage(oids: Iterable[str]) -> Extension:
    """Return ExtendedKeyUsage, in the order given, repetitions kept."""
    return Extension(EXTENDED_KEY_USAGE, der.sequence(*map(der.oid, oids)))


def basic_constraints(*, is_ca: bool, critical: bool) -> Extension:
    """Return BasicConstraints without a path length.

    What is not a CA is an empty sequence in a certificate, and a FALSE that stands there in a
    request (the only one that is not critical), as cert-manager writes them.
    """
    value = der.boolean(value=is_ca) if is_ca or not critical else b""
    return Extension(BASIC_CONSTRAINTS, der.sequence(value), critical)


def authority_key_id(key_id: bytes) -> Extension:
    """Return AuthorityKeyIdentifier with a key identifier only."""
    value = der.sequence(der.context(0, key_id, constructed=False))
    return Extension(AUTHORITY_KEY_ID, value)


def authority_information_access(
    ocsp_servers: Iterable[str], issuing_certificate_urls: Iterable[str] = ()
) -> Extension:
    """Return AuthorityInformationAccess: where to ask for revocation, and for the issuer."""
    places = [(_OCSP, url) for url in ocsp_servers]
    places += [(_CA_ISSUERS, url) for url in issuing_certificate_urls]
    parts = (der.sequence(der.oid(how), der.tlv(_URI, url.encode())) for how, url in places)
    return Extension(AUTHORITY_INFORMATION_ACCESS, der.sequence(*parts))


def name_constraints(wanted: Mapping[str, Any]) -> Extension:
    """Return NameConstraints of a Certificate's `spec.nameConstraints`.

    Raises:
        InvalidError: A range is none, or a name cannot be written in ASCII.

    Source: RFC 5280 4.2.1.10; cert-manager main pkg/util/pki/nameconstraints.go (fields).
    """
    parts = []
    for number, field in enumerate(("permitted", "excluded")):
        if subtrees := list(_subtrees(wanted.get(field) or {})):
            parts.append(der.context(number, b"".join(map(der.sequence, subtrees))))
    return Extension(NAME_CONSTRAINTS, der.sequence(*parts), bool(wanted.get("critical")))


def _subtrees(names: Mapping[str, Any]) -> Iterator[bytes]:
    for name in names.get("dnsDomains") or ():
        yield der.tlv(_DNS, _ia5(name))
    for text in names.get("ipRanges") or ():
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            raise InvalidError(f"invalid CIDR address: {text}") from error
        yield der.tlv(_IP, network.network_address.packed + network.netmask.packed)
    for name in names.get("emailAddresses") or ():
        yield der.tlv(_EMAIL, _ia5(name))
    for name in names.get("uriDomains") or ():
        yield der.tlv(_URI, _ia5(name))


def crl_distribution_points(urls: Iterable[str]) -> Extension:
    """Return CRLDistributionPoints, one point for each URL."""
    points = (
        der.sequence(der.context(0, der.context(0, der.tlv(_URI, url.encode())))) for url in urls
    )
    return Extension(CRL_DISTRIBUTION_POINTS, der.sequence(*points))


def subject_alternative_names(names: AlternativeNames, *, critical: bool) -> Extension:
    """Return SubjectAlternativeName: others, DNS names, e-mail addresses, IPs, URIs, in that order.

    Raises:
        InvalidError: A name cannot be written in ASCII.
    """
    parts = [
        der.tlv(_OTHER, der.oid(oid) + der.context(0, der.tlv(der.UTF8_STRING, text.encode())))
        for oid, text in names.others
    ]
    parts += [der.tlv(_DNS, _ia5(name)) for name in names.dns]
    parts += [der.tlv(_EMAIL, _ia5(email)) for email in names.emails]
    parts += [der.tlv(_IP, packed) for ip in names.ips if (packed := ip_bytes(ip)) is not None]
    parts += [der.tlv(_URI, _ia5(uri)) for uri in names.uris]
    return Extension(SUBJECT_ALT_NAME, der.sequence(*parts), critical)


def _ia5(text: str) -> bytes:
    if not text.isascii():
        raise InvalidError(f"x509: {quote(text)} cannot be encoded as an IA5String")
    return text.encode()


# ------------------------------------------------------------------------------ reading


def decode_extensions(element: der.Element) -> dict[str, Extension]:
    """Return the extensions of a SEQUENCE by their object identifiers.

    Raises:
        InvalidError: They are malformed, or one is there twice.
    """
    found: dict[str, Extension] = {}
    for entry in element.reader.rest():
        reader = entry.reader
        oid = der.decode_oid(reader.read(der.OID).content)
        critical = reader.read_optional(der.BOOLEAN)
        value = reader.read(der.OCTET_STRING).content
        if oid in found:
            raise InvalidError("x509: certificate contains duplicate extensions")
        found[oid] = Extension(
            oid, value, critical is not None and der.decode_boolean(critical.content)
        )
    return found


def decode_key_usage(value: bytes) -> int:
    """Return the bits of KeyUsage; bit 0 is digitalSignature."""
    octets = der.decode_bit_string(der.Reader(value).read(der.BIT_STRING).content)
    bits = 0
    for at, octet in enumerate(octets[:2]):
        bits |= int(f"{octet:08b}"[::-1], 2) << (8 * at)
    return bits


def decode_extended_key_usage(value: bytes) -> tuple[str, ...]:
    """Return the object identifiers of ExtendedKeyUsage."""
    reader = der.Reader(value).read(der.SEQUENCE).reader
    found = []
    while reader.tag >= 0:
        found.append(der.decode_oid(reader.read(der.OID).content))
    return tuple(found)


def decode_basic_constraints(value: bytes) -> bool:
    """Return whether BasicConstraints says that this is a CA."""
    reader = der.Reader(value).read(der.SEQUENCE).reader
    is_ca = reader.read_optional(der.BOOLEAN)
    return is_ca is not None and der.decode_boolean(is_ca.content)


def decode_authority_key_id(value: bytes) -> bytes:
    """Return the key identifier of AuthorityKeyIdentifier, or nothing."""
    reader = der.Reader(value).read(der.SEQUENCE).reader
    key_id = reader.read_optional(0x80)
    return key_id.content if key_id else b""


def decode_alternative_names(value: bytes) -> AlternativeNames:
    """Return the names of the kinds that are known; what is something else is passed over.

    Raises:
        InvalidError: The extension, or a name in it, is malformed.
    """
    dns, emails, ips, uris = list[str](), list[str](), list[str](), list[str]()
    others: list[tuple[str, str]] = []
    for element in der.Reader(value).read(der.SEQUENCE).reader.rest():
        if element.tag == _DNS:
            dns.append(_decode_ia5(element, "dNSName"))
        elif element.tag == _EMAIL:
            emails.append(_decode_ia5(element, "rfc822Name"))
        elif element.tag == _IP:
            if len(element.content) not in {4, 16}:
                raise InvalidError(
                    f"x509: cannot parse IP address of length {len(element.content)}"
                )
            ips.append(ip_text(element.content))
        elif element.tag == _URI:
            uris.append(_decode_uri(element))
        elif element.tag == _OTHER and (found := _decode_other(element)) is not None:
            others.append(found)
    return AlternativeNames(tuple(dns), tuple(emails), tuple(ips), tuple(uris), tuple(others))


def decode_information_access(value: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the URLs of OCSP servers and of the issuer's certificate."""
    ocsp, issuers = list[str](), list[str]()
    for element in der.Reader(value).read(der.SEQUENCE).reader.rest():
        reader = element.reader
        method = der.decode_oid(reader.read(der.OID).content)
        place = reader.read()
        if place.tag == _URI and method in {_OCSP, _CA_ISSUERS}:
            (ocsp if method == _OCSP else issuers).append(place.content.decode("latin-1"))
    return tuple(ocsp), tuple(issuers)


def decode_crl_distribution_points(value: bytes) -> tuple[str, ...]:
    """Return the URLs of CRLDistributionPoints."""
    urls: list[str] = []
    for point in der.Reader(value).read(der.SEQUENCE).reader.rest():
        name = point.reader.read_optional(0xA0)
        full_name = name.reader.read_optional(0xA0) if name else None
        elements = full_name.reader.rest() if full_name else []
        urls += [url.content.decode("latin-1") for url in elements if url.tag == _URI]
    return tuple(urls)


def _decode_ia5(element: der.Element, kind: str) -> str:
    if not element.content.isascii():
        raise InvalidError(f"x509: SAN {kind} is malformed")
    return element.content.decode()


def _decode_other(element: der.Element) -> tuple[str, str] | None:
    """Return an other name that is a text; None for one that is not, or is malformed."""
    try:
        reader = element.reader
        oid = der.decode_oid(reader.read(der.OID).content)
        value = reader.read(0xA0).reader.read(der.UTF8_STRING)
        return oid, value.content.decode("utf-8")
    except (InvalidError, UnicodeDecodeError):
        return None


def _decode_uri(element: der.Element) -> str:
    text = _decode_ia5(element, "uniformResourceIdentifier")
    try:
        uri = canonical_uri(text)
    except InvalidError as error:
        raise InvalidError(f"x509: cannot parse URI {quote(text)}: {error}") from None
    host = uri_host(uri)
    if host and not all(map(_LABEL.fullmatch, host.split(b"."))):
        raise InvalidError(f"x509: cannot parse URI {quote(text)}: invalid domain")
    return uri
