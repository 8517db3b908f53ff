"""Settings of tenancy, and the rules for the names in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, cast

from lymer.config.rules import Count, Switch
from lymer.tenancy import TENANT_BYTES_MAX, is_tenant

__all__ = ["HeaderName", "TenancySettings", "TenantName", "TenantNames", "tenancy_conflicts"]

_TOKEN: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,128}")
_NAME_EXPECTED: Final = f"1 to {TENANT_BYTES_MAX} printable ASCII characters without a comma"


@dataclass(frozen=True, slots=True)
class HeaderName:
    """The name of an HTTP header that is also a key of gRPC's metadata."""

    @property
    def expected(self) -> str:
        """Say the form."""
        return "the name of a header such as x-tenant, not ending in -bin"

    def decode(self, text: str, /) -> str:
        """Return the name in lower case."""
        name = text.strip().lower()
        if not _TOKEN.fullmatch(name) or name.endswith("-bin") or name.startswith("grpc-"):
            raise ValueError
        return name

    def encode(self, value: object, /) -> str:
        """Return the name."""
        return str(value)

    def schema(self) -> dict[str, object]:
        """Return text."""
        return {"type": "string", "minLength": 1, "maxLength": 128}


@dataclass(frozen=True, slots=True)
class TenantName:
    """The name of one tenant, or nothing."""

    @property
    def expected(self) -> str:
        """Say the form."""
        return f"the name of a tenant, {_NAME_EXPECTED}, or nothing"

    def decode(self, text: str, /) -> str:
        """Return the name without space around it."""
        name = text.strip()
        if name and not is_tenant(name):
            raise ValueError
        return name

    def encode(self, value: object, /) -> str:
        """Return the name."""
        return str(value)

    def schema(self) -> dict[str, object]:
        """Return text."""
        return {"type": "string", "maxLength": TENANT_BYTES_MAX}


@dataclass(frozen=True, slots=True)
class TenantNames:
    """Names of tenants with commas between them; none is every name."""

    @property
    def expected(self) -> str:
        """Say the form."""
        return f"names of tenants with commas between them, each {_NAME_EXPECTED}"

    def decode(self, text: str, /) -> tuple[str, ...]:
        """Return the names, each once, in the order given."""
        names = [name.strip() for name in text.split(",") if name.strip()]
        if not all(map(is_tenant, names)):
            raise ValueError
        return tuple(dict.fromkeys(names))

    def encode(self, value: object, /) -> str:
        """Return the names as one text."""
        return ",".join(cast("tuple[str, ...]", value))

    def schema(self) -> dict[str, object]:
        """Return text."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class TenancySettings:
    """Tenancy: several teams in one Lymer, none of which sees another's spans."""

    enabled: Annotated[bool, Switch()] = False
    """Whether every request must name its tenant. Default false: all spans belong to everybody.
    Jaeger's `--multi-tenancy.enabled`."""

    header: Annotated[str, HeaderName()] = "x-tenant"
    """HTTP header, and key of gRPC's metadata, that names the tenant. Default `x-tenant`.
    Jaeger's `--multi-tenancy.header`."""

    tenants: Annotated[tuple[str, ...], TenantNames()] = ()
    """The only tenants there are, with commas between them. Default none: whoever names a new
    tenant makes it, up to `tenants_max`; name them where senders are not trusted. Jaeger's
    `--multi-tenancy.tenants`."""

    tenants_max: Annotated[int, Count(1, 1000, "tenants")] = 100
    """Most tenants with spans; those of another one are refused. Default 100. Each costs tables in
    the store and, while it sends, an open file and loads of its own. Too small: new tenants are
    turned away; too large: a sender that makes names up fills memory."""

    default_tenant: Annotated[str, TenantName()] = ""
    """Name of the tenant that has the spans stored while tenancy was off. Default none: they are
    kept, and nobody sees them until tenancy is off again."""

    udp_tenant: Annotated[str, TenantName()] = ""
    """Tenant of all spans that come by UDP, which has no headers. Default none: they are refused
    and counted."""


def tenancy_conflicts(settings: TenancySettings) -> Iterator[str]:
    """Say what contradicts itself."""
    known = settings.tenants
    if len(known) > settings.tenants_max:
        yield (
            f'"tenancy.tenants" names {len(known)} tenants, more than the '
            f'{settings.tenants_max} of "tenancy.tenants_max"'
        )
    for name in ("default_tenant", "udp_tenant"):
        tenant = getattr(settings, name)
        if known and tenant and tenant not in known:
            yield f'"tenancy.{name}" is "{tenant}", which "tenancy.tenants" does not name'
