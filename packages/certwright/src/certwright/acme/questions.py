"""What may be asked of the world outside the store, as data; `engine.outside` is the port.

Each question is one bounded exchange: whoever needs to wait comes back later. An answer is one of
the types named in the question's docstring, or `Problem`, or `Unreachable`; none raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

__all__ = [
    "AcceptChallenge",
    "AccountAnswer",
    "AccountKey",
    "AcmeQuestion",
    "AskRenewal",
    "ChangeKey",
    "CheckDns",
    "CheckHttp",
    "CleanUpDns",
    "CleanUpToken",
    "Done",
    "Download",
    "Downloaded",
    "Finalize",
    "FindAccount",
    "GetAuthorization",
    "GetAuthorizations",
    "GetOrder",
    "JustWait",
    "NewOrder",
    "NotYet",
    "PresentDns",
    "PresentToken",
    "Question",
    "Register",
    "RenewalWindow",
    "Revoke",
    "Server",
    "SolverConfig",
    "UpdateContact",
    "ValidateCaa",
]


@dataclass(frozen=True, slots=True)
class Server:
    """A CA."""

    url: str
    """Of its directory."""
    ca_pem: bytes = b""
    """Whom to trust instead of the system's roots."""
    skip_tls_verify: bool = False


@dataclass(frozen=True, slots=True)
class AccountKey:
    """Who asks."""

    server: Server
    key_pem: bytes = field(repr=False)
    url: str = ""
    """The account's URL; empty before it is registered."""


# ------------------------------------------------------------------------------ accounts


@dataclass(frozen=True, slots=True)
class Register:
    """Make an account, or find the one the key has. Answer: `AccountAnswer`."""

    account: AccountKey
    email: str
    binding_key_id: str = ""
    binding_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class FindAccount:
    """Find the account that the key has. Answer: `AccountAnswer`."""

    account: AccountKey


@dataclass(frozen=True, slots=True)
class UpdateContact:
    """Say another e-mail address. Answer: `AccountAnswer`."""

    account: AccountKey
    email: str


@dataclass(frozen=True, slots=True)
class ChangeKey:
    """Give the account another key. Answer: `Done`."""

    account: AccountKey
    new_key_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccountAnswer:
    """An account."""

    url: str
    email: str
    """As the server has it; empty too if it does not say."""


# ------------------------------------------------------------------------------ orders


@dataclass(frozen=True, slots=True)
class NewOrder:
    """Order a certificate. Answer: `OrderAnswer`."""

    account: AccountKey
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    not_after: datetime | None
    profile: str
    replaces: str
    """The certificate this one replaces, as `ari.certificate_id` names it; or empty."""
    reference: str
    """Who asks: the uid of an Order."""
    since: datetime
    """When it was first asked for: an order may have been made for an answer that got lost."""
    taken: frozenset[str] = frozenset()
    """URLs of orders that belong to others."""


@dataclass(frozen=True, slots=True)
class GetOrder:
    """See how an order stands. Answer: `OrderAnswer`."""

    account: AccountKey
    url: str


@dataclass(frozen=True, slots=True)
class GetAuthorization:
    """See how an authorization stands. Answer: `Authorization`."""

    account: AccountKey
    url: str


@dataclass(frozen=True, slots=True)
class GetAuthorizations:
    """See how several authorizations stand. Answer: a tuple of `Authorization`, in order."""

    account: AccountKey
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AcceptChallenge:
    """Say that the answer to a challenge is in place. Answer: `ServerChallenge`."""

    account: AccountKey
    url: str


@dataclass(frozen=True, slots=True)
class Finalize:
    """Hand in the CSR. Answer: `OrderAnswer`."""

    account: AccountKey
    finalize_url: str
    order_url: str
    csr_der: bytes


@dataclass(frozen=True, slots=True)
class Download:
    """Fetch a certificate. Answer: `Downloaded`."""

    account: AccountKey
    url: str
    with_alternates: bool = False


