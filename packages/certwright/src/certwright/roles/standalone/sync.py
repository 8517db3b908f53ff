"""The store brought in line with the files: what is new or changed is applied, what is gone goes.

What comes from a file is known by its field manager; nothing else is ever deleted here. (An
annotation says which file, but requests inherit the annotations of their Certificate.)
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Final

from certwright.engine.store import Selection, Store
from certwright.errors import NotFoundError, StoreError
from certwright.resources import meta
from certwright.resources.kinds import (
    BUNDLE,
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CLUSTER_ISSUER,
    CONFIG_MAP,
    ISSUER,
    SECRET,
    Key,
    Manifest,
)
from certwright.roles.standalone.manifests import Document, Problem

__all__ = ["FILE_KINDS", "MANAGER", "SOURCE", "bring_in_line", "is_from_file"]

MANAGER: Final = "certwright-files"
"""Field manager of what stands in files."""
SOURCE: Final = "certwright.standalone/file"
"""Annotation of what comes from a file: which one."""
FILE_KINDS: Final = (
    SECRET,
    CONFIG_MAP,
    ISSUER,
    CLUSTER_ISSUER,
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    BUNDLE,
)
"""What may stand in a file."""


async def bring_in_line(
    store: Store, documents: Iterable[Document], kept: frozenset[Key]
) -> list[Problem]:
    """Apply every document and delete what came from a file and stands in none any more.

    Args:
        store: Where.
        documents: What the files hold.
        kept: Objects whose files cannot be read right now: they stay as they are.

    Returns:
        What the store refused, and objects that stand in two places (the first one counts).
    """
    wanted: dict[Key, Document] = {}
    problems: list[Problem] = []
    for document in documents:
        first = wanted.setdefault(document.key, document)
        if first is not document:
            text = f"it is already in {first.source}; that one counts"
            problems.append(Problem(document.source, text, document.key))
    for key, document in wanted.items():
        try:
            present = await store.get(key)
            if present is None or _differs(present, document):
                await store.apply(_marked(document), manager=MANAGER)
        except StoreError as error:
            problems.append(Problem(document.source, str(error), key))
    for kind in FILE_KINDS:
        for obj in (await store.list(Selection(kind))).objects:
            key = meta.key_of(obj)
            if is_from_file(obj) and key not in wanted and key not in kept:
                await _delete(store, key, meta.uid(obj))
    return problems


def is_from_file(obj: Manifest) -> bool:
    """Return whether an object came from a file."""
    return _owned_fields(obj) is not None


async def _delete(store: Store, key: Key, uid: str) -> None:
    try:
        await store.delete(key, uid=uid)
    except NotFoundError:
        return


def _marked(document: Document) -> Manifest:
    obj = deepcopy(document.object)
    obj["metadata"].setdefault("annotations", {})[SOURCE] = document.source
    return obj


def _differs(present: Manifest, document: Document) -> bool:
    """Return whether an apply would change anything; what others added does not count.

    A field that was taken out of the file is still owned by us, so what is owned is compared too.
    """
    wanted = _marked(document)
    return not _within(wanted, present) or not _covers(wanted, _owned_fields(present) or {})


def _owned_fields(obj: Manifest) -> dict[str, Any] | None:
    """Return what files own of an object, or None if it does not come from a file."""
    for entry in meta.mapping_at(obj, "metadata").get("managedFields") or ():
        if entry.get("manager") == MANAGER and entry.get("operation") == "Apply":
            return dict(entry.get("fieldsV1") or {})
    return None


def _within(wanted: Any, present: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(present, dict) and all(
            name in present and _within(value, present[name]) for name, value in wanted.items()
        )
    return bool(wanted == present)


def _covers(wanted: Any, owned: dict[str, Any]) -> bool:
    """Return whether every field that is owned is still wanted."""
    for name, inside in owned.items():
        if not name.startswith("f:"):
            continue
        field = name[2:]
        if not isinstance(wanted, dict) or field not in wanted:
            return False
        if inside and not _covers(wanted[field], inside):
            return False
    return True
