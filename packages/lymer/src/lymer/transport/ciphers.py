"""Names of cipher suites: IANA's, which Go and so Jaeger use, become OpenSSL's (pure)."""

from __future__ import annotations

import ssl
from typing import Final

from lymer.errors import StartupError

__all__ = ["openssl_ciphers"]

_PREFIX: Final = "TLS_"
_KINDS: Final = ("ECDHE_ECDSA", "ECDHE_RSA", "DHE_RSA", "RSA")
_ALGORITHMS: Final = {
    "AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305",
    "AES_128_CBC_SHA": "AES128-SHA",
    "AES_256_CBC_SHA": "AES256-SHA",
    "AES_128_CBC_SHA256": "AES128-SHA256",
    "AES_256_CBC_SHA384": "AES256-SHA384",
}
_OF_TLS_1_3: Final = frozenset(_PREFIX + name for name in list(_ALGORITHMS)[:3])


def openssl_ciphers(names: tuple[str, ...], setting: str) -> str:
    """Return OpenSSL's list of the suites in `names`.

    Those of TLS 1.3 are accepted and change nothing: they are always on, as in Go.
    Source: RFC 5246, A.5; RFC 5289; RFC 7905; Go, crypto/tls `Config.CipherSuites`.

    Raises:
        StartupError: A name is unknown, or none of TLS 1.2 is left.
    """
    found: list[str] = []
    for name in names:
        if name in _OF_TLS_1_3:
            continue
        suite = _openssl_name(name)
        if suite is None or not _is_known(suite):
            raise StartupError(
                f'"{setting}": {name} is no cipher suite; names are like '
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or ECDHE-RSA-AES128-GCM-SHA256"
            )
        found.append(suite)
    if not found:
        raise StartupError(f'"{setting}" holds suites of TLS 1.3 only: for that, set min_version')
    return ":".join(found)


def _openssl_name(name: str) -> str | None:
    if not name.startswith(_PREFIX):
        return name
    kind, _, algorithm = name.removeprefix(_PREFIX).partition("_WITH_")
    # Go has two old names without the hash at their end.
    known = _ALGORITHMS.get(algorithm) or _ALGORITHMS.get(algorithm + "_SHA256")
    if kind not in _KINDS or known is None:
        return None
    return known if kind == "RSA" else f"{kind.replace('_', '-')}-{known}"


def _is_known(suite: str) -> bool:
    if not all(letter.isalnum() or letter == "-" for letter in suite):
        return False  # OpenSSL's list has a language of its own
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(suite)
    except ssl.SSLError:
        return False
    return True
