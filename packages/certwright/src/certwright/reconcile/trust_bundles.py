"""bundles: gathers CA certificates and writes them into every namespace that wants them.

::

    ConfigMaps, Secrets, texts, defaults ─▶ certificates, each once ─▶ ConfigMap or Secret NAME
                                                                       in each selected namespace

What trust-manager's Bundle does, by its fields, labels and words; a target is written whole, by
server-side apply, and goes when its namespace is no longer selected. On a folder there are no
namespaces: the target is beside the sources, and is shown as files.

Source: trust-manager, pkg/apis/trust/v1alpha1 and its API reference.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

from certwright.admission.bundle import bundle_errors
from certwright.errors import InvalidError
from certwright.pki.certificates import DecodedCertificate, decode_certificate, encode_certificates
from certwright.pki.keystores import Profile, jks_truststore, pkcs12_truststore
from certwright.pki.pem import decode_pem
from certwright.reconcile.contract import (
    SLOW_BACKOFF,
    Action,
    Apply,
    Controller,
    Delete,
    Emit,
    Index,
    Plan,
    Reader,
    Sources,
    Wake,
)
from certwright.reconcile.options import Options
from certwright.reconcile.status import write_status
from certwright.resources import known, meta
from certwright.resources.conditions import with_condition
from certwright.resources.kinds import BUNDLE, CONFIG_MAP, NAMESPACE, SECRET, Key, Kind, Manifest

__all__ = ["BundleState", "bundles_controller", "plan_bundle"]

_JKS_PASSWORD: Final = "changeit"  # noqa: S105 - Java's own, known to all
_KINDS: Final = {"configMap": CONFIG_MAP, "secret": SECRET}


@dataclass(frozen=True, slots=True)
class BundleState:
    """A Bundle and all that it reads and writes."""

    bundle: Manifest
    sources: tuple[tuple[str, ...], ...] = ()
    """PEM texts of each source that is an object, in the order of the sources."""
    missing: str = ""
    """Which source is not there."""
    namespaces: tuple[str, ...] = ()
    """Where the target is wanted."""
    targets: Mapping[Key, Manifest] = field(default_factory=dict)
    """What has the target's name there, and what was written elsewhere."""


def plan_bundle(state: BundleState, sources: Sources, *, options: Options) -> Plan:
    """Plan all targets and the condition Synced."""
    bundle = state.bundle
    if errors := list(bundle_errors(bundle)):
        return _told(
            bundle, "False", "InvalidBundle", "; ".join(map(str, errors)), sources, options
        )
    if state.missing:
        message = f"Bundle source was not found: {state.missing}"
        return _told(bundle, "False", "SourceNotFound", message, sources, options)
    try:
        certificates = _certificates(state, options)
        wanted = dict(_wanted(state, certificates))
    except InvalidError as error:
        message = f"Failed to build bundle sources: {error}"
        return _told(bundle, "False", "SourceBuildError", message, sources, options)
    actions: list[Action] = []
    fields = meta.mapping_at(bundle, "spec", "target")
    for key, target in wanted.items():
        present = state.targets.get(key)
        pem_key = str(fields[_field_of(key.kind)]["key"])
        if present is None or not _is_written(present, target, pem_key):
            actions.append(Apply(target))
    for key, present in state.targets.items():
        if key not in wanted and meta.is_controlled_by(present, meta.uid(bundle)):
            actions.append(Delete(key, meta.uid(present)))
    selector = meta.mapping_at(bundle, "spec", "target", "namespaceSelector")
    where = (
        f"namespaces that match this label selector: {_selector_text(selector)}"
        if selector
        else "all namespaces"
    )
    message = f"Successfully synced Bundle to {where}"
    told = _told(bundle, "True", "Synced", message, sources, options)
    return Plan((*actions, *told.actions))


def _told(
    bundle: Manifest, status: str, reason: str, message: str, sources: Sources, options: Options
) -> Plan:
    """Plan the condition, and an event if it changes."""
    changed = with_condition(
        bundle,
        type="Synced",
        status=status,
        reason=reason,
        message=message,
        now=sources.now,
        observed_generation=meta.generation(bundle),
    )
    written = write_status(bundle, changed, options.gates, conditions=("Synced",))
    if not written:
        return Plan()
    said = Emit(bundle, "Normal" if status == "True" else "Warning", reason, message)
    return Plan((*written, said))


# ------------------------------------------------------------------------------ what is in it


def _certificates(state: BundleState, options: Options) -> list[DecodedCertificate]:
    """Return the certificates of all sources in their order, each once.

    Raises:
        InvalidError: One has something else in it, or there is none at all.
    """
    objects = iter(state.sources)
    found: dict[DecodedCertificate, None] = {}
    for source in meta.mapping_at(state.bundle, "spec").get("sources") or ():
        if source.get("useDefaultCAs"):
            if not options.trust.default_ca_pem:
                raise InvalidError(
                    "no default CAs are configured: name a file with --trust-default-ca-file"
                )
            texts: Sequence[str] = (options.trust.default_ca_pem.decode("utf-8", "replace"),)
        elif "inLine" in source:
            texts = (str(source["inLine"]),)
        else:
            texts = next(objects)
        for text in texts:
            found.update(dict.fromkeys(_decoded(text)))
    if not found:
        raise InvalidError("its sources have no certificate")
    return list(found)


