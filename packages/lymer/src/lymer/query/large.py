"""Large traces: all that adjusters need of every span, and the rest in parts while it is sent.

A trace's skeleton, as arrays, takes some 50 bytes a span. What it decides (which copies go, ids,
times, warnings) is done to each part as it is read; a part has a limit of spans and one of bytes,
so no answer is ever whole in memory (docs/adr/028-large-answers-in-parts.md). The spans of a trace
come in the order of the starts that were stored: those that a corrected clock moved stay there.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Final, TypeVar

import numpy as np
import orjson
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lymer.errors import StorageMemoryError
from lymer.model.columns import SpanColumns
from lymer.model.span_table import SpanSample
from lymer.query.adjust.arrays import adjust_arrays, limit_arrays
from lymer.query.adjust.otlp import adjust_otlp, name_services
from lymer.query.adjust.rows import keep_rows
from lymer.query.adjust.standard import Adjuster
from lymer.storage.contract import SpanRange, SpanReader

__all__ = ["PART_SPANS_MAX", "STREAMED", "LargeTrace", "Streamed", "hold", "in_groups"]

PART_SPANS_MAX: Final = 5_000
"""Spans of a part; fewer where they are large."""
_SPAN_BYTES: Final = 56
"""What is held of each span of a large trace while it is sent."""
_PART_BYTES: Final = 16 * 2**20
"""What a part takes beside it, about, once it is rendered."""
_GROUP_SPAN_BYTES: Final = 2_000
"""What a span takes that is rendered at once with others."""
_BLOCK_SPANS: Final = 1_000
_ZERO_TRACE_ID: Final = "0" * 32
_UINT64_MAX: Final = 2**64 - 1
_Read = TypeVar("_Read")


class Streamed:
    """Told by who makes an answer how much of it is in memory while it is sent."""

    bytes_held: int | None = None
    """None if that is not known: the whole answer may be."""


STREAMED: Final[ContextVar[Streamed | None]] = ContextVar("STREAMED", default=None)
"""Who wants to know that of the answer being made."""


def hold(groups: Sequence[tuple[Sequence[str], int]]) -> None:
    """Tell what an answer of such groups of traces holds, see `in_groups`."""
    streamed = STREAMED.get()
    if streamed is not None:
        streamed.bytes_held = max(
            (
                spans * (_SPAN_BYTES if len(ids) == 1 else _GROUP_SPAN_BYTES) + _PART_BYTES
                for ids, spans in groups
            ),
            default=0,
        )


class LargeTrace:
    """One trace that is read in parts."""

    def __init__(
        self,
        reader: SpanReader,
        trace_id: str,
        *,
        raw: bool,
        spans_max: int = 0,
        skew_nano_max: int = 0,
    ) -> None:
        """Read the skeleton.

        Args:
            reader: The store.
            trace_id: 32 hex digits.
            raw: Nothing is adjusted.
            spans_max: As in `limit_arrays`; 0 is all.
            skew_nano_max: As in `adjust_arrays`.
        """
        self.trace_id = trace_id
        self._reader = reader
        self._raw = raw
        trace = reader.get_trace_arrays(trace_id)
        self._keys = np.stack((trace.start, trace.span_id))
        """Start and id of each span as they are stored, in their order."""
        trace.place = np.arange(len(trace), dtype="u4")
        if raw:
            trace.warnings = {}
        said = {row: len(texts) for row, texts in trace.warnings.items()}
        limit_arrays(trace, spans_max)
        if not raw:
            adjust_arrays(trace, max_clock_skew_adjust_nano=skew_nano_max)
        # Spans of one start and id in an order in which those of a part can be sorted, too.
        self._is_as_stored = raw and len(trace) == len(self)
        keys = self._keys[:, trace.place]
        order = np.lexsort((trace.duration, trace.kind, keys[1], keys[0]))
        self._keys = self._keys[:, : 1 + max(trace.place.tolist(), default=-1)]
        self._place = trace.place[order]
        self._span_id = trace.span_id[order]
        self._parent_id = trace.parent_id[order]
        self._start = trace.start[order]
        places = trace.place.tolist()
        self._warnings = _packed(
            (places[row], texts[said.get(places[row], 0) :])
            for row, texts in trace.warnings.items()
        )
        """What adjusters have to say; of a trace with skewed clocks that is more than all else."""

    def __len__(self) -> int:
        """Return how many spans are read of it."""
        return int(self._keys.shape[1])

    def columns(self) -> Iterator[SpanColumns]:
        """Yield the spans, adjusted unless raw."""

        def read(within: SpanRange) -> SpanColumns:
            return self._reader.get_traces(
                [self.trace_id], raw=self._raw, skeleton=False, within=within
            )

        for first, end, part in self._parts(read):
            self._adjuster(first, end)(part)
            if len(part):
                yield part

    def otlp(self) -> Iterator[TracesData]:
        """Yield the spans as OTLP, adjusted unless raw."""
        for first, end, body in self._parts(self._read_otlp):
            part = TracesData.FromString(body)
            name_services(part)
            if not self._raw:
                adjust_otlp(part, (self._adjuster(first, end),))
            if part.resource_spans:
                yield part

    def stored(self) -> Iterator[bytes]:
        """Yield the spans as they are stored: pieces of one `TracesData` message."""
        return (body for _, _, body in self._parts(self._read_otlp))

    def _read_otlp(self, within: SpanRange) -> bytes:
        return self._reader.get_otlp([self.trace_id], within=within)

    def _parts(self, read: Callable[[SpanRange], _Read]) -> Iterator[tuple[int, int, _Read]]:
        """Yield (first place, end, what was read): smaller parts where one is too large."""
        first, size = 0, PART_SPANS_MAX
        while first < len(self):
            end = self._end(first, size)
            start, span = self._keys[:, first].tolist()
            last_start, last_span = self._keys[:, end - 1].tolist()
            try:
                part = read((start, span, last_start, last_span))
            except StorageMemoryError:
                if size == 1:
                    raise
                size = max(min(size, end - first) // 2, 1)
                continue
            yield first, end, part
            first, size = end, min(2 * size, PART_SPANS_MAX)

    def _end(self, first: int, size: int) -> int:
        """Return where a part ends: spans of one start and id are in one."""
        end = min(first + size, len(self))
        while end < len(self) and (self._keys[:, end] == self._keys[:, end - 1]).all():
            end += 1
        return end

    def _adjuster(self, first: int, end: int) -> Adjuster:
        """Return what does to the spans of a part that which was decided."""
        if self._is_as_stored:
            return lambda _part: None
        low, high = np.searchsorted(self._place, (first, end))
        kept = slice(int(low), int(high))
        keys = self._keys[:, self._place[kept]].T.tolist()
        columns = (self._place, self._span_id, self._parent_id, self._start)
        said = _unpacked(self._warnings, first, end)
        decided = list(zip(*(column[kept].tolist() for column in columns), strict=True))

        def adjust(part: SpanColumns) -> None:
            rows: list[int] = []
            now: list[tuple[int, int, int, int]] = []
            found = _rows_by_key(part, raw=self._raw)
            for (start, span), one in zip(keys, decided, strict=True):
                if same := found.get((start, span)):  # or it was deleted meanwhile
                    rows.append(same.pop(0))
                    now.append(one)
            keep_rows(part, rows)
            if not self._raw:
                _repair(part, now)
            for row, one in enumerate(now):
                if more := said.get(one[0]):
                    part.warnings[row] = [*part.warnings[row], *more]

        return adjust


def _packed(warnings: Iterable[tuple[int, list[str]]]) -> dict[int, bytes]:
    """Return texts of spans by place in few bytes: blocks of places."""
    blocks: dict[int, list[tuple[int, list[str]]]] = {}
    for place, texts in warnings:
        if texts:
            blocks.setdefault(place // _BLOCK_SPANS, []).append((place, texts))
    return {block: zlib.compress(orjson.dumps(some), 1) for block, some in blocks.items()}


def _unpacked(packed: Mapping[int, bytes], first: int, end: int) -> dict[int, list[str]]:
    """Return the texts of the blocks that lie in a range of places."""
    return {
        place: texts
        for block in range(first // _BLOCK_SPANS, (end - 1) // _BLOCK_SPANS + 1)
        if block in packed
        for place, texts in orjson.loads(zlib.decompress(packed[block]))
    }


def in_groups(
    reader: SpanReader, trace_ids: Sequence[str], *, traces_max: int, spans_max: int
) -> Iterator[tuple[Sequence[str], int]]:
    """Yield traces that may be read at once, with how many spans they have; or one large trace.

    Args:
        reader: The store.
        trace_ids: 32 hex digits each.
        traces_max: Of a group.
        spans_max: Of a group of several.
    """
    for first in range(0, len(trace_ids), traces_max):
        some = tuple(trace_ids[first : first + traces_max])
        sample = SpanSample(start_unix_nano_min=0, start_unix_nano_max=_UINT64_MAX, trace_ids=some)
        spans, _ = reader.get_sample_size(sample)
        if spans <= spans_max or len(some) == 1:
            yield some, spans
        else:
            half = -(-len(some) // 2)
            yield from in_groups(reader, some, traces_max=half, spans_max=spans_max)


def _rows_by_key(part: SpanColumns, *, raw: bool) -> dict[tuple[int, int], list[int]]:
    """Return the rows of each start and id, by kind and duration; of copies the first."""
    found: dict[tuple[int, int], list[int]] = {}
    copies: set[int] = set()
    for row, (start, span) in enumerate(zip(part.start_unix_nano, part.span_id, strict=True)):
        if not raw:
            if part.identity[row] in copies:
                continue
            copies.add(part.identity[row])
        found.setdefault((start, int(span, 16)), []).append(row)
    for rows in found.values():
        if len(rows) > 1:
            rows.sort(key=lambda row: (part.kind[row], part.duration_nano[row]))
    return found


def _repair(part: SpanColumns, decided: Sequence[tuple[int, int, int, int]]) -> None:
    """Write ids and times that adjusters gave, and take links away that lead nowhere."""
    for row, (_, span, parent, start) in enumerate(decided):
        part.span_id[row] = f"{span:016x}"
        part.parent_span_id[row] = f"{parent:016x}" if parent else ""
        moved = start - part.start_unix_nano[row]
        if moved:
            part.start_unix_nano[row] = start
            part.event_unix_nano[row] = [time + moved for time in part.event_unix_nano[row]]
        if part.links[row]:
            part.links[row] = [one for one in part.links[row] if one[0] != _ZERO_TRACE_ID]
