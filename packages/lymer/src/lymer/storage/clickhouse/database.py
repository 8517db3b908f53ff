"""One tenant's database on an engine: the only place where a statement meets a database.

Statements name tables as `{db}.spans`. A statement that names its database otherwise finds no
table, for outside the tenants' databases there is none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lymer.storage.clickhouse.engine import Engine, Parameter, Settings
from lymer.tenancy import DEFAULT_TENANT, tenant_code, tenant_of_code

__all__ = ["Database", "database_of", "stored_tenants"]

_DEFAULT: Final = "lymer"
_PREFIX: Final = "lymer_t_"


def database_of(tenant: str) -> str:
    """Return the name of a tenant's database, safe in SQL and in file names."""
    return _DEFAULT if tenant == DEFAULT_TENANT else _PREFIX + tenant_code(tenant)


def stored_tenants(engine: Engine) -> list[str]:
    """Return the tenants that have a database, sorted; the default tenant is not among them."""
    output = engine.query(
        f"SELECT name FROM system.databases WHERE startsWith(name, '{_PREFIX}') FORMAT TSV", {}, {}
    )
    found = []
    for name in output.decode().split():
        with contextlib.suppress(ValueError):  # somebody else's, on a server
            found.append(tenant_of_code(name.removeprefix(_PREFIX)))
    return sorted(found)


class Database:
    """An engine's statements, bound to the database of one tenant; see `Engine`."""

    def __init__(self, engine: Engine, tenant: str) -> None:
        """Bind; the database need not exist yet."""
        self._engine = engine
        self.name: Final = database_of(tenant)

    def query(
        self, statement: str, /, parameters: Mapping[str, Parameter], settings: Settings
    ) -> bytes:
        """See `Engine.query`."""
        return self._engine.query(self._bound(statement), parameters, settings)

    def command(self, statement: str, /, settings: Settings) -> None:
        """See `Engine.command`."""
        self._engine.command(self._bound(statement), settings)

    def load_file(self, statement: str, path: Path, structure: str, settings: Settings, /) -> None:
        """See `Engine.load_file`."""
        self._engine.load_file(self._bound(statement), path, structure, settings)

    def _bound(self, statement: str) -> str:
        return statement.replace("{db}", self.name)
