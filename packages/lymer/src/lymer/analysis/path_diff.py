"""Two traces, or two sets of traces, matched by the path of their calls, not by position."""

from __future__ import annotations

from dataclasses import dataclass

from lymer.analysis.profile import CallTree, call_tree
from lymer.analysis.span_frame import Ints, SpanFrame

__all__ = ["PathDifference", "compare", "sentence"]

Path = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PathDifference:
    """One path of calls in both; numbers are means over the traces of each side, nanoseconds."""

    path: Path
    """(service, operation), the root first."""
    calls: tuple[float, float]
    total: tuple[float, float]
    self_time: tuple[float, float]

    @property
    def change(self) -> float:
        """Return how much more self time the second side has here."""
        return self.self_time[1] - self.self_time[0]


def compare(
    one: SpanFrame, critical_one: Ints, other: SpanFrame, critical_other: Ints
) -> list[PathDifference]:
    """Return every path of either side, the largest change of self time first."""
    sides = [
        _by_path(one, call_tree(one, critical_one)),
        _by_path(other, call_tree(other, critical_other)),
    ]
    nothing = (0.0, 0.0, 0.0)
    found = []
    for path in dict.fromkeys([*sides[0], *sides[1]]):
        a, b = sides[0].get(path, nothing), sides[1].get(path, nothing)
        found.append(PathDifference(path, (a[0], b[0]), (a[1], b[1]), (a[2], b[2])))
    return sorted(found, key=lambda difference: (-abs(difference.change), difference.path))


def sentence(differences: list[PathDifference]) -> str:
    """Say the difference in a sentence."""
    if not differences:
        return "Neither side has spans."
    roots = [one for one in differences if len(one.path) == 1]
    before, after = (sum(one.total[side] for one in roots) for side in (0, 1))
    new = sum(1 for one in differences if not one.calls[0])
    gone = sum(1 for one in differences if not one.calls[1])
    text = f"The second takes {_millis(after)} where the first takes {_millis(before)}"
    main = differences[0]
    if main.change:
        share = abs(main.change) / abs(after - before) if after != before else 0.0
        service, operation = main.path[-1]
        how = "longer" if main.change > 0 else "less"
        text += f"; {service} {operation} itself takes {_millis(abs(main.change))} {how}"
        if 0 < share <= 1:
            text += f" ({share:.0%} of the difference)"
        if round(main.calls[0], 1) != round(main.calls[1], 1):
            text += f", in {main.calls[1]:.3g} calls instead of {main.calls[0]:.3g}"
    if new or gone:
        text += f"; {new} paths are new and {gone} are gone"
    return text + "."


def _by_path(frame: SpanFrame, tree: CallTree) -> dict[Path, tuple[float, float, float]]:
    traces = max(1, len(set(frame.table.trace.tolist())))
    names: list[Path] = []
    found: dict[Path, tuple[float, float, float]] = {}
    for at, (parent, operation) in enumerate(
        zip(tree.parent.tolist(), tree.operation.tolist(), strict=True)
    ):
        above = names[parent] if parent >= 0 else ()
        names.append((*above, frame.table.operations[operation]))
        found[names[at]] = (
            int(tree.spans[at]) / traces,
            int(tree.total[at]) / traces,
            int(tree.self_time[at]) / traces,
        )
    return found


def _millis(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:.3g} ms"
