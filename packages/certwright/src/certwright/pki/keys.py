"""Private keys: made, written, read and compared with what a Certificate asks for.

Source: reference cert-manager.md 2.7 (Key generation, Encoding, PrivateKeyMatchesSpec).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from certwright.errors import InvalidError
from certwright.pki.pem import PemBlock, decode_pem, encode_pem
from certwright.resources.certificate import Certificate
from certwright.resources.gotext import quote

__all__ = [
    "RSA_BITS_MAX",
    "RSA_BITS_MIN",
    "SigningKey",
    "decode_key_der",
    "decode_private_key",
    "decode_public_key",
    "encode_private_key",
    "encode_private_key_pkcs8",
    "generate_private_key",
    "private_key_violations",
    "public_key_der",
    "public_keys_equal",
    "signing_key",
]

RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 8192

SigningKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
"""The kinds of keys that Certwright signs with."""

_CURVES: Final = MappingProxyType({256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()})
_PKCS8, _PKCS1, _SEC1 = "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"
_PROBLEMS: Final = MappingProxyType(
    {
        _PKCS8: "error parsing pkcs#8 private key",
        _PKCS1: "error parsing rsa private key",
        _SEC1: "error parsing ecdsa private key",
    }
)


def generate_private_key(algorithm: str, size: int) -> SigningKey:
    """Return a new key; slow for RSA (0.1 s at 2048 bits, seconds at 8192).

    Args:
        algorithm: `RSA`, `ECDSA`, `Ed25519`; empty means RSA.
        size: Bits; 0 means 2048 for RSA and 256 for ECDSA. Ed25519 has one size only.

    Raises:
        InvalidError: There are no such keys.
    """
    if algorithm in {"", "RSA"}:
        bits = size if size > 0 else RSA_BITS_MIN
        if bits < RSA_BITS_MIN:
            raise InvalidError(
                f"weak rsa key size specified: {bits}. minimum key size: {RSA_BITS_MIN}"
            )
        if bits > RSA_BITS_MAX:
            raise InvalidError(
                f"rsa key size specified too big: {bits}. maximum key size: {RSA_BITS_MAX}"
            )
        return rsa.generate_private_key(public_exponent=65537, key_size=bits)
    if algorithm == "ECDSA":
        curve = _CURVES.get(size if size > 0 else 256)
        if curve is None:
            raise InvalidError(f"unsupported ecdsa key size specified: {size}")
        return ec.generate_private_key(curve)
    if algorithm == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    raise InvalidError(f"unsupported private key algorithm specified: {algorithm}")


def encode_private_key(key: PrivateKeyTypes, encoding: str) -> bytes:
    """Return the key as PEM.

    Args:
        key: RSA, elliptic curve or Ed25519.
        encoding: `spec.privateKey.encoding`: empty or `PKCS1` gives `RSA PRIVATE KEY` or
            `EC PRIVATE KEY`, `PKCS8` gives `PRIVATE KEY`. Ed25519 is always the latter.

    Raises:
        InvalidError: The encoding or the kind of key is not known.
    """
    if encoding == "PKCS8":
        return encode_private_key_pkcs8(key)
    if encoding not in {"", "PKCS1"}:
        raise InvalidError(f"error encoding private key: unknown key encoding: {encoding}")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return encode_private_key_pkcs8(key)
    traditional = signing_key(key).private_bytes(
        Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    return encode_pem(_PKCS1 if isinstance(key, rsa.RSAPrivateKey) else _SEC1, traditional)


def encode_private_key_pkcs8(key: PrivateKeyTypes) -> bytes:
    """Return the key as PEM, block `PRIVATE KEY`."""
    return encode_pem(_PKCS8, key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def decode_private_key(pem: bytes) -> SigningKey:
    """Return the key of the first block.

    Raises:
        InvalidError: There is no block, or it holds no key that can sign.
    """
    block = next(decode_pem(pem), None)
    if block is None:
        raise InvalidError("error decoding private key PEM block")
    if block.type not in _PROBLEMS:
        raise InvalidError(f"unknown private key type: {block.type}")
    key = decode_key_der(block.der)
    if isinstance(key, str) or not _fits(block, key):
        reason = key if isinstance(key, str) else "the block holds a key of another kind"
        raise InvalidError(f"{_PROBLEMS[block.type]}: {reason}")
    return key


def decode_key_der(encoded: bytes) -> SigningKey | str:
    """Return the key of PKCS#8, PKCS#1 or SEC 1 bytes, or why there is none.

    An RSA key is checked by its numbers (p·q = n, e·d = 1), not by searching for divisors.
    """
    try:
        key = load_der_private_key(encoded, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "x509: failed to parse private key"
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        p, q, exponent = numbers.p, numbers.q, numbers.public_numbers.e * numbers.d
        if p * q != numbers.public_numbers.n or p < 3 or q < 3:
            return "crypto/rsa: invalid modulus"
        if exponent % (p - 1) != 1 or exponent % (q - 1) != 1:
            return "crypto/rsa: invalid exponents"
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        return key
    return "invalid key type"


def decode_public_key(spki: bytes) -> PublicKeyTypes | None:
    """Return the key of a SubjectPublicKeyInfo, or None if it is of a kind that is not known.

    Raises:
        InvalidError: It is not a public key.
    """
    try:
        return load_der_public_key(spki)
    except UnsupportedAlgorithm:
        return None
    except ValueError:
        raise InvalidError("x509: invalid public key") from None


def public_key_der(key: PublicKeyTypes) -> bytes:
    """Return the key's SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_keys_equal(a: PublicKeyTypes, b: PublicKeyTypes) -> bool:
    """Return whether two public keys are the same one."""
    return public_key_der(a) == public_key_der(b)


def private_key_violations(key: PrivateKeyTypes, cert: Certificate) -> list[str]:
    """Return the fields of the Certificate that the key does not fit; at most one.

    Raises:
        InvalidError: `spec.privateKey.algorithm` is not known.
    """
    spec = cert.private_key_or_default
    algorithm, size = spec.algorithm, spec.size
    if algorithm in {"", "RSA"}:
        if not isinstance(key, rsa.RSAPrivateKey):
            return ["spec.privateKey.algorithm"]
        fits = key.key_size == (size if size > 0 else RSA_BITS_MIN)
    elif algorithm == "ECDSA":
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            return ["spec.privateKey.algorithm"]
        fits = key.curve.key_size == (size if size > 0 else 256)
    elif algorithm == "Ed25519":
        return [] if isinstance(key, ed25519.Ed25519PrivateKey) else ["spec.privateKey.algorithm"]
    else:
        raise InvalidError(f"unrecognised key algorithm type {quote(algorithm)}")
    return [] if fits else ["spec.privateKey.size"]


def signing_key(key: PrivateKeyTypes) -> SigningKey:
    """Return the key as one that signs.

    Raises:
        InvalidError: It is of another kind.
    """
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        return key
    raise InvalidError(f"unknown private key type: {type(key).__name__}")


def _fits(block: PemBlock, key: SigningKey) -> bool:
    if block.type == _PKCS1:
        return isinstance(key, rsa.RSAPrivateKey)
    return block.type != _SEC1 or isinstance(key, ec.EllipticCurvePrivateKey)
