"""Looks for what would keep Certwright from working in a cluster: one finding a line.

Nothing is kept: what is created is created as a dry run.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from certwright import clock
from certwright.adapters.kube import KubeStore
from certwright.errors import CertwrightError, InvalidError, NotFoundError
from certwright.pki.certificates import decode_certificates
from certwright.resources import crds
from certwright.resources.conditions import get_condition
from certwright.resources.installation import InstallationSettings, rbac
from certwright.resources.kinds import CERTIFICATE, CLUSTER_ISSUER, ISSUER, Manifest
from certwright.resources.times import parse_time
from certwright.roles.ctl.causes import cause_of, objects_of

__all__ = ["Finding", "examine"]

_NAME: Final = "cert-manager"
_SKEW_SECONDS_MAX: Final = 30
_LISTED_MAX: Final = 10
"""Certificates that are named one by one."""
_APPS: Final = "/apis/apps/v1/namespaces"
_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    subject: str
    text: str


async def examine(store: KubeStore, namespace: str, election: str) -> AsyncIterator[Finding]:
    """Yield what there is to say.

    Args:
        store: The cluster, as somebody who may look at most of it.
        namespace: Where the controller, webhook and cainjector are.
        election: Namespace of the leases.
    """
    version = await store.ask("/version")
    yield Finding("ok", "API server", f"answers, {version.get('gitVersion', '?')}")
    try:
        name = await _name(store, namespace)
    except CertwrightError:
        name = _NAME  # who may not list Deployments is told so below
    for look in (_clock, _definitions, _workloads, _webhook, _permissions):
        try:
            async for finding in look(store, namespace, name):
                yield finding
        except CertwrightError as error:
            yield Finding("warning", look.__name__.strip("_"), f"cannot be looked at: {error}")
    async for finding in _leases(store, election):
        yield finding
    try:
        async for finding in _certificates(store):
            yield finding
    except CertwrightError as error:
        yield Finding("problem", "certificates", f"cannot be listed: {error}")


async def _found(store: KubeStore, path: str) -> Manifest | None:
    try:
        return await store.ask(path)
    except NotFoundError:
        return None


async def _name(store: KubeStore, namespace: str) -> str:
    """Return what names of objects begin with: a release may have any name."""
    chosen = "labelSelector=app.kubernetes.io/component%3Dcontroller"
    found = await store.ask(f"{_APPS}/{namespace}/deployments?{chosen}")
    names = [one["metadata"]["name"] for one in found.get("items") or ()]
    ours = sorted(name for name in names if name.endswith(_NAME))
    return _NAME if _NAME in ours or not ours else str(ours[0])


async def _clock(store: KubeStore, namespace: str, _: str) -> AsyncIterator[Finding]:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "doctor-"}}
    made = await store.call(f"/api/v1/namespaces/{namespace}/configmaps?dryRun=All", body)
    there = parse_time(made["metadata"]["creationTimestamp"])
    skew = abs((clock.now() - there).total_seconds())
    if skew > _SKEW_SECONDS_MAX:
        why = f"this clock and the API server's are {skew:.0f} s apart: mend NTP on the wrong one"
        yield Finding("problem", "clock", why)
    else:
        yield Finding("ok", "clock", "is the API server's")


async def _definitions(store: KubeStore, _: str, __: str) -> AsyncIterator[Finding]:
    missing = []
    for definition in crds.load():
        name = definition["metadata"]["name"]
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        found = await _found(store, path)
        if found is None:
            missing.append(name)
            continue
        if _status_of(found, "Established") != "True":
            yield Finding("problem", f"CRD {name}", "is not established: kubectl describe crd")
        stored = (found.get("status") or {}).get("storedVersions") or []
        if set(stored) - {"v1"}:
            why = f"objects may be stored as {', '.join(stored)}: migrate them to v1"
            yield Finding("warning", f"CRD {name}", why)
    if missing:
        remedy = "certwright manifests crds | kubectl apply --server-side -f -"
        yield Finding("problem", "CRDs", f"{', '.join(missing)} missing: {remedy}")
    else:
        yield Finding("ok", "CRDs", "all six are there")


async def _workloads(store: KubeStore, namespace: str, base: str) -> AsyncIterator[Finding]:
    for name in (base, f"{base}-webhook", f"{base}-cainjector"):
        found = await _found(store, f"{_APPS}/{namespace}/deployments/{name}")
        if found is None:
            why = f"is not in {namespace}: install the chart, or name the namespace with -n"
            yield Finding("problem", f"Deployment {name}", why)
            continue
        wanted = found["spec"].get("replicas", 1)
        there = (found.get("status") or {}).get("availableReplicas", 0)
        if not there:
            why = f"none of {wanted} pods is available: kubectl -n {namespace} describe pods"
            yield Finding("problem", f"Deployment {name}", why)
        else:
            yield Finding("ok", f"Deployment {name}", f"{there} of {wanted} pods are available")
        for container in found["spec"]["template"]["spec"]["containers"]:
            if "registry.example.com" in container.get("image", ""):
                why = f"has the image {container['image']}, which is nowhere: set the repository"
                yield Finding("problem", f"Deployment {name}", why)


async def _webhook(store: KubeStore, namespace: str, base: str) -> AsyncIterator[Finding]:
    secret = await _found(store, f"/api/v1/namespaces/{namespace}/secrets/{base}-webhook-ca")
    authority = ((secret or {}).get("data") or {}).get("ca.crt", "")
    for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
        found = await _found(store, f"{_ADMISSION}/{kind}/{base}-webhook")
        if found is None:
            why = "is missing, so objects are stored unchecked: install the chart again"
            yield Finding("problem", kind, why)
            continue
        for hook in found.get("webhooks") or ():
            bundle = hook["clientConfig"].get("caBundle", "")
            if not bundle:
                why = "has no CA, so the API server refuses every object: is cainjector running?"
                yield Finding("problem", kind, why)
            elif authority and bundle != authority:
                why = "has another CA than the webhook's Secret: is cainjector running?"
                yield Finding("problem", kind, why)
            else:
                yield _bundle(kind, bundle)
    slices = await store.ask(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        f"?labelSelector=kubernetes.io/service-name%3D{base}-webhook"
    )
    ready = any(
        (endpoint.get("conditions") or {}).get("ready", True)
        for one in slices.get("items") or ()
        for endpoint in one.get("endpoints") or ()
    )
    if not ready:
        why = f"Service {base}-webhook has no ready pod: every change is refused until it has"
        yield Finding("problem", "webhook", why)


def _bundle(kind: str, bundle: str) -> Finding:
    try:
        certificates = decode_certificates(base64.b64decode(bundle))
    except (InvalidError, ValueError) as error:
        why = f"its CA cannot be read ({error}): delete it, cainjector writes it anew"
        return Finding("problem", kind, why)
    end = max(one.not_after for one in certificates)
    days = (end - clock.now()).days
    if days < 7:
        return Finding("problem", kind, f"its CA ends in {days} days: is the webhook running?")
    return Finding("ok", kind, f"has a CA for {days} days more")


async def _leases(store: KubeStore, election: str) -> AsyncIterator[Finding]:
    base = f"/apis/coordination.k8s.io/v1/namespaces/{election}/leases"
    for name in ("cert-manager-controller", "cert-manager-cainjector-leader-election"):
        try:
            spec = (await store.ask(f"{base}/{name}")).get("spec") or {}
        except NotFoundError:
            why = f"is not in {election}: nobody has led yet; see global.leaderElection.namespace"
            yield Finding("warning", f"lease {name}", why)
            continue
        except CertwrightError as error:
            yield Finding("warning", f"lease {name}", f"cannot be looked at: {error}")
            continue
        holder = spec.get("holderIdentity")
        renewed = parse_time(spec["renewTime"]) if spec.get("renewTime") else None
        limit = spec.get("leaseDurationSeconds", 60)
        if not holder or renewed is None or (clock.now() - renewed).total_seconds() > limit:
            why = "is held by nobody now: no controller works; look at its pods"
            yield Finding("problem", f"lease {name}", why)
        else:
            yield Finding("ok", f"lease {name}", f"is held by {holder}")


async def _permissions(store: KubeStore, namespace: str, base: str) -> AsyncIterator[Finding]:
    lacking: list[str] = []
    asked = 0
    for plain_name, place, rule in _grants(rbac(InstallationSettings(namespace=namespace))):
        account = base + plain_name.removeprefix(_NAME)
        for resource in rule["resources"]:
            plain, _, sub = resource.partition("/")
            attributes = {
                "namespace": place,
                "verb": rule["verbs"][0],
                "group": rule["apiGroups"][0],
                "resource": plain,
                "subresource": sub,
                # The Secret is the release's; leases have one name in all of them.
                "name": (rule.get("resourceNames") or [""])[0].replace(
                    f"{_NAME}-webhook", f"{base}-webhook"
                ),
            }
            body = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {
                    "user": f"system:serviceaccount:{namespace}:{account}",
                    "groups": ["system:serviceaccounts", "system:authenticated"],
                    "resourceAttributes": attributes,
                },
            }
            answer = await store.call("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
            asked += 1
            if not (answer.get("status") or {}).get("allowed"):
                lacking.append(f"{account} may not {attributes['verb']} {resource}")
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        remedy = "global.rbac.create, or certwright manifests rbac"
        yield Finding("problem", "permissions", f"{'; '.join(lacking[:3])}{more}: {remedy}")
    else:
        yield Finding("ok", "permissions", f"all {asked} that were asked about are there")


def _grants(objects: list[Manifest]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield account, namespace and rule of every binding."""
    roles = {(obj["kind"], obj["metadata"]["name"]): obj for obj in objects if "rules" in obj}
    for obj in objects:
        if not obj["kind"].endswith("Binding"):
            continue
        role = roles[obj["roleRef"]["kind"], obj["roleRef"]["name"]]
        for rule in role["rules"]:
            yield obj["subjects"][0]["name"], obj["metadata"].get("namespace", ""), rule


