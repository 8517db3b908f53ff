"""TLS contexts that change while connections stand.

A handshake gets the context of the newest certificate; connections that exist keep theirs, so a
rotation drops nothing. Each certificate has a context of its own: an OpenSSL context keeps one key
for each algorithm, and would go on offering an old RSA key beside a new ECDSA one.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from certwright.errors import InvalidError, StartupError
from certwright.pki.certificates import decode_certificates
from certwright.pki.key_pair import check_key_pair

__all__ = ["CIPHER_SUITES", "TLS_VERSIONS", "ServingContext", "TlsTerms"]

TLS_VERSIONS: Final = {
    "VersionTLS10": ssl.TLSVersion.TLSv1,
    "VersionTLS11": ssl.TLSVersion.TLSv1_1,
    "VersionTLS12": ssl.TLSVersion.TLSv1_2,
    "VersionTLS13": ssl.TLSVersion.TLSv1_3,
}
"""Names of --tls-min-version."""

CIPHER_SUITES: Final = {
    "TLS_AES_128_GCM_SHA256": "",
    "TLS_AES_256_GCM_SHA384": "",
    "TLS_CHACHA20_POLY1305_SHA256": "",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256": "ECDHE-ECDSA-AES128-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256": "ECDHE-RSA-AES128-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256": "AES128-SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
}
"""Names of --tls-cipher-suites → OpenSSL's. TLS 1.3's are always on, as with Go, and have none.

RC4 and 3DES, which Go can still be told to use, are refused: OpenSSL no longer has them.
"""


class TlsTerms:
    """What a handshake must offer."""

    def __init__(self, min_version: str, cipher_suites: Sequence[str]) -> None:
        """Read the flags.

        Args:
            min_version: One of `TLS_VERSIONS`; empty for TLS 1.2.
            cipher_suites: Of `CIPHER_SUITES`; empty for OpenSSL's choice.

        Raises:
            StartupError: A name is not known.
        """
        version = min_version or "VersionTLS12"
        if version not in TLS_VERSIONS:
            known_versions = ", ".join(TLS_VERSIONS)
            raise StartupError(f'unknown tls version "{version}"; there are {known_versions}')
        self.min_version = TLS_VERSIONS[version]
        for name in cipher_suites:
            if name not in CIPHER_SUITES:
                raise StartupError(f"Cipher suite {name} not supported or doesn't exist")
        self.ciphers = ":".join(filter(None, (CIPHER_SUITES[name] for name in cipher_suites)))

    def new_context(self) -> ssl.SSLContext:
        """Return a server context without a certificate.

        Raises:
            StartupError: OpenSSL has none of the cipher suites.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self.min_version
        if self.ciphers:
            try:
                context.set_ciphers(self.ciphers)
            except ssl.SSLError as error:
                raise StartupError(
                    f"cannot use the cipher suites {self.ciphers}: {error}"
                ) from error
        return context


class ServingContext:
    """The context that a listener gets, with the newest certificate behind it."""

    def __init__(self, terms: TlsTerms) -> None:
        self._terms = terms
        self._newest: ssl.SSLContext | None = None
        self._not_after: datetime | None = None
        self.context = terms.new_context()
        """For the listener: hands every handshake to the newest one."""
        self.context.sni_callback = self._choose

    def load(self, certificate_pem: bytes, private_key_pem: bytes) -> None:
        """Serve a certificate from now on.

        Raises:
            InvalidError: It is no pair; what was served before stays.
        """
        problem = check_key_pair(certificate_pem, private_key_pem)
        if problem:
            raise InvalidError(problem)
        context = self._terms.new_context()
        try:
            _load_from_memory(context, certificate_pem, private_key_pem)
        except ssl.SSLError as error:
            raise InvalidError(f"cannot serve the certificate: {error}") from error
        self._newest = context
        self._not_after = decode_certificates(certificate_pem)[0].not_after

    def is_healthy(self, now: datetime) -> bool:
        """Whether there is a certificate that has not ended."""
        return self._not_after is not None and now < self._not_after

    def _choose(
        self, handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> int | None:
        """Give the newest context; called for every handshake, with or without a server name."""
        if self._newest is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        handshake.context = self._newest
        return None


def _load_from_memory(
    context: ssl.SSLContext, certificate_pem: bytes, private_key_pem: bytes
) -> None:
    """Load a pair that is on no disk: the `ssl` module takes paths only."""
    pem = certificate_pem + b"\n" + private_key_pem
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("serving", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, pem)
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory() as folder:  # mode 0700
        path = Path(folder) / "pair.pem"
        path.touch(mode=0o600)
        path.write_bytes(pem)
        context.load_cert_chain(path)
