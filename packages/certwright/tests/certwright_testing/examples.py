"""One object of each kind with every part of its schema used."""

from __future__ import annotations

import base64
from typing import Any, Final

from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CHALLENGE,
    CLUSTER_ISSUER,
    ISSUER,
    ORDER,
    Kind,
    Manifest,
)

__all__ = ["EXAMPLES", "SOLVERS"]

_KEY: Final = {"name": "s", "key": "k"}
_REF: Final = {"name": "ca", "kind": "Issuer", "group": "cert-manager.io"}
_PEM: Final = base64.b64encode(b"-----BEGIN NOTHING-----\n-----END NOTHING-----\n").decode()
_TIME: Final = "2026-01-02T03:04:05Z"
_TERM: Final = {
    "labelSelector": {"matchLabels": {"a": "b"}},
    "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]},
    "namespaces": ["one"],
    "topologyKey": "zone",
}
_PODS: Final = {
    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": _TERM}],
    "requiredDuringSchedulingIgnoredDuringExecution": [_TERM],
}
_NODE: Final = {
    "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
    "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}],
}
_TEMPLATE: Final = {"annotations": {"a": "b"}, "labels": {"c": "d"}}

SOLVERS: Final[list[Manifest]] = [
    {
        "selector": {"dnsNames": ["a"], "dnsZones": ["b"], "matchLabels": {"c": "d"}},
        "http01": {
            "ingress": {
                "ingressClassName": "nginx",
                "serviceType": "ClusterIP",
                "ingressTemplate": {"metadata": _TEMPLATE},
                "podTemplate": {
                    "metadata": _TEMPLATE,
                    "spec": {
                        "affinity": {
                            "nodeAffinity": {
                                "preferredDuringSchedulingIgnoredDuringExecution": [
                                    {"weight": 1, "preference": _NODE}
                                ],
                                "requiredDuringSchedulingIgnoredDuringExecution": {
                                    "nodeSelectorTerms": [_NODE]
                                },
                            },
                            "podAffinity": _PODS,
                            "podAntiAffinity": _PODS,
                        },
                        "imagePullSecrets": [{"name": "p"}],
                        "nodeSelector": {"a": "b"},
                        "priorityClassName": "high",
                        "serviceAccountName": "solver",
                        "tolerations": [
                            {
                                "effect": "NoExecute",
                                "key": "a",
                                "operator": "Equal",
                                "value": "b",
                                "tolerationSeconds": 30,
                            }
                        ],
                    },
                },
            }
        },
    },
    {
        "http01": {
            "gatewayHTTPRoute": {
                "labels": {"a": "b"},
                "serviceType": "NodePort",
                "parentRefs": [{"name": "g", "namespace": "n", "port": 80, "sectionName": "web"}],
            }
        }
    },
    {"dns01": {"cnameStrategy": "Follow", "acmeDNS": {"accountSecretRef": _KEY, "host": "h"}}},
    {
        "dns01": {
            "akamai": {
                "accessTokenSecretRef": _KEY,
                "clientSecretSecretRef": _KEY,
                "clientTokenSecretRef": _KEY,
                "serviceConsumerDomain": "d",
            }
        }
    },
    {
        "dns01": {
            "azureDNS": {
                "clientID": "c",
                "clientSecretSecretRef": _KEY,
                "tenantID": "t",
                "environment": "AzurePublicCloud",
                "hostedZoneName": "z",
                "resourceGroupName": "g",
                "subscriptionID": "s",
            }
        }
    },
    {
        "dns01": {
            "cloudDNS": {"project": "p", "hostedZoneName": "z", "serviceAccountSecretRef": _KEY}
        }
    },
    {"dns01": {"cloudflare": {"email": "e", "apiKeySecretRef": _KEY}}},
    {"dns01": {"digitalocean": {"tokenSecretRef": _KEY}}},
    {
        "dns01": {
            "rfc2136": {
                "nameserver": "ns:53",
                "tsigAlgorithm": "HMACSHA512",
                "tsigKeyName": "k",
                "tsigSecretSecretRef": _KEY,
            }
        }
    },
    {
        "dns01": {
            "route53": {
                "region": "r",
                "accessKeyIDSecretRef": _KEY,
                "secretAccessKeySecretRef": _KEY,
                "hostedZoneID": "z",
                "role": "arn",
            }
        }
    },
    {
        "dns01": {
            "webhook": {"groupName": "g", "solverName": "s", "config": {"any": {"thing": [1]}}}
        }
    },
]


def _conditions(*types: str, generation: bool = True) -> list[dict[str, Any]]:
    extra = {"observedGeneration": 1} if generation else {}
    return [
        {
            "type": name,
            "status": "True",
            "reason": "Why",
            "message": f"message of {name}",
            "lastTransitionTime": _TIME,
            **extra,
        }
        for name in types
    ]


def _object(kind: Kind, spec: Manifest, status: Manifest) -> Manifest:
    metadata = {"name": "full", **({"namespace": "one"} if kind.namespaced else {})}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


