"""Figures as a table: value, ratio to ceiling and floor, and the goal."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.measure import Figures
from bench.numbers import Spread
from bench.process import ROOT
from lymer import clock

__all__ = ["circumstances", "describe", "markdown", "number", "plain", "write_between"]

_GIB, _MIB = 2**30, 2**20
_GOAL_10M = 10_000_000


@dataclass(frozen=True, slots=True)
class _Row:
    what: str
    value: float
    unit: str
    ceiling: float | None = None
    floor: float | None = None
    goal: float | None = None
    is_more_better: bool = False

    @property
    def is_met(self) -> bool:
        if self.goal is None:
            return True
        return self.value >= self.goal if self.is_more_better else self.value <= self.goal

    def cells(self) -> list[str]:
        goal = "" if self.goal is None else f"{'≥' if self.is_more_better else '≤'} {self.goal:g}"
        return [
            self.what,
            number(self.value),
            self.unit,
            self._ratio(self.ceiling),
            self._ratio(self.floor),
            goal + ("" if self.is_met else " missed"),
        ]

    def _ratio(self, other: float | None) -> str:
        if not other or not self.value:
            return ""
        return f"{number(other)} ({self.value / other:.2f}×)"


def number(value: float) -> str:
    """Return three digits or so."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _ingest_rows(f: Figures) -> Iterator[_Row]:
    assert f.sent is not None
    assert f.floor is not None
    million = f.spans / 1e6
    ceiling, floor = f.ceiling, f.floor
    floor_cpu = floor.cpu_seconds / floor.spans * 1e6
    yield _Row("CPU-s per million spans, acknowledged", f.cpu_door / million, "s")
    yield _Row(
        "CPU-s per million spans, settled", f.cpu_settled / million, "s",
        ceiling["cpu_settled"] / million, floor_cpu, 12,
    )  # fmt: skip
    yield _Row("acknowledged", f.spans / f.sent.seconds, "spans/s", is_more_better=True)
    yield _Row(
        "stored and searchable", f.spans / f.stored_seconds, "spans/s",
        f.spans / ceiling["seconds"], floor.spans / floor.seconds, 120_000, is_more_better=True,
    )  # fmt: skip
    yield _Row("acknowledgement, p50", f.sent.ack_seconds.p50 * 1000, "ms")
    yield _Row("acknowledgement, p99", f.sent.ack_seconds.p99 * 1000, "ms")
    yield _Row(
        "memory, peak while loading", f.peak_memory / _GIB, "GiB",
        ceiling["peak_memory"] / _GIB, None, 1.2,
    )  # fmt: skip
    yield _Row("memory, settled", f.settled_memory / _GIB, "GiB")
    yield _Row("memory, after all questions", f.after_questions_memory / _GIB, "GiB")
    yield _Row(
        "disk, parts in use", f.parts["active"] / f.spans, "bytes/span",
        ceiling["active"] / f.spans, floor.disk_bytes / floor.spans, 58,
    )  # fmt: skip
    yield _Row("disk, whole folder, merged parts not yet removed", f.disk / f.spans, "bytes/span")
    yield _Row("parts of the span table", f.parts["span_parts"], "")
    yield _Row("start on an empty folder", f.start_seconds, "s")
    yield _Row("start on these spans", f.restart_seconds, "s")


def _live_rows(f: Figures) -> Iterator[_Row]:
    for what, freshness in f.freshness.items():
        for how, spread in (("by id", freshness.by_id), ("by search", freshness.by_search)):
            yield _Row(f"freshness, {what}, {how}, p50", spread.p50, "ms")
            yield _Row(f"freshness, {what}, {how}, p99", spread.p99, "ms", goal=2000)
    yield _Row("CPU at 100 spans/s", f.trickle_cpu * 100, "% of a core")
    if f.small_rate:
        yield _Row("requests of 1–10 spans, wall", f.small_rate, "requests/s")
        yield _Row(
            "requests of 1–10 spans, of one core", 1 / f.small_cpu, "requests/s",
            goal=3000, is_more_better=True,
        )  # fmt: skip


def _question_rows(f: Figures) -> Iterator[_Row]:
    assert f.floor is not None
    floors = {"trace by id": f.floor.by_id, "search: service, operation": f.floor.search}
    goals = {"trace by id": 15.0, "search: service, operation, tag, min duration": 40.0}
    is_large = f.spans >= _GOAL_10M
    for group in sorted({*f.questions, *f.direct}):
        direct, floor = f.direct.get(group), floors.get(group)
        asked = f.questions.get(group)
        if asked is None:
            assert direct is not None
            yield from _pair(f"{group} (store, no HTTP)", direct, None, None, None)
        else:
            yield from _pair(group, asked, direct, floor, goals.get(group) if is_large else None)


