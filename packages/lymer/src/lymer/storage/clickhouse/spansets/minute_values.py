"""Which values attributes have in each minute: learnt when a question needs it.

A range, a pattern or a negation on an attribute has no index: where few spans match, all of them
are read. But an attribute that is asked about so has few values mostly, and the same ones in every
minute. So a question that would read much reads once which pairs of service and value there are in
which minute; the engine decides on these, and only the minutes are read where one of them matches.
The next question about that attribute reads what was stored since. What is remembered can only say
too much (a deleted span's value), so no answer depends on it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lymer import clock
from lymer.storage.clickhouse.engine import Settings
from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.statements import statement

__all__ = ["MINUTE_NANO", "ROWS_MIN", "MinuteValues"]

ROWS_MIN: Final = 500_000
"""A store of fewer spans is read: that takes no longer than to decide on values."""
PAIRS_MAX: Final = 5_000
"""Pairs of a service and a value remembered of one attribute."""
_KEYS_MAX: Final = 64
_MINUTES_MAX: Final = 20_000
"""Two weeks: so many bits each pair has at most; of what is later nothing is known."""
_ROWS_MAX: Final = 200_000
"""Of the statement that learns; an attribute with more has too many values."""
_LENGTH_MAX: Final = 200
_ANY: Final = b"\xff"
"""Stands for a long value: no AnyValue begins so."""
MINUTE_NANO: Final = 60_000_000_000
_SIZE_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 600.0
"""So long an attribute with too many values is not looked at again."""
_SIZE: Final = (
    "SELECT {mark}, sum(rows) FROM system.parts "
    "WHERE active AND database = '{db}' AND table = 'spans'"
)
_Ask = Callable[[str, int, Query, Settings], list[list[Any]]]
"""Runs a statement of so many columns; it may say that the time is over."""


@dataclass(slots=True)
class _Known:
    """Of one attribute: a bit for each minute in which a service has a value."""

    low: int
    """All that starts from here on is known, Unix nanoseconds."""
    segment: int
    """The last one that was stored when it was looked."""
    first: int
    """The minute of bit 0."""
    minutes: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    """(service, AnyValue) → minutes."""


class MinuteValues:
    """What is known of one tenant; asked by any thread."""

    def __init__(self) -> None:
        """Know nothing."""
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._too_many: dict[str, float] = {}
        self._rows = 0
        self._rows_at = -_SIZE_SECONDS

    def is_large(self, ask: _Ask) -> bool:
        """Tell whether the store holds so many spans that it is worth while."""
        now = clock.monotonic_seconds()
        if now - self._rows_at >= _SIZE_SECONDS:
            (counts,) = ask(_SIZE, 1, Query(), {})
            self._rows = sum(counts)  # none of a tenant that nobody heard of
            self._rows_at = now
        return self._rows >= ROWS_MIN

    def is_known(self, key: str, low: int) -> bool:
        """Tell whether no more than what was stored since has to be read."""
        with self._lock:
            known = self._known.get(key)
            return known is not None and known.low <= low

    def may_be_known(self, key: str) -> bool:
        """Tell whether the attribute had too many values a while ago."""
        return clock.monotonic_seconds() - self._too_many.get(key, -_RETRY_SECONDS) >= (
            _RETRY_SECONDS
        )

    def learn(self, key: str, low: int, segment: int, ask: _Ask) -> bool:
        """Read what is not known yet of what starts from `low` on; return whether all is known.

        Args:
            key: Of an attribute of spans.
            low: Unix nanoseconds.
            segment: The last one that is stored.
            ask: Runs a statement.
        """
        with self._lock:
            known = self._known.get(key)
        if known is None or known.low > low:
            found = self._read(key, f"start >= {{low}} AND seg <= {segment}", low, ask)
            known = _Known(low, segment, max(low, 0) // MINUTE_NANO)
        elif known.segment < segment:
            found = self._read(key, f"seg > {known.segment} AND seg <= {segment}", low, ask)
            known = _Known(known.low, segment, known.first, dict(known.minutes))
        else:
            return True
        is_known = found is not None and _added(known, found)
        with self._lock:
            if not is_known:
                self._known.pop(key, None)
                if len(self._too_many) >= _KEYS_MAX:
                    self._too_many.clear()
                self._too_many[key] = clock.monotonic_seconds()
                return False
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > _KEYS_MAX:
                self._known.popitem(last=False)
        return True

    @staticmethod
    def _read(key: str, where: str, low: int, ask: _Ask) -> Sequence[Sequence[Any]] | None:
        query = Query()
        text = statement(
            "spansets_minutes",
            key=query.text(key),
            length_max=_LENGTH_MAX,
            where=where.replace("{low}", query.number(max(low, 0))),
            rows_max=_ROWS_MAX,
        )
        # What has too many values is not read to its end.
        limits: Settings = {"max_rows_to_group_by": _ROWS_MAX, "group_by_overflow_mode": "break"}
        columns = ask(text, 3, query, limits)
        return None if len(columns[0]) >= _ROWS_MAX else columns

    def minutes(
        self, key: str, query: Query, condition: tuple[str, str], ask: _Ask
    ) -> Callable[[int, int], int]:
        """Return a function: the minutes of a range in which a span may fulfil a condition.

        Args:
            key: Which was learnt.
            query: Has the condition's parameters.
            condition: Its clause WITH, and itself; of this attribute and the service.
            ask: Runs a statement.
        """
        with self._lock:
            known = self._known[key]
        pairs = list(known.minutes)
        numbers: Iterable[int] = ()
        if pairs:
            clause, where = condition
            text = statement(
                "spansets_fulfilled",
                count=len(pairs),
                key=query.text(key),
                services=_array(query, [service for service, _ in pairs]),
                values=_array(query, [value for _, value in pairs]),
            )
            text = text.replace("{with}", clause).replace("{where}", where)
            (numbers,) = ask(text, 1, query, {})
        mask = 0
        for number in numbers:
            mask |= known.minutes[pairs[number]]
        for pair, minutes in known.minutes.items():
            if pair[1] == _ANY:
                mask |= minutes
        # Behind the last minute that has a bit, anything may be.
        mask |= -1 << _MINUTES_MAX
        return lambda first, count: mask >> (first - known.first) & (1 << count) - 1


def _added(known: _Known, columns: Sequence[Sequence[Any]]) -> bool:
    """Add what was read; return whether it could be held."""
    for minute, service, value in zip(*columns, strict=True):
        place = minute - known.first
        if 0 <= place < _MINUTES_MAX:
            pair = service, value
            known.minutes[pair] = known.minutes.get(pair, 0) | 1 << place
    return len(known.minutes) <= PAIRS_MAX


def _array(query: Query, values: Sequence[bytes]) -> str:
    """Return texts as one parameter; what stands between them occurs in none."""
    between = b"\xff\xfe"
    marked = [b"=" + value for value in values]
    while between.join(marked).split(between) != marked:
        between += b"\xff\xfe"
    return f"splitByString({query.blob(between)}, {query.blob(between.join(marked))})"
