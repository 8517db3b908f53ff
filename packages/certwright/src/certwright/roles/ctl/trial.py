"""`ctl try`: issues what a file asks for in memory, before the first real order.

::

    FILE; issuers and Secrets of the cluster or folder ─▶ store in memory ─▶ the loops
    an ACME CA's staging server in its place                 ─▶ a certificate, or why not

Nothing is written anywhere else: the account is made for the trial, the certificate is thrown away.
Challenges are really answered and TXT records really written, for that is what a trial is about.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from certwright import clock
from certwright.adapters.acme.http01 import HttpAnswers
from certwright.adapters.acme.outside import RealWorld
from certwright.adapters.objects import ObjectStore
from certwright.engine.runtime import Runtime, RuntimeSettings, running
from certwright.engine.store import Store
from certwright.errors import AlreadyExistsError, InvalidError
from certwright.pki.certificates import decode_certificates
from certwright.pki.keys import generate_private_key
from certwright.pki.names import name_text
from certwright.reconcile.certificate_request import issuer_key
from certwright.reconcile.contract import Sources
from certwright.reconcile.controllers import certificate_controllers
from certwright.reconcile.options import AcmeOptions, Options
from certwright.resources import meta
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition
from certwright.resources.features import FeatureGates
from certwright.resources.issuer import Issuer
from certwright.resources.kinds import CERTIFICATE, CLUSTER_ISSUER, SECRET, Key, Manifest
from certwright.resources.secret import Secret
from certwright.resources.times import format_time
from certwright.roles.ctl.causes import cause_of, objects_of
from certwright.roles.standalone.manifests import decode_manifests
from certwright.roles.standalone.rules import WebhookRules
from certwright.telemetry.metrics import Metrics

__all__ = ["Result", "TrialSettings", "run_trial"]

_STAGING: Final[Mapping[str, str]] = {
    "https://acme-v02.api.letsencrypt.org/directory": (
        "https://acme-staging-v02.api.letsencrypt.org/directory"
    )
}
"""Servers that have another one to practise on."""
_ACCOUNT: Final = "certwright-trial-account"
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class TrialSettings:
    """How something is tried."""

    namespace: str
    """Of objects in the file that name none."""
    cluster_resource_namespace: str
    server: str = ""
    """ACME server to ask instead of the issuer's; empty for the staging server of the issuer's."""
    is_real: bool = False
    """Ask the issuer's own server."""
    seconds_max: float = 300.0
    gates: FeatureGates = field(default_factory=FeatureGates)
    answers: HttpAnswers | None = None
    """How HTTP-01 challenges are answered; None for not at all."""
    acme: AcmeOptions = field(default_factory=AcmeOptions)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one Certificate."""

    name: str
    is_good: bool
    message: str


async def run_trial(file: Path, source: Store, settings: TrialSettings) -> list[Result]:
    """Issue every Certificate of a file in memory.

    Args:
        file: YAML with Certificates; issuers and Secrets in it go before those of `source`.
        source: Where issuers and Secrets are read.
        settings: How.

    Raises:
        InvalidError: The file cannot be used, or there is nothing to practise on.
        StoreError: `source` does not answer.
    """
    store = ObjectStore(admission=WebhookRules(settings.gates))
    certificates = await _furnish(store, file, source, settings)
    acme = settings.acme
    options = Options(
        cluster_resource_namespace=settings.cluster_resource_namespace,
        gates=settings.gates,
        acme=acme,
    )
    async with RealWorld(answers=settings.answers) as world:
        runtime = Runtime(
            store,
            certificate_controllers(options),
            lambda: Sources(clock.now(), generate_private_key, lambda: secrets.randbits(128) or 1),
            Metrics(clock.now),
            RuntimeSettings(all_secrets=True),
            world,
        )
        async with running(runtime):
            await _ended(store, certificates, settings.seconds_max)
            return [await _result(store, key) for key in certificates]


# ------------------------------------------------------------------------------ what is tried


async def _furnish(
    store: ObjectStore, file: Path, source: Store, settings: TrialSettings
) -> list[Key]:
    """Put all that is needed into the store; return the keys of the Certificates."""
    found = _read(file, settings)
    certificates = [key for key in found if key.kind == CERTIFICATE]
    if not certificates:
        raise InvalidError(f"{file}: there is no Certificate in it")
    for key in certificates:
        await _take_issuer(found, Certificate(found[key]), source, settings)
    for obj in found.values():
        try:
            await store.create(_bare(obj), manager="user")
        except AlreadyExistsError:
            continue
    return certificates


def _read(file: Path, settings: TrialSettings) -> dict[Key, Manifest]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InvalidError(f"cannot read {file}: {error.strerror}") from error
    documents, problems = decode_manifests(file.name, content, settings.gates)
    if errors := [str(problem) for problem in problems if not problem.is_warning]:
        raise InvalidError("\n".join(errors))
    named = b"namespace:" in content
    found: dict[Key, Manifest] = {}
    for document in documents:
        obj, key = document.object, document.key
        if key.kind.namespaced and not named:
            key = key.kind.key(settings.namespace, key.name)
            obj = {**obj, "metadata": {**obj["metadata"], "namespace": settings.namespace}}
        found[key] = obj
    return found


async def _take_issuer(
    found: dict[Key, Manifest], certificate: Certificate, source: Store, settings: TrialSettings
) -> None:
    """Add the issuer of a Certificate and the Secrets it needs, from the file or the source."""
    key = issuer_key(certificate.issuer_ref, certificate.namespace)
    if key is None or certificate.issuer_ref.is_external:
        raise InvalidError(f"{certificate.name}: its issuer is not one of ours: nothing to try")
    obj = found.get(key) or await source.get(key)
    if obj is None:
        raise InvalidError(f"{certificate.name}: there is no {key}")
    place = settings.cluster_resource_namespace if key.kind == CLUSTER_ISSUER else key.namespace
    found[key] = _practising(obj, settings)
    names = set(_secret_names(found[key]["spec"])) | set(
        _secret_names(certificate.spec.get("keystores") or {})
    )
    for name in names - {_ACCOUNT}:
        at = SECRET.key(place, name)
        secret = found.get(at) or await source.get(at)
        if secret is not None:
            found[at] = secret


def _practising(issuer: Manifest, settings: TrialSettings) -> Manifest:
    """Return an issuer that costs nothing to ask.

    Raises:
        InvalidError: There is nothing to practise on.
    """
    kind = Issuer(issuer).type
    name = meta.name(issuer)
    if kind == "venafi" and not settings.is_real:
        raise InvalidError(f"the issuer {name} would really be asked: say --real to do so")
    if kind != "acme":
        return issuer
    acme = dict(issuer["spec"]["acme"])
    server = settings.server or _STAGING.get(str(acme.get("server")), "")
    if settings.is_real:
        server = str(acme.get("server"))
    if not server:
        raise InvalidError(
            f"no staging server is known for {acme.get('server')}: give one with --acme-server, or"
            " say --real to order there"
        )
    if server != acme.get("server"):
        acme.pop("externalAccountBinding", None)
    acme.pop("disableAccountKeyGeneration", None)
    acme |= {"server": server, "privateKeySecretRef": {"name": _ACCOUNT}}
    return {**issuer, "spec": {**issuer["spec"], "acme": acme}}


def _secret_names(value: Any) -> Iterator[str]:
    """Yield the names of all Secrets that a spec refers to."""
    if isinstance(value, Mapping):
        for field_name, child in value.items():
            if field_name == "secretName" and isinstance(child, str):
                yield child
            elif field_name.endswith("Ref") and isinstance(child, Mapping) and child.get("name"):
                yield str(child["name"])
            yield from _secret_names(child)
    elif isinstance(value, list):
        for child in value:
            yield from _secret_names(child)


def _bare(obj: Manifest) -> Manifest:
    """Return an object as a user would create it."""
    metadata = obj["metadata"]
    kept = {
        name: metadata[name]
        for name in ("name", "namespace", "labels", "annotations")
        if metadata.get(name)
    }
    return {name: part for name, part in obj.items() if name not in {"metadata", "status"}} | {
        "metadata": kept
    }


# ------------------------------------------------------------------------------ what became of it


async def _ended(store: ObjectStore, certificates: list[Key], seconds_max: float) -> None:
    """Wait until each Certificate is ready or has failed, but not too long."""
    deadline = clock.monotonic_seconds() + seconds_max
    while clock.monotonic_seconds() < deadline:
        found = [await store.get(key) for key in certificates]
        if all(obj is not None and _is_over(obj) for obj in found):
            return
        await asyncio.sleep(POLL_SECONDS)


def _is_over(obj: Manifest) -> bool:
    ready, issuing = get_condition(obj, "Ready"), get_condition(obj, "Issuing")
    has_failed = issuing is not None and not issuing.is_true
    return has_failed or (ready is not None and ready.is_true and issuing is None)


async def _result(store: ObjectStore, key: Key) -> Result:
    objects = await objects_of(store)
    obj = objects[key]
    cause = cause_of(obj, objects, clock.now())
    if cause:
        return Result(key.name, is_good=False, message=cause)
    secret = await store.get(SECRET.key(key.namespace, Certificate(obj).secret_name))
    assert secret is not None
    leaf = decode_certificates(Secret(secret).certificate_pem)[0]
    names = ", ".join((*leaf.names.dns, *leaf.names.ips)) or leaf.subject.common_name
    message = f"{names}, until {format_time(leaf.not_after)}, by {name_text(leaf.issuer)}"
    return Result(key.name, is_good=True, message=message)
