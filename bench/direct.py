"""The store without server, HTTP and JSON, in a process of its own: `python -m bench.direct`.

Standard input: {"folder", "questions": [[group, method, arguments], ...]}. Standard output: what it
found and how long it took, JSON. Run it after the server has stopped: one process per folder.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from lymer import clock
from lymer.model.question import TraceQuestion
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.contract import SpanReader
from lymer.tenancy import DEFAULT_TENANT

__all__ = ["MEMORY_BYTES_MAX", "RETENTION_SECONDS", "main", "open_store", "part_bytes"]

MEMORY_BYTES_MAX = 900 * 2**20
RETENTION_SECONDS = 7 * 86400
"""Lymer's defaults."""
_CHECKSUM = (
    "SELECT {mark}, count(), sum(reinterpretAsUInt64(span_id)), "
    "sum(reinterpretAsUInt64(substring(trace_id, 1, 8))), sum(start), sum(toUInt64(duration)) "
    "FROM {db}.spans"
)


def open_store(folder: Path) -> tuple[ChdbEngine, ClickHouseStore]:
    """Open a store as `lymer all-in-one` does by default."""
    engine = ChdbEngine(folder, memory_bytes_max=MEMORY_BYTES_MAX)
    store = ClickHouseStore(
        engine, retention_seconds=RETENTION_SECONDS, memory_bytes_max=MEMORY_BYTES_MAX
    )
    return engine, store


def part_bytes(engine: ChdbEngine) -> dict[str, int]:
    """Return bytes of the parts in use and of those that wait for their removal, and more."""
    (active,), (outdated,), (parts,) = engine.select(
        "lymer",
        "SELECT {mark}, sumIf(bytes_on_disk, active), sumIf(bytes_on_disk, NOT active), "
        "countIf(active AND table = 'spans') FROM system.parts WHERE database = '{db}'",
        3,
    )
    return {"active": active, "outdated": outdated, "span_parts": parts}


def main() -> None:
    """Answer the questions on standard input."""
    order = json.load(sys.stdin)
    engine, store = open_store(Path(order["folder"]))
    answers: dict[str, Any] = {"bytes": part_bytes(engine)}
    answers["checksum"] = [value for (value,) in engine.select("lymer", _CHECKSUM, 5)]
    store.catch_up()
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for group, method, arguments in order["questions"]:
        groups[group].append((method, arguments))
    reader = store.for_tenant(DEFAULT_TENANT)
    answers["groups"] = {group: _time(reader, members) for group, members in groups.items()}
    red = reader.get_red(0, 2**62, "")
    answers["red_calls"] = sum(row.call_count for row in red)
    answers["peak_memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    store.close()
    json.dump(answers, sys.stdout)


def _time(store: SpanReader, members: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    _ask(store, *members[0])
    milliseconds, cpu = [], time.process_time()
    for method, arguments in members:
        started = clock.monotonic_seconds()
        _ask(store, method, arguments)
        milliseconds.append((clock.monotonic_seconds() - started) * 1000)
    cpu = (time.process_time() - cpu) / len(members) * 1000
    return {"milliseconds": milliseconds, "cpu": cpu}


def _ask(store: SpanReader, method: str, arguments: dict[str, Any]) -> None:
    """Ask for as much as the HTTP API needs: a search reads the traces it finds."""
    match method:
        case "get_traces":
            store.get_traces(arguments["trace_ids"], raw=False, skeleton=False)
        case "find_traces":
            tags = tuple((key, value) for key, value in arguments["tags"])
            found = store.find_traces(TraceQuestion(**{**arguments, "tags": tags}))
            ids = [trace.trace_id for trace in found]
            if not arguments["service"]:
                store.get_summaries(ids)
            elif ids:
                store.get_traces(ids, raw=False, skeleton=False)
        case _:
            getattr(store, method)(*arguments.values())


if __name__ == "__main__":
    main()
