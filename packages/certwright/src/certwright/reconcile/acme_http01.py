"""What answers an HTTP-01 challenge in a cluster: a pod, its Service, and a way in from outside.

::

    the CA ─▶ Ingress or HTTPRoute ─▶ Service ─▶ pod `certwright acmesolver`

Names follow from the Challenge, so that doing it twice meets the first one's objects.

Source: reference cert-manager.md 3.5 (HTTP-01 resources); cert-manager v1.12.2
pkg/issuer/acme/http (pod.go, service.go, ingress.go, httproute.go).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from certwright.acme.names import adler32
from certwright.errors import InvalidError
from certwright.reconcile.contract import Action, Create, Delete, Emit, Update
from certwright.reconcile.names import name_suffix
from certwright.reconcile.options import AcmeOptions
from certwright.resources import known, meta
from certwright.resources.acme import Challenge
from certwright.resources.gotext import quote
from certwright.resources.kinds import (
    HTTP_ROUTE,
    INGRESS,
    POD,
    SERVICE,
    Key,
    Kind,
    Manifest,
)
from certwright.resources.meta import mapping_at

__all__ = ["clean_up", "needed", "present", "solver_path"]

_PREFIX: Final = "cm-acme-http-solver"
_PORT: Final = 8089
_NGINX: Final = "nginx.ingress.kubernetes.io/whitelist-source-range"
_CLASS: Final = "kubernetes.io/ingress.class"
_OVER: Final = frozenset({"Failed", "Succeeded"})
"""Phases of a pod that will not serve again."""

Objects = Mapping[Key, Manifest]


def solver_path(token: str) -> str:
    """Return where the answer to a token is."""
    return f"/.well-known/acme-challenge/{token}"


def needed(challenge: Challenge) -> Iterator[Key]:
    """Yield the keys of all that presenting and cleaning up look at."""
    yield POD.key(challenge.namespace, _name(challenge))
    yield SERVICE.key(challenge.namespace, _name(challenge))
    http01 = mapping_at(challenge.solver, "http01")
    if http01.get("ingress") is not None:
        name = str(mapping_at(http01, "ingress").get("name") or "")
        yield INGRESS.key(challenge.namespace, name or _name(challenge))
    if http01.get("gatewayHTTPRoute") is not None:
        yield HTTP_ROUTE.key(challenge.namespace, _name(challenge))


def present(challenge: Challenge, found: Objects, options: AcmeOptions) -> tuple[Action, ...]:
    """Return what puts the answer in place; nothing if it is.

    Raises:
        InvalidError: The solver cannot work as it is configured; the texts are cert-manager's.
    """
    http01 = mapping_at(challenge.solver, "http01")
    if http01.get("ingress") is not None:
        way_in = _ingress(challenge, mapping_at(http01, "ingress"), found)
    elif http01.get("gatewayHTTPRoute") is not None:
        way_in = _route(challenge, mapping_at(http01, "gatewayHTTPRoute"), found)
    else:
        raise InvalidError(
            f"couldn't Present challenge {challenge.namespace}/{challenge.name}: no Ingress nor "
            "Gateway HTTP01 solvers were specified"
        )
    return (
        *_pod(challenge, found, options),
        *_made(challenge, _service(challenge, http01), found),
        *way_in,
    )


def clean_up(challenge: Challenge, found: Objects) -> tuple[Action, ...]:
    """Return what takes the answer away."""
    actions: list[Action] = []
    for key in needed(challenge):
        obj = found.get(key)
        if obj is None:
            continue
        if meta.is_controlled_by(obj, challenge.uid):
            actions.append(Delete(key, meta.uid(obj)))
        elif key.kind == INGRESS and (rules := _rules_without(challenge, obj)) is not None:
            actions.append(Update({**obj, "spec": {**obj["spec"], "rules": rules}}))
    return tuple(actions)


# ------------------------------------------------------------------------------ pod and Service


def _pod(challenge: Challenge, found: Objects, options: AcmeOptions) -> tuple[Action, ...]:
    wanted = _pod_manifest(challenge, options)
    there = found.get(meta.key_of(wanted))
    if there is not None and meta.is_controlled_by(there, challenge.uid):
        if mapping_at(there, "status").get("phase") in _OVER:
            return (Delete(meta.key_of(there), meta.uid(there)), _create(challenge, wanted))
        return ()
    return (_create(challenge, wanted),)


def _pod_manifest(challenge: Challenge, options: AcmeOptions) -> Manifest:
    template = mapping_at(challenge.solver, "http01", "ingress", "podTemplate")
    metadata = mapping_at(template, "metadata")
    spec = mapping_at(template, "spec")
    container: Manifest = {
        "name": "acmesolver",
        "image": options.solver_image,
        "imagePullPolicy": "IfNotPresent",
        **({"command": list(options.solver_command)} if options.solver_command else {}),
        "args": [
            f"--listen-port={_PORT}",
            f"--domain={challenge.dns_name}",
            f"--token={challenge.token}",
            f"--key={challenge.key}",
        ],
        "resources": {
            "requests": {
                "cpu": options.solver_request_cpu,
                "memory": options.solver_request_memory,
            },
            "limits": {"cpu": options.solver_limit_cpu, "memory": options.solver_limit_memory},
        },
        "ports": [{"name": "http", "containerPort": _PORT}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod_spec: Manifest = {
        "automountServiceAccountToken": False,
        "nodeSelector": {"kubernetes.io/os": "linux", **(spec.get("nodeSelector") or {})},
        "restartPolicy": "OnFailure",
        "securityContext": {
            "runAsNonRoot": options.solver_run_as_non_root,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    for field in ("tolerations", "affinity", "priorityClassName", "serviceAccountName"):
        if spec.get(field):
            pod_spec[field] = deepcopy(spec[field])
    if spec.get("imagePullSecrets"):
        pod_spec["imagePullSecrets"] = deepcopy(spec["imagePullSecrets"])
    obj = _object(
        challenge,
        POD,
        labels=mapping_at(metadata, "labels"),
        annotations={"sidecar.istio.io/inject": "false", **mapping_at(metadata, "annotations")},
    )
    return {**obj, "spec": pod_spec}


def _service(challenge: Challenge, http01: Mapping[str, Any]) -> Manifest:
    way_in = http01.get("ingress") or http01.get("gatewayHTTPRoute") or {}
    obj = _object(challenge, SERVICE, annotations={"auth.istio.io/8089": "NONE"})
    port = {"name": "http", "port": _PORT, "targetPort": _PORT}
    spec = {
        "type": way_in.get("serviceType") or "NodePort",
        "ports": [port],
        "selector": _labels(challenge),
    }
    return {**obj, "spec": spec}


# ------------------------------------------------------------------------------ ways in


def _ingress(challenge: Challenge, config: Mapping[str, Any], found: Objects) -> tuple[Action, ...]:
    if config.get("name"):
        return _edited(challenge, str(config["name"]), found)
    has_class, has_name = (
        config.get("class") is not None,
        config.get("ingressClassName") is not None,
    )
    if has_class and has_name:
        raise InvalidError("the fields ingressClassName and class cannot be set at the same time")
    template = mapping_at(config, "ingressTemplate", "metadata")
    extra = mapping_at(template, "annotations")
    annotations = {_NGINX: "0.0.0.0/0,::/0"}
    if has_class:
        annotations[_CLASS] = str(config["class"])
    if any(name.rpartition("/")[2] == "whitelist-source-range" for name in extra):
        del annotations[_NGINX]
    obj = _object(
        challenge,
        INGRESS,
        labels=mapping_at(template, "labels"),
        annotations={**annotations, **extra},
    )
    rule: Manifest = {"http": {"paths": [_path(challenge)]}}
    if not _is_address(challenge.dns_name):
        rule["host"] = challenge.dns_name
    spec: Manifest = {"rules": [rule]}
    if has_name:
        spec["ingressClassName"] = str(config["ingressClassName"])
    return _made(challenge, {**obj, "spec": spec}, found)


def _edited(challenge: Challenge, name: str, found: Objects) -> tuple[Action, ...]:
    """Add the path to an Ingress of the user's, in front of all others of its host."""
    there = found.get(INGRESS.key(challenge.namespace, name))
    if there is None:
        raise InvalidError(f"ingress.networking.k8s.io {quote(name)} not found")
    wanted = _path(challenge)
    rules = deepcopy(list(mapping_at(there, "spec").get("rules") or ()))
    rule = next((rule for rule in rules if rule.get("host") == challenge.dns_name), None)
    if rule is None:
        rules.append({"host": challenge.dns_name, "http": {"paths": [wanted]}})
    else:
        paths = list((rule.get("http") or {}).get("paths") or ())
        at = next((n for n, path in enumerate(paths) if path.get("path") == wanted["path"]), None)
        if at is None:
            paths.insert(0, wanted)
        elif paths[at].get("backend") == wanted["backend"]:
            return ()
        else:
            paths[at] = wanted
        rule["http"] = {**(rule.get("http") or {}), "paths": paths}
    return (Update({**there, "spec": {**there["spec"], "rules": rules}}),)


