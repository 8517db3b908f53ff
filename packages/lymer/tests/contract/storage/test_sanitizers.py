"""What the store repairs on the way in, and what it says about it."""

from __future__ import annotations

import json

import pytest

from contract.storage.conftest import Store, Write, only
from lymer.model.columns import SpanColumns
from make import START, Plain, make_request, make_span, span_hex, trace_hex

# What repairs is in the statement of a load, which is the same on a server of its own and on each
# of two, and beside an API that is only read from.
pytestmark = only("memory", "clickhouse", "two-shards")


def read(store: Store, trace_id: str = trace_hex(1)) -> SpanColumns:
    """Return the columns of one trace, raw."""
    found: SpanColumns = store.get_traces([trace_id], raw=True, skeleton=False)
    return found


def test_service_names(store: Store, write: Write) -> None:
    """Every span has a service, and `service.name` is never a process tag."""
    cases: list[tuple[list[tuple[str, Plain]], str]] = [
        ([], "missing-service-name"),
        ([("service.name", 5)], "service-name-wrong-type"),
        ([("service.name", None)], "service-name-wrong-type"),
        ([("service.name", ["x"])], "service-name-wrong-type"),
        ([("service.name", "")], "empty-service-name"),
        ([("a", 1), ("service.name", "in the middle"), ("b", 2)], "in the middle"),
        ([("service.name", "x" * 300)], "x" * 300),
        ([("service.name", "é" * 1_024)], "é" * 1_024),
        ([("service.name", "é" * 1_025)], "é" * 1_023 + "…"),
        ([("service.name", "x" * 300_000)], "x" * 1_023 + "…"),
    ]
    write(
        *(
            make_request(make_span(1, number), service=None, resource=sent)
            for number, (sent, _) in enumerate(cases, start=1)
        )
    )

    columns = read(store)

    expected = [name for _, name in cases]
    processes = [json.loads(columns.process_json[process]) for process in columns.process]
    assert expected == columns.service
    assert sorted(set(expected)) == store.get_services()
    assert expected == [process["serviceName"] for process in processes]
    keys = [tag["key"] for process in processes for tag in process["tags"]]
    assert keys == ["a", "b"]


def test_an_empty_span_name_is_named(store: Store, write: Write) -> None:
    """Source: Jaeger's empty span name sanitizer."""
    write(make_request(make_span(name="")))

    assert read(store).name == ["empty-span-name"]
    assert [one.name for one in store.get_operations("shop", "")] == ["empty-span-name"]


def test_a_long_span_name_is_cut_and_a_warning_has_it_whole(store: Store, write: Write) -> None:
    """By characters, not bytes; others are as ever."""
    sent = ["é" * 1_024, "é" * 1_025, "x" * 300_000, "", "short"]
    write(make_request(*(make_span(1, number + 1, name=name) for number, name in enumerate(sent))))

    columns = read(store)

    cut = ["é" * 1_024, "é" * 1_023 + "…", "x" * 1_023 + "…", "empty-span-name", "short"]
    assert columns.name == cut
    assert [len(warnings) for warnings in columns.warnings] == [0, 1, 1, 0, 0]
    for row in (1, 2):
        start = "span name has more than 1024 characters, whole it is: "
        assert columns.warnings[row] == [start + sent[row]]
    assert sorted(one.name for one in store.get_operations("shop", "")) == sorted(cut)


def test_a_span_that_ends_before_it_starts_lasts_one_nanosecond(store: Store, write: Write) -> None:
    """The warning holds both instants as Go prints them, without trailing zeros."""
    cases = [
        (0, 0, "40", "40.000000001"),
        (1, -500_000_001, "39.5", "40.000000002"),
        (123_456_789, -1_000_000_000, "39.123456789", "40.12345679"),
    ]
    write(
        make_request(
            *(
                make_span(1, number, offset_nano=offset, duration_nano=duration)
                for number, (offset, duration, _, _) in enumerate(cases, start=1)
            )
        )
    )

    columns = read(store)

    assert columns.duration_nano == [1, 1, 1]
    assert [START + offset for offset, _, _, _ in cases] == columns.start_unix_nano
    for row, (_, _, end, adjusted) in enumerate(cases):
        warning = (
            "Negative duration detected, sanitizing end timestamp. Original end timestamp: "
            f"2026-11-22 16:43:{end} +0000 UTC, adjusted to: 2026-11-22 16:43:{adjusted} +0000 UTC"
        )
        assert [warning] == columns.warnings[row]


def test_a_span_without_end_is_stored(store: Store, write: Write) -> None:
    """An end of zero is the epoch."""
    span = make_span()
    span.end_time_unix_nano = 0
    write(make_request(span))

    columns = read(store)

    assert columns.duration_nano == [1]
    assert "Original end timestamp: 1970-01-01 00:00:00 +0000 UTC" in columns.warnings[0][0]


def test_times_at_the_ends_of_64_bits_are_stored(store: Store, write: Write) -> None:
    """1970, the end of int64 in 2262, the end of uint64: kept to the nanosecond, and readable."""
    times = [
        (0, 1),
        (0, 2**63 - 1),
        (2**63 - 1, 2**63),
        (2**63, 2**63 + 5),
        (2**64 - 2, 2**64 - 1),
    ]
    spans = []
    for number, (start, end) in enumerate(times, start=1):
        span = make_span(1, number)
        span.start_time_unix_nano, span.end_time_unix_nano = start, end
        spans.append(span)
    write(make_request(*spans))

    columns = read(store)

    assert [start for start, _ in times] == columns.start_unix_nano
    assert [end - start for start, end in times] == columns.duration_nano
    assert columns.warnings == [[]] * 5
    assert len(store.get_otlp([trace_hex(1)])) > 5 * 40
    assert store.get_summaries([trace_hex(1)])[0].span_count == 5


