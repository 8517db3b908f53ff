"""Rules for Issuers and their solvers: the reference's list, line by line."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from certwright.admission import validate_create
from certwright.admission.solver import _is_nameserver
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CLUSTER_ISSUER, ISSUER, Kind, Manifest

GATES = FeatureGates()
KEY = {"name": "s", "key": "k"}
NO_CERTIFICATE = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'example.com', regex used for"
    r" validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def issuer(spec: dict[str, Any], kind: Kind = ISSUER) -> Manifest:
    """Return an issuer."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": "i"},
        "spec": spec,
    }


def acme(**changes: Any) -> dict[str, Any]:
    """Return the spec of an ACME issuer."""
    return {"acme": {"server": "https://a", "privateKeySecretRef": {"name": "a"}} | changes}


def dns01(**provider: Any) -> dict[str, Any]:
    """Return the spec of an ACME issuer with one DNS-01 solver."""
    return acme(solvers=[{"dns01": provider}])


def http01(**solver: Any) -> dict[str, Any]:
    """Return the spec of an ACME issuer with one HTTP-01 solver."""
    return acme(solvers=[{"http01": solver}])


def vault(**changes: Any) -> dict[str, Any]:
    """Return the spec of a Vault issuer."""
    return {"vault": {"server": "s", "path": "p", "auth": {"tokenSecretRef": KEY}} | changes}


def judged(spec: dict[str, Any]) -> list[str]:
    """Return the texts of the refusals, the same for both kinds."""
    texts = [str(error) for error in validate_create(issuer(spec), GATES).errors]
    of_cluster = validate_create(issuer(spec, CLUSTER_ISSUER), GATES).errors
    assert texts == [str(error) for error in of_cluster]
    return texts