def _rules_without(challenge: Challenge, ingress: Manifest) -> list[Manifest] | None:
    """Return the rules of a user's Ingress without our path; None if it is not among them."""
    path = solver_path(challenge.token)
    rules: list[Manifest] = []
    is_changed = False
    for rule in mapping_at(ingress, "spec").get("rules") or ():
        paths = (rule.get("http") or {}).get("paths") or ()
        kept = [entry for entry in paths if entry.get("path") != path]
        if rule.get("host") != challenge.dns_name or len(kept) == len(paths):
            rules.append(rule)
            continue
        is_changed = True
        if kept:
            rules.append({**rule, "http": {**rule["http"], "paths": kept}})
    return rules if is_changed else None


def _route(challenge: Challenge, config: Mapping[str, Any], found: Objects) -> tuple[Action, ...]:
    obj = _object(challenge, HTTP_ROUTE, labels=mapping_at(config, "labels"))
    backend = {
        "kind": "Service",
        "name": _name(challenge),
        "namespace": challenge.namespace,
        "port": _PORT,
        "weight": 1,
    }
    match = {"path": {"type": "Exact", "value": solver_path(challenge.token)}}
    spec = {
        "parentRefs": deepcopy(list(config.get("parentRefs") or ())),
        "hostnames": [challenge.dns_name],
        "rules": [{"matches": [match], "backendRefs": [backend]}],
    }
    wanted = {**obj, "spec": spec}
    there = found.get(meta.key_of(wanted))
    if there is None or not meta.is_controlled_by(there, challenge.uid):
        return (_create(challenge, wanted),)
    labels = {**meta.labels(there), **meta.labels(wanted)}
    if _holds(there.get("spec"), spec) and labels == meta.labels(there):
        return ()
    metadata = {**there["metadata"], "labels": labels}
    return (Update({**there, "metadata": metadata, "spec": spec}),)


