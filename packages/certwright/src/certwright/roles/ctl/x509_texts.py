"""Words that Go and cmctl have for what stands in a certificate."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from certwright.pki.certificates import DecodedCertificate

__all__ = [
    "extended_usage_names",
    "public_key_algorithm",
    "serial_hex",
    "signature_algorithm",
    "usage_names",
]

_USAGES: Final = (
    "Digital Signature",
    "Content Commitment",
    "Key Encipherment",
    "Data Encipherment",
    "Key Agreement",
    "Cert Sign",
    "CRL Sign",
    "Encipher Only",
    "Decipher Only",
)
_EXTENDED_USAGES: Final = MappingProxyType(
    {
        "2.5.29.37.0": "Any",
        "1.3.6.1.5.5.7.3.1": "Server Authentication",
        "1.3.6.1.5.5.7.3.2": "Client Authentication",
        "1.3.6.1.5.5.7.3.3": "Code Signing",
        "1.3.6.1.5.5.7.3.4": "Email Protection",
        "1.3.6.1.5.5.7.3.5": "IPSEC End System",
        "1.3.6.1.5.5.7.3.6": "IPSEC Tunnel",
        "1.3.6.1.5.5.7.3.7": "IPSEC User",
        "1.3.6.1.5.5.7.3.8": "Time Stamping",
        "1.3.6.1.5.5.7.3.9": "OCSP Signing",
        "1.3.6.1.4.1.311.10.3.3": "Microsoft Server Gated Crypto",
        "2.16.840.1.113730.4.1": "Netscape Server Gated Crypto",
        "1.3.6.1.4.1.311.2.1.22": "Microsoft Commercial Code Signing",
        "1.3.6.1.4.1.311.61.1.1": "Microsoft Kernel Code Signing",
    }
)
_KINDS: Final = (
    (rsa.RSAPublicKey, "RSA"),
    (ec.EllipticCurvePublicKey, "ECDSA"),
    (ed25519.Ed25519PublicKey, "Ed25519"),
    (dsa.DSAPublicKey, "DSA"),
)


def usage_names(certificate: DecodedCertificate) -> str:
    """Return the key usages as cmctl names them, lowest bit first."""
    bits = certificate.key_usage
    return ", ".join(name for at, name in enumerate(_USAGES) if bits >> at & 1)


def extended_usage_names(certificate: DecodedCertificate) -> str:
    """Return the extended key usages as cmctl names them; one without a name is its number."""
    return ", ".join(_EXTENDED_USAGES.get(oid, oid) for oid in certificate.extended_key_usages)


def public_key_algorithm(certificate: DecodedCertificate) -> str:
    """Return `RSA`, `ECDSA`, `Ed25519`, or Go's word for what it does not know."""
    key = certificate.public_key
    return next((name for kind, name in _KINDS if isinstance(key, kind)), "0")


def signature_algorithm(certificate: DecodedCertificate) -> str:
    """Return Go's name, such as `SHA256-RSA` or `ECDSA-SHA384`."""
    scheme = certificate.scheme
    digest = scheme.hash.name.upper() if scheme.hash else ""
    match scheme.kind:
        case "RSA":
            return f"{digest}-RSA"
        case "RSA-PSS":
            return f"{digest}-RSAPSS"
        case "ECDSA":
            return f"ECDSA-{digest}"
        case "Ed25519":
            return "Ed25519"
        case _:
            return "0"


def serial_hex(certificate: DecodedCertificate) -> str:
    """Return the serial number in whole bytes."""
    digits = f"{abs(certificate.serial):x}"
    return digits if len(digits) % 2 == 0 else f"0{digits}"
