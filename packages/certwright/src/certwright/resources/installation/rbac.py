"""Who may do what: the exact rules of cert-manager's chart. They are a ceiling for the code too.

Source: reference cert-manager.md 9.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from certwright.resources.installation.settings import InstallationSettings
from certwright.resources.kinds import Manifest

__all__ = ["rbac"]

_GROUP: Final = "rbac.authorization.k8s.io"
_CM: Final = "cert-manager.io"
_ACME: Final = "acme.cert-manager.io"
_NET: Final = "networking.k8s.io"
_GATEWAY: Final = "gateway.networking.k8s.io"

_Rule: TypeAlias = tuple[str, str, str, str]
"""API group, resources, verbs, resource names; each list is separated by spaces."""


def _rule(group: str, resources: str, verbs: str, names: str = "") -> _Rule:
    return (group, resources, verbs, names)


_SIGNERS: Final = "issuers.cert-manager.io/* clusterissuers.cert-manager.io/*"
_EVENTS: Final = _rule("", "events", "create patch")
_READ_SECRETS: Final = _rule("", "secrets", "get list watch")
_WRITE_SECRETS: Final = _rule("", "secrets", "get list watch create update delete")
_READ_ISSUERS: Final = _rule(_CM, "clusterissuers issuers", "get list watch")

_CONTROLLER: Final[dict[str, tuple[_Rule, ...]]] = {
    "issuers": (
        _rule(_CM, "issuers issuers/status", "update patch"),
        _rule(_CM, "issuers", "get list watch"),
        _WRITE_SECRETS,
        _EVENTS,
    ),
    "clusterissuers": (
        _rule(_CM, "clusterissuers clusterissuers/status", "update patch"),
        _rule(_CM, "clusterissuers", "get list watch"),
        _WRITE_SECRETS,
        _EVENTS,
    ),
    "certificates": (
        _rule(
            _CM,
            "certificates certificates/status certificaterequests certificaterequests/status",
            "update patch",
        ),
        _rule(_CM, "certificates certificaterequests clusterissuers issuers", "get list watch"),
        _rule(_CM, "certificates/finalizers certificaterequests/finalizers", "update"),
        _rule(_ACME, "orders", "create delete get list watch"),
        _rule("", "secrets", "get list watch create update delete patch"),
        _EVENTS,
    ),
    "orders": (
        _rule(_ACME, "orders orders/status", "update patch"),
        _rule(_ACME, "orders challenges", "get list watch"),
        _READ_ISSUERS,
        _rule(_ACME, "challenges", "create delete"),
        _rule(_ACME, "orders/finalizers", "update"),
        _READ_SECRETS,
        _EVENTS,
    ),
    "challenges": (
        _rule(_ACME, "challenges challenges/status", "update patch"),
        _rule(_ACME, "challenges", "get list watch"),
        _rule(_CM, "issuers clusterissuers", "get list watch"),
        _READ_SECRETS,
        _EVENTS,
        _rule("", "pods services", "get list watch create delete"),
        _rule(_NET, "ingresses", "get list watch create delete update"),
        _rule(_GATEWAY, "httproutes", "get list watch create delete update"),
        _rule("route.openshift.io", "routes/custom-host", "create"),
        _rule(_ACME, "challenges/finalizers", "update"),
    ),
    "ingress-shim": (
        _rule(_CM, "certificates certificaterequests", "create update delete"),
        _rule(_CM, "certificates certificaterequests issuers clusterissuers", "get list watch"),
        _rule(_NET, "ingresses", "get list watch"),
        _rule(_NET, "ingresses/finalizers", "update"),
        _rule(_GATEWAY, "gateways httproutes listenersets", "get list watch"),
        _rule(
            _GATEWAY, "gateways/finalizers httproutes/finalizers listenersets/finalizers", "update"
        ),
        _EVENTS,
    ),
    "approve:cert-manager-io": (_rule(_CM, "signers", "approve", _SIGNERS),),
    "certificatesigningrequests": (
        _rule("certificates.k8s.io", "certificatesigningrequests", "get list watch update"),
        _rule("certificates.k8s.io", "certificatesigningrequests/status", "update patch"),
        _rule("certificates.k8s.io", "signers", "sign", _SIGNERS),
        _rule("authorization.k8s.io", "subjectaccessreviews", "create"),
    ),
}
"""ClusterRoles of the controller, by the end of their name."""

_TRUST: Final = "trust.cert-manager.io"
_BUNDLES: Final = (
    _rule(_TRUST, "bundles", "get list watch"),
    _rule(_TRUST, "bundles/status bundles/finalizers", "update patch"),
    _rule("", "namespaces", "get list watch"),
    _rule("", "configmaps", "get list watch create patch update delete"),
    _EVENTS,
)
"""Beyond cert-manager's: what trust-manager's own roles allow, Secrets apart, which we have."""
_EDITED: Final = "create delete deletecollection patch update"
_FOR_PEOPLE: Final[dict[str, tuple[tuple[_Rule, ...], tuple[str, ...]]]] = {
    "view": (
        (
            _rule(_CM, "certificates certificaterequests issuers", "get list watch"),
            _rule(_ACME, "challenges orders", "get list watch"),
        ),
        ("view", "edit", "admin"),
    ),
    "edit": (
        (
            _rule(_CM, "certificates certificaterequests issuers", _EDITED),
            _rule(_CM, "certificates/status", "update"),
            # Not to be made or changed: a Challenge of one's own making would reach the credentials
            # of a ClusterIssuer's solver.
            _rule(_ACME, "challenges orders", "delete deletecollection"),
        ),
        ("edit", "admin"),
    ),
}
"""Rules and the roles of Kubernetes that they are added to."""

_INJECTOR: Final = (
    _rule(_CM, "certificates", "get list watch"),
    _READ_SECRETS,
    _rule("", "events", "get create update patch"),
    _rule(
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations mutatingwebhookconfigurations",
        "get list watch update patch",
    ),
    _rule("apiregistration.k8s.io", "apiservices", "get list watch update patch"),
    _rule("apiextensions.k8s.io", "customresourcedefinitions", "get list watch update patch"),
)


@dataclass(frozen=True, slots=True)
class _Grant:
    """A role and its binding."""

    name: str
    component: str
    account: str
    rules: tuple[_Rule, ...]
    namespace: str = ""
    """Empty for a ClusterRole."""


def rbac(settings: InstallationSettings, *, trust_bundles: bool = False) -> list[Manifest]:
    """Return ServiceAccounts, roles and bindings; with what serving Bundles takes, if asked for."""
    made = [
        _account(settings, account, component)
        for account, component in (
            ("cert-manager-cainjector", "cainjector"),
            ("cert-manager", "controller"),
            ("cert-manager-webhook", "webhook"),
        )
    ]
    for grant in _grants(settings):
        made += _role_and_binding(settings, grant)
    if trust_bundles:
        name = "cert-manager-controller-bundles"
        grant = _Grant(name, "controller", "cert-manager", _BUNDLES)
        made += _role_and_binding(settings, grant)
    for name, (rules, aggregated) in _FOR_PEOPLE.items():
        role = _role(settings, f"cert-manager-{name}", "controller", rules)
        role["metadata"]["labels"] |= {
            f"{_GROUP}/aggregate-to-{target}": "true" for target in aggregated
        }
        made.append(role)
    return made


def _grants(settings: InstallationSettings) -> Iterator[_Grant]:
    election = settings.leader_election_namespace
    leases, group = "leases", "coordination.k8s.io"
    for name, rules in _CONTROLLER.items():
        # Two roles of the original have another component than the rest.
        odd = name in {"approve:cert-manager-io", "certificatesigningrequests"}
        component = "cert-manager" if odd else "controller"
        yield _Grant(f"cert-manager-controller-{name}", component, "cert-manager", rules)
    yield _Grant("cert-manager-cainjector", "cainjector", "cert-manager-cainjector", _INJECTOR)
    yield _Grant(
        "cert-manager-webhook:subjectaccessreviews",
        "webhook",
        "cert-manager-webhook",
        (_rule("authorization.k8s.io", "subjectaccessreviews", "create"),),
    )
    yield _Grant(
        "cert-manager:leaderelection",
        "controller",
        "cert-manager",
        (
            _rule(group, leases, "get update patch", "cert-manager-controller"),
            _rule(group, leases, "create"),
        ),
        election,
    )
    yield _Grant(
        "cert-manager-cainjector:leaderelection",
        "cainjector",
        "cert-manager-cainjector",
        (
            _rule(
                group,
                leases,
                "get update patch",
                "cert-manager-cainjector-leader-election"
                " cert-manager-cainjector-leader-election-core",
            ),
            _rule(group, leases, "create"),
        ),
        election,
    )
    yield _Grant(
        "cert-manager-webhook:dynamic-serving",
        "webhook",
        "cert-manager-webhook",
        (
            _rule("", "secrets", "get list watch update", "cert-manager-webhook-ca"),
            _rule("", "secrets", "create"),
        ),
        settings.namespace,
    )


def _account(settings: InstallationSettings, name: str, component: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": settings.metadata(name, component, settings.namespace),
        "automountServiceAccountToken": True,
    }


def _role(
    settings: InstallationSettings,
    name: str,
    component: str,
    rules: tuple[_Rule, ...],
    namespace: str = "",
) -> Manifest:
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": settings.metadata(name, component, namespace),
        "rules": [
            {
                "apiGroups": [group],
                "resources": resources.split(),
                "verbs": verbs.split(),
                **({"resourceNames": names.split()} if names else {}),
            }
            for group, resources, verbs, names in rules
        ],
    }


def _role_and_binding(settings: InstallationSettings, grant: _Grant) -> list[Manifest]:
    role = _role(settings, grant.name, grant.component, grant.rules, grant.namespace)
    binding: Manifest = {
        "apiVersion": f"{_GROUP}/v1",
        "kind": f"{role['kind']}Binding",
        "metadata": settings.metadata(grant.name, grant.component, grant.namespace),
        "roleRef": {"apiGroup": _GROUP, "kind": role["kind"], "name": grant.name},
        "subjects": [
            {"kind": "ServiceAccount", "name": grant.account, "namespace": settings.namespace}
        ],
    }
    return [role, binding]
