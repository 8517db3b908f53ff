"""The schema of an ACME solver, which Issuers list and Challenges carry.

Source: reference cert-manager.md 1.3.
"""

from __future__ import annotations

from crds.affinity import AFFINITY
from crds.schema import (
    Schema,
    array,
    integer,
    mapping,
    record,
    secret_key,
    text,
    texts,
)

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"


def _metadata(whose: str) -> Schema:
    return record(
        f"Metadata of the {whose}; what is not named here is not taken over.",
        annotations=mapping(f"Annotations that the {whose} gets besides its own."),
        labels=mapping(f"Labels that the {whose} gets besides its own."),
    )


_DNS01 = record(
    "Proves by a TXT record at `_acme-challenge.` and the name. One provider must be set.",
    acmeDNS=record(
        "An ACME-DNS server.",
        required=("accountSecretRef", "host"),
        accountSecretRef=secret_key("The accounts, as JSON by domain name."),
        host=text("URL of the server."),
    ),
    akamai=record(
        "Akamai Edge DNS.",
        required=(
            "accessTokenSecretRef",
            "clientSecretSecretRef",
            "clientTokenSecretRef",
            "serviceConsumerDomain",
        ),
        accessTokenSecretRef=secret_key("The access token."),
        clientSecretSecretRef=secret_key("The client secret."),
        clientTokenSecretRef=secret_key("The client token."),
        serviceConsumerDomain=text("Host of the API, such as `akab-x.luna.akamaiapis.net`."),
    ),
    azureDNS=record(
        "Azure DNS.",
        required=("resourceGroupName", "subscriptionID"),
        clientID=text("Application id. It, `tenantID` and `clientSecretSecretRef` go together."),
        clientSecretSecretRef=secret_key("The secret of the application."),
        environment=text(
            "Which Azure; AzurePublicCloud if it is left out.",
            enum=[
                "AzurePublicCloud",
                "AzureChinaCloud",
                "AzureGermanCloud",
                "AzureUSGovernmentCloud",
            ],
        ),
        hostedZoneName=text("DNS zone to write to; found by the name if it is left out."),
        managedIdentity=record(
            "The identity of the machine or workload, instead of an application's secret.",
            clientID=text("Client id of the identity; excludes `resourceID`."),
            resourceID=text("Resource id of the identity; excludes `clientID`."),
        ),
        resourceGroupName=text("Resource group of the DNS zone."),
        subscriptionID=text("Subscription of the DNS zone."),
        tenantID=text("Tenant of the application."),
    ),
    cloudDNS=record(
        "Google Cloud DNS.",
        required=("project",),
        hostedZoneName=text("Managed zone to write to; found by the name if it is left out."),
        project=text("Project id of the zone."),
        serviceAccountSecretRef=secret_key(
            "A service account's key, JSON; the machine's own identity if it is left out."
        ),
    ),
    cloudflare=record(
        "Cloudflare DNS. One of `apiTokenSecretRef` and `apiKeySecretRef` must be set.",
        apiKeySecretRef=secret_key("The global API key of the account; needs `email`."),
        apiTokenSecretRef=secret_key("An API token that may read zones and edit DNS."),
        email=text("Email of the account; needed with an API key only."),
    ),
    cnameStrategy=text(
        "Whether the record is put where a CNAME at `_acme-challenge.` points to (Follow) or not"
        " (None); None if it is left out.",
        enum=["None", "Follow"],
    ),
    digitalocean=record(
        "DigitalOcean DNS.",
        required=("tokenSecretRef",),
        tokenSecretRef=secret_key("A token that may write."),
    ),
    rfc2136=record(
        "Any name server that takes dynamic updates (RFC 2136).",
        required=("nameserver",),
        nameserver=text(
            "`host:port` of the server that takes updates; port 53 if it is left out, an IPv6"
            " address stands in brackets."
        ),
        tsigAlgorithm=text(
            "HMACMD5, HMACSHA1, HMACSHA256 or HMACSHA512; HMACMD5 if it is left out and there is a"
            " key."
        ),
        tsigKeyName=text("Name of the TSIG key; needs `tsigSecretSecretRef`."),
        tsigSecretSecretRef=secret_key("The TSIG key, base64; needs `tsigKeyName`."),
    ),
    route53=record(
        "AWS Route 53.",
        required=("region",),
        accessKeyID=text(
            "Access key id; the machine's own identity if neither it nor the reference is set."
            " Excludes `accessKeyIDSecretRef`."
        ),
        accessKeyIDSecretRef=secret_key("The access key id in a Secret. Excludes `accessKeyID`."),
        hostedZoneID=text("Hosted zone to write to; found by the name if it is left out."),
        region=text("AWS region, such as `eu-central-1`."),
        role=text("ARN of a role to take on."),
        secretAccessKeySecretRef=secret_key("The secret access key."),
    ),
    webhook=record(
        "A provider outside of this program, behind the API server.",
        required=("groupName", "solverName"),
        config={
            "description": "What the provider wants to know; its own documentation says what."
            " Secrets do not belong here.",
            "x-kubernetes-preserve-unknown-fields": True,
        },
        groupName=text("API group that the provider serves."),
        solverName=text("Which solver of that group."),
    ),
)

