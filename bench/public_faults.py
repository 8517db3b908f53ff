"""How often the faulty service comes first on a public set: `python -m bench.public_faults FOLDER`.

FOLDER is a checkout of github.com/IntelligentDDS/Nezha (FSE 2023): faults injected into
OnlineBoutique and TrainTicket, minutes of spans as CSV, without kinds or statuses, and one recorded
minute without a fault a day. `--otlp OUT` writes each incident as OTLP JSON instead, one request a
line, for `lymer import` or a receiver. AC@k and Avg@5 are those of `bench.incidents`.

What was looked at while the rules were made: 2022-08-22 and 2023-01-29. The other two days are
held out.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.incidents import scores
from lymer.analysis.root_cause import find_causes
from lymer.analysis.span_frame import SpanFrame
from lymer.model.span_table import SpanTable

HELD_OUT: Final = ("2022-08-23", "2023-01-30")
SEEN: Final = ("2022-08-22", "2023-01-29")
_MINUTES: Final = range(-1, 4)
"""Files around an injection: a file has the minute before its name."""


@dataclass(frozen=True, slots=True)
class Line:
    """One span of the set."""

    trace_id: str
    span_id: str
    parent_id: str
    pod: str
    name: str
    start: int
    end: int

    @property
    def service(self) -> str:
        """Return the pod without its replica set and its own name."""
        return self.pod.rsplit("-", 2)[0]


@dataclass(frozen=True, slots=True)
class Incident:
    """One injected fault."""

    name: str
    kind: str
    service: str
    start: int
    lines: list[Line]


def incidents(folder: Path, day: str, *, with_usual: bool) -> Iterator[Incident]:
    """Yield the faults of a day of which spans are there.

    Args:
        folder: Of the set.
        day: Such as 2022-08-22.
        with_usual: Whether the day's recording without a fault is put before.
    """
    usual = []
    if with_usual:
        for path in sorted((folder / "construct_data" / day / "trace").glob("*.csv")):
            usual += _lines(path)
    listed = json.loads((folder / "rca_data" / day / f"{day}-fault_list.json").read_text())
    for fault in (one for hour in listed.values() for one in hour):
        at = datetime.fromisoformat(fault["inject_time"]).replace(tzinfo=UTC)
        names = [f"{at + timedelta(minutes=shift):%H_%M}_trace.csv" for shift in _MINUTES]
        paths = [folder / "rca_data" / day / "trace" / name for name in names]
        there = [path for path in paths if path.exists()]
        if len(there) < 2:
            continue  # the fault itself was not recorded
        lines = [*usual, *(line for path in there for line in _lines(path))]
        service = fault["inject_pod"].rsplit("-", 2)[0]
        name = f"{day} {at:%H:%M:%S}"
        start = round(at.timestamp()) * 10**9
        yield Incident(name, fault["inject_type"], service, start, lines)


def _lines(path: Path) -> list[Line]:
    with path.open(newline="") as file:
        return [
            Line(row["TraceID"], row["SpanID"], _hex(row["ParentID"]), row["PodName"],
                 row["OperationName"], int(row["StartTimeUnixNano"]), int(row["EndTimeUnixNano"]))
            for row in csv.DictReader(file)
            if _hex(row["SpanID"]) and row["StartTimeUnixNano"].isdigit()
        ]  # fmt: skip


def _hex(text: str) -> str:
    """Return an id, or nothing: roots have `root` as their parent."""
    return text if len(text) == 16 and set(text) <= set("0123456789abcdef") else ""


def to_table(lines: Sequence[Line]) -> SpanTable:
    """Return the spans as the store would hand them over."""
    traces: dict[str, int] = {}
    operations: dict[tuple[str, str], int] = {}

    def column(values: Any) -> Any:
        return np.array(list(values), dtype=np.int64)

    table = SpanTable(
        trace=column(traces.setdefault(one.trace_id, len(traces)) for one in lines),
        span_id=np.array([int(one.span_id, 16) for one in lines], dtype=np.uint64),
        parent_id=np.array([int(one.parent_id or "0", 16) for one in lines], dtype=np.uint64),
        start=column(one.start for one in lines),
        duration=column(max(one.end - one.start, 0) for one in lines),
        kind=np.zeros(len(lines), dtype=np.int64),
        is_error=np.zeros(len(lines), dtype=bool),
        operation=column(
            operations.setdefault((one.service, one.name), len(operations)) for one in lines
        ),
        operations=[],
    )
    table.operations.extend(operations)
    return table


def to_otlp(incident: Incident, spans_max: int = 5_000) -> Iterator[bytes]:
    """Yield the spans as OTLP JSON requests."""
    for first in range(0, len(incident.lines), spans_max):
        by_pod: dict[str, list[Line]] = {}
        for line in incident.lines[first : first + spans_max]:
            by_pod.setdefault(line.pod, []).append(line)
        yield json.dumps(
            {
                "resourceSpans": [
                    {
                        "resource": {
                            "attributes": [
                                {"key": "service.name", "value": {"stringValue": some[0].service}},
                                {"key": "k8s.pod.name", "value": {"stringValue": pod}},
                            ]
                        },
                        "scopeSpans": [{"spans": [_otlp_span(line) for line in some]}],
                    }
                    for pod, some in by_pod.items()
                ]
            }
        ).encode()


def _otlp_span(line: Line) -> dict[str, str]:
    span = {
        "traceId": line.trace_id,
        "spanId": line.span_id,
        "name": line.name,
        "startTimeUnixNano": str(line.start),
        "endTimeUnixNano": str(line.end),
    }
    return {**span, "parentSpanId": line.parent_id} if line.parent_id else span


def _place(ranked: Sequence[tuple[str, str | None]], service: str) -> int | None:
    names = list(dict.fromkeys(one for one, _ in ranked))
    return names.index(service) + 1 if service in names else None


def _row(name: str, places: list[tuple[int | None, int | None, int | None]]) -> str:
    cells = []
    for at in range(3):
        first, third, average = scores([one[at] for one in places])
        cells.append(f"{first:.0%} / {third:.0%} / {average:.0%}")
    return f"| {name} | {len(places)} | {' | '.join(cells)} |"


def _measure(folder: Path, day: str, *, with_usual: bool) -> None:
    rows: dict[str, list[tuple[int | None, int | None, int | None]]] = {}
    for incident in incidents(folder, day, with_usual=with_usual):
        frame = SpanFrame.of(to_table(incident.lines))
        begin, end = int(frame.table.start.min()), int(frame.table.start.max()) + 1
        known = find_causes(frame, begin, end, window=(incident.start, end))
        found = find_causes(frame, begin, end)
        ranked, again = (
            [(one.place.service, one.place.operation) for one in causes.candidates]
            for causes in (known, found)
        )
        rows.setdefault(incident.kind, []).append(
            (
                _place(ranked, incident.service),
                _place(again, incident.service),
                _place(known.by_rule, incident.service),
            )
        )
    what = f"{day}{', held out' if day in HELD_OUT else ''}{', with the usual minute' * with_usual}"
    print(_row(f"**{what}**", [one for some in rows.values() for one in some]))
    for kind, some in sorted(rows.items()):
        print(_row(kind, some))
    sys.stdout.flush()


def main() -> None:
    """Print the tables, as markdown, or write the incidents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--day", action="append", help="default: all four")
    parser.add_argument("--otlp", type=Path, help="write the incidents there instead")
    options = parser.parse_args()
    days = options.day or [*HELD_OUT, *SEEN]
    if options.otlp:
        options.otlp.mkdir(parents=True, exist_ok=True)
        for day in days:
            for incident in incidents(options.folder, day, with_usual=True):
                name = incident.name.replace(" ", "T").replace(":", "")
                path = options.otlp / f"{name}-{incident.service}-{incident.kind}.jsonl"
                path.write_bytes(b"\n".join(to_otlp(incident)) + b"\n")
        return
    print("| AC@1 / AC@3 / Avg@5 | faults | window known | window found | plain rule, known |")
    print("|---|---|---|---|---|")
    for day in days:
        for with_usual in (True, False):
            usual = options.folder / "construct_data" / day / "trace"
            if with_usual and not [*usual.glob("*.csv")]:
                continue
            _measure(options.folder, day, with_usual=with_usual)


if __name__ == "__main__":
    main()
