"""Questions to the rollup of rate, errors and duration, as statements; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lymer.model.question import SPAN_KINDS
from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.statements import statement

__all__ = ["select_red", "select_red_slots"]

_MINUTE_MAX: Final = 2**32 - 1
_HOUR: Final = 60
_TOTALS: Final = statement("red")
_SLOTS: Final = """
SELECT {mark}, toString(service) AS s, {operation} AS o,
    toUInt64(intDiv(minute, {size}) * {size}) AS slot,
    sum(calls), sum(errors),
    arrayFilter(b -> b.2 != 0, arrayZip(mapKeys(sumMap(buckets) AS counts), mapValues(counts))),
    sum(sampled) != 0
FROM
(
{rows}
) AS red
WHERE if(kind BETWEEN 0 AND 5, kind, 0) IN ({kinds})
GROUP BY s, o, slot
HAVING sum(red.calls) > 0
"""


def select_red(first_minute: int, last_minute: int, service: str) -> Query:
    """Ask for the sums of whole minutes, both included, by operation; an empty service is any.

    Rows: service, name, kind, calls, errors, duration sum, quantiles 0.5, 0.95 and 0.99, whether
    some spans stand for several.
    """
    query = Query()
    of = f"service = {query.text(service)}" if service else ""
    rows = _rows(first_minute, last_minute, of, are_hours_enough=True)
    query.statement = _TOTALS.replace("{rows}", rows)
    return query


def _rows(first: int, last: int, of: str, *, are_hours_enough: bool) -> str:
    """Return the sums of a window: of its whole hours by hour, if they are enough, else by minute.

    A row counts for the minute it names; an hour for its first.
    """
    begin = -(-first // _HOUR) * _HOUR
    end = (last + 1) // _HOUR * _HOUR  # the minute behind the last whole hour
    if not are_hours_enough or begin >= end:
        return _part("red", "minute", (first, last), of)
    ends = [(first, begin - 1), (end, last)]
    parts = [_part("red_hours", "hour", (begin // _HOUR, end // _HOUR - 1), of)]
    parts += [_part("red", "minute", one, of) for one in ends if one[0] <= one[1]]
    return "\nUNION ALL\n".join(parts)


def _part(table: str, slot: str, window: tuple[int, int], of: str) -> str:
    minute = "minute" if slot == "minute" else f"toUInt32(hour * {_HOUR}) AS minute"
    return (
        f"SELECT service, name, kind, {minute}, calls, errors, duration_sum, buckets, "
        f"sampled\n"
        f"FROM {{db}}.{table}\n"
        f"WHERE {slot} BETWEEN {window[0]} AND {window[1]} AND calls > 0"
        + (f" AND {of}" if of else "")
    )


def select_red_slots(
    minutes: tuple[int, int],
    services: Sequence[str],
    span_kinds: Sequence[str],
    *,
    by_operation: bool,
    slot_minutes: int,
) -> Query:
    """Return the statement of (service, operation, slot, calls, errors, buckets, is estimated)."""
    query = Query()
    first, last = (min(max(int(minute), 0), _MINUTE_MAX) for minute in minutes)
    size = min(max(int(slot_minutes), 1), _MINUTE_MAX)
    kinds = [str(SPAN_KINDS.index(kind)) for kind in span_kinds if kind in SPAN_KINDS]
    named = ", ".join(map(query.text, services)) or "''"
    of = f"service IN ({named})"
    rows = _rows(first // size * size, last, of, are_hours_enough=size % _HOUR == 0)
    query.statement = (
        _SLOTS.replace("{operation}", "toString(name)" if by_operation else "''")
        .replace("{size}", str(size))
        .replace("{rows}", rows)
        .replace("{kinds}", ", ".join(kinds) or "-1")
    )
    return query
