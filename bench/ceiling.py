"""The ceiling: the same engine fed by SQL alone, as a process: `python -m bench.ceiling`.

No network, no check, no journal: finished segment files go through the store's own load statement,
rollups every ten seconds, until merges are over. What the server takes beyond that is Python's.

Standard input: {"folder", "segments": [[path, spans], ...]}; standard output: figures, JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from bench.direct import open_store, part_bytes
from lymer import clock
from lymer.model.segment import SealedSegment
from lymer.storage.clickhouse.engine_chdb import ChdbEngine

__all__ = ["main"]

_ROLLUP_PERIOD_SECONDS = 10.0
_QUIET_SECONDS = 5
_MERGES = "SELECT {mark}, count() FROM system.merges"


def main() -> None:
    """Load the segments on standard input."""
    order = json.load(sys.stdin)
    engine, store = open_store(Path(order["folder"]))
    cpu, began = time.process_time(), clock.monotonic_seconds()
    rolled_up = began
    spans = 0
    for path, count in order["segments"]:
        file = Path(path)
        segment_id = clock.unix_nano() // 1000
        store.write_segment(SealedSegment(segment_id, file, count, file.stat().st_size))
        spans += count
        if clock.monotonic_seconds() - rolled_up > _ROLLUP_PERIOD_SECONDS:
            store.catch_up()
            rolled_up = clock.monotonic_seconds()
    stored_seconds = clock.monotonic_seconds() - began
    stored_cpu = time.process_time() - cpu
    store.catch_up()
    _wait_for_merges(engine)
    figures = {
        "spans": spans,
        "seconds": stored_seconds,
        "cpu_stored": stored_cpu,
        "cpu_settled": time.process_time() - cpu,
        "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        **part_bytes(engine),
    }
    store.close()
    json.dump(figures, sys.stdout)


def _wait_for_merges(engine: ChdbEngine) -> None:
    quiet = 0
    while quiet < _QUIET_SECONDS:
        time.sleep(1)
        ((merging,),) = engine.select("", _MERGES, 1)
        quiet = 0 if merging else quiet + 1


if __name__ == "__main__":
    main()
