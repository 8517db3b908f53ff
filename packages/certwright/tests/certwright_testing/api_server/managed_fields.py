"""Who owns which field: `metadata.managedFields` kept up to date by every write.

Each entry is one manager with one way of writing (Apply or Update), one API version and one
subresource. A write takes what it changes away from everybody else. An apply owns exactly what it
sends: what it owned before, sends no longer and nobody else owns is removed from the object.

Source: Kubernetes documentation, Server-Side Apply; structured-merge-diff v6 (behaviour).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from certwright.adapters.objects.merging import Writer
from certwright.errors import ConflictError, InvalidError
from certwright.resources.kinds import Manifest
from certwright_testing.api_server.field_sets import (
    MISSING,
    FieldSet,
    Path,
    compare,
    decode_fields,
    encode_fields,
    fields_of,
    is_object_map,
    list_element,
)
from certwright_testing.api_server.schema import Rule

__all__ = ["apply_configuration", "track_update"]

_NEVER_OWNED: Final[frozenset[Path]] = frozenset(
    {
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "name",
                "namespace",
                "creationTimestamp",
                "selfLink",
                "uid",
                "clusterName",
                "generation",
                "managedFields",
                "resourceVersion",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
            )
        ),
    }
)


@dataclass(frozen=True, slots=True)
class _Owned:
    fields: FieldSet
    time: str


_Owners = dict[Writer, _Owned]


def track_update(
    before: Manifest | None, after: Manifest, writer: Writer, rule: Rule, now: str
) -> Manifest:
    """Return `after` with the managedFields it gets when `writer` replaces `before` by it."""
    owners = _owners(after) or _owners(before)
    owners = _after_change(before, after, rule, owners, writer=None)
    taken = _changed_fields(before, after, rule)
    if taken:
        mine = owners.get(writer)
        fields = taken | (mine.fields if mine else frozenset())
        owners[writer] = _Owned(fields, now)
    return _with_owners(after, owners)


def apply_configuration(
    before: Manifest | None,
    configuration: Manifest,
    writer: Writer,
    rule: Rule,
    *,
    now: str,
    force: bool,
) -> Manifest:
    """Return the object after a server-side apply; `before` itself if nothing changes.

    Args:
        before: The object as it is; None if there is none.
        configuration: All that `writer` wants, without the fields it may not write.
        writer: Who applies.
        rule: How the kind merges.
        now: Time of the write, RFC 3339.
        force: Take fields that others own.

    Raises:
        ConflictError: Others own what would change, and `force` is not set.
    """
    owners = _owners(before)
    last = owners.get(writer)
    wanted = frozenset(fields_of(configuration, rule)) - _NEVER_OWNED
    merged = _merge(before if before is not None else MISSING, configuration, rule)
    trial = {**owners, writer: _Owned(wanted, now)}
    if last is not None:
        held: set[Path] = set()
        for owned in trial.values():
            held.update(owned.fields)
        merged = _without_fields(merged, rule, last.fields - held, held)
    if not force:
        _check_conflicts(before, merged, rule, owners, writer)
    owners = _after_change(before, merged, rule, trial, writer=writer)
    owners[writer] = _Owned(wanted, last.time if last else now)
    if before is not None and _with_owners(merged, owners) == before:
        return before
    owners[writer] = _Owned(wanted, now)
    return _with_owners(merged, owners)


# ------------------------------------------------------------------------------ owners


def _owners(obj: Manifest | None) -> _Owners:
    owners: _Owners = {}
    entries = ((obj or {}).get("metadata") or {}).get("managedFields")
    if not isinstance(entries, list):
        return owners
    for entry in entries:
        if not isinstance(entry, dict) or not entry.get("manager"):
            continue
        operation: Literal["Apply", "Update"] = (
            "Apply" if entry.get("operation") == "Apply" else "Update"
        )
        writer = Writer(
            str(entry["manager"]),
            operation,
            str(entry.get("apiVersion", "")),
            str(entry.get("subresource", "")),
        )
        try:
            fields = decode_fields(entry.get("fieldsV1") or {})
        except InvalidError:
            continue
        owners[writer] = _Owned(fields, str(entry.get("time", "")))
    return owners


def _with_owners(obj: Manifest, owners: _Owners) -> Manifest:
    entries = [
        {
            "manager": writer.manager,
            "operation": writer.operation,
            "apiVersion": writer.api_version,
            "time": owned.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": encode_fields(owned.fields),
            **({"subresource": writer.subresource} if writer.subresource else {}),
        }
        for writer, owned in sorted(owners.items(), key=_place)
        if owned.fields
    ]
    metadata = {**obj.get("metadata", {})}
    metadata.pop("managedFields", None)
    if entries:
        metadata["managedFields"] = entries
    return {**obj, "metadata": metadata}


def _place(entry: tuple[Writer, _Owned]) -> tuple[str, ...]:
    writer, owned = entry
    return (
        writer.operation,
        owned.time,
        writer.manager,
        writer.api_version,
        writer.subresource,
    )


def _after_change(
    before: Manifest | None, after: Manifest, rule: Rule, owners: _Owners, *, writer: Writer | None
) -> _Owners:
    """Take what changed from everyone but `writer`, and what is gone from all."""
    difference = compare(before if before is not None else MISSING, after, rule)
    taken = difference.added | difference.modified
    result: _Owners = {}
    for owner, owned in owners.items():
        lost = difference.removed if owner == writer else difference.removed | taken
        fields = owned.fields - lost if lost else owned.fields
        result[owner] = owned if fields == owned.fields else replace(owned, fields=fields)
    return result


def _changed_fields(before: Manifest | None, after: Manifest, rule: Rule) -> FieldSet:
    difference = compare(before if before is not None else {"metadata": {}}, after, rule)
    return frozenset(difference.added | difference.modified) - _NEVER_OWNED - {()}


def _check_conflicts(
    before: Manifest | None, after: Manifest, rule: Rule, owners: _Owners, writer: Writer
) -> None:
    difference = compare(before if before is not None else MISSING, after, rule)
    taken = difference.added | difference.modified
    found = [
        f'conflict with "{owner.manager}"'
        + (f" using {owner.api_version}" if owner.api_version else "")
        + f": {_dotted(path)}"
        for owner, owned in sorted(owners.items(), key=_place)
        if owner != writer
        for path in sorted(owned.fields & taken)
    ]
    if found:
        count = f"{len(found)} conflict{'s' if len(found) > 1 else ''}"
        raise ConflictError(f"Apply failed with {count}: {'; '.join(found)}")


def _dotted(path: Path) -> str:
    return "".join(
        f".{element[2:]}" if element.startswith("f:") else f"[{element[2:]}]" for element in path
    )


# ------------------------------------------------------------------------------ merging


def _merge(before: Any, wanted: Any, rule: Rule) -> Any:
    if isinstance(wanted, dict) and isinstance(before, dict) and not rule.atomic:
        result = dict(before)
        for name, value in wanted.items():
            result[name] = _merge(before.get(name, MISSING), value, rule.of(name))
        return result
    if is_object_map(wanted, rule) and is_object_map(before, rule):
        return _merge_lists(before, wanted, rule)
    return wanted


def _merge_lists(before: list[Any], wanted: list[Any], rule: Rule) -> list[Any]:
    inner = Rule(atomic=rule.is_set or rule.entries_atomic, fields=rule.fields)
    entries = {str(list_element(entry, rule)): entry for entry in before}
    for entry in wanted:
        element = str(list_element(entry, rule))
        entries[element] = _merge(entries.get(element, MISSING), entry, inner)
    return list(entries.values())


def _without_fields(obj: Manifest, rule: Rule, lost: Iterable[Path], held: set[Path]) -> Manifest:
    """Remove fields, and what is left empty by that, unless somebody holds it."""
    ancestors = {path[:length] for path in held for length in range(1, len(path) + 1)}
    gone: set[Path] = set()
    result: Any = obj
    for path in sorted(lost, key=len):
        if (
            path in ancestors
            or _is_key(path)
            or any(path[:end] in gone for end in range(len(path)))
        ):
            continue
        gone.add(path)
        result = _removed(result, path, rule, ancestors, ())
    return result  # type: ignore[no-any-return]  # the root is an object and is never removed


def _is_key(path: Path) -> bool:
    """Tell whether a field is what tells its object apart in a keyed list: it goes last."""
    return (
        len(path) > 1
        and path[-2].startswith("k:")
        and path[-1].startswith("f:")
        and path[-1][2:] in json.loads(path[-2][2:])
    )


def _removed(value: Any, path: Path, rule: Rule, held: set[Path], at: Path) -> Any:
    """Return `value` without what `path` names; MISSING if nothing is left of it."""
    element, rest = path[0], path[1:]
    here = (*at, element)
    if element.startswith("f:") and isinstance(value, dict):
        name = element[2:]
        if name not in value:
            return value
        child = _removed(value[name], rest, rule.of(name), held, here) if rest else MISSING
        result = {key: entry for key, entry in value.items() if key != name}
        if child is not MISSING:
            result = {key: (child if key == name else entry) for key, entry in value.items()}
        return result if result or not at or at in held or rule.always_there else MISSING
    if isinstance(value, list) and is_object_map(value, rule):
        inner = Rule(atomic=rule.is_set or rule.entries_atomic, fields=rule.fields)
        entries: list[Any] = []
        for entry in value:
            if list_element(entry, rule) != element:
                entries.append(entry)
                continue
            child = _removed(entry, rest, inner, held, here) if rest else MISSING
            if child is not MISSING:
                entries.append(child)
        return entries if entries or at in held else MISSING
    return value
