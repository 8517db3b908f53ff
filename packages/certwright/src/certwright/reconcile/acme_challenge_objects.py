"""The Challenges that an Order needs, and those that it does not need any more.

Source: reference cert-manager.md 3.4 (required Challenges); RFC 8555 8.1, 8.4.
"""

from __future__ import annotations

from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from certwright.acme.jws import dns_value, key_authorization
from certwright.acme.names import challenge_name
from certwright.acme.questions import AccountKey
from certwright.acme.selection import choose_solver, overridden
from certwright.errors import InvalidError
from certwright.pki.keys import decode_private_key
from certwright.reconcile.acme_objects import AcmeAuthority
from certwright.reconcile.contract import Action, Create, Delete, Emit
from certwright.resources import meta
from certwright.resources.acme import Challenge, Order
from certwright.resources.gotext import quote
from certwright.resources.kinds import CHALLENGE, Manifest

__all__ = ["challenge_key", "plan_challenges"]

_TYPES: Final = {"http-01": "HTTP-01", "dns-01": "DNS-01"}


def plan_challenges(
    order: Order, authority: AcmeAuthority, present: tuple[Challenge, ...]
) -> tuple[Action, ...]:
    """Return what makes the missing Challenges, or else takes the left-over ones away.

    Raises:
        InvalidError: No solver of the issuer can prove one of the names.
    """
    required = {meta.name(obj): obj for obj in _required(order, authority)}
    there = {found.name: found for found in present}
    actions: list[Action] = []
    for name, obj in required.items():
        if name in there:
            continue
        domain = obj["spec"]["dnsName"]
        message = f"Created Challenge resource {quote(name)} for domain {quote(domain)}"
        actions += (Create(obj), Emit(order.object, "Normal", "Created", message))
    if actions:
        return tuple(actions)
    return tuple(
        Delete(meta.key_of(found.object), found.uid)
        for name, found in there.items()
        if meta.deletion_time(found.object) is None
        and (name not in required or _is_outdated(found, required[name]))
    )


def _is_outdated(found: Challenge, wanted: Manifest) -> bool:
    """Return whether it was made with a key that the account does not have any more."""
    return found.key != wanted["spec"]["key"] and not found.is_final


def challenge_key(challenge_type: str, token: str, account: AccountKey) -> str:
    """Return what proves a challenge: what is served, or stands in the TXT record.

    Raises:
        InvalidError: The account's key is none, or the type is not known.
    """
    key = decode_private_key(account.key_pem)
    if not isinstance(key, RSAPrivateKey):
        raise InvalidError("the key of the ACME account is not of type RSA")
    if challenge_type == "HTTP-01":
        return key_authorization(token, key)
    if challenge_type == "DNS-01":
        return dns_value(token, key)
    raise InvalidError(f'no solver for "{challenge_type}" implemented')


def _required(order: Order, authority: AcmeAuthority) -> list[Manifest]:
    labels, annotations = meta.labels(order.object), meta.annotations(order.object)
    found: list[Manifest] = []
    for entry in order.authorizations:
        if entry.get("initialState") == "valid":
            continue
        choice = choose_solver(authority.acme.solvers, entry, labels)
        solver = overridden(choice.solver, annotations, order.namespace)
        token = str(choice.challenge.get("token") or "")
        challenge_type = _TYPES[str(choice.challenge.get("type"))]
        spec: dict[str, Any] = {
            "url": str(choice.challenge.get("url") or ""),
            "authorizationURL": str(entry.get("url") or ""),
            "dnsName": str(entry.get("identifier") or ""),
            "wildcard": bool(entry.get("wildcard")),
            "type": challenge_type,
            "token": token,
            "key": "",
            "solver": solver,
            "issuerRef": dict(meta.mapping_at(order.spec, "issuerRef")),
        }
        name = challenge_name(order.name, spec)
        spec["key"] = challenge_key(challenge_type, token, authority.account)
        found.append(
            {
                "apiVersion": CHALLENGE.api_version,
                "kind": CHALLENGE.name,
                "metadata": {
                    "name": name,
                    "namespace": order.namespace,
                    "ownerReferences": [meta.controller_reference(order.object)],
                },
                "spec": spec,
            }
        )
    return found
