"""Spans of some services go before the others: a day of arrival at a time, each rewritten once.

A part holds spans of many services, so the table's TTL, which drops whole parts, cannot tell them
apart, and one that tells rows apart would rewrite parts again and again. Here a day that has come
of age for a service loses its spans by one mutation of that day's partition; a day without such
spans is left alone. So a span goes when the day in which it arrived is past its time, up to a day
later.
"""

from __future__ import annotations

import calendar
import time
from collections.abc import Sequence
from typing import Final

from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.select import Query
from lymer.telemetry.logs import EventLog

__all__ = ["EXPIRY_PERIOD_SECONDS", "Expiry"]

_log = EventLog(__name__)
EXPIRY_PERIOD_SECONDS: Final = 600.0
"""How often it is looked for days that have come of age."""
_DAY_SECONDS: Final = 86_400
_DAYS: Final = (
    "SELECT {mark}, partition_id FROM system.parts "
    "WHERE active AND database = '{db}' AND table = 'spans' "
    "GROUP BY partition_id ORDER BY partition_id"
)
_UNDER_WAY: Final = (
    "SELECT {mark}, count() FROM system.mutations "
    "WHERE database = '{db}' AND table = 'spans' AND NOT is_done"
)


class Expiry:
    """Removes the spans of one tenant's services that are kept for a shorter time."""

    def __init__(
        self, engine: Engine, database: str, seconds_by_service: Sequence[tuple[str, int]]
    ) -> None:
        """Remember how long each service's spans are kept, in seconds; `*` at an end is any end."""
        self._engine = engine
        self._database = database
        self._rules = tuple(seconds_by_service)

    def remove(self, now_unix_seconds: float) -> int:
        """Remove what has come of age; return of how many days spans were removed.

        What is under way already is waited for by the next call. Calling again is right.

        Raises:
            StorageError: The engine failed.
        """
        if not self._rules:
            return 0
        ((under_way,),) = self._engine.select(self._database, _UNDER_WAY, 1)
        if under_way:
            return 0
        (days,) = self._engine.select(self._database, _DAYS, 1)
        removed = 0
        for day in (name.decode() for name in days):
            ended = calendar.timegm(time.strptime(day, "%Y%m%d")) + _DAY_SECONDS
            due = [name for name, seconds in self._rules if ended + seconds <= now_unix_seconds]
            removed += bool(due) and self._remove(day, due)
        return removed

    def _remove(self, day: str, services: Sequence[str]) -> bool:
        query = Query()
        terms = " OR ".join(
            f"startsWith(service, {query.text(name[:-1])})"
            if name.endswith("*")
            else f"service = {query.text(name)}"
            for name in services
        )
        text = (
            "SELECT {mark}, count() FROM {db}.spans "
            f"WHERE _partition_id = '{day}' AND ({terms})"
        )
        ((count,),) = self._engine.select(self._database, text, 1, query.parameters)
        if not count:
            return False
        self._engine.command(
            self._database,
            f"ALTER TABLE {{db}}.spans DELETE IN PARTITION ID '{day}' WHERE {terms}",
            query.parameters,
            {"mutations_sync": 0},
        )
        _log.info("spans of services expired", day=day, spans=count, database=self._database)
        return True
