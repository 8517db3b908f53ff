"""Metrics of encryption and access."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

__all__ = ["SecurityMetrics"]


class SecurityMetrics:
    """In the registry of the process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Make every metric; they are zero until something happens."""
        self.reloads: Final = Counter(
            "lymer_reloads",
            "Times that changed files of certificates, tokens or passwords came into force.",
            ["setting"],
            registry=registry,
        )
        self.reload_failures: Final = Counter(
            "lymer_reload_failures",
            "Times that changed files were no good and the old ones stayed; the log says why.",
            ["setting"],
            registry=registry,
        )
        self.certificate_end: Final = Gauge(
            "lymer_tls_certificate_end_seconds",
            "When the certificate in force ends, seconds since the epoch. Alert before.",
            ["setting"],
            registry=registry,
        )
        self.handshake_failures: Final = Counter(
            "lymer_tls_handshake_failures",
            "TLS connections that came to nothing, by reason: no_client_certificate, "
            "bad_client_certificate, version, cipher, not_tls (plain text), client_refused (look "
            "at the client's CA). gRPC counts only with min_version 1.3 and the like.",
            ["listener", "reason"],
            registry=registry,
        )
        self.auth_refusals: Final = Counter(
            "lymer_auth_refusals",
            "Requests turned away for who sent them, by reason: missing, scheme, bad_token, "
            "bad_password.",
            ["setting", "reason"],
            registry=registry,
        )
