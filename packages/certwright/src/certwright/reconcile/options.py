"""The flags that decide: what planners are told besides the objects.

Source: reference cert-manager.md 8.6.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from certwright.resources.features import FeatureGates

__all__ = ["Options"]


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
