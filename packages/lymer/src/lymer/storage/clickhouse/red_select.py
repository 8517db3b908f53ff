"""Questions to the rollup of rate, errors and duration, as statements; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lymer.model.question import SPAN_KINDS
from lymer.storage.clickhouse.select import Query

__all__ = ["select_red_slots"]

_MINUTE_MAX: Final = 2**32 - 1
_SLOTS: Final = """
SELECT {mark}, toString(service) AS s, {operation} AS o,
    toUInt64(intDiv(minute, {size}) * {size}) AS slot,
    sum(calls), sum(errors), arrayZip(mapKeys(sumMap(buckets) AS b), mapValues(b))
FROM {db}.red
WHERE minute BETWEEN {first} AND {last} AND calls > 0 AND service IN ({services})
    AND if(kind BETWEEN 0 AND 5, kind, 0) IN ({kinds})
GROUP BY s, o, slot
"""


def select_red_slots(
    minutes: tuple[int, int],
    services: Sequence[str],
    span_kinds: Sequence[str],
    *,
    by_operation: bool,
    slot_minutes: int,
) -> Query:
    """Return the statement of (service, operation, slot, calls, errors, buckets)."""
    query = Query()
    first, last = (min(max(int(minute), 0), _MINUTE_MAX) for minute in minutes)
    size = min(max(int(slot_minutes), 1), _MINUTE_MAX)
    kinds = [str(SPAN_KINDS.index(kind)) for kind in span_kinds if kind in SPAN_KINDS]
    query.statement = (
        _SLOTS.replace("{operation}", "toString(name)" if by_operation else "''")
        .replace("{size}", str(size))
        .replace("{first}", str(first // size * size))
        .replace("{last}", str(last))
        .replace("{services}", ", ".join(map(query.text, services)) or "''")
        .replace("{kinds}", ", ".join(kinds) or "-1")
    )
    return query
