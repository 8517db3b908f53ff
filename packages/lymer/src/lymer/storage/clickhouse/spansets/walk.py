"""The spans of one trace and how they are related; pure, iterative, no object per span.

The engine has decided every condition on a span: a span brings its bits. What needs the whole trace
(parents, descendants, numbers of a set) is found here, for the few traces that can match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from opentelemetry.proto.common.v1 import common_pb2

__all__ = ["ERROR", "LOOK_AGAIN", "SERVER", "Members", "Trace", "Value", "related"]

SERVER: Final = 1
ERROR: Final = 2
"""Bits of `Trace.flags`: the kind is server, the status is error."""
LOOK_AGAIN: Final = 4
"""Bit of `Trace.flags`: an attribute is an array, and the statement did not look into it."""
_AnyValue: Any = common_pb2.AnyValue
_NO_PARENT: Final = bytes(8)

Value = tuple[str, Any]
"""Type (as `values.shown` names it) and value; of an array or bytes, the AnyValue's bytes."""


@dataclass(slots=True)
class Members:
    """Some spans of a trace that belong together: a spanset."""

    spans: list[int]
    """Their places in the trace, rising."""
    attributes: list[tuple[str, Value | None]] = field(default_factory=list)
    """What the set was cut by, and its numbers."""


class Trace:
    """Spans of one trace as columns, in the order of their starts."""

    def __init__(self, trace_id: bytes, columns: Sequence[Sequence[Any]]) -> None:
        """Take the columns of the statement `spansets_members`, rows in any order.

        Args:
            trace_id: 16 bytes.
            columns: span id, parent's id, start, duration, flags, service, name, bits, then values.
        """
        ids, starts = columns[0], columns[2]
        order = sorted(range(len(ids)), key=lambda row: (starts[row], ids[row]))
        self.trace_id = trace_id
        self.span_ids: list[bytes]
        (
            self.span_ids,
            self.parent_ids,
            self.starts,
            self.durations,
            self.flags,
            self.services,
            self.names,
            self.bits,
            *self.values,
        ) = [[column[row] for row in order] for column in columns]

    def __len__(self) -> int:
        """Return the number of spans."""
        return len(self.span_ids)

    @cached_property
    def parents(self) -> list[int]:
        """The place of each span's parent; -1 where there is none.

        Where client and server share an id (B3), the server is the client's child, and the parent
        of those that name the id.
        """
        place: dict[bytes, int] = {}
        shared: dict[bytes, int] = {}
        for row, span_id in enumerate(self.span_ids):
            if span_id not in place:
                place[span_id] = row
            else:
                first = place[span_id]
                if self.flags[row] & SERVER and not self.flags[first] & SERVER:
                    place[span_id], shared[span_id] = row, first
                elif self.flags[first] & SERVER:
                    shared[span_id] = row
        parents = []
        for row, (span_id, parent_id) in enumerate(
            zip(self.span_ids, self.parent_ids, strict=True)
        ):
            parent = -1 if parent_id == _NO_PARENT else place.get(parent_id, -1)
            if place[span_id] == row and span_id in shared:
                parent = shared[span_id]
            parents.append(-1 if parent == row else parent)
        return parents

    @cached_property
    def root(self) -> int:
        """The earliest span without a parent's id; -1 if every span has one."""
        return next((row for row, one in enumerate(self.parent_ids) if one == _NO_PARENT), -1)

    @cached_property
    def duration(self) -> int:
        """From the first start to the last end, nanoseconds."""
        ends = (start + length for start, length in zip(self.starts, self.durations, strict=True))
        return int(max(ends) - self.starts[0])

    @cached_property
    def child_counts(self) -> list[int]:
        """How many children each span has."""
        counts = [0] * len(self)
        for parent in self.parents:
            if parent >= 0:
                counts[parent] += 1
        return counts

    @cached_property
    def nested(self) -> list[tuple[int, int, int]]:
        """Left, right and the parent's left of each span, as a nested set counts them from 1.

        A root's parent is -1; what no root leads to has 0 everywhere.
        """
        children: list[list[int]] = [[] for _ in range(len(self))]
        for row, parent in enumerate(self.parents):
            if parent >= 0:
                children[parent].append(row)
        numbers = [(0, 0, 0)] * len(self)
        count = 0
        for root, parent_id in enumerate(self.parent_ids):
            if parent_id != _NO_PARENT or self.parents[root] >= 0:
                continue
            path = [(root, -1)]
            while path:
                row, of_parent = path.pop()
                count += 1
                if row < 0:
                    left, _, parent = numbers[~row]
                    numbers[~row] = (left, count, parent)
                    continue
                numbers[row] = (count, 0, of_parent)
                path.append((~row, 0))
                path.extend((child, count) for child in reversed(children[row]))
        return numbers

    def value(self, column: int, row: int) -> Value | None:
        """Return a value of a span; None where it is absent."""
        text = self.values[column][row]
        return value_of(text) if text else None


