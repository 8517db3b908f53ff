"""cainjector: writes CA bundles into what the API server uses to check others' certificates.

::

    annotation of the target                source of ca.crt
    inject-ca-from-secret: ns/secret   ──▶  a Secret that says allow-direct-injection: "true"
    inject-ca-from: ns/certificate     ──▶  the Certificate's Secret, if it says that it is its own
    inject-apiserver-ca: "true"        ──▶  the CA that we trust the API server by

The first annotation of these that is there counts. Whatever is refused leaves the target as it is;
a refusal that somebody has to mend is also an event on the target.

Source: reference cert-manager.md 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from certwright.errors import InvalidError
from certwright.reconcile.contract import (
    SLOW_BACKOFF,
    Apply,
    Controller,
    Emit,
    Index,
    Plan,
    Reader,
    Sources,
    Update,
    Wake,
)
from certwright.reconcile.indexes import CERTIFICATES_BY_SECRET, place
from certwright.resources import known, meta
from certwright.resources.certificate import Certificate
from certwright.resources.features import SERVER_SIDE_APPLY, FeatureGates
from certwright.resources.kinds import (
    API_SERVICE,
    CERTIFICATE,
    CUSTOM_RESOURCE_DEFINITION,
    MUTATING_WEBHOOK_CONFIGURATION,
    SECRET,
    VALIDATING_WEBHOOK_CONFIGURATION,
    Key,
    Kind,
    Manifest,
)
from certwright.resources.meta import mapping_at
from certwright.resources.secret import Secret, encode_data

__all__ = [
    "CONTROLLER_NAME",
    "INJECTABLES",
    "Injection",
    "InjectionOptions",
    "gather_injection",
    "injection_controllers",
    "plan_injection",
    "with_bundle",
]

CONTROLLER_NAME: Final = "cainjector"
"""Of all four loops: with its prefix it is the field manager `cert-manager-cainjector`."""
INJECTABLES: Final = (
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
    API_SERVICE,
    CUSTOM_RESOURCE_DEFINITION,
)
"""Kinds of targets."""
_REFUSED: Final = "CAInjectionRefused"


@dataclass(frozen=True, slots=True)
class InjectionOptions:
    """The flags that decide."""

    namespace: str = ""
    """--namespace: the only one that sources may be in; empty for all."""
    from_certificates: bool = True
    """--enable-certificates-data-source."""
    apiserver_ca_pem: bytes = b""
    """What `inject-apiserver-ca` gives."""
    kinds: tuple[Kind, ...] = INJECTABLES
    """--enable-*-injectable."""
    gates: FeatureGates = field(default_factory=FeatureGates)


@dataclass(frozen=True, slots=True)
class Injection:
    """All that a decision may depend on."""

    target: Manifest
    ca_pem: bytes = b""
    """Empty if there is none to inject."""
    refusal: str = ""
    """Why there is none, if somebody has to mend it; empty if it will come by itself."""


# ------------------------------------------------------------------------------ what is read


async def gather_injection(
    key: Key, reader: Reader, *, options: InjectionOptions
) -> Injection | None:
    """Read a target and its source; None if it asks for no CA.

    Raises:
        StoreError: The source cannot be read now.
    """
    target = await reader.get(key)
    if target is None or meta.deletion_time(target) is not None:
        return None
    asked = meta.annotations(target)
    if known.INJECT_CA_FROM_SECRET in asked:
        text = asked[known.INJECT_CA_FROM_SECRET]
        return await _from_secret(target, text, reader, options)
    if options.from_certificates and known.INJECT_CA_FROM in asked:
        text = asked[known.INJECT_CA_FROM]
        return await _from_certificate(target, text, reader, options)
    if asked.get(known.INJECT_APISERVER_CA) == "true":
        refusal = "" if options.apiserver_ca_pem else "the API server's CA is not known"
        return Injection(target, options.apiserver_ca_pem, refusal)
    return None


async def _from_secret(
    target: Manifest, text: str, reader: Reader, options: InjectionOptions
) -> Injection:
    annotation = known.INJECT_CA_FROM_SECRET
    key = _named(SECRET, text)
    refusal = _place_refusal(key, annotation, text, options)
    if refusal or key is None:
        return Injection(target, refusal=refusal)
    found = await reader.get(key)
    if found is None:
        return Injection(target)
    secret = Secret(found)
    if secret.annotations.get(known.ALLOW_DIRECT_INJECTION) != "true":
        return Injection(
            target,
            refusal=f'Secret {text} lacks the annotation {known.ALLOW_DIRECT_INJECTION}: "true"',
        )
    return _of_secret(target, secret, text)


async def _from_certificate(
    target: Manifest, text: str, reader: Reader, options: InjectionOptions
) -> Injection:
    annotation = known.INJECT_CA_FROM
    key = _named(CERTIFICATE, text)
    refusal = _place_refusal(key, annotation, text, options)
    if refusal or key is None:
        return Injection(target, refusal=refusal)
    certificate = await reader.get(key)
    if certificate is None:
        return Injection(target)
    name = Certificate(certificate).secret_name
    found = await reader.get(SECRET.key(key.namespace, name))
    if found is None:
        return Injection(target)
    secret = Secret(found)
    owner = secret.annotations.get(known.CERTIFICATE_NAME)
    if owner != key.name:
        return Injection(
            target,
            refusal=(
                f"Secret {place(key.namespace, name)} is not that of Certificate {text}: its"
                f' annotation {known.CERTIFICATE_NAME} is "{owner or ""}"'
            ),
        )
    return _of_secret(target, secret, place(key.namespace, name))


def _of_secret(target: Manifest, secret: Secret, text: str) -> Injection:
    try:
        ca_pem = secret.ca_pem
    except InvalidError as error:
        return Injection(target, refusal=str(error))
    if not ca_pem:
        return Injection(target, refusal=f"Secret {text} has no {known.CA_CRT}")
    return Injection(target, ca_pem)


def _named(kind: Kind, text: str) -> Key | None:
    namespace, slash, name = text.partition("/")
    return kind.key(namespace, name) if slash and namespace else None


def _place_refusal(key: Key | None, annotation: str, text: str, options: InjectionOptions) -> str:
    if key is None:
        return f'annotation {annotation}: "{text}" is not of the form namespace/name'
    if options.namespace and key.namespace != options.namespace:
        return (
            f'annotation {annotation}: "{text}" names another namespace than'
            f" {options.namespace}, to which --namespace limits cainjector"
        )
    return ""


# ------------------------------------------------------------------------------ what is planned


def plan_injection(injection: Injection, _sources: Sources, *, options: InjectionOptions) -> Plan:
    """Plan to write the bundle, if it differs from what the target has."""
    target = injection.target
    if injection.refusal:
        message = f"No CA injected: {injection.refusal}"
        return Plan((Emit(target, "Warning", _REFUSED, message),))
    if not injection.ca_pem:
        return Plan()
    changed = with_bundle(target, injection.ca_pem)
    if changed == target:
        return Plan()
    if SERVER_SIDE_APPLY in options.gates:
        return Plan((Apply(_bundles_only(changed)),))
    return Plan((Update(changed),))


def with_bundle(target: Manifest, ca_pem: bytes) -> Manifest:
    """Return a copy of the target that trusts this CA wherever it can name one."""
    bundle = encode_data({"ca": ca_pem})["ca"]
    changed = deepcopy(target)
    for config in _client_configs(changed):
        config["caBundle"] = bundle
    return changed


def _client_configs(target: Manifest) -> Iterator[dict[str, Any]]:
    """Give every part of a target that holds a `caBundle`; those by URL too."""
    kind = meta.kind_of(target)
    if kind in {MUTATING_WEBHOOK_CONFIGURATION, VALIDATING_WEBHOOK_CONFIGURATION}:
        for webhook in target.get("webhooks") or ():
            yield webhook.setdefault("clientConfig", {})
    elif kind == API_SERVICE:
        yield target.setdefault("spec", {})
    else:
        conversion = mapping_at(target, "spec", "conversion")
        config = mapping_at(conversion, "webhook").get("clientConfig")
        if conversion.get("strategy") == "Webhook" and isinstance(config, dict):
            yield config


def _bundles_only(target: Manifest) -> Manifest:
    """Return what cainjector owns of a target, for server-side apply."""
    kind = meta.kind_of(target)
    applied: Manifest = {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": meta.name(target)},
    }
    bundles: list[Mapping[str, str]] = [
        {"caBundle": config["caBundle"]} for config in _client_configs(target)
    ]
    if kind in {MUTATING_WEBHOOK_CONFIGURATION, VALIDATING_WEBHOOK_CONFIGURATION}:
        applied["webhooks"] = [
            {"name": webhook["name"], "clientConfig": bundle}
            for webhook, bundle in zip(target["webhooks"], bundles, strict=True)
        ]
    elif kind == API_SERVICE:
        applied["spec"] = bundles[0]
    else:
        applied["spec"] = {"conversion": {"webhook": {"clientConfig": bundles[0]}}}
    return applied


# ------------------------------------------------------------------------------ what wakes it


def _annotation_values(annotation: str) -> Callable[[Manifest], Iterator[str]]:
    def values(target: Manifest) -> Iterator[str]:
        text = meta.annotations(target).get(annotation, "")
        if text:
            yield text

    return values


_SECRET_OF_TARGET: Final = _annotation_values(known.INJECT_CA_FROM_SECRET)
_CERTIFICATE_OF_TARGET: Final = _annotation_values(known.INJECT_CA_FROM)


def _controller(kind: Kind, options: InjectionOptions) -> Controller[Injection]:
    by_secret = Index("inject-ca-from-secret", kind, _SECRET_OF_TARGET)
    by_certificate = Index("inject-ca-from", kind, _CERTIFICATE_OF_TARGET)

    async def targets(reader: Reader, index: Index, value: str) -> list[Key]:
        return [meta.key_of(target) for target in await reader.find(index, value)]

    async def of_certificate(certificate: Manifest, reader: Reader) -> Sequence[Key]:
        value = place(meta.namespace(certificate), meta.name(certificate))
        return await targets(reader, by_certificate, value)

    async def of_secret(secret: Manifest, reader: Reader) -> Sequence[Key]:
        value = place(meta.namespace(secret), meta.name(secret))
        found = await targets(reader, by_secret, value)
        if options.from_certificates:
            for certificate in await reader.find(CERTIFICATES_BY_SECRET, value):
                found += await of_certificate(certificate, reader)
        return found

    from_certificates = (Wake(CERTIFICATE, of_certificate),) if options.from_certificates else ()
    indexes = (by_certificate, CERTIFICATES_BY_SECRET) if options.from_certificates else ()
    return Controller(
        name=CONTROLLER_NAME,
        kind=kind,
        gather=partial(gather_injection, options=options),
        plan=partial(plan_injection, options=options),
        wakes=(Wake(SECRET, of_secret), *from_certificates),
        backoff=SLOW_BACKOFF,
        indexes=(by_secret, *indexes),
    )


def injection_controllers(options: InjectionOptions) -> tuple[Controller[Injection], ...]:
    """Return a loop for each kind of target."""
    return tuple(_controller(kind, options) for kind in options.kinds)
