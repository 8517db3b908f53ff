"""Questions about many traces at once: a part of them is read as numbers, and thought about.

What is read is bounded: of a large range whole traces of a part of all, chosen by a hash of their
ids, so that the same question has the same answer. Every answer says how large its sample was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lymer.analysis.attribution import attribute, clearest, fact_of
from lymer.analysis.cohort import Finding, differences
from lymer.analysis.path_diff import PathDifference, compare, sentence
from lymer.analysis.profile import (
    CallTree,
    OperationProfile,
    attribute_profile,
    call_tree,
    critical_times,
    operation_profile,
)
from lymer.analysis.question import Matches, grouped_by, matches
from lymer.analysis.root_cause import RATIO_MIN, Candidate, Causes, find_causes
from lymer.analysis.signals import beyond_usual
from lymer.analysis.span_frame import Ints, Masks, SpanFrame
from lymer.analysis.trace_findings import TraceFinding, find_in_trace
from lymer.errors import QuestionError
from lymer.language.parsing import parse
from lymer.language.tree import MetricsQuery, Query
from lymer.model.question import TraceQuestion
from lymer.model.span_table import SpanSample, SpanTable
from lymer.query.language import TRACES_MAX, parse_field
from lymer.storage.caller import not_found
from lymer.storage.contract import SpanReader
from lymer.storage.search_contract import SpansetQuestion

__all__ = ["Diagnosis", "Explanation", "Profile", "RootCause", "Sample", "TimeRange"]

SAMPLE_SPANS_MAX: Final = 400_000
"""Most spans read for one question, about; more traces are left out by their hash."""
RANGE_SECONDS: Final = 900
"""What is looked at where no range is asked for: the last quarter of an hour."""
_RECORDING_SECONDS: Final = 3_600
_SPARSE: Final = 3
RANGE_SECONDS_MAX: Final = 7 * 86_400
_EXPLAINED_MAX: Final = 5
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
FIRST_SPANS_MAX: Final = 20_000
"""Spans read for the first of several answers, about: it comes within 300 ms."""
PAGES_MAX: Final = 5
"""So many times `TRACES_MAX` traces are asked for, if the store says which spans match."""
_GROUPED_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Spans that start in it; nanoseconds since the epoch, both inclusive."""

    start_unix_nano: int
    end_unix_nano: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What was looked at."""

    spans: int
    traces: int
    of_spans: int
    of_traces: int
    """About, to a percent."""


@dataclass(frozen=True, slots=True)
class RootCause:
    """Where an anomaly may have begun."""

    causes: Causes
    range: TimeRange
    sample: Sample
    findings: list[list[Finding]]
    """Of the first candidates: which attributes explain them."""
    examples: list[list[str]]
    """Of the first candidates: ids of traces that show it."""
    spread: list[list[tuple[str, str]]]
    """Of the first candidates: (service, operation) above it, nearest first, by which it spread."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is different about a selection."""

    findings: list[Finding]
    examples: list[str]
    """Of each finding a trace that has it, or empty."""
    selected: int
    baseline: int
    how: str
    """A sentence: what was compared with what."""
    sample: Sample


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the time of many traces goes."""

    operations: list[OperationProfile]
    tree: CallTree
    names: list[tuple[str, str]]
    sample: Sample
    range: TimeRange


class Diagnosis:
    """Thinks about the spans of one tenant. Blocking and thread-safe, like its reader."""

    def __init__(self, reader: SpanReader, *, sample_spans_max: int = SAMPLE_SPANS_MAX) -> None:
        """Read from `reader`, at most about `sample_spans_max` spans a question."""
        self._reader = reader
        self._spans_max = sample_spans_max

    def latest(self, now: int) -> TimeRange:
        """Return what is looked at where nobody says when: the last quarter of an hour.

        If nothing started in it, the hour before the newest span: an imported recording is as old
        as it is. Or the day, if there is little else in it.

        Args:
            now: Nanoseconds since the epoch.
        """
        recent = TimeRange(max(now - RANGE_SECONDS * 10**9, 0), now)
        if self._count(recent):
            return recent
        newest = self._reader.find_traces(TraceQuestion(0, now, limit=1))
        if not newest:
            return recent
        end = newest[0].start_unix_nano + 1
        hour = TimeRange(max(end - _RECORDING_SECONDS * 10**9, 0), end)
        day = TimeRange(max(end - 86_400 * 10**9, 0), end)
        # What is usual may have been recorded some hours before.
        return day if self._count(day) <= _SPARSE * self._count(hour) else hour

    def _count(self, within: TimeRange) -> int:
        sample = SpanSample(
            start_unix_nano_min=within.start_unix_nano, start_unix_nano_max=within.end_unix_nano
        )
        return self._reader.get_sample_size(sample)[0]

    def root_cause(self, within: TimeRange, window: TimeRange | None = None) -> RootCause:
        """Rank where an anomaly began.

        Args:
            within: What is looked at; what is usual is learned from it too.
            window: When it went wrong; None: found.
        """
        frame, sample, chosen = self._read(within)
        known = None if window is None else (window.start_unix_nano, window.end_unix_nano)
        begin, end = _span_of(frame, within)
        causes = find_causes(frame, begin, end, window=known)
        findings, examples, spread = [], [], []
        for candidate in causes.candidates[:_EXPLAINED_MAX]:
            told, rows = self._evidence(frame, candidate, causes, chosen)
            findings.append(told)
            examples.append([frame.table.trace_id(row) for row in rows])
            spread.append(_spread(frame, rows))
        return RootCause(causes, within, sample, findings, examples, spread)

    def explain(
        self,
        within: TimeRange,
        question: str = "",
        *,
        slowest: float = 0.0,
        only_errors: bool = False,
        baseline: str = "",
        window: TimeRange | None = None,
        durations: tuple[int, int] | None = None,
        spans_max: int | None = None,
    ) -> Explanation:
        """Say what is different about some spans.

        A question that only names a place, without anything of the others, asks what went wrong
        there: that is found as `root_cause` finds it.

        Args:
            within: What is looked at.
            question: In the search language: the selection; empty: all spans.
            slowest: Of these the slowest part, each operation by itself; 0: all of them.
            only_errors: Of these those that failed.
            baseline: What they are compared with, as a question; empty: the other spans of the same
                operations.
            window: Of these those that started in it.
            durations: Of these those that lasted so long, shortest and longest, nanoseconds; then
                they are compared with the other spans of the question, not with all of their
                operations.
            spans_max: Fewer spans than are read otherwise, about.

        Raises:
            QuestionError: A question cannot be read, or uses what is not supported here.
        """
        asked, other = parse(question), parse(baseline)
        frame, sample, chosen = self._read(within, has_attributes=True, spans_max=spans_max)
        found = self._matches(frame, asked, question, within)
        if found.is_place and not (slowest or only_errors or baseline or window or durations):
            return self._explain_place(frame, within, found.rows, sample, chosen)
        mask, how = _selected(frame, found.rows, slowest, only_errors, window)
        if durations is not None:
            mask &= (frame.table.duration >= durations[0]) & (frame.table.duration <= durations[1])
            how += ", of these durations"
        if baseline:
            others = self._matches(frame, other, baseline, within).rows
            how += ", against those of the other question"
        else:
            others = np.isin(frame.table.operation, np.unique(frame.table.operation[mask]))
            others &= ~mask
            if durations is not None:
                others &= found.rows
            how += ", against the other spans of their operations"
        findings = differences(frame, mask, others, without=found.facts)
        examples = [
            frame.table.trace_id(one.example) if one.example >= 0 else "" for one in findings
        ]
        return Explanation(findings, examples, int(mask.sum()), int(others.sum()), how, sample)

    def _explain_place(
        self,
        frame: SpanFrame,
        within: TimeRange,
        matched: Masks,
        sample: Sample,
        chosen: SpanSample,
    ) -> Explanation:
        """Say what went wrong in the traces of some spans, if anything did."""
        begin, end = _span_of(frame, within)
        causes = find_causes(frame, begin, end)
        traces = np.zeros(int(frame.table.trace.max(initial=-1)) + 1, dtype=bool)
        traces[frame.table.trace[matched]] = True
        findings: list[Finding] = []
        examples: list[str] = []
        sure = [one for one in causes.candidates if one.ratio >= RATIO_MIN]
        for candidate in sure[:_EXPLAINED_MAX]:
            told, rows = self._evidence(frame, candidate, causes, chosen)
            if not rows or not traces[frame.table.trace[rows]].any():
                continue
            # A cause below the asked spans has its attributes, they have not.
            is_theirs = bool(matched[rows].all())
            for one in [*told, _finding_of(candidate)]:
                if one.fact not in {other.fact for other in findings}:
                    findings.append(replace(one, own=one.support if is_theirs else 0))
                    examples.append(frame.table.trace_id(rows[0]))
        during = _during(frame, causes.start_unix_nano, causes.end_unix_nano)
        how = (
            "what happened more often in the window than before, and the attributes that explain it"
        )
        if not findings:
            how = "nothing happened more often at some time than at others"
        return Explanation(findings, examples, int(during.sum()), int((~during).sum()), how, sample)

    def profile(
        self,
        within: TimeRange,
        question: str = "",
        by: Sequence[str] = (),
        *,
        spans_max: int | None = None,
    ) -> Profile:
        """Return where the time of the traces with a matching span goes.

        Args:
            within: What is looked at.
            question: In the search language; empty: all traces.
            by: Fields of the language, such as `resource.service.version`, by which spans are
                grouped instead of service and operation. Values that fewer than five spans have
                count as none.
            spans_max: Fewer spans than are read otherwise, about.

        Raises:
            QuestionError: The question cannot be read, or uses what is not supported here.
        """
        asked = parse(question)
        if len(by) > _GROUPED_MAX:
            raise QuestionError(f"cannot group by {len(by)} fields, the limit is {_GROUPED_MAX}")
        fields = [parse_field(one) for one in by]
        frame, sample, _ = self._read(
            within, has_attributes=bool(question.strip() or by), spans_max=spans_max
        )
        if question.strip():
            traces = np.zeros(sample.traces, dtype=bool)
            traces[frame.table.trace[self._matches(frame, asked, question, within).rows]] = True
            frame = SpanFrame.of(_rows(frame.table, traces[frame.table.trace]))
            part = int(traces.sum())
            scale = sample.of_traces / max(sample.traces, 1)
            sample = Sample(len(frame), part, round(len(frame) * scale), round(part * scale))
        critical = critical_times(frame)
        sizes = {"traces": sample.traces, "of_traces": sample.of_traces}
        if fields:
            groups = [grouped_by(frame, one) for one in fields]
            operations = attribute_profile(frame, critical, groups, **sizes)
        else:
            operations = operation_profile(frame, critical, **sizes)
        return Profile(
            operations, call_tree(frame, critical), frame.table.operations, sample, within
        )

    def findings_of_trace(self, trace_id: str) -> tuple[SpanTable, list[TraceFinding]]:
        """Return what is remarkable about one trace, and its spans.

        Raises:
            TraceNotFoundError: No span of it is stored.
        """
        table = self._reader.get_span_table(_ever((trace_id,)))
        if not len(table):
            raise not_found()
        return table, find_in_trace(SpanFrame.of(table))

    def difference(
        self, one: Sequence[str], other: Sequence[str]
    ) -> tuple[list[PathDifference], str]:
        """Compare two sets of traces by the paths of their calls, and say it in a sentence.

        Raises:
            TraceNotFoundError: Of one of them no span is stored.
        """
        sides = []
        for ids in (one, other):
            table = self._reader.get_span_table(_ever(tuple(ids)))
            if not len(table):
                raise not_found()
            frame = SpanFrame.of(table)
            sides.append((frame, critical_times(frame)))
        found = compare(*sides[0], *sides[1])
        return found, sentence(found)

    def _read(
        self, within: TimeRange, *, has_attributes: bool = False, spans_max: int | None = None
    ) -> tuple[SpanFrame, Sample, SpanSample]:
        if within.end_unix_nano - within.start_unix_nano > RANGE_SECONDS_MAX * 10**9:
            raise QuestionError(
                f"cannot look at more than {RANGE_SECONDS_MAX // 86_400} days at once"
            )
        wanted = SpanSample(
            start_unix_nano_min=max(within.start_unix_nano, 0),
            start_unix_nano_max=max(within.end_unix_nano, 0),
            has_attributes=has_attributes,
        )
        spans, traces = self._reader.get_sample_size(wanted)
        limit = self._spans_max // 2 if has_attributes else self._spans_max
        limit = min(limit, spans_max or limit)
        chosen = replace(wanted, one_in=max(1, -(-spans // limit)))
        frame = SpanFrame.of(self._reader.get_span_table(chosen))
        seen = int(frame.table.trace.max(initial=-1)) + 1
        of_traces = max(traces, seen) if chosen.one_in > 1 else seen
        return frame, Sample(len(frame), seen, max(spans, len(frame)), of_traces), chosen

    def _matches(self, frame: SpanFrame, asked: Query, text: str, within: TimeRange) -> Matches:
        """Return the spans of a frame that a question matches.

        What cannot be decided by the frame (events, links, numbers of spansets, groups) is asked of
        the store.
        """
        try:
            return matches(frame, asked)
        except QuestionError:
            if isinstance(asked.body, MetricsQuery):
                raise
        spans = list(self._found_spans(asked, text, within))
        wanted = np.array(spans, dtype=np.uint64).reshape(-1, 2)
        table = frame.table
        if not len(frame):
            return Matches(frame.throws, is_place=False, facts=frozenset())
        own = table.trace_lo[table.trace] ^ (table.span_id * _MIX)
        rows = np.isin(own, wanted[:, 0] ^ (wanted[:, 1] * _MIX))
        return Matches(rows, is_place=False, facts=frozenset())

    def _found_spans(self, asked: Query, text: str, within: TimeRange) -> Iterator[tuple[int, int]]:
        """Yield (lower half of the trace id, span id) of what the store says that matches."""
        question = SpansetQuestion(
            asked,
            within.start_unix_nano,
            within.end_unix_nano,
            traces_max=TRACES_MAX,
            spans_per_set_max=1,
            text=text,
        )
        reason = f"more than {PAGES_MAX * TRACES_MAX} traces"
        for _ in range(PAGES_MAX):
            found = self._reader.find_spansets(question)
            if not found.is_complete:
                reason = found.reason
                break
            for trace in found.traces:
                half = int(trace.trace_id[16:], 16)
                yield from (
                    (half, int(span_id, 16)) for one in trace.sets for span_id in one.span_ids
                )
            if not found.has_more:
                return
            question = replace(question, after=found.cursor)
        raise QuestionError(f"cannot look at all that match: {reason}; ask for less time")

    def _evidence(
        self, frame: SpanFrame, candidate: Candidate, causes: Causes, chosen: SpanSample
    ) -> tuple[list[Finding], list[int]]:
        """Return the attributes that explain a candidate, and rows of spans that show it.

        Only the candidate's own spans are read again, with their attributes.
        """
        place = candidate.place
        detail = replace(
            chosen, service=place.service, operation=place.operation or "", has_attributes=True
        )
        table = self._reader.get_span_table(detail)
        place_rows = _same_rows(frame, table)
        code = table.attributes
        known = place_rows[code.row] >= 0
        attributes = replace(code, row=place_rows[code.row[known]], code=code.code[known])
        with_attributes = replace(frame, table=frame.table.with_attributes(attributes))
        during = _during(frame, causes.start_unix_nano, causes.end_unix_nano)
        findings = attribute(with_attributes, candidate, during)
        rows = clearest(frame, place, during, _EXPLAINED_MAX)
        return findings, rows


def _selected(
    frame: SpanFrame,
    matched: Masks,
    slowest: float,
    only_errors: bool,  # noqa: FBT001 - passed on
    window: TimeRange | None,
) -> tuple[Masks, str]:
    """Return which of the matched spans are meant, and how that is said."""
    mask, how = matched.copy(), "spans that match"
    if only_errors:
        mask &= frame.table.is_error
        how += " and failed"
    if slowest:
        rows = np.flatnonzero(matched)
        operation = frame.table.operation[rows]
        (beyond,) = beyond_usual(frame.table.duration[rows], operation, (1 - slowest,))
        mask[rows[~beyond]] = False
        how += f", the slowest {slowest:.0%} of each operation"
    if window is not None:
        mask &= _during(frame, window.start_unix_nano, window.end_unix_nano + 1)
        how += ", in the window"
    return mask, how


def _during(frame: SpanFrame, start: int, end: int) -> Masks:
    return np.asarray((frame.table.start >= start) & (frame.table.start < end))


def _rows(table: SpanTable, chosen: Masks) -> SpanTable:
    """Return some of the spans; their traces keep their numbers."""
    place = np.cumsum(chosen) - 1
    own = table.attributes
    kept = chosen[own.row]
    return replace(
        table,
        **{
            name: getattr(table, name)[chosen]
            for name in (
                "trace", "span_id", "parent_id", "start", "duration", "kind", "is_error",
                "operation",
            )
        },
        attributes=replace(own, row=place[own.row[kept]], code=own.code[kept]),
    )  # fmt: skip


def _finding_of(candidate: Candidate) -> Finding:
    """Return a place as a finding: how much more often it happens than before."""
    part = candidate.events / max(candidate.chances, 1)
    return Finding(
        fact=fact_of(candidate.place),
        effect=part - candidate.usual,
        support=candidate.events,
        sample=candidate.chances,
        in_selection=part,
        in_baseline=candidate.usual,
        score=candidate.score,
    )


def _span_of(frame: SpanFrame, within: TimeRange) -> tuple[int, int]:
    """Return the part of a range in which there are spans: what is empty says nothing."""
    if not len(frame):
        return within.start_unix_nano, within.end_unix_nano
    start = frame.table.start
    return int(start.min()), int(start.max()) + 1


def _same_rows(frame: SpanFrame, table: SpanTable) -> Ints:
    """Return the row in the frame of each span of another table of the same store; -1: none."""

    def key(one: SpanTable) -> np.ndarray:
        if not len(one):
            return np.zeros(0, dtype=np.uint64)
        return np.asarray(
            one.trace_lo[one.trace] ^ (one.span_id * _MIX) ^ one.start.view(np.uint64)
        )

    known, wanted = key(frame.table), key(table)
    if not len(known):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(known, kind="stable")
    at = order[np.minimum(np.searchsorted(known[order], wanted), len(known) - 1)]
    return np.where(known[at] == wanted, at, -1)


def _spread(frame: SpanFrame, rows: Sequence[int]) -> list[tuple[str, str]]:
    """Return the operations above a span: those that waited for it."""
    if not rows:
        return []
    path: list[tuple[str, str]] = []
    row = int(frame.parent[rows[0]])
    while row >= 0 and len(path) < 64:
        path.append(frame.table.operations[int(frame.table.operation[row])])
        row = int(frame.parent[row])
    return path


def _ever(trace_ids: tuple[str, ...]) -> SpanSample:
    return SpanSample(start_unix_nano_min=0, start_unix_nano_max=2**63 - 1, trace_ids=trace_ids)
