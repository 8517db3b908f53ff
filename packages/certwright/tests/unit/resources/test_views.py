"""Typed views: what is absent stays absent, defaults are asked for by name."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from certwright.errors import InvalidError
from certwright.resources.certificate import Certificate, Keystore, SecretKeyRef, Subject
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.durations import HOUR_NANO
from certwright.resources.issuer import Issuer
from certwright.resources.issuer_ref import IssuerRef
from certwright.resources.secret import Secret, encode_data

FULL = Certificate(
    {
        "metadata": {"name": "web", "namespace": "one", "uid": "u", "generation": 4},
        "spec": {
            "secretName": "tls",
            "commonName": "a.example",
            "dnsNames": ["a.example", "b.example"],
            "ipAddresses": ["192.0.2.1"],
            "uris": ["spiffe://a"],
            "emailAddresses": ["a@example.com"],
            "subject": {"organizations": ["Acme"], "serialNumber": "7"},
            "issuerRef": {"name": "ca", "kind": "Thing", "group": "example.com"},
            "privateKey": {"algorithm": "ECDSA", "encoding": "PKCS8", "rotationPolicy": "Always"},
            "duration": "1h",
            "renewBefore": "30m",
            "usages": ["server auth"],
            "isCA": True,
            "encodeUsagesInRequest": False,
            "revisionHistoryLimit": 3,
            "secretTemplate": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
            "additionalOutputFormats": [{"type": "DER"}],
            "keystores": {"jks": {"create": True, "passwordSecretRef": {"name": "p", "key": "k"}}},
            "unknown": {"stays": True},
        },
        "status": {
            "revision": 2,
            "nextPrivateKeySecretName": "web-1",
            "failedIssuanceAttempts": 1,
            "lastFailureTime": "2026-01-02T03:04:05Z",
            "notAfter": "2026-04-02T03:04:05Z",
        },
    }
)


def test_a_full_certificate_is_read() -> None:
    """Every field has a property."""
    assert (FULL.name, FULL.namespace, FULL.uid, FULL.generation) == ("web", "one", "u", 4)
    assert FULL.secret_name == "tls"
    assert FULL.dns_names == ("a.example", "b.example")
    assert FULL.ip_addresses == ("192.0.2.1",)
    assert FULL.subject == Subject(organizations=("Acme",), serial_number="7")
    assert FULL.issuer_ref == IssuerRef("ca", "Thing", "example.com")
    assert FULL.issuer_ref.is_external
    assert FULL.duration_nano == HOUR_NANO
    assert FULL.renew_before_nano == HOUR_NANO // 2
    assert FULL.is_ca
    assert not FULL.encode_usages_in_request_or_default
    assert FULL.additional_output_formats == ("DER",)
    assert FULL.jks_keystore == Keystore(create=True, password=SecretKeyRef("p", "k"))
    assert FULL.pkcs12_keystore is None
    assert FULL.private_key_or_default.size_or_default == 256
    assert FULL.last_failure_time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert FULL.renewal_time is None
    assert FULL.object["spec"]["unknown"] == {"stays": True}


def test_an_empty_certificate_has_defaults_only_where_asked_for() -> None:
    """Copies of it must keep unset fields unset."""
    empty = Certificate({"spec": {"issuerRef": {"name": "ca"}}})

    assert empty.duration_nano is None
    assert empty.duration_nano_or_default == 2160 * HOUR_NANO
    assert empty.usages == ()
    assert empty.usages_or_default == ("digital signature", "key encipherment")
    assert empty.private_key is None
    assert empty.private_key_or_default.size_or_default == 2048
    assert empty.private_key_or_default.encoding_or_default == "PKCS1"
    assert empty.private_key_or_default.rotation_policy_or_default == "Never"
    assert empty.encode_usages_in_request_or_default
    assert empty.issuer_ref.kind == ""
    assert empty.issuer_ref.kind_or_default == "Issuer"
    assert empty.issuer_ref.group_or_default == "cert-manager.io"
    assert str(empty.issuer_ref) == "{ca  }"
    assert empty.revision is None


def test_a_duration_that_is_none_is_refused_when_it_is_read() -> None:
    """Not before: the rest of the object is fine."""
    with pytest.raises(InvalidError, match="unknown unit"):
        _ = Certificate({"spec": {"duration": "1d"}}).duration_nano


def test_a_request_is_read() -> None:
    """Bytes are decoded, revisions are numbers or nothing."""
    request = CertificateRequest(
        {
            "metadata": {"annotations": {"cert-manager.io/certificate-revision": "12"}},
            "spec": {
                "request": base64.b64encode(b"pem").decode(),
                "username": "u",
                "groups": ["g"],
            },
            "status": {"certificate": "!"},
        }
    )

    assert request.request == b"pem"
    assert request.revision == 12
    assert request.groups == ("g",)
    assert request.ca == b""
    with pytest.raises(InvalidError, match=r"status\.certificate is not base64"):
        _ = request.certificate


@pytest.mark.parametrize("text", ["", "x", "1.5", "--1", "²"])
def test_a_revision_that_is_no_number_is_none(text: str) -> None:
    """Anybody may write annotations."""
    request = CertificateRequest(
        {"metadata": {"annotations": {"cert-manager.io/certificate-revision": text}}}
    )

    assert request.revision is None


def test_an_issuer_has_the_type_that_is_configured() -> None:
    """An empty config counts, null does not."""
    issuer = Issuer({"kind": "ClusterIssuer", "spec": {"acme": None, "selfSigned": {}}})

    assert issuer.type == "selfSigned"
    assert issuer.is_cluster_issuer
    with pytest.raises(InvalidError, match="no issuer specified for Issuer 'a/b'"):
        _ = Issuer({"metadata": {"namespace": "a", "name": "b"}}).type


def test_a_ca_issuer_says_what_it_writes_into_certificates() -> None:
    """Where to ask for revocation."""
    issuer = Issuer(
        {"spec": {"ca": {"secretName": "s", "ocspServers": ["o"], "crlDistributionPoints": ["c"]}}}
    )

    assert issuer.ca_secret_name == "s"
    assert issuer.ocsp_servers == ("o",)
    assert issuer.crl_distribution_points == ("c",)


def test_secret_data_goes_both_ways() -> None:
    """Sorted by name, empty entries kept."""
    data = {"tls.key": b"k", "ca.crt": b""}
    secret = Secret({"metadata": {"name": "s"}, "data": encode_data(data)})

    assert secret.data == data
    assert list(secret.object["data"]) == ["ca.crt", "tls.key"]
    assert secret.private_key_pem == b"k"
    assert secret.certificate_pem == b""
    with pytest.raises(InvalidError, match='entry "x" of Secret /s is not base64'):
        Secret({"metadata": {"name": "s"}, "data": {"x": "?"}}).get("x")
