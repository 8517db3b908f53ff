"""Questions to this tree and to an older one, in turns: `python -m bench.reads --old DIR`.

The same segments go into a store of each, by the tree's own program; then each is asked the same
questions, without HTTP (`direct.py` of each tree) and over HTTP, several rounds in turns. Printed
are ratios, new to old, of the medians of all rounds; CPU is the process'. Wall time only means
something on a quiet machine. The old tree needs its own `.venv`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.asking import ask_all
from bench.measure import segments_of
from bench.numbers import Spread, spread_of
from bench.process import ROOT, disk_bytes, require_linux, run_module
from bench.questions import Question, make_questions
from bench.server import Server
from bench.workload import make_workload

__all__ = ["main"]

_Rounds = dict[str, dict[Path, list[Spread]]]
"""Group → tree → one for each round."""


def _load(tree: Path, store: Path, segments: Sequence[tuple[str, int]]) -> dict[str, float]:
    """Load the segments; return what that took."""
    figures = run_module("bench.ceiling", {"folder": str(store), "segments": segments}, tree)
    spans = figures["spans"]
    return {
        "CPU-us a span, merges over": figures["cpu_settled"] / spans * 1e6,
        "bytes a span, parts in use": figures["active"] / spans,
        "bytes a span, whole folder": disk_bytes(store) / spans,
        "peak MiB while loading": figures["peak_memory"] / 2**20,
    }


def _ask_stores(stores: dict[Path, Path], questions: Sequence[Question], rounds: _Rounds) -> None:
    asked = [[f"store: {one.group}", one.method, one.arguments] for one in questions]
    for tree, store in stores.items():
        answers = run_module("bench.direct", {"folder": str(store), "questions": asked}, tree)
        for group, timed in answers["groups"].items():
            rounds[group][tree].append(spread_of(timed["milliseconds"], timed["cpu"]))


def _ask_servers(stores: dict[Path, Path], questions: Sequence[Question], rounds: _Rounds) -> None:
    for tree, store in stores.items():
        with Server(store.parent, tree=tree) as server:
            for group, spread in ask_all(server, questions).items():
                rounds[f"HTTP: {group}"][tree].append(spread)


def _print(rounds: _Rounds, old: Path) -> None:
    print(f"{'':56}{'CPU ms':>16}{'':>7}{'p50 ms':>16}{'':>7}{'p99 ms':>16}")
    for group, trees in sorted(rounds.items()):
        line = ""
        for name in ("cpu", "p50", "p99"):
            before, after = (
                median(getattr(one, name) for one in trees[tree]) for tree in (old, ROOT)
            )
            line += f"{before:8.2f} →{after:6.2f} {after / before if before else 0:5.2f}x"
        print(f"{group:56}{line}")


def main() -> int:
    """Measure and print; return the exit code."""
    require_linux()
    parser = argparse.ArgumentParser(prog="python -m bench.reads", description=__doc__)
    parser.add_argument("--old", type=Path, required=True, help="the other tree")
    parser.add_argument("--spans", type=int, default=1_000_000, help="in each store (1000000)")
    parser.add_argument("--window", type=float, help="seconds over which starts are spread")
    parser.add_argument("--rounds", type=int, default=3, help="of each tree (3)")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the questions (1)")
    parser.add_argument("--same-data", action="store_true", help="the old tree's folder, migrated")
    parser.add_argument("--no-http", action="store_true", help="ask the stores only")
    parser.add_argument("--folder", type=Path, help="work here, and leave the stores there")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="lymer-reads-"))
    old = arguments.old.resolve()
    workload = make_workload(folder / "workload.bin", arguments.spans, 512, arguments.window)
    segments = list(segments_of(workload, folder / "segments"))
    questions = make_questions(workload, arguments.scale)
    stores = {old: folder / "old/store", ROOT: folder / "new/store"}
    loads: dict[Path, dict[str, float]] = {}
    for tree, store in stores.items():
        shutil.rmtree(store.parent, ignore_errors=True)
        if tree == ROOT and arguments.same_data:
            shutil.copytree(stores[old].parent, store.parent, symlinks=True)
            loads[tree] = loads[old]
        else:
            loads[tree] = _load(tree, store, segments)
    for what, before in loads[old].items():
        print(f"{what:30}{before:8.2f} →{loads[ROOT][what]:8.2f} {loads[ROOT][what] / before:.2f}x")
    rounds: _Rounds = defaultdict(lambda: defaultdict(list))
    for _ in range(arguments.rounds):
        _ask_stores(stores, questions, rounds)
        if not arguments.no_http:
            _ask_servers(stores, questions, rounds)
    _print(rounds, old)
    if arguments.folder is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
