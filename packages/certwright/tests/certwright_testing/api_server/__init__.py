"""A store in memory that behaves as an API server does, field by field of `managedFields`.

What it promises is compared with a real kube-apiserver by `tests/contract/store`.
"""

from __future__ import annotations

from certwright_testing.api_server.store import ExactFields, MemoryStore

__all__ = ["ExactFields", "MemoryStore"]
