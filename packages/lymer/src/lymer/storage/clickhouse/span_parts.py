"""Many spans in parts: what is read of them, rendered, and let go of before the next.

A span's attributes take ten times the memory as rows that they take as texts, so an answer that is
read at once needs ten times what it is. The parts are ranges of start and span id, in which the
table lies, so no row is read twice (docs/adr/028-large-answers-in-parts.md).
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from lymer.errors import StorageError, StorageMemoryError
from lymer.model.columns import SpanColumns
from lymer.storage.clickhouse.archive import from_archive
from lymer.storage.clickhouse.engine import ROWS_CODE, Engine, Settings
from lymer.storage.clickhouse.select import Query, is_any_trace
from lymer.storage.clickhouse.span_columns import select_spans
from lymer.storage.contract import SpanRange
from lymer.wire.span_rows import COLUMNS, SpanRows, in_order

__all__ = [
    "PART_BYTES_MAX",
    "PART_SPANS_MAX",
    "SpanParts",
    "between",
    "in_range",
    "part_limit",
    "part_refused",
]

PART_SPANS_MAX: Final = 20_000
"""Spans of a part: as many as an answer may have that needs no turn."""
PART_BYTES_MAX: Final = 16 * 2**20
"""What the engine hands over of a part that whoever asks can have in smaller ones, bytes."""
_KEYS: Final = "SELECT {mark}, start, span_id, trace_id FROM {db}.spans WHERE {where}"
_KEY: Final = (("start", "<u8"), ("span_id", ">u8"), ("trace_id", "V16"))
_Where = Callable[[Query, Sequence[str]], str]


class SpanParts:
    """Reads the spans of some traces of one database, part by part."""

    def __init__(self, engine: Engine, database: str, settings: Settings) -> None:
        """Remember whom to ask."""
        self._engine = engine
        self._database = database
        self._settings = settings

    def read(
        self,
        where: _Where,
        trace_ids: Sequence[str],
        rendered: Callable[[SpanRows], SpanColumns],
        *,
        skeleton: bool,
        spans_max: int = PART_SPANS_MAX,
    ) -> SpanColumns:
        """Return all spans of traces, those of which nothing is stored from the archive.

        Args:
            where: Writes the condition on the traces it is given.
            trace_ids: 32 hex digits each.
            rendered: Makes columns of rows.
            skeleton: See `SpanReader.get_traces`.
            spans_max: Of a part, but spans of one start and id are in one.
        """
        whole = SpanColumns()
        missing = [*trace_ids]
        for placed in (str, from_archive):
            if not missing:
                break
            found: set[str] = set()
            for rows in self._parts(
                where, missing, placed, found, skeleton=skeleton, spans_max=spans_max
            ):
                _append(whole, rendered(rows))
            missing = [one for one in missing if one not in found]
        return whole if len(trace_ids) == 1 else in_order(whole, trace_ids)

    def _parts(
        self,
        where: _Where,
        trace_ids: Sequence[str],
        placed: Callable[[str], str],
        found: set[str],
        *,
        skeleton: bool,
        spans_max: int,
    ) -> Iterator[SpanRows]:
        query = Query()
        keys = self._engine.select_array(
            self._database,
            placed(_KEYS.replace("{where}", where(query, trace_ids))),
            _KEY,
            query.parameters,
            self._settings,
        )
        found |= {one.tobytes().hex() for one in np.unique(keys["trace_id"])}
        keys = keys[np.lexsort((keys["span_id"], keys["start"]))][["start", "span_id"]]
        bounds = [(int(one["start"]), int(one["span_id"])) for one in keys[::spans_max]]
        if len(keys):
            bounds.append((int(keys["start"][-1]), 2**64))
        width = len(COLUMNS) + skeleton
        for low, high in itertools.pairwise(bounds):
            query = Query()
            within = f"{where(query, trace_ids)} AND {between(query, low, high)}"
            text = placed(select_spans(within, COLUMNS, skeleton=skeleton))
            columns = self._engine.select(
                self._database, text, width, query.parameters, self._settings
            )
            yield SpanRows(columns)


def in_range(within: SpanRange) -> _Where:
    """Return what writes the condition on traces, and on the starts and ids of their spans."""
    start, span, last_start, last_span = within

    def where(query: Query, trace_ids: Sequence[str]) -> str:
        placed = between(query, (start, span), (last_start, last_span + 1))
        return f"{is_any_trace(query, trace_ids)} AND {placed}"

    return where


def part_limit(within: SpanRange) -> Settings:
    """Return the settings that refuse a part that is too large; one span never is."""
    if within[:2] == within[2:]:
        return {}
    return {"max_result_bytes": PART_BYTES_MAX, "result_overflow_mode": "throw"}


@contextlib.contextmanager
def part_refused() -> Iterator[None]:
    """Say of a part that it is too large as of one that there is no memory for."""
    try:
        yield
    except StorageError as error:
        if not str(error).startswith(ROWS_CODE):
            raise
        message = f"cannot answer: the spans have more than {PART_BYTES_MAX} bytes"
        raise StorageMemoryError(message) from error


def between(query: Query, low: tuple[int, int], high: tuple[int, int]) -> str:
    """Write the condition low <= (start, span id) < high; the engine prunes by start."""
    (first, first_span), (last, last_span) = low, high
    text = f"start >= {first} AND start <= {last}"
    text += f" AND (start > {first} OR span_id >= {query.blob(first_span.to_bytes(8, 'big'))})"
    if last_span < 2**64:
        text += f" AND (start < {last} OR span_id < {query.blob(last_span.to_bytes(8, 'big'))})"
    return text


def _append(whole: SpanColumns, part: SpanColumns) -> None:
    """Put a part behind what there is; the spans of different parts are different."""
    places = {process: place for place, process in enumerate(whole.process_json)}
    moved = [places.setdefault(process, len(places)) for process in part.process_json]
    part.process = [moved[place] for place in part.process]
    whole.process_json = list(places)
    if part.identity and max(part.identity) < len(part):  # they count rows
        part.identity = [len(whole) + row for row in part.identity]
    for name in SpanColumns.__slots__:
        if name != "process_json":
            column: list[Any] = getattr(whole, name)
            column += getattr(part, name)
