"""Every label, annotation, finalizer and data key that has a meaning here.

Source: reference cert-manager.md 2.12.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACME_GROUP",
    "ALLOW_DIRECT_INJECTION",
    "ALT_NAMES",
    "APPLY_SET",
    "BUNDLE",
    "BUNDLE_HASH",
    "CA_CRT",
    "CA_ROTATION",
    "CA_ROTATION_STATE",
    "CERTIFICATE_NAME",
    "CERTIFICATE_REVISION",
    "CHALLENGE_FINALIZER",
    "CLUSTER_ISSUER_KIND",
    "COMMON_NAME",
    "CONTROLLER_FAO",
    "CSR_PRIVATE_KEY_SECRET_NAME",
    "CSR_REQUEST_DURATION",
    "CSR_REQUEST_IS_CA",
    "CSR_VENAFI_CUSTOM_FIELDS",
    "CSR_VENAFI_PICKUP_ID",
    "DISABLE_VALIDATION",
    "DURATION",
    "EMAIL_SANS",
    "GROUP",
    "HTTP01_EDIT_IN_PLACE",
    "HTTP01_INGRESS_CLASS",
    "HTTP01_INGRESS_CLASS_NAME",
    "HTTP01_OVERRIDE_INGRESS_CLASS",
    "HTTP01_OVERRIDE_INGRESS_CLASS_NAME",
    "HTTP01_OVERRIDE_INGRESS_NAME",
    "HTTP01_PARENT_FALLBACK",
    "HTTP01_PARENT_KIND",
    "HTTP01_PARENT_NAME",
    "HTTP01_PARENT_NAMESPACE",
    "HTTP01_SOLVER",
    "HTTP_DOMAIN",
    "HTTP_TOKEN",
    "IGNORE_LISTENERS",
    "INGRESS_CLUSTER_ISSUER",
    "INGRESS_ISSUER",
    "INJECT_APISERVER_CA",
    "INJECT_CA_FROM",
    "INJECT_CA_FROM_SECRET",
    "IP_SANS",
    "ISSUER_GROUP",
    "ISSUER_KIND",
    "ISSUER_KIND_NAME",
    "ISSUER_NAME",
    "ISSUE_TEMPORARY_CERTIFICATE",
    "JKS_KEYSTORE",
    "JKS_TRUSTSTORE",
    "KEY_DER",
    "NEXT_PRIVATE_KEY",
    "PKCS12_KEYSTORE",
    "PKCS12_TRUSTSTORE",
    "PRIVATE_KEY_ALGORITHM",
    "PRIVATE_KEY_ENCODING",
    "PRIVATE_KEY_ROTATION_POLICY",
    "PRIVATE_KEY_SECRET_NAME",
    "PRIVATE_KEY_SIZE",
    "RENEW_BEFORE",
    "RENEW_BEFORE_PERCENTAGE",
    "REVISION_HISTORY_LIMIT",
    "REVOKE_FINALIZER",
    "REVOKE_ON_DELETE",
    "ROLLOVER_ACCOUNT_KEY",
    "SECRET_TEMPLATE",
    "SUBJECT_COUNTRIES",
    "SUBJECT_LOCALITIES",
    "SUBJECT_ORGANIZATIONAL_UNITS",
    "SUBJECT_ORGANIZATIONS",
    "SUBJECT_POSTAL_CODES",
    "SUBJECT_PROVINCES",
    "SUBJECT_SERIAL_NUMBER",
    "SUBJECT_STREET_ADDRESSES",
    "TLS_COMBINED_PEM",
    "TLS_CRT",
    "TLS_KEY",
    "URI_SANS",
    "USAGES",
    "VENAFI_CUSTOM_FIELDS",
    "VENAFI_PICKUP_ID",
]

GROUP: Final = "cert-manager.io"
ACME_GROUP: Final = "acme.cert-manager.io"
ISSUER_KIND_NAME: Final = "Issuer"
"""The kind that an issuerRef without one means."""
CLUSTER_ISSUER_KIND: Final = "ClusterIssuer"

# ------------------------------------------------------------------------------ data of a Secret

TLS_CRT: Final = "tls.crt"
TLS_KEY: Final = "tls.key"
CA_CRT: Final = "ca.crt"
KEY_DER: Final = "key.der"
TLS_COMBINED_PEM: Final = "tls-combined.pem"
PKCS12_KEYSTORE: Final = "keystore.p12"
PKCS12_TRUSTSTORE: Final = "truststore.p12"
JKS_KEYSTORE: Final = "keystore.jks"
JKS_TRUSTSTORE: Final = "truststore.jks"

# ------------------------------------------------------------------------------ Secrets

CERTIFICATE_NAME: Final = "cert-manager.io/certificate-name"
"""On a Secret and a CertificateRequest; cainjector asks for it on Secrets it takes a CA from."""
ISSUER_NAME: Final = "cert-manager.io/issuer-name"
ISSUER_KIND: Final = "cert-manager.io/issuer-kind"
ISSUER_GROUP: Final = "cert-manager.io/issuer-group"
COMMON_NAME: Final = "cert-manager.io/common-name"
ALT_NAMES: Final = "cert-manager.io/alt-names"
IP_SANS: Final = "cert-manager.io/ip-sans"
URI_SANS: Final = "cert-manager.io/uri-sans"
EMAIL_SANS: Final = "cert-manager.io/email-sans"
SUBJECT_ORGANIZATIONS: Final = "cert-manager.io/subject-organizations"
SUBJECT_ORGANIZATIONAL_UNITS: Final = "cert-manager.io/subject-organizationalunits"
SUBJECT_COUNTRIES: Final = "cert-manager.io/subject-countries"
SUBJECT_PROVINCES: Final = "cert-manager.io/subject-provinces"
SUBJECT_LOCALITIES: Final = "cert-manager.io/subject-localities"
SUBJECT_POSTAL_CODES: Final = "cert-manager.io/subject-postalcodes"
SUBJECT_STREET_ADDRESSES: Final = "cert-manager.io/subject-streetaddresses"
SUBJECT_SERIAL_NUMBER: Final = "cert-manager.io/subject-serialnumber"
NEXT_PRIVATE_KEY: Final = "cert-manager.io/next-private-key"
"""Label `true` on the Secret that holds a key before its certificate is issued."""
CONTROLLER_FAO: Final = "controller.cert-manager.io/fao"
"""Label `true` on Secrets that the controller keeps in its cache in full."""
ALLOW_DIRECT_INJECTION: Final = "cert-manager.io/allow-direct-injection"

# ------------------------------------------------------------------------------ CertificateRequests

CERTIFICATE_REVISION: Final = "cert-manager.io/certificate-revision"
PRIVATE_KEY_SECRET_NAME: Final = "cert-manager.io/private-key-secret-name"  # noqa: S105 - a key
VENAFI_CUSTOM_FIELDS: Final = "venafi.cert-manager.io/custom-fields"
VENAFI_PICKUP_ID: Final = "venafi.cert-manager.io/pickup-id"

# ------------------------------------------------------------------------------ Certificates

ISSUE_TEMPORARY_CERTIFICATE: Final = "cert-manager.io/issue-temporary-certificate"
HTTP01_OVERRIDE_INGRESS_NAME: Final = "acme.cert-manager.io/http01-override-ingress-name"
HTTP01_OVERRIDE_INGRESS_CLASS: Final = "acme.cert-manager.io/http01-override-ingress-class"
HTTP01_OVERRIDE_INGRESS_CLASS_NAME: Final = (
    "acme.cert-manager.io/http01-override-ingress-ingressclassname"
)
"""Of later versions, as the three below."""
HTTP01_PARENT_NAME: Final = "acme.cert-manager.io/http01-parentrefname"
HTTP01_PARENT_KIND: Final = "acme.cert-manager.io/http01-parentrefkind"
HTTP01_PARENT_NAMESPACE: Final = "acme.cert-manager.io/http01-parentrefnamespace"

# ------------------------------------------------------------------------------ Issuers, ours

ROLLOVER_ACCOUNT_KEY: Final = "certwright.dev/rollover-account-key"
"""On an ACME issuer: its account is to get a new key; goes when it has."""

CA_ROTATION: Final = "certwright.dev/ca-rotation"
"""On a CA issuer, a duration: leaves are issued anew when the CA changes, with so much time between
that both are trusted and that the new one signs (`policy.ca_rotation`)."""
CA_ROTATION_STATE: Final = "certwright.dev/ca-rotation-state"
"""On such an issuer, ours: what is trusted now."""

# ------------------------------------------------------------------------------ Certificates, ours

REVOKE_ON_DELETE: Final = "certwright.dev/revoke-on-delete"
"""`true` on a Certificate: what it issued is revoked when it is deleted."""
REVOKE_FINALIZER: Final = "certwright.dev/revoke"

# ------------------------------------------------------------------------------ injectables

INJECT_CA_FROM: Final = "cert-manager.io/inject-ca-from"
INJECT_CA_FROM_SECRET: Final = "cert-manager.io/inject-ca-from-secret"  # noqa: S105 - a key
INJECT_APISERVER_CA: Final = "cert-manager.io/inject-apiserver-ca"

# ------------------------------------------------------------------------------ Ingresses, Gateways

INGRESS_ISSUER: Final = "cert-manager.io/issuer"
INGRESS_CLUSTER_ISSUER: Final = "cert-manager.io/cluster-issuer"
DURATION: Final = "cert-manager.io/duration"
RENEW_BEFORE: Final = "cert-manager.io/renew-before"
USAGES: Final = "cert-manager.io/usages"
REVISION_HISTORY_LIMIT: Final = "cert-manager.io/revision-history-limit"
PRIVATE_KEY_ALGORITHM: Final = "cert-manager.io/private-key-algorithm"
PRIVATE_KEY_ENCODING: Final = "cert-manager.io/private-key-encoding"
PRIVATE_KEY_SIZE: Final = "cert-manager.io/private-key-size"
PRIVATE_KEY_ROTATION_POLICY: Final = "cert-manager.io/private-key-rotation-policy"
HTTP01_EDIT_IN_PLACE: Final = "acme.cert-manager.io/http01-edit-in-place"
HTTP01_INGRESS_CLASS: Final = "acme.cert-manager.io/http01-ingress-class"
HTTP01_INGRESS_CLASS_NAME: Final = "acme.cert-manager.io/http01-ingress-ingressclassname"
"""Of later versions, as the four below."""
RENEW_BEFORE_PERCENTAGE: Final = "cert-manager.io/renew-before-percentage"
SECRET_TEMPLATE: Final = "cert-manager.io/secret-template"  # noqa: S105 - a key
IGNORE_LISTENERS: Final = "cert-manager.io/ignore-tls-listeners"
HTTP01_PARENT_FALLBACK: Final = "acme.cert-manager.io/http01-parentreffallback"
APPLY_SET: Final = "applyset.kubernetes.io/part-of"
"""Label of `kubectl apply`: whoever has it and was not applied is pruned."""

# ------------------------------------------------------------------------------ trust bundles

BUNDLE: Final = "trust.cert-manager.io/bundle"
"""Label on a target: the name of its Bundle."""
BUNDLE_HASH: Final = "trust.cert-manager.io/hash"
"""Annotation on a target: of what it was made from."""

# ------------------------------------------------------------------------------ HTTP-01 solvers

HTTP_DOMAIN: Final = "acme.cert-manager.io/http-domain"
HTTP_TOKEN: Final = "acme.cert-manager.io/http-token"  # noqa: S105 - a key
HTTP01_SOLVER: Final = "acme.cert-manager.io/http01-solver"
CHALLENGE_FINALIZER: Final = "finalizer.acme.cert-manager.io"
"""On a Challenge while it is processed."""

# ------------------------------------------------------------------------------ Kubernetes CSRs

CSR_REQUEST_DURATION: Final = "experimental.cert-manager.io/request-duration"
CSR_REQUEST_IS_CA: Final = "experimental.cert-manager.io/request-is-ca"
CSR_PRIVATE_KEY_SECRET_NAME: Final = "experimental.cert-manager.io/private-key-secret-name"  # noqa: S105 - a key
CSR_VENAFI_CUSTOM_FIELDS: Final = "venafi.experimental.cert-manager.io/custom-fields"
CSR_VENAFI_PICKUP_ID: Final = "venafi.experimental.cert-manager.io/pickup-id"

# ------------------------------------------------------------------------------ Namespaces

DISABLE_VALIDATION: Final = "cert-manager.io/disable-validation"
"""Label `true` on a Namespace whose objects the validating webhook does not see."""
