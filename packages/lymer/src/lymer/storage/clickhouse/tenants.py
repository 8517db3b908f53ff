"""Which database of an engine a tenant has."""

from __future__ import annotations

import contextlib
from typing import Final

from lymer.storage.clickhouse.engine import Engine
from lymer.tenancy import DEFAULT_TENANT, tenant_code, tenant_of_code

__all__ = ["database_of", "stored_tenants"]

_DEFAULT: Final = "lymer"
_PREFIX: Final = "lymer_t_"


def database_of(tenant: str) -> str:
    """Return the name of a tenant's database, safe in SQL and in file names."""
    return _DEFAULT if tenant == DEFAULT_TENANT else _PREFIX + tenant_code(tenant)


def stored_tenants(engine: Engine) -> list[str]:
    """Return the tenants that have a database, sorted; the default tenant is not among them."""
    statement = f"SELECT {{mark}}, name FROM system.databases WHERE startsWith(name, '{_PREFIX}')"
    (names,) = engine.select("", statement, 1)
    found = []
    for name in names:
        with contextlib.suppress(ValueError):  # somebody else's, on a server
            found.append(tenant_of_code(name.decode().removeprefix(_PREFIX)))
    return sorted(found)
