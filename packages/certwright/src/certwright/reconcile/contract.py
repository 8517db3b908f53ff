"""What a control loop is: it gathers a snapshot, plans, and is woken again.

Level, not edge: a loop gets a key and a snapshot, never an event; however it was woken, the plan is
the same. Decide, then do: a plan is data, carried out by `engine.executor` and by nothing else.
Time, chance, keys and serial numbers are arguments (`Sources`), so every decision can be replayed.

The resource is the queue: loops do not call each other. One sets a condition, another sees it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Literal, Protocol, TypeAlias, TypeVar

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from certwright.resources.kinds import Key, Kind, Manifest

__all__ = [
    "SLOW_BACKOFF",
    "Action",
    "Apply",
    "Ask",
    "Backoff",
    "Controller",
    "Create",
    "Delete",
    "Emit",
    "Expect",
    "Index",
    "Observe",
    "Plan",
    "Reader",
    "Sample",
    "Sources",
    "Update",
    "UpdateStatus",
    "Wake",
]

S = TypeVar("S")


# ------------------------------------------------------------------------------ what may be asked


@dataclass(frozen=True, slots=True)
class Index:
    """Finds objects of a kind by a value computed from each, such as the uid of their owner."""

    name: str
    kind: Kind
    values: Callable[[Manifest], Iterable[str]]
    """Pure; called once for each version of an object."""


class Reader(Protocol):
    """Reads objects. Answers come from a cache and may be old, but hold all our own writes.

    What is returned must not be changed: it is the cache's own.
    """

    async def get(self, key: Key, /) -> Manifest | None:
        """Return the object, or None if there is none.

        Raises:
            StoreError: Only for what is not cached in full (a Secret of somebody else).
        """

    async def find(self, index: Index, value: str, /) -> list[Manifest]:
        """Return the objects with this value of the index, by name."""

    async def list(self, kind: Kind, /, namespace: str | None = None) -> list[Manifest]:
        """Return every object of the kind, or of one namespace, by name."""

    async def review(self, question: Manifest, /) -> Manifest:
        """Return `question` with its `status` filled in: a SubjectAccessReview.

        Such an object is a question in the form of an object: a create that stores nothing. The
        answer comes from the store itself, never from a cache.

        Raises:
            StoreError: There is no answer.
        """


# ------------------------------------------------------------------------------ what may be done


@dataclass(frozen=True, slots=True)
class Create:
    """Create an object whose name is set.

    Names are chosen by planners so that the same decision gives the same name: after a crash or a
    lost answer the second attempt meets the first one's object, and `AlreadyExists` counts as done.
    """

    object: Manifest
    if_refused: Emit | None = None
    """Event to write if the store refuses; `{error}` in its message becomes the store's reason."""


@dataclass(frozen=True, slots=True)
class Update:
    """Replace an object but for its status; its resourceVersion is the precondition."""

    object: Manifest


@dataclass(frozen=True, slots=True)
class UpdateStatus:
    """Replace the status of an object; its resourceVersion is the precondition."""

    object: Manifest


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply, forced, with the controller's field manager: the full desired set.

    With `metadata.resourceVersion` the object must be as it was seen, as with an update: otherwise
    `ConflictError`, and nothing is written. Only with `metadata.uid` too does an object that is
    gone stay gone. Without either, an unseen object is taken over.
    """

    object: Manifest
    subresource: Literal["", "status"] = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object if it is still the one that was seen; `NotFound` counts as done.

    A changed uid is a `ConflictError`. Where the decision hangs on another object, an `Expect` of
    that one comes first.
    """

    key: Key
    uid: str


@dataclass(frozen=True, slots=True)
class Expect:
    """Go on only if the store, not the cache, has the object in the version that was seen.

    For decisions that hang on an object which the plan does not write: an old cache must not cost
    a key or a second issuance. Otherwise `ConflictError`, and the plan is made anew.
    """

    key: Key
    resource_version: str
    """Empty: only if there is no such object."""


@dataclass(frozen=True, slots=True)
class Emit:
    """Write an event about an object."""

    regarding: Manifest
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a gauge."""

    name: str
    """Such as `certmanager_certificate_ready_status`."""
    labels: tuple[tuple[str, str], ...]
    """In the order of exposition."""
    value: float


@dataclass(frozen=True, slots=True)
class Observe:
    """Replace all gauges that are known about an object; no samples: forget them."""

    key: Key
    samples: tuple[Sample, ...]


Action: TypeAlias = Create | Update | UpdateStatus | Apply | Delete | Expect | Emit | Observe


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to the world outside the store, and what to do about the answer."""

    question: Any
    """One of `acme.questions`."""
    decide: Callable[[Any, Sources], Plan]
    """Pure: plans from the answer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do next about one object, in this order; the first failure ends it."""

    actions: tuple[Action, ...] = ()
    look_again_after_seconds: float | None = None
    """Wake this key again after so long, whatever happens; replaces an earlier wish."""
    retry: str = ""
    """Why this could not be decided; logged, and the key wakes after the controller's back-off."""
    ask: Ask | None = None
    """Asked after the actions; the plan that its answer leads to is carried out in place of the
    rest of this one."""


# ------------------------------------------------------------------------------ time and chance


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything a planner may depend on that is not in its snapshot."""

    now: datetime
    """UTC."""
    private_key: Callable[[str, int], PrivateKeyTypes]
    """(algorithm, size in bits or 0) → a new key; `pki.keys` says which there are. Slow: 0.1 s."""
    serial: Callable[[], int]
    """A new certificate serial number, 128 random bits, not 0."""


# ------------------------------------------------------------------------------ a control loop


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a key waits after a failure: doubles from the least to the most, per key."""

    seconds_min: float
    seconds_max: float


SLOW_BACKOFF: Final = Backoff(5.0, 300.0)
"""Of the loops that are not of certificates. Source: reference cert-manager.md 2.0."""


@dataclass(frozen=True, slots=True)
class Wake:
    """Objects of `kind`, when they change, wake the keys that `keys` finds."""

    kind: Kind
    keys: Callable[[Manifest, Reader], Awaitable[Sequence[Key]]]


@dataclass(frozen=True, slots=True)
class Controller(Generic[S]):
    """One control loop. `reconcile.controllers` lists all of them."""

    name: str
    """As cert-manager's, such as `certificates-trigger`: queue, metrics label, user agent, event
    source and, behind `cert-manager-`, the field manager of its writes.

    Source: reference cert-manager.md 2.0 and 8.5."""
    kind: Kind
    """Whose keys it reconciles; a change of such an object wakes its own key."""
    gather: Callable[[Key, Reader], Awaitable[S | None]]
    """Reads all that a decision may depend on; None if there is nothing to decide."""
    plan: Callable[[S, Sources], Plan]
    """Pure, and may be slow: it runs on a thread.

    Raises:
        InvalidError: An object cannot be read; counts as `Plan.retry`.
    """
    wakes: tuple[Wake, ...] = ()
    backoff: Backoff = Backoff(1.0, 30.0)
    indexes: tuple[Index, ...] = ()
    """Indexes that `gather` and `wakes` use."""
    timeout_seconds: float | None = None
    """Longest time one pass may take; None for no limit."""
    workers_max: int | None = None
    """Passes at once, if fewer than for all loops: 1 for one that counts across objects."""
    part_of: str = ""
    """The loop that this one is a part of, if it is one: it runs and writes under that name."""

    @property
    def component(self) -> str:
        """The name for users: in --controllers, as source of events and as field manager."""
        return self.part_of or self.name


AnyController: TypeAlias = Controller[Any]
