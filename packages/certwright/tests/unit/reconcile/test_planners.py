"""Rows of the loops' tables that no whole life shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from certwright.pki.keys import encode_private_key_pkcs8, generate_private_key
from certwright.reconcile.certificate_metrics import certificate_samples
from certwright.reconcile.contract import Create, Delete, Expect, Plan, Sources, UpdateStatus
from certwright.reconcile.controllers import all_controllers
from certwright.reconcile.gather import CertificateState
from certwright.reconcile.key_manager import plan_key
from certwright.reconcile.names import key_secret_names, request_names
from certwright.reconcile.options import Options
from certwright.reconcile.request_manager import copied_annotations
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CLUSTER_ISSUER,
    ISSUER,
    Manifest,
)
from certwright.resources.secret import Secret
from certwright_testing.objects import certificate, issuer, secret
from certwright_testing.stories import ecdsa_only
from certwright_testing.world import START, World

WEB = CERTIFICATE.key("one", "web")
SOURCES = Sources(START, ecdsa_only, lambda: 1)
KEY = {"algorithm": "ECDSA"}
SPEC: Manifest = {
    "secretName": "tls",
    "dnsNames": ["a.example"],
    "issuerRef": {"name": "ca"},
    "privateKey": KEY,
}


def state(*names: str, issuing: bool = True, named: str = "", **spec: Any) -> CertificateState:
    """Return a Certificate and Secrets of these names with good keys."""
    obj = certificate(spec={**SPEC, **spec}, uid="u", resourceVersion="1")
    status = "True" if issuing else "False"
    obj["status"] = {"conditions": [{"type": "Issuing", "status": status}]}
    if named:
        obj["status"]["nextPrivateKeySecretName"] = named
    pem = encode_private_key_pkcs8(generate_private_key("ECDSA", 256))
    secrets = [secret(name, data={"tls.key": pem}, uid=f"uid-{name}") for name in names]
    return CertificateState(Certificate(obj), key_secrets=tuple(map(Secret, secrets)))


def shape(plan: Plan) -> list[tuple[str, str]]:
    """Return what a plan does, in one word each, and to what."""
    found: list[tuple[str, str]] = []
    for action in plan.actions:
        if isinstance(action, UpdateStatus):
            name = action.object["status"].get("nextPrivateKeySecretName", "")
            found.append(("status", name))
        elif isinstance(action, Expect):
            found.append(("expect", action.key.name))
        elif isinstance(action, Delete):
            found.append(("delete", action.key.name))
        elif isinstance(action, Create):
            found.append(("create", action.object["metadata"]["name"]))
    return found


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (state(issuing=False), []),
        (state("a", issuing=False, named="a"), [("status", ""), ("delete", "a")]),
        (state("a", issuing=False), [("expect", "web"), ("delete", "a")]),
        (state("a"), [("status", "a")]),
        (state("a", named="a"), []),
        (state("a", named="b"), [("expect", "web"), ("delete", "a")]),
        (state("a", "b", named="b"), [("expect", "web"), ("delete", "a")]),
        (state("a", "b"), [("expect", "web"), ("delete", "a"), ("delete", "b")]),
        (
            state("a", named="a", privateKey={"algorithm": "ECDSA", "size": 384}),
            [("expect", "web"), ("delete", "a")],
        ),
    ],
)
def test_one_key_is_kept_and_named(seen: CertificateState, expected: list[tuple[str, str]]) -> None:
    """Before a deletion the Certificate must be as it was seen."""
    assert shape(plan_key(seen, SOURCES, options=Options())) == expected


def test_names_look_like_generated_ones_and_follow_from_the_decision() -> None:
    """The same decision, the same name; another key or revision, another name."""
    cert = Certificate(certificate("web", spec=SPEC, uid="u"))
    other = Certificate(certificate("web", spec=SPEC, uid="v"))
    first, second = (generate_private_key("ECDSA", 256).public_key() for _ in range(2))

    names = [
        next(request_names(cert, 1, first)),
        next(request_names(cert, 2, first)),
        next(request_names(cert, 1, second)),
        next(request_names(other, 1, first)),
        next(key_secret_names(cert, 1)),
        next(key_secret_names(cert, 2)),
        next(key_secret_names(other, 1)),
    ]
    assert len(set(names)) == len(names)
    assert next(request_names(cert, 1, first)) == names[0]
    for name in names:
        prefix, _, suffix = name.rpartition("-")
        assert prefix == "web"
        assert len(suffix) == 5
        assert set(suffix) <= set("bcdfghjklmnpqrstvwxz2456789")


@pytest.mark.parametrize("length", [1, 51, 52, 53, 56, 57, 58, 59, 63, 64, 252, 253])
def test_long_names_are_cut_where_an_api_server_cuts_them(length: int) -> None:
    """A name that it makes of `generateName` is a DNS label: 58 characters and five more."""
    cert = Certificate(certificate("a" * length, spec=SPEC, uid="u"))
    key = generate_private_key("ECDSA", 256).public_key()

    assert next(request_names(cert, 1, key))[:-5] == f"{'a' * min(length, 52)}-"
    assert next(key_secret_names(cert, 1))[:-5] == f"{'a' * length}-"[:58]


@pytest.mark.parametrize(
    ("prefixes", "expected"),
    [
        (Options().copied_annotation_prefixes, {"a/x", "b/y"}),
        (("*",), {"a/x", "b/y", "kubectl.kubernetes.io/z"}),
        (("a/",), {"a/x"}),
        (("*", "-a/"), {"b/y", "kubectl.kubernetes.io/z"}),
        (("-a/", "*"), {"a/x", "b/y", "kubectl.kubernetes.io/z"}),
        ((), set()),
    ],
)
def test_annotations_are_copied_by_prefix(prefixes: tuple[str, ...], expected: set[str]) -> None:
    """The order of the prefixes counts, as in the original."""
    annotations = dict.fromkeys(("a/x", "b/y", "kubectl.kubernetes.io/z"), "1")

    assert set(copied_annotations(annotations, prefixes)) == expected


async def test_what_is_unset_stays_unset_in_the_request() -> None:
    """Durations are written as Go writes them; labels and annotations come along."""
    world = World(private_key=ecdsa_only)
    spec = {**SPEC, "duration": "3600h", "usages": ["server auth"], "isCA": True}
    await world.apply(
        certificate("plain", spec=SPEC),
        certificate("full", spec=spec, labels={"l": "1"}, annotations={"a": "1"}),
    )
    await world.settle()

    full, plain = world.all(CERTIFICATE_REQUEST)
    requester = {"username", "uid", "groups"}  # the webhook's
    assert set(plain["spec"]) - requester == {"issuerRef", "request"}
    assert "labels" not in plain["metadata"]
    assert full["spec"]["duration"] == "3600h0m0s"
    assert full["spec"]["usages"] == ["server auth"]
    assert full["spec"]["isCA"] is True
    assert full["metadata"]["labels"] == {"l": "1"}
    assert full["metadata"]["annotations"]["a"] == "1"
    assert full["metadata"]["generateName"] == "full-"


async def test_stable_names_behind_their_gate() -> None:
    """The name is the Certificate's and the revision."""
    gates = FeatureGates(frozenset({"StableCertificateRequestName"}))
    world = World(Options(gates=gates), private_key=ecdsa_only)
    await world.apply(certificate(spec=SPEC))
    await world.settle()

    metadata = world.all(CERTIFICATE_REQUEST)[0]["metadata"]
    assert metadata["name"] == "web-1"
    assert "generateName" not in metadata


