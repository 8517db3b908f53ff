"""Which solver of an issuer proves an authorization: the most specific one that can.

Source: reference cert-manager.md 3.4 (solver choice).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from certwright.errors import InvalidError
from certwright.resources import known

__all__ = ["NO_SOLVER", "Choice", "choose_solver", "overridden"]

NO_SOLVER: Final = "no configured challenge solvers can be used for this challenge"
_BOTH: Final = (
    "both ingress name and ingress class overrides specified - only one may be specified at a time"
)
_MANY: Final = (
    "may not specify more than one of: name, class, ingressClassName override annotations"
)
_OVERRIDES: Final[Mapping[str, str]] = {
    known.HTTP01_OVERRIDE_INGRESS_NAME: "name",
    known.HTTP01_OVERRIDE_INGRESS_CLASS: "class",
    known.HTTP01_OVERRIDE_INGRESS_CLASS_NAME: "ingressClassName",
}
_GATEWAY_API: Final = "gateway.networking.k8s.io"
_TYPES: Final = (("http-01", "http01"), ("dns-01", "dns01"))


@dataclass(frozen=True, slots=True)
class Choice:
    """A solver, and the challenge it answers."""

    solver: Mapping[str, Any]
    challenge: Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class _Weight:
    """How specific a match is; compared field by field."""

    has_name: bool
    zone_labels: int
    labels: int


def choose_solver(
    solvers: Sequence[Mapping[str, Any]],
    authorization: Mapping[str, Any],
    labels: Mapping[str, str],
) -> Choice:
    """Return the solver for one entry of an Order's `status.authorizations`.

    Args:
        solvers: The issuer's, in order; of two that are as specific the first counts.
        authorization: The entry.
        labels: Of the Order.

    Raises:
        InvalidError: There is none; the text is cert-manager's.
    """
    domain = str(authorization.get("identifier") or "")
    if authorization.get("wildcard"):
        domain = f"*.{domain}"
    chosen: Choice | None = None
    best = _Weight(has_name=False, zone_labels=0, labels=0)
    for solver in solvers:
        challenge = _challenge_for(solver, authorization)
        if challenge is None:
            continue
        selector = solver.get("selector")
        if not isinstance(selector, Mapping):
            chosen = chosen or Choice(solver, challenge)
            continue
        weight = _match(selector, domain, labels)
        if weight is not None and (chosen is None or weight > best):
            chosen, best = Choice(solver, challenge), weight
    if chosen is None:
        raise InvalidError(NO_SOLVER)
    return chosen


def _challenge_for(
    solver: Mapping[str, Any], authorization: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    for challenge in authorization.get("challenges") or ():
        for challenge_type, field in _TYPES:
            if challenge.get("type") == challenge_type and solver.get(field) is not None:
                found: Mapping[str, Any] = challenge
                return found
    return None


def _match(selector: Mapping[str, Any], domain: str, labels: Mapping[str, str]) -> _Weight | None:
    """Return how well a selector matches; None if it does not."""
    wanted_labels = selector.get("matchLabels") or {}
    names = selector.get("dnsNames") or ()
    zones = selector.get("dnsZones") or ()
    if any(labels.get(name) != value for name, value in wanted_labels.items()):
        return None
    if names and domain not in names:
        return None
    fitting = [len(_labels(zone)) for zone in zones if _is_within(domain, zone)]
    if zones and not fitting:
        return None
    return _Weight(
        has_name=bool(names), zone_labels=max(fitting, default=0), labels=len(wanted_labels)
    )


def _is_within(domain: str, zone: str) -> bool:
    domain_labels, zone_labels = _labels(domain), _labels(zone)
    return domain_labels[-len(zone_labels) :] == zone_labels


def _labels(name: str) -> list[str]:
    return name.lower().rstrip(".").split(".")


def overridden(
    solver: Mapping[str, Any], annotations: Mapping[str, str], namespace: str
) -> dict[str, Any]:
    """Return a solver with what annotations of the Certificate say about its way in.

    Args:
        solver: The issuer's.
        annotations: The Order's, which has its Certificate's.
        namespace: The Order's.

    Raises:
        InvalidError: They contradict each other; the text is cert-manager's.
    """
    http01 = solver.get("http01") or {}
    if http01.get("ingress") is not None:
        changed = {"ingress": _ingress(http01["ingress"], annotations)}
    elif http01.get("gatewayHTTPRoute") is not None:
        changed = {"gatewayHTTPRoute": _route(http01["gatewayHTTPRoute"], annotations, namespace)}
    else:
        return dict(solver)
    return {**solver, "http01": {**http01, **changed}}


def _ingress(config: Mapping[str, Any], annotations: Mapping[str, str]) -> dict[str, Any]:
    asked = [name for name in _OVERRIDES if name in annotations]
    if not asked:
        return dict(config)
    if len(asked) > 1:
        raise InvalidError(_MANY if known.HTTP01_OVERRIDE_INGRESS_CLASS_NAME in asked else _BOTH)
    gone = {"class", "name"}
    if asked[0] == known.HTTP01_OVERRIDE_INGRESS_CLASS_NAME:
        gone.add("ingressClassName")
    kept = {field: value for field, value in config.items() if field not in gone}
    return {**kept, _OVERRIDES[asked[0]]: annotations[asked[0]]}


def _route(
    config: Mapping[str, Any], annotations: Mapping[str, str], namespace: str
) -> dict[str, Any]:
    """Hang a route on what annotations name, too. Of later versions (1.20)."""
    name = annotations.get(known.HTTP01_PARENT_NAME)
    kind = annotations.get(known.HTTP01_PARENT_KIND)
    if (name is None) != (kind is None):
        raise InvalidError(
            "cannot specify only one of parentRefName, parentRefKind override annotations"
        )
    if name is None:
        return dict(config)
    where = annotations.get(known.HTTP01_PARENT_NAMESPACE) or namespace
    parents = [
        parent
        for parent in config.get("parentRefs") or ()
        if (parent.get("namespace"), parent.get("name")) != (where, name)
        or parent.get("kind", kind) != kind
    ]
    ours = {"group": _GATEWAY_API, "kind": kind, "name": name, "namespace": where}
    return {**config, "parentRefs": [*parents, ours]}