def _holds(there: Any, wanted: Any) -> bool:
    """Return whether `there` is `wanted`, but for what a server adds by default."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(
            _holds(there.get(name), value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(there, list)
            and len(there) == len(wanted)
            and all(map(_holds, there, wanted))
        )
    return bool(there == wanted)


# ------------------------------------------------------------------------------ parts


def _path(challenge: Challenge) -> Manifest:
    return {
        "path": solver_path(challenge.token),
        "pathType": "ImplementationSpecific",
        "backend": {"service": {"name": _name(challenge), "port": {"number": _PORT}}},
    }


def _made(challenge: Challenge, wanted: Manifest, found: Objects) -> tuple[Action, ...]:
    there = found.get(meta.key_of(wanted))
    if there is not None and meta.is_controlled_by(there, challenge.uid):
        return ()
    return (_create(challenge, wanted),)


def _create(challenge: Challenge, obj: Manifest) -> Create:
    said = Emit(challenge.object, "Warning", "PresentError", "Error presenting challenge: {error}")
    return Create(obj, if_refused=said)


def _object(
    challenge: Challenge,
    kind: Kind,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    metadata: Manifest = {
        "name": _name(challenge),
        "namespace": challenge.namespace,
        "labels": {**_labels(challenge), **(labels or {})},
        "ownerReferences": [meta.controller_reference(challenge.object)],
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}


def _name(challenge: Challenge) -> str:
    return f"{_PREFIX}-{name_suffix('http01', challenge.uid)}"


def _labels(challenge: Challenge) -> dict[str, str]:
    return {
        known.HTTP_DOMAIN: adler32(challenge.dns_name),
        known.HTTP_TOKEN: adler32(challenge.token),
        known.HTTP01_SOLVER: "true",
    }


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
