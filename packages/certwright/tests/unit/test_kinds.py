"""Kinds and keys."""

from __future__ import annotations

from certwright.resources.kinds import CLUSTER_ISSUER, KINDS, SECRET


def test_a_cluster_wide_key_has_no_namespace() -> None:
    """Whoever asks for a ClusterIssuer in a namespace means the one ClusterIssuer."""
    key = CLUSTER_ISSUER.key("default", "ca")

    assert key.namespace == ""
    assert str(key) == "ClusterIssuer ca"


def test_api_versions_are_written_as_kubernetes_does() -> None:
    """The core group has no name before the version."""
    assert SECRET.api_version == "v1"
    assert CLUSTER_ISSUER.api_version == "cert-manager.io/v1"


def test_every_kind_is_listed_once() -> None:
    """A kind is found by group and name."""
    assert len({(kind.group, kind.name) for kind in KINDS}) == len(KINDS)
