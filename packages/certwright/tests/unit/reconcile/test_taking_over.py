"""A namespace as cert-manager 1.12 leaves it: nothing is issued again and nothing is rewritten.

The objects are written down here as the reference describes them, managedFields of the Go client
included (reference cert-manager.md 2.6 to 2.9, 3.1 to 3.3); only keys, CSRs, certificates are made.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from certwright.pki.certificates import DecodedCertificate
from certwright.pki.csr import generate_csr
from certwright.pki.keys import SigningKey, encode_private_key, generate_private_key
from certwright.pki.template import ca_template, sign_template, template_of_request
from certwright.reconcile.contract import Emit, Expect, Observe, Plan, UpdateStatus
from certwright.reconcile.options import Options
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE, Key, Manifest
from certwright.resources.times import format_time
from certwright_testing.world import World

UID = "8a5e4a0e-3b39-4a5d-9f1e-0c6d1b1b7a11"
ISSUED = datetime(2023, 5, 1, 8, 0, 0, tzinfo=UTC)
LIFE = timedelta(hours=2160)
RENEWAL = ISSUED + LIFE * 2 / 3
BASE_ANNOTATIONS = {
    "cert-manager.io/alt-names": "a.example,b.example",
    "cert-manager.io/certificate-name": "web",
    "cert-manager.io/common-name": "a.example",
    "cert-manager.io/ip-sans": "",
    "cert-manager.io/issuer-group": "",
    "cert-manager.io/issuer-kind": "Issuer",
    "cert-manager.io/issuer-name": "ca",
    "cert-manager.io/uri-sans": "",
}
SPEC: Manifest = {
    "secretName": "web-tls",
    "commonName": "a.example",
    "dnsNames": ["a.example", "b.example"],
    "issuerRef": {"name": "ca"},
}


@dataclass(frozen=True)
class Left:
    """One way a Certificate may have been left."""

    spec: Manifest = field(default_factory=dict)
    """Besides `SPEC`."""
    annotations: dict[str, str] = field(default_factory=dict)
    """Of the Secret, besides or instead of the base."""
    labels: dict[str, str] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    """Entries besides key, certificate and CA."""
    formats: bool = False
    owned: bool = False
    has_request: bool = True
    foreign_data: bool = False
    """Whether somebody else added an entry and a label of his own."""
    chain: bool = False
    """Whether the CA is an intermediate."""


LEFT: dict[str, Left] = {
    "plain RSA": Left(),
    "ECDSA, PKCS8": Left({"privateKey": {"algorithm": "ECDSA", "size": 384, "encoding": "PKCS8"}}),
    "issuer with kind and group": Left(
        {"issuerRef": {"name": "ca", "kind": "Issuer", "group": "cert-manager.io"}},
        {"cert-manager.io/issuer-group": "cert-manager.io"},
    ),
    "all names": Left(
        {
            "ipAddresses": ["10.0.0.1", "2001:db8::1"],
            "uris": ["spiffe://cluster/ns/one"],
            "emailAddresses": ["a@a.example"],
            "subject": {
                "organizations": ["Example, Inc.", "Second"],
                "countries": ["KR"],
                "organizationalUnits": ["Web"],
                "localities": ["Seoul"],
                "serialNumber": "42",
            },
        },
        {
            "cert-manager.io/ip-sans": "10.0.0.1,2001:db8::1",
            "cert-manager.io/uri-sans": "spiffe://cluster/ns/one",
            "cert-manager.io/email-sans": "a@a.example",
            "cert-manager.io/subject-organizations": '"Example, Inc.",Second',
            "cert-manager.io/subject-countries": "KR",
            "cert-manager.io/subject-organizationalunits": "Web",
            "cert-manager.io/subject-localities": "Seoul",
            "cert-manager.io/subject-serialnumber": "42",
        },
    ),
    "usages and duration": Left(
        {
            "usages": ["server auth", "client auth", "digital signature"],
            "duration": "2160h0m0s",
            "renewBefore": "720h0m0s",
        }
    ),
    "secretTemplate": Left(
        {"secretTemplate": {"labels": {"team": "web"}, "annotations": {"reloader": "true"}}},
        {"reloader": "true"},
        {"team": "web"},
    ),
    "keystores": Left(
        {
            "keystores": {
                "jks": {"create": True, "passwordSecretRef": {"name": "pw", "key": "p"}},
                "pkcs12": {"create": True, "passwordSecretRef": {"name": "pw", "key": "p"}},
            }
        },
        data=("keystore.jks", "truststore.jks", "keystore.p12", "truststore.p12"),
    ),
    "output formats": Left(
        {"additionalOutputFormats": [{"type": "DER"}, {"type": "CombinedPEM"}]}, formats=True
    ),
    "owned by the Certificate": Left(owned=True),
    "request is gone": Left(has_request=False),
    "others wrote too": Left(foreign_data=True),
    "intermediate CA": Left(chain=True),
    "history of two": Left({"revisionHistoryLimit": 2}),
}


@cache
def key_of(algorithm: str, size: int) -> SigningKey:
    """Return a key; always the same one."""
    return generate_private_key(algorithm, size)


def b64(octets: bytes) -> str:
    """Return base64."""
    return base64.b64encode(octets).decode()


def objects(left: Left) -> list[Manifest]:
    """Return Issuer, its Secret, Certificate, request and target Secret."""
    spec = {**SPEC, **left.spec}
    certificate: Manifest = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {
            "name": "web",
            "namespace": "one",
            "uid": UID,
            "generation": 4,
            "resourceVersion": "20",
            "labels": {"app": "web"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "spec": spec,
        "status": {
            "conditions": [
                {
                    "lastTransitionTime": format_time(ISSUED),
                    "message": "Certificate is up to date and has not expired",
                    "observedGeneration": 4,
                    "reason": "Ready",
                    "status": "True",
                    "type": "Ready",
                }
            ],
            "notAfter": format_time(ISSUED + LIFE),
            "notBefore": format_time(ISSUED),
            "renewalTime": format_time(RENEWAL),
            "revision": 3,
        },
    }
    view = Certificate(certificate)
    wanted = view.private_key_or_default
    key = key_of(wanted.algorithm_or_default, wanted.size_or_default)
    csr = generate_csr(view, key, FeatureGates())
    request: Manifest = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "CertificateRequest",
        "metadata": {
            "name": "web-x7k2p",
            "generateName": "web-",
            "namespace": "one",
            "uid": "request-uid",
            "generation": 1,
            "resourceVersion": "21",
            "labels": {"app": "web"},
            "annotations": {
                "cert-manager.io/certificate-name": "web",
                "cert-manager.io/certificate-revision": "3",
                "cert-manager.io/private-key-secret-name": "web-m4ldt",
            },
            "ownerReferences": [owner()],
        },
        "spec": {
            "issuerRef": spec["issuerRef"],
            "request": b64(csr),
            "username": "system:serviceaccount:cert-manager:cert-manager",
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "uid": "account-uid",
            **{name: spec[name] for name in ("usages", "duration") if name in spec},
        },
    }
    ca_key, ca, served, root_pem = authority(chain=left.chain)
    template = template_of_request(CertificateRequest(request), now=ISSUED, serial=77)
    leaf = sign_template(template, ca_key, ca)
    chain_pem = leaf.pem + (ca.pem if left.chain else b"")
    request["status"] = {
        "ca": b64(root_pem),
        "certificate": b64(chain_pem),
        "conditions": [
            {
                "lastTransitionTime": format_time(ISSUED),
                "message": "Certificate request has been approved by cert-manager.io",
                "reason": "cert-manager.io",
                "status": "True",
                "type": "Approved",
            },
            {
                "lastTransitionTime": format_time(ISSUED),
                "message": "Certificate fetched from issuer successfully",
                "reason": "Issued",
                "status": "True",
                "type": "Ready",
            },
        ],
    }
    found = [issuer(), served, certificate, target(left, key, wanted.encoding, chain_pem, root_pem)]
    return [*found, request] if left.has_request else found


def owner() -> Manifest:
    """Return the reference to the Certificate."""
    return {
        "apiVersion": "cert-manager.io/v1",
        "blockOwnerDeletion": True,
        "controller": True,
        "kind": "Certificate",
        "name": "web",
        "uid": UID,
    }


def issuer() -> Manifest:
    """Return a CA issuer that was found ready."""
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": {
            "name": "ca",
            "namespace": "one",
            "uid": "issuer-uid",
            "generation": 1,
            "resourceVersion": "22",
        },
        "spec": {"ca": {"secretName": "ca-key-pair"}},
        "status": {
            "conditions": [
                {
                    "lastTransitionTime": format_time(ISSUED),
                    "message": "Signing CA verified",
                    "observedGeneration": 1,
                    "reason": "KeyPairVerified",
                    "status": "True",
                    "type": "Ready",
                }
            ]
        },
    }


def authority(*, chain: bool) -> tuple[SigningKey, DecodedCertificate, Manifest, bytes]:
    """Return the key and certificate that sign, the issuer's Secret, and the root."""
    root_key = generate_private_key("ECDSA", 256)
    root = sign_template(ca_template("root", root_key.public_key(), now=ISSUED, serial=1), root_key)
    key, ca = root_key, root
    if chain:
        key = generate_private_key("ECDSA", 384)
        between = ca_template("between", key.public_key(), now=ISSUED, serial=2)
        ca = sign_template(between, root_key, root)
    data = {
        "ca.crt": b64(root.pem),
        "tls.crt": b64(ca.pem),
        "tls.key": b64(encode_private_key(key, "")),
    }
    served: Manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "ca-key-pair",
            "namespace": "one",
            "uid": "ca-uid",
            "resourceVersion": "23",
        },
        "type": "kubernetes.io/tls",
        "data": data,
    }
    return key, ca, served, root.pem


