"""Key pairs: whether a certificate and a key belong together, in the words of Go's `crypto/tls`.

Source: Go `crypto/tls` X509KeyPair; reference cert-manager.md 2.2 (policy 3).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from certwright.errors import InvalidError
from certwright.pki.certificates import DecodedCertificate, decode_certificate
from certwright.pki.keys import SigningKey, decode_key_der, public_keys_equal
from certwright.pki.pem import decode_pem
from certwright.resources.gotext import format_strings

__all__ = ["check_key_pair"]

_KNOWN_MAX: Final = 4096
_known: dict[bytes, str] = {}
"""What was found, by digests: every loop asks again at each change, and no key is to stay in
memory for that."""


def check_key_pair(cert_pem: bytes, key_pem: bytes) -> str:
    """Return why the first certificate and the first key are no pair; empty if they are one."""
    digest = sha256(cert_pem).digest() + sha256(key_pem).digest()
    found = _known.get(digest)
    if found is None:
        if len(_known) >= _KNOWN_MAX:
            _known.clear()
        found = _known[digest] = _check(cert_pem, key_pem)
    return found


def _check(cert_pem: bytes, key_pem: bytes) -> str:
    try:
        leaf = _first_certificate(cert_pem)
        key = _first_key(key_pem)
    except InvalidError as error:
        return str(error)
    public_key = leaf.public_key
    if public_key is None:
        return "tls: unknown public key algorithm"
    own = key.public_key()
    if type(own) is not type(public_key):
        return "tls: private key type does not match public key type"
    return (
        "" if public_keys_equal(own, public_key) else "tls: private key does not match public key"
    )


def _first_certificate(pem: bytes) -> DecodedCertificate:
    skipped: list[str] = []
    encoded: list[bytes] = []
    for block in decode_pem(pem):
        if block.type == "CERTIFICATE":
            encoded.append(block.der)
        else:
            skipped.append(block.type)
    if encoded:
        return decode_certificate(encoded[0])
    if not skipped:
        raise InvalidError("tls: failed to find any PEM data in certificate input")
    if len(skipped) == 1 and skipped[0].endswith("PRIVATE KEY"):
        raise InvalidError(
            "tls: failed to find certificate PEM data in certificate input, but did find a private "
            "key; PEM inputs may have been switched"
        )
    raise InvalidError(
        'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM '
        f"blocks of the following types: {format_strings(skipped)}"
    )


def _first_key(pem: bytes) -> SigningKey:
    skipped: list[str] = []
    for block in decode_pem(pem):
        if block.type == "PRIVATE KEY" or block.type.endswith(" PRIVATE KEY"):
            key = decode_key_der(block.der)
            if isinstance(key, str):
                raise InvalidError("tls: failed to parse private key")
            return key
        skipped.append(block.type)
    if not skipped:
        raise InvalidError("tls: failed to find any PEM data in key input")
    if skipped == ["CERTIFICATE"]:
        raise InvalidError(
            "tls: found a certificate rather than a key in the PEM for the private key"
        )
    raise InvalidError(
        'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after '
        f"skipping PEM blocks of the following types: {format_strings(skipped)}"
    )
