"""Questions about many traces at once: a part of them is read as numbers, and thought about.

What is read is bounded: of a large range whole traces of a part of all, chosen by a hash of their
ids, so that the same question has the same answer. Every answer says how large its sample was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lymer.analysis.attribution import attribute, fact_of
from lymer.analysis.cohort import Finding, differences
from lymer.analysis.path_diff import PathDifference, compare, sentence
from lymer.analysis.profile import (
    CallTree,
    OperationProfile,
    call_tree,
    critical_times,
    operation_profile,
)
from lymer.analysis.question import matches
from lymer.analysis.root_cause import Candidate, Causes, find_causes
from lymer.analysis.signals import Place, beyond_usual
from lymer.analysis.span_frame import Ints, Masks, SpanFrame
from lymer.analysis.trace_findings import TraceFinding, find_in_trace
from lymer.errors import QuestionError, TraceNotFoundError
from lymer.language.parsing import parse
from lymer.model.span_table import SpanSample, SpanTable
from lymer.storage.contract import SpanReader

__all__ = ["Diagnosis", "Explanation", "Profile", "RootCause", "Sample", "TimeRange"]

SAMPLE_SPANS_MAX: Final = 400_000
"""Most spans read for one question, about; more traces are left out by their hash."""
RANGE_SECONDS: Final = 900
"""What is looked at where no range is asked for: the last quarter of an hour."""
RANGE_SECONDS_MAX: Final = 7 * 86_400
_EXPLAINED_MAX: Final = 5


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

        Raises:
            QuestionError: A question cannot be read, or uses what is not supported here.
        """
        asked, other = parse(question), parse(baseline)
        frame, sample, chosen = self._read(within, has_attributes=True)
        found = matches(frame, asked)
        if found.is_place and not (slowest or only_errors or baseline or window):
            return self._explain_place(frame, within, found.rows, sample, chosen)
        mask, how = _selected(frame, found.rows, slowest, only_errors, window)
        if baseline:
            others = matches(frame, other).rows
            how += ", against those of the other question"
        else:
            others = np.isin(frame.table.operation, np.unique(frame.table.operation[mask]))
            others &= ~mask
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
        for candidate in causes.candidates[:_EXPLAINED_MAX]:
            told, rows = self._evidence(frame, candidate, causes, chosen)
            if not rows or not traces[frame.table.trace[rows]].any():
                continue
            for one in [*told, _finding_of(candidate)]:
                if one.fact not in {other.fact for other in findings}:
                    findings.append(one)
                    examples.append(frame.table.trace_id(rows[0]))
        during = _during(frame, causes.start_unix_nano, causes.end_unix_nano)
        how = (
            "what happened more often in the window than before, and the attributes that explain it"
        )
        if not findings:
            how = "nothing happened more often at some time than at others"
        return Explanation(findings, examples, int(during.sum()), int((~during).sum()), how, sample)

    def profile(self, within: TimeRange, question: str = "") -> Profile:
        """Return where the time of the traces with a matching span goes.

        Raises:
            QuestionError: The question cannot be read, or uses what is not supported here.
        """
        asked = parse(question)
        frame, sample, _ = self._read(within, has_attributes=bool(question.strip()))
        if question.strip():
            traces = np.zeros(sample.traces, dtype=bool)
            traces[frame.table.trace[matches(frame, asked).rows]] = True
            frame = SpanFrame.of(_rows(frame.table, traces[frame.table.trace]))
            part = int(traces.sum())
            scale = sample.of_traces / max(sample.traces, 1)
            sample = Sample(len(frame), part, round(len(frame) * scale), round(part * scale))
        critical = critical_times(frame)
        operations = operation_profile(
            frame, critical, traces=sample.traces, of_traces=sample.of_traces
        )
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
            raise TraceNotFoundError
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
                raise TraceNotFoundError
            frame = SpanFrame.of(table)
            sides.append((frame, critical_times(frame)))
        found = compare(*sides[0], *sides[1])
        return found, sentence(found)

    def _read(
        self, within: TimeRange, *, has_attributes: bool = False
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
        chosen = replace(wanted, one_in=max(1, -(-spans // limit)))
        frame = SpanFrame.of(self._reader.get_span_table(chosen))
        seen = int(frame.table.trace.max(initial=-1)) + 1
        of_traces = max(traces, seen) if chosen.one_in > 1 else seen
        return frame, Sample(len(frame), seen, max(spans, len(frame)), of_traces), chosen

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
        rows = _examples(frame, place, during)
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
    mix = np.uint64(0x9E3779B97F4A7C15)

    def key(one: SpanTable) -> np.ndarray:
        if not len(one):
            return np.zeros(0, dtype=np.uint64)
        return np.asarray(one.trace_lo[one.trace] ^ (one.span_id * mix) ^ one.start.view(np.uint64))

    known, wanted = key(frame.table), key(table)
    if not len(known):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(known, kind="stable")
    at = order[np.minimum(np.searchsorted(known[order], wanted), len(known) - 1)]
    return np.where(known[at] == wanted, at, -1)


def _examples(frame: SpanFrame, place: Place, during: Masks) -> list[int]:
    """Return rows of spans that show what happens at a place in the window, the clearest first."""
    table = frame.table
    rows = during & np.array([one == place.service for one in frame.services])[frame.service]
    if place.operation is not None:
        is_its = np.array([one[1] == place.operation for one in table.operations])
        rows &= is_its[table.operation]
    if place.what == "error":
        rows &= frame.throws
    found = np.flatnonzero(rows)
    by = {"queue": frame.queued, "network": frame.network}.get(place.what, frame.self_time)
    return [int(one) for one in found[np.argsort(-by[found], kind="stable")][:_EXPLAINED_MAX]]


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
