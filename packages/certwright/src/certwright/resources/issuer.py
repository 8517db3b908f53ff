"""The Issuer, and the ClusterIssuer, which has the same fields.

Source: reference cert-manager.md 1.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from certwright.errors import InvalidError
from certwright.resources import known
from certwright.resources.meta import mapping_at
from certwright.resources.view import View

__all__ = ["Issuer", "IssuerType"]

IssuerType: TypeAlias = Literal["acme", "ca", "selfSigned", "vault", "venafi"]
_TYPES: Final[tuple[IssuerType, ...]] = ("acme", "ca", "vault", "selfSigned", "venafi")
"""In the order in which the type of an issuer is found."""


@dataclass(frozen=True, slots=True)
class Issuer(View):
    """A view of an Issuer or ClusterIssuer; reads `object` and never changes it."""

    @property
    def is_cluster_issuer(self) -> bool:
        """Whether it serves all namespaces."""
        return self.object.get("kind") == known.CLUSTER_ISSUER_KIND

    @property
    def type(self) -> IssuerType:
        """Which kind of issuer it is: the first that is configured.

        Raises:
            InvalidError: None is; the text is cert-manager's.

        Source: cert-manager v1.12.2 pkg/api/util/issuers.go `NameForIssuer`.
        """
        for candidate in _TYPES:
            if self.spec.get(candidate) is not None:
                return candidate
        raise InvalidError(f"no issuer specified for Issuer '{self.namespace}/{self.name}'")

    @property
    def ca_secret_name(self) -> str:
        """`spec.ca.secretName`, or empty."""
        return str(mapping_at(self.spec, "ca").get("secretName") or "")

    @property
    def crl_distribution_points(self) -> tuple[str, ...]:
        """`crlDistributionPoints` of the CA or self-signed issuer."""
        return self._own_texts("crlDistributionPoints")

    @property
    def ocsp_servers(self) -> tuple[str, ...]:
        """`spec.ca.ocspServers`."""
        return self._own_texts("ocspServers")

    @property
    def issuing_certificate_urls(self) -> tuple[str, ...]:
        """`spec.ca.issuingCertificateURLs`, of later versions."""
        return self._own_texts("issuingCertificateURLs")

    def _own_texts(self, field: str) -> tuple[str, ...]:
        for candidate in ("ca", "selfSigned"):
            config = self.spec.get(candidate)
            if isinstance(config, Mapping):
                return tuple(str(text) for text in config.get(field) or ())
        return ()
