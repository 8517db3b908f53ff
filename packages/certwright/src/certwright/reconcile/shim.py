"""ingress-shim, gateway-shim: Certificates for what Ingresses, Gateways and ListenerSets serve.

::

    annotation cert-manager.io/issuer ─▶ one Certificate for each Secret: made, kept right, deleted

What was made by hand, or for another object, is left alone.

Source: reference cert-manager.md 7; cert-manager v1.12.2 pkg/controller/certificate-shim; for
ListenerSets cert-manager main, pkg/controller/certificate-shim/listenerset.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from certwright.errors import InvalidError
from certwright.reconcile.contract import (
    SLOW_BACKOFF,
    Action,
    Apply,
    Controller,
    Create,
    Delete,
    Emit,
    Index,
    Plan,
    Reader,
    Sources,
    Update,
    Wake,
)
from certwright.reconcile.indexes import CERTIFICATES_BY_OWNER, place
from certwright.reconcile.options import Options
from certwright.reconcile.shim_annotations import (
    certificate_annotations,
    is_meant,
    issuer_of,
    spec_of,
)
from certwright.reconcile.shim_hosts import object_problem, secret_names, served_by
from certwright.resources import known, meta
from certwright.resources.features import SERVER_SIDE_APPLY
from certwright.resources.gotext import quote
from certwright.resources.kinds import (
    CERTIFICATE,
    GATEWAY,
    INGRESS,
    LISTENER_SET,
    Key,
    Kind,
    Manifest,
)
from certwright.resources.meta import mapping_at

__all__ = [
    "ShimGathered",
    "gateway_shim_controller",
    "ingress_shim_controller",
    "listener_set_shim_controller",
    "plan_certificates",
]

_FOREGROUND: Final = "foregroundDeletion"
_STRICT: Final = ("commonName", "dnsNames", "ipAddresses", "secretName", "revisionHistoryLimit")
"""Fields that differ too where one side lacks them; of others what nobody asks for stays."""
_KEY: Final = ("algorithm", "encoding", "rotationPolicy", "size")
_OURS: Final = frozenset(
    {
        *_STRICT,
        "issuerRef",
        "usages",
        "privateKey",
        "duration",
        "renewBefore",
        "renewBeforePercentage",
        "subject",
        "emailAddresses",
    }
)
"""Fields of a Certificate that an update replaces; a user's own others stay."""
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})


@dataclass(frozen=True, slots=True)
class ShimGathered:
    """An object that serves TLS, and Certificates that it may be about."""

    object: Manifest
    certificates: Mapping[str, Manifest] = field(default_factory=dict)
    """Those of the names of its Secrets, and those that it controls, by name."""


def plan_certificates(gathered: ShimGathered, _sources: Sources, *, options: Options) -> Plan:
    """Plan the Certificates of an object."""
    obj = gathered.object
    annotations = meta.annotations(obj)
    auto = options.shim.auto_certificate_annotations if meta.kind_of(obj) == INGRESS else ()
    if not is_meant(annotations, auto) or _is_going(obj):
        return Plan()
    try:
        issuer = issuer_of(annotations, options.shim)
    except InvalidError as error:
        problem = f"Could not determine issuer for ingress due to bad annotations: {error}"
        return Plan((_bad(obj, problem),))
    problem = object_problem(obj)
    if problem:
        return Plan((_bad(obj, problem),))
    served = served_by(obj)
    actions: list[Action] = [_bad(obj, why) for why in served.skipped]
    try:
        for name, hosts in served.hosts.items():
            wanted = _wanted(obj, name, hosts, issuer, options)
            actions += _made(gathered, wanted, options)
    except InvalidError as error:
        return Plan((*actions, _bad(obj, str(error))), retry=str(error))
    named = secret_names(obj)
    for name, certificate in gathered.certificates.items():
        secret = mapping_at(certificate, "spec").get("secretName")
        if meta.is_controlled_by(certificate, meta.uid(obj)) and secret not in named:
            said = f"Successfully deleted unrequired Certificate {quote(name)}"
            actions.append(Delete(meta.key_of(certificate), meta.uid(certificate)))
            actions.append(Emit(obj, "Normal", "DeleteCertificate", said))
    return Plan(tuple(actions))


def _bad(obj: Manifest, message: str) -> Emit:
    return Emit(obj, "Warning", "BadConfig", message)


def _is_going(obj: Manifest) -> bool:
    return meta.deletion_time(obj) is not None or _FOREGROUND in meta.finalizers(obj)


