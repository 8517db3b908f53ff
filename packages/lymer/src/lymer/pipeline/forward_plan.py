"""What goes to which collector, and when: an agent's delivery as a state machine. Pure.

Events go in (a segment has grown, records were read, a collector has answered), and `step` says
what to do; `forward.py` does it. Time and chance are arguments. A record of a segment, or a part of
one, is a parcel::

    waiting ── its turn, its collector works ─▶ sending ── accepted ─────────────────▶ done
       ▲                                           │
       ├── repeat: at the end of the queue ────────┤
       │                                           └── refused, too large ─▶ splitting
       ├── two parts, each with half of the spans ───────────────────────────────┤
       │                              set aside, done ◀── it is one span ────────┘
       └── read; too large, or a part of it is done: splitting at once

A segment goes to one collector as a whole, for that one knows what of it came before. Which one is
written down before anything is sent. It goes on to another one at once if nothing that was sent is
without an answer, else after `move_seconds`: what the first one may have is then stored twice. An
address that is not known any more is a collector that fails.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from lymer.journal.delivery import INDEX_MAX
from lymer.journal.marks import WHOLE
from lymer.journal.reading import ReadRecord
from lymer.journal.segments import WrittenSegment
from lymer.model.segment import SealedSegment
from lymer.pipeline.collector_health import CollectorHealth, Healths, Said
from lymer.pipeline.forward_route import Route
from lymer.pipeline.outcome import Accepted, Outcome, Refused, Repeat
from lymer.wire.otlp_proto import CheckedRequest

__all__ = [
    "BYTES_AHEAD_MAX",
    "Action",
    "ForwardLimits",
    "ForwardPlan",
    "Parcel",
    "Read",
    "Remove",
    "Send",
    "Split",
    "WriteRoute",
]

BYTES_AHEAD_MAX: Final = 8 * 2**20
"""Bytes of one segment that are read and not done; more is read below it, about 1 MiB at once."""
_SUSPICIOUS_ATTEMPTS_MAX: Final = 10
"""A request that fails so often with INTERNAL and the like, while others to the same collector
succeed, counts as refused."""
_WAKE_SECONDS_MAX: Final = 1.0
"""So often it is looked whether a collector is known by now, or a segment may move."""


@dataclass(frozen=True, slots=True)
class ForwardLimits:
    """See `AgentSettings`."""

    requests_in_flight_max: int
    request_seconds_max: float
    backoff_seconds_min: float
    backoff_seconds_max: float
    move_seconds: float
    message_bytes_max: int


@dataclass(slots=True, eq=False)
class Parcel:
    """A record, or a part of one, that is not done."""

    segment: int
    index: int
    """Place of the record in its segment."""
    part: int
    request: CheckedRequest
    is_unknown: bool = False
    """Whether its collector may have it: an answer was lost."""
    attempts: int = 0
    """How often it was sent in vain."""
    begun_at: float = 0.0
    """When it was sent first."""


@dataclass(frozen=True, slots=True)
class Read:
    """Read records, then call `read`."""

    segment: SealedSegment
    offset: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send it, then call `answered`."""

    parcel: Parcel
    tenant: str
    health: CollectorHealth
    """Of the collector it goes to."""
    sent_at: float


@dataclass(frozen=True, slots=True)
class Split:
    """Halve it, or put it into quarantine if it is one span; then call `was_split`."""

    parcel: Parcel
    reason: str
    """Why it will not be taken as it is."""


@dataclass(frozen=True, slots=True)
class WriteRoute:
    """Make durable where a segment goes from now on, then call `routed`."""

    segment: SealedSegment
    packed: bytes
    collector: str
    is_move: bool


@dataclass(frozen=True, slots=True)
class Remove:
    """All of a segment is done: remove it, then call `removed`."""

    segment: SealedSegment


Action: TypeAlias = Read | Send | Split | WriteRoute | Remove | Said


@dataclass(slots=True, eq=False)
class _Segment:
    known: SealedSegment
    is_sealed: bool
    route: Route
    is_unknown: bool
    """Whether a former run may have sent any of it to the collector it goes to."""
    offset: int = 0
    next_index: int = 0
    waiting: deque[Parcel] = field(default_factory=deque)
    out: int = 0
    """Parcels that are being sent or split."""
    bytes_ahead: int = 0
    """Of parcels, waiting or out."""
    doing: Read | WriteRoute | Remove | None = None
    """What the disk does for it, one thing at a time."""
    health: CollectorHealth | None = None
    """Of the collector it goes to, as it was last known."""


