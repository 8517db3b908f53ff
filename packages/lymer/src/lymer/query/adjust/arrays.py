"""The adjusters on arrays: what `standard_adjusters` do to columns, without walking over spans.

`tests/unit/query/test_adjust_arrays.py` holds them to the adjusters of columns.
Source: Jaeger v2.20, `internal/adjuster`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lymer.analysis.forest import depths, parent_rows
from lymer.model.trace_arrays import TraceArrays, keep_rows, shares_ids
from lymer.wire.go_text import duration_text

__all__ = ["adjust_arrays", "limit_arrays"]

_SERVER: Final = 2
_CLIENT: Final = 3
_ID_MAX: Final = 2**64 - 1


def limit_arrays(trace: TraceArrays, spans_max: int) -> None:
    """Keep the first `spans_max` spans, with a warning on the first; 0 keeps all."""
    if 0 < spans_max < len(trace):
        keep_rows(trace, np.arange(spans_max))
        trace.warn(
            0, f"trace has more than {spans_max} spans, showing first {spans_max} spans only"
        )


def adjust_arrays(trace: TraceArrays, *, max_clock_skew_adjust_nano: int = 0) -> None:
    """Repair a trace in place; `identity` is needed if two spans share an id."""
    if not len(trace):
        return
    if shares_ids(trace.span_id):
        _give_ids_to_servers(trace)
        _, first = np.unique(trace.identity, return_index=True)
        if len(first) < len(trace):
            keep_rows(trace, np.sort(first))
    _correct_clock_skew(trace, max_clock_skew_adjust_nano)
    for row in np.flatnonzero(trace.empty_links).tolist():
        for _ in range(int(trace.empty_links[row])):
            trace.warn(row, "Invalid span link removed")
    trace.links = trace.links - trace.empty_links
    trace.empty_links = np.zeros_like(trace.empty_links)
    if np.any(trace.start[1:] < trace.start[:-1]):
        keep_rows(trace, np.argsort(trace.start, kind="stable"))


def _give_ids_to_servers(trace: TraceArrays) -> None:
    """Give servers that share the id of their client one of their own."""
    is_client = trace.kind == _CLIENT
    shared = np.flatnonzero(
        (trace.kind == _SERVER) & np.isin(trace.span_id, trace.span_id[is_client])
    )
    if not len(shared):
        return
    used = set(trace.span_id.tolist())
    ids, parents = trace.span_id.copy(), trace.parent_id.copy()
    new_id_by_old: dict[int, int] = {}
    number = 0
    for row in shared.tolist():
        number += 1
        while number in used:
            number += 1
        old = int(ids[row])
        ids[row], parents[row] = number, old
        new_id_by_old[old] = number
    old_ids = np.array(sorted(new_id_by_old), dtype="u8")
    new_ids = np.array([new_id_by_old[one] for one in old_ids.tolist()], dtype="u8")
    place = np.minimum(np.searchsorted(old_ids, parents), len(old_ids) - 1)
    moves = (old_ids[place] == parents) & (new_ids[place] != ids)
    trace.span_id = ids
    trace.parent_id = np.where(moves, new_ids[place], parents)


def _correct_clock_skew(trace: TraceArrays, max_nano: int) -> None:
    parent = parent_rows(trace.span_id, trace.parent_id)
    is_copy = np.ones(len(trace), dtype=bool)
    is_copy[np.unique(trace.span_id, return_index=True)[1]] = False
    for row in np.flatnonzero(is_copy).tolist():
        trace.warn(row, "duplicate span IDs; skipping clock skew adjustment")
    is_lost = (trace.parent_id != 0) & ~np.isin(trace.parent_id, trace.span_id) & ~is_copy
    for row in np.flatnonzero(is_lost).tolist():
        trace.warn(
            row,
            f"parent span ID={int(trace.parent_id[row]):016x} is not in the trace; "
            "skipping clock skew adjustment",
        )
    start, duration = trace.offsets(), trace.durations()
    delta = _deltas(trace, parent, is_copy, (start, duration), max_nano)
    moved = np.flatnonzero(delta)
    for row, skew in zip(moved.tolist(), delta[moved].tolist(), strict=True):
        trace.warn(row, _skew_warning(skew, max_nano))
    moved = moved[np.abs(delta[moved]) <= max_nano]
    if len(moved):
        starts = trace.start.copy()
        later, earlier = (np.maximum(one, 0).astype("u8") for one in (delta[moved], -delta[moved]))
        starts[moved] = starts[moved] + later - np.minimum(earlier, starts[moved])
        trace.start = starts


def _deltas(
    trace: TraceArrays,
    parent: NDArray[np.int64],
    is_copy: NDArray[np.bool_],
    times: tuple[NDArray[np.int64], NDArray[np.int64]],
    max_nano: int,
) -> NDArray[np.int64]:
    """Return by how many nanoseconds the clock of each span is behind.

    Spans of one clock below each other are behind as the topmost of them is, which is judged by its
    caller; a caller that is moved itself judges from where it is then.
    """
    start, duration = times
    up = np.maximum(parent, 0)
    has_parent = parent >= 0
    # A copy is left alone, and whoever looks to it for its clock finds no difference.
    is_judged = has_parent & ~is_copy
    same_clock = is_judged & (trace.host != 0) & (trace.host == trace.host[up])
    judged = np.flatnonzero(is_judged & ~same_clock)
    delta = np.zeros(len(trace), dtype=np.int64)
    if max_nano == 0:
        delta[judged] = _skews(start, duration, judged, up[judged])
        return delta[_tops(same_clock, up)]
    shift = [0] * len(trace)  # a parent stands where it will be
    found = delta.tolist()
    callers, starts, lengths = up.tolist(), start.tolist(), duration.tolist()
    follows, asks = same_clock.tolist(), (is_judged & ~same_clock).tolist()
    for row in np.argsort(depths(parent), kind="stable").tolist():  # parents first
        caller = callers[row]
        if follows[row]:
            found[row] = found[caller]
        elif asks[row]:
            spare, begin = lengths[caller] - lengths[row], starts[row]
            caller_start = starts[caller] + shift[caller]
            if spare < 0:
                found[row] = max(caller_start - begin, 0)
            elif not caller_start <= begin <= caller_start + spare:
                found[row] = caller_start + spare // 2 - begin
        if abs(found[row]) <= max_nano:
            shift[row] = found[row]
    return np.array(found, dtype=np.int64)


def _skews(
    start: NDArray[np.int64],
    duration: NDArray[np.int64],
    rows: NDArray[np.int64],
    callers: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return what `clock_skew._skew` says of each row."""
    spare = duration[callers] - duration[rows]
    begin, caller_start = start[rows], start[callers]
    is_inside = (caller_start <= begin) & (begin <= caller_start + spare)
    to_the_middle = np.where(is_inside, 0, caller_start + spare // 2 - begin)
    return np.where(spare < 0, np.maximum(caller_start - begin, 0), to_the_middle)


def _tops(same_clock: NDArray[np.bool_], up: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return of each row the topmost one of its clock, by jumps that double."""
    jump = np.where(same_clock, up, np.arange(len(up)))
    while True:
        further = jump[jump]
        if np.array_equal(further, jump):
            return jump
        jump = further


def _skew_warning(delta: int, max_nano: int) -> str:
    shown = duration_text(delta)
    if max_nano == 0:
        return f"clock skew adjustment disabled; not applying calculated delta of {shown}"
    if abs(delta) > max_nano:
        return (
            f"max clock skew adjustment delta of {duration_text(max_nano)} exceeded; "
            f"not applying calculated delta of {shown}"
        )
    return f"This span's timestamps were adjusted by {shown}"
