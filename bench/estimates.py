"""How far off the truth sampled numbers are: `python -m bench.estimates`.

A million spans for each of several seeds, of which one in a hundred traces is kept and stored; what
rate, errors, durations, graph and numbers over time then say, beside the truth about all of them.
Errors are one call in 25: sampled like all others they are told from 25 times fewer spans, so
chance is 5 times as wide. With `--keep-errors` all of them are kept, as tail samplers do.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.tenancy import DEFAULT_TENANT

sys.path.insert(0, str(Path(__file__).parents[1] / "packages/lymer/tests"))

_traffic: Any = importlib.import_module("fakes.sampled_traffic")
_make: Any = importlib.import_module("make")
_MEMORY = 900 * 2**20


def _deviations(seed: int, arguments: argparse.Namespace) -> dict[str, float]:
    traffic = _traffic.sampled_traffic(
        seed, arguments.spans // 2, arguments.one_in, keeps_errors=arguments.keep_errors
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = ChdbEngine(folder / "engine", memory_bytes_max=_MEMORY)
        store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=_MEMORY)
        try:
            store.write_segment(_make.write_segment_file(folder, *traffic.requests()))
            found: dict[str, float] = _traffic.deviations(store.for_tenant(DEFAULT_TENANT), traffic)
        finally:
            store.close()
    return found


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.estimates", description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000, help="of each seed (1000000)")
    parser.add_argument("--one-in", type=int, default=100, help="traces kept: one in so many (100)")
    parser.add_argument("--seeds", type=int, default=10, help="how often (10)")
    parser.add_argument("--keep-errors", action="store_true", help="all traces with an error")
    arguments = parser.parse_args()
    all_found: dict[str, list[float]] = {}
    for seed in range(arguments.seeds):
        for what, off in _deviations(seed, arguments).items():
            all_found.setdefault(what, []).append(off)
    print(f"{'off the truth':44} mean |off|   worst   within 3 %")
    for what, offs in all_found.items():
        sizes = [abs(one) for one in offs]
        close = sum(one <= 0.03 for one in sizes)
        print(f"{what:44} {mean(sizes):9.2%} {max(sizes):8.2%} {close:6} of {len(sizes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
