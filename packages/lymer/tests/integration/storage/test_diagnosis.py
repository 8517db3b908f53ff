"""Incidents through the store: what was sent is found to be the cause, with its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lymer.errors import QuestionError, TraceNotFoundError
from lymer.incidents.encoding import encode_requests
from lymer.incidents.traffic import Traffic, draw_traffic
from lymer.query.changes import find_changes
from lymer.query.diagnosis import Diagnosis, TimeRange
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.contract import SpanReader
from lymer.tenancy import DEFAULT_TENANT
from make import write_segment_file

_END: Final = 1_700_000_040_000_000_000
_WITHIN: Final = TimeRange(_END - 420 * 10**9, _END)


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    """Return an incident whose cause is a version."""
    return draw_traffic("bad-version", 11, _END, requests_per_second=30)


@pytest.fixture(scope="module")
def reader(traffic: Traffic, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SpanReader]:
    """Yield a store that has it."""
    folder: Path = tmp_path_factory.mktemp("incident")
    engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    bodies = [
        ExportTraceServiceRequest.FromString(body)
        for body, _ in encode_requests(traffic, seed=11, spans_per_request=20_000)
    ]
    for number, body in enumerate(bodies, 1):
        segment = write_segment_file(folder, body, segment_id=1_700_000_000_000_000 + number)
        store.write_segment(segment)
    yield store.for_tenant(DEFAULT_TENANT)
    store.close()


def test_the_planted_version_is_the_cause(reader: SpanReader, traffic: Traffic) -> None:
    """Service and window, the version as its first attribute, a trace that shows it."""
    found = Diagnosis(reader).root_cause(_WITHIN)

    assert traffic.fault is not None
    assert found.causes.candidates[0].place.service == traffic.fault.service
    assert abs(found.causes.start_unix_nano - traffic.start_unix_nano) < 20e9
    assert (found.findings[0][0].fact.key, found.findings[0][0].fact.value) == (
        "service.version",
        "1.4.2",
    )
    table, _ = Diagnosis(reader).findings_of_trace(found.examples[0][0])
    assert traffic.fault.service in {service for service, _ in table.operations}
    assert found.sample.spans == found.sample.of_spans


@pytest.mark.parametrize("narrowed", ["", '{ resource.service.name = "gateway" }'])
def test_a_place_is_explained_by_the_version(
    reader: SpanReader, traffic: Traffic, narrowed: str
) -> None:
    """Asked everywhere, and of the service through which all requests come."""
    found = Diagnosis(reader).explain(_WITHIN, narrowed)
    assert (found.findings[0].fact.key, found.findings[0].fact.value) == (
        "service.version",
        "1.4.2",
    )
    assert all(found.examples)


def test_slow_spans_are_explained_by_the_version(reader: SpanReader, traffic: Traffic) -> None:
    """The slowest tenth of the service's spans in the incident, against the others."""
    assert traffic.fault is not None
    found = Diagnosis(reader).explain(
        _WITHIN,
        f'{{ resource.service.name = "{traffic.fault.service}" && kind = server }}',
        slowest=0.1,
        window=TimeRange(traffic.start_unix_nano, traffic.end_unix_nano),
    )
    assert (found.findings[0].fact.key, found.findings[0].fact.value) == (
        "service.version",
        "1.4.2",
    )
    assert found.findings[0].effect > 0.3


def test_a_sample_of_the_traces_finds_the_same(reader: SpanReader, traffic: Traffic) -> None:
    """Half of the spans; the answer says so."""
    found = Diagnosis(reader, sample_spans_max=80_000).root_cause(_WITHIN)
    assert traffic.fault is not None
    assert found.sample.spans < 90_000 < found.sample.of_spans
    assert found.sample.of_traces > 1.5 * found.sample.traces
    assert found.causes.candidates[0].place.service == traffic.fault.service


def test_the_profile_adds_up(reader: SpanReader) -> None:
    """Self times are the roots' durations, but for what a consumer does later."""
    found = Diagnosis(reader).profile(_WITHIN, '{ rootName = "GET /search" }')
    assert {one.operation for one in found.operations} >= {"GET /search", "index lookup"}
    assert {one.service for one in found.operations} == {"gateway", "search", "ads"}
    own = sum(one.self_time for one in found.operations)
    root = next(one for one in found.operations if one.operation == "GET /search")
    assert own == pytest.approx(root.total, rel=0.02)
    assert root.spans == found.sample.traces


def test_two_traces_are_compared_and_unknown_ones_are_not(reader: SpanReader) -> None:
    """By the paths of their calls."""
    diagnosis = Diagnosis(reader)
    ids = diagnosis.root_cause(_WITHIN).examples[0][:2]
    found, said = diagnosis.difference(ids[:1], ids[1:])
    assert found
    assert said.startswith("The second takes ")
    with pytest.raises(TraceNotFoundError):
        diagnosis.difference(ids[:1], ["f" * 32])
    with pytest.raises(TraceNotFoundError):
        diagnosis.findings_of_trace("f" * 32)


def test_what_is_not_supported_is_refused_by_name(reader: SpanReader) -> None:
    """Never answered by nothing."""
    with pytest.raises(QuestionError, match="event"):
        Diagnosis(reader).explain(_WITHIN, '{ event.exception.type = "A" }')
    with pytest.raises(QuestionError, match="metrics"):
        Diagnosis(reader).profile(_WITHIN, "{} | rate()")
    with pytest.raises(QuestionError, match="7 days"):
        Diagnosis(reader).root_cause(TimeRange(0, _END))


def test_the_jump_of_the_latency_is_told(reader: SpanReader, traffic: Traffic) -> None:
    """Seven minutes are few points; whatever is told lies at the incident."""
    found = find_changes(reader, _WITHIN.start_unix_nano, _END)
    begin = traffic.start_unix_nano // 60_000_000_000 * 60_000_000_000
    assert all(abs(one.at_unix_nano - begin) <= 120e9 for one in found if one.what == "latency")
