"""How the fields of each kind merge: which lists are maps or sets, which values are one piece.

Without a rule a JSON object merges field by field, and a list is replaced as a whole: that is what
an API server does with a list that its schema says nothing about.

Source: Kubernetes documentation, Server-Side Apply, "Merge strategy"; the API's OpenAPI document
(`x-kubernetes-list-type`, `-list-map-keys`, `-map-type`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from certwright.resources.kinds import (
    API_SERVICE,
    CERTIFICATE_SIGNING_REQUEST,
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    EVENT,
    LEASE,
    MUTATING_WEBHOOK_CONFIGURATION,
    NAMESPACE,
    SECRET,
    SUBJECT_ACCESS_REVIEW,
    VALIDATING_WEBHOOK_CONFIGURATION,
    Kind,
)

__all__ = ["PLAIN", "Rule", "rule_for"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one value merges."""

    atomic: bool = False
    """One piece: whoever sets any of it owns all of it."""
    keys: tuple[str, ...] = ()
    """A list whose objects are told apart by these fields."""
    entries_atomic: bool = False
    """Each object of the keyed list is one piece."""
    is_set: bool = False
    """A list of different scalars."""
    always_there: bool = False
    """A struct of a built-in type that is no pointer: it cannot be added, only filled."""
    fields: Mapping[str, Rule] = field(default_factory=lambda: MappingProxyType({}))
    """Rules of the fields of an object, or of each object of a keyed list."""

    def of(self, name: str) -> Rule:
        """Return the rule of a field."""
        return self.fields.get(name, PLAIN)


PLAIN: Final = Rule()
_ATOMIC: Final = Rule(atomic=True)
_CONDITIONS: Final = Rule(keys=("type",))
_METADATA: Final = Rule(
    always_there=True,
    fields={
        "ownerReferences": Rule(keys=("uid",), entries_atomic=True),
        "finalizers": Rule(is_set=True),
    },
)
_CUSTOM: Final = Rule(
    fields={"metadata": _METADATA, "status": Rule(fields={"conditions": _CONDITIONS})}
)
_WEBHOOKS: Final = Rule(
    keys=("name",),
    fields={
        "matchConditions": Rule(keys=("name",)),
        "namespaceSelector": _ATOMIC,
        "objectSelector": _ATOMIC,
    },
)


def _built_in(**fields: Rule) -> Rule:
    return Rule(fields={"metadata": _METADATA, **fields})


def _struct(**fields: Rule) -> Rule:
    return Rule(always_there=True, fields=fields)


_RULES: Final[Mapping[Kind, Rule]] = {
    CONFIG_MAP: _built_in(),
    SECRET: _built_in(),
    EVENT: _built_in(involvedObject=_ATOMIC, related=_ATOMIC, source=_struct()),
    LEASE: _built_in(spec=_struct()),
    NAMESPACE: _built_in(spec=_struct(), status=_struct(conditions=_CONDITIONS)),
    CERTIFICATE_SIGNING_REQUEST: _built_in(spec=_struct(), status=_struct(conditions=_CONDITIONS)),
    MUTATING_WEBHOOK_CONFIGURATION: _built_in(webhooks=_WEBHOOKS),
    VALIDATING_WEBHOOK_CONFIGURATION: _built_in(webhooks=_WEBHOOKS),
    CUSTOM_RESOURCE_DEFINITION: _built_in(
        spec=_struct(names=_struct()),
        status=_struct(conditions=_CONDITIONS, acceptedNames=_struct()),
    ),
    API_SERVICE: _built_in(spec=_struct(), status=_struct(conditions=_CONDITIONS)),
    SUBJECT_ACCESS_REVIEW: _built_in(spec=_struct(), status=_struct()),
}


def rule_for(kind: Kind) -> Rule:
    """Return the rule of an object of this kind."""
    return _RULES.get(kind, _CUSTOM)
