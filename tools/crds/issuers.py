"""The CRDs of Issuer and ClusterIssuer.

Source: reference cert-manager.md 1.3.
"""

from __future__ import annotations

from crds.schema import (
    AGE,
    Schema,
    array,
    boolean,
    column,
    conditions,
    definition,
    ready,
    record,
    secret_key,
    text,
    texts,
)
from crds.solver import SOLVER


def _spec(where: str) -> Schema:
    return record(
        "How this issuer signs. Exactly one of the fields must be set.",
        acme=_acme(),
        ca=record(
            "Signs with a CA whose certificate and key are in a Secret.",
            required=("secretName",),
            crlDistributionPoints=texts("URLs of the CRL, written into each certificate."),
            ocspServers=texts("URLs of OCSP servers, written into each certificate."),
            secretName=text(f"The Secret with `tls.crt` and `tls.key` of the CA, in {where}."),
        ),
        selfSigned=record(
            "Signs each certificate with its own key.",
            crlDistributionPoints=texts("URLs of the CRL, written into each certificate."),
        ),
        vault=_vault(),
        venafi=_venafi(),
    )


def _acme() -> Schema:
    return record(
        "Orders from an ACME server (RFC 8555), such as Let's Encrypt.",
        required=("privateKeySecretRef", "server"),
        caBundle=text(
            "CA certificates, PEM, that the server's own certificate must come from; those of the"
            " system if neither this nor `skipTLSVerify` is set.",
            format="byte",
        ),
        disableAccountKeyGeneration=boolean(
            "Whether the account's key must be there already and is not made."
        ),
        email=text("Where the server writes to about the account."),
        enableDurationFeature=boolean(
            "Whether to ask for an end (notAfter) in orders; most servers refuse that."
        ),
        externalAccountBinding=record(
            "Binds the account to one at the CA (RFC 8555, 7.3.4).",
            required=("keyID", "keySecretRef"),
            keyAlgorithm=text(
                "Deprecated and without effect; HS256 is used.", enum=["HS256", "HS384", "HS512"]
            ),
            keyID=text("Id of the key, from the CA."),
            keySecretRef=secret_key(
                "The key, from the CA, base64url without padding.", "The entry of the Secret."
            ),
        ),
        preferredChain=text(
            "Common name of the topmost issuer of the chain to take, if the server offers several.",
            maxLength=64,
        ),
        privateKeySecretRef=secret_key(
            "The Secret with the account's key; made if it is not there.",
            "The entry of the Secret; `tls.key` if it is left out.",
        ),
        server=text("URL of the server's directory."),
        skipTLSVerify=boolean(
            "Whether any certificate of the server is taken. Not for production: `caBundle` is."
        ),
        solvers=array("How names are proven.", SOLVER),
    )


def _vault() -> Schema:
    return record(
        "Signs with the PKI of a HashiCorp Vault.",
        required=("auth", "path", "server"),
        auth=record(
            "How to log in. One must be set.",
            appRole=record(
                "By AppRole.",
                required=("path", "roleId", "secretRef"),
                path=text("Where AppRole is mounted, such as `approle`."),
                roleId=text("Id of the role."),
                secretRef=secret_key("The secret id of the role."),
            ),
            kubernetes=record(
                "By a Kubernetes service account's token. One of the two references must be set.",
                required=("role",),
                mountPath=text(
                    "Where the method is mounted; `/v1/auth/kubernetes` if it is left out."
                ),
                role=text("Role at the Vault."),
                secretRef=secret_key(
                    "A token in a Secret.", "The entry of the Secret; `token` if it is left out."
                ),
                serviceAccountRef=record(
                    "A service account that a short-lived token is asked for. Who runs the"
                    " controller must allow that.",
                    required=("name",),
                    name=text("Name of the service account."),
                ),
            ),
            tokenSecretRef=secret_key("By a Vault token."),
        ),
        caBundle=text(
            "CA certificates, PEM, that the Vault's own certificate must come from; those of the"
            " system if neither this nor `caBundleSecretRef` is set.",
            format="byte",
        ),
        caBundleSecretRef=secret_key(
            "CA certificates as in `caBundle`, in a Secret.",
            "The entry of the Secret; `ca.crt` if it is left out.",
        ),
        namespace=text("Namespace of Vault Enterprise."),
        path=text("Path of the sign endpoint, such as `pki/sign/my-role`."),
        server=text("URL of the Vault, such as `https://vault.example.com:8200`."),
    )


def _venafi() -> Schema:
    return record(
        "Signs with Venafi. One of tpp and cloud must be set.",
        required=("zone",),
        cloud=record(
            "Venafi as a service.",
            required=("apiTokenSecretRef",),
            apiTokenSecretRef=secret_key("The API key."),
            url=text("URL of the service; `https://api.venafi.cloud/v1` if it is left out."),
        ),
        tpp=record(
            "Venafi Trust Protection Platform.",
            required=("credentialsRef", "url"),
            caBundle=text(
                "CA certificates, PEM, that the server's own certificate must come from; those of"
                " the system if it is left out.",
                format="byte",
            ),
            credentialsRef=record(
                "The Secret with `username` and `password`, or with `access-token`.",
                required=("name",),
                name=text("Name of the Secret."),
            ),
            url=text("URL of the server, such as `https://tpp.example.com/vedsdk`."),
        ),
        zone=text("The zone or policy folder; it may restrict what can be asked for."),
    )


_STATUS = record(
    "Whether it can sign. Written by the controller only.",
    acme=record(
        "The account at the ACME server.",
        lastPrivateKeyHash=text("Digest of the account's key that was registered last."),
        lastRegisteredEmail=text("Email that was registered last."),
        uri=text("URL of the account."),
    ),
    conditions=conditions(
        "`Ready`: it can sign, or the message says why it cannot.", "`Ready`.", generation=True
    ),
)

_COLUMNS = [
    column("Ready", ready("status")),
    column("Status", ready("message"), priority=1),
    AGE,
]

ISSUER = definition(
    group="cert-manager.io",
    kind="Issuer",
    plural="issuers",
    description="An Issuer signs the CertificateRequests of its own namespace that name it.",
    spec=_spec("the same namespace"),
    status=_STATUS,
    columns=_COLUMNS,
)

CLUSTER_ISSUER = definition(
    group="cert-manager.io",
    kind="ClusterIssuer",
    plural="clusterissuers",
    namespaced=False,
    description=(
        "A ClusterIssuer signs the CertificateRequests of all namespaces that name it. Its Secrets"
        " are in the cluster resource namespace."
    ),
    spec=_spec("the cluster resource namespace"),
    status=_STATUS,
    columns=_COLUMNS,
)
