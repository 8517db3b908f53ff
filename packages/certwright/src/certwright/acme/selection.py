"""Which solver of an issuer proves an authorization: the most specific one that can.

Source: reference cert-manager.md 3.4 (solver choice).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from certwright.errors import InvalidError
from certwright.resources import known

__all__ = ["NO_SOLVER", "Choice", "choose_solver", "override_ingress"]

NO_SOLVER: Final = "no configured challenge solvers can be used for this challenge"
_BOTH: Final = (
    "both ingress name and ingress class overrides specified - only one may be specified at a time"
)
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


def override_ingress(solver: Mapping[str, Any], annotations: Mapping[str, str]) -> dict[str, Any]:
    """Return a solver with what annotations of the Certificate say about its Ingress.

    Raises:
        InvalidError: They contradict each other; the text is cert-manager's.
    """
    name = annotations.get(known.HTTP01_OVERRIDE_INGRESS_NAME, "")
    ingress_class = annotations.get(known.HTTP01_OVERRIDE_INGRESS_CLASS, "")
    has_name = known.HTTP01_OVERRIDE_INGRESS_NAME in annotations
    has_class = known.HTTP01_OVERRIDE_INGRESS_CLASS in annotations
    ingress = (solver.get("http01") or {}).get("ingress")
    if ingress is None or not (has_name or has_class):
        return dict(solver)
    if has_name and has_class:
        raise InvalidError(_BOTH)
    kept = {field: value for field, value in ingress.items() if field not in {"class", "name"}}
    changed = {**kept, "name": name} if has_name else {**kept, "class": ingress_class}
    return {**solver, "http01": {**solver["http01"], "ingress": changed}}
