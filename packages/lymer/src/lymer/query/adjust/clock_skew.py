"""Clocks of different hosts, made to agree with their callers.

A span of another host that starts before its caller, or ends after it, is moved into the middle of
the caller: the way there and the way back are assumed to take equally long. Spans of the same host
below it move along. With a limit of 0, the default, nothing moves and the warnings say what would.

Source: Jaeger v2.20, `internal/adjuster/clockskew.go`.
"""

from __future__ import annotations

from collections.abc import Callable

from lymer.model.columns import SpanColumns
from lymer.query.adjust.parents import find_parent_rows
from lymer.query.adjust.rows import add_warning
from lymer.wire.go_text import duration_text

__all__ = ["correct_clock_skew"]


def correct_clock_skew(max_nano: int) -> Callable[[SpanColumns], None]:
    """Return an adjuster that moves spans by at most `max_nano` nanoseconds; 0 moves none."""

    def correct(trace: SpanColumns) -> None:
        parents = find_parent_rows(trace)
        deltas = [0] * len(trace)
        is_duplicate = _warn_of_duplicates(trace)
        _warn_of_missing_parents(trace, is_duplicate)
        for row in _parents_first(parents):
            if is_duplicate[row]:
                continue
            parent, host = parents[row], trace.host[row]
            if parent >= 0:
                is_same_clock = bool(host) and host == trace.host[parent]
                deltas[row] = deltas[parent] if is_same_clock else _skew(trace, row, parent)
            _move(trace, row, deltas[row], max_nano)

    return correct


def _warn_of_duplicates(trace: SpanColumns) -> list[bool]:
    """Mark and tell of spans whose id an earlier span has; they are left where they are."""
    seen: set[str] = set()
    is_duplicate = []
    for row, span_id in enumerate(trace.span_id):
        is_duplicate.append(span_id in seen)
        seen.add(span_id)
        if is_duplicate[row]:
            add_warning(trace, row, "duplicate span IDs; skipping clock skew adjustment")
    return is_duplicate


def _warn_of_missing_parents(trace: SpanColumns, is_duplicate: list[bool]) -> None:
    known = set(trace.span_id)
    for row, parent in enumerate(trace.parent_span_id):
        if parent and parent not in known and not is_duplicate[row]:
            add_warning(
                trace,
                row,
                f"parent span ID={parent} is not in the trace; skipping clock skew adjustment",
            )


def _parents_first(parents: list[int]) -> list[int]:
    """Return all rows of a forest so that each stands behind its parent."""
    children: list[list[int]] = [[] for _ in parents]
    order = []
    for row, parent in enumerate(parents):
        if parent < 0:
            order.append(row)
        else:
            children[parent].append(row)
    for row in order:  # grows while it is walked: breadth first, without recursion
        order.extend(children[row])
    return order


def _skew(trace: SpanColumns, child: int, parent: int) -> int:
    """Return by how many nanoseconds the child's clock is behind, judged by its caller."""
    parent_start, parent_duration = trace.start_unix_nano[parent], trace.duration_nano[parent]
    child_start, child_duration = trace.start_unix_nano[child], trace.duration_nano[child]
    if child_duration > parent_duration:
        # Asynchronous, or the caller gave up: all that is sure is who started first.
        return max(parent_start - child_start, 0)
    if parent_start <= child_start <= parent_start + parent_duration - child_duration:
        return 0
    return parent_start + (parent_duration - child_duration) // 2 - child_start


def _move(trace: SpanColumns, row: int, delta: int, max_nano: int) -> None:
    if delta == 0:
        return
    shown = duration_text(delta)
    if max_nano == 0:
        warning = f"clock skew adjustment disabled; not applying calculated delta of {shown}"
    elif abs(delta) > max_nano:
        warning = (
            f"max clock skew adjustment delta of {duration_text(max_nano)} exceeded; "
            f"not applying calculated delta of {shown}"
        )
    else:
        trace.start_unix_nano[row] += delta
        trace.event_unix_nano[row] = [time + delta for time in trace.event_unix_nano[row]]
        warning = f"This span's timestamps were adjusted by {shown}"
    add_warning(trace, row, warning)