_KEYSTORE: Final = {"create": True, "passwordSecretRef": _KEY}
_ISSUER_STATUS: Final = {
    "acme": {"uri": "u", "lastRegisteredEmail": "e", "lastPrivateKeyHash": "h"},
    "conditions": _conditions("Ready"),
}
_ACME: Final = {
    "server": "https://acme.example",
    "privateKeySecretRef": {"name": "account"},
    "email": "a@example.com",
    "caBundle": _PEM,
    "disableAccountKeyGeneration": True,
    "enableDurationFeature": True,
    "preferredChain": "x" * 64,
    "skipTLSVerify": False,
    "externalAccountBinding": {"keyID": "k", "keySecretRef": _KEY, "keyAlgorithm": "HS256"},
    "solvers": SOLVERS,
}
_ISSUER_SPEC: Final = {
    "acme": _ACME,
    "ca": {"secretName": "ca", "crlDistributionPoints": ["u"], "ocspServers": ["u"]},
    "selfSigned": {"crlDistributionPoints": ["u"]},
    "vault": {
        "server": "https://vault.example",
        "path": "pki/sign/role",
        "namespace": "n",
        "caBundle": _PEM,
        "caBundleSecretRef": _KEY,
        "auth": {
            "tokenSecretRef": _KEY,
            "appRole": {"path": "approle", "roleId": "r", "secretRef": _KEY},
            "kubernetes": {
                "role": "r",
                "mountPath": "/v1/auth/kubernetes",
                "secretRef": _KEY,
                "serviceAccountRef": {"name": "a"},
            },
        },
    },
    "venafi": {
        "zone": "z",
        "cloud": {"apiTokenSecretRef": _KEY, "url": "u"},
        "tpp": {"url": "u", "credentialsRef": {"name": "n"}, "caBundle": _PEM},
    },
}

EXAMPLES: Final[dict[Kind, Manifest]] = {
    CERTIFICATE: _object(
        CERTIFICATE,
        {
            "secretName": "tls",
            "commonName": "a.example",
            "dnsNames": ["a.example"],
            "ipAddresses": ["192.0.2.1"],
            "uris": ["spiffe://a"],
            "emailAddresses": ["a@example.com"],
            "literalSubject": "CN=a",
            "subject": {
                "organizations": ["o"],
                "organizationalUnits": ["ou"],
                "countries": ["KR"],
                "provinces": ["p"],
                "localities": ["l"],
                "streetAddresses": ["s"],
                "postalCodes": ["1"],
                "serialNumber": "n",
            },
            "issuerRef": _REF,
            "duration": "2160h0m0s",
            "renewBefore": "720h",
            "usages": ["server auth", "s/mime"],
            "isCA": False,
            "encodeUsagesInRequest": True,
            "revisionHistoryLimit": 3,
            "privateKey": {
                "algorithm": "ECDSA",
                "encoding": "PKCS8",
                "rotationPolicy": "Always",
                "size": 384,
            },
            "secretTemplate": _TEMPLATE,
            "additionalOutputFormats": [{"type": "DER"}, {"type": "CombinedPEM"}],
            "keystores": {"jks": _KEYSTORE, "pkcs12": _KEYSTORE},
        },
        {
            "conditions": _conditions("Ready", "Issuing"),
            "failedIssuanceAttempts": 1,
            "lastFailureTime": _TIME,
            "nextPrivateKeySecretName": "full-abcde",
            "notAfter": _TIME,
            "notBefore": _TIME,
            "renewalTime": _TIME,
            "revision": 2,
        },
    ),
    CERTIFICATE_REQUEST: _object(
        CERTIFICATE_REQUEST,
        {
            "request": _PEM,
            "issuerRef": _REF,
            "duration": "1h",
            "isCA": True,
            "usages": ["cert sign"],
            "username": "alice",
            "uid": "u",
            "groups": ["g"],
            "extra": {"k": ["v"]},
        },
        {
            "ca": _PEM,
            "certificate": _PEM,
            "failureTime": _TIME,
            "conditions": _conditions("Approved", "Ready", generation=False),
        },
    ),
    ISSUER: _object(ISSUER, _ISSUER_SPEC, _ISSUER_STATUS),
    CLUSTER_ISSUER: _object(CLUSTER_ISSUER, _ISSUER_SPEC, _ISSUER_STATUS),
    ORDER: _object(
        ORDER,
        {
            "request": _PEM,
            "issuerRef": _REF,
            "commonName": "a",
            "dnsNames": ["a"],
            "ipAddresses": ["192.0.2.1"],
            "duration": "1h",
        },
        {
            "state": "pending",
            "reason": "why",
            "url": "u",
            "finalizeURL": "f",
            "certificate": _PEM,
            "failureTime": _TIME,
            "authorizations": [
                {
                    "url": "u",
                    "identifier": "a",
                    "wildcard": True,
                    "initialState": "pending",
                    "challenges": [{"url": "u", "token": "t", "type": "http-01"}],
                }
            ],
        },
    ),
    CHALLENGE: _object(
        CHALLENGE,
        {
            "authorizationURL": "u",
            "dnsName": "a.example",
            "issuerRef": _REF,
            "key": "k",
            "token": "t",
            "type": "HTTP-01",
            "url": "u",
            "wildcard": False,
            "solver": SOLVERS[0],
        },
        {"presented": True, "processing": True, "reason": "why", "state": "pending"},
    ),
}