def _wanted(
    obj: Manifest, name: str, hosts: Sequence[str], issuer: Mapping[str, str], options: Options
) -> Manifest:
    """Return the Certificate for a Secret."""
    annotations = certificate_annotations(meta.name(obj), meta.annotations(obj), options.shim)
    if meta.kind_of(obj) == LISTENER_SET:
        annotations |= _route_parent(obj)
    metadata: Manifest = {
        "name": name,
        "namespace": meta.namespace(obj),
        "labels": {
            label: value for label, value in meta.labels(obj).items() if label != known.APPLY_SET
        },
        "annotations": annotations,
        "ownerReferences": [meta.controller_reference(obj)],
    }
    spec = spec_of(meta.annotations(obj), hosts)
    return {
        "apiVersion": CERTIFICATE.api_version,
        "kind": CERTIFICATE.name,
        "metadata": {field: value for field, value in metadata.items() if value},
        "spec": {**spec, "secretName": name, "issuerRef": dict(issuer)},
    }


def _route_parent(listener_set: Manifest) -> dict[str, str]:
    """Return what routes of HTTP-01 solvers for a ListenerSet hang on: it, or its Gateway."""
    if meta.annotations(listener_set).get(known.HTTP01_PARENT_FALLBACK) in _TRUE:
        parent = _parent(listener_set)
        return {
            known.HTTP01_PARENT_KIND: GATEWAY.name,
            known.HTTP01_PARENT_NAME: parent.name,
            known.HTTP01_PARENT_NAMESPACE: parent.namespace,
        }
    return {
        known.HTTP01_PARENT_KIND: LISTENER_SET.name,
        known.HTTP01_PARENT_NAME: meta.name(listener_set),
    }


def _made(gathered: ShimGathered, wanted: Manifest, options: Options) -> Iterator[Action]:
    """Yield what makes a Certificate, or makes it what is wanted."""
    obj, name = gathered.object, meta.name(wanted)
    there = gathered.certificates.get(name)
    if there is None:
        refused = f"Cannot create Certificate {quote(name)}: {{error}}"
        yield Create(wanted, if_refused=_bad(obj, refused))
        said = f"Successfully created Certificate {quote(name)}"
        yield Emit(obj, "Normal", "CreateCertificate", said)
        return
    if not meta.is_controlled_by(there, meta.uid(obj)) or not _differs(there, wanted):
        return
    yield _applied(there, wanted) if SERVER_SIDE_APPLY in options.gates else _updated(there, wanted)
    said = f"Successfully updated Certificate {quote(name)}"
    yield Emit(obj, "Normal", "UpdateCertificate", said)


def _updated(there: Manifest, wanted: Manifest) -> Update:
    metadata = {
        **there["metadata"],
        "labels": dict(meta.labels(wanted)),
        "annotations": {**meta.annotations(there), **meta.annotations(wanted)},
    }
    kept = {name: value for name, value in there["spec"].items() if name not in _OURS}
    return Update({**there, "metadata": metadata, "spec": {**kept, **wanted["spec"]}})


def _applied(there: Manifest, wanted: Manifest) -> Apply:
    metadata = {
        **wanted["metadata"],
        "uid": meta.uid(there),
        "resourceVersion": meta.resource_version(there),
    }
    return Apply({**wanted, "metadata": metadata})


def _differs(there: Manifest, wanted: Manifest) -> bool:
    """Tell whether a Certificate is not what is wanted.

    More is compared than 1.12 does: it never follows a change of usages, durations, subject,
    addresses, an issuer's group or annotations.
    """
    if meta.labels(there) != meta.labels(wanted):
        return True
    notes = meta.annotations(there)
    if any(notes.get(name) != text for name, text in meta.annotations(wanted).items()):
        return True
    old, new = mapping_at(there, "spec"), mapping_at(wanted, "spec")
    if any((old.get(name) or None) != (new.get(name) or None) for name in _STRICT):
        return True
    if _key(old) != _key(new) or _issuer(old) != _issuer(new):
        return True
    # What an API server with the definitions of 1.12 drops can only be compared where it is.
    asked = {name: value for name, value in new.items() if name not in {*_STRICT, "privateKey"}}
    if "renewBeforePercentage" not in old:
        asked.pop("renewBeforePercentage", None)
    asked.pop("issuerRef", None)
    return any(old.get(name) != value for name, value in asked.items())


