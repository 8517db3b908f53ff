"""Names of requests: as metadata, and behind a record's body."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lymer.errors import UndecodableError
from lymer.journal.delivery import INDEX_MAX, Delivery, read_delivery
from make import make_request, make_span

AGENT = bytes(range(16))
_DELIVERIES = st.builds(
    Delivery,
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**63 - 1),
    st.integers(0, INDEX_MAX),
    st.integers(1, 2**32 - 1),
    st.integers(0, 2**63 - 1),
)


@given(delivery=_DELIVERIES)
def test_a_name_comes_through_metadata_as_it_was(delivery: Delivery) -> None:
    """Both keys together are all of it."""
    metadata = dict(delivery.metadata())

    back = Delivery.from_metadata(metadata["lymer-delivery"], metadata["lymer-settled"])

    assert delivery == back


def test_the_form_on_the_wire_stays() -> None:
    """Agents and collectors of different versions talk."""
    delivery = Delivery(AGENT, 1_795_365_820_000_000, 7, settled=5)

    assert delivery.metadata() == (
        ("lymer-delivery", "000102030405060708090a0b0c0d0e0f/1795365820000000.7.1"),
        ("lymer-settled", "5"),
    )


@pytest.mark.parametrize(
    ("name", "settled"),
    [
        ("", ""),
        ("junk", ""),
        (f"{AGENT.hex()}/1.2", ""),
        (f"{AGENT.hex()}/1.2.0", ""),
        (f"{AGENT.hex()}/1.{INDEX_MAX + 1}.1", ""),
        (f"{AGENT.hex()}/1.2.{2**32}", ""),
        (f"{AGENT.hex()}/{2**63}.2.1", ""),
        (f"{AGENT.hex()}/-1.2.1", ""),
        (f"{AGENT.hex().upper()}/1.2.1", ""),
        (f"{AGENT.hex()}/1.2.1 ", ""),
        (f"{AGENT.hex()}/1.2.1", "x"),
        (f"{AGENT.hex()}/1.2.1", "-1"),
        (f"{AGENT.hex()}/1.2.\u0661", ""),
    ],
)
def test_what_is_no_name_is_refused(name: str, settled: str) -> None:
    """Whatever a stranger sends; numbers are bounded, for memory depends on them."""
    with pytest.raises(UndecodableError, match="cannot read lymer-delivery"):
        Delivery.from_metadata(name, settled)


@given(delivery=_DELIVERIES, body=st.binary(max_size=60))
def test_a_name_is_read_behind_a_body(delivery: Delivery, body: bytes) -> None:
    """All but what is settled, which changes."""
    found = read_delivery(memoryview(delivery.behind(body)))

    assert found == Delivery(delivery.agent, delivery.segment, delivery.index, delivery.part)


@given(body=st.binary(max_size=80))
def test_most_bodies_have_no_name(body: bytes) -> None:
    """And none makes reading fail."""
    assert read_delivery(memoryview(body)) is None


def test_readers_of_protobuf_skip_the_name() -> None:
    """It is a field their schema does not know."""
    request = make_request(make_span(1, 1))
    body = Delivery(AGENT, 1, 2).behind(request.SerializeToString())

    parsed = ExportTraceServiceRequest.FromString(body)
    parsed.DiscardUnknownFields()

    assert request == parsed
