"""Systems side by side as Markdown: figures, and what Lymer holds against the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.peer_measure import Column
from bench.report import number

__all__ = ["LYMER", "OLDER", "growth", "holds", "table"]

LYMER: Final = "Lymer"
OLDER: Final = "Lymer, older"
_VICTORIA: Final = "VictoriaTraces"


@dataclass(frozen=True, slots=True)
class _Hold:
    what: str
    """A figure, or `group, p50` of the answers."""
    older_max: float
    """Most times the older commit's."""
    victoria_max: float | None
    """Most times VictoriaTraces'; None is for report only."""
    growth_max: float = 1.3
    """Most times the smaller size's."""


_HOLDS: Final = (
    _Hold("trace by id, p50", 0.5, 3),
    _Hold("search: service, p50", 0.4, 1.5),
    _Hold("search: service, operation, p50", 0.4, 1.5),
    _Hold("search: service, operation, tag, min duration, p50", 0.4, 2),
    _Hold("search: service, operation, tag, min duration, p99", 0.4, 2),
    _Hold("search: service, rare tag, p50", 0.4, None),
    _Hold("tag without service: rare, p50", 0.4, None),
    _Hold("services, p50", 0.3, 1),
    _Hold("operations, p50", 0.3, 1),
    _Hold("RED, all operations, p50", 0.4, 0.1),
    _Hold("CPU-s a million spans, settled", 0.8, 0.45, 1.05),
    _Hold("bytes a span, in use", 1.15, 0.85, 1.05),
)
"""Goals of the project's own issue."""


def _value(column: Column | None, what: str) -> float | None:
    if column is None or what in column.figures:
        return column.figures[what] if column else None
    group, _, kind = what.rpartition(", ")
    answers = column.answers.get(group)
    return float(getattr(answers.spread, kind)) if answers else None


def _ratio(upper: float | None, lower: float | None) -> str:
    return f"{upper / lower:.2f}" if upper is not None and lower else ""


def _judged(upper: float | None, lower: float | None, at_most: float | None) -> str:
    """Return a ratio with its goal and whether it is met."""
    ratio = _ratio(upper, lower)
    if not ratio or at_most is None:
        return ratio
    assert upper is not None
    assert lower
    return f"{ratio} (≤ {at_most:g}{'' if upper / lower <= at_most else ', missed'})"


def _rows(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    marks = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, marks, *lines])


def _names(columns: Sequence[Column], of: Callable[[Column], dict[str, object]]) -> list[str]:
    """Return the keys of all columns, each once, in their order."""
    return list(dict.fromkeys(name for column in columns for name in of(column)))


def table(columns: Sequence[Column]) -> str:
    """Return everything that was measured, and what each system is."""
    lines = []
    for what in _names(columns, lambda column: dict(column.figures)):
        values = (column.figures.get(what) for column in columns)
        lines.append([what, *("" if one is None else number(one) for one in values)])
    lines += [
        [f"{group}: p50 / p99 / CPU", *(_cell(column, group) for column in columns)]
        for group in _names(columns, lambda column: dict(column.answers))
    ]
    notes = [
        f"- {column.name}: {column.version}; changed: {column.changed}"
        + (f"; **failed**: {column.failed}" if column.failed else "")
        for column in columns
    ]
    return "\n\n".join([_rows(["", *(column.name for column in columns)], lines), "\n".join(notes)])


def _cell(column: Column, group: str) -> str:
    answers = column.answers.get(group)
    if answers is None:
        return ""
    spread = answers.spread
    times = " / ".join(number(one) for one in (spread.p50, spread.p99, spread.cpu))
    found = f" [{number(answers.found)}]" if answers.found else ""
    wrong = f" **{answers.wrong} of {spread.count} wrong**" if answers.wrong else ""
    return f"{times}{found}{wrong}"


def holds(columns: Sequence[Column]) -> str:
    """Return Lymer's ratios to its older commit and to VictoriaTraces; "" without either."""
    by_name = {column.name: column for column in columns}
    lymer, older, victoria = (by_name.get(name) for name in (LYMER, OLDER, _VICTORIA))
    if lymer is None or not (older or victoria):
        return ""
    lines = []
    for hold in _HOLDS:
        upper = _value(lymer, hold.what)
        cells = [hold.what, _judged(upper, _value(older, hold.what), hold.older_max)]
        cpu = _cpu_of(hold.what)
        cells.append(_ratio(_value(lymer, cpu), _value(older, cpu)) if cpu else "")
        cells.append(_judged(upper, _value(victoria, hold.what), hold.victoria_max))
        cells.append(_ratio(_value(lymer, cpu), _value(victoria, cpu)) if cpu else "")
        lines.append(cells)
    return _rows(["Lymer", "to the older commit", "CPU", "to VictoriaTraces", "CPU"], lines)


def _cpu_of(what: str) -> str:
    group, _, kind = what.rpartition(", ")
    return f"{group}, cpu" if kind in {"p50", "p99"} else ""


def growth(smaller: Sequence[Column], larger: Sequence[Column]) -> str:
    """Return what the larger size costs, in times of the smaller; goals are Lymer's."""
    lines = []
    before = {column.name: column for column in smaller}
    for hold in _HOLDS:
        cells = [hold.what]
        for column in larger:
            at_most = hold.growth_max if column.name == LYMER else None
            was = _value(before.get(column.name), hold.what)
            cells.append(_judged(_value(column, hold.what), was, at_most))
        lines.append(cells)
    return _rows(["growth", *(column.name for column in larger)], lines)
