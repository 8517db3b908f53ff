"""Deleted traces are gone from a server that several collectors share, and nothing else is."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Final

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fakes.mortal_engine import KilledError
from integration.storage.collectors import Collectors
from integration.storage.random_traces import (
    FIRST,
    SECOND,
    any_trace,
    batches_of,
    random_arrivals,
)
from lymer.errors import OverloadedError
from lymer.model.deletion import Deleted
from lymer.tenancy import DEFAULT_TENANT
from make import trace_hex, write_segment_file

pytestmark = pytest.mark.timeout(600)

_LOOKED_SECONDS: Final = 0.11
"""After that long a catalog looks again."""


@pytest.mark.parametrize(("seed", "gap_seconds"), [(1, 40), (2, 4000)])
def test_a_store_of_several_answers_as_if_deleted_traces_had_never_been(
    tmp_path: Path, seed: int, gap_seconds: int
) -> None:
    """Random traces by two collectors, over minutes and days; either deletes, both know."""
    rng = random.Random(f"{seed} {gap_seconds}")
    arrived, kinds = random_arrivals(rng, gap_seconds)
    gone = set(rng.sample(range(1, 13), 5))
    never = Collectors(tmp_path / "never")
    never.store(batches_of(arrived, kinds, gone), catch_up=3)
    expected = never.answers()
    never.close()
    both = Collectors(tmp_path / "both")
    both.store(batches_of(arrived, kinds, set()), catch_up=3)
    reader = both.stores[0].for_tenant(DEFAULT_TENANT)
    assert reader.archive_trace(trace_hex(min(gone)))
    ids = [trace_hex(one) for one in sorted(gone)]
    before = both.answers(), both.answers(1)
    counted = both.stores[1].count_traces(DEFAULT_TENANT, ids)
    assert (both.answers(), both.answers(1)) == before
    deleted = both.delete(1, ids)
    assert deleted == counted
    assert deleted.traces == 5
    assert deleted.archived > 0
    for which in (1, 0):
        found = both.answers(which)
        for name, answer in expected.items():
            assert found[name] == answer, (which, name)
    assert both.delete(0, ids) == Deleted()
    (record,) = both.stores[0].get_deletions(DEFAULT_TENANT)
    assert (record.who, record.question, record.deleted) == ("ada", "q", deleted)
    # Names that were forgotten are told again, also by the one that did not delete.
    spans = [one for trace in gone for _, one in kinds[trace]]
    request = ExportTraceServiceRequest(resource_spans=spans)
    segment = both.stores[0].next_segment_id(FIRST + 10**12)
    both.stores[0].write_segment(write_segment_file(tmp_path, request, segment_id=segment))
    time.sleep(_LOOKED_SECONDS)
    for store in both.stores:
        assert store.for_tenant(DEFAULT_TENANT).get_services() == before[0]["services"]
    both.close()


def test_whoever_counts_next_carries_a_deletion_on(tmp_path: Path) -> None:
    """Wherever it breaks off; what the one that broke off does when it wakes up changes nothing."""
    rng = random.Random(7)
    traces = {number: any_trace(rng, number) for number in range(1, 9)}
    never = Collectors(tmp_path / "never")
    never.store([(FIRST, traces[8]), (FIRST + SECOND, [])], catch_up=1)
    expected = never.answers()
    never.close()
    both = Collectors(tmp_path / "both")
    half = [[one for trace in range(1, 9) for one in traces[trace][part::2]] for part in (0, 1)]
    both.store([(FIRST, half[0]), (FIRST + SECOND, half[1])], catch_up=1)
    carried_on = 0
    for trace, statements in zip(range(1, 8), (4, 8, 12, 17, 23, 30, 38), strict=True):
        which = trace % 2
        both.engines[which].commands_left = statements
        try:
            both.delete(which, [trace_hex(trace)])
        except KilledError:
            if both.stores[1 - which]._tenants[DEFAULT_TENANT].deletions.is_begun():  # noqa: SLF001
                carried_on += 1
                with pytest.raises(OverloadedError, match="another collector's"):
                    both.delete(1 - which, [trace_hex(8)])
            both.leases[1 - which].take_over()
            both.stores[1 - which].catch_up_some()
        both.engines[which].commands_left = None
        both.delete(1 - which, [trace_hex(trace)])
    assert carried_on >= 3
    assert both.answers() == expected
    assert len(both.stores[0].get_deletions(DEFAULT_TENANT)) == 7
    left = "SELECT {mark}, count() FROM system.tables WHERE match(name, '^deleted_.*[0-9]$')"
    assert both.engines[0].select("", left, 1) == [[0]]
    both.close()
