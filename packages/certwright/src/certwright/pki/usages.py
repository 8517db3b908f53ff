"""Usages: the words of `spec.usages` as key usage bits and extended key usages."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from certwright.errors import InvalidError
from certwright.resources.certificate import DEFAULT_USAGES
from certwright.resources.gotext import format_strings

__all__ = [
    "CERT_SIGN",
    "EXTENDED_KEY_USAGES",
    "KEY_USAGES",
    "key_usages",
    "usages_of",
]

CERT_SIGN: Final = 1 << 5

KEY_USAGES: Final = MappingProxyType(
    {
        "signing": 1 << 0,
        "digital signature": 1 << 0,
        "content commitment": 1 << 1,
        "key encipherment": 1 << 2,
        "data encipherment": 1 << 3,
        "key agreement": 1 << 4,
        "cert sign": CERT_SIGN,
        "crl sign": 1 << 6,
        "encipher only": 1 << 7,
        "decipher only": 1 << 8,
    }
)
"""Usage → bit of the KeyUsage extension; bit 0 is digitalSignature."""

EXTENDED_KEY_USAGES: Final = MappingProxyType(
    {
        "any": "2.5.29.37.0",
        "server auth": "1.3.6.1.5.5.7.3.1",
        "client auth": "1.3.6.1.5.5.7.3.2",
        "code signing": "1.3.6.1.5.5.7.3.3",
        "email protection": "1.3.6.1.5.5.7.3.4",
        "s/mime": "1.3.6.1.5.5.7.3.4",
        "ipsec end system": "1.3.6.1.5.5.7.3.5",
        "ipsec tunnel": "1.3.6.1.5.5.7.3.6",
        "ipsec user": "1.3.6.1.5.5.7.3.7",
        "timestamping": "1.3.6.1.5.5.7.3.8",
        "ocsp signing": "1.3.6.1.5.5.7.3.9",
        "microsoft sgc": "1.3.6.1.4.1.311.10.3.3",
        "netscape sgc": "2.16.840.1.113730.4.1",
    }
)
"""Usage → object identifier of the ExtendedKeyUsage extension."""


def key_usages(usages: Sequence[str], *, is_ca: bool) -> tuple[int, tuple[str, ...]]:
    """Return the key usage bits and the extended key usages, in the order asked for.

    Raises:
        InvalidError: A usage is not known.

    Source: reference cert-manager.md 2.7 (Usages).
    """
    bits = CERT_SIGN if is_ca else 0
    extended: list[str] = []
    unknown: list[str] = []
    for usage in usages or DEFAULT_USAGES:
        if usage in KEY_USAGES:
            bits |= KEY_USAGES[usage]
        elif usage in EXTENDED_KEY_USAGES:
            extended.append(EXTENDED_KEY_USAGES[usage])
        else:
            unknown.append(usage)
    if unknown:
        raise InvalidError(f"unknown key usages: {format_strings(unknown)}")
    return bits, tuple(extended)


def usages_of(bits: int, extended: Sequence[str]) -> list[str]:
    """Return the words for what a certificate or request holds; what has no word is left out."""
    found = [usage for usage, bit in KEY_USAGES.items() if bits & bit and usage != "signing"]
    words = {oid: usage for usage, oid in EXTENDED_KEY_USAGES.items() if usage != "s/mime"}
    return found + [words[oid] for oid in extended if oid in words]
