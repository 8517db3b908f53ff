"""JKS: Java's own keystore format, written.

The private key is protected by Sun's key protector: its PKCS#8 bytes, XORed with a stream of SHA-1
digests of the password and the one before, then a digest over all. That is weak, but it is what the
format is; whoever has the choice takes PKCS#12.

The salt comes from the key and the password instead of a random source, so the same input gives the
same bytes, and nobody without both can tell what it will be.

Source: the format as OpenJDK's `sun.security.provider.JavaKeyStore` and `KeyProtector` read it;
reference cert-manager.md 2.9 (Keystores).
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from certwright.pki import der

__all__ = ["JksKey", "JksTrusted", "encode_jks"]

_MAGIC: Final = 0xFEEDFEED
_VERSION: Final = 2
_TAG_KEY, _TAG_TRUSTED = 1, 2
_TYPE: Final = "X.509"
_KEY_PROTECTOR: Final = "1.3.6.1.4.1.42.2.17.1.1"
_DIGEST_BYTES: Final = 20
_WHITENER: Final = b"Mighty Aphrodite"


@dataclass(frozen=True, slots=True)
class JksKey:
    """A private key with its chain."""

    alias: str
    created: datetime
    pkcs8: bytes
    chain: Sequence[bytes]
    """Certificates as DER, the key's own first."""


@dataclass(frozen=True, slots=True)
class JksTrusted:
    """A certificate that is trusted."""

    alias: str
    created: datetime
    certificate: bytes
    """DER."""


def encode_jks(entries: Sequence[JksKey | JksTrusted], password: bytes) -> bytes:
    """Return a keystore; its password is that of every key in it."""
    chars = _password_chars(password)
    parts = [struct.pack(">III", _MAGIC, _VERSION, len(entries))]
    for entry in entries:
        tag = _TAG_KEY if isinstance(entry, JksKey) else _TAG_TRUSTED
        milliseconds = int(entry.created.timestamp()) * 1000
        parts += [struct.pack(">I", tag), _text(entry.alias), struct.pack(">Q", milliseconds)]
        if isinstance(entry, JksKey):
            protected = _protect(entry.pkcs8, chars)
            parts += [struct.pack(">I", len(protected)), protected]
            parts.append(struct.pack(">I", len(entry.chain)))
            parts += map(_certificate, entry.chain)
        else:
            parts.append(_certificate(entry.certificate))
    body = b"".join(parts)
    return body + _sha1(chars + _WHITENER + body)


def _certificate(encoded: bytes) -> bytes:
    return _text(_TYPE) + struct.pack(">I", len(encoded)) + encoded


def _protect(pkcs8: bytes, chars: bytes) -> bytes:
    salt = hmac.digest(pkcs8, b"certwright jks salt" + chars, "sha256")[:_DIGEST_BYTES]
    stream, previous = bytearray(), salt
    while len(stream) < len(pkcs8):
        previous = _sha1(chars + previous)
        stream += previous
    encrypted = bytes(a ^ b for a, b in zip(pkcs8, stream, strict=False))
    return der.sequence(
        der.sequence(der.oid(_KEY_PROTECTOR), der.null()),
        der.octet_string(salt + encrypted + _sha1(chars + pkcs8)),
    )


def _password_chars(password: bytes) -> bytes:
    """Return a password as Java's characters: UTF-16, big end first."""
    return password.decode("utf-8", "replace").encode("utf-16-be")


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded


def _sha1(content: bytes) -> bytes:
    return hashlib.sha1(content, usedforsecurity=False).digest()