def target(left: Left, key: SigningKey, encoding: str, chain_pem: bytes, ca_pem: bytes) -> Manifest:
    """Return the Secret as server-side apply of the Go client leaves it."""
    key_pem = encode_private_key(key, encoding)
    data = {"ca.crt": b64(ca_pem), "tls.crt": b64(chain_pem), "tls.key": b64(key_pem)}
    if left.formats:
        body = b"".join(key_pem.split(b"-----")[2].split())
        data["key.der"] = body.decode()
        data["tls-combined.pem"] = b64(key_pem + b"\n" + chain_pem)
    data |= {name: b64(b"a keystore of the original") for name in left.data}
    annotations = BASE_ANNOTATIONS | left.annotations
    labels = {"controller.cert-manager.io/fao": "true", **left.labels}
    metadata: dict[str, Any] = {
        "name": "web-tls",
        "namespace": "one",
        "uid": "secret-uid",
        "resourceVersion": "24",
    }
    fields: Manifest = {
        "f:data": {".": {}, **{f"f:{name}": {} for name in data}},
        "f:metadata": {
            "f:annotations": {".": {}, **{f"f:{name}": {} for name in annotations}},
            "f:labels": {".": {}, **{f"f:{name}": {} for name in labels}},
        },
        "f:type": {},
    }
    if left.owned:
        metadata["ownerReferences"] = [owner()]
        fields["f:metadata"]["f:ownerReferences"] = {".": {}, f'k:{{"uid":"{UID}"}}': {}}
    managed = [managed_by("cert-manager-certificates-issuing", "Apply", fields)]
    if left.foreign_data:
        data["extra"] = b64(b"mine")
        labels["mine"] = "yes"
        theirs = {"f:data": {"f:extra": {}}, "f:metadata": {"f:labels": {"f:mine": {}}}}
        managed.append(managed_by("kubectl-edit", "Update", theirs))
    metadata |= {"annotations": annotations, "labels": labels, "managedFields": managed}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "kubernetes.io/tls",
        "data": data,
    }