def _key(spec: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what counts of `privateKey`; the size of an Ed25519 key does not."""
    key = mapping_at(spec, "privateKey")
    found = [key.get(name) or None for name in _KEY]
    return tuple(found[:3] if key.get("algorithm") == "Ed25519" else found)


def _issuer(spec: Mapping[str, Any]) -> tuple[str, ...]:
    issuer = mapping_at(spec, "issuerRef")
    return tuple(str(issuer.get(name) or "") for name in ("name", "kind", "group"))


# ------------------------------------------------------------------------------ what is read


async def _gather(key: Key, reader: Reader) -> ShimGathered | None:
    obj = await reader.get(key)
    return None if obj is None else await _with_certificates(obj, reader)


async def _with_certificates(obj: Manifest, reader: Reader) -> ShimGathered:
    found: dict[str, Manifest] = {
        meta.name(certificate): certificate
        for certificate in await reader.find(CERTIFICATES_BY_OWNER, meta.uid(obj))
    }
    for name in secret_names(obj) - {""}:
        there = await reader.get(CERTIFICATE.key(meta.namespace(obj), name))
        if there is not None:
            found[name] = there
    return ShimGathered(obj, found)


async def _gather_listener_set(key: Key, reader: Reader) -> ShimGathered | None:
    """Read a ListenerSet with the annotations that it has from its Gateway."""
    obj = await reader.get(key)
    if obj is None or not _parent(obj).name:
        return None
    gateway = await reader.get(_parent(obj))
    if gateway is None or meta.deletion_time(gateway) is not None:
        return None
    inherited = dict(meta.annotations(obj))
    above = meta.annotations(gateway)
    names = [known.ISSUER_KIND, known.ISSUER_GROUP]
    if not {known.INGRESS_ISSUER, known.INGRESS_CLUSTER_ISSUER} & inherited.keys():
        names += [known.INGRESS_ISSUER, known.INGRESS_CLUSTER_ISSUER]
    inherited |= {name: above[name] for name in names if name in above}
    seen = {**obj, "metadata": {**obj["metadata"], "annotations": inherited}}
    return await _with_certificates(seen, reader)


def _parent(listener_set: Manifest) -> Key:
    """Return the key of a ListenerSet's Gateway."""
    ref = mapping_at(listener_set, "spec", "parentRef")
    namespace = str(ref.get("namespace") or meta.namespace(listener_set))
    return GATEWAY.key(namespace, str(ref.get("name") or ""))


def _gateway_of(listener_set: Manifest) -> Iterator[str]:
    parent = _parent(listener_set)
    if parent.name:
        yield place(parent.namespace, parent.name)


_LISTENER_SETS_BY_GATEWAY: Final = Index("gateway", LISTENER_SET, _gateway_of)


async def _listener_sets(gateway: Manifest, reader: Reader) -> Sequence[Key]:
    at = place(meta.namespace(gateway), meta.name(gateway))
    return [meta.key_of(found) for found in await reader.find(_LISTENER_SETS_BY_GATEWAY, at)]


def _wake_owner(kind: Kind) -> Wake:
    async def owner(certificate: Manifest, _reader: Reader) -> Sequence[Key]:
        found = meta.controller_of(certificate)
        if found is None or found.kind != kind.name:
            return ()
        return (kind.key(meta.namespace(certificate), found.name),)

    return Wake(CERTIFICATE, owner)


def _controller(kind: Kind, name: str, options: Options) -> Controller[ShimGathered]:
    return Controller(
        name=name,
        kind=kind,
        gather=_gather,
        plan=partial(plan_certificates, options=options),
        wakes=(_wake_owner(kind),),
        backoff=SLOW_BACKOFF,
        indexes=(CERTIFICATES_BY_OWNER,),
    )


def ingress_shim_controller(options: Options) -> Controller[ShimGathered]:
    """Return the loop for Ingresses."""
    return _controller(INGRESS, "ingress-shim", options)


def gateway_shim_controller(options: Options) -> Controller[ShimGathered]:
    """Return the loop for Gateways."""
    return _controller(GATEWAY, "gateway-shim", options)


def listener_set_shim_controller(options: Options) -> Controller[ShimGathered]:
    """Return the loop for ListenerSets."""
    return Controller(
        name="listenerset",
        kind=LISTENER_SET,
        gather=_gather_listener_set,
        plan=partial(plan_certificates, options=options),
        wakes=(Wake(GATEWAY, _listener_sets), _wake_owner(LISTENER_SET)),
        backoff=SLOW_BACKOFF,
        indexes=(CERTIFICATES_BY_OWNER, _LISTENER_SETS_BY_GATEWAY),
    )
