"""The flags that decide: what planners are told besides the objects.

Source: reference cert-manager.md 8.6.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from certwright.policy.renewal import RenewalRule
from certwright.resources import known
from certwright.resources.features import ACME_USE_ARI, FeatureGates

__all__ = ["AcmeOptions", "Options", "ShimOptions", "TrustOptions"]


@dataclass(frozen=True, slots=True)
class ShimOptions:
    """Settings of ingress-shim and gateway-shim; the flags have their names."""

    default_issuer_name: str = ""
    default_issuer_kind: str = known.ISSUER_KIND_NAME
    default_issuer_group: str = known.GROUP
    auto_certificate_annotations: tuple[str, ...] = ("kubernetes.io/tls-acme",)
    """What asks for the default issuer by being true, on an Ingress."""
    extra_certificate_annotations: tuple[str, ...] = ()
    """What a Certificate gets too. Of a later version (1.18)."""


@dataclass(frozen=True, slots=True)
class TrustOptions:
    """Settings of trust bundles."""

    enabled: bool = False
    """--enable-trust-bundles."""
    namespace: str = "cert-manager"
    """--trust-namespace: where sources are."""
    default_ca_pem: bytes = b""
    """What --trust-default-ca-file holds: the source useDefaultCAs."""
    is_folder: bool = False
    """There are no namespaces: the target is beside the sources."""


@dataclass(frozen=True, slots=True)
class AcmeOptions:
    """Settings of ACME; the comment names the flag."""

    solver_image: str = "quay.io/jetstack/cert-manager-acmesolver:v1.12.2"
    """--acme-http01-solver-image."""
    solver_command: tuple[str, ...] = ()
    """--acme-http01-solver-command; empty: what the image runs by itself."""
    solver_request_cpu: str = "10m"
    solver_request_memory: str = "64Mi"
    solver_limit_cpu: str = "100m"
    solver_limit_memory: str = "64Mi"
    """--acme-http01-solver-resource-..."""
    solver_run_as_non_root: bool = True
    """--acme-http01-solver-run-as-non-root."""
    http01_nameservers: tuple[str, ...] = ()
    """--acme-http01-solver-nameservers."""
    http01_passes: int = 5
    """Successful self-checks in a row before the CA is asked."""
    http01_port: int = 80
    """Where the self-check goes."""
    http01_in_process: bool = False
    """Answer HTTP-01 by this process's own means: there is no cluster."""
    dns01_nameservers: tuple[str, ...] = ()
    """--dns01-recursive-nameservers."""
    dns01_recursive_only: bool = False
    """--dns01-recursive-nameservers-only."""
    dns01_wait_seconds: float = 60.0
    """How long after a TXT record was seen the CA is asked: caches elsewhere."""
    check_seconds: float = 10.0
    """--dns01-check-retry-period: between two self-checks."""
    self_check: bool = True
    """--acme-self-check: whether the answer must be seen from here before the CA is asked."""
    cluster_issuer_ambient: bool = True
    """--cluster-issuer-ambient-credentials."""
    issuer_ambient: bool = False
    """--issuer-ambient-credentials."""
    challenges_max: int = 60
    """--max-concurrent-challenges."""


@dataclass(frozen=True, slots=True)
class Options:
    """Settings that change a decision."""

    cluster_resource_namespace: str = "kube-system"
    """--cluster-resource-namespace: where the Secrets of ClusterIssuers are."""
    namespace: str = ""
    """--namespace: the only one that is looked at, without ClusterIssuers; empty for all."""
    enable_certificate_owner_ref: bool = False
    """--enable-certificate-owner-ref: whether a Secret goes when its Certificate is deleted."""
    copied_annotation_prefixes: tuple[str, ...] = (
        "*",
        "-kubectl.kubernetes.io/",
        "-fluxcd.io/",
        "-argocd.argoproj.io/",
    )
    """--copied-annotation-prefixes: which annotations of a Certificate its requests get."""
    gates: FeatureGates = field(default_factory=FeatureGates)
    """--feature-gates."""
    renewal_spread: float = 0.0
    """--renewal-spread: certificates are renewed earlier by up to this part of the time left."""
    acme: AcmeOptions = field(default_factory=AcmeOptions)
    shim: ShimOptions = field(default_factory=ShimOptions)
    trust: TrustOptions = field(default_factory=TrustOptions)

    @property
    def renewal_rule(self) -> RenewalRule:
        """When certificates are renewed."""
        return RenewalRule(self.renewal_spread, ACME_USE_ARI in self.gates)
