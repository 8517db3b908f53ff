"""One size, start to end: workload, server, questions, restart, baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.asking import ask_all, check_truth
from bench.floor import Floor, measure_floor
from bench.freshness import Freshness, measure_freshness
from bench.load import Sent, send_all, send_paced, send_small, small_requests
from bench.numbers import Spread, spread_of
from bench.process import disk_bytes, run_module
from bench.questions import Question, make_questions
from bench.server import Server
from bench.workload import Workload, make_workload
from lymer import clock

__all__ = ["Figures", "Plan", "check_sums", "measure", "segments_of"]

_SEGMENT_BYTES = 24 * 2**20
"""Lymer's default."""
_STEADY_PACE = 30_000
"""Spans a second that two processors carry beside the sender and the questions."""
_PACE_MAX = 150_000
"""Spans a second that are offered where no pace is set, about."""
_TRICKLE_PACE = 100
"""Spans a second of a few small services."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    spans: int
    request_spans: int
    connections: int
    protocol: str
    window_seconds: float | None
    is_quick: bool
    settings: tuple[str, ...]
    """`path=value` for the server, beside the defaults."""


@dataclass(slots=True)
class Figures:
    """All that was measured at one size. Processor seconds are the server's own."""

    plan: Plan
    description: str = ""
    has_checksum: bool = True
    """False if only the number of spans could be compared."""
    spans: int = 0
    body_bytes: int = 0
    start_seconds: float = 0.0
    restart_seconds: float = 0.0
    sent: Sent | None = None
    cpu_door: float = 0.0
    cpu_settled: float = 0.0
    stored_seconds: float = 0.0
    peak_memory: int = 0
    settled_memory: int = 0
    after_questions_memory: int = 0
    disk: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    compared_spans: int = 0
    questions: dict[str, Spread] = field(default_factory=dict)
    direct: dict[str, Spread] = field(default_factory=dict)
    freshness: dict[str, Freshness] = field(default_factory=dict)
    trickle_cpu: float = 0.0
    """Part of one processor."""
    small_rate: float = 0.0
    small_cpu: float = 0.0
    ceiling: dict[str, Any] = field(default_factory=dict)
    floor: Floor | None = None


def measure(plan: Plan, folder: Path, say: Callable[[str], None]) -> Figures:
    """Measure one size in `folder`, which must be empty.

    Raises:
        RuntimeError: Something came back wrong, so no time is worth reporting.
    """
    say(f"making {plan.spans} spans")
    workload = make_workload(
        folder / "workload.bin", plan.spans, plan.request_spans, plan.window_seconds
    )
    figures = Figures(plan, workload.description, workload.has_checksum)
    figures.spans, figures.body_bytes = workload.spans, workload.body_bytes
    questions = make_questions(workload, 0.1 if plan.is_quick else 1.0)
    with Server(folder / "data", plan.settings) as server:
        figures.start_seconds = server.start_seconds
        _ingest(figures, server, workload, say)
        say("asking")
        figures.compared_spans = check_truth(server, workload)
        figures.questions = ask_all(server, questions)
        figures.after_questions_memory = server.memory()
    say("asking the store itself")
    _ask_store(figures, folder / "data" / "store", workload, questions)
    with Server(folder / "data", plan.settings) as server:
        figures.restart_seconds = server.start_seconds
        if not plan.is_quick:
            server.settle()
        _measure_trickle(figures, server, workload, say)
        _measure_small(figures, server, workload, say)
        _measure_freshness(figures, server, workload, say)
    say("measuring ceiling and floor")
    figures.floor = measure_floor(workload, folder)
    figures.ceiling = _measure_ceiling(workload, folder)
    if figures.ceiling["spans"] != workload.spans:
        raise RuntimeError("refusing to report: the ceiling was given other spans")
    return figures


def _ingest(
    figures: Figures, server: Server, workload: Workload, say: Callable[[str], None]
) -> None:
    say("sending")
    plan, cpu = figures.plan, server.cpu()
    sent = send_all(server.endpoint(plan.protocol), workload, plan.protocol, plan.connections)
    figures.sent = sent
    figures.cpu_door = server.cpu() - cpu
    figures.stored_seconds = server.wait_stored(workload.spans) - sent.began_seconds
    say(f"sent in {sent.seconds:.1f} s, stored in {figures.stored_seconds:.1f} s; settling")
    figures.cpu_settled = server.settle() - cpu
    figures.peak_memory, figures.settled_memory = server.peak_memory(), server.memory()
    figures.disk = disk_bytes(server.folder)


