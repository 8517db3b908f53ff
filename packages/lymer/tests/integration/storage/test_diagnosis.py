"""Incidents through the store: what was sent is found to be the cause, with its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
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


def test_the_first_answer_is_of_a_part_and_says_how_far_off_it_may_be(reader: SpanReader) -> None:
    """Mean self times of a trace, held to those of all: 95 of 100 lie within the error."""
    diagnosis = Diagnosis(reader)
    whole, part = diagnosis.profile(_WITHIN), diagnosis.profile(_WITHIN, spans_max=20_000)
    assert part.sample.spans < 40_000 < part.sample.of_spans
    truth = {
        (one.service, one.operation): one.self_time / whole.sample.traces
        for one in whole.operations
    }
    within = [
        abs(one.self_time / part.sample.traces - truth[one.service, one.operation])
        <= one.self_error
        for one in part.operations
    ]
    assert sum(within) >= 0.85 * len(within)


def test_the_profile_is_split_by_attributes(reader: SpanReader) -> None:
    """By version and service; the parts are the whole."""
    diagnosis = Diagnosis(reader)
    whole = diagnosis.profile(_WITHIN)
    found = diagnosis.profile(_WITHIN, by=["resource.service.version", "resource.service.name"])
    assert ("1.4.2", "ads") in {one.by for one in found.operations}
    assert sum(one.spans for one in found.operations) == sum(one.spans for one in whole.operations)
    with pytest.raises(QuestionError, match="the limit is 8"):
        diagnosis.profile(_WITHIN, by=["name"] * 9)


def test_an_old_recording_is_looked_at_where_nobody_says_when(reader: SpanReader) -> None:
    """What started lately, else what is around the newest span; of an empty store, nothing."""
    diagnosis = Diagnosis(reader)
    assert diagnosis.latest(_END + 60 * 10**9) == TimeRange(_END - 840 * 10**9, _END + 60 * 10**9)
    old = diagnosis.latest(_END + 10**9 * 86_400 * 900)
    assert abs(old.end_unix_nano - _END) < 10**9
    assert old.end_unix_nano - old.start_unix_nano == 86_400 * 10**9  # there is nothing else
    first, same = (diagnosis.root_cause(one).causes.candidates[0] for one in (old, _WITHIN))
    assert first.place == same.place
    assert diagnosis.latest(10**18) == TimeRange(10**18 - 900 * 10**9, 10**18)


@pytest.mark.parametrize(
    ("question", "same"),
    [
        ('{ rootName = "GET /search" } | avg(duration) > 0s', '{ rootName = "GET /search" }'),
        ('{ rootName = "GET /search" } | by(resource.service.name)',
         '{ rootName = "GET /search" }'),
        ('{ name = "GET /search" && span:childCount >= 0 }', '{ name = "GET /search" }'),
        ('{ event.name = "nothing" }', '{ name = "nothing" }'),
    ],
)  # fmt: skip
def test_what_a_frame_cannot_decide_the_store_does(
    reader: SpanReader, question: str, same: str
) -> None:
    """Numbers of spansets, groups, counts, events: the traces are those of a plain question."""
    diagnosis = Diagnosis(reader)
    found, plain = diagnosis.profile(_WITHIN, question), diagnosis.profile(_WITHIN, same)
    assert found.sample.traces == plain.sample.traces
    assert [one.spans for one in found.operations] == [one.spans for one in plain.operations]


def test_spans_with_children_are_explained(reader: SpanReader) -> None:
    """A selection by the store is explained as one by the frame is."""
    found = Diagnosis(reader).explain(_WITHIN, "{ span:childCount > 1 && kind = server }")
    assert 0 < found.selected < found.baseline + found.selected
    assert found.findings


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
    with pytest.raises(QuestionError, match="metrics"):
        Diagnosis(reader).profile(_WITHIN, "{} | rate()")
    with pytest.raises(QuestionError, match="7 days"):
        Diagnosis(reader).root_cause(TimeRange(0, _END))


def test_the_jump_of_the_latency_is_told(reader: SpanReader, traffic: Traffic) -> None:
    """Seven minutes are few points; whatever is told lies at the incident."""
    found = find_changes(reader, _WITHIN.start_unix_nano, _END)
    begin = traffic.start_unix_nano // 60_000_000_000 * 60_000_000_000
    assert all(abs(one.at_unix_nano - begin) <= 120e9 for one in found if one.what == "latency")


def test_a_brush_is_compared_with_the_rest_of_its_question(
    reader: SpanReader, traffic: Traffic
) -> None:
    """Long spans of the service in the incident: the version, with all values of its key."""
    assert traffic.fault is not None
    service = traffic.fault.service
    window = TimeRange(traffic.start_unix_nano, traffic.end_unix_nano)
    place = f'{{ resource.service.name = "{service}" && kind = server }}'
    slow = Diagnosis(reader).explain(_WITHIN, place, slowest=0.1, window=window)
    row = slow.findings[0]
    assert row.fact.key == "service.version"
    table = traffic.table
    is_its = np.array([one == service for one, _ in table.operations])[table.operation]
    half = int(np.median(table.duration[is_its & (table.kind == 2)]))
    brushed = Diagnosis(reader).explain(_WITHIN, place, window=window, durations=(half, 2**63 - 1))
    everything = Diagnosis(reader).explain(_WITHIN, place, durations=(0, 2**63 - 1))
    assert 0 < brushed.selected < everything.selected
    assert brushed.selected + brushed.baseline <= everything.selected
    assert everything.baseline == 0
    for finding in slow.findings:
        if finding.fact.scope in {"span", "resource"}:
            named = {value: (part, usual) for value, part, usual in finding.values}
            assert named[finding.fact.value] == (finding.in_selection, finding.in_baseline)
            assert len(finding.values) <= 6
    assert {value for value, _, _ in row.values} >= {"1.4.1", "1.4.2"}
