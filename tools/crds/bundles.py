"""The Bundle of trust-manager. Source: cert-manager/trust-manager, pkg/apis/trust/v1alpha1."""

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
    mapping,
    record,
    text,
)


def _selector(description: str) -> Schema:
    requirement = record(
        "One requirement.",
        required=("key", "operator"),
        key=text("The label."),
        operator=text("How it is compared.", enum=["In", "NotIn", "Exists", "DoesNotExist"]),
        values=array("What it is compared with.", {"type": "string"}),
    )
    return record(
        description,
        matchExpressions=array("All of them must hold.", requirement),
        matchLabels=mapping("Labels with these values."),
    )


def _source(what: str) -> Schema:
    return record(
        f"{what} in the trust namespace.",
        includeAllKeys=boolean("Take every entry; not together with `key`."),
        key=text("The entry.", minLength=1),
        name=text("Its name; not together with `selector`.", minLength=1),
        selector=_selector("Takes all that have these labels."),
    )


def _target(what: str) -> Schema:
    return record(
        f"A {what} of the Bundle's name in each namespace.",
        required=("key",),
        key=text("The entry that gets the certificates as PEM.", minLength=1),
        metadata=record(
            "What it is to carry besides.",
            annotations=mapping("Annotations."),
            labels=mapping("Labels."),
        ),
    )


_KEY = text("The entry that gets it.", minLength=1)
_FORMATS = record(
    "The same certificates in other formats, in the same object.",
    jks=record(
        "A Java truststore, JKS.",
        required=("key",),
        key=_KEY,
        password=text("Of the store.", minLength=1, maxLength=128, default="changeit"),
    ),
    pkcs12=record(
        "A truststore, PKCS#12.",
        required=("key",),
        key=_KEY,
        password=text("Of the store; empty for none.", maxLength=128, default=""),
        profile=text(
            "Its algorithms. LegacyRC2 is written as LegacyDES, which everybody reads.",
            enum=["LegacyRC2", "LegacyDES", "Modern2023"],
        ),
    ),
)

BUNDLE = definition(
    group="trust.cert-manager.io",
    kind="Bundle",
    plural="bundles",
    namespaced=False,
    version="v1alpha1",
    description=(
        "A Bundle gathers CA certificates from its sources and writes them into every namespace,"
        " or those that are selected."
    ),
    spec=record(
        "What is wanted.",
        required=("sources",),
        sources=array(
            "Where certificates come from, in this order; each twice counts once.",
            record(
                "One of these.",
                configMap=_source("A ConfigMap"),
                inLine=text("Certificates, PEM."),
                secret=_source("A Secret"),
                useDefaultCAs=boolean("The certificates of the controller's own default bundle."),
            ),
            minItems=1,
            maxItems=100,
        ),
        target=record(
            "Where they go.",
            additionalFormats=_FORMATS,
            configMap=_target("ConfigMap"),
            namespaceSelector=_selector("Namespaces that get it; all if it is left out."),
            secret=_target("Secret"),
        ),
    ),
    status=record(
        "How far it is.",
        conditions=conditions(
            "`Synced`: whether all targets are written.", "`Synced`.", generation=True
        ),
        defaultCAVersion=text("Which default bundle was used."),
    ),
    columns=[
        column("ConfigMap Target", ".spec.target.configMap.key"),
        column("Secret Target", ".spec.target.secret.key"),
        column("Synced", condition("Synced", "status")),
        column("Reason", condition("Synced", "reason")),
        AGE,
    ],
)
