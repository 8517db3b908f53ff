"""What is told of a million spans, one in a hundred of which was kept, is at most 3 % off."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.sampled_traffic import deviations, sampled_traffic
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.tenancy import DEFAULT_TENANT
from make import write_segment_file

OFF_MAX = 0.03
ERRORS_OFF_MAX = {False: 3 * (500_000 / 100 * 0.04) ** -0.5, True: 0.0}
"""Three times the part by which chance is off; none if all are there."""


@pytest.mark.parametrize("keeps_errors", [False, True], ids=["head", "tail"])
def test_a_hundredth_of_a_million_spans_tells_of_all(tmp_path: Path, *, keeps_errors: bool) -> None:
    """Rate, durations, the service graph, and rates and quantiles over time; errors if all came.

    Of errors that were sampled like all others there are a few hundred: chance is wider for them.
    The seed is fixed, for chance may do worse: `python -m bench.estimates` says how often.
    """
    traffic = sampled_traffic(1, 500_000, 100, keeps_errors=keeps_errors)
    store = ClickHouseStore(
        ChdbEngine(tmp_path / "engine", memory_bytes_max=900 * 2**20),
        retention_seconds=10**9,
        memory_bytes_max=900 * 2**20,
    )
    try:
        store.write_segment(write_segment_file(tmp_path, *traffic.requests()))
        found = deviations(store.for_tenant(DEFAULT_TENANT), traffic)
    finally:
        store.close()
    assert traffic.spans == 1_000_000
    assert len(found) == 19
    errors = {what: found.pop(what) for what in ("RED errors", "graph errors")}
    assert {what: off for what, off in found.items() if abs(off) > OFF_MAX} == {}
    assert {
        what: off for what, off in errors.items() if abs(off) > ERRORS_OFF_MAX[keeps_errors]
    } == {}
