"""Numbers over time: what the engine counts itself, and what a walk has to choose first.

Where each span is chosen by itself, one statement counts. Where the trace decides, the traces that
can match are read and walked, and counted here.
"""

from __future__ import annotations

import contextlib
import math
from bisect import insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from heapq import nlargest
from typing import Any, Final

from lymer.errors import QuestionError
from lymer.language import tree
from lymer.language.operands import PlaceError
from lymer.language.parsing import place_error
from lymer.storage.caller import listener
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.sampling_threshold import WEIGHT
from lymer.storage.clickhouse.spansets.asking import Asking, LateError
from lymer.storage.clickhouse.spansets.expressions import printed
from lymer.storage.clickhouse.spansets.partials import (
    SHARES,
    Grid,
    Labels,
    Partial,
    Values,
    calculated,
    finished,
    merged,
    share,
    staged,
)
from lymer.storage.clickhouse.spansets.plan import Plan
from lymer.storage.clickhouse.spansets.search import (
    SPANS_READ_MAX,
    WINDOW_NANO,
    typed_value,
)
from lymer.storage.clickhouse.spansets.values import joined_all
from lymer.storage.clickhouse.spansets.walk import LOOK_AGAIN, Trace, any_value, value_of
from lymer.storage.clickhouse.statements import statement
from lymer.storage.search_contract import (
    Exemplar,
    FoundSeries,
    Scanned,
    Series,
    SeriesQuestion,
    TypedValue,
)

__all__ = ["INTERVALS_MAX", "find_series"]

INTERVALS_MAX: Final = 11_000
"""Values of one series, as Prometheus has it."""
_ROWS_MAX: Final = 500_000
_ONE: Final = ("1", "1.", False)
"""What is measured of a span where spans are counted; see `Plan.measured`."""
_NUMBERS: Final = ("int", "float", "duration", "time")
_PLAIN_KEYS: Final = frozenset({"name", "kind", "status", "resource.service.name"})
_WHOLE_PART: Final = 0.6
"""Of the time for an answer, for the whole of it; then as much of it as can be had is counted."""
_PARTS: Final = 8
_SHOWN_PARTS: Final = (16, 8, 4)
"""The newest parts of a range, each shown when it is counted."""
_ONE_MORE: Final = 1e-12
"""Of a quantile: the engine takes the number at a share, we the one behind it."""


def find_series(asking: Asking, catalog: Catalog, question: SeriesQuestion) -> FoundSeries:
    """See `SpanReader.get_series`."""
    body = question.query.body
    if not isinstance(
        body, tree.MetricsQuery | tree.MetricsStaged | tree.MetricsMath | tree.MetricsNumber
    ):
        raise QuestionError("cannot count over time: the question asks for traces")
    asking.end_after(_WHOLE_PART)
    try:
        asking.check_patterns()
        return _Counting(asking, catalog, question).run(body)
    except PlaceError as error:
        raise place_error(question.text, error) from None
    except LateError:
        asking.end_after(1.0)
        return _newest_parts(asking, catalog, question, body)


