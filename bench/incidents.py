"""How often the planted cause comes first, beside a plain rule: `python -m bench.incidents`.

AC@k: part of the incidents whose cause is among the first k; Avg@5: mean of AC@1 to AC@5. Services
and operations are counted apart, as the papers on faults in microservices do.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Final

from lymer.analysis.attribution import attribute, fact_of
from lymer.analysis.root_cause import Causes, find_causes
from lymer.analysis.span_frame import SpanFrame
from lymer.incidents.kinds import KINDS, Fault
from lymer.incidents.traffic import BASELINE_SECONDS, INCIDENT_SECONDS, draw_traffic

_END: Final = 1_700_000_000_000_000_000
_BEGIN: Final = _END - (BASELINE_SECONDS + INCIDENT_SECONDS) * 10**9
_FIRST_SEED: Final = 10_000
"""Seeds below were looked at while this was written."""
_Ranked = Sequence[tuple[str, str | None]]


def _place(ranked: _Ranked, fault: Fault, *, with_operation: bool) -> int | None:
    seen: list[tuple[str, str | None]] = []
    for service, operation in ranked:
        one = (service, operation if with_operation else None)
        if one not in seen:
            seen.append(one)
    for number, (service, operation) in enumerate(seen, 1):
        if service == fault.service and (
            not with_operation or fault.operation in {None, operation} or operation is None
        ):
            return number
    return None


def scores(places: list[int | None]) -> tuple[float, float, float]:
    """Return AC@1, AC@3 and Avg@5 of places; None is no place."""

    def within(limit: int) -> float:
        return sum(place is not None and place <= limit for place in places) / len(places)

    return within(1), within(3), sum(within(limit) for limit in range(1, 6)) / 5


def _explains(frame: SpanFrame, causes: Causes, fault: Fault) -> bool:
    if not causes.candidates:
        return False
    start = frame.table.start
    during = (start >= causes.start_unix_nano) & (start < causes.end_unix_nano)
    first = causes.candidates[0]
    found = attribute(frame, first, during)
    told = found[0].fact if found else fact_of(first.place)
    if fault.attribute is None:
        return not found and first.place.service == fault.service
    return (told.key, told.value) == (fault.attribute, fault.value)


def main() -> None:
    """Print the tables, as markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=12, help="of each kind")
    parser.add_argument("--quiet", type=int, default=50, help="periods without an incident")
    options = parser.parse_args()
    print("| kind | AC@1 | AC@3 | Avg@5 | what is different first | rule AC@1 | rule AC@3 |")
    print("|---|---|---|---|---|---|---|")
    ours: list[tuple[int | None, int | None, int | None]] = []
    explained: list[bool] = []
    began = time.perf_counter()
    for kind in KINDS:
        rows, right = [], []
        for seed in range(_FIRST_SEED, _FIRST_SEED + options.incidents):
            traffic = draw_traffic(kind, seed, _END)
            assert traffic.fault is not None
            frame = SpanFrame.of(traffic.table)
            causes = find_causes(frame, _BEGIN, _END)
            ranked = [(one.place.service, one.place.operation) for one in causes.candidates]
            rows.append(
                (
                    _place(ranked, traffic.fault, with_operation=True),
                    _place(ranked, traffic.fault, with_operation=False),
                    _place(causes.by_rule, traffic.fault, with_operation=True),
                )
            )
            right.append(_explains(frame, causes, traffic.fault))
        _print_row(kind, rows, right)
        ours += rows
        explained += right
    _print_row("all", ours, explained)
    service = scores([one[1] for one in ours])
    print(f"\nServices alone: AC@1 {service[0]:.0%}, AC@3 {service[1]:.0%}, Avg@5 {service[2]:.0%}")
    alarms = 0
    for seed in range(_FIRST_SEED, _FIRST_SEED + options.quiet):
        frame = SpanFrame.of(draw_traffic(None, seed, _END).table)
        alarms += bool(find_causes(frame, _BEGIN, _END).candidates)
    print(f"Alarms in {options.quiet} quiet periods: {alarms}")
    print(f"{time.perf_counter() - began:.0f} s altogether")


def _print_row(
    name: str, rows: list[tuple[int | None, int | None, int | None]], right: list[bool]
) -> None:
    first, third, average = scores([one[0] for one in rows])
    rule = scores([one[2] for one in rows])
    print(
        f"| {name} | {first:.0%} | {third:.0%} | {average:.0%} | {sum(right) / len(right):.0%} | "
        f"{rule[0]:.0%} | {rule[1]:.0%} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
