"""A segment of very many resources is stored, and what they say is found."""

from __future__ import annotations

from pathlib import Path

from lymer.api.parameters import to_trace_id
from lymer.model.question import TraceQuestion
from lymer.query.service import QueryService
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.tenancy import DEFAULT_TENANT
from make import make_request, make_resource_spans, make_span, trace_hex, write_segment_file

RESOURCES = 13_500
"""Their hashes are more than the 256 KiB of a statement that the engine reads."""


def test_a_segment_of_very_many_resources(tmp_path: Path) -> None:
    """Its spans are found by what all of them share, by what one has, and by the language."""
    request = make_request()
    request.resource_spans.extend(
        make_resource_spans(
            [make_span(number % 3 + 1, number)], resource=[("env", "prod"), ("pod", number)]
        )
        for number in range(1, RESOURCES + 1)
    )
    (tmp_path / "segments").mkdir()
    engine = ChdbEngine(tmp_path / "engine", memory_bytes_max=900 * 2**20)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    store.write_segment(write_segment_file(tmp_path / "segments", request))
    query = QueryService(store.for_tenant(DEFAULT_TENANT))
    for tag, count in ((("env", "prod"), 3), (("pod", "7"), 1), (("env", "test"), 0)):
        found = query.find_summaries(TraceQuestion(0, 2**62, tags=(tag,)))
        assert len(found) == count, tag
    for text, count in (("{ resource.env = `prod` }", 3), ("{ resource.pod = 7 }", 1)):
        assert len(query.language.find(text, (0, 2**62), (20, 3)).traces) == count
    trace_id = to_trace_id(trace_hex(1))
    assert len(query.get_trace_arrays(trace_id)) == RESOURCES // 3
    store.close()
