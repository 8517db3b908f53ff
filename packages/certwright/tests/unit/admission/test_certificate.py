"""Rules for Certificates: one case for each row of the reference's table."""

from __future__ import annotations

from typing import Any

import pytest

from certwright.admission import validate_create, validate_update
from certwright.errors import InvalidError
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE, Manifest

NONE = FeatureGates()
LITERAL = FeatureGates.parse("LiteralCertificateSubject=true")
FORMATS = FeatureGates.parse("AdditionalCertificateOutputFormats=true")
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'example.com', regex used for"
    r" validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def certificate(**changes: Any) -> Manifest:
    """Return a valid Certificate with changes to its spec; None takes a field away."""
    spec = {"secretName": "tls", "dnsNames": ["a.example"], "issuerRef": {"name": "ca"}} | changes
    return {
        "apiVersion": CERTIFICATE.api_version,
        "kind": CERTIFICATE.name,
        "metadata": {"name": "web", "namespace": "one"},
        "spec": {name: value for name, value in spec.items() if value is not None},
    }


CASES = [
    pytest.param({}, NONE, [], id="fine"),
    pytest.param(
        {"secretName": None},
        NONE,
        ["spec.secretName: Required value: must be specified"],
        id="no secretName",
    ),
    pytest.param(
        {"secretName": "Tls"},
        NONE,
        [f'spec.secretName: Invalid value: "Tls": {SUBDOMAIN}'],
        id="a secretName that is no name",
    ),
    pytest.param(
        {"issuerRef": {}},
        NONE,
        ["spec.issuerRef.name: Required value: must be specified"],
        id="no issuer",
    ),
    pytest.param(
        {"issuerRef": {"name": "a", "kind": "Foo"}},
        NONE,
        ['spec.issuerRef.kind: Invalid value: "Foo": must be one of Issuer or ClusterIssuer'],
        id="a kind that is none of ours",
    ),
    pytest.param(
        {"issuerRef": {"name": "a", "kind": "Foo", "group": "cert-manager.io"}},
        NONE,
        ['spec.issuerRef.kind: Invalid value: "Foo": must be one of Issuer or ClusterIssuer'],
        id="the same with our group",
    ),
    pytest.param(
        {"issuerRef": {"name": "a", "kind": "Foo", "group": "example.com"}},
        NONE,
        [],
        id="any kind of somebody else's group",
    ),
    pytest.param(
        {"literalSubject": "CN=a"},
        NONE,
        [
            (
                "spec.literalSubject: Forbidden: Feature gate LiteralCertificateSubject must"
                " be enabled"
                " on both webhook and controller to use the alpha `literalSubject` field"
            )
        ],
        id="literalSubject without its gate",
    ),
    pytest.param({"literalSubject": "CN=a,DC=b"}, LITERAL, [], id="literalSubject"),
    pytest.param(
        {"literalSubject": "CN=a", "dnsNames": None},
        LITERAL,
        [],
        id="a literal common name is a name",
    ),
    pytest.param(
        {"literalSubject": "FOO=x,CN=a"},
        LITERAL,
        [
            (
                'spec.literalSubject: Invalid value: "FOO=x,CN=a": Literal subject contains'
                " unrecognized key with value [x]"
            )
        ],
        id="an unknown key in literalSubject",
    ),
    pytest.param(
        {"literalSubject": "CN=a", "commonName": "b"},
        LITERAL,
        [
            (
                'spec.commonName: Invalid value: "b": When providing a `LiteralSubject` no'
                " `commonName`"
                " may be provided."
            )
        ],
        id="literalSubject with commonName",
    ),
    pytest.param(
        {"literalSubject": "CN=a", "subject": {"organizations": ["x"], "serialNumber": "1"}},
        LITERAL,
        [
            (
                'spec.subject: Invalid value: certmanager.X509Subject{Organizations:[]string{"x"},'
                " Countries:[]string(nil), OrganizationalUnits:[]string(nil),"
                " Localities:[]string(nil),"
                " Provinces:[]string(nil), StreetAddresses:[]string(nil),"
                " PostalCodes:[]string(nil),"
                ' SerialNumber:"1"}: When providing a `LiteralSubject` no `Subject`'
                " properties may be"
                " provided with the exception of `Subject.serialNumber`"
            )
        ],
        id="literalSubject with a subject list",
    ),
    pytest.param(
        {"literalSubject": "CN=a", "subject": {"serialNumber": "1"}},
        LITERAL,
        [],
        id="literalSubject with a serial number",
    ),
    pytest.param(
        {"dnsNames": None},
        NONE,
        [
            (
                'spec: Invalid value: "": at least one of commonName, dnsNames, uris'
                " ipAddresses, or"
                " emailAddresses must be set"
            )
        ],
        id="no name at all",
    ),
    pytest.param({"dnsNames": None, "uris": ["spiffe://a"]}, NONE, [], id="a URI is a name"),
    pytest.param({"commonName": "x" * 64}, NONE, [], id="64 bytes of common name"),
    pytest.param(
        {"commonName": "é" * 33},
        NONE,
        ["spec.commonName: Too long: must have at most 64 bytes"],
        id="66 bytes of common name",
    ),
    pytest.param(
        {"literalSubject": f"CN={'x' * 65}"},
        LITERAL,
        ["spec.commonName: Too long: must have at most 64 bytes"],
        id="65 bytes of literal common name",
    ),
    pytest.param(
        {"ipAddresses": ["192.0.2.1", "::1", "1.2.3", "fe80::1%eth0", "010.0.0.1"]},
        NONE,
        [
            'spec.ipAddresses[2]: Invalid value: "1.2.3": invalid IP address',
            'spec.ipAddresses[3]: Invalid value: "fe80::1%eth0": invalid IP address',
            'spec.ipAddresses[4]: Invalid value: "010.0.0.1": invalid IP address',
        ],
        id="IP addresses",
    ),
    pytest.param(
        {"emailAddresses": ["a@b", "mailto:a@b", "A <a@b>"]},
        NONE,
        [
            (
                'spec.emailAddresses[1]: Invalid value: "mailto:a@b": invalid email address:'
                " mail: expected comma"
            ),
            (
                'spec.emailAddresses[2]: Invalid value: "A <a@b>": invalid email address:'
                " make sure the"
                " supplied value only contains the email address itself"
            ),
        ],
        id="e-mail addresses",
    ),
    pytest.param(
        {"privateKey": {"size": 1024}},
        NONE,
        [
            (
                "spec.privateKey.size: Invalid value: 1024: must be between 2048 & 8192 for rsa"
                " keyAlgorithm"
            )
        ],
        id="a short RSA key",
    ),
    pytest.param(
        {"privateKey": {"algorithm": "RSA", "size": 8193}},
        NONE,
        [
            (
                "spec.privateKey.size: Invalid value: 8193: must be between 2048 & 8192 for rsa"
                " keyAlgorithm"
            )
        ],
        id="a long RSA key",
    ),
    pytest.param({"privateKey": {"size": 3000}}, NONE, [], id="any RSA size between"),
    pytest.param({"privateKey": {"algorithm": "ECDSA", "size": 521}}, NONE, [], id="P-521"),
    pytest.param(
        {"privateKey": {"algorithm": "ECDSA", "size": 300}},
        NONE,
        ['spec.privateKey.size: Unsupported value: 300: supported values: "256", "384", "521"'],
        id="no such curve",
    ),
    pytest.param({"privateKey": {"algorithm": "Ed25519", "size": 7}}, NONE, [], id="Ed25519"),
    pytest.param(
        {"privateKey": {"algorithm": "DSA"}},
        NONE,
        [
            (
                'spec.privateKey.algorithm: Invalid value: "DSA": must be either empty or'
                " one of rsa or"
                " ecdsa"
            )
        ],
        id="another algorithm",
    ),
    pytest.param(
        {"duration": "59m"},
        NONE,
        ["spec.duration: Invalid value: 59m0s: certificate duration must be greater than 1h0m0s"],
        id="a short life",
    ),
    pytest.param({"duration": "1h"}, NONE, [], id="an hour is enough"),
    pytest.param(
        {"renewBefore": "4m"},
        NONE,
        [
            (
                "spec.renewBefore: Invalid value: 4m0s: certificate renewBefore must be"
                " greater than"
                " 5m0s"
            )
        ],
        id="renewed too late",
    ),
    pytest.param(
        {"duration": "2h", "renewBefore": "2h"},
        NONE,
        [
            (
                "spec.renewBefore: Invalid value: 2h0m0s: certificate duration 2h0m0s must"
                " be greater"
                " than renewBefore 2h0m0s"
            )
        ],
        id="renewed at once",
    ),
    pytest.param(
        {"renewBefore": "2161h"},
        NONE,
        [
            (
                "spec.renewBefore: Invalid value: 2161h0m0s: certificate duration 2160h0m0s must be"
                " greater than renewBefore 2161h0m0s"
            )
        ],
        id="against the default duration",
    ),
    pytest.param(
        {"usages": ["signing", "s/mime", "flying"]},
        NONE,
        ['spec.usages[2]: Invalid value: "flying": unknown keyusage'],
        id="an unknown usage",
    ),
    pytest.param(
        {"revisionHistoryLimit": 0},
        NONE,
        ["spec.revisionHistoryLimit: Invalid value: 0: must not be less than 1"],
        id="no history",
    ),
    pytest.param(
        {"secretTemplate": {"annotations": {"cert-manager.io/x": "", "cert-manager.iox/y": ""}}},
        NONE,
        [
            (
                'spec.secretTemplate.annotations: Invalid value: "cert-manager.io/x":'
                " cert-manager.io/*"
                " annotations are not allowed"
            )
        ],
        id="our annotations in a template",
    ),
    pytest.param(
        {"secretTemplate": {"annotations": {"cert-manager.io/allow-direct-injection": "true"}}},
        NONE,
        [],
        id="but for the one that a user sets",
    ),
    pytest.param(
        {"secretTemplate": {"annotations": {"/a": ""}, "labels": {"/b": "c"}}},
        NONE,
        [
            'spec.secretTemplate.labels: Invalid value: "/b": prefix part must be non-empty',
            'spec.secretTemplate.annotations: Invalid value: "/a": prefix part must be non-empty',
        ],
        id="labels and annotations that are none",
    ),
    pytest.param(
        {"additionalOutputFormats": [{"type": "DER"}]},
        NONE,
        [
            (
                "spec.additionalOutputFormats: Forbidden: feature gate"
                " AdditionalCertificateOutputFormats must be enabled"
            )
        ],
        id="formats without their gate",
    ),
    pytest.param(
        {"additionalOutputFormats": [{"type": "DER"}, {"type": "CombinedPEM"}]},
        FORMATS,
        [],
        id="formats",
    ),
    pytest.param(
        {
            "keystores": {
                "jks": {"create": True, "password": "p"},
                "pkcs12": {"create": True, "passwordSecretRef": {"name": "", "key": "k"}},
            }
        },
        NONE,
        [],
        id="one way to each password, as in 1.12 a name that is none",
    ),
    pytest.param(
        {
            "keystores": {
                "jks": {"create": True},
                "pkcs12": {"create": True, "password": "", "passwordSecretRef": {"name": "s"}},
            }
        },
        NONE,
        [
            (
                "spec.keystores.jks: Forbidden: must set exactly one of passwordSecretRef and"
                " password for JKS keystores"
            ),
            (
                "spec.keystores.pkcs12: Forbidden: exactly one of passwordSecretRef and password"
                " must be provided for PKCS#12 keystores; cannot set both"
            ),
            (
                "spec.keystores.pkcs12.password: Forbidden: literal password cannot be empty if"
                " set on PKCS#12 keystores"
            ),
        ],
        id="no way to a password, and two",
    ),
    pytest.param({"signatureAlgorithm": "SHA384WithRSA"}, NONE, [], id="a signature"),
    pytest.param(
        {"signatureAlgorithm": "ECDSAWithSHA384", "privateKey": {"algorithm": "ECDSA"}},
        NONE,
        [],
        id="a signature of ECDSA",
    ),
    pytest.param(
        {"signatureAlgorithm": "PureEd25519", "privateKey": {"size": 2048}},
        NONE,
        [
            (
                'spec.signatureAlgorithm: Invalid value: "PureEd25519": for key algorithm RSA the'
                " allowed signature algorithms are [SHA256WithRSA SHA384WithRSA SHA512WithRSA]"
            )
        ],
        id="a signature of another key",
    ),
    pytest.param(
        {
            "renewal": {
                "policy": "RenewBefore",
                "windows": [
                    {"cron": "0 2 * * SAT", "timezone": "Asia/Seoul", "windowDuration": "4h"}
                ],
            }
        },
        NONE,
        [],
        id="a window",
    ),
    pytest.param({"renewal": {"policy": "Disabled"}}, NONE, [], id="no renewal"),
    pytest.param(
        {"renewal": {"policy": "Disabled", "windows": [{"cron": ""}]}},
        NONE,
        [
            (
                "spec.renewal.windows: Forbidden: windows cannot be set when `renewal.policy` is"
                " set to Disabled"
            )
        ],
        id="windows of no renewal",
    ),
    pytest.param(
        {"renewal": {"policy": "Later"}},
        NONE,
        [
            (
                'spec.renewal.policy: Unsupported value: "unsupported field Later": supported'
                ' values: "Disabled", "RenewBefore"'
            )
        ],
        id="no policy",
    ),
    pytest.param(
        {
            "renewal": {
                "policy": "RenewBefore",
                "windows": [
                    {"cron": "0 2 * * *", "windowDuration": "0s"},
                    {"cron": "0 25 * * *", "timezone": "Nowhere"},
                ],
            }
        },
        NONE,
        [
            (
                "spec.renewal.windows[0].windowDuration: Invalid value: 0s: windowDuration must be"
                " specified and should be greater than 0"
            ),
            (
                "spec.renewal.windows[1].windowDuration: Required value: windowDuration must be"
                " specified and should be greater than 0"
            ),
            (
                'spec.renewal.windows[1].timezone: Invalid value: "Nowhere": invalid value for'
                " timezone. timezone must be IANA compliant"
            ),
            (
                'spec.renewal.windows[1].cron: Invalid value: "0 25 * * *": invalid cron syntax:'
                " hour: '25' is not within 0 to 23. cron needs to follow:"
                " cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow"
            ),
        ],
        id="windows that are none",
    ),
    pytest.param({"renewBeforePercentage": 25}, NONE, [], id="a percentage"),
    pytest.param(
        {"renewBeforePercentage": 100},
        NONE,
        [
            (
                "spec.renewBeforePercentage: Invalid value: 100: certificate "
                "renewBeforePercentage must result in a renewBefore less than duration"
            )
        ],
        id="all of the life",
    ),
    pytest.param(
        {"renewBeforePercentage": 1, "duration": "2h"},
        NONE,
        [
            (
                "spec.renewBeforePercentage: Invalid value: 1: certificate "
                "renewBeforePercentage must result in a renewBefore greater than 5m0s"
            )
        ],
        id="too little of the life",
    ),
    pytest.param(
        {"renewBeforePercentage": 25, "renewBefore": "1h"},
        NONE,
        [
            f"spec.{field}: Invalid value: {value}: renewBefore and renewBeforePercentage are"
            " mutually exclusive and cannot both be set"
            for field, value in (("renewBefore", "1h0m0s"), ("renewBeforePercentage", "25"))
        ],
        id="two times before the end",
    ),
    pytest.param(
        {"additionalOutputFormats": [{"type": "DER"}, {"type": "DER"}]},
        FORMATS,
        ['spec.additionalOutputFormats[type]: Duplicate value: "DER"'],
        id="a format twice",
    ),
]


@pytest.mark.parametrize(("changes", "gates", "expected"), CASES)
def test_a_certificate_is_judged(
    changes: dict[str, Any], gates: FeatureGates, expected: list[str]
) -> None:
    """Creation and update say the same."""
    obj = certificate(**changes)

    assert expected == [str(error) for error in validate_create(obj, gates).errors]
    update = validate_update(certificate(), obj, gates)
    assert expected == [str(error) for error in update.errors]


def test_a_literal_subject_that_is_none_is_refused_with_the_parser_s_text() -> None:
    """The text is go-ldap's."""
    verdict = validate_create(certificate(literalSubject="CN"), LITERAL)

    assert len(verdict.errors) == 1
    assert str(verdict.errors[0]).startswith('spec.literalSubject: Invalid value: "CN": ')


def test_a_duration_that_is_none_cannot_be_judged() -> None:
    """The webhook answers 400 with this text."""
    with pytest.raises(InvalidError, match='time: unknown unit "d" in duration "90d"'):
        validate_create(certificate(duration="90d"), NONE)
