"""Objects in memory, behind the store port: under the store in files, and for trials."""

from __future__ import annotations

from certwright.adapters.objects.store import ObjectStore
from certwright.adapters.objects.table import AccessReview, Admission

__all__ = ["AccessReview", "Admission", "ObjectStore"]