def _ask_store(
    figures: Figures, store: Path, workload: Workload, questions: Sequence[Question]
) -> None:
    """Ask without HTTP, and check the sum of all spans."""
    order = {
        "folder": str(store),
        "questions": [[one.group, one.method, one.arguments] for one in questions],
    }
    answers = run_module("bench.direct", order)
    figures.parts = answers["bytes"]
    figures.direct = {
        group: spread_of(timed["milliseconds"], timed["cpu"])
        for group, timed in answers["groups"].items()
    }
    check_sums(answers, workload)


def check_sums(answers: dict[str, Any], workload: Workload) -> None:
    """Compare what `bench.direct` found in a store with what was sent.

    Raises:
        RuntimeError: Spans are missing, too many, or different.
    """
    sums = workload.checksum
    wanted = [sums.spans, sums.span_ids, sums.trace_ids, sums.starts, sums.durations]
    found = answers["checksum"]
    if not workload.has_checksum:
        wanted, found = wanted[:1], found[:1]
    if found != wanted:
        raise RuntimeError(f"refusing to report: the store holds {found}, sent were {wanted}")
    if answers["red_calls"] != workload.spans:
        message = f"RED counts {answers['red_calls']} calls of {workload.spans}"
        raise RuntimeError(f"refusing to report: {message}")


def _measure_freshness(
    figures: Figures, server: Server, workload: Workload, say: Callable[[str], None]
) -> None:
    """Measure without load, at a steady pace, and with all the server acknowledges."""
    plan = figures.plan
    say("measuring freshness")
    figures.freshness["no other load"] = measure_freshness(server, 6 if plan.is_quick else 60, None)
    seconds = 3 if plan.is_quick else 15
    for what, pace in ((f"{_STEADY_PACE:,} spans/s", _STEADY_PACE), ("as fast as it goes", None)):
        # The same spans again: the server does not know.
        spans = seconds * (pace or _PACE_MAX)
        part = Workload(workload.path, "", workload.requests[: spans // plan.request_spans])

        def load(part: Workload = part, pace: int | None = pace) -> None:
            send_all(server.endpoint(plan.protocol), part, plan.protocol, plan.connections, pace)

        figures.freshness[what] = measure_freshness(server, 1000, load)
        server.wait_loaded()


def _measure_trickle(
    figures: Figures, server: Server, workload: Workload, say: Callable[[str], None]
) -> None:
    """Measure what a server costs that has nearly nothing to do."""
    say("sending a trickle")
    spans = _TRICKLE_PACE * (5 if figures.plan.is_quick else 30)
    requests = small_requests(workload, spans // 5, seed=12)
    cpu, began = server.cpu(), clock.monotonic_seconds()
    send_paced(server, requests, _TRICKLE_PACE)
    figures.trickle_cpu = (server.cpu() - cpu) / (clock.monotonic_seconds() - began)


def _measure_small(
    figures: Figures, server: Server, workload: Workload, say: Callable[[str], None]
) -> None:
    say("sending small requests")
    requests = small_requests(workload, 2_000 if figures.plan.is_quick else 20_000)
    stored = server.metric("lymer_store_spans_total")
    figures.small_rate, figures.small_cpu = send_small(server, requests, channels=4, calls=32)
    server.wait_stored(int(stored) + sum(spans for _, spans in requests))


def _measure_ceiling(workload: Workload, folder: Path) -> dict[str, Any]:
    segments = list(segments_of(workload, folder / "segments"))
    order = {"folder": str(folder / "ceiling"), "segments": segments}
    return run_module("bench.ceiling", order)


def segments_of(workload: Workload, folder: Path) -> list[tuple[str, int]]:
    """Cut the workload into segment files as large as the journal's; its framing is the same."""
    folder.mkdir(exist_ok=True)
    segments: list[tuple[str, int]] = []
    with workload.path.open("rb") as file:
        offset = spans = 0
        for _, end, count in workload.requests:
            spans += count
            if end - offset >= _SEGMENT_BYTES or end == workload.requests[-1][1]:
                path = folder / f"{len(segments):06d}.otlp"
                path.write_bytes(file.read(end - offset))
                segments.append((str(path), spans))
                offset, spans = end, 0
    return segments
