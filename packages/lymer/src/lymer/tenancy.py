"""A tenant: whose spans these are, and how a request says so.

Source: Jaeger v2.20, `internal/tenancy` (`manager.go`, `grpc.go`, `http.go`); reference jaeger.md
2.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from lymer.errors import TenantError

__all__ = [
    "DEFAULT_TENANT",
    "TENANT_BYTES_MAX",
    "Tenancy",
    "is_tenant",
    "tenant_code",
    "tenant_of_code",
]

DEFAULT_TENANT: Final = ""
"""Whose spans are while tenancy is off."""

TENANT_BYTES_MAX: Final = 64
"""Longest name, bytes: its code must fit the names of files, 255 bytes with all that is added."""

_NAME: Final = re.compile(r"[!-+\--~]([ -+\--~]*[!-+\--~])?")
"""Printable ASCII, as gRPC carries it; no comma, which is where HTTP joins two headers to one."""
_GRPC_PERMISSION_DENIED: Final = 7
_GRPC_UNAUTHENTICATED: Final = 16
_MISSING: Final = "missing tenant header"
_EXTRA: Final = "extra tenant header"
_UNKNOWN: Final = "unknown tenant"


def is_tenant(name: str) -> bool:
    """Tell whether `name` may name a tenant."""
    return len(name) <= TENANT_BYTES_MAX and _NAME.fullmatch(name) is not None


def tenant_code(tenant: str) -> str:
    """Return the tenant as hex digits: safe in file names and SQL, and as different as the names.

    Hex, so that neither `../` nor a quote is left, and no file system takes two for one because it
    ignores case. The default tenant's is empty.
    """
    return tenant.encode().hex()


def tenant_of_code(code: str) -> str:
    """Return the tenant with this code.

    Raises:
        ValueError: It is no tenant's.
    """
    tenant = bytes.fromhex(code).decode("ascii")
    if tenant_code(tenant) != code or not (is_tenant(tenant) or tenant == DEFAULT_TENANT):
        raise ValueError(f"not the code of a tenant: {code[:200]!r}")
    return tenant


@dataclass(frozen=True, slots=True)
class Tenancy:
    """How requests name their tenant, and which are known. There is none where tenancy is off."""

    header: str = "x-tenant"
    """Name of the HTTP header and of the gRPC metadata, lower case."""
    tenants: frozenset[str] = field(default_factory=frozenset)
    """The only ones there are; empty admits every name."""
    default_tenant: str = ""
    """The name `DEFAULT_TENANT` goes by; empty if by none."""

    def tenant_of_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the tenant an HTTP request names.

        Args:
            headers: Names in lower case, as ASGI has them.

        Raises:
            TenantError: It names none, more than one, or one that is not known.
        """
        wanted = self.header.encode()
        return self.tenant_of([value.decode("latin-1") for key, value in headers if key == wanted])

    def tenant_of_metadata(self, metadata: Iterable[tuple[str, str | bytes]]) -> str:
        """Return the tenant a gRPC call names.

        Raises:
            TenantError: As `tenant_of_headers`.
        """
        pairs = list(metadata)
        if not pairs:
            raise TenantError(_MISSING, grpc_code=_GRPC_PERMISSION_DENIED)
        return self.tenant_of([str(value) for key, value in pairs if key == self.header])

    def tenant_of(self, values: Sequence[str]) -> str:
        """Return the tenant that is meant by all values of the header.

        Raises:
            TenantError: None or more than one is meant, or one that is not known.
        """
        if len(values) > 1:
            raise TenantError(_EXTRA, grpc_code=_GRPC_PERMISSION_DENIED)
        name = values[0].strip(" ") if values else ""
        if not name:
            raise TenantError(_MISSING, grpc_code=_GRPC_UNAUTHENTICATED)
        if not is_tenant(name) or (self.tenants and name not in self.tenants):
            raise TenantError(_UNKNOWN, grpc_code=_GRPC_PERMISSION_DENIED)
        return DEFAULT_TENANT if name == self.default_tenant else name
