"""`lymer storage stats` and `optimize` on a folder that Lymer has left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from e2e.lymer_process import lymer_environment
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from make import make_event, make_request, make_span, write_segment_file

_DAY_MICROSECONDS = 86_400 * 10**6
_FIRST = 1_795_365_821_000_000


def _fill(data_dir: Path) -> None:
    """Store 3 × 700 spans of the shop on two days, and 50 of a bank for a tenant."""
    engine = ChdbEngine(data_dir / "store", memory_bytes_max=600 * 2**20)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=600 * 2**20)
    for number, segment_id in enumerate((_FIRST, _FIRST + 10, _FIRST + _DAY_MICROSECONDS)):
        spans = [
            make_span(
                number * 1_000 + at, 1, attrs={"text": "x" * 50, "number": at},
                events=[make_event("seen")] if at % 3 == 0 else [],
            )
            for at in range(1, 701)
        ]  # fmt: skip
        request = make_request(*spans)
        store.write_segment(write_segment_file(data_dir, request, segment_id=segment_id))
    bank = make_request(*(make_span(at, 1) for at in range(1, 51)), service="bank")
    store.write_segment(write_segment_file(data_dir, bank, segment_id=_FIRST, tenant="acme"))
    store.catch_up()
    store.close()


def _run(data_dir: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "lymer", "storage", *arguments, "--data-dir", str(data_dir)],
        env=lymer_environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def _stats(data_dir: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    tenants = json.loads(_run(data_dir, "stats", "--json", *arguments))["tenants"]
    return {
        one["name"]: {
            kind: {row["name"]: row for row in one[kind]}
            for kind in ("tables", "disks", "columns", "days", "services")
        }
        for one in tenants
    }


def test_sizes_add_up_and_optimizing_merges_parts(tmp_path: Path) -> None:
    """Columns and services together are the table; a day is one part after, its rows the same."""
    _fill(tmp_path)
    found = _stats(tmp_path)
    assert [*found] == ["", "acme"]
    spans = found[""]["tables"]["spans"]
    assert (spans["rows"], spans["parts"]) == (2_100, 3)
    assert spans["ratio"] > 1
    (disk,) = found[""]["disks"].values()
    assert disk["bytes"] == sum(table["bytes"] for table in found[""]["tables"].values())
    assert found[""]["services"]["shop"]["rows"] == 2_100
    assert found["acme"]["services"]["bank"]["rows"] == 50
    assert len(found[""]["days"]) == 2
    assert sum(day["bytes"] for day in found[""]["days"].values()) == spans["bytes"]
    columns = found[""]["columns"]
    assert sum(column["bytes"] for column in columns.values()) == spans["bytes"]
    assert columns["attrs"]["bytes"] > columns["kind"]["bytes"] > 0
    assert columns["events"]["bytes"] > columns["links"]["bytes"]
    assert columns["span_id"]["bytes"] >= 8 * 2_100, "ids are not compressed"
    services = found[""]["services"]
    apart = abs(sum(service["bytes"] for service in services.values()) - spans["bytes"])
    assert apart < 0.02 * spans["bytes"]

    lines = _run(tmp_path, "optimize").splitlines()
    assert lines[0] == "tenant\ttable\tpartition\tbytes before\tbytes after"
    assert any(line.startswith("\tspans\t") for line in lines)
    after = _stats(tmp_path, "--tenant", "")
    assert [*after] == [""]
    merged = after[""]["tables"]["spans"]
    assert (merged["rows"], merged["parts"]) == (2_100, 2)
    assert _run(tmp_path, "optimize").splitlines() == lines[:1], "nothing is left to do"


def test_stats_for_people_are_a_table(tmp_path: Path) -> None:
    """Tabs between, so that `sort -k5n` works; a tenant that is not there is named."""
    _fill(tmp_path)
    lines = [line.split("\t") for line in _run(tmp_path, "stats", "--tenant", "acme").splitlines()]
    assert lines[0][:3] == ["tenant", "kind", "name"]
    assert {line[0] for line in lines[1:]} == {"acme"}
    assert {line[1] for line in lines[1:]} == {"table", "disk", "column", "day", "service"}
    refused = subprocess.run(
        [sys.executable, "-m", "lymer", "storage", "stats", "--tenant", "nobody",
         "--data-dir", str(tmp_path)],
        env=lymer_environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "cannot measure tenant 'nobody': nothing is stored of it" in refused.stderr
