"""The CRDs of Certificate and CertificateRequest.

Source: reference cert-manager.md 1.1 and 1.2.
"""

from __future__ import annotations

from crds.schema import (
    AGE,
    Schema,
    array,
    boolean,
    column,
    condition,
    conditions,
    definition,
    integer,
    issuer_ref,
    mapping,
    ready,
    record,
    secret_key,
    text,
    texts,
    usages,
)


def _keystore(name: str, file: str) -> Schema:
    return record(
        f"A {name} keystore in the Secret.",
        required=("create", "passwordSecretRef"),
        create=boolean(
            f"Whether to write `keystore.{file}` with the key and the chain and, if the CA is"
            f" known, `truststore.{file}` with the CA."
        ),
        passwordSecretRef=secret_key(
            "The Secret entry, in the same namespace, that holds the password of the keystores."
        ),
    )


_CERTIFICATE_SPEC = record(
    "What is wanted.",
    required=("issuerRef", "secretName"),
    additionalOutputFormats=array(
        "Further forms of the key and certificate to write into the Secret. Needs the feature gate"
        " AdditionalCertificateOutputFormats on controller and webhook.",
        record(
            "One further form.",
            required=("type",),
            type=text(
                "`DER`: the key as DER in `key.der`. `CombinedPEM`: the key and the chain, PEM, in"
                " `tls-combined.pem`.",
                enum=["DER", "CombinedPEM"],
            ),
        ),
    ),
    commonName=text(
        "Common name of the subject, at most 64 bytes. Clients look at the names below and ignore"
        " this one where there are any (RFC 6125, 6.4.4)."
    ),
    dnsNames=texts("DNS names the certificate is valid for."),
    duration=text(
        "Life time that is asked for, such as `2160h`; 90 days if it is left out, at least 1h."
        " An issuer may give another one. Units: h, m, s, ms, us, ns."
    ),
    emailAddresses=texts("Email addresses the certificate is valid for."),
    encodeUsagesInRequest=boolean(
        "Whether the key usages stand in the CSR too; true if it is left out."
    ),
    ipAddresses=texts("IP addresses the certificate is valid for."),
    isCA=boolean("Whether the certificate may sign others. Adds the usage `cert sign`."),
    issuerRef=issuer_ref(
        "Who signs: an Issuer of the same namespace, a ClusterIssuer, or somebody else's kind with"
        " its `group`."
    ),
    keystores=record(
        "Keystores to write into the Secret beside the PEM files.",
        jks=_keystore("JKS", "jks"),
        pkcs12=_keystore("PKCS#12", "p12"),
    ),
    literalSubject=text(
        "The whole subject as an RFC 4514 string, such as `CN=foo,DC=corp,DC=example,DC=com`, whose"
        " order is kept. Excludes `commonName` and the lists of `subject`. Needs the feature gate"
        " LiteralCertificateSubject on controller and webhook."
    ),
    privateKey=record(
        "What the private key is like.",
        algorithm=text(
            "RSA, ECDSA or Ed25519; RSA if it is left out.", enum=["RSA", "ECDSA", "Ed25519"]
        ),
        encoding=text(
            "How the key is written in `tls.key`: PKCS1 (also SEC1 for ECDSA) or PKCS8; PKCS1 if it"
            " is left out.",
            enum=["PKCS1", "PKCS8"],
        ),
        rotationPolicy=text(
            "`Always` makes a new key for each certificate, `Never` keeps the key for as long as it"
            " fits; Never if it is left out.",
            enum=["Never", "Always"],
        ),
        size=integer(
            "Bits: 2048 to 8192 for RSA (2048 if left out), 256, 384 or 521 for ECDSA (256 if left"
            " out); Ed25519 has none."
        ),
    ),
    renewBefore=text(
        "How long before its end the certificate is renewed, at least 5m and shorter than the life"
        " time; a third of the life time if it is left out. Units: h, m, s, ms, us, ns."
    ),
    revisionHistoryLimit=integer(
        "How many of the newest CertificateRequests are kept, at least 1; all if it is left out.",
        format="int32",
    ),
    secretName=text(
        "Name of the Secret, in the same namespace, that holds the key, the chain and the CA, and"
        " is kept up to date. Made if it is not there."
    ),
    secretTemplate=record(
        "Annotations and labels that the Secret gets and keeps.",
        annotations=mapping("Annotations of the Secret."),
        labels=mapping("Labels of the Secret."),
    ),
    subject=record(
        "Subject of the certificate, but for its common name.",
        countries=texts("Countries (C)."),
        localities=texts("Cities or localities (L)."),
        organizationalUnits=texts("Organizational units (OU)."),
        organizations=texts("Organizations (O)."),
        postalCodes=texts("Postal codes."),
        provinces=texts("States or provinces (ST)."),
        serialNumber=text("Serial number of the subject; not of the certificate."),
        streetAddresses=texts("Street addresses."),
    ),
    uris=texts("URIs the certificate is valid for."),
    usages=usages(
        "What the key may be used for; `digital signature` and `key encipherment` if it is left"
        " out."
    ),
)

