"""Spans as they are stored: what is new of a question since the last look."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lymer.errors import QuestionError
from lymer.language import tree
from lymer.language.parsing import parse
from lymer.storage.contract import SpanReader
from lymer.storage.search_contract import FoundSpan, SpansetQuestion

__all__ = ["Follower", "NewSpan", "NewSpans"]

BACK_SECONDS_MAX: Final = 300
"""A follower that comes back is told what was stored in so much time at most."""
TRACES_MAX: Final = 500
"""Looked at in one look; what is beyond is dropped, and said to be."""
SPANS_PER_TRACE_MAX: Final = 1_000
KNOWN_SPANS_MAX: Final = 50_000
"""Spans remembered as told: a trace is found again whenever more of it arrives."""
LOOK_SECONDS_MAX: Final = 5.0
_BEHIND_NANO: Final = 6 * 3_600 * 10**9
_AHEAD_NANO: Final = 3_600 * 10**9
"""Spans that start so long before or after now are looked at: clocks differ, spans last."""
_SHOWN: Final = ("resource.service.name", "kind", "status")


@dataclass(frozen=True, slots=True)
class NewSpan:
    """One span that was not told yet."""

    trace_id: str
    span: FoundSpan
    """With service, kind and status among its values."""


@dataclass(frozen=True, slots=True)
class NewSpans:
    """What is new, by start."""

    spans: tuple[NewSpan, ...]
    is_complete: bool
    """Whether nothing was left out."""
    segment: int
    """Where the next look begins."""


class Follower:
    """Looks again and again, for one who follows; by one thread at a time."""

    def __init__(
        self,
        reader: SpanReader,
        text: str,
        now_unix_nano: Callable[[], int],
        after_segment: int | None = None,
    ) -> None:
        """Begin now, or after a segment that was told before.

        Raises:
            QuestionError: The question cannot be read, or asks for numbers over time.
        """
        body = parse(text).body
        if not isinstance(body, tree.Pipeline):
            raise QuestionError("cannot follow numbers over time: ask for spans")
        select = parse("{ } | select(" + ", ".join(_SHOWN) + ")").body
        assert isinstance(select, tree.Pipeline)  # it is written above
        self._query = tree.Query(tree.Pipeline((*body.stages, select.stages[-1])))
        self._reader, self._text, self._now = reader, text, now_unix_nano
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._after = after_segment
        self.begun: Final = after_segment
        """Where another follower ended and this one goes on; None: it begins now."""

    def look(self) -> NewSpans:
        """Return what is new."""
        now = self._now()
        is_first = self._after is None
        oldest = now // 1_000 - BACK_SECONDS_MAX * 1_000_000
        # Of the first look only the place matters: nothing lies in its range of time.
        after = oldest if self._after is None else max(self._after, oldest)
        low, high = (0, 0) if is_first else (max(now - _BEHIND_NANO, 0), now + _AHEAD_NANO)
        found = self._reader.find_spansets(
            SpansetQuestion(
                self._query,
                low,
                high,
                traces_max=TRACES_MAX,
                spans_per_set_max=SPANS_PER_TRACE_MAX,
                after_segment=after,
                seconds_max=LOOK_SECONDS_MAX,
                text=self._text,
            )
        )
        self._after = max(found.segment, after)
        new = []
        cut = False
        for trace in found.traces:
            for one in trace.sets:
                cut |= len(one.spans) < one.matched
                for span in one.spans:
                    key = (trace.trace_id, span.span_id)
                    if key not in self._told:
                        self._told[key] = None
                        new.append(NewSpan(trace.trace_id, span))
        while len(self._told) > KNOWN_SPANS_MAX:
            self._told.popitem(last=False)
        new.sort(key=lambda each: each.span.start_unix_nano)
        complete = found.is_complete and not found.has_more and not cut
        return NewSpans(tuple(new), complete, self._after)
