"""The rule of tenancy, as the configuration has it."""

from __future__ import annotations

from lymer.config import Config
from lymer.tenancy import DEFAULT_TENANT, Tenancy

__all__ = ["tenancy_of", "udp_tenant_of"]


def tenancy_of(config: Config) -> Tenancy | None:
    """Return how requests name their tenant; None if they need not."""
    settings = config.tenancy
    if not settings.enabled:
        return None
    return Tenancy(settings.header, frozenset(settings.tenants), settings.default_tenant)


def udp_tenant_of(config: Config) -> str | None:
    """Return whose spans come by UDP; None if nobody's, and they are refused."""
    tenancy, name = tenancy_of(config), config.tenancy.udp_tenant
    if tenancy is None:
        return DEFAULT_TENANT
    return tenancy.tenant_of([name]) if name else None
