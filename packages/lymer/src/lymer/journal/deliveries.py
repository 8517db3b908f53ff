"""What agents have delivered, remembered so that a repeated request is not stored twice.

Theory of operation. A request of an agent has a name (`delivery.py`). It goes into the journal with
the request, in one record, so both are durable together. While a segment is in the journal, its
names can be read there again; before a segment is removed, they are written to a file beside the
journal (`settle`). After a crash the file and the segments that are left say all (`recover`).

Memory: for each agent one bit for each record of the segments it is not done with; it says with
every request which those are. Agents not heard of for longest are forgotten beyond a limit.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgpack

from lymer.errors import CorruptJournalError
from lymer.journal.delivery import Delivery, read_delivery
from lymer.journal.disk import replace_file
from lymer.journal.marks import Marks
from lymer.journal.recovery import open_records
from lymer.model.segment import SealedSegment
from lymer.telemetry.logs import EventLog

__all__ = ["MARKS_BYTES_MAX", "SEGMENTS_MAX", "Deliveries"]

_log = EventLog(__name__)
_VERSION: Final = 1
SEGMENTS_MAX: Final = 64
"""Unfinished segments remembered of one agent; it has 16 at a time, more only by a bug."""
MARKS_BYTES_MAX: Final = 64 * 2**20
"""Memory for all bits; beyond it agents are forgotten as beyond the limit on agents."""


@dataclass(slots=True)
class _Agent:
    settled: int = 0
    segments: dict[int, Marks] = field(default_factory=dict)


class Deliveries:
    """What came from every agent. All methods may be called from any thread."""

    def __init__(self, file: Path, *, agents_max: int) -> None:
        """Read what a former run wrote.

        Args:
            file: Where `settle` writes; need not exist.
            agents_max: Agents that are remembered.

        Raises:
            CorruptJournalError: The file cannot be read: going on would store things twice.
        """
        self._file = file
        self._agents_max = agents_max
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._agents: OrderedDict[bytes, _Agent] = OrderedDict()
        self._marks_bytes = 0
        self._changes = self._written_changes = 0
        self._forgotten = 0
        self._read()

    @property
    def agents(self) -> int:
        """How many agents are remembered."""
        return len(self._agents)

    def has(self, delivery: Delivery) -> bool:
        """Tell whether this request is durable already."""
        with self._lock:
            agent = self._agents.get(delivery.agent)
            if agent is None:
                return False
            if delivery.segment <= agent.settled:
                return True
            marks = agent.segments.get(delivery.segment)
            return marks is not None and marks.has(delivery.index, delivery.part)

    def add(self, delivery: Delivery) -> None:
        """Remember a request; call it when it is durable and not before."""
        with self._lock:
            self._add(delivery)

    def recover(self, segments: Iterable[SealedSegment]) -> None:
        """Remember the names in segments of a former run; before anything is accepted."""
        for segment in segments:
            self._add_names_of(segment.path)

    def settle(self, segment: SealedSegment) -> None:
        """Make durable what is known of `segment`'s names, before it is changed or removed.

        Raises:
            OSError: It is not durable; the segment must stay.
        """
        if not self._agents:
            return
        # Not all of them may have been added yet: that happens on another thread.
        self._add_names_of(segment.path)
        with self._writing:
            with self._lock:
                changes = self._changes
                if changes == self._written_changes:
                    return
                content = self._packed()
            replace_file(self._file, content)
            self._written_changes = changes

    def _add_names_of(self, path: Path) -> None:
        found = []
        with open_records(path) as records:
            for record in records:
                delivery = read_delivery(record.body)
                if delivery is not None:
                    found.append(delivery)
        with self._lock:
            for delivery in found:
                self._add(delivery)

    def _add(self, delivery: Delivery) -> None:
        agent = self._agents.get(delivery.agent)
        if agent is None:
            agent = self._agents[delivery.agent] = _Agent()
            self._changes += 1
        self._agents.move_to_end(delivery.agent)
        if delivery.settled > agent.settled:
            agent.settled = delivery.settled
            self._changes += 1
            for segment in [one for one in agent.segments if one <= agent.settled]:
                self._marks_bytes -= agent.segments.pop(segment).byte_count
        if delivery.segment > agent.settled:
            marks = agent.segments.get(delivery.segment)
            if marks is None:
                marks = agent.segments[delivery.segment] = Marks()
            if not marks.has(delivery.index, delivery.part):
                before = marks.byte_count
                marks.add(delivery.index, delivery.part)
                self._marks_bytes += marks.byte_count - before
                self._changes += 1
            if len(agent.segments) > SEGMENTS_MAX:
                oldest = min(agent.segments)
                self._marks_bytes -= agent.segments.pop(oldest).byte_count
        self._forget()

    def _forget(self) -> None:
        while len(self._agents) > 1 and (
            len(self._agents) > self._agents_max or self._marks_bytes > MARKS_BYTES_MAX
        ):
            _, agent = self._agents.popitem(last=False)
            self._marks_bytes -= sum(marks.byte_count for marks in agent.segments.values())
            self._forgotten += 1
            if self._forgotten == 1:
                _log.warning(
                    "agents forgotten, what they repeat is stored again",
                    agents_max=self._agents_max,
                )

    def _packed(self) -> bytes:
        agents = [
            [
                name,
                agent.settled,
                [[segment, marks.whole, marks.parts] for segment, marks in agent.segments.items()],
            ]
            for name, agent in self._agents.items()
        ]
        packed: bytes = msgpack.packb([_VERSION, agents])
        return packed

    def _read(self) -> None:
        try:
            content = self._file.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise CorruptJournalError(f"cannot read {self._file}: {error}") from error
        try:
            for name, settled, segments in _unpacked(content):
                self._agents[name] = self._agent(settled, segments)
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            message = (
                f"cannot read {self._file}, what agents have delivered: {error}; remove it to go "
                "on, then what agents send again may be stored twice"
            )
            raise CorruptJournalError(message) from error
        self._forget()

    def _agent(self, settled: int, segments: list[Any]) -> _Agent:
        agent = _Agent(settled)
        for segment, whole, parts in segments:
            marks = agent.segments[segment] = Marks(whole, parts)
            self._marks_bytes += marks.byte_count
        return agent


def _unpacked(content: bytes) -> list[Any]:
    version, agents = msgpack.unpackb(content)
    if version != _VERSION:
        raise ValueError(f"version {version}, this one reads {_VERSION}")
    return list(agents)