def _pair(
    what: str, asked: Spread, direct: Spread | None, floor: Spread | None, goal: float | None
) -> Iterator[_Row]:
    none = Spread(0, 0, 0)
    ceiling, low = direct or none, floor or none
    yield _Row(f"{what}, p50", asked.p50, "ms", ceiling.p50, low.p50, goal)
    yield _Row(f"{what}, p99", asked.p99, "ms", ceiling.p99, low.p99)
    yield _Row(f"{what}, CPU", asked.cpu, "CPU-ms", ceiling.cpu)


_HEAD = ["", "Lymer", "unit", "ceiling", "floor", "goal"]


def _title(f: Figures) -> str:
    window = f.plan.window_seconds
    times = f"starts spread over {window / 3600:g} h" if window else "starts in real time"
    return (
        f"{f.spans:,} spans, {f.body_bytes / f.spans:.0f} bytes of OTLP each, {times}; "
        f"{f.plan.protocol}, {f.plan.request_spans} spans a request, "
        f"{f.plan.connections} connections"
    )


def _rows(f: Figures) -> list[_Row]:
    return [*_ingest_rows(f), *_live_rows(f), *_question_rows(f)]


def _checked(f: Figures) -> str:
    sums = "sums of ids, starts and durations over all of them; " if f.has_checksum else ""
    return (
        f"Workload: {f.description}. Checked before reporting: number of spans; {sums}calls in "
        f"RED; {f.compared_spans:,} spans field by field."
    )


def plain(figures: Sequence[Figures]) -> str:
    """Return the tables for a terminal."""
    blocks = []
    for f in figures:
        cells = [_HEAD, *(row.cells() for row in _rows(f))]
        widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
        lines = [
            "  ".join(
                cell.ljust(width) if place != 1 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ]
        blocks.append("\n".join([_title(f), "", *lines, "", _checked(f)]))
    return "\n\n".join(blocks)


def markdown(figures: Sequence[Figures], facts: Sequence[tuple[str, str]]) -> str:
    """Return circumstances and tables as Markdown."""
    blocks = ["\n".join(f"- {name}: {value}" for name, value in facts)]
    for f in figures:
        lines = ["| " + " | ".join(_HEAD) + " |", "| --- | ---: | --- | --- | --- | --- |"]
        lines += ["| " + " | ".join(row.cells()) + " |" for row in _rows(f)]
        blocks.append("\n\n".join([f"### {_title(f)}", "\n".join(lines), _checked(f)]))
        missed = [
            f"{row.what}: {number(row.value)} {row.unit}" for row in _rows(f) if not row.is_met
        ]
        blocks.append("Goals missed: " + ("; ".join(missed) if missed else "none") + ".")
    return "\n\n".join(blocks)


def circumstances(command: Sequence[str], load_before: str) -> list[tuple[str, str]]:
    """Return machine, versions and load: without them no figure means anything."""
    moment = datetime.fromtimestamp(clock.unix_nano() / 1e9, UTC)
    return [
        ("date", moment.strftime("%Y-%m-%d %H:%M UTC")),
        ("command", " ".join(["python -m", *command])),
        ("commit", describe(ROOT)),
        ("machine", f"{os.cpu_count()} processors, {_processor()}, {_memory()}"),
        ("system", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"),
        (
            "versions",
            ", ".join(
                f"{name} {importlib.metadata.version(name)}"
                for name in ("chdb-core", "grpcio", "protobuf", "uvloop")
            ),
        ),
        ("load average", f"{load_before} before, {_load()} after"),
    ]


def write_between(path: Path, mark: str, text: str) -> None:
    """Replace what stands between the marks; what people wrote around them stays."""
    begin, end = f"<!-- {mark} begin -->", f"<!-- {mark} end -->"
    whole = path.read_text(encoding="utf-8") if path.exists() else f"{begin}{end}\n"
    before, _, rest = whole.partition(begin)
    after = rest.partition(end)[2]
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def _load() -> str:
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def describe(tree: Path) -> str:
    """Return the commit of a source tree, and whether it was changed since."""
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / _GIB:.0f} GiB"