def _decoded(text: str) -> Iterator[DecodedCertificate]:
    for block in decode_pem(text.encode()):
        if block.type != "CERTIFICATE":
            raise InvalidError(
                f"a source has a PEM block {block.type}: only CERTIFICATE is trusted"
            )
        yield decode_certificate(block.der)


def _wanted(
    state: BundleState, certificates: list[DecodedCertificate]
) -> Iterator[tuple[Key, Manifest]]:
    """Yield each target as it is to be."""
    target = meta.mapping_at(state.bundle, "spec", "target")
    pem = encode_certificates(certificates)
    name = meta.name(state.bundle)
    for field_name, kind in _KINDS.items():
        template = target.get(field_name)
        if not isinstance(template, Mapping):
            continue
        formats = meta.mapping_at(target, "additionalFormats")
        stamp = hashlib.sha256(
            pem + json.dumps([template, formats], sort_keys=True).encode()
        ).hexdigest()
        data = {str(template["key"]): pem, **_formats(formats, pem)}
        for namespace in state.namespaces:
            key = kind.key(namespace, name)
            yield key, _target(state.bundle, key, template, data, stamp)


def _formats(formats: Mapping[str, Any], pem: bytes) -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    jks, pkcs12 = formats.get("jks"), formats.get("pkcs12")
    if isinstance(jks, Mapping):
        password = str(jks.get("password") or _JKS_PASSWORD)
        made[str(jks["key"])] = jks_truststore(password.encode(), pem)
    if isinstance(pkcs12, Mapping):
        profile = cast("Profile", pkcs12.get("profile") or "")
        password = str(pkcs12.get("password") or "")
        made[str(pkcs12["key"])] = pkcs12_truststore(password.encode(), pem, profile=profile)
    return made


def _target(
    bundle: Manifest, key: Key, template: Mapping[str, Any], data: dict[str, bytes], stamp: str
) -> Manifest:
    more = meta.mapping_at(template, "metadata")
    labels = {**meta.mapping_at(more, "labels"), known.BUNDLE: meta.name(bundle)}
    obj: Manifest = {
        "apiVersion": key.kind.api_version,
        "kind": key.kind.name,
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "labels": labels,
            "annotations": {**meta.mapping_at(more, "annotations"), known.BUNDLE_HASH: stamp},
            "ownerReferences": [meta.controller_reference(bundle)],
        },
    }
    if key.kind == SECRET:
        labels[known.CONTROLLER_FAO] = "true"  # or our caches would not hold it
        return {
            **obj,
            "type": "Opaque",
            "data": {name: _b64(value) for name, value in data.items()},
        }
    pem_key = str(template["key"])
    binary = {name: _b64(value) for name, value in data.items() if name != pem_key}
    obj["data"] = {pem_key: data[pem_key].decode("ascii")}
    return {**obj, "binaryData": binary} if binary else obj


def _is_written(present: Manifest, wanted: Manifest, pem_key: str) -> bool:
    """Return whether a target is as it is wanted; formats with salt need only be there."""
    stamp = wanted["metadata"]["annotations"][known.BUNDLE_HASH]
    if meta.annotations(present).get(known.BUNDLE_HASH) != stamp:
        return False
    if any(
        meta.labels(present).get(name) != value
        for name, value in wanted["metadata"]["labels"].items()
    ):
        return False
    for part in ("data", "binaryData"):
        there = meta.mapping_at(present, part)
        for name, value in (wanted.get(part) or {}).items():
            if name not in there or (name == pem_key and there[name] != value):
                return False
    return True


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


# ------------------------------------------------------------------------------ what is read


async def _gather(key: Key, reader: Reader, *, options: Options) -> BundleState | None:
    bundle = await reader.get(key)
    if bundle is None or meta.deletion_time(bundle) is not None:
        return None
    texts: list[tuple[str, ...]] = []
    missing = ""
    for source in meta.mapping_at(bundle, "spec").get("sources") or ():
        for field_name, kind in _KINDS.items():
            if isinstance(source.get(field_name), Mapping):
                try:
                    found = await _read(kind, source[field_name], reader, options.trust.namespace)
                except InvalidError as error:
                    missing = missing or str(error)
                    found = ()
                texts.append(found)
    namespaces = await _namespaces(bundle, reader, options)
    targets: dict[Key, Manifest] = {}
    for kind in _KINDS.values():
        for obj in await reader.find(_BY_BUNDLE[kind], key.name):
            targets[meta.key_of(obj)] = obj
        if meta.mapping_at(bundle, "spec", "target").get(_field_of(kind)) is None:
            continue
        for namespace in namespaces:
            at = kind.key(namespace, key.name)
            if at not in targets and (there := await reader.get(at)) is not None:
                targets[at] = there
    return BundleState(bundle, tuple(texts), missing, namespaces, targets)


