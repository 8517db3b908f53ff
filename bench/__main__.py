"""`python -m bench`: measure, print the table, keep it as Markdown if asked to."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bench.measure import Plan, measure
from bench.numbers import count_of
from bench.process import require_linux
from bench.report import circumstances, markdown, plain, write_between
from lymer import clock

_LARGE_SPANS = 5_000_000
_DAY_SECONDS = 86400.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--spans", default="1m", help="sizes, such as 200k or 1m,10m (1m)")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the questions: a smoke run"
    )
    parser.add_argument("--connections", type=int, default=8, help="at once (8)")
    parser.add_argument("--request-spans", type=int, default=512, help="spans of a request (512)")
    parser.add_argument("--protocol", choices=["grpc", "http/protobuf"], default="grpc")
    parser.add_argument(
        "--window",
        type=float,
        help="seconds over which starts are spread; 0 is real time (0, and a day from 5m spans on)",
    )
    parser.add_argument("--set", action="append", default=[], help="PATH=VALUE for the server")
    parser.add_argument("--markdown", type=Path, help="write the tables into this file, too")
    parser.add_argument("--folder", type=Path, help="where to work (a temporary folder)")
    return parser.parse_args()


def main() -> int:
    """Measure every size; return the exit code."""
    arguments = _arguments()
    require_linux()
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    figures = []
    for size in map(count_of, arguments.spans.split(",")):
        window = arguments.window
        if window is None and size >= _LARGE_SPANS:
            window = _DAY_SECONDS
        plan = Plan(
            size,
            arguments.request_spans,
            arguments.connections,
            arguments.protocol,
            window or None,
            arguments.quick,
            tuple(arguments.set),
        )
        folder = Path(tempfile.mkdtemp(prefix="lymer-bench-", dir=arguments.folder))
        started = clock.monotonic_seconds()

        def say(text: str, started: float = started) -> None:
            print(f"[{clock.monotonic_seconds() - started:5.1f} s] {text}", file=sys.stderr)

        try:
            figures.append(measure(plan, folder, say))
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    facts = circumstances(["bench", *sys.argv[1:]], load)
    print("\n".join(f"{name}: {value}" for name, value in facts), end="\n\n")
    print(plain(figures))
    if arguments.markdown:
        write_between(arguments.markdown, "bench", markdown(figures, facts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
