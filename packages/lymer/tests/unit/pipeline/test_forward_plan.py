"""An agent's delivery in a world without clocks, disks and networks."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import msgpack
import pytest

from lymer.journal.marks import Marks
from lymer.journal.reading import ReadRecord
from lymer.journal.segments import WrittenSegment
from lymer.model.segment import SealedSegment
from lymer.pipeline.collector_health import Healths, Said
from lymer.pipeline.forward_plan import (
    Action,
    ForwardLimits,
    ForwardPlan,
    Read,
    Remove,
    Send,
    Split,
    WriteRoute,
)
from lymer.pipeline.forward_route import Route
from lymer.pipeline.outcome import Accepted, Outcome, Refused, Repeat
from lymer.wire.otlp_proto import CheckedRequest

LIMITS = ForwardLimits(
    requests_in_flight_max=32,
    request_seconds_max=15.0,
    backoff_seconds_min=0.1,
    backoff_seconds_max=5.0,
    move_seconds=60.0,
    message_bytes_max=2**22,
)
AWAY = Repeat("UNAVAILABLE: failed to connect", 0.0, is_unknown=False, is_suspicious=False)
LOST = Repeat("UNAVAILABLE: Socket closed", 0.0, is_unknown=True, is_suspicious=False)
BOOM = Repeat("INTERNAL: boom", 0.0, is_unknown=True, is_suspicious=True)

Answer = Callable[["World", Send], Outcome]


@dataclass
class World:
    """Everything around a plan. A record's body is its number as text; one byte is one span."""

    answer: Answer
    collectors: tuple[str, ...] = ("a|1", "b|1")
    limits: ForwardLimits = LIMITS
    seed: int = 0
    latency: Callable[[Send], float] = lambda _send: 0.01
    now: float = 100.0
    sent: list[tuple[float, Send]] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    taken: Counter[tuple[str, int, int, int]] = field(default_factory=Counter)
    """(collector, segment, index, part) → how often it was accepted or got lost on the way back."""
    aside: list[tuple[int, int, int]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    routes: dict[int, bytes] = field(default_factory=dict)
    moves: int = 0
    records: dict[int, list[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start the agent."""
        self.chance = random.Random(self.seed)
        self.start()

    def start(self) -> None:
        """Begin with what is on disk, as after a kill."""
        self.healths = Healths()
        self.healths.set_known(self.collectors)
        self.plan = ForwardPlan(self.limits, self.healths, self.chance.random)
        self._due: list[tuple[float, int, Action]] = []
        self._steps = 0
        for number in [one for one in self.records if one not in self.removed]:
            packed = self.routes.get(number)
            route = Route()
            if packed is not None:
                reference, whole, parts = msgpack.unpackb(packed)
                route = Route(reference, Marks(whole, parts))
            self._grow(number, route, is_sealed=True)

    def put(self, number: int, *bodies: bytes, is_sealed: bool = True) -> None:
        """Make records of a segment durable."""
        self.records.setdefault(number, []).extend(bodies)
        self._grow(number, None, is_sealed=is_sealed)

    def _grow(self, number: int, route: Route | None, *, is_sealed: bool) -> None:
        size = len(self.records[number])
        segment = SealedSegment(number, Path(str(number)), 1, size)
        self.plan.grow(WrittenSegment(segment, is_sealed=is_sealed), route)

    def run(self, seconds: float) -> None:
        """Let time pass; whatever is to be done is done, an answer takes its time."""
        end = self.now + seconds
        while True:
            for action in self.plan.step(self.now):
                self._begin(action)
            wake = self.now + self.plan.wake_seconds(self.now)
            following = min([wake, *(due for due, _, _ in self._due)])
            if following > end:
                self.now = end
                return
            self.now = max(following, self.now)
            self._due.sort(key=lambda entry: entry[:2])
            while self._due and self._due[0][0] <= self.now:
                self._finish(self._due.pop(0)[2])

    def _begin(self, action: Action) -> None:
        if isinstance(action, Said):
            self.said.append(action)
            return
        if isinstance(action, Send):
            self.sent.append((self.now, action))
        self._steps += 1
        latency = self.latency(action) if isinstance(action, Send) else 0.0
        self._due.append((self.now + latency, self._steps, action))

    def _finish(self, action: Action) -> None:
        match action:
            case Send(parcel):
                outcome = self.answer(self, action)
                if outcome in (Accepted(), LOST):
                    holder = action.health.reference
                    self.taken[holder, parcel.segment, parcel.index, parcel.part] += 1
                self.plan.answered(action, outcome, self.now)
            case Read(segment, offset):
                bodies = self.records[segment.segment_id][offset : offset + 50]
                records = [ReadRecord(body, len(body)) for body in bodies]
                self.plan.read(segment.segment_id, records, offset + len(bodies))
            case Split(parcel):
                body = parcel.request.body
                half = len(body) // 2
                parts = [CheckedRequest(body[:half], half)]
                parts += [CheckedRequest(body[half:], len(body) - half)]
                if len(body) == 1:
                    self.aside.append((parcel.segment, parcel.index, parcel.part))
                self.plan.was_split(parcel, parts if len(body) > 1 else ())
            case WriteRoute(segment, packed, _, is_move):
                self.routes[segment.segment_id] = packed
                self.moves += is_move
                self.plan.routed(segment.segment_id)
            case Remove(segment):
                self.removed.append(segment.segment_id)
                self.routes.pop(segment.segment_id, None)
                self.plan.removed(segment.segment_id)

    def tries(self, collector: str) -> list[float]:
        """Return when something was sent to a collector."""
        return [when for when, send in self.sent if send.health.reference == collector]


def _accept(_world: World, _send: Send) -> Outcome:
    return Accepted()


def _always(outcome: Outcome) -> Answer:
    return lambda _world, _send: outcome


def test_what_is_written_is_sent_and_removed() -> None:
    """To one collector, in its order, each record once; the route is written before."""
    world = World(_accept)
    world.put(1, b"x", b"y", is_sealed=False)
    world.run(1)
    assert [0, 1] == [send.parcel.index for _, send in world.sent]
    assert list(world.routes) == [1]
    assert world.removed == []
    world.put(1, b"z")
    world.run(1)

    assert world.removed == [1]
    assert set(world.taken.values()) == {1}
    assert len({collector for collector, *_ in world.taken}) == 1


@pytest.mark.parametrize("records", [1, 500], ids=["idle sender", "busy sender"])
def test_a_collector_that_is_away_is_tried_now_and_then(records: int) -> None:
    """One request at a time, after pauses that double up to the longest one, however much waits."""
    world = World(_always(AWAY), collectors=("a|1",))
    world.put(1, *[b"x"] * records)
    world.put(2, *[b"x"] * records)
    world.run(120)

    tries = world.tries("a|1")
    first = [when for when in tries if when == tries[0]]
    assert len(first) <= 2 * LIMITS.requests_in_flight_max
    pauses = [after - before for before, after in pairwise(tries[len(first) - 1 :])]
    assert 20 <= len(pauses) <= 60
    for number, pause in enumerate(pauses):
        most = min(0.1 * 2**number, 5.0)
        assert most / 2 <= pause <= most + 0.02
    assert len({round(pause, 3) for pause in pauses[7:]}) > 3  # they jitter


def test_a_collector_that_is_away_is_one_line_a_minute_with_a_count() -> None:
    """And one when it works again."""
    world = World(_always(AWAY), collectors=("a|1",))
    world.put(1, *[b"x"] * 100)
    world.run(200)
    assert ["collector failed", *["collector fails still"] * 3] == [one.event for one in world.said]
    assert world.said[0].failures == 1
    assert world.said[-1].failures >= 60
    assert world.said[-1].seconds >= 180
    assert "failed to connect" in world.plan.problem

    world.answer = _accept
    world.run(10)
    assert world.said[-1].event == "collector works again"
    assert world.said[-1].failures >= 60
    assert world.plan.problem == ""
    assert world.removed == [1]


def test_when_it_works_again_everything_goes_at_once() -> None:
    """The first request alone finds out; the others do not wait for pauses of their own."""
    world = World(_always(AWAY), collectors=("a|1",))
    world.put(1, *[b"x"] * 200)
    world.run(60)
    world.answer = _accept
    before = world.now
    world.run(5.1)

    assert world.removed == [1]
    last = max(when for when, _ in world.sent)
    assert last - min(when for when in world.tries("a|1") if when > before) < 0.2


def test_a_pause_that_is_asked_for_holds_for_everything_that_waits() -> None:
    """A collector that is full gets nothing until then."""
    full = Repeat("UNAVAILABLE: full", 30.0, is_unknown=False, is_suspicious=False)
    world = World(_always(full), collectors=("a|1",))
    world.put(1, *[b"x"] * 100)
    world.run(1)
    sent = len(world.sent)
    world.run(28)
    assert len(world.sent) == sent
    world.run(2)
    assert len(world.sent) == sent + 1


def test_poison_is_found_in_halves_and_set_aside() -> None:
    """Its neighbours, in the record and beside it, arrive; each part has its own name."""

    def answer(_world: World, send: Send) -> Outcome:
        return Refused("bad") if b"!" in send.parcel.request.body else Accepted()

    world = World(answer)
    world.put(1, b"abc!efgh", b"x")
    world.run(5)

    assert len(world.aside) == 1
    assert world.removed == [1]
    accepted = [
        send.parcel.request.body for _, send in world.sent if b"!" not in send.parcel.request.body
    ]
    assert sorted(b"".join(accepted)) == sorted(b"abcefghx")
    names = [(send.parcel.index, send.parcel.part) for _, send in world.sent]
    assert len(names) == len(set(names))


def test_a_request_that_always_breaks_the_collector_is_poison_and_starves_nobody() -> None:
    """If others succeed; while nothing does, it is not."""

    def answer(_world: World, send: Send) -> Outcome:
        return BOOM if b"!" in send.parcel.request.body else Accepted()

    world = World(answer, collectors=("a|1",))
    world.put(1, b"!")
    world.run(300)
    assert world.aside == []
    for number in range(40):
        world.put(10 + number, b"x")
        world.run(1)
    world.run(60)

    assert world.aside == [(1, 0, 1)]
    assert sorted(world.removed) == [1, *range(10, 50)]


def test_too_large_a_record_is_halved_before_it_is_sent() -> None:
    """By our own limit."""
    world = World(_accept, limits=ForwardLimits(32, 15, 0.1, 5, 60, message_bytes_max=3))
    world.put(1, b"abcdefgh")
    world.run(1)

    assert sorted(len(send.parcel.request.body) for _, send in world.sent) == [2, 2, 2, 2]
    assert world.removed == [1]


def test_a_segment_moves_at_once_if_nothing_can_be_stored_twice() -> None:
    """A collector that nothing reached has nothing."""

    def answer(_world: World, send: Send) -> Outcome:
        return AWAY if send.health.reference == "a|1" else Accepted()

    world = World(answer)
    for number in range(1, 9):
        world.put(number, b"x")
        world.run(0.5)

    assert sorted(world.removed) == list(range(1, 9))
    assert world.moves >= 1


@pytest.mark.parametrize("restart", [False, True])
def test_what_one_collector_may_have_goes_nowhere_else_for_a_while(*, restart: bool) -> None:
    """Also after a restart, which knows where it was sent; then it moves rather than stay."""
    world = World(_always(LOST))
    world.put(1, b"x")
    world.run(20)
    if restart:
        world.start()
    world.run(35)
    assert len({collector for collector, *_ in world.taken}) == 1
    world.run(70)
    assert len({collector for collector, *_ in world.taken}) == 2


def test_a_request_without_an_answer_yet_keeps_its_segment() -> None:
    """Its neighbour's failure says that nothing was sent, but it was sent itself."""

    def answer(world: World, send: Send) -> Outcome:
        if world.now < 110:
            return AWAY if send.parcel.index else LOST
        return Accepted()

    world = World(answer, latency=lambda send: 0.01 if send.parcel.index else 5.0)
    world.put(1, b"x", b"y")
    world.run(30)

    assert world.removed == [1]
    assert len({collector for collector, *_ in world.taken}) == 1


def test_one_segment_finds_out_whether_the_other_collector_is_back() -> None:
    """Where both are away, the rest does not wander between them."""
    world = World(_always(AWAY))
    for number in range(1, 17):
        world.put(number, *[b"x"] * 10)
    world.run(120)
    settled = len(world.sent)
    world.run(60)
    assert len(world.sent) - settled < 60
    world.answer = lambda _world, send: AWAY if send.health.reference == "a|1" else Accepted()
    world.run(30)

    assert sorted(world.removed) == list(range(1, 17))


@pytest.mark.parametrize("seed", range(20))
def test_whoever_comes_back_first_gets_everything(seed: int) -> None:
    """Of three that are away, after any time; and then another one."""
    chance = random.Random(seed)
    works: set[str] = set()

    def answer(_world: World, send: Send) -> Outcome:
        return Accepted() if send.health.reference in works else AWAY

    world = World(answer, collectors=("a|1", "b|1", "c|1"), seed=seed)
    number = 0
    for _ in range(6):
        works.clear()
        for _ in range(chance.randrange(1, 12)):
            number += 1
            world.put(number, *[b"x"] * chance.randrange(1, 40))
            world.run(chance.uniform(0, 4))
        works.add(chance.choice(world.collectors))
        world.run(20)

        assert sorted(world.removed) == list(range(1, number + 1))
    assert set(world.taken.values()) == {1}


def test_nobody_to_send_to_is_a_problem_and_loses_nothing() -> None:
    """Names may be looked up in vain for a while."""
    world = World(_accept, collectors=())
    world.put(1, b"x")
    world.run(10)
    assert "no collector is known" in world.plan.problem
    world.healths.set_known(["a|1"])
    world.run(5)
    assert world.removed == [1]


def test_a_record_of_which_a_part_arrived_goes_nowhere_else_as_a_whole() -> None:
    """Also after a restart, at a collector that would take it whole: its other part is sent."""

    def answer(world: World, send: Send) -> Outcome:
        if send.health.reference != world.sent[0][1].health.reference:
            return AWAY
        if len(send.parcel.request.body) > 2:
            return Refused("too large")
        return Accepted() if send.parcel.request.body == b"ab" else AWAY

    world = World(answer)
    world.put(1, b"abcd")
    world.run(3)
    (first,) = {holder for holder, *_ in world.taken}
    world.answer = lambda _world, send: AWAY if send.health.reference == first else Accepted()
    world.start()
    world.run(30)

    assert world.removed == [1]
    assert len({holder for holder, *_ in world.taken}) == 2
    assert _spans([part for *_, part in world.taken], 4) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("known", "taker"),
    [(("b|1",), "b|1"), (("a|2", "b|1"), "a|2")],
    ids=["for good", "has another"],
)
def test_an_address_that_is_gone_is_a_collector_that_fails(
    known: tuple[str, ...], taker: str
) -> None:
    """What it may have waits for it; a name that stands for one address is one collector."""
    world = World(_always(LOST), collectors=("a|1",))
    world.put(1, b"x")
    world.run(2)
    world.healths.set_known(known)

    def answer(_world: World, send: Send) -> Outcome:
        return AWAY if send.health.reference == "a|1" else Accepted()

    world.answer = answer
    world.run(40)
    assert bool(world.removed) == (taker == "a|2")
    world.run(30)

    assert world.removed == [1]
    assert {holder for holder, *_ in world.taken} == {"a|1", taker}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("collectors", [("a|1",), ("a|1", "b|1", "c|1")], ids=["one", "three"])
def test_whatever_fails_every_span_arrives_once(seed: int, collectors: tuple[str, ...]) -> None:
    """With answers of every kind, kills and restarts; each collector takes a name once.

    Nobody is away for `move_seconds`, after which a second copy is allowed.
    """
    chance = random.Random(seed)
    kinds: list[Outcome] = [Accepted(), AWAY, LOST, BOOM]

    def answer(world: World, send: Send) -> Outcome:
        """Refuse what is bad, always; of the rest what is known is accepted whatever happens."""
        parcel = send.parcel
        if b"!" in parcel.request.body:
            return Refused("poison")
        if world.taken[send.health.reference, parcel.segment, parcel.index, parcel.part]:
            return chance.choice([Accepted(), AWAY])
        return chance.choices(kinds, [6, 2, 1, 0.2])[0]

    world = World(answer, collectors=collectors, seed=seed)
    number = 0
    for _ in range(8):
        number += 1
        bodies = [
            bytes(chance.choices(b"abcdefgh!", [1] * 8 + [0.2], k=chance.randrange(1, 6)))
            for _ in range(chance.randrange(1, 60))
        ]
        world.put(number, *bodies)
        world.run(chance.uniform(0, 2))
        if chance.random() < 0.4:
            world.start()
    world.answer = lambda _world, send: (
        Refused("poison") if b"!" in send.parcel.request.body else Accepted()
    )
    world.run(30)

    assert sorted(world.removed) == list(range(1, number + 1))
    holders: dict[tuple[int, int, int], set[str]] = {}
    for collector, segment, index, part in world.taken:
        holders.setdefault((segment, index, part), set()).add(collector)
    assert all(len(found) == 1 for found in holders.values())
    for segment, records in world.records.items():
        for index, body in enumerate(records):
            parts = [part for one, place, part in holders if (one, place) == (segment, index)]
            parts += [
                part for one, place, part in set(world.aside) if (one, place) == (segment, index)
            ]
            assert _spans(parts, len(body)) == list(range(len(body)))


def _spans(parts: list[int], count: int) -> list[int]:
    """Return the places of the spans in some parts of a record."""
    found: list[int] = []
    for part in parts:
        low, high = 0, count
        for bit in bin(part)[3:]:
            half = low + (high - low) // 2
            low, high = (half, high) if bit == "1" else (low, half)
        found += range(low, high)
    return sorted(found)
