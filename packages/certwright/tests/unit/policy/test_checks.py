"""Each row of each policy: what it objects to, in the original's words.

Source: reference cert-manager.md 2.2.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from certwright.pki.csr import generate_csr
from certwright.pki.keys import SigningKey, encode_private_key, generate_private_key
from certwright.pki.template import CertificateTemplate, ca_template, sign_template
from certwright.pki.template import template_of_request as template_of
from certwright.policy import chains, checks_secret, checks_target
from certwright.policy.verdict import Check, Evidence, Violation, first_violation
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import Manifest
from certwright.resources.secret import Secret
from certwright_testing.objects import certificate, secret

BEGIN = datetime(2023, 6, 2, 10, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPEC: Manifest = {
    "secretName": "tls",
    "dnsNames": ["a.example"],
    "issuerRef": {"name": "ca"},
    "privateKey": {"algorithm": "ECDSA"},
    "duration": "3h",
}
ANNOTATIONS = {
    "cert-manager.io/issuer-name": "ca",
    "cert-manager.io/issuer-kind": "Issuer",
    "cert-manager.io/issuer-group": "cert-manager.io",
}


@cache
def key(algorithm: str = "ECDSA", size: int = 256) -> SigningKey:
    """Return a key, always the same one."""
    return generate_private_key(algorithm, size)


def request(spec: Manifest) -> Manifest:
    """Return the request that was made for a spec."""
    pem = generate_csr(Certificate(certificate(spec=spec)), key(), FeatureGates())
    fields = ("duration", "usages", "isCA", "issuerRef")
    return {
        "metadata": {"name": "web-1", "namespace": "one"},
        "spec": {
            "request": base64.b64encode(pem).decode(),
            **{name: spec[name] for name in fields if name in spec},
        },
    }


def leaf(spec: Manifest) -> bytes:
    """Return the certificate for a spec, of three hours."""
    root = ca_template("root", key("ECDSA", 384).public_key(), now=BEGIN, serial=1)
    template: CertificateTemplate = template_of(
        CertificateRequest(request(spec)), now=BEGIN, serial=2
    )
    signer = key("ECDSA", 384)
    return sign_template(template, signer, sign_template(root, signer)).pem


def stored(spec: Manifest = SPEC, **data: bytes | None) -> Manifest:
    """Return the Secret for a spec; None takes an entry away."""
    entries = {"tls.key": encode_private_key(key(), ""), "tls.crt": leaf(spec), **data}
    return secret(
        data={name: value for name, value in entries.items() if value is not None},
        annotations=dict(ANNOTATIONS),
        labels={"controller.cert-manager.io/fao": "true"},
    )


def evidence(
    obj: Manifest | None,
    *,
    spec: Manifest | None = None,
    status: Manifest | None = None,
    after: timedelta = timedelta(),
    requested: Manifest | None = None,
    **more: Any,
) -> Evidence:
    """Return what a policy looks at."""
    wanted = certificate(spec=SPEC if spec is None else spec, uid="cert-uid")
    if status is not None:
        wanted["status"] = status
    return Evidence(
        certificate=Certificate(wanted),
        now=BEGIN + after,
        secret=None if obj is None else Secret(obj),
        current_request=None if requested is None else CertificateRequest(requested),
        **more,
    )


def told(violation: Violation | None) -> tuple[str, str] | None:
    """Return reason and message."""
    return None if violation is None else (violation.reason, violation.message)


def without_data() -> Manifest:
    """Return a Secret that has no data at all."""
    obj = stored()
    del obj["data"]
    return obj


MISSING = "Issuing certificate as Secret does not contain"


@pytest.mark.parametrize(
    ("check", "obj", "expected"),
    [
        (
            checks_secret.secret_does_not_exist,
            None,
            ("DoesNotExist", "Issuing certificate as Secret does not exist"),
        ),
        (checks_secret.secret_does_not_exist, stored(), None),
        (
            checks_secret.secret_is_missing_data,
            without_data(),
            ("MissingData", f"{MISSING} any data"),
        ),
        (
            checks_secret.secret_is_missing_data,
            stored(**{"tls.key": None}),
            ("MissingData", f"{MISSING} a private key"),
        ),
        (
            checks_secret.secret_is_missing_data,
            stored(**{"tls.crt": b""}),
            ("MissingData", f"{MISSING} a certificate"),
        ),
        (checks_secret.secret_is_missing_data, stored(), None),
        (
            checks_secret.secret_holds_no_key_pair,
            stored(**{"tls.crt": b"test"}),
            (
                "InvalidKeyPair",
                (
                    "Issuing certificate as Secret contains an invalid key-pair: "
                    "tls: failed to find any PEM data in certificate input"
                ),
            ),
        ),
        (
            checks_secret.secret_holds_no_key_pair,
            stored(**{"tls.key": encode_private_key(key("ECDSA", 384), "")}),
            (
                "InvalidKeyPair",
                (
                    "Issuing certificate as Secret contains an invalid key-pair: "
                    "tls: private key does not match public key"
                ),
            ),
        ),
        (checks_secret.secret_holds_no_key_pair, stored(), None),
        (
            checks_secret.secret_key_does_not_fit_spec,
            stored(**{"tls.key": None}),
            ("SecretMismatch", "Existing issued Secret does not contain private key data"),
        ),
        (
            checks_secret.secret_key_does_not_fit_spec,
            stored(**{"tls.key": b"x"}),
            (
                "SecretMismatch",
                (
                    "Existing issued Secret contains invalid private key data: "
                    "error decoding private key PEM block"
                ),
            ),
        ),
        (
            checks_secret.secret_key_does_not_fit_spec,
            stored(**{"tls.key": encode_private_key(key("ECDSA", 384), "")}),
            (
                "SecretMismatch",
                "Existing private key is not up to date for spec: [spec.privateKey.size]",
            ),
        ),
        (
            checks_secret.secret_key_does_not_fit_spec,
            stored(**{"tls.key": encode_private_key(key("Ed25519", 0), "")}),
            (
                "SecretMismatch",
                "Existing private key is not up to date for spec: [spec.privateKey.algorithm]",
            ),
        ),
        (checks_secret.secret_key_does_not_fit_spec, stored(), None),
        (
            checks_secret.certificate_has_expired,
            stored(**{"tls.crt": None}),
            ("MissingData", "Missing Certificate data"),
        ),
    ],
)
def test_what_the_secret_holds(
    check: Check, obj: Manifest | None, expected: tuple[str, str] | None
) -> None:
    """Numbers 1 to 4."""
    assert told(check(evidence(obj))) == expected


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ({"name": "ca"}, None),
        ({"name": "ca", "kind": "Issuer", "group": "cert-manager.io"}, None),
        ({"name": "other"}, "Issuer.cert-manager.io/ca"),
        ({"name": "ca", "kind": "ClusterIssuer"}, "Issuer.cert-manager.io/ca"),
        ({"name": "ca", "group": "example.com"}, "Issuer.cert-manager.io/ca"),
    ],
)
def test_the_issuer_is_compared_with_defaults(ref: Manifest, message: str | None) -> None:
    """Number 5: an absent kind is Issuer, an absent group is cert-manager.io."""
    found = checks_secret.secret_is_of_another_issuer(
        evidence(stored(), spec={**SPEC, "issuerRef": ref})
    )

    prefix = "Issuing certificate as Secret was previously issued by "
    assert told(found) == (None if message is None else ("IncorrectIssuer", prefix + message))


def test_a_secret_of_nobody_is_of_another_issuer() -> None:
    """No annotations: the defaults, and no name."""
    found = checks_secret.secret_is_of_another_issuer(evidence(secret()))

    assert found is not None
    assert found.message.endswith("previously issued by Issuer.cert-manager.io/")


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"dnsNames": ["b.example"]}, "spec.dnsNames"),
        ({"dnsNames": ["a.example", "a.example"]}, "spec.dnsNames"),
        ({"commonName": "a.example"}, "spec.commonName"),
        ({"ipAddresses": ["10.0.0.1"]}, "spec.ipAddresses"),
        ({"isCA": True}, "spec.isCA"),
        ({"usages": ["server auth"]}, "spec.usages"),
        ({"duration": "4h"}, "spec.duration"),
        ({"issuerRef": {"name": "ca", "kind": "Issuer"}}, "spec.issuerRef"),
        (
            {"dnsNames": ["b.example"], "commonName": "b", "duration": "4h"},
            "spec.dnsNames spec.commonName spec.duration",
        ),
        ({"duration": "180m"}, None),
        ({"privateKey": {"algorithm": "RSA"}}, None),
    ],
)
def test_the_request_is_compared_with_the_spec(change: Manifest, fields: str | None) -> None:
    """Number 6; the kind of key is no part of it."""
    found = checks_secret.request_does_not_fit_spec(
        evidence(stored(), spec={**SPEC, **change}, requested=request(SPEC))
    )

    message = f"Fields on existing CertificateRequest resource not up to date: [{fields}]"
    assert told(found) == (None if fields is None else ("RequestChanged", message))


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"dnsNames": ["b.example"]}, "spec.dnsNames"),
        ({"commonName": "a.example"}, None),
        ({"uris": ["spiffe://a"]}, "spec.uris"),
        ({"duration": "4h"}, None),
        ({"issuerRef": {"name": "ca", "kind": "Issuer"}}, None),
    ],
)
def test_without_the_request_only_names_count(change: Manifest, fields: str | None) -> None:
    """Number 6, when the request is gone: a common name and a DNS name may stand for each other."""
    found = checks_secret.request_does_not_fit_spec(evidence(stored(), spec={**SPEC, **change}))

    message = f"Existing issued Secret is not up to date for spec: [{fields}]"
    assert told(found) == (None if fields is None else ("SecretMismatch", message))


def test_a_request_that_cannot_be_read_is_no_objection() -> None:
    """What is served may be good all the same."""
    broken = {"metadata": {}, "spec": {"request": base64.b64encode(b"x").decode()}}

    assert checks_secret.request_does_not_fit_spec(evidence(stored(), requested=broken)) is None


@pytest.mark.parametrize(
    ("after", "renew_before", "is_due"),
    [
        (2 * HOUR - timedelta(seconds=1), None, False),
        (2 * HOUR, None, True),
        (2 * HOUR + timedelta(seconds=1), None, True),
        (HOUR / 2 - timedelta(seconds=1), "2h30m", False),
        (HOUR / 2, "2h30m", True),
        (2 * HOUR - timedelta(seconds=1), "3h", False),
        (-HOUR, None, False),
    ],
)
def test_renewal_is_due_in_its_second(
    after: timedelta, renew_before: str | None, *, is_due: bool
) -> None:
    """Number 7: two thirds of the life, or renewBefore if that is shorter than the life."""
    spec = {**SPEC, "renewBefore": renew_before} if renew_before else SPEC
    told_at = {"renewalTime": "2023-06-02T12:00:00Z"}

    found = checks_secret.certificate_is_due(
        evidence(stored(), spec=spec, status=told_at, after=after)
    )

    message = "Renewing certificate as renewal was scheduled at 2023-06-02 12:00:00 +0000 UTC"
    assert told(found) == (("Renewing", message) if is_due else None)


def test_a_renewal_that_was_not_told_is_nil() -> None:
    """As Go prints a pointer to nothing."""
    found = checks_secret.certificate_is_due(evidence(stored(), after=3 * HOUR))

    assert found is not None
    assert found.message == "Renewing certificate as renewal was scheduled at <nil>"


def test_expiry_comes_after_the_last_second() -> None:
    """Number 8."""
    check = checks_secret.certificate_has_expired

    assert check(evidence(stored(), after=3 * HOUR)) is None
    assert told(check(evidence(stored(), after=3 * HOUR + timedelta(seconds=1)))) == (
        "Expired",
        "Certificate expired on Fri, 02 Jun 2023 13:00:00 UTC",
    )


@pytest.mark.parametrize(
    "check", [checks_secret.certificate_is_due, checks_secret.certificate_has_expired]
)
def test_dates_that_cannot_be_read(check: Check) -> None:
    """Numbers 7 and 8."""
    assert told(check(evidence(stored(**{"tls.crt": b"x"})))) == (
        "InvalidCertificate",
        "Failed to decode stored certificate: error decoding certificate PEM block",
    )


# ------------------------------------------------------------------------------ clothes


def owned(obj: Manifest, **fields: Any) -> Manifest:
    """Return the Secret with fields that the issuing loop owns."""
    metadata = {f"f:{name}": value for name, value in fields.items() if name != "data"}
    entry = {
        "manager": "cert-manager-certificates-issuing",
        "operation": "Apply",
        "fieldsV1": {"f:metadata": metadata, "f:data": fields.get("data", {})},
    }
    obj["metadata"]["managedFields"] = [entry]
    return obj


def dressed(**changes: Any) -> Manifest:
    """Return the Secret with changed metadata."""
    obj = stored()
    obj["metadata"].update(changes)
    return obj


TEMPLATE = {"secretTemplate": {"labels": {"l": "1"}, "annotations": {"a": "1"}}}


@pytest.mark.parametrize(
    ("labels", "annotations", "what"),
    [
        ({"l": "1"}, {"a": "1"}, None),
        ({"l": "1", "x": "y"}, {"a": "1", "x": "y"}, None),
        ({"l": "2"}, {"a": "1"}, "Labels"),
        ({}, {"a": "1"}, "Labels"),
        ({"l": "1"}, {"a": "2"}, "Annotations"),
        ({}, {}, "Annotations"),
    ],
)
def test_the_template_is_on_the_secret(
    labels: dict[str, str], annotations: dict[str, str], what: str | None
) -> None:
    """Number 9."""
    obj = dressed(labels=labels, annotations=annotations)

    found = checks_target.template_is_not_on_secret(evidence(obj, spec={**SPEC, **TEMPLATE}))

    message = f"Certificate's SecretTemplate {what} missing or incorrect value on Secret"
    assert told(found) == (None if what is None else ("SecretTemplateMismatch", message))


NIL = "SecretTemplate is nil, but Secret contains extra managed entries"
OTHER = "Certificate's SecretTemplate doesn't match Secret"
FAO = {"f:controller.cert-manager.io/fao": {}}


@pytest.mark.parametrize(
    ("template", "labels", "annotations", "message"),
    [
        ({}, FAO, {"f:cert-manager.io/alt-names": {}}, None),
        ({}, {**FAO, "f:l": {}}, {}, NIL),
        ({}, {}, {"f:a": {}}, NIL),
        ({}, {}, {"f:cert-manager.io/subject-countries": {}}, NIL),
        ({"secretTemplate": {}}, {**FAO}, {}, None),
        ({"secretTemplate": {}}, {"f:l": {}}, {}, OTHER),
        (TEMPLATE, {**FAO, "f:l": {}}, {"f:a": {}}, None),
        (TEMPLATE, FAO, {"f:a": {}}, OTHER),
        (TEMPLATE, {"f:l": {}}, {"f:b": {}}, OTHER),
    ],
)
def test_the_template_is_owned_and_nothing_else(
    template: Manifest, labels: Manifest, annotations: Manifest, message: str | None
) -> None:
    """Number 10: what left the template is owned still."""
    obj = owned(stored(), labels=labels, annotations=annotations)

    found = checks_target.template_is_not_owned(evidence(obj, spec={**SPEC, **template}))

    assert told(found) == (None if message is None else ("SecretTemplateMismatch", message))


def test_fields_of_others_do_not_count() -> None:
    """Only what the issuing loop owns."""
    obj = owned(stored(), labels={"f:l": {}})
    obj["metadata"]["managedFields"][0]["manager"] = "kubectl"

    assert checks_target.template_is_not_owned(evidence(obj)) is None


def test_managed_fields_that_cannot_be_read() -> None:
    """Numbers 10, 12 and 13 say so."""
    obj = stored()
    obj["metadata"]["managedFields"] = [
        {"manager": "cert-manager-certificates-issuing", "fieldsV1": "x"}
    ]
    for check in (
        checks_target.template_is_not_owned,
        checks_target.output_formats_are_not_owned,
        checks_target.owner_reference_is_not_owned,
    ):
        found = check(evidence(obj))
        assert found is not None
        assert found.reason == "ManagedFieldsParseError"
        assert found.message.startswith("failed to decode managed fields on Secret: ")


def test_extra_formats_hold_the_same_key_and_certificate() -> None:
    """Number 11."""
    obj = stored()
    key_pem, chain = Secret(obj).private_key_pem, Secret(obj).certificate_pem
    good = stored(**{"tls.crt": chain, "tls-combined.pem": key_pem + b"\n" + chain})
    old = stored(**{"tls-combined.pem": key_pem + b"\n"})
    check = checks_target.output_formats_do_not_fit_data

    assert check(evidence(obj)) is None
    assert check(evidence(good, output_formats=("CombinedPEM",))) is None
    for bad in (obj, old):
        assert told(check(evidence(bad, output_formats=("CombinedPEM",)))) == (
            "AdditionalOutputFormatsMismatch",
            "Certificate's AdditionalOutputFormats doesn't match Secret Data",
        )


@pytest.mark.parametrize(
    ("formats", "data", "fits"),
    [
        ((), {}, True),
        ((), {"f:key.der": {}}, False),
        (("DER",), {"f:key.der": {}, "f:tls.crt": {}}, True),
        (("DER",), {}, False),
        (("DER", "CombinedPEM"), {"f:key.der": {}}, False),
    ],
)
def test_extra_formats_are_owned_as_asked_for(
    formats: tuple[str, ...], data: Manifest, *, fits: bool
) -> None:
    """Number 12."""
    found = checks_target.output_formats_are_not_owned(
        evidence(owned(stored(), data=data), output_formats=formats)
    )

    message = "Certificate's AdditionalOutputFormats doesn't match Secret ManagedFields"
    assert told(found) == (None if fits else ("AdditionalOutputFormatsMismatch", message))


@pytest.mark.parametrize(
    ("fields", "enabled", "fits"),
    [
        ({}, False, True),
        ({}, True, False),
        ({'k:{"uid":"cert-uid"}': {}}, True, True),
        ({'k:{"uid":"cert-uid"}': {".": {}, "f:name": {}}}, True, True),
        ({'k:{"uid":"cert-uid"}': {"f:name": {}}}, True, False),
        ({'k:{"uid":"other"}': {}}, True, False),
        ({'k:{"uid":"cert-uid"}': {}}, False, False),
    ],
)
def test_the_owner_is_owned_as_the_flag_says(
    fields: Manifest, *, enabled: bool, fits: bool
) -> None:
    """Number 13."""
    found = checks_target.owner_reference_is_not_owned(
        evidence(owned(stored(), ownerReferences=fields), owner_ref_enabled=enabled)
    )

    flag = "true" if enabled else "false"
    message = (
        "unexpected managed Secret Owner Reference field on Secret "
        f"--enable-certificate-owner-ref={flag}"
    )
    assert told(found) == (None if fits else ("SecretOwnerRefMismatch", message))


OWNER = {
    "apiVersion": "cert-manager.io/v1",
    "kind": "Certificate",
    "name": "web",
    "uid": "cert-uid",
    "controller": True,
    "blockOwnerDeletion": True,
}


@pytest.mark.parametrize(
    ("owners", "enabled", "fits"),
    [
        ([], False, True),
        ([OWNER], False, True),
        ([OWNER], True, True),
        ([{**OWNER, "uid": "other"}, OWNER], True, True),
        ([], True, False),
        ([{**OWNER, "name": "other"}], True, False),
        ([{name: OWNER[name] for name in OWNER if name != "controller"}], True, False),
    ],
)
def test_the_owner_is_exactly_ours(owners: list[Manifest], *, enabled: bool, fits: bool) -> None:
    """Number 14."""
    found = checks_target.owner_reference_has_another_value(
        evidence(dressed(ownerReferences=owners), owner_ref_enabled=enabled)
    )

    message = (
        "unexpected Secret Owner Reference value on Secret --enable-certificate-owner-ref=true"
    )
    assert told(found) == (None if fits else ("SecretOwnerRefMismatch", message))


def keystores(**kinds: bool) -> Manifest:
    """Return a spec with these keystores, created or not."""
    ref = {"name": "pw", "key": "p"}
    stores = {kind: {"create": create, "passwordSecretRef": ref} for kind, create in kinds.items()}
    return {**SPEC, "keystores": stores}


@pytest.mark.parametrize(
    ("spec", "entries", "message"),
    [
        (SPEC, (), None),
        (SPEC, ("keystore.jks",), "Keystore is not defined"),
        (SPEC, ("truststore.p12",), "Keystore is not defined"),
        (keystores(jks=True), ("keystore.jks",), None),
        (keystores(jks=True), (), "JKS Keystore key does not contain data"),
        (
            keystores(jks=True),
            ("keystore.jks", "ca.crt"),
            "JKS Keystore key does not contain data",
        ),
        (keystores(jks=True), ("keystore.jks", "truststore.jks", "ca.crt"), None),
        (keystores(jks=False), ("keystore.jks",), "JKS Keystore create disabled"),
        (keystores(pkcs12=True), ("keystore.p12", "keystore.jks"), "JKS Keystore not defined"),
        (keystores(pkcs12=True), (), "PKCS12 Keystore key does not contain data"),
        (keystores(pkcs12=False), ("truststore.p12",), "PKCS12 Keystore create disabled"),
        (
            keystores(jks=True),
            ("keystore.jks", "keystore.p12"),
            "PKCS12 Keystore not defined",
        ),
    ],
)
def test_keystores_are_there_as_asked_for(
    spec: Manifest, entries: tuple[str, ...], message: str | None
) -> None:
    """Number 15; a truststore is asked for only where there is a CA."""
    obj = stored(**dict.fromkeys(entries, b"x"))

    found = checks_target.keystores_do_not_fit_spec(evidence(obj, spec=spec))

    assert told(found) == (None if message is None else ("SecretMismatch", message))


def test_the_base_label_is_there() -> None:
    """Number 16; its value does not count."""
    check = checks_target.secret_lacks_base_label

    assert check(evidence(dressed(labels={"controller.cert-manager.io/fao": ""}))) is None
    assert told(check(evidence(dressed(labels={})))) == (
        "SecretBaseLabelsMissing",
        "missing base label controller.cert-manager.io/fao",
    )


# ------------------------------------------------------------------------------ chains

ALL_CHECKS = list(
    dict.fromkeys(
        [*chains.TRIGGER, *chains.READINESS, *chains.POST_ISSUANCE, *chains.TEMPORARY],
    )
)
"""In one order, or the workers of a run collect different tests."""


@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "obj",
    [
        None,
        {"metadata": {"name": "tls"}},
        without_data(),
        stored(**{"tls.crt": b"x", "tls.key": b"y"}),
    ],
    ids=["none", "empty", "no data", "rubbish"],
)
def test_a_check_stands_alone(check: Check, obj: Manifest | None) -> None:
    """It answers whatever there is, without another check before it."""
    check(evidence(obj, spec=keystores(jks=True), output_formats=("DER", "CombinedPEM")))


def test_a_chain_stops_at_the_first_objection() -> None:
    """The message is the first one's."""
    found = first_violation(chains.TRIGGER, evidence(None))

    assert found is not None
    assert found.reason == "DoesNotExist"


def test_a_good_secret_passes_every_chain() -> None:
    """Nothing is objected to, with the request and without."""
    obj = owned(stored(), labels=FAO)
    for requested in (None, request(SPEC)):
        for chain in (chains.TRIGGER, chains.READINESS, chains.POST_ISSUANCE, chains.TEMPORARY):
            assert first_violation(chain, evidence(obj, requested=requested)) is None


def test_a_wrong_key_or_issuer_alone_leaves_it_ready() -> None:
    """Only the trigger looks at them."""
    spec = {**SPEC, "issuerRef": {"name": "other"}, "privateKey": {"algorithm": "RSA"}}
    seen = evidence(stored(), spec=spec)

    assert first_violation(chains.TRIGGER, seen) is not None
    assert first_violation(chains.READINESS, seen) is None
