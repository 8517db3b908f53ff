"""Kinds of objects, and the key that names one object of a kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

__all__ = [
    "API_SERVICE",
    "BUNDLE",
    "CERTIFICATE",
    "CERTIFICATE_REQUEST",
    "CERTIFICATE_SIGNING_REQUEST",
    "CHALLENGE",
    "CLUSTER_ISSUER",
    "CONFIG_MAP",
    "CUSTOM_RESOURCE_DEFINITION",
    "EVENT",
    "GATEWAY",
    "HTTP_ROUTE",
    "INGRESS",
    "ISSUER",
    "KINDS",
    "LEASE",
    "LISTENER_SET",
    "MUTATING_WEBHOOK_CONFIGURATION",
    "NAMESPACE",
    "ORDER",
    "POD",
    "SECRET",
    "SERVICE",
    "SUBJECT_ACCESS_REVIEW",
    "VALIDATING_WEBHOOK_CONFIGURATION",
    "Key",
    "Kind",
    "Manifest",
]

Manifest: TypeAlias = dict[str, Any]
"""One object as its JSON: nested dicts, lists, str, int, float, bool, None.

Objects are read through typed views and never through a closed model, so that fields nobody here
knows survive every round trip. A function that returns a changed object returns a copy.
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object, as the API server knows it."""

    group: str
    """API group; empty for the core group."""
    version: str
    name: str
    """Such as `Certificate`."""
    plural: str
    """Such as `certificates`, as it stands in URLs."""
    namespaced: bool = True
    has_status: bool = False
    """Whether status is a subresource, written apart from the rest."""

    @property
    def api_version(self) -> str:
        """`group/version`, or `version` alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def key(self, namespace: str, name: str) -> Key:
        """Return the key of one object; `namespace` is empty for a cluster-wide kind."""
        return Key(self, namespace if self.namespaced else "", name)


@dataclass(frozen=True, slots=True)
class Key:
    """Names one object."""

    kind: Kind
    namespace: str
    """Empty for cluster-wide kinds."""
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind.name} {place}"


_CM: Final = "cert-manager.io"
_ACME: Final = "acme.cert-manager.io"
_ADMISSION: Final = "admissionregistration.k8s.io"

CERTIFICATE: Final = Kind(_CM, "v1", "Certificate", "certificates", has_status=True)
CERTIFICATE_REQUEST: Final = Kind(
    _CM, "v1", "CertificateRequest", "certificaterequests", has_status=True
)
ISSUER: Final = Kind(_CM, "v1", "Issuer", "issuers", has_status=True)
CLUSTER_ISSUER: Final = Kind(
    _CM, "v1", "ClusterIssuer", "clusterissuers", namespaced=False, has_status=True
)
ORDER: Final = Kind(_ACME, "v1", "Order", "orders", has_status=True)
CHALLENGE: Final = Kind(_ACME, "v1", "Challenge", "challenges", has_status=True)
BUNDLE: Final = Kind(
    "trust.cert-manager.io", "v1alpha1", "Bundle", "bundles", namespaced=False, has_status=True
)
"""Of trust-manager."""
CONFIG_MAP: Final = Kind("", "v1", "ConfigMap", "configmaps")
SECRET: Final = Kind("", "v1", "Secret", "secrets")
NAMESPACE: Final = Kind("", "v1", "Namespace", "namespaces", namespaced=False, has_status=True)
EVENT: Final = Kind("", "v1", "Event", "events")
POD: Final = Kind("", "v1", "Pod", "pods", has_status=True)
SERVICE: Final = Kind("", "v1", "Service", "services", has_status=True)
INGRESS: Final = Kind("networking.k8s.io", "v1", "Ingress", "ingresses", has_status=True)
_GATEWAY_API: Final = "gateway.networking.k8s.io"
HTTP_ROUTE: Final = Kind(_GATEWAY_API, "v1beta1", "HTTPRoute", "httproutes", has_status=True)
GATEWAY: Final = Kind(_GATEWAY_API, "v1beta1", "Gateway", "gateways", has_status=True)
LISTENER_SET: Final = Kind(_GATEWAY_API, "v1", "ListenerSet", "listenersets", has_status=True)
LEASE: Final = Kind("coordination.k8s.io", "v1", "Lease", "leases")
CERTIFICATE_SIGNING_REQUEST: Final = Kind(
    "certificates.k8s.io",
    "v1",
    "CertificateSigningRequest",
    "certificatesigningrequests",
    namespaced=False,
    has_status=True,
)
SUBJECT_ACCESS_REVIEW: Final = Kind(
    "authorization.k8s.io",
    "v1",
    "SubjectAccessReview",
    "subjectaccessreviews",
    namespaced=False,
)
MUTATING_WEBHOOK_CONFIGURATION: Final = Kind(
    _ADMISSION,
    "v1",
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfigurations",
    namespaced=False,
)
VALIDATING_WEBHOOK_CONFIGURATION: Final = Kind(
    _ADMISSION,
    "v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)
CUSTOM_RESOURCE_DEFINITION: Final = Kind(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
    has_status=True,
)
API_SERVICE: Final = Kind(
    "apiregistration.k8s.io", "v1", "APIService", "apiservices", namespaced=False, has_status=True
)

KINDS: Final = (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    ISSUER,
    CLUSTER_ISSUER,
    ORDER,
    CHALLENGE,
    BUNDLE,
    CONFIG_MAP,
    SECRET,
    NAMESPACE,
    EVENT,
    LEASE,
    POD,
    SERVICE,
    INGRESS,
    HTTP_ROUTE,
    GATEWAY,
    LISTENER_SET,
    CERTIFICATE_SIGNING_REQUEST,
    SUBJECT_ACCESS_REVIEW,
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
    CUSTOM_RESOURCE_DEFINITION,
    API_SERVICE,
)
"""Every kind Certwright reads or writes."""
