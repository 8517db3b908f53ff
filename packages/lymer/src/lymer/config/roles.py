"""What a role sets differently: its defaults, below file, environment and flags.

Ports differ so that agent, collector and query start beside one another on one machine, and doors
are open that the same role of Jaeger v1 has open. Source: reference jaeger.md 1.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lymer import ports

__all__ = ["ROLES", "role_defaults"]

_AGENT: Final = {
    "admin.port": str(ports.AGENT_ADMIN_HTTP),
    "health.enabled": "false",
    "receivers.jaeger_grpc.enabled": "false",
    "receivers.jaeger_http.enabled": "false",
    "receivers.zipkin.enabled": "false",
    "receivers.zipkin_udp_compact.enabled": "true",
    "sampling.grpc.enabled": "false",
    # Small segments are given back to the disk soon, and are all that is sent again after a crash.
    "journal.segment_bytes_max": "4MiB",
    "journal.segment_age_seconds_max": "5s",
}
_COLLECTOR: Final = {
    "storage_api.enabled": "true",
    "sampling.http.enabled": "false",
    "sampling.file.default_probability": "0.001",
    # They are the agent's.
    "receivers.jaeger_udp_compact.enabled": "false",
    "receivers.jaeger_udp_binary.enabled": "false",
}
_INGESTER: Final = {
    "kafka.enabled": "true",
    "storage_api.enabled": "true",
    "admin.port": str(ports.INGESTER_ADMIN_HTTP),
    "health.enabled": "false",
}
_QUERY: Final = {
    "admin.port": str(ports.QUERY_ADMIN_HTTP),
    "health.enabled": "false",
}

ROLES: Final[Mapping[str, Mapping[str, str]]] = {
    "all-in-one": {},
    "collector": _COLLECTOR,
    "ingester": _INGESTER,
    "query": _QUERY,
    "agent": _AGENT,
}
"""Role → setting path → the text of its default."""


def role_defaults(role: str) -> Mapping[str, str]:
    """Return setting path → text for `role`."""
    return ROLES[role]
