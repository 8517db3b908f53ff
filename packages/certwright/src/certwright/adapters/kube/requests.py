"""What is sent for each question and each write, and what an answer's status means. Pure.

Source: Kubernetes documentation, API Concepts; API Conventions, "Response Status Kind".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from certwright.engine.store import Selection
from certwright.errors import (
    AlreadyExistsError,
    ConflictError,
    ExpiredError,
    NotFoundError,
    RefusedError,
    StoreError,
    UnavailableError,
)
from certwright.resources.kinds import Key, Kind, Manifest

__all__ = [
    "Request",
    "apply_request",
    "create_request",
    "delete_request",
    "error_of",
    "get_request",
    "list_request",
    "update_request",
    "user_agent",
    "watch_request",
]

LIST_PAGE_OBJECTS: Final = 500
"""Objects in one page of a list. Source: client-go's pager."""
_JSON: Final = "application/json"
_PARTIAL: Final = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1,application/json"
_MESSAGE_CHARACTERS_MAX: Final = 2000


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, but for what says who we are."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    content_type: str = _JSON
    accept: str = _JSON


def path_of(kind: Kind, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return the path of a kind's collection or of one object."""
    parts = ["apis", kind.group, kind.version] if kind.group else ["api", kind.version]
    if kind.namespaced and namespace:
        parts += ["namespaces", namespace]
    parts.append(kind.plural)
    if name:
        parts.append(name)
    if subresource:
        parts.append(subresource)
    return "/" + "/".join(quote(part, safe="") for part in parts)


def get_request(key: Key) -> Request:
    """Ask for one object."""
    return Request("GET", path_of(key.kind, key.namespace, key.name))


def list_request(selection: Selection, *, limit: int, continue_token: str) -> Request:
    """Ask for a page of a list; `limit` 0 for all at once."""
    query = [("labelSelector", selection.label_selector)] if selection.label_selector else []
    if limit:
        query.append(("limit", str(limit)))
    if continue_token:
        query.append(("continue", continue_token))
    accept = _PARTIAL.format("List") if selection.metadata_only else _JSON
    path = path_of(selection.kind, selection.namespace)
    return Request("GET", path, tuple(query), accept=accept)


def watch_request(selection: Selection, resource_version: str, seconds: int) -> Request:
    """Ask for changes after a version, for so many seconds."""
    query = [
        ("watch", "true"),
        ("allowWatchBookmarks", "true"),
        ("resourceVersion", resource_version),
        ("timeoutSeconds", str(seconds)),
    ]
    if selection.label_selector:
        query.append(("labelSelector", selection.label_selector))
    accept = _PARTIAL.format("") if selection.metadata_only else _JSON
    path = path_of(selection.kind, selection.namespace)
    return Request("GET", path, tuple(query), accept=accept)


def create_request(kind: Kind, obj: Manifest, manager: str, *, dry_run: bool) -> Request:
    """Store a new object."""
    query = [("fieldManager", manager)]
    if dry_run:
        query.append(("dryRun", "All"))
    namespace = str(obj.get("metadata", {}).get("namespace", ""))
    return Request("POST", path_of(kind, namespace), tuple(query), _body(obj))


def update_request(kind: Kind, obj: Manifest, manager: str, subresource: str) -> Request:
    """Replace an object or its status."""
    metadata = obj["metadata"]
    path = path_of(kind, metadata.get("namespace", ""), metadata["name"], subresource)
    return Request("PUT", path, (("fieldManager", manager),), _body(obj))


def apply_request(
    kind: Kind, obj: Manifest, manager: str, *, force: bool, subresource: str
) -> Request:
    """Apply an object or its status."""
    metadata = obj["metadata"]
    path = path_of(kind, metadata.get("namespace", ""), metadata["name"], subresource)
    query = (("fieldManager", manager), ("force", "true" if force else "false"))
    return Request("PATCH", path, query, _body(obj), content_type="application/apply-patch+yaml")


def delete_request(key: Key, uid: str) -> Request:
    """Delete an object; what it owns goes in the background."""
    options: Manifest = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
    }
    if uid:
        options["preconditions"] = {"uid": uid}
    return Request("DELETE", path_of(key.kind, key.namespace, key.name), body=_body(options))


def user_agent(manager: str, version: str, system: str, machine: str) -> str:
    """Return the User-Agent, whose part before the first slash is the field manager.

    Source: reference cert-manager.md 2.0 and 13.1.
    """
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{manager}/v{version} ({system.lower()}/{machine}) certwright/{version}"


def error_of(status: int, body: bytes) -> StoreError:
    """Return the error an answer means; `status` is its HTTP status, 300 or more."""
    message, reason, code = _status_of(body)
    code = code or status
    message = message or f"the API server answered {status}"
    match code:
        case 404:
            return NotFoundError(message)
        case 409:
            return (
                AlreadyExistsError(message) if reason == "AlreadyExists" else ConflictError(message)
            )
        case 410:
            return ExpiredError(message)
        case 408 | 429:
            return UnavailableError(message)
        case _ if code < 500:
            return RefusedError(message)
        case _:
            return UnavailableError(message)


def _status_of(body: bytes) -> tuple[str, str, int]:
    """Return message, reason and code of a Status object, as far as there is one."""
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return body.decode(errors="replace").strip()[:_MESSAGE_CHARACTERS_MAX], "", 0
    if not isinstance(answer, dict):
        return "", "", 0
    code = answer.get("code")
    return (
        str(answer.get("message") or ""),
        str(answer.get("reason") or ""),
        code if isinstance(code, int) else 0,
    )


def _body(obj: Manifest) -> bytes:
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode()
