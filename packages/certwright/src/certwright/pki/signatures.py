"""Signatures of certificates and requests: the schemes, made and checked.

Source: RFC 5280 4.1.1.2, RFC 4055, RFC 5758, RFC 8410; Go `crypto/x509` (checkSignature).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from certwright.errors import InvalidError
from certwright.pki import der
from certwright.pki.keys import SigningKey

__all__ = ["Scheme", "decode_scheme", "is_signed", "scheme_of_key", "sign"]

_RSA_PSS: Final = "1.2.840.113549.1.1.10"


@dataclass(frozen=True, slots=True)
class Scheme:
    """How something is signed."""

    kind: str
    """`RSA`, `RSA-PSS`, `ECDSA`, `Ed25519`, or empty for one that is not trusted."""
    hash: hashes.HashAlgorithm | None
    oid: str

    def encode(self) -> bytes:
        """Return its AlgorithmIdentifier; RSA has NULL parameters, the others none."""
        return der.sequence(der.oid(self.oid), der.null() if self.kind == "RSA" else b"")


_SCHEMES: Final = MappingProxyType(
    {
        scheme.oid: scheme
        for scheme in (
            Scheme("RSA", hashes.SHA256(), "1.2.840.113549.1.1.11"),
            Scheme("RSA", hashes.SHA384(), "1.2.840.113549.1.1.12"),
            Scheme("RSA", hashes.SHA512(), "1.2.840.113549.1.1.13"),
            Scheme("ECDSA", hashes.SHA256(), "1.2.840.10045.4.3.2"),
            Scheme("ECDSA", hashes.SHA384(), "1.2.840.10045.4.3.3"),
            Scheme("ECDSA", hashes.SHA512(), "1.2.840.10045.4.3.4"),
            Scheme("Ed25519", None, "1.3.101.112"),
        )
    }
)
"""What is trusted; MD5 and DSA are not, as in Go."""

_SHA1_SCHEMES: Final = MappingProxyType(
    {
        scheme.oid: scheme
        for scheme in (
            Scheme("RSA", hashes.SHA1(), "1.2.840.113549.1.1.5"),  # noqa: S303 - read only
            Scheme("ECDSA", hashes.SHA1(), "1.2.840.10045.4.1"),  # noqa: S303 - read only
        )
    }
)
"""What is trusted in requests only: who signs a request proves that it has the key."""

_PSS_HASHES: Final = MappingProxyType(
    {
        "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
        "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
        "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
    }
)


def scheme_of_key(key: SigningKey, rsa_hash: str = "sha256") -> Scheme:
    """Return what a key signs certificates with: ECDSA's hash follows the curve.

    Args:
        key: The signer's.
        rsa_hash: `sha256`, `sha384` or `sha512`; certificates always have the first in v1.12.

    Raises:
        InvalidError: No such key signs.
    """
    match key:
        case rsa.RSAPrivateKey():
            kind, name = "RSA", rsa_hash
        case ec.EllipticCurvePrivateKey():
            bits = key.curve.key_size
            kind, name = "ECDSA", "sha256" if bits <= 256 else "sha384" if bits <= 384 else "sha512"
        case _:
            kind, name = "Ed25519", ""
    return scheme_of(kind, name)


def scheme_of(kind: str, hash_name: str) -> Scheme:
    """Return a scheme by its kind and its hash's name (empty for Ed25519)."""
    for scheme in _SCHEMES.values():
        if scheme.kind == kind and (scheme.hash.name if scheme.hash else "") == hash_name:
            return scheme
    raise InvalidError(f"x509: cannot sign with {kind} and {hash_name}")


def decode_scheme(identifier: der.Element) -> Scheme:
    """Return the scheme of an AlgorithmIdentifier; one that is not known has an empty kind."""
    reader = identifier.reader
    oid = der.decode_oid(reader.read(der.OID).content)
    if oid == _RSA_PSS:
        parameters = reader.read(der.SEQUENCE).reader
        hash_choice = parameters.read_optional(0xA0)
        name = hash_choice.reader.read(der.SEQUENCE).reader.read(der.OID) if hash_choice else None
        algorithm = _PSS_HASHES.get(der.decode_oid(name.content)) if name else None
        return Scheme("RSA-PSS" if algorithm else "", algorithm, oid)
    return _SCHEMES.get(oid) or _SHA1_SCHEMES.get(oid) or Scheme("", None, oid)


def sign(key: SigningKey, message: bytes, scheme: Scheme) -> bytes:
    """Return the signature.

    Raises:
        InvalidError: Key and scheme do not go together.
    """
    match key:
        case rsa.RSAPrivateKey() if scheme.kind == "RSA" and scheme.hash is not None:
            return key.sign(message, padding.PKCS1v15(), scheme.hash)
        case ec.EllipticCurvePrivateKey() if scheme.kind == "ECDSA" and scheme.hash is not None:
            return key.sign(message, ec.ECDSA(scheme.hash))
        case ed25519.Ed25519PrivateKey() if scheme.kind == "Ed25519":
            return key.sign(message)
        case _:
            raise InvalidError("x509: requested SignatureAlgorithm does not match private key type")


def is_signed(
    key: PublicKeyTypes,
    signature: bytes,
    message: bytes,
    scheme: Scheme,
    *,
    sha1_counts: bool = False,
) -> bool:
    """Return whether `signature` is the key's over `message`; SHA-1 is none unless it counts."""
    if scheme.oid in _SHA1_SCHEMES and not sha1_counts:
        return False
    try:
        match key:
            case rsa.RSAPublicKey() if scheme.kind == "RSA" and scheme.hash is not None:
                key.verify(signature, message, padding.PKCS1v15(), scheme.hash)
            case rsa.RSAPublicKey() if scheme.kind == "RSA-PSS" and scheme.hash is not None:
                pss = padding.PSS(padding.MGF1(scheme.hash), padding.PSS.AUTO)
                key.verify(signature, message, pss, scheme.hash)
            case ec.EllipticCurvePublicKey() if scheme.kind == "ECDSA" and scheme.hash is not None:
                key.verify(signature, message, ec.ECDSA(scheme.hash))
            case ed25519.Ed25519PublicKey() if scheme.kind == "Ed25519":
                key.verify(signature, message)
            case _:
                return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
