"""Distinguished names: Go's `pkix.Name`, its order, its string types, its text.

Each list field becomes one RDN that holds all its values (a multi-valued RDN), not one for each. A
value is a PrintableString if every byte is in that alphabet, else a UTF8String.

Source: Go `crypto/x509/pkix` (Name.ToRDNSequence); the order was taken from what cert-manager
v1.12.2's own code writes, which is not the order that reference cert-manager.md 2.7 lists.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from certwright.errors import InvalidError
from certwright.pki import der

__all__ = [
    "COMMON_NAME",
    "DistinguishedName",
    "RdnSequence",
    "decode_rdns",
    "encode_rdns",
    "name_of_rdns",
    "name_text",
    "rdns_of_name",
]

RdnSequence: TypeAlias = tuple[tuple[tuple[str, str], ...], ...]
"""A name as it is written: RDNs of (attribute's object identifier, value)."""

COMMON_NAME: Final = "2.5.4.3"
_SERIAL_NUMBER: Final = "2.5.4.5"

_FIELDS: Final = MappingProxyType(
    {
        "2.5.4.6": "countries",
        "2.5.4.8": "provinces",
        "2.5.4.7": "localities",
        "2.5.4.9": "street_addresses",
        "2.5.4.17": "postal_codes",
        "2.5.4.10": "organizations",
        "2.5.4.11": "organizational_units",
    }
)
"""Attribute → field of `DistinguishedName`, in the order they are written."""

_SHORT_NAMES: Final = MappingProxyType(
    {
        "2.5.4.6": "C",
        "2.5.4.10": "O",
        "2.5.4.11": "OU",
        COMMON_NAME: "CN",
        _SERIAL_NUMBER: "SERIALNUMBER",
        "2.5.4.7": "L",
        "2.5.4.8": "ST",
        "2.5.4.9": "STREET",
        "2.5.4.17": "POSTALCODE",
    }
)
_PRINTABLE: Final = frozenset(string.ascii_letters + string.digits + " '()+,-./:=?")

_TEXT_DECODERS: Final = MappingProxyType[int, Callable[[bytes], str]](
    {
        der.UTF8_STRING: lambda content: content.decode(),
        der.PRINTABLE_STRING: lambda content: content.decode("ascii"),
        der.IA5_STRING: lambda content: content.decode("ascii"),
        0x12: lambda content: content.decode("ascii"),  # NumericString
        0x14: lambda content: content.decode("utf-8"),  # T61String, taken as it is
        0x1E: lambda content: content.decode("utf-16-be"),  # BMPString
    }
)


@dataclass(frozen=True, slots=True)
class DistinguishedName:
    """A name by its well-known fields; attributes that have none are not held."""

    countries: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    organizational_units: tuple[str, ...] = ()
    localities: tuple[str, ...] = ()
    provinces: tuple[str, ...] = ()
    street_addresses: tuple[str, ...] = ()
    postal_codes: tuple[str, ...] = ()
    common_name: str = ""
    serial_number: str = ""


def rdns_of_name(name: DistinguishedName) -> RdnSequence:
    """Return the name as it is written."""
    rdns = [
        tuple((oid, value) for value in values)
        for oid, field in _FIELDS.items()
        if (values := getattr(name, field))
    ]
    if name.common_name:
        rdns.append(((COMMON_NAME, name.common_name),))
    if name.serial_number:
        rdns.append(((_SERIAL_NUMBER, name.serial_number),))
    return tuple(rdns)


def name_of_rdns(rdns: RdnSequence) -> DistinguishedName:
    """Return the well-known fields; of several common names or serial numbers the last counts."""
    lists: dict[str, list[str]] = {field: [] for field in _FIELDS.values()}
    single = {COMMON_NAME: "", _SERIAL_NUMBER: ""}
    for rdn in rdns:
        for oid, value in rdn:
            if oid in _FIELDS:
                lists[_FIELDS[oid]].append(value)
            elif oid in single:
                single[oid] = value
    return DistinguishedName(
        **{field: tuple(values) for field, values in lists.items()},
        common_name=single[COMMON_NAME],
        serial_number=single[_SERIAL_NUMBER],
    )


def encode_rdns(rdns: RdnSequence) -> bytes:
    """Return the name as DER.

    Raises:
        InvalidError: An attribute's object identifier is not one, or a value is not text.
    """
    return der.sequence(
        *(
            der.set_of(der.sequence(der.oid(oid), _text(value)) for oid, value in rdn)
            for rdn in rdns
        )
    )


def decode_rdns(encoded: bytes) -> RdnSequence:
    """Return the name of its DER, values in the order they stand there.

    Raises:
        InvalidError: It is not a name, or a value is of a type that is no text.
    """
    outer = der.Reader(encoded)
    sequence = outer.read(der.SEQUENCE)
    outer.finish()
    rdns = []
    for rdn in sequence.reader.rest():
        if rdn.tag != der.SET:
            raise InvalidError("x509: invalid RDNSequence")
        attributes = []
        for element in rdn.reader.rest():
            if element.tag != der.SEQUENCE:
                raise InvalidError("x509: invalid RDNSequence: invalid attribute")
            reader = element.reader
            oid = der.decode_oid(reader.read(der.OID).content)
            attributes.append((oid, _decode_text(reader.read())))
        rdns.append(tuple(attributes))
    return tuple(rdns)


def name_text(rdns: RdnSequence) -> str:
    """Return the name as Go writes it: RFC 4514, its well-known fields one RDN each.

    Source: Go `pkix.Name.String`.
    """
    known = _SHORT_NAMES.keys()
    unknown = tuple(((oid, value),) for rdn in rdns for oid, value in rdn if oid not in known)
    parts = [
        "+".join(_attribute_text(oid, value) for oid, value in rdn)
        for rdn in (*unknown, *rdns_of_name(name_of_rdns(rdns)))
    ]
    return ",".join(reversed(parts))


def _attribute_text(oid: str, value: str) -> str:
    if oid not in _SHORT_NAMES:
        return f"{oid}=#{_text(value).hex()}"
    escaped = []
    for at, character in enumerate(value):
        at_edge = at in {0, len(value) - 1}
        special = character in ',+"\\<>;'
        if special or (character == " " and at_edge) or (character == "#" and at == 0):
            escaped.append("\\")
        escaped.append(character)
    return f"{_SHORT_NAMES[oid]}={''.join(escaped)}"


def _text(value: str) -> bytes:
    if _PRINTABLE.issuperset(value):
        return der.tlv(der.PRINTABLE_STRING, value.encode())
    try:
        return der.tlv(der.UTF8_STRING, value.encode())
    except UnicodeEncodeError:
        raise InvalidError("asn1: string not valid UTF-8") from None


def _decode_text(element: der.Element) -> str:
    decoder = _TEXT_DECODERS.get(element.tag)
    if decoder is None:
        raise InvalidError(f"unsupported string type: {element.tag}")
    try:
        return decoder(element.content)
    except UnicodeDecodeError:
        raise InvalidError("x509: invalid RDNSequence: invalid attribute value") from None
