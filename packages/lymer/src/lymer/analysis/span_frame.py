"""The spans of many traces as columns of numbers: parents, self times, waits and errors' origins.

Everything that is asked of many traces at once (profile, differences, causes) reads this frame and
nothing else. It is made linear in the number of spans but for two sorts; no span is an object.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lymer.analysis.forest import self_times
from lymer.model.span_table import Attributes, Ints, Masks, SpanTable
from lymer.model.trace_arrays import TIME_NANO_MAX

__all__ = ["Attributes", "Floats", "Ints", "Masks", "SpanFrame", "SpanTable"]

Floats = NDArray[np.float64]

_UNSPECIFIED: Final = 0
_INTERNAL: Final = 1
_SERVER: Final = 2
_CLIENT: Final = 3
_PRODUCER: Final = 4
_CONSUMER: Final = 5
_DURATION_NANO_MAX: Final = 3_600_000_000_000
"""Longer spans count as an hour, so that sums over a million spans stay below 63 bits."""
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class SpanFrame:
    """Columns of a `SpanTable`, and what follows from them."""

    table: SpanTable
    parent: Ints
    """Row of the parent, -1 where there is none or where it is not in the table."""
    self_time: Ints
    """Nanoseconds of a span in which no child of its own runs."""
    network: Ints
    """Of a server below a client of another service: how much longer the client took, else -1.
    Where kinds were not recorded, a span whose only child is another service's is a client."""
    is_answered: Masks
    """A client below which its server was seen: its own time is the way there and back."""
    queued: Ints
    """Of a consumer below a producer: nanoseconds from the producer's end to its start, else -1."""
    throws: Masks
    """Failed, and none of its children did: the error began here."""
    is_orphan: Masks
    """Names a parent that is not in the table."""
    service: Ints = field(repr=False)
    """Place in `services`."""
    services: list[str] = field(repr=False)

    def __len__(self) -> int:
        """Return the number of spans."""
        return len(self.parent)

    @staticmethod
    def of(table: SpanTable) -> SpanFrame:
        """Conclude what follows from the spans; what hostile clocks say is cut to 146 years."""
        table = replace(
            table,
            start=np.clip(table.start, 0, TIME_NANO_MAX),
            duration=np.minimum(table.duration, TIME_NANO_MAX),
        )
        parent, is_orphan = _parents(table)
        start = table.start
        duration = np.clip(table.duration, 0, _DURATION_NANO_MAX)
        own = _self_times(parent, start, duration, table.kind)
        has = parent >= 0
        up = np.where(has, parent, 0)
        network = np.full(len(parent), -1, dtype=np.int64)
        services = sorted({service for service, _ in table.operations})
        number = {name: at for at, name in enumerate(services)}
        service_of = np.array([number[one] for one, _ in table.operations], dtype=np.int64)
        service = service_of[table.operation] if len(parent) else np.zeros(0, dtype=np.int64)
        is_call = _calls(table, parent, service)
        network[is_call] = np.maximum(duration[up] - duration, 0)[is_call]
        queued = np.full(len(parent), -1, dtype=np.int64)
        is_answered = np.zeros(len(parent), dtype=bool)
        is_answered[parent[is_call]] = True
        is_taken = has & (table.kind == _CONSUMER) & (table.kind[up] == _PRODUCER)
        queued[is_taken] = np.maximum(start - start[up] - duration[up], 0)[is_taken]
        failed_below = np.zeros(len(parent), dtype=bool)
        failed_below[parent[has & table.is_error]] = True
        return SpanFrame(
            table=table,
            parent=parent,
            self_time=own,
            network=network,
            is_answered=is_answered,
            queued=queued,
            throws=table.is_error & ~failed_below,
            is_orphan=is_orphan,
            service=service,
            services=services,
        )

    def roots(self) -> Ints:
        """Return of each row the row of the topmost span above it; doubling, no recursion."""
        up = np.where(self.parent >= 0, self.parent, np.arange(len(self.parent)))
        while True:
            further = up[up]
            if np.array_equal(further, up):
                return up
            up = further


def _calls(table: SpanTable, parent: Ints, service: Ints) -> Masks:
    """Return which spans are servers below their clients, also where kinds were not recorded."""
    if not len(parent):
        return np.zeros(0, dtype=bool)
    has = parent >= 0
    up = np.where(has, parent, 0)
    kind, above = table.kind, table.kind[up]
    said = (kind == _SERVER) & (above == _CLIENT)
    only = np.bincount(parent[has], minlength=len(parent))[up] == 1
    is_open = np.isin(kind, (_UNSPECIFIED, _INTERNAL)) | np.isin(above, (_UNSPECIFIED,))
    may_be = np.isin(kind, (_UNSPECIFIED, _INTERNAL, _SERVER)) & np.isin(
        above, (_UNSPECIFIED, _INTERNAL, _CLIENT)
    )
    guessed = is_open & may_be & only & (service != service[up])
    return np.asarray(has & (said | guessed))


def _parents(table: SpanTable) -> tuple[Ints, Masks]:
    """Return the row of each span's parent; where a client and a server share an id, B3's rules.

    The server's parent is the client; children of the id belong to the server.
    Source: jaeger.md section 6.4, rules a and b.
    """
    count = len(table.trace)
    rows = np.arange(count)
    key = table.span_id ^ (table.trace.astype(np.uint64) * _MIX)
    wanted = table.parent_id ^ (table.trace.astype(np.uint64) * _MIX)
    # Of equal ids the server first: children belong to it.
    order = np.lexsort((rows, table.kind != _SERVER, key))
    sorted_key = key[order]
    at = np.searchsorted(sorted_key, wanted)
    found = np.where(at < count, order[np.minimum(at, count - 1)], 0) if count else rows
    is_there = (
        (table.parent_id != 0)
        & (at < count)
        & (sorted_key[np.minimum(at, count - 1)] == wanted if count else False)
        & (table.trace[found] == table.trace if count else False)
    )
    parent = np.where(is_there & (found != rows), found, -1)
    is_orphan = (table.parent_id != 0) & ~is_there
    # A server that shares its id hangs below its client.
    clients = np.lexsort((rows, table.kind != _CLIENT, key))
    first = clients[np.minimum(np.searchsorted(key[clients], key), max(count - 1, 0))]
    shares = (
        (table.kind == _SERVER)
        & (first != rows)
        & (table.kind[first] == _CLIENT)
        & (table.trace[first] == table.trace)
        & (key[first] == key)
        if count
        else np.zeros(0, dtype=bool)
    )
    parent = np.where(shares, first, parent)
    return _without_circles(parent), is_orphan & ~shares


def _without_circles(parent: Ints) -> Ints:
    """Cut what hangs in a circle; 2^21 levels are more than a trace has spans worth showing."""
    up = np.append(parent, -1)  # -1 stays -1
    for _ in range(21):
        up = up[up]
        if (up < 0).all():
            return parent
    # Whoever still has an ancestor so far up is in a circle, or hangs on one.
    return np.where(up[:-1] >= 0, -1, parent)


def _self_times(parent: Ints, start: Ints, duration: Ints, kind: Ints) -> Ints:
    """Return durations without the union of the children's; nobody waits for a consumer."""
    up = np.maximum(parent, 0)
    is_consumed = (kind == _CONSUMER) & (kind[up] == _PRODUCER) if len(parent) else parent < 0
    # From any origin: sums with nanoseconds since 1970 need the bits.
    base = start.min() if len(start) else 0
    return self_times(np.where(is_consumed, -1, parent), start - base, duration)
