"""Rules for CertificateRequests: what a new one must be, and what must not change."""

from __future__ import annotations

import base64
from copy import deepcopy
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certwright.admission import validate_create, validate_update
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE_REQUEST, Manifest

GATES = FeatureGates()
PRIVATE_KEY = ec.generate_private_key(ec.SECP256R1())
DEFAULT = ["digital signature", "key encipherment"]


def csr(usage: tuple[str, ...] = (), extended: tuple[Any, ...] = ()) -> bytes:
    """Return a CSR, PEM, with these usages."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if usage:
        bits = (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        )
        builder = builder.add_extension(
            x509.KeyUsage(**{bit: bit in usage for bit in bits}), critical=False
        )
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    return builder.sign(PRIVATE_KEY, hashes.SHA256()).public_bytes(Encoding.PEM)


def request(pem: bytes | None = None, **changes: Any) -> Manifest:
    """Return a valid request with changes to its spec."""
    encoded = base64.b64encode(csr() if pem is None else pem).decode()
    return {
        "apiVersion": CERTIFICATE_REQUEST.api_version,
        "kind": CERTIFICATE_REQUEST.name,
        "metadata": {"name": "r", "namespace": "one", "annotations": {"a": "b"}},
        "spec": {"request": encoded, "issuerRef": {"name": "ca"}} | changes,
    }


def created(obj: Manifest) -> list[str]:
    """Return the refusals of a creation."""
    return [str(error) for error in validate_create(obj, GATES).errors]


def updated(old: Manifest, new: Manifest) -> list[str]:
    """Return the refusals of an update."""
    return [str(error) for error in validate_update(old, new, GATES).errors]


SIGN_AND_WRAP = ("digital_signature", "key_encipherment")
SERVER = (x509.ExtendedKeyUsageOID.SERVER_AUTH,)
CLIENT = (x509.ExtendedKeyUsageOID.CLIENT_AUTH,)


@pytest.mark.parametrize(
    ("pem", "changes"),
    [
        pytest.param(csr(), {}, id="no usages anywhere"),
        pytest.param(csr(), {"usages": ["server auth"]}, id="none in the CSR"),
        pytest.param(csr(SIGN_AND_WRAP, SERVER), {}, id="none in the spec"),
        pytest.param(csr(("crl_sign",)), {"usages": DEFAULT}, id="exactly the default in the spec"),
        pytest.param(csr(SIGN_AND_WRAP), {"usages": ["any"]}, id="exactly the default in the CSR"),
        pytest.param(
            csr(SIGN_AND_WRAP, SERVER),
            {"usages": ["server auth", "key encipherment", "signing", "digital signature"]},
            id="the same in another order, with the two words for one usage",
        ),
        pytest.param(
            csr((*SIGN_AND_WRAP, "key_cert_sign"), SERVER),
            {"usages": [*DEFAULT, "server auth"], "isCA": True},
            id="a CA signs certificates",
        ),
    ],
)
def test_a_request_whose_usages_agree_is_let_in(pem: bytes, changes: dict[str, Any]) -> None:
    """Also where one side says nothing."""
    assert created(request(pem, **changes)) == []


@pytest.mark.parametrize(
    ("pem", "usages", "difference"),
    [
        pytest.param(
            csr(SIGN_AND_WRAP, SERVER),
            ["digital signature", "key encipherment", "client auth"],
            '[[2]: "server auth" != "client auth"]',
            id="another one",
        ),
        pytest.param(
            csr((), CLIENT),
            ["client auth", "server auth"],
            "[[]certmanager.KeyUsage[1] != []certmanager.KeyUsage[2]]",
            id="one more",
        ),
    ],
)
def test_usages_that_differ_are_refused(pem: bytes, usages: list[str], difference: str) -> None:
    """With the difference at the end."""
    (text,) = created(request(pem, usages=usages))

    assert text.startswith("spec.request: Invalid value: []byte{0x2d, 0x2d, 0x2d, ")
    assert text.endswith(
        "}: csr key usages do not match specified usages, these should match if both are set: "
        + difference
    )


def test_a_request_needs_a_csr_and_an_issuer() -> None:
    """Both refusals come at once."""
    obj = request(b"")
    obj["spec"]["issuerRef"] = {"kind": "Foo"}

    assert created(obj) == [
        "spec.issuerRef.name: Required value: must be specified",
        'spec.issuerRef.kind: Invalid value: "Foo": must be one of Issuer or ClusterIssuer',
        "spec.request: Required value: must be specified",
    ]


def test_what_is_no_csr_is_refused() -> None:
    """Shown as bytes, as the original does."""
    assert created(request(b"hm")) == [
        (
            "spec.request: Invalid value: []byte{0x68, 0x6d}: failed to decode csr: error decoding"
            " certificate request PEM block"
        )
    ]


def test_usages_that_cannot_be_decoded_are_refused() -> None:
    """An extension may hold anything."""
    broken = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.37"), b"\x02\x01\x01"),
            critical=False,
        )
        .sign(PRIVATE_KEY, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    (text,) = created(request(broken, usages=["any"]))

    assert "failed to decode csr extended usages: " in text


def condition(kind: str, status: str = "True", **more: str) -> dict[str, str]:
    """Return a condition."""
    return {"type": kind, "status": status, **more}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        pytest.param([condition("Approved")], [], id="approved"),
        pytest.param([condition("Ready", "False")], [], id="others are free"),
        pytest.param(
            [condition("Approved"), condition("Approved")],
            ['status.conditions: Forbidden: multiple "Approved" conditions present'],
            id="approved twice",
        ),
        pytest.param(
            [condition("Denied", "False")],
            [
                (
                    'status.conditions.Denied: Invalid value: "False": "Denied" condition'
                    " may only be"
                    " set to True"
                )
            ],
            id="not denied",
        ),
        pytest.param(
            [condition("Denied"), condition("Approved")],
            [
                (
                    "status.conditions: Forbidden: both 'Denied' and 'Approved' conditions cannot"
                    " coexist"
                )
            ],
            id="both",
        ),
    ],
)
def test_approval_is_given_once_and_for_good(
    conditions: list[dict[str, str]], expected: list[str]
) -> None:
    """On creation and on update."""
    obj = request()
    obj["status"] = {"conditions": conditions}

    assert expected == created(obj)
    assert expected == updated(request() | {"spec": obj["spec"]}, obj)


@pytest.mark.parametrize("kind", ["Approved", "Denied"])
def test_a_decision_stays_as_it_is(kind: str) -> None:
    """Whether it is changed or taken away."""
    old = request()
    old["status"] = {"conditions": [condition(kind, reason="A")]}
    changed = deepcopy(old)
    changed["status"]["conditions"][0]["reason"] = "B"
    gone = deepcopy(old)
    gone["status"] = {}
    expected = [f"status.conditions: Forbidden: '{kind}' condition may not be modified once set"]

    assert expected == updated(old, changed)
    assert expected == updated(old, gone)
    assert updated(old, deepcopy(old)) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"a": "1"}, {"a": "2"}, [], id="an annotation of others"),
        pytest.param({"cert-manager.io/x": "1"}, {"cert-manager.io/x": "1"}, [], id="unchanged"),
        pytest.param(
            {"cert-manager.io/x": "1"}, {}, ["metadata.annotations.cert-manager.io/x"], id="gone"
        ),
        pytest.param(
            {},
            {"acme.cert-manager.io/x": ""},
            ["metadata.annotations.acme.cert-manager.io/x"],
            id="new",
        ),
        pytest.param(
            {"cert-manager.iox/y": "1"},
            {"cert-manager.iox/y": "2"},
            ["metadata.annotations.cert-manager.iox/y"] * 2,
            id="changed, and only like ours",
        ),
        pytest.param({}, {"venafi.cert-manager.io/pickup-id": "1"}, [], id="Venafi's are free"),
    ],
)
def test_our_annotations_do_not_change(
    old: dict[str, str], new: dict[str, str], expected: list[str]
) -> None:
    """A change is found from both sides; the aggregate shows it once."""
    before, after = request(), request()
    after["spec"] = before["spec"]
    before["metadata"]["annotations"] = old
    after["metadata"]["annotations"] = new

    text = "Forbidden: cannot change cert-manager annotation after creation"
    assert [f"{path}: {text}" for path in expected] == updated(before, after)


def test_the_spec_does_not_change() -> None:
    """Absent and empty are the same, as are two ways to write a duration."""
    old = request(duration="1h")
    same = deepcopy(old)
    same["spec"] |= {"isCA": False, "username": "", "duration": "60m"}
    other = deepcopy(old)
    other["spec"]["duration"] = "2h"

    assert updated(old, same) == []
    assert updated(old, other) == ["spec: Forbidden: cannot change spec after creation"]
