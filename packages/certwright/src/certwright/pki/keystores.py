"""Keystores and output formats: the same key and certificates in other envelopes.

PKCS#12 is written with 3DES and an HMAC of SHA-1, which every Java reads and OpenSSL 3 opens
without `-legacy`; cert-manager v1.12 writes RC2-40, which OpenSSL 3 does not. No two PKCS#12 files
are alike (salts); a JKS file is the same for the same input.

Source: reference cert-manager.md 2.9 (Keystores, additional output formats), 12.2.
"""

from __future__ import annotations

from typing import Final

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
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.pki.jks import JksKey, JksTrusted, encode_jks
from certwright.pki.keys import decode_private_key
from certwright.pki.names import name_text
from certwright.pki.pem import decode_pem

__all__ = [
    "combined_pem",
    "jks_keystore",
    "jks_truststore",
    "key_der",
    "pkcs12_keystore",
    "pkcs12_truststore",
]

_KDF_ROUNDS: Final = 2048
_KEY_ALIAS: Final = "certificate"
_CA_ALIAS: Final = "ca"


def pkcs12_keystore(password: bytes, key_pem: bytes, cert_pem: bytes, ca_pem: bytes) -> bytes:
    """Return `keystore.p12`: the key, its certificate, the rest of the chain, the CA.

    Args:
        password: Of the store, UTF-8, not empty.
        key_pem: The private key.
        cert_pem: The chain, the key's certificate first.
        ca_pem: The CA; may be empty.

    Raises:
        InvalidError: One of them cannot be used.
    """
    key = decode_private_key(key_pem)
    certs = decode_certificates(cert_pem)
    cas = decode_certificates(ca_pem) if ca_pem else []
    try:
        return serialize_key_and_certificates(
            None,
            key,
            _loaded(certs[0]),
            [_loaded(cert) for cert in (*certs[1:], *cas)],
            _encryption(password),
        )
    except (ValueError, TypeError) as error:
        raise InvalidError(f"cannot write a PKCS#12 keystore: {error}") from None


def pkcs12_truststore(password: bytes, ca_pem: bytes) -> bytes:
    """Return `truststore.p12`: the CAs, marked as trusted for Java, named by their subjects.

    Raises:
        InvalidError: There is no CA, or the password cannot be used.
    """
    entries = [
        PKCS12Certificate(_loaded(ca), name_text(ca.subject_rdns).encode())
        for ca in decode_certificates(ca_pem)
    ]
    try:
        return serialize_java_truststore(entries, _encryption(password))
    except (ValueError, TypeError) as error:
        raise InvalidError(f"cannot write a PKCS#12 truststore: {error}") from None


def jks_keystore(password: bytes, key_pem: bytes, cert_pem: bytes, ca_pem: bytes) -> bytes:
    """Return `keystore.jks`: the key with its chain as `certificate`, the CAs as `ca`, `ca-1`...

    The entries' dates are the start of the certificates' lives, so the same input gives the same
    bytes.

    Raises:
        InvalidError: One of the inputs cannot be used.
    """
    key = decode_private_key(key_pem)
    certs = decode_certificates(cert_pem)
    entry = JksKey(
        alias=_KEY_ALIAS,
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
    return x509.load_der_x509_certificate(certificate.der)


def _encryption(password: bytes) -> KeySerializationEncryption:
    return (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(_KDF_ROUNDS)
        .key_cert_algorithm(PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303 - what every Java reads
        .build(password)
    )
