"""Admission: what may be stored, what is filled in, who may approve. Pure.

An admission request goes through plugins in a fixed order (`review`). Three of them decide without
any I/O; the fourth, approval, names the questions that its caller must ask the API server.
"""

from __future__ import annotations

from certwright.admission.fields import FieldError, Verdict, aggregate
from certwright.admission.shape import shape_errors, type_errors, unknown_fields
from certwright.admission.validation import validate_create, validate_update

__all__ = [
    "FieldError",
    "Verdict",
    "aggregate",
    "shape_errors",
    "type_errors",
    "unknown_fields",
    "validate_create",
    "validate_update",
]