def _field_of(kind: Kind) -> str:
    return next(name for name, found in _KINDS.items() if found == kind)


async def _namespaces(bundle: Manifest, reader: Reader, options: Options) -> tuple[str, ...]:
    if options.trust.is_folder:
        return (options.trust.namespace,)
    selector = meta.mapping_at(bundle, "spec", "target", "namespaceSelector")
    return tuple(
        meta.name(found)
        for found in await reader.list(NAMESPACE)
        if meta.deletion_time(found) is None and _matches(selector, meta.labels(found))
    )


async def _read(
    kind: Kind, reference: Mapping[str, Any], reader: Reader, namespace: str
) -> tuple[str, ...]:
    """Return the PEM texts that a source names.

    Raises:
        InvalidError: It is not there.
    """
    name, selector = str(reference.get("name") or ""), reference.get("selector")
    names = [name] if name else []
    if isinstance(selector, Mapping):
        names = [
            meta.name(found)
            for found in await reader.list(kind, namespace)
            if _matches(selector, meta.labels(found)) and known.BUNDLE not in meta.labels(found)
        ]
    texts: list[str] = []
    for found_name in names:
        obj = await reader.get(kind.key(namespace, found_name))
        if obj is None:
            raise InvalidError(f'{kind.plural} "{found_name}" not found in namespace {namespace}')
        entries = _entries(obj)
        key = str(reference.get("key") or "")
        if not key:
            texts += [text for entry, text in sorted(entries.items()) if entry != known.TLS_KEY]
        elif key in entries:
            texts.append(entries[key])
        elif name:
            raise InvalidError(f'no data found in {kind.name} {namespace}/{name} at key "{key}"')
    return tuple(texts)


def _entries(obj: Manifest) -> dict[str, str]:
    if meta.kind_of(obj) == CONFIG_MAP:
        return dict(meta.mapping_at(obj, "data"))
    return {
        name: base64.b64decode(str(value)).decode("utf-8", "replace")
        for name, value in meta.mapping_at(obj, "data").items()
    }


def _matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether labels fit a selector; an empty one fits all.

    Source: apimachinery, metav1.LabelSelector.
    """
    for name, value in meta.mapping_at(selector, "matchLabels").items():
        if labels.get(name) != value:
            return False
    for rule in selector.get("matchExpressions") or ():
        name, values = str(rule.get("key")), rule.get("values") or ()
        holds = {
            "In": labels.get(name) in values,
            "NotIn": labels.get(name) not in values,
            "Exists": name in labels,
            "DoesNotExist": name not in labels,
        }
        if not holds.get(str(rule.get("operator")), False):
            return False
    return True


def _selector_text(selector: Mapping[str, Any]) -> str:
    """Return a selector as Kubernetes writes it."""
    parts = [f"{name}={value}" for name, value in meta.mapping_at(selector, "matchLabels").items()]
    for rule in selector.get("matchExpressions") or ():
        name, values = rule.get("key"), ",".join(sorted(rule.get("values") or ()))
        parts.append(
            {
                "In": f"{name} in ({values})",
                "NotIn": f"{name} notin ({values})",
                "Exists": f"{name}",
                "DoesNotExist": f"!{name}",
            }.get(str(rule.get("operator")), "")
        )
    return ",".join(sorted(parts))


def _by_bundle(obj: Manifest) -> Iterator[str]:
    if name := meta.labels(obj).get(known.BUNDLE):
        yield name


_BY_BUNDLE: Final = {kind: Index("bundle", kind, _by_bundle) for kind in (CONFIG_MAP, SECRET)}
"""Targets, by the name of their Bundle."""


def bundles_controller(options: Options) -> Controller[BundleState]:
    """Return the loop."""

    async def concerned(obj: Manifest, reader: Reader) -> Sequence[Key]:
        is_source = meta.namespace(obj) == options.trust.namespace
        if (
            meta.kind_of(obj) != NAMESPACE
            and not is_source
            and known.BUNDLE not in meta.labels(obj)
        ):
            return ()
        return [meta.key_of(found) for found in await reader.list(BUNDLE)]

    kinds = (CONFIG_MAP, SECRET, *(() if options.trust.is_folder else (NAMESPACE,)))
    return Controller(
        name="bundles",
        kind=BUNDLE,
        gather=partial(_gather, options=options),
        plan=partial(plan_bundle, options=options),
        wakes=tuple(Wake(kind, concerned) for kind in kinds),
        backoff=SLOW_BACKOFF,
        indexes=tuple(_BY_BUNDLE.values()),
    )