_CERTIFICATE_STATUS = record(
    "What became of it. Written by the controller only.",
    conditions=conditions(
        "`Ready`: the Secret holds a certificate that fits. `Issuing`: a new one is being made.",
        "`Ready` or `Issuing`.",
        generation=True,
    ),
    failedIssuanceAttempts=integer(
        "Issuances that failed in a row; absent after one that succeeded. The wait before the next"
        " attempt grows with it, from one hour to 32."
    ),
    lastFailureTime=text(
        "When an issuance failed last; absent after one that succeeded.", format="date-time"
    ),
    nextPrivateKeySecretName=text(
        "The Secret that holds the key of the certificate being issued, until it is."
    ),
    notAfter=text("Last moment of the certificate in the Secret.", format="date-time"),
    notBefore=text("First moment of the certificate in the Secret.", format="date-time"),
    renewalTime=text("When the certificate will be renewed.", format="date-time"),
    revision=integer(
        "How many certificates have been issued; that of the present CertificateRequest."
    ),
)

CERTIFICATE = definition(
    group="cert-manager.io",
    kind="Certificate",
    plural="certificates",
    short_names=("cert", "certs"),
    description=(
        "A Certificate asks for a signed X.509 certificate and its key in a Secret, kept valid:"
        " it is renewed in time, and issued anew when what is asked for changes."
    ),
    spec=_CERTIFICATE_SPEC,
    status=_CERTIFICATE_STATUS,
    columns=[
        column("Ready", ready("status")),
        column("Secret", ".spec.secretName"),
        column("Issuer", ".spec.issuerRef.name", priority=1),
        column("Status", ready("message"), priority=1),
        AGE,
    ],
)

_REQUEST_SPEC = record(
    "What is asked for. Cannot be changed.",
    required=("issuerRef", "request"),
    duration=text("Life time that is asked for, such as `2160h`; 90 days if it is left out."),
    extra=mapping(
        "Further facts about who made the request. Set by the webhook.",
        {"type": "array", "items": {"type": "string"}},
    ),
    groups=texts(
        "Groups of who made the request. Set by the webhook.",
        **{"x-kubernetes-list-type": "atomic"},
    ),
    isCA=boolean("Whether the certificate may sign others; who signs may refuse."),
    issuerRef=issuer_ref(
        "Who signs: an Issuer of the same namespace, a ClusterIssuer, or somebody else's kind with"
        " its `group`."
    ),
    request=text("The CSR, PEM.", format="byte"),
    uid=text("Unique id of who made the request. Set by the webhook."),
    usages=usages(
        "What the key may be used for; `digital signature` and `key encipherment` if it is left"
        " out. Must agree with the CSR if both say it."
    ),
    username=text("Name of who made the request. Set by the webhook."),
)

_REQUEST_STATUS = record(
    "What became of it. Written by approvers and signers.",
    ca=text(
        "Certificate of the CA, PEM, if the signer knows it. What it is good for depends on the"
        " signer.",
        format="byte",
    ),
    certificate=text("The signed certificate and its chain, PEM.", format="byte"),
    conditions=conditions(
        "`Approved` or `Denied` by an approver, `InvalidRequest`, and `Ready` with the reason"
        " Pending, Failed, Denied or Issued.",
        "`Ready`, `InvalidRequest`, `Approved` or `Denied`.",
        generation=False,
    ),
    failureTime=text("When the request failed or was denied.", format="date-time"),
)

CERTIFICATE_REQUEST = definition(
    group="cert-manager.io",
    kind="CertificateRequest",
    plural="certificaterequests",
    short_names=("cr", "crs"),
    description=(
        "A CertificateRequest asks one issuer for one certificate for a CSR. It ends as issued,"
        " failed or denied, and is never tried again. Most are made for Certificates; Approved or"
        " Denied is set by who may `approve` for the `signers` of the issuer."
    ),
    spec=_REQUEST_SPEC,
    status=_REQUEST_STATUS,
    columns=[
        column("Approved", condition("Approved", "status")),
        column("Denied", condition("Denied", "status")),
        column("Ready", ready("status")),
        column("Issuer", ".spec.issuerRef.name"),
        column("Requestor", ".spec.username"),
        column("Status", ready("message"), priority=1),
        AGE,
    ],
)
