"""Questions to the rollup of rate, errors and duration, as statements; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lymer.model.question import SPAN_KINDS
from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.statements import statement

__all__ = ["quantiles", "select_red", "select_red_slots"]

_MINUTE_MAX: Final = 2**32 - 1
_HOUR: Final = 60
_UNION: Final = "\nUNION ALL\n"
_BUCKETS_PER_OCTAVE: Final = 8
_TOTALS: Final = statement("red")
_SLOTS: Final = """
SELECT {mark}, toString(service) AS s, {operation} AS o,
    toUInt64(intDiv(minute, {size}) * {size}) AS slot,
    sum(calls), sum(errors),
    sumMap(buckets), sum(sampled)
FROM {rows}
WHERE {where} AND if(kind BETWEEN 0 AND 5, kind, 0) IN ({kinds})
GROUP BY s, o, slot
"""


def select_red(first_minute: int, last_minute: int, service: str) -> Query:
    """Ask for the sums of whole minutes, both included, by operation; an empty service is any.

    Rows: service, name, kind, calls, errors, duration sum, spans that stand for several, and pairs
    of a bucket and its calls, by bucket (see `quantiles`).
    """
    query = Query()
    of = f"service = {query.text(service)}" if service else ""
    rows, where = _rows(first_minute, last_minute, of, are_hours_enough=True)
    query.statement = _TOTALS.replace("{rows}", rows).replace("{where}", where)
    return query


def _rows(first: int, last: int, of: str, *, are_hours_enough: bool) -> tuple[str, str]:
    """Return where a window's sums stand, and the condition on them there.

    Of whole hours they are read by hour, if they are enough, else by minute. A row counts for the
    minute it names; an hour for its first.
    """
    begin = -(-first // _HOUR) * _HOUR
    end = (last + 1) // _HOUR * _HOUR  # the minute behind the last whole hour
    if not are_hours_enough or begin >= end:
        return "{db}.red AS red", _within("minute", (first, last), of)
    ends = [(first, begin - 1), (end, last)]
    parts = [_part("red_hours", "hour", (begin // _HOUR, end // _HOUR - 1), of)]
    parts += [_part("red", "minute", one, of) for one in ends if one[0] <= one[1]]
    return f"(\n{_UNION.join(parts)}\n) AS red", "calls > 0"


def _part(table: str, slot: str, window: tuple[int, int], of: str) -> str:
    minute = "minute" if slot == "minute" else f"toUInt32(hour * {_HOUR}) AS minute"
    return (
        f"SELECT service, name, kind, {minute}, calls, errors, duration_sum, buckets, "
        f"sampled\n"
        f"FROM {{db}}.{table}\n"
        f"WHERE {_within(slot, window, of)}"
    )


def _within(slot: str, window: tuple[int, int], of: str) -> str:
    condition = f"{slot} BETWEEN {window[0]} AND {window[1]} AND calls > 0"
    return f"{condition} AND {of}" if of else condition


def select_red_slots(
    minutes: tuple[int, int],
    services: Sequence[str],
    span_kinds: Sequence[str],
    *,
    by_operation: bool,
    slot_minutes: int,
) -> Query:
    """Ask for (service, operation, slot, calls, errors, buckets, spans estimated)."""
    query = Query()
    first, last = (min(max(int(minute), 0), _MINUTE_MAX) for minute in minutes)
    size = min(max(int(slot_minutes), 1), _MINUTE_MAX)
    kinds = [str(SPAN_KINDS.index(kind)) for kind in span_kinds if kind in SPAN_KINDS]
    named = ", ".join(map(query.text, services)) or "''"
    of = f"service IN ({named})"
    rows, where = _rows(first // size * size, last, of, are_hours_enough=size % _HOUR == 0)
    query.statement = (
        _SLOTS.replace("{operation}", "toString(name)" if by_operation else "''")
        .replace("{size}", str(size))
        .replace("{rows}", rows)
        .replace("{where}", where)
        .replace("{kinds}", ", ".join(kinds) or "-1")
    )
    return query


def quantiles(buckets: Sequence[tuple[int, int]], calls: int) -> tuple[int, int, int]:
    """Return p50, p95 and p99 of durations, nanoseconds: the middle of the bucket of each.

    Bucket b holds durations d with floor(8 * log2(d + 1)) = b; its middle is 2^((b + 0.5) / 8).

    Args:
        buckets: Pairs of a bucket and its calls, by bucket.
        calls: Of all buckets.
    """
    found = []
    seen = 0
    left = iter(buckets)
    bucket = 0
    for share in (0.5, 0.95, 0.99):
        while seen < share * calls:
            at = next(left, None)
            if at is None:
                break
            bucket, count = at
            seen += count
        found.append(round(2 ** ((bucket + 0.5) / _BUCKETS_PER_OCTAVE) - 1))
    p50, p95, p99 = found
    return p50, p95, p99
