"""How cmctl and kubectl write ages, tables and lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from certwright.resources.kinds import Manifest
from certwright.resources.meta import mapping_at
from certwright.resources.times import parse_time

__all__ = ["age", "events_text", "table"]

_YEAR_SECONDS: Final = 365 * 24 * 3600


def age(span: timedelta) -> str:
    """Return a span of time as kubectl shows it: `45s`, `3m20s`, `5h`, `4d`, `2y10d`.

    Source: k8s.io/apimachinery `duration.HumanDuration`.
    """
    seconds = int(span.total_seconds())
    minutes, hours = seconds // 60, seconds // 3600
    days, years = hours // 24, hours // 24 // 365
    if seconds < -1:
        return "<invalid>"
    # Each row: up to how many seconds, and the text.
    rows = (
        (120, f"{max(seconds, 0)}s"),
        (10 * 60, _two(minutes, "m", seconds % 60, "s")),
        (180 * 60, f"{minutes}m"),
        (8 * 3600, _two(hours, "h", minutes % 60, "m")),
        (48 * 3600, f"{hours}h"),
        (192 * 3600, _two(days, "d", hours % 24, "h")),
        (2 * _YEAR_SECONDS, f"{days}d"),
        (8 * _YEAR_SECONDS, _two(years, "y", days % 365, "d")),
    )
    return next((text for limit, text in rows if seconds < limit), f"{years}y")


def table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Return rows in columns, two spaces apart, the last column as long as it is."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    return "".join(
        indent
        + "".join(cell.ljust(width + 2) for cell, width in zip(row, widths, strict=False))
        + row[-1]
        + "\n"
        for row in rows
    )


def events_text(events: Iterable[Manifest], now: datetime, indent: str = "") -> str:
    """Return events as `kubectl describe` shows them."""
    rows = [
        ("Type", "Reason", "Age", "From", "Message"),
        ("----", "------", "----", "----", "-------"),
    ]
    for event in events:
        source = mapping_at(event, "source")
        places = (str(source.get("component") or ""), str(source.get("host") or ""))
        rows.append(
            (
                str(event.get("type") or ""),
                str(event.get("reason") or ""),
                _event_age(event, now),
                ", ".join(filter(None, places)),
                str(event.get("message") or "").strip(),
            )
        )
    if len(rows) == 2:
        return f"{indent}Events:  <none>\n"
    return f"{indent}Events:\n{table(rows, indent + '  ')}"


def _event_age(event: Manifest, now: datetime) -> str:
    first, last = _since(event, "firstTimestamp", now), _since(event, "lastTimestamp", now)
    count = int(event.get("count") or 1)
    return f"{last} (x{count} over {first})" if count > 1 else first


def _since(event: Manifest, field: str, now: datetime) -> str:
    text = event.get(field)
    return age(now - parse_time(str(text))) if text else "<unknown>"


def _two(value: int, unit: str, rest: int, rest_unit: str) -> str:
    return f"{value}{unit}{rest}{rest_unit}" if rest else f"{value}{unit}"
