"""issuers, clusterissuers: say whether an issuer is ready to sign.

Source: reference cert-manager.md 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import Any

from certwright.errors import InvalidError
from certwright.issuers.contract import Asking, IssuerState
from certwright.issuers.signers import SIGNERS, STATED_SIGNERS
from certwright.reconcile.acme_account import plan_account
from certwright.reconcile.ca_rotation import find_leaves, with_rotation
from certwright.reconcile.contract import (
    SLOW_BACKOFF,
    Ask,
    Controller,
    Emit,
    Index,
    Plan,
    Reader,
    Sources,
    Wake,
)
from certwright.reconcile.indexes import CERTIFICATES_BY_ISSUER, place
from certwright.reconcile.issuer_ready import IssuerGathered, plan_ready, resource_namespace
from certwright.reconcile.options import Options
from certwright.resources import meta
from certwright.resources.issuer import Issuer
from certwright.resources.kinds import CLUSTER_ISSUER, ISSUER, SECRET, Key, Kind, Manifest

__all__ = [
    "IssuerGathered",
    "issuers_by_secret",
    "issuers_controller",
    "plan_issuer",
    "resource_namespace",
]


def plan_issuer(gathered: IssuerGathered, sources: Sources, *, options: Options) -> Plan:
    """Plan the condition Ready."""
    issuer = gathered.issuer
    try:
        if issuer.type == "acme":
            return plan_account(gathered, sources, options=options)
        state = _state(gathered, options)
        if isinstance(state, Asking):
            return _plan_asking(state, issuer, options)
    except InvalidError as error:
        message = f"Error initializing issuer: {error}"
        return Plan((Emit(issuer.object, "Warning", "ErrInitIssuer", message),), retry=str(error))
    plan = plan_ready(issuer, state, sources, options)
    at = SECRET.key(resource_namespace(issuer, options), issuer.ca_secret_name)
    return with_rotation(plan, issuer, gathered.objects.get(at), gathered.leaves, sources)


def _plan_asking(asking: Asking[IssuerState], issuer: Issuer, options: Options) -> Plan:
    def decide(answer: Any, sources: Sources) -> Plan:
        state = asking.then(answer)
        if isinstance(state, Asking):
            return _plan_asking(state, issuer, options)
        return plan_ready(issuer, state, sources, options)

    return Plan(ask=Ask(asking.question, decide))


def _state(gathered: IssuerGathered, options: Options) -> IssuerState | Asking[IssuerState]:
    issuer = gathered.issuer
    namespace = resource_namespace(issuer, options)
    return STATED_SIGNERS[issuer.type].state(issuer, namespace, gathered.objects)


# ------------------------------------------------------------------------------ what is read


async def _gather(key: Key, reader: Reader, *, options: Options) -> IssuerGathered | None:
    found = await reader.get(key)
    if found is None:
        return None
    issuer = Issuer(found)
    objects: dict[Key, Manifest] = {}
    for needed in _needs(issuer, options):
        obj = await reader.get(needed)
        if obj is not None:
            objects[needed] = obj
    return IssuerGathered(issuer, objects, await find_leaves(issuer, reader))


def _needs(issuer: Issuer, options: Options) -> tuple[Key, ...]:
    try:
        signer = SIGNERS[issuer.type]
    except InvalidError:
        return ()
    return signer.issuer_needs(issuer, resource_namespace(issuer, options))


@cache
def issuers_by_secret(kind: Kind, options: Options) -> Index:
    """Return the index that finds issuers of `kind` by `namespace/name` of a Secret they need."""

    def values(obj: Manifest) -> Iterator[str]:
        for needed in _needs(Issuer(obj), options):
            if needed.kind == SECRET:
                yield place(needed.namespace, needed.name)

    return Index("issuer-secret", kind, values)


def issuers_controller(kind: Kind, options: Options) -> Controller[IssuerGathered]:
    """Return the loop for `ISSUER` or `CLUSTER_ISSUER`."""
    index = issuers_by_secret(kind, options)

    async def wake(obj: Manifest, reader: Reader) -> Sequence[Key]:
        value = place(meta.namespace(obj), meta.name(obj))
        return [meta.key_of(found) for found in await reader.find(index, value)]

    return Controller(
        name={ISSUER: "issuers", CLUSTER_ISSUER: "clusterissuers"}[kind],
        kind=kind,
        gather=partial(_gather, options=options),
        plan=partial(plan_issuer, options=options),
        wakes=(Wake(SECRET, wake),),
        backoff=SLOW_BACKOFF,
        indexes=(index, CERTIFICATES_BY_ISSUER),
    )