async def _certificates(store: KubeStore) -> AsyncIterator[Finding]:
    found = await objects_of(store)
    for kind in (ISSUER, CLUSTER_ISSUER):
        for key, obj in found.items():
            if key.kind == kind and _status_of(obj, "Ready") != "True":
                condition = get_condition(obj, "Ready")
                why = condition.message if condition else ""
                why = why or "has no condition yet: is the controller running?"
                yield Finding("problem", str(key), why)
    certificates = {key: obj for key, obj in found.items() if key.kind == CERTIFICATE}
    wrong = 0
    for key, obj in certificates.items():
        end = (obj.get("status") or {}).get("notAfter")
        late = end is not None and parse_time(end) < clock.now()
        if not late and _status_of(obj, "Ready") == "True":
            continue
        wrong += 1
        if wrong <= _LISTED_MAX:
            why = "has ended; " if late else ""
            cause = cause_of(obj, found, clock.now())
            yield Finding("problem", str(key), f"{why}{cause}")
    if wrong > _LISTED_MAX:
        yield Finding("problem", "certificates", f"{wrong - _LISTED_MAX} more are not ready")
    ready = len(certificates) - wrong
    yield Finding("ok", "certificates", f"{ready} of {len(certificates)} are ready")


def _status_of(obj: Manifest, name: str) -> str:
    condition = get_condition(obj, name)
    return condition.status if condition else ""
