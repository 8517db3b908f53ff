"""Keystores and output formats: the same key and certificates in other envelopes.

PKCS#12 is written with 3DES and an HMAC of SHA-1, which every Java reads and OpenSSL 3 opens
without `-legacy`; cert-manager v1.12 writes RC2-40, which OpenSSL 3 does not. No two PKCS#12 files
are alike (salts); a JKS file is the same for the same input.

Source: reference cert-manager.md 2.9 (Keystores, additional output formats), 12.2.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, Literal, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PBES,
    PKCS12Certificate,
    serialize_java_truststore,
    serialize_key_and_certificates,
)

from certwright.errors import InvalidError
from certwright.pki import der
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.pki.jks import JksKey, JksTrusted, encode_jks
from certwright.pki.keys import decode_private_key
from certwright.pki.names import name_text
from certwright.pki.pem import decode_pem

__all__ = [
    "Profile",
    "combined_pem",
    "jks_keystore",
    "jks_truststore",
    "key_der",
    "pkcs12_keystore",
    "pkcs12_truststore",
]

Profile: TypeAlias = Literal["", "LegacyRC2", "LegacyDES", "Modern2023", "Modern2026"]
"""cert-manager's names of algorithms. LegacyRC2 and none are written as LegacyDES; Modern2023 is
AES-256 with HMAC-SHA256, Modern2026 the same with PBMAC1 (OpenSSL 3.4, Java 26)."""

_KDF_ROUNDS: Final = 2048
_PBMAC1: Final = "1.2.840.113549.1.5.14"
_PBKDF2: Final = "1.2.840.113549.1.5.12"
_HMAC_SHA256: Final = "1.2.840.113549.2.9"
_MAC_SALT_BYTES: Final = 16
_KEY_ALIAS: Final = "certificate"
_CA_ALIAS: Final = "ca"


def pkcs12_keystore(
    password: bytes, key_pem: bytes, cert_pem: bytes, ca_pem: bytes, *, profile: Profile = ""
) -> bytes:
    """Return `keystore.p12`: the key, its certificate, the rest of the chain, the CA.

    Args:
        password: Of the store, UTF-8, not empty.
        key_pem: The private key.
        cert_pem: The chain, the key's certificate first.
        ca_pem: The CA; may be empty.
        profile: Algorithms; by default what everybody reads.

    Raises:
        InvalidError: One of them cannot be used.
    """
    key = decode_private_key(key_pem)
    certs = decode_certificates(cert_pem)
    cas = decode_certificates(ca_pem) if ca_pem else []
    try:
        store = serialize_key_and_certificates(
            None,
            key,
            _loaded(certs[0]),
            [_loaded(cert) for cert in (*certs[1:], *cas)],
            _encryption(password, profile),
        )
        return _with_pbmac1(store, password) if profile == "Modern2026" else store
    except (ValueError, TypeError) as error:
        raise InvalidError(f"cannot write a PKCS#12 keystore: {error}") from None


def pkcs12_truststore(password: bytes, ca_pem: bytes, *, profile: Profile = "") -> bytes:
    """Return `truststore.p12`: the CAs, marked as trusted for Java, named by their subjects.

    Args:
        password: Of the store; empty for one that is neither encrypted nor signed.
        ca_pem: The CAs.
        profile: Algorithms; by default what everybody reads.

    Raises:
        InvalidError: There is no CA, or the password cannot be used.
    """
    entries = [
        PKCS12Certificate(_loaded(ca), name_text(ca.subject_rdns).encode())
        for ca in decode_certificates(ca_pem)
    ]
    try:
        store = serialize_java_truststore(entries, _encryption(password, profile))
        return _with_pbmac1(store, password) if profile == "Modern2026" and password else store
    except (ValueError, TypeError) as error:
        raise InvalidError(f"cannot write a PKCS#12 truststore: {error}") from None


def jks_keystore(
    password: bytes, key_pem: bytes, cert_pem: bytes, ca_pem: bytes, alias: str = ""
) -> bytes:
    """Return `keystore.jks`: the key with its chain as `alias`, the CAs as `ca`, `ca-1`...

    The entries' dates are the start of the certificates' lives, so the same input gives the same
    bytes.

    Raises:
        InvalidError: One of the inputs cannot be used.
    """
    key = decode_private_key(key_pem)
    certs = decode_certificates(cert_pem)
    entry = JksKey(
        alias=alias or _KEY_ALIAS,
        created=certs[0].not_before,
        pkcs8=key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        chain=[cert.der for cert in certs],
    )
    return encode_jks([entry, *_trusted(ca_pem)], password)


def jks_truststore(password: bytes, ca_pem: bytes) -> bytes:
    """Return `truststore.jks`: the CAs as `ca`, `ca-1`...

    Raises:
        InvalidError: There is no CA.
    """
    if not ca_pem:
        raise InvalidError("error decoding certificate PEM block")
    return encode_jks(_trusted(ca_pem), password)


def key_der(key_pem: bytes) -> bytes:
    """Return `key.der`: the bytes of the first block of `tls.key`, so in its encoding.

    Raises:
        InvalidError: There is no block.
    """
    block = next(decode_pem(key_pem), None)
    if block is None:
        raise InvalidError("error decoding private key PEM block")
    return block.der


def combined_pem(key_pem: bytes, cert_pem: bytes) -> bytes:
    """Return `tls-combined.pem`: key, an empty line, chain."""
    return key_pem + b"\n" + cert_pem


def _trusted(ca_pem: bytes) -> list[JksTrusted]:
    cas = decode_certificates(ca_pem) if ca_pem else []
    return [
        JksTrusted(f"{_CA_ALIAS}-{at}" if at else _CA_ALIAS, ca.not_before, ca.der)
        for at, ca in enumerate(cas)
    ]


def _loaded(certificate: DecodedCertificate) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(certificate.der)
    except (ValueError, x509.InvalidVersion) as error:  # it takes less than Go: no v2
        raise InvalidError(f"error decoding certificate for a keystore: {error}") from error


def _with_pbmac1(store: bytes, password: bytes) -> bytes:
    """Return a PKCS#12 file with another MAC over the same contents.

    Source: RFC 9879 3 and RFC 8018 A.5; the salt and rounds of the old form are not used.
    """
    pfx = der.Reader(store).read(der.SEQUENCE).reader
    version, safe = pfx.read(der.INTEGER), pfx.read(der.SEQUENCE)
    contents = safe.reader
    contents.read(der.OID)
    wrapped = contents.read_optional(0xA0)
    if wrapped is None:
        raise InvalidError("cannot write a PKCS#12 store: it is empty")
    signed = wrapped.reader.read(der.OCTET_STRING).content
    # What is signed holds the random salts of its encryption, so this is new each time, too.
    salt = hashlib.sha256(signed).digest()[:_MAC_SALT_BYTES]
    key = hashlib.pbkdf2_hmac("sha256", password, salt, _KDF_ROUNDS, 32)
    by_sha256 = der.sequence(der.oid(_HMAC_SHA256), der.null())
    derived = der.sequence(
        der.oid(_PBKDF2),
        der.sequence(
            der.octet_string(salt), der.integer(_KDF_ROUNDS), der.integer(len(key)), by_sha256
        ),
    )
    algorithm = der.sequence(der.oid(_PBMAC1), der.sequence(derived, by_sha256))
    digest = der.octet_string(hmac.digest(key, signed, "sha256"))
    mac = der.sequence(der.sequence(algorithm, digest), der.octet_string(b"NOT USED"))
    return der.sequence(version.whole, safe.whole, mac)


def _encryption(password: bytes, profile: Profile) -> KeySerializationEncryption:
    if not password:
        return NoEncryption()
    if profile in {"Modern2023", "Modern2026"}:
        return (
            PrivateFormat.PKCS12.encryption_builder()
            .kdf_rounds(_KDF_ROUNDS)
            .key_cert_algorithm(PBES.PBESv2SHA256AndAES256CBC)
            .hmac_hash(hashes.SHA256())
            .build(password)
        )
    return (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(_KDF_ROUNDS)
        .key_cert_algorithm(PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303 - what every Java reads
        .build(password)
    )
