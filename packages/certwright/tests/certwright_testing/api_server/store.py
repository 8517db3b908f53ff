"""The store of objects, with an API server's books of who owns which field."""

from __future__ import annotations

from typing import Any

from certwright.adapters.objects import ObjectStore
from certwright.adapters.objects.merging import Writer
from certwright.adapters.objects.objects import invalid
from certwright.resources.kinds import Kind, Manifest
from certwright_testing.api_server.field_sets import is_object_map
from certwright_testing.api_server.managed_fields import apply_configuration, track_update
from certwright_testing.api_server.schema import Rule, rule_for

__all__ = ["ExactFields", "MemoryStore"]


class ExactFields:
    """The `Merging` of an API server."""

    def check(self, kind: Kind, obj: Manifest) -> None:
        """Refuse keyed lists whose entries are not told apart."""
        name = str(obj["metadata"].get("name", ""))
        _check_keyed_lists(kind, name, obj, rule_for(kind), "")

    def updated(
        self, before: Manifest | None, after: Manifest, writer: Writer, kind: Kind, now: str
    ) -> Manifest:
        """Take what is changed away from everybody else."""
        return track_update(before, after, writer, rule_for(kind), now)

    def applied(
        self,
        before: Manifest | None,
        configuration: Manifest,
        writer: Writer,
        kind: Kind,
        *,
        now: str,
        force: bool,
    ) -> Manifest:
        """Merge by the kind's rules."""
        return apply_configuration(
            before, configuration, writer, rule_for(kind), now=now, force=force
        )


class MemoryStore(ObjectStore):
    """A `Store` in memory: what an API server promises, without one."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        """Start empty, as `ObjectStore` does."""
        super().__init__(*arguments, merging=ExactFields(), **settings)


def _check_keyed_lists(kind: Kind, name: str, value: Any, rule: Rule, path: str) -> None:
    if rule.keys and isinstance(value, list) and not is_object_map(value, rule):
        raise invalid(
            kind, name, f"{path}: Duplicate value: entries must differ in {', '.join(rule.keys)}"
        )
    if isinstance(value, dict):
        for field, inner in rule.fields.items():
            if field in value:
                place = f"{path}.{field}" if path else field
                _check_keyed_lists(kind, name, value[field], inner, place)
