"""The reference implementation of the store: plain objects in memory, one subject per module."""

from __future__ import annotations

from fakes.memory_store.store import MemoryStore

__all__ = ["MemoryStore"]