class ForwardPlan:
    """All segments under way. Lives on one thread."""

    def __init__(
        self, limits: ForwardLimits, healths: Healths, chance: Callable[[], float]
    ) -> None:
        """Begin with no segments; `chance` gives numbers from 0 to 1, for pauses."""
        self._limits = limits
        self._healths = healths
        self._chance = chance
        self._segments: dict[int, _Segment] = {}
        self._ready: list[Action] = []
        self.problem = ""
        """Why collectors take nothing; empty if one did last time."""

    @property
    def segments(self) -> Collection[int]:
        """Those under way, in no order."""
        return self._segments.keys()

    # What has happened.

    def grow(self, written: WrittenSegment, route: Route | None = None) -> None:
        """Learn of a segment, or that there is more of it, or that there will not be.

        Args:
            written: As far as it is durable.
            route: What a former run knows of it.
        """
        known, is_sealed = written.segment, written.is_sealed
        segment = self._segments.get(known.segment_id)
        if segment is None:
            route = route or Route()
            made = _Segment(known, is_sealed, route, is_unknown=bool(route.reference))
            self._segments[known.segment_id] = made
        else:
            segment.known, segment.is_sealed = known, is_sealed

    def read(self, number: int, records: Sequence[ReadRecord], offset: int) -> None:
        """Take records that were read, in their order; the next one begins at `offset`."""
        segment = self._segments[number]
        segment.doing = None
        segment.offset = offset
        for record in records:
            request = CheckedRequest(record.body, record.span_count)
            self._admit(segment, Parcel(number, segment.next_index, WHOLE, request))
            segment.next_index += 1

    def answered(self, send: Send, outcome: Outcome, now: float) -> None:
        """Learn what a collector says to what was sent."""
        parcel, health = send.parcel, send.health
        health.under_way -= 1
        if isinstance(outcome, Repeat):
            self._repeat(send, outcome, now)
            return
        self.problem = ""
        self._say(health.succeeded(now))
        match outcome:
            case Accepted():
                self._close(parcel)
                self._segments[parcel.segment].route.done.add(parcel.index, parcel.part)
            case Refused(reason):
                self._ready.append(Split(parcel, reason))

    def was_split(self, parcel: Parcel, parts: Sequence[CheckedRequest]) -> None:
        """Take the halves of a parcel; none if it is in quarantine."""
        self._close(parcel)
        segment = self._segments[parcel.segment]
        if not parts:
            segment.route.done.add(parcel.index, parcel.part)
        for number, request in enumerate(parts, 2 * parcel.part):
            part = Parcel(parcel.segment, parcel.index, number, request, parcel.is_unknown)
            self._admit(segment, part)

    def routed(self, number: int) -> None:
        """Learn that where a segment goes is written down."""
        segment = self._segments[number]
        segment.doing = None
        segment.is_unknown = False
        for parcel in segment.waiting:
            parcel.is_unknown = False
        assert segment.health is not None
        segment.health.under_way -= 1

    def removed(self, number: int) -> None:
        """Forget a segment."""
        del self._segments[number]

    # What to do.

    def step(self, now: float) -> list[Action]:
        """Return what is to be done now; it is not said again."""
        segments = list(self._segments.values())
        for segment in segments:
            if segment.doing is None:
                self._use_disk(segment, now)
        # What failed is at the end of its queue: a collector that fails is tried with the parcel
        # that was tried least.
        waiting = [one for one in segments if one.waiting]
        for segment in sorted(waiting, key=lambda one: one.waiting[0].attempts):
            self._flow(segment, now)
        for segment in waiting:
            self._move(segment, now)
        actions, self._ready = self._ready, []  # not before: a bug on the way loses none
        return actions

    def wake_seconds(self, now: float) -> float:
        """Return after how many seconds `step` may have something to say, if nothing happens."""
        healths = [one.health for one in self._segments.values() if one.health is not None]
        due = [one.retry_at - now for one in healths if one.is_failing and one.retry_at > now]
        return min([*due, _WAKE_SECONDS_MAX])

    # How.

    def _use_disk(self, segment: _Segment, now: float) -> None:
        is_read = segment.offset >= segment.known.byte_count
        if not segment.route.reference:
            self._go(segment, self._healths.choose(now))
        elif not is_read:
            if (
                len(segment.waiting) < self._limits.requests_in_flight_max
                and segment.bytes_ahead < BYTES_AHEAD_MAX
            ):
                segment.doing = Read(segment.known, segment.offset)
                self._ready.append(segment.doing)
        elif segment.is_sealed and not segment.waiting and not segment.out:
            segment.doing = Remove(segment.known)
            self._ready.append(segment.doing)

    def _go(self, segment: _Segment, health: CollectorHealth | None) -> None:
        """Go to a collector once that is durable."""
        if health is None:
            self.problem = "no collector is known: their names cannot be looked up"
            return
        is_move = bool(segment.route.reference) and not health.is_failing
        segment.route.reference = health.reference
        segment.health = health
        health.under_way += 1  # others need not come along to find out whether it works
        segment.doing = WriteRoute(
            segment.known, segment.route.packed(), health.reference, is_move=is_move
        )
        self._ready.append(segment.doing)

    def _flow(self, segment: _Segment, now: float) -> None:
        """Send what may be under way at once."""
        if isinstance(segment.doing, WriteRoute):
            return
        reference = segment.route.reference
        health = self._healths.get(reference) or segment.health or CollectorHealth(reference)
        segment.health = health
        while (
            segment.waiting
            and segment.out < self._limits.requests_in_flight_max
            and health.may_try(now)
        ):
            parcel = segment.waiting.popleft()
            parcel.begun_at = parcel.begun_at or now
            segment.out += 1
            health.under_way += 1
            self._ready.append(Send(parcel, segment.known.tenant, health, now))

    def _move(self, segment: _Segment, now: float) -> None:
        """Go elsewhere if its collector fails and another one works, or may be tried."""
        health = segment.health
        if segment.doing is not None or health is None or not health.is_failing:
            return
        other = self._healths.choose(now, but=health)
        if other is None or not other.may_try(now):
            return
        is_unknown = (
            segment.is_unknown
            or segment.out
            or any(parcel.is_unknown for parcel in segment.waiting)
        )
        if not is_unknown or now - health.failing_since >= self._limits.move_seconds:
            self._go(segment, other)

    def _admit(self, segment: _Segment, parcel: Parcel) -> None:
        done = segment.route.done
        if done.has(parcel.index, parcel.part):
            return
        size, limit = len(parcel.request.body), self._limits.message_bytes_max
        segment.bytes_ahead += size
        if size > limit and parcel.request.span_count > 1:
            reason = f"{size} bytes, the limit is {limit}"
        elif done.is_divided(parcel.index, parcel.part):
            reason = "a part of it is done"
        elif parcel.index > INDEX_MAX:
            reason = "the segment has too many records"
        else:
            segment.waiting.append(parcel)
            return
        segment.out += 1
        self._ready.append(Split(parcel, reason))

    def _close(self, parcel: Parcel) -> None:
        """Neither wait for it nor remember it."""
        segment = self._segments[parcel.segment]
        segment.out -= 1
        segment.bytes_ahead -= len(parcel.request.body)

    def _repeat(self, send: Send, said: Repeat, now: float) -> None:
        parcel, health = send.parcel, send.health
        self.problem = f"{health.reference}: {said.reason}"
        self._say(
            health.failed(
                now,
                sent_at=send.sent_at,
                pause=self._pause(health.tries),
                after_seconds=said.after_seconds,
                reason=said.reason,
            )
        )
        parcel.is_unknown |= said.is_unknown
        parcel.attempts += 1
        if (
            said.is_suspicious
            and parcel.attempts > _SUSPICIOUS_ATTEMPTS_MAX
            and health.last_success > parcel.begun_at
        ):
            self._ready.append(Split(parcel, said.reason))
        else:
            segment = self._segments[parcel.segment]
            segment.out -= 1
            segment.waiting.append(parcel)

    def _pause(self, tries: int) -> float:
        """Return a pause: between half and all of a time that doubles with every try in vain."""
        doubled: float = self._limits.backoff_seconds_min * 2.0 ** min(tries, 30)
        most = min(doubled, self._limits.backoff_seconds_max)
        return most * (0.5 + 0.5 * self._chance())

    def _say(self, said: Said | None) -> None:
        if said is not None:
            self._ready.append(said)