def test_a_span_that_starts_at_the_last_instant_is_stored(store: Store, write: Write) -> None:
    """There is no nanosecond left for it to end in; it is there all the same."""
    span = make_span()
    span.start_time_unix_nano = span.end_time_unix_nano = 2**64 - 1
    write(make_request(span))

    columns = read(store)

    assert columns.start_unix_nano == [2**64 - 1]
    assert columns.duration_nano == [1]
    assert len(columns.warnings[0]) == 1
    assert len(store.get_otlp([trace_hex(1)])) > 40


def test_a_duration_over_292_years_is_cut(store: Store, write: Write) -> None:
    """Whether its end is far or its start is zero; found at random."""
    spans = []
    for number, (start, end) in enumerate([(0, 2**63), (81, 2**64 - 1)], start=1):
        span = make_span(1, number)
        span.start_time_unix_nano, span.end_time_unix_nano = start, end
        spans.append(span)
    write(make_request(*spans))

    assert read(store).duration_nano == [2**63 - 1] * 2


def test_stored_warnings_leave_the_tags(store: Store, write: Write) -> None:
    """`@jaeger@warnings` is a list of warnings, not a tag."""
    write(make_request(make_span(kind=0, attrs={"@jaeger@warnings": ["one", "two"], "a": 1})))

    columns = read(store)

    assert columns.warnings == [["one", "two"]]
    assert [tag["key"] for tag in json.loads(columns.tags_json[0])] == ["a"]


def test_trace_ids_of_any_length_are_stored(store: Store, write: Write) -> None:
    """Short ones are padded on the left, of long ones the last bytes are kept."""
    cases = [
        (b"\x01" * 16, "01" * 16, []),
        (
            b"\x02" * 8,
            "00" * 8 + "02" * 8,
            [f"trace ID has 8 bytes, stored as {'00' * 8}{'02' * 8}"],
        ),
        (b"\x09" + b"\x03" * 16, "03" * 16, [f"trace ID has 17 bytes, stored as {'03' * 16}"]),
        (b"", "00" * 16, ["trace ID is empty"]),
    ]
    write(make_request(*(make_span(sent, 1) for sent, _, _ in cases)))

    for _, stored, warnings in cases:
        columns = read(store, stored)
        assert [stored] == columns.trace_id
        assert [warnings] == columns.warnings


@pytest.mark.parametrize("number", [1, 16])
def test_a_short_trace_id_alone_in_its_segment_is_stored(
    store: Store, write: Write, number: int
) -> None:
    """On two shards, as it was sent one is the other's, and as it is stored it is the other way."""
    write(make_request(make_span(number.to_bytes(6, "big"), 1)))

    assert read(store, f"{number:032x}").trace_id == [f"{number:032x}"]


def test_a_trace_id_of_zeros_is_empty(store: Store, write: Write) -> None:
    """Stored where an empty one is."""
    write(make_request(make_span(b"\0" * 16, 1)))

    assert [["trace ID is empty"]] == read(store, "00" * 16).warnings


def test_span_ids_of_any_length_are_stored(store: Store, write: Write) -> None:
    """A quirk of the sender never loses a span."""
    cases = [
        (b"\x01" * 8, "01" * 8, []),
        (b"\x02", f"{2:016x}", [f"span ID has 1 bytes, stored as {2:016x}"]),
        (b"\x09" + b"\x03" * 8, "03" * 8, [f"span ID has 9 bytes, stored as {'03' * 8}"]),
        (b"", "00" * 8, ["span ID is empty"]),
        (b"\0" * 8, "00" * 8, ["span ID is empty"]),
    ]
    write(
        make_request(
            *(make_span(1, sent, offset_nano=row) for row, (sent, _, _) in enumerate(cases))
        )
    )

    columns = read(store)

    assert [stored for _, stored, _ in cases] == columns.span_id
    assert [warnings for _, _, warnings in cases] == columns.warnings


def test_parent_ids_of_any_length_are_stored(store: Store, write: Write) -> None:
    """No parent is no warning, and all zero is none."""
    cases = [
        (b"", "", []),
        (b"\0" * 8, "", []),
        (b"\x01" * 8, "01" * 8, []),
        (b"\x02", f"{2:016x}", [f"parent span ID has 1 bytes, stored as {2:016x}"]),
    ]
    write(
        make_request(*(make_span(1, row, sent) for row, (sent, _, _) in enumerate(cases, start=1)))
    )

    columns = read(store)

    assert [stored for _, stored, _ in cases] == columns.parent_span_id
    assert [warnings for _, _, warnings in cases] == columns.warnings


def test_64_bit_ids_are_zero_padded_ids(store: Store, write: Write) -> None:
    """Sixteen bytes with a zero high half are a 64-bit trace id."""
    write(make_request(make_span(b"\0" * 8 + b"\x05" * 8, span_id_bytes())))

    columns = read(store, "00" * 8 + "05" * 8)

    assert [span_hex(6)] == columns.span_id
    assert columns.warnings == [[]]


def span_id_bytes() -> bytes:
    """Return the bytes of span 6."""
    return (6).to_bytes(8, "big")