@dataclass(frozen=True, slots=True)
class Downloaded:
    """Chains, leaf first, PEM."""

    chain_pem: bytes
    alternates: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Revoke:
    """Revoke a certificate. Answer: `Done`."""

    account: AccountKey
    certificate_der: bytes
    reason: int


@dataclass(frozen=True, slots=True)
class AskRenewal:
    """Ask when a certificate should be renewed. Answer: `RenewalWindow`, or `Done` if not known."""

    server: Server
    certificate_id: str


@dataclass(frozen=True, slots=True)
class RenewalWindow:
    """When the CA wants a certificate renewed."""

    start: datetime
    end: datetime
    explanation_url: str
    retry_after_seconds: float


@dataclass(frozen=True, slots=True)
class ValidateCaa:
    """Look whether CAA records let this CA issue. Answer: `Done` or `NotYet`."""

    server: Server
    domain: str
    wildcard: bool
    nameservers: tuple[str, ...]


# ------------------------------------------------------------------------------ challenges


@dataclass(frozen=True, slots=True)
class Done:
    """It is so."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """It is not so yet, or could not be done; the text says why."""

    reason: str
    again_after_seconds: float | None = None
    """When to look again; None for the usual time."""


@dataclass(frozen=True, slots=True)
class CheckHttp:
    """Fetch the answer to an HTTP-01 challenge as the CA will. Answer: `Done` or `NotYet`."""

    reference: str
    """The Challenge's uid."""
    host: str
    token: str
    key: str
    nameservers: tuple[str, ...]
    passes: int
    """So many times in a row."""
    port: int = 80


@dataclass(frozen=True, slots=True)
class PresentToken:
    """Answer an HTTP-01 challenge from this process's own ways. Answer: `Done` or `NotYet`."""

    host: str
    token: str
    key: str


@dataclass(frozen=True, slots=True)
class CleanUpToken:
    """Take such an answer away. Answer: `Done` or `NotYet`."""

    host: str
    token: str
    key: str


@dataclass(frozen=True, slots=True)
class SolverConfig:
    """How a DNS-01 solver works, with its Secrets read."""

    type: str
    """The field of `dns01` that is set."""
    config: Mapping[str, Any]
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Values by the name of the field that refers to them."""
    may_be_ambient: bool = False
    """Whether credentials of the process itself may be used."""
    resource_namespace: str = ""
    """Where the issuer's Secrets are."""


@dataclass(frozen=True, slots=True)
class PresentDns:
    """Put a TXT record in place. Answer: `Done` or `NotYet`."""

    solver: SolverConfig
    uid: str
    domain: str
    key: str
    follow_cnames: bool
    nameservers: tuple[str, ...]
    action: Literal["Present", "CleanUp"] = "Present"


@dataclass(frozen=True, slots=True)
class CleanUpDns(PresentDns):
    """Take it away. Answer: `Done` or `NotYet`."""

    action: Literal["Present", "CleanUp"] = "CleanUp"


@dataclass(frozen=True, slots=True)
class CheckDns:
    """Look whether the TXT record can be seen. Answer: `Done` or `NotYet`."""

    reference: str
    """The Challenge's uid."""
    domain: str
    key: str
    nameservers: tuple[str, ...]
    recursive_only: bool
    """Ask those only, not the zone's own."""
    wait_seconds: float
    """How long to wait after it was seen first: caches elsewhere."""


@dataclass(frozen=True, slots=True)
class JustWait:
    """Wait instead of looking. Answer: `NotYet` until it is over, then `Done`."""

    reference: str
    """The Challenge's uid."""
    seconds: float


AcmeQuestion: TypeAlias = (
    Register
    | FindAccount
    | UpdateContact
    | ChangeKey
    | NewOrder
    | GetOrder
    | GetAuthorization
    | GetAuthorizations
    | AcceptChallenge
    | Finalize
    | Download
    | Revoke
    | AskRenewal
)
Question: TypeAlias = (
    AcmeQuestion
    | ValidateCaa
    | CheckHttp
    | PresentToken
    | CleanUpToken
    | PresentDns
    | CleanUpDns
    | CheckDns
    | JustWait
)
