"""The CRDs of Order and Challenge.

Source: reference cert-manager.md 1.4 and 1.5.
"""

from __future__ import annotations

from crds.schema import (
    ACME_STATES,
    AGE,
    array,
    boolean,
    column,
    definition,
    issuer_ref,
    record,
    text,
    texts,
)
from crds.solver import SOLVER

_CATEGORIES = ("cert-manager", "cert-manager-acme")

ORDER = definition(
    group="acme.cert-manager.io",
    kind="Order",
    plural="orders",
    categories=_CATEGORIES,
    required=("metadata", "spec"),
    description="An Order is one order at an ACME server (RFC 8555, 7.1.3).",
    spec=record(
        "What is ordered.",
        required=("issuerRef", "request"),
        commonName=text("Common name of the CSR; also ordered as a DNS name."),
        dnsNames=texts("DNS names to order, the same as in the CSR."),
        duration=text("Life time that is asked for, if the issuer has enableDurationFeature."),
        ipAddresses=texts("IP addresses to order, the same as in the CSR."),
        issuerRef=issuer_ref("The ACME Issuer or ClusterIssuer whose account orders."),
        request=text("The CSR, PEM or DER; sent when all is proven.", format="byte"),
    ),
    status=record(
        "What became of it.",
        authorizations=array(
            "What the server wants proven, one entry for each name.",
            record(
                "Proof for one name.",
                required=("url",),
                challenges=array(
                    "The ways to prove it; one is taken.",
                    record(
                        "One way to prove it.",
                        required=("token", "type", "url"),
                        token=text("The server's token, part of the answer."),
                        type=text("Such as `http-01` or `dns-01`."),
                        url=text("Where the challenge stands at the server."),
                    ),
                ),
                identifier=text("The DNS name."),
                initialState=text(
                    "State when the order was made. If it is valid, nothing needs to be proven.",
                    enum=ACME_STATES,
                ),
                url=text("Where the authorization stands at the server."),
                wildcard=boolean("Whether it is for `*.` and the name."),
            ),
        ),
        certificate=text("The issued chain, PEM.", format="byte"),
        failureTime=text("When the order failed.", format="date-time"),
        finalizeURL=text("Where the CSR is sent."),
        reason=text("Why the state is as it is."),
        state=text("State of the order.", enum=ACME_STATES),
        url=text("Where the order stands at the server."),
    ),
    columns=[
        column("State", ".status.state"),
        column("Issuer", ".spec.issuerRef.name", priority=1),
        column("Reason", ".status.reason", priority=1),
        AGE,
    ],
)

CHALLENGE = definition(
    group="acme.cert-manager.io",
    kind="Challenge",
    plural="challenges",
    categories=_CATEGORIES,
    required=("metadata", "spec"),
    description="A Challenge is one challenge of an Order (RFC 8555, 7.1.5) while it is answered.",
    spec=record(
        "What is to be proven, and how. Cannot be changed.",
        required=(
            "authorizationURL",
            "dnsName",
            "issuerRef",
            "key",
            "solver",
            "token",
            "type",
            "url",
        ),
        authorizationURL=text("Where the authorization stands at the server."),
        dnsName=text("The name to prove, without `*.`."),
        issuerRef=issuer_ref("The ACME Issuer or ClusterIssuer whose account answers."),
        key=text("The answer: the key authorization, or for DNS-01 its digest as a TXT value."),
        solver=SOLVER,
        token=text("The server's token."),
        type=text("How it is proven.", enum=["HTTP-01", "DNS-01"]),
        url=text("Where the challenge stands at the server."),
        wildcard=boolean("Whether it is for `*.` and the name."),
    ),
    status=record(
        "What became of it.",
        presented=boolean(
            "Whether the answer has been put up; not whether it can be seen already."
        ),
        processing=boolean("Whether it is this challenge's turn; the number at once is limited."),
        reason=text("Why the state is as it is."),
        state=text("State at the server; empty if not known yet.", enum=ACME_STATES),
    ),
    columns=[
        column("State", ".status.state"),
        column("Domain", ".spec.dnsName"),
        column("Reason", ".status.reason", priority=1),
        AGE,
    ],
)
