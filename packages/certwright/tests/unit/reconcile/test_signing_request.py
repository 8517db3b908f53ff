"""Kubernetes' CertificateSigningRequests, each row of what may become of one."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from certwright.pki.certificates import decode_certificates
from certwright.pki.csr import generate_csr
from certwright.pki.keys import encode_private_key_pkcs8, generate_private_key
from certwright.reconcile.controllers import all_controllers
from certwright.reconcile.options import Options
from certwright.reconcile.signing_request import signer_key
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import (
    CERTIFICATE_SIGNING_REQUEST,
    CLUSTER_ISSUER,
    ISSUER,
    Manifest,
)
from certwright_testing.objects import certificate, issuer, secret
from certwright_testing.stories import ecdsa_only
from certwright_testing.world import World

GATES = FeatureGates(frozenset({"ExperimentalCertificateSigningRequestControllers"}))
OPTIONS = Options(gates=GATES)
CSR = CERTIFICATE_SIGNING_REQUEST.key("", "csr")
KEY = {"privateKey": {"algorithm": "ECDSA"}}
ROOT = {
    "secretName": "root",
    "isCA": True,
    "commonName": "root",
    "issuerRef": {"name": "ca"},
    **KEY,
}


def signing_request(signer: str, pem: bytes | None = None, **annotations: str) -> Manifest:
    """Return a request for a server certificate."""
    if pem is None:
        wanted = Certificate(
            certificate(spec={"dnsNames": ["a.example"], "privateKey": {"algorithm": "ECDSA"}})
        )
        pem = generate_csr(wanted, generate_private_key("ECDSA", 256), GATES)
    return {
        "apiVersion": CERTIFICATE_SIGNING_REQUEST.api_version,
        "kind": CERTIFICATE_SIGNING_REQUEST.name,
        "metadata": {
            "name": "csr",
            "annotations": {
                f"experimental.cert-manager.io/{name.replace('_', '-')}": value
                for name, value in annotations.items()
            },
        },
        "spec": {
            "signerName": signer,
            "request": base64.b64encode(pem).decode(),
            "usages": ["digital signature", "server auth"],
            "username": "jane",
            "groups": ["dev"],
            "uid": "7",
        },
        "status": {
            "conditions": [
                {"type": "Approved", "status": "True", "reason": "Test", "message": "yes"}
            ]
        },
    }


async def world_with(*objects: Manifest, **fields: Any) -> World:
    """Return a settled world with a CA issuer `one/leaves` and these objects."""
    world = World(OPTIONS, private_key=ecdsa_only, **fields)
    leaves = {**issuer("leaves"), "spec": {"ca": {"secretName": "root"}}}
    await world.apply(issuer(), certificate("root", spec=ROOT), leaves)
    await world.settle()
    await world.apply(*objects)
    await world.settle()
    return world


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("issuers.cert-manager.io/one.leaves", ISSUER.key("one", "leaves")),
        ("issuers.cert-manager.io/one.a.b", ISSUER.key("one", "a.b")),
        ("issuers.cert-manager.io/foo", ISSUER.key("", "foo")),
        ("clusterissuers.cert-manager.io/a.b", CLUSTER_ISSUER.key("", "a.b")),
        ("kubernetes.io/kube-apiserver-client", None),
        ("issuers.cert-manager.io/", None),
    ],
)
def test_signer_names_are_read(name: str, expected: Any) -> None:
    """The namespace ends at the first dot."""
    assert signer_key({"spec": {"signerName": name}}) == expected


async def test_a_request_is_signed_by_the_ca() -> None:
    """Usages, names and the life asked for come out in the certificate."""
    world = await world_with(
        signing_request("issuers.cert-manager.io/one.leaves", request_duration="1h")
    )

    answer = (await world.got(CSR))["status"]["certificate"]
    leaf = decode_certificates(base64.b64decode(answer))[0]
    assert leaf.names.dns == ("a.example",)
    assert (leaf.not_after - leaf.not_before).total_seconds() == 3600
    assert leaf.extended_key_usages == ("1.3.6.1.5.5.7.3.1",)
    assert world.said("CertificateIssued")[-1] == "Certificate fetched from issuer successfully"


async def test_a_request_is_signed_by_itself() -> None:
    """The key is found in the issuer's namespace, by annotation."""
    key = generate_private_key("ECDSA", 256)
    wanted = Certificate(
        certificate(spec={"commonName": "me", "privateKey": {"algorithm": "ECDSA"}})
    )
    world = await world_with(
        signing_request(
            "issuers.cert-manager.io/one.ca",
            generate_csr(wanted, key, GATES),
            private_key_secret_name="mine",
            request_is_ca="true",
        )
    )
    assert world.said("SecretNotFound") == ["Referenced Secret one/mine not found"]
    await world.apply(secret("mine", data={"tls.key": encode_private_key_pkcs8(key)}))
    await world.settle()
    assert world.said("CertificateIssued")[-1] == "Certificate self signed successfully"

    answer = (await world.got(CSR))["status"]["certificate"]
    leaf = decode_certificates(base64.b64decode(answer))[0]
    assert leaf.is_ca
    assert leaf.subject.common_name == "me"


