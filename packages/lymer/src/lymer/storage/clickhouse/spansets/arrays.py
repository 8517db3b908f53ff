"""Under which keys there are no arrays: learnt from questions that met none.

An array must be looked into to tell whether it has a value, and no index knows what is in it. Where
there is none under a key, `key = value` is asked of the index alone. A question that has looked at
every span of its range and met no array says so; what is stored later is asked about, segment by
segment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.spansets.values import ARRAY
from lymer.storage.clickhouse.statements import statement

__all__ = ["ArrayKeys"]

_KEYS_MAX: Final = 10_000
"""Keys remembered, about 200 bytes each; more and all are forgotten."""


class ArrayKeys:
    """What is known of one tenant; asked and told by any thread."""

    def __init__(self) -> None:
        """Know nothing."""
        self._lock = threading.Lock()
        self._free: dict[str, tuple[int, int, int]] = {}

    def learn(self, keys: Iterable[str], low: int, high: int, segment: int) -> None:
        """Remember that no span that starts in [low, high] has an array under these keys.

        Args:
            keys: Of attributes of spans.
            low: Unix nanoseconds.
            high: Likewise.
            segment: The last one that was stored when it was looked.
        """
        if segment < 0:
            return  # several write: what comes next may have a lower id
        with self._lock:
            if len(self._free) >= _KEYS_MAX:
                self._free.clear()
            for key in keys:
                self._free[key] = (low, high, segment)

    def free(
        self,
        keys: Iterable[str],
        low: int,
        high: int,
        settled: int,
        ask: Callable[[str, int, Query], list[list[Any]]],
    ) -> frozenset[str]:
        """Return the keys that are known to have no array in [low, high].

        Args:
            keys: Whose.
            low: Unix nanoseconds.
            high: Likewise.
            settled: The last segment that is stored.
            ask: Runs a statement of so many columns.
        """
        with self._lock:
            known = {key: self._free[key] for key in keys if key in self._free}
        covered = {
            key: place for key, place in known.items() if place[0] <= low and high <= place[1]
        }
        stale = {key: place for key, place in covered.items() if place[2] < settled}
        if not stale:
            return frozenset(covered)
        query = Query()
        arrays = [f"max(startsWith(attrs[{query.text(key)}], {ARRAY}))" for key in stale]
        first = min(low for low, _, _ in stale.values())
        last = max(high for _, high, _ in stale.values())
        pieces = {
            "arrays": ", ".join(arrays),
            "segment": query.number(min(segment for _, _, segment in stale.values())),
            "low": query.number(max(first, 0)),
            "high": query.number(max(last, 0)),
        }
        columns = ask(statement("spansets_arrays", **pieces), len(stale), query)
        for (key, place), (has_array,) in zip(stale.items(), columns, strict=True):
            with self._lock:
                if has_array:
                    self._free.pop(key, None)
                    covered.pop(key)
                else:
                    self._free[key] = (place[0], place[1], settled)
        return frozenset(covered)
