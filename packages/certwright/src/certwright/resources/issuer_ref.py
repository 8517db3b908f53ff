"""The reference to an issuer, as `spec.issuerRef` of Certificates and requests holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from certwright.resources import known

__all__ = ["IssuerRef"]


@dataclass(frozen=True, slots=True)
class IssuerRef:
    """Names an issuer. Absent fields are empty and stay so when the reference is copied."""

    name: str
    kind: str = ""
    group: str = ""

    @classmethod
    def from_object(cls, ref: Mapping[str, Any]) -> IssuerRef:
        """Read the JSON of a reference."""
        return cls(
            str(ref.get("name") or ""), str(ref.get("kind") or ""), str(ref.get("group") or "")
        )

    @property
    def kind_or_default(self) -> str:
        """`Issuer` if no kind is set."""
        return self.kind or known.ISSUER_KIND_NAME

    @property
    def group_or_default(self) -> str:
        """`cert-manager.io` if no group is set."""
        return self.group or known.GROUP

    @property
    def is_external(self) -> bool:
        """Whether somebody else's controller signs for it."""
        return self.group_or_default != known.GROUP

    def __str__(self) -> str:
        """Return `{name kind group}`, as Go's `%v` prints the struct."""
        return f"{{{self.name} {self.kind} {self.group}}}"
