"""Settings of tenancy, and the rules for the names in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from lymer.config.rules import SWITCH, Rule, count, split_words
from lymer.tenancy import TENANT_BYTES_MAX, is_tenant

__all__ = ["TENANT_NAME", "TenancySettings", "tenancy_conflicts"]

_TOKEN: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,128}")
_NAME_EXPECTED: Final = f"1 to {TENANT_BYTES_MAX} printable ASCII characters without a comma"


def _decode_header(text: str) -> str:
    name = text.strip().lower()
    if not _TOKEN.fullmatch(name) or name.endswith("-bin") or name.startswith("grpc-"):
        raise ValueError
    return name


def _decode_tenant(text: str) -> str:
    name = text.strip()
    if name and not is_tenant(name):
        raise ValueError
    return name


def _decode_tenants(text: str) -> tuple[str, ...]:
    names = split_words(text)
    if not all(map(is_tenant, names)):
        raise ValueError
    return tuple(dict.fromkeys(names))


HEADER_NAME: Final = Rule(
    "the name of a header such as x-tenant, not ending in -bin",
    _decode_header,
    schema={"type": "string", "minLength": 1, "maxLength": 128},
)
"""The name of an HTTP header, in lower case, that is also a key of gRPC's metadata."""

TENANT_NAME: Final = Rule(
    f"the name of a tenant, {_NAME_EXPECTED}, or nothing",
    _decode_tenant,
    schema={"type": "string", "maxLength": TENANT_BYTES_MAX},
)
"""The name of one tenant, or nothing."""

TENANT_NAMES: Final = Rule(
    f"names of tenants with commas between them, each {_NAME_EXPECTED}", _decode_tenants, ",".join
)
"""Names of tenants, each once, in the order given; none is every name."""


@dataclass(frozen=True, slots=True)
class TenancySettings:
    """Tenancy: several teams in one Lymer, none of which sees another's spans."""

    enabled: Annotated[bool, SWITCH] = False
    """Whether every request must name its tenant. Default false: all spans belong to everybody.
    Jaeger's `--multi-tenancy.enabled`."""

    header: Annotated[str, HEADER_NAME] = "x-tenant"
    """HTTP header, and key of gRPC's metadata, that names the tenant. Default `x-tenant`.
    Jaeger's `--multi-tenancy.header`."""

    tenants: Annotated[tuple[str, ...], TENANT_NAMES] = ()
    """The only tenants there are, with commas between them. Default none: whoever names a new
    tenant makes it, up to `tenants_max`; name them where senders are not trusted. Jaeger's
    `--multi-tenancy.tenants`."""

    tenants_max: Annotated[int, count(1, 1000, "tenants")] = 100
    """Most tenants with spans; those of another one are refused. Default 100. Each costs tables in
    the store and, while it sends, an open file and loads of its own. Too small: new tenants are
    turned away; too large: a sender that makes names up fills memory."""

    default_tenant: Annotated[str, TENANT_NAME] = ""
    """Name of the tenant that has the spans stored while tenancy was off. Default none: they are
    kept, and nobody sees them until tenancy is off again."""

    udp_tenant: Annotated[str, TENANT_NAME] = ""
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