@pytest.mark.parametrize(
    ("ref", "issuers", "event", "message"),
    [
        (
            {"name": "x"},
            [],
            "IssuerNotFound",
            'Referenced "Issuer" not found: issuer.cert-manager.io "x" not found',
        ),
        (
            {"name": "x", "kind": "ClusterIssuer"},
            [],
            "IssuerNotFound",
            'Referenced "ClusterIssuer" not found: clusterissuer.cert-manager.io "x" not found',
        ),
        (
            {"name": "ca"},
            [{**issuer(), "spec": {}}],
            "IssuerTypeMissing",
            "Missing issuer type: no issuer specified for Issuer 'one/ca'",
        ),
        (
            {"name": "ca"},
            [{**issuer(), "spec": {"ca": {"secretName": "nowhere"}}}],
            "IssuerNotReady",
            "Referenced issuer does not have a Ready status condition",
        ),
    ],
)
async def test_requests_wait_for_their_issuer(
    ref: Manifest, issuers: list[Manifest], event: str, message: str
) -> None:
    """The condition says Pending, the event has the word."""
    world = World(private_key=ecdsa_only)
    await world.apply(*issuers, certificate(spec={**SPEC, "issuerRef": ref}))
    await world.settle()

    ready = get_condition(world.all(CERTIFICATE_REQUEST)[0], "Ready")
    assert ready is not None
    assert (ready.status, ready.reason, ready.message) == ("False", "Pending", message)
    assert message in world.said(event)