S = "spec.acme.solvers[0]"
NAME = "Required value: secret name is required"
ENTRY = "Required value: secret key is required"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {}, ["spec: Required value: at least one issuer must be configured"], id="nothing"
        ),
        pytest.param({"acme": None, "selfSigned": {}}, [], id="null is nothing"),
        pytest.param(
            {"selfSigned": {}, "ca": {"secretName": "s"}, "venafi": {}},
            [
                "spec.selfSigned: Forbidden: may not specify more than one issuer type",
                "spec.venafi: Forbidden: may not specify more than one issuer type",
            ],
            id="the first counts, in the order of checks",
        ),
        pytest.param({"ca": {}}, ["spec.ca.secretName: Required value"], id="a CA without Secret"),
        pytest.param(
            {"ca": {"secretName": "s", "ocspServers": ["a", ""]}},
            [
                (
                    'spec.ca.ocspServer[1]: Invalid value: "": must be a valid URL, e.g.,'
                    " http://ocsp.int-x3.letsencrypt.org"
                )
            ],
            id="an empty OCSP URL",
        ),
        pytest.param(
            {"acme": {}},
            [
                (
                    "spec.acme.privateKeySecretRef.name: Required value: private key secret"
                    " name is a"
                    " required field"
                ),
                "spec.acme.server: Required value: acme server URL is a required field",
            ],
            id="an empty ACME issuer",
        ),
        pytest.param(
            acme(caBundle=NO_CERTIFICATE.decode(), skipTLSVerify=True),
            [
                (
                    'spec.acme.caBundle: Invalid value: "": caBundle and skipTLSVerify are mutually'
                    " exclusive and cannot both be set"
                ),
                (
                    "spec.acme.skipTLSVerify: Invalid value: true: caBundle and skipTLSVerify are"
                    " mutually exclusive and cannot both be set"
                ),
                (
                    'spec.acme.caBundle: Invalid value: "": cert bundle didn\'t contain any valid'
                    " certificates"
                ),
            ],
            id="a bundle without certificates that would not be used",
        ),
        pytest.param(
            acme(externalAccountBinding={"keySecretRef": {}}),
            [
                (
                    "spec.acme.externalAccountBinding.keyID: Required value: the keyID field"
                    " is required"
                    " when using externalAccountBinding"
                ),
                f"spec.acme.externalAccountBinding.keySecretRef.name: {NAME}",
                f"spec.acme.externalAccountBinding.keySecretRef.key: {ENTRY}",
            ],
            id="an empty account binding",
        ),
        pytest.param(
            acme(solvers=[{}]), [f"{S}: Required value: no solver type configured"], id="no solver"
        ),
        pytest.param(
            acme(solvers=[{"http01": {"ingress": {}}, "dns01": {}}]),
            [f"{S}: Forbidden: may not specify more than one solver type in a single solver"],
            id="two solver types",
        ),
        pytest.param(
            http01(), [f"{S}.http01: Required value: no HTTP01 solver type configured"], id="http01"
        ),
        pytest.param(
            http01(ingress={}, gatewayHTTPRoute={"parentRefs": [{"name": "g"}]}),
            [f"{S}.http01: Required value: only 1 HTTP01 solver type may be configured"],
            id="two HTTP-01 types",
        ),
        pytest.param(
            http01(ingress={"class": "a", "ingressClassName": "b", "name": "c"}),
            [
                (
                    f"{S}.http01.ingress: Forbidden: only one of 'ingressClassName', 'name'"
                    f" or 'class'"
                    " should be specified"
                )
            ],
            id="three ways to find an Ingress",
        ),
        pytest.param(
            http01(ingress={"class": "a", "ingressClassName": "b"}), [], id="two of them pass here"
        ),
        pytest.param(
            http01(ingress={"ingressClassName": "azure/application-gateway"}),
            [
                (
                    f"{S}.http01.ingress.ingressClassName: Invalid value:"
                    f' "azure/application-gateway": must be a valid IngressClass name: {SUBDOMAIN}'
                )
            ],
            id="a class that is no name",
        ),
        pytest.param(
            http01(ingress={"serviceType": "LoadBalancer"}),
            [
                (
                    f'{S}.http01.ingress.serviceType: Invalid value: "LoadBalancer": must be empty,'
                    ' "ClusterIP" or "NodePort"'
                )
            ],
            id="a type of Service",
        ),
        pytest.param(
            http01(gatewayHTTPRoute={"serviceType": "x"}),
            [
                (
                    f'{S}.http01.gateway.serviceType: Invalid value: "x": must be empty,'
                    f' "ClusterIP" or'
                    ' "NodePort"'
                ),
                f"{S}.http01.gateway.parentRefs: Required value: at least 1 parentRef is required",
            ],
            id="an empty Gateway",
        ),
        pytest.param(
            {"vault": {}},
            [
                "spec.vault.server: Required value",
                "spec.vault.path: Required value",
                (
                    "spec.vault.auth: Required value: please supply one of: appRole, kubernetes,"
                    " tokenSecretRef"
                ),
            ],
            id="an empty Vault",
        ),
        pytest.param(
            vault(caBundle=NO_CERTIFICATE.decode(), caBundleSecretRef={"name": "b"}),
            [
                (
                    'spec.vault.caBundle: Invalid value: "<snip>": cert bundle didn\'t'
                    " contain any valid"
                    " certificates"
                ),
                (
                    'spec.vault.caBundle: Invalid value: "<snip>": specified caBundle and'
                    " caBundleSecretRef cannot be used together"
                ),
                (
                    'spec.vault.caBundleSecretRef: Invalid value: "b": specified'
                    " caBundleSecretRef and"
                    " caBundle cannot be used together"
                ),
            ],
            id="two bundles of a Vault",
        ),
        pytest.param(
            vault(auth={"appRole": {}, "kubernetes": {}, "tokenSecretRef": {}}),
            [
                "spec.vault.auth.appRole.roleId: Required value",
                "spec.vault.auth.appRole.secretRef.name: Required value",
                "spec.vault.auth.kubernetes.role: Required value",
                (
                    "spec.vault.auth.kubernetes: Required value: please supply one of: secretRef,"
                    " serviceAccountRef"
                ),
            ],
            id="three ways to log in are let in",
        ),
        pytest.param(
            vault(auth={"kubernetes": {"role": "r", "secretRef": KEY, "serviceAccountRef": {}}}),
            [
                "spec.vault.auth.kubernetes.serviceAccountRef.name: Required value",
                (
                    "spec.vault.auth.kubernetes: Forbidden: please supply one of: secretRef,"
                    " serviceAccountRef"
                ),
            ],
            id="a token and an account",
        ),
        pytest.param(
            {"venafi": {}},
            [
                "spec.venafi.zone: Required value",
                "spec.venafi: Required value: please supply one of: tpp, cloud",
            ],
            id="an empty Venafi",
        ),
        pytest.param(
            {"venafi": {"zone": "z", "tpp": {}, "cloud": {}}},
            [
                "spec.venafi.tpp.url: Required value",
                "spec.venafi: Forbidden: please supply one of: tpp, cloud",
            ],
            id="two of Venafi",
        ),
        pytest.param(
            dns01(cnameStrategy="Sometimes"),
            [
                (
                    f'{S}.dns01.cnameStrategy: Invalid value: "Sometimes": must be one of "None" or'
                    ' "Follow"'
                ),
                f"{S}.dns01: Required value: no DNS01 provider configured",
            ],
            id="a strategy and no provider",
        ),
        pytest.param(
            dns01(
                webhook={"solverName": "a"},
                digitalocean={"tokenSecretRef": KEY},
                acmeDNS={"accountSecretRef": KEY, "host": "h"},
            ),
            [
                f"{S}.dns01.digitalocean: Forbidden: may not specify more than one provider type",
                f"{S}.dns01.webhook: Forbidden: may not specify more than one provider type",
            ],
            id="three providers",
        ),
        pytest.param(
            dns01(
                digitalocean={"tokenSecretRef": KEY}, acmeDNS={"accountSecretRef": KEY, "host": "h"}
            ),
            [f"{S}.dns01.digitalocean: Forbidden: may not specify more than one provider type"],
            id="acmeDNS comes before digitalocean",
        ),
        pytest.param(
            dns01(
                cloudflare={"apiTokenSecretRef": KEY},
                acmeDNS={"accountSecretRef": KEY, "host": "h"},
            ),
            [],
            id="acmeDNS as a second provider is let in",
        ),
        pytest.param(
            dns01(akamai={}),
            [
                f"{S}.dns01.akamai.{field}.{part}"
                for field in ("accessToken", "clientSecret", "clientToken")
                for part in (f"name: {NAME}", f"key: {ENTRY}")
            ]
            + [f"{S}.dns01.akamai.serviceConsumerDomain: Required value"],
            id="an empty Akamai",
        ),
        pytest.param(
            dns01(azureDNS={"clientID": "c", "managedIdentity": {}, "environment": "Mars"}),
            [
                f"{S}.dns01.azureDNS.clientSecretSecretRef: Required value",
                f"{S}.dns01.azureDNS.tenantID: Required value",
                (
                    f"{S}.dns01.azureDNS.managedIdentity: Forbidden: managed identity can"
                    f" not be used at"
                    " the same time as clientID, clientSecretSecretRef or tenantID"
                ),
                f"{S}.dns01.azureDNS.subscriptionID: Required value",
                f"{S}.dns01.azureDNS.resourceGroupName: Required value",
                (
                    f'{S}.dns01.azureDNS.environment: Invalid value: "Mars": must be either'
                    f" empty or one"
                    " of AzurePublicCloud, AzureChinaCloud, AzureGermanCloud or"
                    " AzureUSGovernmentCloud"
                ),
            ],
            id="half an Azure application",
        ),
        pytest.param(
            dns01(
                azureDNS={
                    "subscriptionID": "s",
                    "resourceGroupName": "g",
                    "managedIdentity": {"clientID": "c", "resourceID": "r"},
                }
            ),
            [
                (
                    f"{S}.dns01.azureDNS.managedIdentity: Forbidden: managedIdentityClientID and"
                    " managedIdentityResourceID cannot both be specified"
                )
            ],
            id="two identities of Azure",
        ),
        pytest.param(
            dns01(cloudDNS={"serviceAccountSecretRef": {"name": "n"}}),
            [
                f"{S}.dns01.cloudDNS.serviceAccountSecretRef.key: {ENTRY}",
                f"{S}.dns01.cloudDNS.project: Required value",
            ],
            id="an empty Cloud DNS",
        ),
        pytest.param(
            dns01(cloudflare={}),
            [
                (
                    f"{S}.dns01.cloudflare: Required value: apiKeySecretRef or apiTokenSecretRef is"
                    " required"
                )
            ],
            id="an empty Cloudflare",
        ),
        pytest.param(
            dns01(cloudflare={"apiKeySecretRef": KEY, "apiTokenSecretRef": KEY}),
            [
                (
                    f"{S}.dns01.cloudflare: Forbidden: apiKeySecretRef and apiTokenSecretRef"
                    f" cannot both"
                    " be specified"
                ),
                f"{S}.dns01.cloudflare.email: Required value",
            ],
            id="two secrets of Cloudflare",
        ),
        pytest.param(
            dns01(route53={"accessKeyID": "a", "accessKeyIDSecretRef": {"name": "n"}}),
            [
                f"{S}.dns01.route53.region: Required value",
                (
                    f"{S}.dns01.route53: Required value: accessKeyID and"
                    f" accessKeyIDSecretRef cannot"
                    " both be specified"
                ),
                f"{S}.dns01.route53.accessKeyIDSecretRef.key: {ENTRY}",
            ],
            id="an odd Route 53",
        ),
        pytest.param(
            dns01(acmeDNS={}),
            [
                f"{S}.dns01.acmeDNS.accountSecretRef.name: {NAME}",
                f"{S}.dns01.acmeDNS.accountSecretRef.key: {ENTRY}",
                f"{S}.dns01.acmeDNS.host: Required value",
            ],
            id="an empty ACME-DNS",
        ),
        pytest.param(
            dns01(rfc2136={"nameserver": ":53", "tsigAlgorithm": "sha1", "tsigKeyName": "k"}),
            [
                (
                    f'{S}.dns01.rfc2136.nameserver: Invalid value: ":53": nameserver must be'
                    f" set in the"
                    " form host:port where host is an IPv4 address, an enclosed IPv6 address or a"
                    " hostname and port is an optional port number."
                ),
                (
                    f'{S}.dns01.rfc2136.tsigAlgorithm: Unsupported value: "": supported values:'
                    ' "HMACMD5", "HMACSHA1", "HMACSHA256", "HMACSHA512"'
                ),
                f"{S}.dns01.rfc2136.tsigSecretSecretRef.name: {NAME}",
                f"{S}.dns01.rfc2136.tsigSecretSecretRef.key: {ENTRY}",
            ],
            id="a wrong name server",
        ),
        pytest.param(
            dns01(rfc2136={"tsigSecretSecretRef": KEY, "tsigAlgorithm": "hmacsha512"}),
            [
                f"{S}.dns01.rfc2136.nameserver: Required value",
                f"{S}.dns01.rfc2136.tsigKeyName: Required value",
            ],
            id="a TSIG key without a name",
        ),
        pytest.param(
            dns01(webhook={}),
            [f"{S}.dns01.webhook.solverName: Required value: solver name must be specified"],
            id="an empty webhook",
        ),
    ],
)
def test_an_issuer_is_judged(spec: dict[str, Any], expected: list[str]) -> None:
    """In the order of the original."""
    assert expected == judged(spec)


def test_a_deprecated_field_is_a_warning() -> None:
    """The object is stored all the same."""
    binding = {"keyID": "k", "keySecretRef": KEY, "keyAlgorithm": "HS256"}
    verdict = validate_create(issuer(acme(externalAccountBinding=binding)), GATES)

    assert verdict.errors == ()
    assert verdict.warnings == (
        (
            "ACME issuer spec field 'externalAccount.keyAlgorithm' is deprecated. The value of this"
            " field will be ignored."
        ),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8.8.8.8", True),
        ("8.8.8.8:53", True),
        ("[2001:db8::1]", True),
        ("[2001:db8::1]:53", True),
        ("2001:db8::1", False),
        ("ns.example:", True),
        (":53", False),
        ("[]", False),
        ("[::1", False),
        ("[a", True),
        ("[::1]x", True),
        ("[::1]:5:3", False),
        ("[a[]:53", False),
        (" ns ", True),
    ],
)
def test_name_servers_are_read_as_by_go(text: str, expected: bool) -> None:  # noqa: FBT001
    """A port may be left out. The expected values are Go's."""
    assert expected is _is_nameserver(text)