def managed_by(manager: str, operation: str, fields: Manifest) -> Manifest:
    """Return an entry of managedFields."""
    return {
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        "manager": manager,
        "operation": operation,
        "time": format_time(ISSUED),
    }


def world_of(name: str, now: datetime) -> World:
    """Return a world that finds what was left."""
    left = LEFT[name]
    gates = frozenset({"AdditionalCertificateOutputFormats"}) if left.formats else frozenset()
    world = World(
        Options(enable_certificate_owner_ref=left.owned, gates=FeatureGates(gates)), now=now
    )
    world.store.table.load(objects(left))
    world.restart()
    return world


def writes(plans: dict[tuple[str, Key], Plan]) -> list[tuple[str, Any]]:
    """Return what would be written; gauges and the issuer's event of each look do not count."""
    return [
        (loop, action)
        for (loop, _), plan in plans.items()
        for action in plan.actions
        if not isinstance(action, Observe)
        and not (isinstance(action, Emit) and action.reason == "KeyPairVerified")
    ]


@pytest.mark.parametrize("name", LEFT)
async def test_nothing_is_planned_until_the_second_of_renewal(name: str) -> None:
    """All loops look at all objects, right away, a month later, and a second before renewal."""
    for now in (
        ISSUED + timedelta(days=1),
        ISSUED + timedelta(days=30),
        RENEWAL - timedelta(seconds=1),
    ):
        plans = await world_of(name, now).plans()

        assert writes(plans) == []
        assert [plan.retry for plan in plans.values() if plan.retry] == []
        trigger = plans[("certificates-trigger", CERTIFICATE.key("one", "web"))]
        assert trigger.look_again_after_seconds == (RENEWAL - now).total_seconds()


@pytest.mark.parametrize("name", LEFT)
async def test_the_renewal_comes_in_its_second(name: str) -> None:
    """Not one second earlier; the message is cert-manager's."""
    plans = await world_of(name, RENEWAL).plans()

    expectation, status, event = writes(plans)
    assert isinstance(expectation[1], Expect)
    assert status[0] == event[0] == "certificates-trigger"
    assert isinstance(status[1], UpdateStatus)
    issuing = get_condition(status[1].object, "Issuing")
    assert issuing is not None
    assert (issuing.status, issuing.reason, issuing.message, issuing.observed_generation) == (
        "True",
        "Renewing",
        "Renewing certificate as renewal was scheduled at 2023-06-30 08:00:00 +0000 UTC",
        4,
    )
    assert event[1].message == issuing.message


@pytest.mark.parametrize("name", LEFT)
async def test_the_engine_leaves_it_alone_for_a_month(name: str) -> None:
    """Woken by everything, it writes nothing: no resourceVersion changes."""
    world = world_of(name, ISSUED + timedelta(days=1))
    before = world.store.table.revision

    await world.advance(timedelta(days=30))

    assert world.store.table.revision == before
    assert world.problems == []