async def test_a_request_waits_until_it_is_approved() -> None:
    """Without the approver it is somebody else's decision; denial has its own words."""
    loops = tuple(
        loop for loop in all_controllers(Options()) if loop.name != "certificaterequests-approver"
    )
    world = World(private_key=ecdsa_only, controllers=loops)
    await world.apply(issuer(), certificate(spec=SPEC))
    await world.settle()
    request = world.all(CERTIFICATE_REQUEST)[0]

    assert "status" not in request or "conditions" not in request["status"]
    assert set(world.said("WaitingForApproval")) == {
        "Not signing CertificateRequest until it is Approved"
    }
    denial = {"type": "Denied", "status": "True", "reason": "Policy", "message": "no"}
    request["status"] = {"conditions": [denial]}
    await world.store.update_status(request, manager="approver")
    await world.settle()
    denied = get_condition(world.all(CERTIFICATE_REQUEST)[0], "Ready")
    assert denied is not None
    assert (denied.reason, denied.message) == (
        "Denied",
        "The CertificateRequest was denied by an approval controller",
    )
    assert world.all(CERTIFICATE_REQUEST)[0]["status"]["failureTime"] == "2023-06-02T10:00:00Z"


async def test_a_cluster_issuer_finds_its_secret_where_the_flag_says() -> None:
    """And serves every namespace, once its Secret is there."""
    world = World(Options(cluster_resource_namespace="cm"), private_key=ecdsa_only)
    shared = {**issuer("shared"), "kind": "ClusterIssuer", "spec": {"ca": {"secretName": "root"}}}
    del shared["metadata"]["namespace"]
    ref = {"name": "shared", "kind": "ClusterIssuer"}
    root = {**SPEC, "secretName": "root", "isCA": True, "commonName": "root"}
    await world.apply(shared, certificate(spec={**SPEC, "issuerRef": ref}))
    await world.settle()
    not_ready = get_condition(world.all(CLUSTER_ISSUER)[0], "Ready")
    assert not_ready is not None
    assert not_ready.reason == "ErrGetKeyPair"

    await world.apply(issuer("ca", "cm"), certificate("root", "cm", spec=root))
    await world.settle()

    ready = get_condition(world.all(CLUSTER_ISSUER)[0], "Ready")
    assert ready is not None
    assert (ready.status, ready.reason, ready.message) == (
        "True",
        "KeyPairVerified",
        "Signing CA verified",
    )
    web = next(obj for obj in world.all(CERTIFICATE_REQUEST) if "web" in obj["metadata"]["name"])
    assert web["status"]["certificate"]


def test_one_namespace_has_no_cluster_issuers() -> None:
    """With --namespace nothing outside of it is read."""
    loops = all_controllers(Options(namespace="one"))

    assert "clusterissuers" not in {loop.name for loop in loops}
    kinds = {wake.kind for loop in loops for wake in loop.wakes}
    kinds |= {index.kind for loop in loops for index in loop.indexes}
    assert CLUSTER_ISSUER not in kinds
    assert ISSUER in kinds


