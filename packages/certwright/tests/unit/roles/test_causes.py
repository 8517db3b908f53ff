"""One line that names the cause, however long the chain to it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from certwright.resources.kinds import CHALLENGE, ORDER, Key, Manifest
from certwright.resources.meta import key_of
from certwright.roles.ctl.causes import cause_of
from certwright_testing.objects import certificate, issuer
from certwright_testing.world import START


def condition(kind: str, status: str, message: str = "") -> dict[str, str]:
    """Return one condition."""
    return {"type": kind, "status": status, "reason": "R", "message": message}


def with_status(obj: Manifest, *conditions: dict[str, str], **fields: Any) -> Manifest:
    """Return the object with a status."""
    return {**obj, "status": {"conditions": list(conditions), **fields}}


def waiting(name: str = "web", issuer_name: str = "ca", **spec: Any) -> Manifest:
    """Return a Certificate that is being issued for the first time."""
    obj = certificate(
        name, spec={"secretName": name, "issuerRef": {"name": issuer_name}, **spec}, uid=f"u-{name}"
    )
    message = "Issuing certificate as Secret does not exist"
    return with_status(obj, condition("Ready", "False", message), condition("Issuing", "True"))


def owned(kind: str, name: str, owner: Manifest, **fields: Any) -> Manifest:
    """Return an object that another one owns."""
    group = "acme.cert-manager.io/v1" if kind in {"Order", "Challenge"} else "cert-manager.io/v1"
    metadata = owner["metadata"]
    reference = {"kind": owner["kind"], "uid": metadata["uid"], "name": metadata["name"]}
    return {
        "apiVersion": group,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "one",
            "uid": f"u-{name}",
            "annotations": {"cert-manager.io/certificate-revision": "1"},
            "ownerReferences": [{"apiVersion": "x/v1", "controller": True, **reference}],
        },
        **fields,
    }


def warning(about: Manifest, message: str) -> Manifest:
    """Return a Warning event."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"e-{message[:3]}", "namespace": "one"},
        "involvedObject": {"uid": about["metadata"]["uid"]},
        "type": "Warning",
        "lastTimestamp": "2023-06-02T10:00:00Z",
        "message": message,
    }


def cause(obj: Manifest, *others: Manifest) -> str:
    """Return the cause among these objects."""
    objects: dict[Key, Manifest] = {key_of(found): found for found in (obj, *others)}
    return cause_of(obj, objects, START)


READY_ISSUER = with_status(issuer("ca"), condition("Ready", "True"))


def test_what_is_ready_has_no_cause() -> None:
    """Also while its next certificate is being made without trouble."""
    obj = with_status(certificate(), condition("Ready", "True"))
    assert cause(obj) == ""


def test_a_missing_issuer_is_named_with_those_there_are() -> None:
    """Not the Secret, which is only what follows."""
    other = with_status(issuer("company-ca"), condition("Ready", "True"))

    assert cause(waiting(), other) == "Issuer one/ca does not exist; there is: company-ca"


def test_a_ca_that_another_certificate_makes_leads_to_that_one() -> None:
    """And on to its own issuer."""
    not_ready = with_status(
        {**issuer("ca"), "spec": {"ca": {"secretName": "root"}}},
        condition("Ready", "False", 'Error getting keypair for CA issuer: secret "root" not found'),
    )
    root = waiting("root", "nobody")

    assert cause(waiting(), not_ready, root) == (
        "Issuer one/ca is not ready: Certificate one/root makes its CA: "
        "Issuer one/nobody does not exist; there is: ca"
    )


def test_a_ring_ends() -> None:
    """A CA that is to be signed by itself."""
    not_ready = with_status(
        {**issuer("ca"), "spec": {"ca": {"secretName": "web"}}}, condition("Ready", "False", "x")
    )

    assert "wait for each other" in cause(waiting(), not_ready)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([], "CertificateRequest one/web-1 waits for approval"),
        ([condition("Approved", "True")], "CertificateRequest one/web-1 waits for Issuer"),
        (
            [condition("Approved", "True"), condition("Ready", "False", "the CA is away")],
            "CertificateRequest one/web-1: the CA is away",
        ),
    ],
)
def test_a_request_says_what_it_waits_for(conditions: list[Any], expected: str) -> None:
    """Approval, a signer, or what the signer waits for."""
    web = waiting()
    request = with_status(
        owned("CertificateRequest", "web-1", web, spec={"issuerRef": {"name": "ca"}}), *conditions
    )
    assert cause(web, READY_ISSUER, request).startswith(expected)


@pytest.mark.parametrize(
    ("challenge", "end"),
    [
        ({"processing": True, "reason": "Waiting for propagation: 404"}, "propagation: 404"),
        ({}, "DNS-01 for a.example: waits for its turn"),
        ({"processing": True}, "DNS-01 for a.example: is being checked"),
    ],
)
def test_a_challenge_is_the_end_of_the_longest_chain(challenge: Any, end: str) -> None:
    """Through request and order."""
    web = waiting()
    request = with_status(
        owned("CertificateRequest", "web-1", web, spec={"issuerRef": {"name": "ca"}}),
        condition("Approved", "True"),
        condition("Ready", "False", "Waiting on certificate issuance from order"),
    )
    order = owned(ORDER.name, "o", request, status={"state": "pending"})
    spec = {"type": "DNS-01", "dnsName": "a.example"}
    found = cause(
        web,
        READY_ISSUER,
        request,
        order,
        owned(CHALLENGE.name, "c", order, spec=spec, status=challenge),
        owned(CHALLENGE.name, "d", order, spec=spec, status={"state": "valid"}),
    )

    assert found.startswith("CertificateRequest one/web-1: Order o is pending: DNS-01 for a.ex")
    assert found.endswith(end)


def test_a_failure_says_how_often_and_when_it_is_tried_again() -> None:
    """As the back-off in the status has it."""
    failed = START - timedelta(minutes=10)
    obj = with_status(
        certificate(),
        condition("Ready", "False", "Secret does not exist"),
        condition("Issuing", "False", "The certificate request has failed: no"),
        lastFailureTime=f"{failed:%Y-%m-%dT%H:%M:%SZ}",
        failedIssuanceAttempts=2,
    )

    assert cause(obj) == (
        "The certificate request has failed: no (failed 2 times; next try in 110m)"
    )


def test_what_a_loop_warned_of_last_is_the_cause_if_nothing_else_is() -> None:
    """A key that cannot be made, a keystore without its password."""
    web = waiting()
    text = "User intervention required: existing private key in Secret"

    assert cause(web, READY_ISSUER, warning(web, text)) == text
