"""What goes to which collector, and when: an agent's delivery as a state machine. Pure.

Events go in (a segment has grown, records were read, a collector has answered), and `step` says
what to do; `forward.py` does it. Time and chance are arguments. A record of a segment, or a part of
one, is a parcel::

    waiting ── its turn, its collector works ─▶ sending ── accepted ─────────────────▶ done
       ▲                                           │
       ├── repeat: at the end of the queue ────────┤
       │                                           └── refused, too large ─▶ halving
       ├── two parts, each with half of the spans ───────────────────────────────┤
       │                              set aside, done ◀── it is one span ────────┘
       └── read; over the size limit: halving at once

A segment goes to one collector as a whole, for that one knows what of it came before. Which one is
written down before anything is sent. It goes on to another one at once if nothing that was sent is
without an answer, else after `move_seconds`: what the first one may have is then stored twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from lymer.journal.delivery import INDEX_MAX
from lymer.journal.marks import WHOLE
from lymer.journal.reading import ReadRecord
from lymer.journal.segments import WrittenSegment
from lymer.model.segment import SealedSegment
from lymer.pipeline.collector_health import CollectorHealth, Healths, Said
from lymer.pipeline.forward_actions import (
    Action,
    Halve,
    Parcel,
    Read,
    Remove,
    Send,
    SetAside,
    WriteRoute,
)
from lymer.pipeline.forward_route import Route
from lymer.pipeline.outcome import Accepted, Outcome, Refused, Repeat, TooLarge
from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["BYTES_IN_FLIGHT_MAX", "ForwardLimits", "ForwardPlan"]

BYTES_IN_FLIGHT_MAX: Final = 8 * 2**20
"""Bytes of one segment that are sent and not answered, beside one record that may be larger; and
that are read ahead."""
_SUSPICIOUS_ATTEMPTS_MAX: Final = 10
"""A request that fails so often with INTERNAL and the like, while others to the same collector
succeed, counts as refused."""
_NOBODY_SECONDS: Final = 1.0
"""How often it is looked whether a collector is known by now."""


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
class _Segment:
    known: SealedSegment
    is_sealed: bool
    agent: bytes
    route: Route
    is_recovered: bool
    """Whether a former run may have sent any of it to the collector it goes to."""
    offset: int = 0
    next_index: int = 0
    waiting: deque[Parcel] = field(default_factory=deque)
    open: dict[int, list[int]] = field(default_factory=dict)
    """Index of each record that is not done → [its parcels, its bytes]."""
    open_bytes: int = 0
    sending: int = 0
    sending_bytes: int = 0
    unknown: set[int] = field(default_factory=set)
    """Records that the collector may or may not have."""
    lost_since: float | None = None
    """Since when its collector is not to be found at all."""
    is_reading: bool = False
    is_routing: bool = False
    is_leaving: bool = False

    def is_done(self) -> bool:
        """Tell whether nothing of it is left to do."""
        is_read = self.is_sealed and self.offset >= self.known.byte_count and not self.is_reading
        return is_read and not self.open and not self.is_leaving


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

    # What has happened.

    def grow(
        self, written: WrittenSegment, agent: bytes, route: Route | None, *, is_recovered: bool
    ) -> None:
        """Learn of a segment, or that there is more of it, or that there will not be.

        Args:
            written: As far as it is durable.
            agent: The name it is delivered under.
            route: What a former run knows of it.
            is_recovered: Whether a former run may have sent any of it.
        """
        number = written.segment.segment_id
        segment = self._segments.get(number)
        if segment is None:
            self._segments[number] = _Segment(
                written.segment, written.is_sealed, agent, route or Route(), is_recovered
            )
        else:
            segment.known, segment.is_sealed = written.segment, written.is_sealed

    def read(self, number: int, records: Sequence[ReadRecord], offset: int) -> None:
        """Take records that were read, in their order; the next one begins at `offset`."""
        segment = self._segments[number]
        segment.is_reading = False
        segment.offset = offset
        for record in records:
            index = segment.next_index
            segment.next_index += 1
            if segment.route.done.has(index):
                continue
            segment.open[index] = [0, len(record.body)]
            segment.open_bytes += len(record.body)
            self._admit(segment, index, WHOLE, CheckedRequest(record.body, record.span_count))

    def answered(self, parcel: Parcel, outcome: Outcome, now: float) -> None:
        """Learn what a collector says to what was sent."""
        segment = self._segments[parcel.segment]
        segment.sending -= 1
        segment.sending_bytes -= len(parcel.request.body)
        health = parcel.health
        assert health is not None
        if health.probe is parcel:
            health.probe = None
        if isinstance(outcome, Repeat):
            self._repeat(segment, parcel, health, outcome, now)
            return
        self.problem = ""
        self._say(health.succeeded(now))
        match outcome:
            case Accepted():
                self._done(segment, parcel)
            case Refused(reason) | TooLarge(reason):
                self._halve(parcel, reason)

    def halved(self, parcel: Parcel, parts: tuple[CheckedRequest, CheckedRequest] | None) -> None:
        """Take the halves of a parcel; None if it has one span."""
        if parts is None:
            self._ready.append(SetAside(parcel))
            return
        segment = self._segments[parcel.segment]
        for number, request in enumerate(parts):
            self._admit(segment, parcel.index, 2 * parcel.part + number, request)
        self._close(segment, parcel)

    def was_set_aside(self, parcel: Parcel) -> None:
        """Learn that it is in quarantine."""
        self._done(self._segments[parcel.segment], parcel)

    def routed(self, number: int) -> None:
        """Learn that where a segment goes is written down."""
        segment = self._segments[number]
        segment.is_routing = segment.is_recovered = False
        segment.unknown.clear()

    def removed(self, number: int) -> None:
        """Forget a segment."""
        del self._segments[number]

    # What to do.

    def step(self, now: float) -> list[Action]:
        """Return what is to be done now; it is not said again."""
        for segment in self._segments.values():
            if self._wants_more(segment):
                segment.is_reading = True
                self._ready.append(Read(segment.known, segment.offset))
            elif segment.is_done():
                segment.is_leaving = True
                self._ready.append(Remove(segment.known))
            if segment.waiting and not segment.is_routing:
                health = self._collector_of(segment, now)
                if health is not None and not health.is_failing:
                    self._flow(segment, health, now)
        self._probe(now)
        actions, self._ready = self._ready, []  # not before: a bug on the way loses none
        return actions

    def wake_seconds(self, now: float) -> float:
        """Return after how many seconds `step` has something to say, if nothing happens."""
        due = []
        for segment in self._segments.values():
            if not segment.waiting or segment.is_routing:
                continue
            health = self._healths.get(segment.route.reference)
            if health is None:
                due.append(now + _NOBODY_SECONDS)
            elif health.is_failing:
                due += [health.retry_at, health.failing_since + self._limits.move_seconds]
        return min((one - now for one in due if one > now), default=_NOBODY_SECONDS)

    def is_empty(self) -> bool:
        """Tell whether everything is done."""
        return not self._segments

    def oldest(self, agent: bytes) -> int | None:
        """Return the lowest segment under way that is delivered under the name `agent`."""
        mine = (number for number, segment in self._segments.items() if segment.agent == agent)
        return min(mine, default=None)

    # How.

    def _wants_more(self, segment: _Segment) -> bool:
        return (
            segment.offset < segment.known.byte_count
            and not segment.is_reading
            and len(segment.waiting) < self._limits.requests_in_flight_max
            and segment.open_bytes < BYTES_IN_FLIGHT_MAX
        )

    def _admit(self, segment: _Segment, index: int, part: int, request: CheckedRequest) -> None:
        if segment.route.done.has(index, part):
            return
        segment.open[index][0] += 1
        parcel = Parcel(segment.known.segment_id, index, part, request)
        size, limit = len(request.body), self._limits.message_bytes_max
        if size > limit and request.span_count > 1:
            self._halve(parcel, f"{size} bytes, the limit is {limit}")
        elif index > INDEX_MAX or part.bit_length() > 32:
            self._halve(parcel, "the segment has too many records")
        else:
            segment.waiting.append(parcel)

    def _halve(self, parcel: Parcel, reason: str) -> None:
        parcel.reason = reason
        self._ready.append(Halve(parcel))

    def _done(self, segment: _Segment, parcel: Parcel) -> None:
        segment.route.done.add(parcel.index, parcel.part)
        self._close(segment, parcel)

    def _close(self, segment: _Segment, parcel: Parcel) -> None:
        """One parcel of a record is no more; the record is done when none is left."""
        record = segment.open[parcel.index]
        record[0] -= 1
        if record[0] == 0:
            del segment.open[parcel.index]
            segment.open_bytes -= record[1]
            segment.unknown.discard(parcel.index)
            # Its parts are of no interest now, but which are done is what a move writes down.
            segment.route.done.add(parcel.index)

    def _repeat(
        self, segment: _Segment, parcel: Parcel, health: CollectorHealth, said: Repeat, now: float
    ) -> None:
        self.problem = f"{health.reference}: {said.reason}"
        self._say(
            health.failed(
                now,
                sent_at=parcel.sent_at,
                pause=self._pause,
                after_seconds=said.after_seconds,
                reason=said.reason,
            )
        )
        if said.is_unknown:
            segment.unknown.add(parcel.index)
        parcel.attempts += 1
        is_poison = (
            said.is_suspicious
            and parcel.attempts > _SUSPICIOUS_ATTEMPTS_MAX
            and parcel.begun_at is not None
            and health.last_success > parcel.begun_at
        )
        if is_poison:
            self._halve(parcel, said.reason)
        else:
            segment.waiting.append(parcel)

    def _collector_of(self, segment: _Segment, now: float) -> CollectorHealth | None:
        """Return where a segment goes, None if that is not known or is being written down."""
        if not segment.route.reference:
            self._go(segment, self._healths.choose(now), now)
            return None
        health = self._healths.get(segment.route.reference)
        if health is None:
            if segment.lost_since is None:
                segment.lost_since = now
            if self._may_move(segment, now - segment.lost_since):
                self._go(segment, self._healths.choose(now), now)
                return None
            self.problem = f"{segment.route.reference} is not known any more"
            return None
        segment.lost_since = None
        if health.probe is segment:
            return health  # it came to find out
        if health.is_failing and self._may_move(segment, now - health.failing_since):
            other = self._healths.choose(now, but=health)
            if other is not None and other.may_try(now):
                self._go(segment, other, now)
                return None
        return health

    def _may_move(self, segment: _Segment, away_seconds: float) -> bool:
        """Tell whether nothing can be stored twice by it, or we have waited long enough."""
        if not (segment.is_recovered or segment.unknown or segment.sending):
            return True
        return away_seconds >= self._limits.move_seconds

    def _go(
        self,
        segment: _Segment,
        health: CollectorHealth | None,
        now: float,
    ) -> None:
        """Go to a collector once that is durable."""
        if health is None:
            self.problem = "no collector is known: their names cannot be looked up"
            return
        if health.is_failing and health.may_try(now):
            health.probe = segment  # others need not come along to find out
        is_move = bool(segment.route.reference) and not health.is_failing
        segment.route.reference = health.reference
        segment.is_routing = True
        self._ready.append(
            WriteRoute(segment.known, segment.route.packed(), health.reference, is_move)
        )

    def _flow(self, segment: _Segment, health: CollectorHealth, now: float) -> None:
        """Send what may be under way at once."""
        while segment.waiting:
            size = len(segment.waiting[0].request.body)
            if segment.sending and (
                segment.sending >= self._limits.requests_in_flight_max
                or segment.sending_bytes + size > BYTES_IN_FLIGHT_MAX
            ):
                return
            self._send(segment, segment.waiting.popleft(), health, now)

    def _send(
        self,
        segment: _Segment,
        parcel: Parcel,
        health: CollectorHealth,
        now: float,
    ) -> None:
        if parcel.begun_at is None:
            parcel.begun_at = now
        parcel.sent_at = now
        parcel.health = health
        segment.sending += 1
        segment.sending_bytes += len(parcel.request.body)
        self._ready.append(Send(parcel, health.reference, segment.agent, segment.known.tenant))

    def _probe(self, now: float) -> None:
        """Send one request to each collector that fails and may be tried, the one least tried.

        What failed is at the end of its segment's queue, so the first one is that segment's.
        """
        ready: dict[CollectorHealth, list[_Segment]] = {}
        for segment in self._segments.values():
            if not segment.waiting or segment.is_routing:
                continue
            health = self._healths.get(segment.route.reference)
            if health is None or not health.is_failing or health.retry_at > now:
                continue
            if health.probe is None or health.probe is segment:
                ready.setdefault(health, []).append(segment)
        for health, segments in ready.items():
            segment = min(segments, key=lambda one: one.waiting[0].attempts)
            health.probe = segment.waiting[0]
            self._send(segment, segment.waiting.popleft(), health, now)

    def _pause(self, attempts: int) -> float:
        """Return a pause: between half and all of a time that doubles with every attempt."""
        doubled: float = self._limits.backoff_seconds_min * 2.0 ** min(attempts, 30)
        most = min(doubled, self._limits.backoff_seconds_max)
        return most * (0.5 + 0.5 * self._chance())

    def _say(self, said: Said | None) -> None:
        if said is not None:
            self._ready.append(said)
