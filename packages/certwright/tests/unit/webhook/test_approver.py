"""Who may approve: discovery and access reviews, and what is remembered of them."""

from __future__ import annotations

from typing import Any

import pytest

from certwright.adapters.webhook.approver import ClusterApprover
from certwright.admission.identity import UserInfo
from certwright.errors import NotFoundError, UnavailableError
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.kinds import Manifest

ALICE = UserInfo(username="alice", groups=("dev",))


class Cluster:
    """Answers from tables, and counts what it is asked."""

    def __init__(self, *allowed: str) -> None:
        self.allowed = set(allowed)
        self.asked: list[str] = []
        self.away = False

    async def ask(self, path: str, /) -> Manifest:
        """Answer discovery."""
        self.asked.append(path)
        if self.away:
            raise UnavailableError("away")
        found: dict[str, Manifest] = {
            "/apis/cert-manager.io": {"versions": [{"groupVersion": "cert-manager.io/v1"}]},
            "/apis/cert-manager.io/v1": {
                "resources": [
                    {"name": "issuers/status", "kind": "Issuer", "namespaced": True},
                    {"name": "issuers", "kind": "Issuer", "namespaced": True},
                    {"name": "clusterissuers", "kind": "ClusterIssuer", "namespaced": False},
                ]
            },
        }
        if path not in found:
            raise NotFoundError(path)
        return found[path]

    async def create(self, obj: Manifest, /, *, manager: str, dry_run: bool = False) -> Manifest:
        """Answer an access review."""
        name = obj["spec"]["resourceAttributes"]["name"]
        self.asked.append(name)
        return obj | {"status": {"allowed": name in self.allowed}}


class Seconds:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def request(**ref: str) -> CertificateRequest:
    """Return a request for an issuer."""
    spec: dict[str, Any] = {"issuerRef": {"name": "ca"} | ref}
    return CertificateRequest({"metadata": {"name": "r", "namespace": "one"}, "spec": spec})


@pytest.mark.parametrize(
    ("allowed", "ref"),
    [
        pytest.param("issuers.cert-manager.io/*", {}, id="all issuers"),
        pytest.param("issuers.cert-manager.io/one.ca", {}, id="this issuer"),
        pytest.param(
            "clusterissuers.cert-manager.io/ca", {"kind": "ClusterIssuer"}, id="a cluster issuer"
        ),
    ],
)
async def test_who_has_the_role_may_approve(allowed: str, ref: dict[str, str]) -> None:
    """By either name of the signer."""
    assert await ClusterApprover(Cluster(allowed)).refusal(request(**ref), ALICE) is None


async def test_who_has_not_is_refused_by_name() -> None:
    """The message names user and issuer."""
    approver = ClusterApprover(Cluster("issuers.cert-manager.io/two.ca"))
    refusal = await approver.refusal(request(), ALICE)

    assert str(refusal) == (
        'status.conditions: Forbidden: user "alice" does not have permissions to set'
        " approved/denied conditions for issuer {ca  }"
    )


@pytest.mark.parametrize(
    "ref",
    [
        pytest.param({"group": "nobody.example", "kind": "X"}, id="no such group"),
        pytest.param({"kind": "X"}, id="no such kind"),
        pytest.param({"group": "../version", "kind": "X"}, id="a group that is a path"),
    ],
)
async def test_an_issuer_that_is_no_kind_is_refused(ref: dict[str, str]) -> None:
    """Nothing but groups is looked up."""
    cluster = Cluster()
    refusal = await ClusterApprover(cluster).refusal(request(**ref), ALICE)

    assert "spec.issuerRef: Forbidden: referenced signer resource does not exist: {ca " in str(
        refusal
    )
    assert all(".." not in path for path in cluster.asked if path.count("/") > 2)


async def test_answers_are_remembered_for_a_second_and_kinds_for_good() -> None:
    """A change of roles counts at once, as people expect."""
    cluster, seconds = Cluster(), Seconds()
    approver = ClusterApprover(cluster, seconds=seconds)
    await approver.refusal(request(), ALICE)
    first = list(cluster.asked)
    await approver.refusal(request(), ALICE)
    assert first == cluster.asked

    cluster.allowed.add("issuers.cert-manager.io/*")
    assert await approver.refusal(request(), ALICE) is not None
    seconds.now = 1.0
    assert await approver.refusal(request(), ALICE) is None
    assert cluster.asked[len(first) :] == ["issuers.cert-manager.io/*"]


async def test_an_answer_is_about_one_user() -> None:
    """Another user is another question."""
    cluster = Cluster()
    approver = ClusterApprover(cluster)
    await approver.refusal(request(), ALICE)
    await approver.refusal(request(), UserInfo(username="bob"))

    assert cluster.asked.count("issuers.cert-manager.io/*") == 2


async def test_a_cluster_that_is_away_is_no_refusal_and_no_approval() -> None:
    """The caller says so."""
    cluster = Cluster()
    cluster.away = True
    with pytest.raises(UnavailableError):
        await ClusterApprover(cluster).refusal(request(), ALICE)
