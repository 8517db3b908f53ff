"""Which Challenges are solved: those that an issuer's own account made, by its own solvers.

A Challenge says by itself which solver it wants, and a ClusterIssuer's solver has credentials for
whole zones. Who may create Challenges could else prove any name of such a zone to any CA, or point
a solver at a server of their own to be told its credentials.

Source: issue 15 ("Security"). cert-manager took the right to create them from its edit role in
1.19.6 and later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from certwright.errors import InvalidError
from certwright.reconcile.acme_challenge_objects import challenge_key
from certwright.reconcile.acme_objects import AcmeAuthority
from certwright.resources.acme import Challenge

__all__ = ["refusal_of"]

_CHOSEN: Final[Mapping[str, frozenset[str]]] = {
    "ingress": frozenset({"class", "name", "ingressClassName"}),
    "gatewayHTTPRoute": frozenset({"parentRefs"}),
}
"""What annotations of a Certificate may choose, by way in."""


def refusal_of(challenge: Challenge, authority: AcmeAuthority) -> str:
    """Return why a Challenge is not solved; empty if it is.

    Raises:
        InvalidError: The issuer has no account yet.
    """
    account = authority.account
    own = _without_overrides(challenge.solver)
    if all(_without_overrides(solver) != own for solver in authority.acme.solvers):
        return "refusing to solve this challenge: its solver is none of its issuer's"
    try:
        expected = challenge_key(challenge.type, challenge.token, account)
    except InvalidError as error:
        return str(error)
    if challenge.key != expected:
        return (
            "refusing to solve this challenge: its key was not made with the account of its issuer"
        )
    return ""


def _without_overrides(solver: Mapping[str, Any]) -> Any:
    """Return a solver without empty fields and what annotations of a Certificate may choose.

    The webhook, and Go's JSON, write empty fields or leave them out.
    """
    found = {name: value for name, value in solver.items() if name != "selector"}
    http01 = found.get("http01") or {}
    for way_in, chosen in _CHOSEN.items():
        config = http01.get(way_in)
        if isinstance(config, Mapping):
            kept = {name: value for name, value in config.items() if name not in chosen}
            found["http01"] = {**http01, way_in: {**kept, "is": way_in}}
    return _pruned(found)


def _pruned(value: Any) -> Any:
    if isinstance(value, Mapping):
        found = {name: _pruned(child) for name, child in value.items()}
        return {name: child for name, child in found.items() if child not in (None, "", [], {})}
    if isinstance(value, list | tuple):
        return [_pruned(child) for child in value]
    return value
