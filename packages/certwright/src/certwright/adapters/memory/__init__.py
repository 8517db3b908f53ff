"""A store in memory that behaves as an API server does: for tests, and under the file store."""

from __future__ import annotations

from certwright.adapters.memory.store import MemoryStore
from certwright.adapters.memory.table import AccessReview, Admission

__all__ = ["AccessReview", "Admission", "MemoryStore"]