_PARENT_REFS = array(
    "The Gateways to attach to; at least one.",
    record(
        "A Gateway, or a listener of it.",
        required=("name",),
        group=text(
            "API group of the parent; empty for the core group.",
            default="gateway.networking.k8s.io",
            maxLength=253,
            pattern=f"^$|^{_SUBDOMAIN}$",
        ),
        kind=text(
            "Kind of the parent.",
            default="Gateway",
            maxLength=63,
            minLength=1,
            pattern="^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$",
        ),
        name=text("Name of the parent.", maxLength=253, minLength=1),
        namespace=text(
            "Namespace of the parent; that of the HTTPRoute if it is left out.",
            maxLength=63,
            minLength=1,
            pattern=f"^{_LABEL}$",
        ),
        port=integer(
            "Attach only to listeners on this port.", format="int32", maximum=65535, minimum=1
        ),
        sectionName=text(
            "Attach only to the listener of this name.",
            maxLength=253,
            minLength=1,
            pattern=f"^{_SUBDOMAIN}$",
        ),
    ),
)

_POD_SPEC = record(
    "Fields of the solver pod's spec that may be set.",
    affinity=AFFINITY,
    imagePullSecrets=array(
        "Secrets to pull the solver image with.",
        record(
            "A Secret in the pod's namespace.",
            rules={"x-kubernetes-map-type": "atomic"},
            name=text("Name of the Secret."),
        ),
    ),
    nodeSelector=mapping("Labels that the node must have."),
    priorityClassName=text("Priority class of the pod."),
    serviceAccountName=text("Service account of the pod."),
    tolerations=array(
        "Taints that the pod tolerates.",
        record(
            "One toleration.",
            effect=text("NoSchedule, PreferNoSchedule or NoExecute; any if it is left out."),
            key=text("Key of the taint; any if it is left out, then the operator must be Exists."),
            operator=text("Exists or Equal; Equal if it is left out."),
            tolerationSeconds=integer(
                "How long a NoExecute taint is tolerated, in seconds; for ever if it is left out.",
                format="int64",
            ),
            value=text("Value of the taint; empty with Exists."),
        ),
    ),
)

_SERVICE_TYPE = text("Type of the solver's Service: ClusterIP or NodePort; NodePort if left out.")

_HTTP01 = record(
    "Proves by a file below `http://` and the name. Not for wildcards. One of the two must be set.",
    gatewayHTTPRoute=record(
        "Lets a Gateway serve the file, by an HTTPRoute. Needs the feature gate"
        " ExperimentalGatewayAPISupport.",
        labels=mapping("Labels of the HTTPRoute."),
        parentRefs=_PARENT_REFS,
        serviceType=_SERVICE_TYPE,
    ),
    ingress=record(
        "Lets an Ingress serve the file. At most one of `class`, `ingressClassName` and `name`.",
        **{"class": text("Value of the annotation `kubernetes.io/ingress.class`.")},
        ingressClassName=text("Class of the Ingress that is made."),
        ingressTemplate=record(
            "What the Ingress that is made is like.", metadata=_metadata("Ingress")
        ),
        name=text("An Ingress that exists, which gets a path, instead of a new one."),
        podTemplate=record(
            "What the solver pod is like.", metadata=_metadata("pod"), spec=_POD_SPEC
        ),
        serviceType=_SERVICE_TYPE,
    ),
)

SOLVER = record(
    "How names are proven, and for which: an empty selector is for all. If several fit, the one"
    " with the most exact selector is taken. One of dns01 and http01 must be set.",
    dns01=_DNS01,
    http01=_HTTP01,
    selector=record(
        "Which names of which Certificates this solver is for; all that is set must fit.",
        dnsNames=texts("Exactly these names; before `dnsZones`."),
        dnsZones=texts("These zones and what is below; the longest one wins."),
        matchLabels=mapping("Labels of the Certificate; the most labels win."),
    ),
)