@pytest.mark.parametrize(
    ("request_fields", "reason", "message"),
    [
        (
            {"request_duration": "5m"},
            "InvalidDuration",
            "CertificateSigningRequest minimum allowed duration is 10m0s, requested 5m0s",
        ),
        (
            {"request_duration": "1d"},
            "ErrorParseDuration",
            (
                "Failed to parse requested duration: failed to parse requested duration on"
                ' annotation "experimental.cert-manager.io/request-duration": time: unknown unit'
                ' "d" in duration "1d"'
            ),
        ),
    ],
)
async def test_bad_lives_fail(request_fields: dict[str, str], reason: str, message: str) -> None:
    """It is a Failed condition and an event, and stays so."""
    world = await world_with(
        signing_request("issuers.cert-manager.io/one.leaves", **request_fields)
    )

    failed = get_condition(await world.got(CSR), "Failed")
    assert failed is not None
    assert (failed.reason, failed.message) == (reason, message)
    assert world.said(reason) == [message]


async def test_a_self_signed_request_names_its_key() -> None:
    """Without the annotation there is nothing to sign with."""
    world = await world_with(signing_request("issuers.cert-manager.io/one.ca"))

    failed = get_condition(await world.got(CSR), "Failed")
    assert failed is not None
    assert failed.reason == "MissingAnnotation"


async def test_who_may_not_use_an_issuer_is_told_so() -> None:
    """The store is asked for the one signer and for all of the namespace."""
    asked: list[Manifest] = []

    def refuse(spec: Manifest) -> bool:
        asked.append(spec)
        return False

    world = await world_with(
        signing_request("issuers.cert-manager.io/one.leaves"), is_trusted=refuse
    )

    message = "Requester may not reference Namespaced Issuer one/leaves"
    failed = get_condition(await world.got(CSR), "Failed")
    assert failed is not None
    assert (failed.reason, failed.message) == ("DeniedReference", message)
    assert [spec["resourceAttributes"]["name"] for spec in asked] == ["leaves", "*"]
    assert asked[0]["user"] == "jane"


@pytest.mark.parametrize(
    ("signer", "reason", "message"),
    [
        ("issuers.cert-manager.io/one.x", "IssuerNotFound", "Referenced Issuer one/x not found"),
        (
            "issuers.cert-manager.io/one.empty",
            "IssuerTypeMissing",
            "Referenced Issuer one/empty is missing type",
        ),
        (
            "issuers.cert-manager.io/one.late",
            "IssuerNotReady",
            "Referenced Issuer one/late does not have a Ready status condition",
        ),
    ],
)
async def test_obstacles_are_events(signer: str, reason: str, message: str) -> None:
    """They may pass; the request stays open."""
    world = await world_with(
        {**issuer("empty"), "spec": {}},
        {**issuer("late"), "spec": {"ca": {"secretName": "nowhere"}}},
        signing_request(signer),
    )

    assert message in world.said(reason)
    assert get_condition(await world.got(CSR), "Failed") is None


async def test_nothing_is_done_before_approval_or_for_others() -> None:
    """Approval comes from the cluster's administrators."""
    waiting = signing_request("issuers.cert-manager.io/one.leaves")
    waiting["status"] = {"conditions": []}
    world = await world_with(waiting)

    assert world.said("WaitingApproval") == ["Waiting for the Approved condition before issuing"]
    assert "certificate" not in (await world.got(CSR)).get("status", {})


def test_the_loops_are_there_only_behind_their_gate() -> None:
    """Five loops more."""
    names = {controller.name for controller in all_controllers(OPTIONS)}
    assert names - {controller.name for controller in all_controllers(Options())} == {
        f"certificatesigningrequests-issuer-{kind}"
        for kind in ("acme", "ca", "selfsigned", "vault", "venafi")
    }


async def test_a_foreign_key_is_refused_in_the_originals_words() -> None:
    """They differ from those for a CertificateRequest."""
    world = await world_with(
        signing_request("issuers.cert-manager.io/one.ca", private_key_secret_name="mine"),
        secret(
            "mine",
            data={"tls.key": encode_private_key_pkcs8(generate_private_key("ECDSA", 256))},
        ),
    )

    failed = get_condition(await world.got(CSR), "Failed")
    assert failed is not None
    assert (failed.reason, failed.message) == (
        "ErrorKeyMatch",
        "Referenced private key in Secret does not match that in the request",
    )
