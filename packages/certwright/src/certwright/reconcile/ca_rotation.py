"""Keeps, for an issuer that asks for it, what is trusted while its CA changes.

A part of the loops issuers and clusterissuers; `policy.ca_rotation` has the rules. What it finds
is written into an annotation of the issuer, which wakes the loops of the Certificates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from certwright.errors import InvalidError
from certwright.issuers.secrets import key_pair_and_ca
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.pki.names import name_text
from certwright.policy.ca_rotation import (
    CaRotation,
    anchor_of,
    lead_of,
    next_rotation,
    rotation_of,
)
from certwright.reconcile.contract import Action, Emit, Plan, Reader, Sources, Update, Wake
from certwright.reconcile.indexes import CERTIFICATES_BY_ISSUER, issuer_value
from certwright.reconcile.options import Options
from certwright.resources import known, meta
from certwright.resources.certificate import Certificate
from certwright.resources.issuer import Issuer
from certwright.resources.kinds import CLUSTER_ISSUER, ISSUER, SECRET, Key, Manifest
from certwright.resources.secret import Secret
from certwright.resources.times import format_time

__all__ = ["find_leaves", "wakes_by_issuer", "with_rotation"]

LOOK_SECONDS_MIN, LOOK_SECONDS_MAX = 1.0, 60.0
"""How often it is looked whether leaves by an old CA are left."""


async def find_leaves(issuer: Issuer, reader: Reader) -> tuple[Manifest, ...]:
    """Return the Secrets of the issuer's Certificates; none while one CA is trusted."""
    if known.CA_ROTATION not in meta.annotations(issuer.object):
        return ()
    rotation = rotation_of(issuer)
    if rotation is not None and len(rotation.trusted) <= 1:
        return ()
    value = issuer_value(str(issuer.object.get("kind")), issuer.namespace, issuer.name)
    secrets: list[Manifest] = []
    for obj in await reader.find(CERTIFICATES_BY_ISSUER, value):
        view = Certificate(obj)
        found = await reader.get(SECRET.key(view.namespace, view.secret_name))
        if found is not None:
            secrets.append(found)
    return tuple(secrets)


def with_rotation(
    plan: Plan, issuer: Issuer, ca_secret: Manifest | None, leaves: Sequence[Manifest], now: Sources
) -> Plan:
    """Return the issuer's plan with what its rotation asks for."""
    try:
        lead = lead_of(issuer)
    except InvalidError as error:
        said = Emit(issuer.object, "Warning", "BadConfig", str(error))
        return replace(plan, actions=(*plan.actions, said))
    if lead is None:
        if known.CA_ROTATION_STATE not in meta.annotations(issuer.object):
            return plan
        return replace(plan, actions=(_annotated(issuer.object, None), *plan.actions))
    if ca_secret is None:
        return plan
    secret = Secret(ca_secret)
    old = rotation_of(issuer)
    try:
        chain, _ = key_pair_and_ca(secret)
        others = decode_certificates(secret.ca_pem) if secret.ca_pem else []
        needed = _needed(old, chain, others, leaves)
        new = next_rotation(old, lead, chain, others, needed=frozenset(needed), now=now.now)
    except InvalidError:
        return plan  # the condition Ready says what is wrong with the CA
    actions = tuple(_changes(issuer.object, old, new))
    again = _look_again(new)
    return replace(plan, actions=(*actions, *plan.actions), look_again_after_seconds=again)


def _needed(
    old: CaRotation | None,
    chain: Sequence[DecodedCertificate],
    others: Sequence[DecodedCertificate],
    leaves: Iterable[Manifest],
) -> Iterable[DecodedCertificate]:
    """Yield what leaves end in; where a new certificate for the same key is as good, that one."""
    candidates = (*chain, *others, *(() if old is None else old.certificates))
    for leaf in leaves:
        view = Secret(leaf)
        try:
            own = decode_certificates(view.ca_pem) if old is None and view.ca_pem else []
            found = anchor_of(decode_certificates(view.certificate_pem), (*candidates, *own))
        except InvalidError:
            continue
        if found is not None:
            yield found


def _look_again(rotation: CaRotation) -> float | None:
    if len(rotation.trusted) <= 1:
        return None
    return min(max(rotation.lead.total_seconds(), LOOK_SECONDS_MIN), LOOK_SECONDS_MAX)


def _changes(obj: Manifest, old: CaRotation | None, new: CaRotation) -> Iterable[Action]:
    """Yield the new state and what is to be told of it."""
    if old == new:
        return
    yield _annotated(obj, new.encode())
    if old is None:
        return
    if old.chain != new.chain:
        when = format_time(new.signs)
        latest = format_time(new.signs + new.lead)
        yield Emit(
            obj,
            "Normal",
            "CAChanged",
            f"The CA is now {_shown(new.chain[0])}: it signs from {when} on, leaves by the one "
            f"before are issued anew until {latest}, and {len(new.trusted)} are trusted until then",
        )
    for gone in [found for found in old.certificates if found not in new.certificates]:
        yield Emit(obj, "Normal", "CARetired", f"No longer trusted: {_shown(gone)}")


def _shown(certificate: DecodedCertificate) -> str:
    return f"{name_text(certificate.subject_rdns)} (serial number {certificate.serial:x})"


def _annotated(obj: Manifest, state: str | None) -> Update:
    notes = dict(meta.annotations(obj))
    notes.pop(known.CA_ROTATION_STATE, None)
    if state is not None:
        notes[known.CA_ROTATION_STATE] = state
    return Update({**obj, "metadata": {**obj["metadata"], "annotations": notes}})


async def _certificates_of(obj: Manifest, reader: Reader) -> Sequence[Key]:
    if known.CA_ROTATION not in meta.annotations(obj):
        return ()
    value = issuer_value(str(obj.get("kind")), meta.namespace(obj), meta.name(obj))
    return [meta.key_of(found) for found in await reader.find(CERTIFICATES_BY_ISSUER, value)]


def wakes_by_issuer(options: Options) -> tuple[Wake, ...]:
    """Return what looks at Certificates again when their issuer's CA changes.

    With --namespace nothing outside of it is watched, so no ClusterIssuer.
    """
    kinds = (ISSUER,) if options.namespace else (ISSUER, CLUSTER_ISSUER)
    return tuple(Wake(kind, _certificates_of) for kind in kinds)
