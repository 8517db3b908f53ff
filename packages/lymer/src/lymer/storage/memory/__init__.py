"""The reference implementation of the store: plain objects in memory, one subject per module."""

from __future__ import annotations

from lymer.storage.memory.store import MemoryStore, transform_request

__all__ = ["MemoryStore", "transform_request"]
