"""Signed requests: JSON Web Signatures by an account's RSA key.

Source: RFC 8555 6.2, 7.3.4 and 7.3.5; RFC 7515, 7517, 7638.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = [
    "b64url",
    "bind_account",
    "dns_value",
    "jwk_of",
    "key_authorization",
    "sign",
    "thumbprint",
]

_RSA_ALGORITHM: Final = "RS256"
_HMAC_ALGORITHM: Final = "HS256"


def b64url(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def jwk_of(key: RSAPrivateKey) -> dict[str, str]:
    """Return the public key as a JSON Web Key."""
    numbers = key.public_key().public_numbers()
    return {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}


def thumbprint(key: RSAPrivateKey) -> str:
    """Return the key's thumbprint. Source: RFC 7638."""
    return b64url(hashlib.sha256(_json(jwk_of(key))).digest())


def key_authorization(token: str, key: RSAPrivateKey) -> str:
    """Return what an HTTP-01 challenge is answered with. Source: RFC 8555 8.1."""
    return f"{token}.{thumbprint(key)}"


def dns_value(token: str, key: RSAPrivateKey) -> str:
    """Return the text of the TXT record of a DNS-01 challenge. Source: RFC 8555 8.4."""
    return b64url(hashlib.sha256(key_authorization(token, key).encode()).digest())


def sign(
    key: RSAPrivateKey, payload: Any | None, *, url: str, nonce: str = "", account: str = ""
) -> bytes:
    """Return the body of a request.

    Args:
        key: Who signs.
        payload: JSON; None for POST-as-GET, whose payload is empty.
        url: Where it goes.
        nonce: Given by the server; empty in the inner signature of a key change.
        account: The account's URL; empty if the key itself stands for it.
    """
    header: dict[str, Any] = {"alg": _RSA_ALGORITHM, "url": url}
    header |= {"kid": account} if account else {"jwk": jwk_of(key)}
    if nonce:
        header["nonce"] = nonce
    protected, body = _protected(header, b"" if payload is None else _json(payload))
    signature = key.sign(f"{protected}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    return _flattened(protected, body, signature)


def bind_account(key: RSAPrivateKey, *, key_id: str, mac_key: bytes, url: str) -> dict[str, str]:
    """Return `externalAccountBinding`: the account's key, vouched for by a key the CA gave."""
    protected, body = _protected(
        {"alg": _HMAC_ALGORITHM, "kid": key_id, "url": url}, _json(jwk_of(key))
    )
    mac = hmac.digest(mac_key, f"{protected}.{body}".encode(), "sha256")
    bound: dict[str, str] = json.loads(_flattened(protected, body, mac))
    return bound


def _protected(header: Mapping[str, Any], payload: bytes) -> tuple[str, str]:
    return b64url(_json(header)), b64url(payload)


def _flattened(protected: str, payload: str, signature: bytes) -> bytes:
    return _json({"protected": protected, "payload": payload, "signature": b64url(signature)})


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _number(value: int) -> str:
    return b64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))