def test_loops_are_named_as_the_original_names_them() -> None:
    """Queues, metrics, field managers and --controllers use these names."""
    assert {loop.component for loop in all_controllers(Options())} == {
        "issuers",
        "clusterissuers",
        "certificates-metrics",
        "certificaterequests-approver",
        "certificaterequests-issuer-acme",
        "certificaterequests-issuer-ca",
        "certificaterequests-issuer-selfsigned",
        "certificaterequests-issuer-vault",
        "certificaterequests-issuer-venafi",
        "certificates-trigger",
        "certificates-issuing",
        "certificates-key-manager",
        "certificates-request-manager",
        "certificates-readiness",
        "certificates-revision-manager",
        "ingress-shim",
        "orders",
        "challenges",
    }


def test_gauges_hold_what_the_spec_says() -> None:
    """Labels without defaults; no Ready condition is Unknown, no date is 0."""
    obj = certificate(spec={**SPEC, "issuerRef": {"name": "ca"}})
    samples = {(s.name, s.labels): s.value for s in certificate_samples(Certificate(obj))}
    name = (("name", "web"), ("namespace", "one"))
    issued_by = (("issuer_name", "ca"), ("issuer_kind", ""), ("issuer_group", ""))

    assert samples[("certmanager_certificate_expiration_timestamp_seconds", name + issued_by)] == 0
    for condition, value in (("True", 0), ("False", 0), ("Unknown", 1)):
        labels = (*name, ("condition", condition), *issued_by)
        assert samples[("certmanager_certificate_ready_status", labels)] == value

    obj["status"] = {
        "renewalTime": "1970-01-01T00:01:00Z",
        "notAfter": "1970-01-01T00:02:00Z",
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    values = [sample.value for sample in certificate_samples(Certificate(obj))]
    assert values == [120, 60, 1, 0, 0, 0]


async def test_a_certificate_that_is_not_renewed_is_an_alarm() -> None:
    """When half of the time is over: a gauge, and an event that says why; both end with it."""
    world = World(private_key=ecdsa_only)
    await world.apply(issuer(), certificate(spec=SPEC))
    await world.settle()
    await world.store.delete(ISSUER.key("one", "ca"))

    def is_late() -> float:
        (value,) = [
            sample.value
            for sample in world.gauges[WEB]
            if sample.name == "certwright_certificate_renewal_late"
        ]
        return value

    await world.advance(timedelta(days=74))
    assert is_late() == 0.0
    assert not world.said("RenewalLate")
    await world.advance(timedelta(days=2))
    assert is_late() == 1.0
    assert world.said("RenewalLate")[0] == (
        "The certificate ends at 2023-08-31T10:00:00Z, to be renewed since 2023-08-01T10:00:00Z: "
        "Renewing certificate as renewal was scheduled at 2023-08-01 10:00:00 +0000 UTC"
    )
    await world.apply(issuer())
    await world.advance(timedelta(hours=1))
    assert is_late() == 0.0


async def test_readiness_ends_with_the_certificate_even_if_nothing_happens() -> None:
    """Without an issuer to renew from, Ready turns False just after the last second."""
    world = World(private_key=ecdsa_only)
    await world.apply(issuer(), certificate(spec=SPEC))
    await world.settle()
    await world.store.delete(ISSUER.key("one", "ca"))
    await world.advance(timedelta(days=90))
    assert get_condition(world.all(CERTIFICATE_REQUEST)[0], "Ready") is not None
    expired = "Certificate expired on Thu, 31 Aug 2023 10:00:00 UTC"
    before = await world.got(WEB)
    await world.advance(timedelta(seconds=2))
    after = get_condition(await world.got(WEB), "Ready")

    ready = get_condition(before, "Ready")
    assert ready is not None
    assert ready.is_true
    assert after is not None
    assert (after.status, after.reason, after.message) == ("False", "Expired", expired)
