"""What Orders and Challenges have in common: their issuer, its account, and what failures mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from certwright.acme.messages import Problem, Unreachable
from certwright.acme.questions import AccountKey
from certwright.errors import InvalidError
from certwright.reconcile.acme_account import RATE_LIMIT_SECONDS_DEFAULT, account_of
from certwright.reconcile.certificate_request import issuer_key
from certwright.reconcile.contract import Action, Index, Plan, Reader, UpdateStatus, Wake
from certwright.reconcile.indexes import issuer_value
from certwright.reconcile.issuer_ready import resource_namespace
from certwright.reconcile.options import Options
from certwright.reconcile.status import set_fields
from certwright.resources import meta
from certwright.resources.acme import AcmeIssuer
from certwright.resources.gotext import quote
from certwright.resources.issuer import Issuer
from certwright.resources.issuer_ref import IssuerRef
from certwright.resources.kinds import CLUSTER_ISSUER, ISSUER, SECRET, Manifest

__all__ = [
    "AcmeAuthority",
    "forget_account",
    "gather_authority",
    "patience_seconds",
    "plan_retry",
    "wake_of_issuers",
]

_PATIENCE: Final = 0.05
PATIENCE_SECONDS_MAX: Final = 300.0
"""Between two looks at what a CA does not get done."""
_SPREAD: Final = 0.1
"""Whoever waits for a limit of rates comes back up to so much later, not all at once."""


@dataclass(frozen=True, slots=True)
class AcmeAuthority:
    """An issuer of type ACME and the Secret with the key of its account."""

    issuer: Issuer
    key_secret: Manifest | None

    @property
    def acme(self) -> AcmeIssuer:
        """The ACME part of the issuer."""
        return AcmeIssuer(self.issuer.object)

    @property
    def account(self) -> AccountKey:
        """Who asks.

        Raises:
            InvalidError: There is no account yet.
        """
        return account_of(self.acme, self.key_secret)


async def gather_authority(
    ref: IssuerRef, namespace: str, reader: Reader, options: Options
) -> AcmeAuthority | str:
    """Return the issuer with its key, or why there is none."""
    key = issuer_key(ref, namespace)
    is_hidden = key is None or (key.kind == CLUSTER_ISSUER and bool(options.namespace))
    found = None if key is None or is_hidden else await reader.get(key)
    if found is None:
        why = f"{ref.kind_or_default.lower()}.cert-manager.io {quote(ref.name)} not found"
        return f"error reading (cluster)issuer {quote(ref.name)}: {why}"
    issuer = Issuer(found)
    try:
        if issuer.type != "acme":
            return f"the issuer {quote(ref.name)} is not of type acme"
    except InvalidError as error:
        return str(error)
    name = AcmeIssuer(found).key_ref.name
    place = resource_namespace(issuer, options)
    return AcmeAuthority(issuer, await reader.get(SECRET.key(place, name)) if name else None)


def plan_retry(obj: Manifest, answer: Any, *actions: Action) -> Plan:
    """Plan to ask again: when the server says, or after the loop's back-off."""
    seconds: float | None = None
    if isinstance(answer, Problem | Unreachable):
        seconds = answer.retry_after_seconds
        if isinstance(answer, Problem) and answer.is_rate_limit:
            seconds = (seconds or RATE_LIMIT_SECONDS_DEFAULT) * _spread(meta.uid(obj))
    if not seconds:  # "at once" would be a loop
        return Plan(actions, retry=str(answer))
    return Plan(actions, look_again_after_seconds=max(seconds, 1.0))


def patience_seconds(usual: float, since: datetime | None, now: datetime) -> float:
    """Return how long until the next look at what a CA is busy with: longer the longer it is."""
    waited = 0.0 if since is None else (now - since).total_seconds()
    return max(usual, min(waited * _PATIENCE, PATIENCE_SECONDS_MAX))


def _spread(uid: str) -> float:
    return 1.0 + _SPREAD * (sum(uid.encode()) % 64) / 64


def forget_account(authority: AcmeAuthority) -> UpdateStatus:
    """Take the account's URL from the issuer, which then registers again: the CA lost it."""
    issuer = authority.issuer.object
    kept = {name: value for name, value in authority.acme.status.items() if name != "uri"}
    return UpdateStatus(set_fields(issuer, acme=kept or None))


def wake_of_issuers(index: Index, options: Options) -> tuple[Wake, ...]:
    """Return what wakes the objects that an index finds by `issuer_value`."""

    async def wake(obj: Manifest, reader: Reader) -> Sequence[Any]:
        value = issuer_value(meta.kind_of(obj).name, meta.namespace(obj), meta.name(obj))
        return [meta.key_of(found) for found in await reader.find(index, value)]

    kinds = (ISSUER,) if options.namespace else (ISSUER, CLUSTER_ISSUER)
    return tuple(Wake(kind, wake) for kind in kinds)