def value_of(text: bytes) -> Value:
    """Read what `values.shown` wrote."""
    kind, rest = chr(text[0]), text[1:]
    match kind:
        case "i" | "d" | "t":
            return kind, int(rest)
        case "f":
            return kind, float(rest)
        case "b":
            return kind, rest == b"1"
        case "S" | "K":
            return kind, int(rest)
        case "a":
            return any_value(rest)
        case _:
            return kind, rest.decode(errors="replace")


def any_value(raw: bytes) -> Value:
    """Read an AnyValue; of an array, pairs or bytes its bytes are the value."""
    message = _AnyValue.FromString(raw)
    match message.WhichOneof("value"):
        case "string_value":
            return "s", str(message.string_value)
        case "bool_value":
            return "b", bool(message.bool_value)
        case "int_value":
            return "i", int(message.int_value)
        case "double_value":
            return "f", float(message.double_value)
        case _:
            return "a", raw


def related(
    trace: Trace, relation: str, mode: str, left: Iterable[int], right: Iterable[int]
) -> list[int]:
    """Return the spans that stand in a relation; see `tree.Relate`.

    Args:
        trace: Whose spans.
        relation: `>`, `>>`, `<`, `<<` or `~`.
        mode: `plain`, `not` or `union`.
        left: Places of the left side's spans.
        right: Likewise.
    """
    ones, others = set(left), set(right)
    found = _STANDING[relation](trace, ones) & others
    if mode == "not":
        found = others - found
    elif mode == "union":
        found |= _STANDING[_TURNED[relation]](trace, others) & ones
    return sorted(found)


def _children(trace: Trace, spans: set[int]) -> set[int]:
    return {row for row, parent in enumerate(trace.parents) if parent in spans}


def _parents(trace: Trace, spans: set[int]) -> set[int]:
    return {trace.parents[row] for row in spans} - {-1}


def _descendants(trace: Trace, spans: set[int]) -> set[int]:
    parents = trace.parents
    known: dict[int, bool] = {}
    for start in range(len(trace)):
        path, row = [], start
        while row not in known:
            known[row] = False  # a circle ends here
            path.append(row)
            row = parents[row]
            if row < 0:
                break
            if row in spans:
                break
        is_under = row >= 0 and (row in spans or known.get(row, False))
        for one in reversed(path):
            known[one] = is_under
    return {row for row, is_under in known.items() if is_under}


def _ancestors(trace: Trace, spans: set[int]) -> set[int]:
    found: set[int] = set()
    for row in spans:
        parent = trace.parents[row]
        while parent >= 0 and parent not in found:
            found.add(parent)
            parent = trace.parents[parent]
    return found


def _siblings(trace: Trace, spans: set[int]) -> set[int]:
    """Return the spans with the parent of one of `spans` that is not themselves.

    Roots are siblings of roots.
    """
    counts: dict[bytes, int] = {}
    for row in spans:
        parent = trace.parent_ids[row]
        counts[parent] = counts.get(parent, 0) + 1
    return {
        row for row, parent in enumerate(trace.parent_ids) if counts.get(parent, 0) > (row in spans)
    }


_TURNED: Final = {">": "<", ">>": "<<", "<": ">", "<<": ">>", "~": "~"}
_STANDING: Final[dict[str, Callable[[Trace, set[int]], set[int]]]] = {
    ">": _children,
    ">>": _descendants,
    "<": _parents,
    "<<": _ancestors,
    "~": _siblings,
}
