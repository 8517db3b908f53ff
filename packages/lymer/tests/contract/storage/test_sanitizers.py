"""What the store repairs on the way in, and what it says about it."""

from __future__ import annotations

import json

import pytest

from contract.storage.conftest import Store, Write
from lymer.model.columns import SpanColumns
from make import START, Plain, make_request, make_span, span_hex, trace_hex


def read(store: Store, trace_id: str = trace_hex(1)) -> SpanColumns:
    """Return the columns of one trace, raw."""
    return store.get_traces([trace_id], raw=True, skeleton=False)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param([], "missing-service-name", id="missing"),
        pytest.param([("service.name", 5)], "service-name-wrong-type", id="not a string"),
        pytest.param([("service.name", None)], "service-name-wrong-type", id="no value"),
        pytest.param([("service.name", "")], "empty-service-name", id="empty"),
        pytest.param([("a", 1), ("service.name", "x"), ("b", 2)], "x", id="in the middle"),
        pytest.param([("service.name", "x" * 300)], "x" * 300, id="long"),
    ],
)
def test_service_names(
    store: Store, write: Write, sent: list[tuple[str, Plain]], expected: str
) -> None:
    """Every span has a service, and `service.name` is never a process tag."""
    write(make_request(make_span(), service=None, resource=sent))

    columns = read(store)

    process = json.loads(columns.process_json[columns.process[0]])
    assert [expected] == columns.service
    assert [expected] == store.get_services()
    assert expected == process["serviceName"]
    assert "service.name" not in [tag["key"] for tag in process["tags"]]


def test_an_empty_span_name_is_named(store: Store, write: Write) -> None:
    """Source: Jaeger's empty span name sanitizer."""
    write(make_request(make_span(name="")))

    assert read(store).name == ["empty-span-name"]
    assert [one.name for one in store.get_operations("shop", "")] == ["empty-span-name"]


@pytest.mark.parametrize(
    ("offset", "duration", "end", "adjusted"),
    [
        pytest.param(123_456_789, -1_000_000_000, "39.123456789", "40.12345679", id="negative"),
        pytest.param(0, 0, "40", "40.000000001", id="zero"),
        pytest.param(0, -500_000_000, "39.5", "40.000000001", id="trailing zeros are cut"),
    ],
)
def test_a_span_that_ends_before_it_starts_lasts_one_nanosecond(
    store: Store, write: Write, offset: int, duration: int, end: str, adjusted: str
) -> None:
    """The warning holds both instants as Go prints them."""
    write(make_request(make_span(offset_nano=offset, duration_nano=duration)))

    columns = read(store)

    assert columns.duration_nano == [1]
    assert [START + offset] == columns.start_unix_nano
    warning = (
        "Negative duration detected, sanitizing end timestamp. Original end timestamp: "
        f"2026-11-22 16:43:{end} +0000 UTC, adjusted to: 2026-11-22 16:43:{adjusted} +0000 UTC"
    )
    assert [[warning]] == columns.warnings


def test_a_span_without_end_is_stored(store: Store, write: Write) -> None:
    """An end of zero is the epoch."""
    span = make_span()
    span.end_time_unix_nano = 0
    write(make_request(span))

    columns = read(store)

    assert columns.duration_nano == [1]
    assert "Original end timestamp: 1970-01-01 00:00:00 +0000 UTC" in columns.warnings[0][0]


def test_stored_warnings_leave_the_tags(store: Store, write: Write) -> None:
    """`@jaeger@warnings` is a list of warnings, not a tag."""
    write(make_request(make_span(kind=0, attrs={"@jaeger@warnings": ["one", "two"], "a": 1})))

    columns = read(store)

    assert columns.warnings == [["one", "two"]]
    assert [tag["key"] for tag in json.loads(columns.tags_json[0])] == ["a"]


@pytest.mark.parametrize(
    ("sent", "stored", "warnings"),
    [
        pytest.param(b"\x01" * 16, "01" * 16, [], id="16 bytes"),
        pytest.param(
            b"\x02" * 8,
            "00" * 8 + "02" * 8,
            [f"trace ID has 8 bytes, stored as {'00' * 8}{'02' * 8}"],
            id="8 bytes are padded on the left",
        ),
        pytest.param(
            b"\x09" + b"\x03" * 16,
            "03" * 16,
            [f"trace ID has 17 bytes, stored as {'03' * 16}"],
            id="the last 16 of 17 bytes are kept",
        ),
        pytest.param(b"", "00" * 16, ["trace ID is empty"], id="empty"),
        pytest.param(b"\0" * 16, "00" * 16, ["trace ID is empty"], id="all zero"),
    ],
)
def test_trace_ids_of_any_length_are_stored(
    store: Store, write: Write, sent: bytes, stored: str, warnings: list[str]
) -> None:
    """A quirk of the sender never loses a span."""
    write(make_request(make_span(sent, 1)))

    columns = read(store, stored)

    assert [stored] == columns.trace_id
    assert [warnings] == columns.warnings


@pytest.mark.parametrize(
    ("sent", "stored", "warnings"),
    [
        pytest.param(b"\x01" * 8, "01" * 8, [], id="8 bytes"),
        pytest.param(
            b"\x02", f"{2:016x}", [f"span ID has 1 bytes, stored as {2:016x}"], id="1 byte"
        ),
        pytest.param(
            b"\x09" + b"\x03" * 8, "03" * 8, [f"span ID has 9 bytes, stored as {'03' * 8}"], id="9"
        ),
        pytest.param(b"", "00" * 8, ["span ID is empty"], id="empty"),
        pytest.param(b"\0" * 8, "00" * 8, ["span ID is empty"], id="all zero"),
    ],
)
def test_span_ids_of_any_length_are_stored(
    store: Store, write: Write, sent: bytes, stored: str, warnings: list[str]
) -> None:
    """A quirk of the sender never loses a span."""
    write(make_request(make_span(1, sent)))

    columns = read(store)

    assert [stored] == columns.span_id
    assert [warnings] == columns.warnings


@pytest.mark.parametrize(
    ("sent", "stored", "warnings"),
    [
        pytest.param(b"", "", [], id="none"),
        pytest.param(b"\0" * 8, "", [], id="all zero is none"),
        pytest.param(b"\x01" * 8, "01" * 8, [], id="8 bytes"),
        pytest.param(
            b"\x02", f"{2:016x}", [f"parent span ID has 1 bytes, stored as {2:016x}"], id="1 byte"
        ),
    ],
)
def test_parent_ids_of_any_length_are_stored(
    store: Store, write: Write, sent: bytes, stored: str, warnings: list[str]
) -> None:
    """No parent is no warning."""
    write(make_request(make_span(1, 1, sent)))

    columns = read(store)

    assert [stored] == columns.parent_span_id
    assert [warnings] == columns.warnings


def test_64_bit_ids_are_zero_padded_ids(store: Store, write: Write) -> None:
    """Sixteen bytes with a zero high half are a 64-bit trace id."""
    write(make_request(make_span(b"\0" * 8 + b"\x05" * 8, span_id_bytes())))

    columns = read(store, "00" * 8 + "05" * 8)

    assert [span_hex(6)] == columns.span_id
    assert columns.warnings == [[]]


def span_id_bytes() -> bytes:
    """Return the bytes of span 6."""
    return (6).to_bytes(8, "big")
