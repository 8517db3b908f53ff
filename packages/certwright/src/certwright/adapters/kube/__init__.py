"""A store that is a Kubernetes API server."""

from __future__ import annotations

from certwright.adapters.kube.config import Connection, load_connection
from certwright.adapters.kube.store import KubeStore

__all__ = ["Connection", "KubeStore", "load_connection"]
