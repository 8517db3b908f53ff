"""Lymer beside other tracing backends, one run: `python -m bench.peers`.

Each system gets the same spans over OTLP/HTTP, is left to settle, and is asked the same questions
by its own API. Which ones is said by the environment, with the path of a program each, built by
you: LYMER_PEER_VICTORIATRACES, LYMER_PEER_JAEGER, LYMER_PEER_TEMPO; and LYMER_PEER_LYMER, the tree
of an older commit with its own `.venv`. This tree is always among them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Final

from bench.numbers import count_of
from bench.peer_measure import Column, measure_lymer, measure_peer
from bench.peer_report import LYMER, OLDER, growth, holds, table
from bench.peer_systems import PEERS, Peer
from bench.process import ROOT, require_linux
from bench.questions import Question, make_questions
from bench.report import circumstances, describe, write_between
from bench.workload import Workload, make_workload
from lymer import clock

__all__ = ["main"]

_OLDER_TREE: Final = "LYMER_PEER_LYMER"
_FAILURES: Final = (RuntimeError, OSError, HTTPException, ValueError, KeyError)
"""No start, no answer in time, an answer of another form."""
_REMEDY: Final = (
    'build it (bench/README.md, "Beside other systems") and give its path, or unset it to go '
    "without"
)
_REQUEST_SPANS: Final = 512
_EMPTY_NANO: Final = 540 * 10**9
"""Of the ten minutes of slack behind the newest start; a trace lasts less than what is left."""
_DAY_SPANS_MIN: Final = 5_000_000
"""From there on starts are spread over a day, else over an hour."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--spans", default="1m", help="sizes, such as 1m,10m (1m)")
    parser.add_argument("--only", nargs="*", help="names of systems: a part of those there are")
    parser.add_argument("--about", nargs="*", help="texts: kinds of questions that hold one (all)")
    parser.add_argument("--quick", action="store_true", help="few questions: a smoke run")
    parser.add_argument("--markdown", type=Path, help="write the tables into this file, too")
    parser.add_argument("--folder", type=Path, help="where to work (a temporary folder)")
    return parser.parse_args()


def _columns(only: list[str] | None) -> list[tuple[Column, Peer | Path | None]]:
    """Return what is to be measured: a peer, an older tree, or None for this tree.

    Raises:
        SystemExit: A variable names no program, or no tree.
    """
    for peer in PEERS:
        path = os.environ.get(peer.variable)
        if path and shutil.which(path) is None:
            raise SystemExit(
                f"cannot measure: {peer.variable} names no program: {path}; {_REMEDY} {peer.name}"
            )
    found: list[tuple[Column, Peer | Path | None]] = []
    if older := os.environ.get(_OLDER_TREE):
        tree = Path(older).resolve()
        if not (tree / ".venv/bin/python").exists():
            raise SystemExit(
                f"cannot measure: {_OLDER_TREE} names no tree with a .venv: {older}; run "
                "`git worktree add` and `make setup` there, or unset it to go without"
            )
        found.append((Column(OLDER, describe(tree), "nothing"), tree))
    found.append((Column(LYMER, describe(ROOT), "nothing"), None))
    found += [
        (Column(peer.name, _version(peer), peer.changed), peer)
        for peer in PEERS
        if os.environ.get(peer.variable)
    ]
    return [pair for pair in found if only is None or pair[0].name in only]


def _version(peer: Peer) -> str:
    """Return what a program says of itself; nothing if it is broken, which its start tells."""
    try:
        done = subprocess.run(
            [os.environ[peer.variable], *peer.version],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return " ".join((done.stdout or done.stderr).split())[:120]


def _fill(
    column: Column,
    system: Peer | Path | None,
    folder: Path,
    workload: Workload,
    questions: list[Question],
    *,
    is_quick: bool,
) -> None:
    folder.mkdir()
    try:
        if isinstance(system, Peer):
            measure_peer(column, system, folder, workload, questions)
        else:
            measure_lymer(column, system, folder, workload, questions, is_quick=is_quick)
    except _FAILURES as error:  # the others are still worth something
        column.failed = str(error) or type(error).__name__
        print(error, file=sys.stderr)
    finally:
        shutil.rmtree(folder)


@dataclass(slots=True)
class _Size:
    """What was measured of one size so far."""

    heading: str
    columns: list[Column] = field(default_factory=list)


def _measure(
    spans: int, arguments: argparse.Namespace, folder: Path, sizes: list[_Size]
) -> Iterator[None]:
    """Measure one size; yield after each system."""
    started = clock.monotonic_seconds()
    hours = 24 if spans >= _DAY_SPANS_MIN else 1
    workload = make_workload(folder / "workload.bin", spans, _REQUEST_SPANS, hours * 3600.0)
    # People ask until now: some systems look at the newest minutes first, which must not be empty.
    workload.last_unix_nano -= _EMPTY_NANO
    questions = [
        one
        for one in make_questions(workload, 0.1 if arguments.quick else 1.0)
        if arguments.about is None or any(text in one.group for text in arguments.about)
    ]
    if not questions:
        raise SystemExit(f"cannot measure: no kind of question holds {arguments.about}")
    heading = f"### {workload.spans:,} spans over {hours} h\n\nWorkload: {workload.description}."
    sizes.append(_Size(heading))
    for number, (column, system) in enumerate(_columns(arguments.only)):
        elapsed = clock.monotonic_seconds() - started
        print(f"[{elapsed:5.0f} s] {workload.spans:,} spans: {column.name}", file=sys.stderr)
        where = folder / str(number)
        _fill(column, system, where, workload, questions, is_quick=arguments.quick)
        sizes[-1].columns.append(column)
        yield


def _text(sizes: list[_Size], load: str) -> str:
    facts = circumstances(["bench.peers", *sys.argv[1:]], load)
    blocks = ["\n".join(f"- {name}: {value}" for name, value in facts)]
    for size in sizes:
        blocks += [size.heading, holds(size.columns), table(size.columns)]
    if len(sizes) > 1:
        blocks.append(growth(sizes[0].columns, sizes[-1].columns))
    return "\n\n".join(block for block in blocks if block)


def main() -> int:
    """Measure, print; return the exit code: 1 where Lymer's own answers are wrong."""
    require_linux()
    arguments = _arguments()
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    sizes: list[_Size] = []
    variables = dict.fromkeys([_OLDER_TREE, *(peer.variable for peer in PEERS)])
    if missing := [name for name in variables if not os.environ.get(name)]:
        print(f"not beside {', '.join(missing)}, not set (bench/README.md)", file=sys.stderr)
    for spans in map(count_of, arguments.spans.split(",")):
        with tempfile.TemporaryDirectory(prefix="lymer-peers-", dir=arguments.folder) as name:
            for _ in _measure(spans, arguments, Path(name), sizes):
                # A run may take an hour: what ends it leaves the systems that are done.
                if arguments.markdown:
                    write_between(arguments.markdown, "peers", _text(sizes, load))
    print(_text(sizes, load))
    ours = [column for size in sizes for column in size.columns if column.name == LYMER]
    is_wrong = any(
        column.failed or any(one.wrong for one in column.answers.values()) for column in ours
    )
    return 1 if is_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
