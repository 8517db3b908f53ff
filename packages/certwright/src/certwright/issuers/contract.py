"""What an issuer is: it signs a request, or says what it waits for, or why it never will.

A signer has two faces. `needs` says which objects a decision depends on, so that the loop can
gather them; `sign` decides from what was found. It is told the time and the serial number and
touches nothing, so every outcome can be tested as a table.

An issuer on the network fits in the same way. What takes many steps lives in an object of its own
(ACME: an Order, which `needs` names and `Waiting.create` asks for) and is driven by that object's
loop. What takes one exchange (Vault, Venafi) is a question, `Asking`, and decides from the answer.

Source: reference cert-manager.md 3.1 to 3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

from certwright.errors import InvalidError
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.features import FeatureGates
from certwright.resources.issuer import Issuer, IssuerType
from certwright.resources.kinds import SECRET, Key, Manifest
from certwright.resources.secret import Secret

__all__ = [
    "Asking",
    "IssuerState",
    "MissingSecretError",
    "Notice",
    "Outcome",
    "Refused",
    "Signed",
    "Signer",
    "SigningRequest",
    "StatedSigner",
    "Waiting",
    "not_found_text",
    "secret_named",
]


@dataclass(frozen=True, slots=True)
class Notice:
    """An event to write."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """All that a signer decides from."""

    request: CertificateRequest
    issuer: Issuer
    resource_namespace: str
    """Where the issuer's own Secrets are: its namespace, or that for cluster-wide resources."""
    now: datetime
    """UTC."""
    serial: int
    """Serial number for the new certificate, 128 random bits."""
    objects: Mapping[Key, Manifest] = field(default_factory=dict)
    """What was found of what `needs` asked for."""
    gates: FeatureGates = field(default_factory=FeatureGates)

    def secret(self, namespace: str, name: str) -> Secret | None:
        """Return a Secret that was asked for, or None if there is none."""
        found = self.objects.get(SECRET.key(namespace, name))
        return None if found is None else Secret(found)


@dataclass(frozen=True, slots=True)
class Signed:
    """There is a certificate."""

    certificate_pem: bytes
    """The chain, leaf first."""
    ca_pem: bytes
    """The highest certificate known; may be empty."""
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not yet: the request stays pending and is looked at again when what it needs changes."""

    reason: str
    """Word of the event; the condition's reason is always `Pending`."""
    message: str
    """Whole message of condition and event."""
    create: tuple[Manifest, ...] = ()
    """Objects that are to do the work."""
    delete: tuple[tuple[Key, str], ...] = ()
    """Keys and uids of objects that did it wrong."""
    is_progress: bool = False
    """Whether it goes its way: no reason to warn."""
    retry: bool = False
    """Whether to come back after the loop's back-off, although nothing may change."""
    again_after_seconds: float | None = None
    """When to come back although nothing may change."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """What the request is to remember, as annotations of a CertificateRequest."""
    apply: tuple[Manifest, ...] = ()
    """What is written elsewhere, by server-side apply."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: the request has failed."""

    reason: str
    """Word of the event; the condition's reason is always `Failed`."""
    message: str
    """Whole message of condition and event."""
    notices: tuple[Notice, ...] = ()


T = TypeVar("T")
Outcome: TypeAlias = Signed | Waiting | Refused


@dataclass(frozen=True, slots=True)
class Asking(Generic[T]):
    """Somebody outside of the store has to be asked first."""

    question: Any
    """What the world outside answers (`engine.outside`)."""
    then: Callable[[Any], T | Asking[T]]
    """Pure: decides from the answer."""


@dataclass(frozen=True, slots=True)
class IssuerState:
    """What an issuer's Ready condition says."""

    ready: bool
    reason: str
    message: str
    notices: tuple[Notice, ...] = ()
    """Events that go with it, each time it is looked at."""
    error: str = ""
    """Why it is to be looked at again after the back-off; empty if only a change can help."""
    apply: tuple[Manifest, ...] = ()
    """What is written elsewhere first, by server-side apply."""


class Signer(Protocol):
    """Signs for one type of issuer. Pure but for a transport it was given."""

    @property
    def type(self) -> IssuerType:
        """The field of an issuer's spec that it serves."""

    def issuer_needs(self, issuer: Issuer, resource_namespace: str, /) -> tuple[Key, ...]:
        """Return the objects that the issuer's readiness depends on."""

    def needs(
        self, request: CertificateRequest, issuer: Issuer, resource_namespace: str, /
    ) -> tuple[Key, ...]:
        """Return the objects that signing this request depends on; a change of one wakes it."""

    def sign(self, request: SigningRequest, /) -> Outcome | Asking[Outcome]:
        """Decide about an approved request of an issuer that is ready. May be slow."""


class StatedSigner(Signer, Protocol):
    """Is set up when objects are as they should be, or when somebody says so."""

    def state(
        self, issuer: Issuer, resource_namespace: str, objects: Mapping[Key, Manifest], /
    ) -> IssuerState | Asking[IssuerState]:
        """Return whether the issuer is set up, from what was found of `issuer_needs`."""


class MissingSecretError(InvalidError):
    """A Secret that is needed is not there; the text is an API server's."""


def secret_named(objects: Mapping[Key, Manifest], namespace: str, name: str) -> Secret:
    """Return a Secret that was asked for.

    Raises:
        MissingSecretError: There is none.
    """
    found = objects.get(SECRET.key(namespace, name))
    if found is None:
        raise MissingSecretError(not_found_text(name))
    return Secret(found)


def not_found_text(name: str) -> str:
    """Return what an API server says about a Secret that is not there."""
    return f'secret "{name}" not found'
