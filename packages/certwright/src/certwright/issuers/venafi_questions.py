"""What may be asked of Venafi's platforms, as data; `adapters.venafi` asks it.

TPP is the Trust Protection Platform (now CyberArk Certificate Manager, Self-Hosted), Cloud is
Venafi as a Service (now its SaaS).

Source: reference cert-manager.md 3.7; the Web SDK's and the SaaS's API documentation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = [
    "CheckVenafi",
    "RefreshVenafi",
    "RequestByVenafi",
    "RetrieveFromVenafi",
    "VenafiConnection",
    "VenafiFailed",
    "VenafiIssued",
    "VenafiPending",
    "VenafiQuestion",
    "VenafiReady",
    "VenafiRequested",
    "VenafiTokens",
]


@dataclass(frozen=True, slots=True)
class VenafiConnection:
    """A platform, and who asks."""

    platform: Literal["tpp", "cloud"]
    url: str
    zone: str
    """TPP: a policy folder; Cloud: `APPLICATION\\ISSUING TEMPLATE`."""
    ca_pem: bytes = b""
    access_token: str = field(default="", repr=False)
    """Of TPP."""
    user: str = ""
    password: str = field(default="", repr=False)
    """Of TPP before tokens."""
    api_key: str = field(default="", repr=False)
    """Of Cloud."""
    refresh_token: str = field(default="", repr=False)
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class CheckVenafi:
    """See whether the platform is there and knows us. Answer: `VenafiReady`, `VenafiFailed`."""

    connection: VenafiConnection


@dataclass(frozen=True, slots=True)
class RefreshVenafi:
    """Get another token for the refresh token. Answer: `VenafiTokens` or `VenafiFailed`."""

    connection: VenafiConnection


@dataclass(frozen=True, slots=True)
class RequestByVenafi:
    """Hand in a CSR. Answer: `VenafiRequested` or `VenafiFailed`."""

    connection: VenafiConnection
    csr_pem: str
    name: str
    """Of the object that TPP keeps."""
    hours: int
    """Life that is asked for."""
    custom_fields: tuple[tuple[str, str], ...] = ()
    """Names and values; a name may come twice."""


@dataclass(frozen=True, slots=True)
class RetrieveFromVenafi:
    """Fetch what was requested. Answer: `VenafiIssued`, `VenafiPending` or `VenafiFailed`."""

    connection: VenafiConnection
    pickup_id: str


VenafiQuestion: TypeAlias = CheckVenafi | RefreshVenafi | RequestByVenafi | RetrieveFromVenafi


@dataclass(frozen=True, slots=True)
class VenafiReady:
    """It knows us."""


@dataclass(frozen=True, slots=True)
class VenafiTokens:
    """Tokens that take the place of those that were used."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class VenafiRequested:
    """It is on its way."""

    pickup_id: str


@dataclass(frozen=True, slots=True)
class VenafiIssued:
    """PEM, leaf first."""

    chain_pem: str


@dataclass(frozen=True, slots=True)
class VenafiPending:
    """Not yet: somebody has to approve it, or it is being made."""

    status: str


@dataclass(frozen=True, slots=True)
class VenafiFailed:
    """It did not come to that."""

    message: str
    may_pass: bool
    """Whether it may be otherwise in a while, although nothing changes here."""
    is_login: bool = False
    """Whether it is the credentials that do not count (any longer)."""