def _newest_parts(
    asking: Asking, catalog: Catalog, question: SeriesQuestion, body: tree.Metrics
) -> FoundSeries:
    """Return what can be counted in the time that is left: whole intervals, the newest first."""
    grid = Grid.of(question)
    reason = f"the time of {question.seconds_max:g} s was over"
    samples: dict[Labels, list[tuple[int, float]]] = defaultdict(list)
    exemplars: dict[Labels, list[Exemplar]] = defaultdict(list)
    traces = spans = 0
    is_estimated = False
    last = grid.count
    with contextlib.suppress(LateError):
        while last > 0 and not grid.is_instant:
            first = max(last - max(grid.count // _PARTS, 1), 0)
            some = replace(
                question,
                start_unix_nano=grid.start + first * grid.step,
                end_unix_nano=grid.start + last * grid.step,
                exemplars_max=question.exemplars_max // _PARTS,
            )
            found = _Counting(asking, catalog, some).run(body)
            is_estimated |= found.is_estimated
            for one in found.series:
                samples[one.labels][:0] = one.samples
                exemplars[one.labels] += one.exemplars
            traces, spans = traces + found.scanned.traces, spans + found.scanned.spans
            last = first
    if 0 < last < grid.count:
        reason += f"; counted are the newest {grid.count - last} of {grid.count} intervals"
    ordered = sorted(samples, key=str)[: question.series_max]
    return FoundSeries(
        tuple(Series(one, tuple(samples[one]), tuple(exemplars[one])) for one in ordered),
        is_complete=False,
        reason=reason,
        is_estimated=is_estimated,
        scanned=Scanned(traces, spans),
    )


class _Counting:
    """One question being answered."""

    def __init__(self, asking: Asking, catalog: Catalog, question: SeriesQuestion) -> None:
        self._asking = asking
        self._catalog = catalog
        self._question = question
        self._grid = Grid.of(question)
        self._exemplars: dict[Labels, list[Exemplar]] = defaultdict(list)
        self._per_octave = question.buckets_per_octave
        self._reason = ""
        self._is_estimated = self._by_weight = False
        self._spans = self._traces = 0
        self._low, self._high = 0, self._grid.count
        self._counted_already: dict[int, dict[Labels, dict[int, Partial]]] = {}
        if self._grid.count > INTERVALS_MAX:
            raise QuestionError(
                f"cannot count over time: the step makes {self._grid.count} intervals, "
                f"the limit is {INTERVALS_MAX}"
            )

    def run(self, body: tree.Metrics) -> FoundSeries:
        take = listener()
        if take is not None and not self._grid.is_instant and self._counts_all(body):
            for part in _SHOWN_PARTS:
                self._low = self._grid.count - self._grid.count // part
                if self._low < self._high:
                    counted = self._series(body)
                    if isinstance(counted, dict) and len(counted) <= self._question.series_max:
                        take(self._shown(counted))
                    self._high = self._low
            self._low = 0
        values = self._series(body)
        if isinstance(values, float):
            values = {(): [values] * self._grid.count}
        ordered = sorted(values.items(), key=lambda one: str(one[0]))
        if len(ordered) > self._question.series_max:
            ordered = ordered[: self._question.series_max]
            self._reason = f"there are more than {self._question.series_max} series"
        left = self._question.exemplars_max
        series = []
        for labels, numbers in ordered:
            exemplars = self._exemplars.get(labels, [])[:left]
            left -= len(exemplars)
            series.append(self._made(labels, numbers, exemplars))
        return FoundSeries(
            tuple(one for one in series if one.samples),
            is_complete=not self._reason,
            reason=self._reason,
            is_estimated=self._is_estimated,
            scanned=Scanned(self._traces, self._spans),
        )

    def _counts_all(self, node: tree.Metrics) -> bool:
        """Tell whether the engine counts all of it: then parts cost little more than the whole."""
        match node:
            case tree.MetricsMath(_, left, right):
                return self._counts_all(left) and self._counts_all(right)
            case tree.MetricsStaged(source, _):
                return self._counts_all(source)
            case tree.MetricsQuery(comparison=None):
                return self._is_counted(node)
            case _:
                return not isinstance(node, tree.MetricsQuery)

    def _shown(self, series: dict[Labels, Values]) -> FoundSeries:
        """Return what was counted last."""
        nothing: Values = [None] * self._low
        made = [
            self._made(labels, nothing + values[self._low : self._high], [])
            for labels, values in sorted(series.items(), key=lambda one: str(one[0]))
        ]
        return FoundSeries(
            tuple(one for one in made if one.samples),
            is_estimated=self._is_estimated,
            scanned=Scanned(self._traces, self._spans),
        )

    def _made(self, labels: Labels, values: Values, exemplars: list[Exemplar]) -> Series:
        samples = tuple(
            (self._grid.milli(place), value)
            for place, value in enumerate(values)
            if value is not None and not math.isnan(value)
        )
        return Series(labels, samples, tuple(exemplars))

    def _series(self, node: tree.Metrics) -> dict[Labels, Values] | float:
        match node:
            case tree.MetricsNumber(value):
                return value
            case tree.MetricsMath(operator, left, right):
                return calculated(operator, self._series(left), self._series(right))
            case tree.MetricsStaged(source, stages):
                series = self._series(source)
                for stage in stages:
                    if isinstance(series, float):
                        break
                    series = staged(series, stage)
                return series
            case tree.MetricsQuery(comparison=comparison) if comparison is not None:
                return self._compared(node, comparison)
            case tree.MetricsQuery():
                return self._measured(node)

    def _measured(self, query: tree.MetricsQuery) -> dict[Labels, Values]:
        if self._is_counted(query):
            partials = self._counted_already.setdefault(id(query), defaultdict(dict))
            for labels, counted in self._counted(query).items():
                partials[labels].update(counted)
        else:
            partials = self._walked(query)
        series = finished(query, partials, self._grid)
        for labels, by_interval in partials.items():
            ones = [one.exemplar for _, one in sorted(by_interval.items()) if one.exemplar]
            for whole in series:
                if whole[: len(labels)] == labels:
                    self._exemplars[whole] = ones
        return series

    # ------------------------------------------------------------------ counted by the engine

    def _is_counted(self, query: tree.MetricsQuery) -> bool:
        plan = Plan(query.source, self._catalog)
        label_texts = [plan.said(one) for one in query.by]
        has_operand = query.operand is None or plan.measured(query.operand) is not None
        return plan.is_plain and has_operand and None not in label_texts

    def _range(self, plan: Plan) -> str:
        start, step = self._grid.start, self._grid.step
        low, high = (plan.names.whole(start + place * step) for place in (self._low, self._high))
        return f"start {'>=' if self._grid.is_instant else '>'} {low} AND start <= {high}"

    def _interval(self, plan: Plan) -> str:
        if self._grid.is_instant:
            return "toInt64(0)"
        start, step = plan.names.whole(self._grid.start), plan.names.whole(self._grid.step)
        return f"intDiv(toInt64(start) - {start} - 1, {step})"

    def _counted(
        self, query: tree.MetricsQuery, *, with_arrays: bool = False
    ) -> dict[Labels, dict[int, Partial]]:
        plan = Plan(query.source, self._catalog, with_arrays=with_arrays)
        labels = [plan.said(one) or "''" for one in query.by]
        operand = plan.measured(query.operand) if query.operand is not None else None
        has, value, is_duration = operand or _ONE
        more = {
            "quantile_over_time": _quantiles(
                plan, query.quantiles, operand or _ONE, by_weight=self._by_weight
            ),
            "histogram_over_time": f"sumMapIf([{_exponent(value, self._per_octave)}], "
            f"[weight], {has})",
        }.get(query.function, "[]")
        where = joined_all([self._range(plan), plan.needs.span])
        names = [f"label{place}" for place in range(len(labels))]
        pieces = {
            "interval": self._interval(plan),
            "arrays": f"toUInt8({plan.arrays})",
            "weight": WEIGHT,
            "has": has,
            "value": value,
            "more": more,
            "labels": "".join(f",\n    {one} AS {n}" for one, n in zip(labels, names, strict=True)),
            "label_names": "".join(f", {name}" for name in names),
        }
        clause = plan.names.clause(where, *pieces.values())
        text = statement("spansets_series", rows_max=_ROWS_MAX, **pieces)
        text = text.replace("{with}", clause).replace("{where}", where)
        columns = self._asking.rows(plan, text, 11 + len(labels))
        needs_arrays = not with_arrays and any(columns[1])
        # Quantiles by weight are three times as dear: they are asked for where there are weights.
        needs_weight = not self._by_weight and any(columns[2])
        self._by_weight |= needs_weight
        if needs_arrays or (needs_weight and query.function == "quantile_over_time"):
            return self._counted(query, with_arrays=with_arrays or needs_arrays)
        self._is_estimated |= any(columns[2])
        if len(columns[0]) >= _ROWS_MAX:
            self._reason = f"more than {_ROWS_MAX} values were counted"
        divisor = 1e9 if is_duration else 1.0
        rows = [
            (self._labels(query, row[11:]), row[0], _partial(row, divisor, self._per_octave))
            for row in zip(*columns, strict=True)
        ]
        self._spans += sum(columns[3])
        return merged(rows)

    def _labels(self, query: tree.MetricsQuery, said: tuple[bytes, ...]) -> Labels:
        values = [typed_value(value_of(one)) if one else None for one in said]
        return _labelled(query, values)

    # ------------------------------------------------------------------ counted here

    def _walked(self, query: tree.MetricsQuery) -> dict[Labels, dict[int, Partial]]:
        plan, labels, operand, weight = self._walking(query, with_arrays=False)
        traces = self._read(plan)
        if any(flags & LOOK_AGAIN for trace in traces for flags in trace.flags):
            plan, labels, operand, weight = self._walking(query, with_arrays=True)
            traces = self._read(plan)
        found: dict[Labels, dict[int, Partial]] = defaultdict(lambda: defaultdict(Partial))
        for trace in traces:
            rows = sorted({row for one in plan.evaluate(trace) for row in one.spans})
            for row in rows:
                place = self._grid.interval(trace.starts[row])
                if place >= 0:
                    values = [one(trace, row) for one in labels]
                    named = _labelled(query, [v and typed_value(v) for v in values])
                    value = operand and operand(trace, row)
                    counts = weight(trace, row)
                    self._is_estimated |= counts > 1
                    _add(found[named][place], trace, row, value, counts, query, self._per_octave)
        return found

    def _walking(
        self, query: tree.MetricsQuery, *, with_arrays: bool
    ) -> tuple[Plan, list[Any], Any, Any]:
        plan = Plan(query.source, self._catalog, with_arrays=with_arrays)
        labels = [plan.getter(one) for one in query.by]
        operand = plan.getter(query.operand) if query.operand is not None else None
        return plan, labels, operand, plan.weight()

    def _read(self, plan: Plan) -> list[Trace]:
        names, grid = plan.names, self._grid
        low, high = (
            names.whole(max(grid.start - WINDOW_NANO, 0)),
            names.whole(grid.end + WINDOW_NANO),
        )
        window = f"start BETWEEN {low} AND {high}"
        chosen = [joined_all([self._range(plan), plan.needs.span])]
        chosen += [
            joined_all([window, one]) for one in dict.fromkeys(plan.needs.of_trace) if one != "1"
        ]
        where = "\n    AND ".join(
            f"trace_id IN ({names.clause(one)}SELECT trace_id FROM {{db}}.spans WHERE {one})"
            for one in chosen
        )
        traces, spans = self._asking.members(plan, where, window, SPANS_READ_MAX)
        self._traces += len(traces)
        self._spans += spans
        if spans > SPANS_READ_MAX:
            self._reason = f"more than {SPANS_READ_MAX} spans would have to be read"
        return traces

    # ------------------------------------------------------------------ comparisons

    def _compared(self, query: tree.MetricsQuery, comparison: tree.Compare) -> dict[Labels, Values]:
        source = Plan(query.source, self._catalog, with_arrays=True)
        selection = source.condition_of(comparison.selection.condition)
        if not source.is_plain or selection is None:
            raise PlaceError(
                "compare() of spans that only their traces decide on", at=comparison.at
            )
        if comparison.start_unix_nano or comparison.end_unix_nano:
            low = source.names.whole(comparison.start_unix_nano)
            high = source.names.whole(comparison.end_unix_nano)
            selection = joined_all([selection, f"start BETWEEN {low} AND {high}"])
        where = joined_all([self._range(source), source.needs.span])
        pieces = {
            "interval": self._interval(source),
            "weight": WEIGHT,
            "selected": f"toUInt8({selection})",
        }
        text = statement("spansets_compare", rows_max=_ROWS_MAX, **pieces)
        clause = source.names.clause(where, *pieces.values())
        text = text.replace("{with}", clause).replace("{where}", where)
        rows = list(zip(*self._asking.rows(source, text, 6), strict=True))
        self._is_estimated |= any(row[1] for row in rows)
        return self._compared_series(rows, comparison.top)

    def _compared_series(self, rows: list[tuple[Any, ...]], top: int) -> dict[Labels, Values]:
        counts: dict[tuple[int, bytes, bytes], list[float]] = {}
        for interval, _, is_selected, key, said, spans in rows:
            values = counts.setdefault((is_selected, key, said), [0.0] * self._grid.count)
            values[interval] += spans
        by_key: dict[tuple[int, bytes], dict[bytes, float]] = defaultdict(dict)
        for (is_selected, key, said), values in counts.items():
            by_key[is_selected, key][said] = sum(values)
        found: dict[Labels, Values] = {}
        for (is_selected, key), values_of_key in by_key.items():
            word = "selection" if is_selected else "baseline"
            name = key.decode(errors="replace")
            total = [0.0] * self._grid.count
            for said in values_of_key:
                total = [a + b for a, b in zip(total, counts[is_selected, key, said], strict=True)]
            if not name:
                continue
            totals: Labels = (
                ("__meta_type", ("string", f"{word}_total")),
                (name, ("string", "nil")),
            )
            found[totals] = [*total]
            for said in nlargest(top, values_of_key, key=values_of_key.__getitem__):
                value = _said(name, said)
                labels: Labels = (("__meta_type", ("string", word)), (name, value))
                found[labels] = [*counts[is_selected, key, said]]
        return found


def _said(name: str, said: bytes) -> TypedValue:
    kind, value = typed_value(value_of(said) if name in _PLAIN_KEYS else any_value(said))
    return ("string", "an array") if kind == "any" else (kind, value)


def _labelled(query: tree.MetricsQuery, values: list[TypedValue | None]) -> Labels:
    if not query.by:
        no_name = query.function in {"quantile_over_time", "histogram_over_time"}
        return () if no_name else (("__name__", ("string", query.function)),)
    return tuple((printed(one), value) for one, value in zip(query.by, values, strict=True))


def _partial(row: tuple[Any, ...], divisor: float, per_octave: int) -> Partial:
    _, _, _, _, spans, measured, total, least, most, more, one = row[:11]
    trace_id, span_id, start, value = one
    partial = Partial(
        spans,
        measured,
        total / divisor,
        least / divisor if measured else math.inf,
        most / divisor if measured else -math.inf,
        exemplar=Exemplar(start // 1_000_000, value / divisor, trace_id.hex(), span_id.hex()),
    )
    if len(more) == 2 and isinstance(more[0], tuple):
        partial.buckets = {
            2.0 ** (power / per_octave) / divisor: count
            for power, count in zip(*more, strict=True)
            if power > 0 or per_octave > 1
        }
    elif measured:
        partial.quantiles = [number / divisor for number in more]
    return partial


def _quantiles(
    plan: Plan, quantiles: Sequence[float], operand: tuple[str, str, bool], *, by_weight: bool
) -> str:
    has, value, _ = operand
    more = _ONE_MORE if by_weight else 0.0
    levels = ", ".join(plan.names.fraction(min(one + more, 1.0)) for one in quantiles)
    if by_weight:
        shares = f"toUInt64(round(weight * {SHARES}))"
        return f"quantilesExactWeightedIf({levels})({value}, {shares}, {has})"
    return f"quantilesExactIf({levels})({value}, {has})"


def _exponent(value: str, per_octave: int) -> str:
    """Return of which power of two a number is not above; 0 for what is below 2.

    Of a power of the `per_octave`-th root of two, where there are several bounds an octave.
    """
    times = f" * {per_octave:d}" if per_octave > 1 else ""
    return f"toInt16(if({value} < 2, 0, ceil(log2(greatest({value}, 2.)){times})))"


def _add(
    partial: Partial,
    trace: Trace,
    row: int,
    value: Any,
    weight: float,
    query: tree.MetricsQuery,
    per_octave: int,
) -> None:
    partial.spans += weight
    number = 1.0
    if query.operand is not None:
        kind, content = typed_value(value) if value is not None else ("nil", 0)
        if kind not in _NUMBERS:
            return
        divisor = 1e9 if kind == "duration" else 1.0
        number = float(content) / divisor
        if query.function == "histogram_over_time" and (content >= 2 or per_octave > 1):
            power = math.ceil(math.log2(content) * per_octave) if content >= 2 else 0
            bound = 2.0 ** (power / per_octave) / divisor
            partial.buckets[bound] = partial.buckets.get(bound, 0) + weight
        if query.function == "quantile_over_time":
            insort(partial.numbers, (number, share(weight)))
    partial.measured += weight
    partial.total += number * weight
    partial.least = min(partial.least, number)
    partial.most = max(partial.most, number)
    if partial.exemplar is None:
        partial.exemplar = Exemplar(
            trace.starts[row] // 1_000_000, number, trace.trace_id.hex(), trace.span_ids[row].hex()
        )
