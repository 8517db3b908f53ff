"""`lymer generate` against a receiver that remembers and refuses to order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from fakes.otlp_sink import OtlpSink, Refusal
from lymer.errors import StartupError
from lymer.roles.generate import Delivery, send_load
from lymer.roles.load_shape import LoadShape

_PROTOCOLS = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    """Listen while a test runs."""
    with OtlpSink().listening() as listening:
        yield listening


def _endpoint(sink: OtlpSink, protocol: str) -> str:
    return sink.grpc_url if protocol == "grpc" else sink.http_url


@_PROTOCOLS
def test_every_span_that_was_counted_arrives_once(sink: OtlpSink, protocol: str) -> None:
    """The tally is what the receiver has, over several connections."""
    delivery = Delivery(
        endpoint=_endpoint(sink, protocol), protocol=protocol, traces_max=500, connections=3
    )

    tally = send_load(LoadShape(spans_per_request=100), delivery, threading.Event())

    ids = [received.span.span_id for received in sink.spans()]
    assert tally.sent_spans == 4000 == len(ids) == len(set(ids))
    assert (tally.requests, tally.refused_spans, tally.retries) == (40, 0, 0)
    assert len(sink.bodies) == 40


@_PROTOCOLS
def test_headers_go_with_every_request(sink: OtlpSink, protocol: str) -> None:
    """A tenant or a token can be named."""
    delivery = Delivery(
        endpoint=_endpoint(sink, protocol),
        protocol=protocol,
        traces_max=1,
        headers={"X-Tenant": "acme"},
    )

    send_load(LoadShape(), delivery, threading.Event())

    assert [headers["x-tenant"] for headers in sink.headers] == ["acme"]


@_PROTOCOLS
def test_an_overloaded_server_is_asked_again_when_it_says(sink: OtlpSink, protocol: str) -> None:
    """After Retry-After or RetryInfo the same request is sent again, and nothing is lost."""
    sink.refusals.extend([Refusal(retry_after_seconds=1), Refusal()])
    delivery = Delivery(endpoint=_endpoint(sink, protocol), protocol=protocol, traces_max=5)

    tally = send_load(LoadShape(), delivery, threading.Event())

    assert (tally.sent_spans, tally.refused_spans, tally.retries) == (40, 0, 2)
    assert len(sink.spans()) == 40
    assert 1.1 <= tally.seconds < 5


@_PROTOCOLS
def test_what_is_refused_for_good_is_not_sent_again(sink: OtlpSink, protocol: str) -> None:
    """The spans count as refused, the server's words are kept, the load goes on."""
    sink.refusals.append(Refusal(400, grpc.StatusCode.INVALID_ARGUMENT))
    delivery = Delivery(endpoint=_endpoint(sink, protocol), protocol=protocol, traces_max=4)

    tally = send_load(LoadShape(spans_per_request=8), delivery, threading.Event())

    assert (tally.sent_spans, tally.refused_spans, tally.retries) == (24, 8, 0)
    assert tally.last_problem.startswith(("HTTP 400", "INVALID_ARGUMENT: refused by order"))


@_PROTOCOLS
def test_spans_of_an_accepted_request_may_be_refused(sink: OtlpSink, protocol: str) -> None:
    """Partial success counts against the tally; an answer that is no protobuf counts as a yes."""
    partial = ExportTraceServiceResponse()
    partial.partial_success.rejected_spans = 3
    partial.partial_success.error_message = "span id is zero"
    sink.answers.extend([partial.SerializeToString(), b"\xff"])
    delivery = Delivery(endpoint=_endpoint(sink, protocol), protocol=protocol, traces_max=2)

    tally = send_load(LoadShape(spans_per_request=8), delivery, threading.Event())

    assert (tally.sent_spans, tally.refused_spans, tally.retries) == (13, 3, 0)
    assert tally.to_line().endswith("(last problem: span id is zero)")


def test_resource_exhausted_is_final_unless_the_server_says_when(sink: OtlpSink) -> None:
    """OTLP repeats RESOURCE_EXHAUSTED only with RetryInfo."""
    exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
    sink.refusals.extend(
        [Refusal(grpc_code=exhausted), Refusal(grpc_code=exhausted, retry_after_seconds=0)]
    )
    delivery = Delivery(endpoint=sink.grpc_url, protocol="grpc", traces_max=2)

    tally = send_load(LoadShape(spans_per_request=8), delivery, threading.Event())

    assert (tally.sent_spans, tally.refused_spans, tally.retries) == (8, 8, 1)


@_PROTOCOLS
def test_a_server_that_stays_away_is_given_up(protocol: str) -> None:
    """The spans are refused after the time a request may take."""
    with OtlpSink().listening() as gone:
        endpoint = _endpoint(gone, protocol)
    delivery = Delivery(endpoint=endpoint, protocol=protocol, traces_max=1, give_up_seconds=0.5)

    tally = send_load(LoadShape(), delivery, threading.Event())

    assert (tally.sent_spans, tally.refused_spans) == (0, 8)
    assert tally.retries >= 1
    assert tally.seconds < 3


def test_the_rate_is_kept(sink: OtlpSink) -> None:
    """A second of 800 spans/s is 800 spans, give or take a request, in small requests."""
    delivery = Delivery(endpoint=sink.http_url, duration_seconds=1.0, rate=800, connections=2)

    tally = send_load(LoadShape(), delivery, threading.Event())

    assert 640 <= tally.sent_spans <= 880
    assert max(len(request.resource_spans) for request in sink.requests()) <= 80
    assert tally.requests >= 8


def test_a_stop_ends_after_the_requests_in_flight(sink: OtlpSink) -> None:
    """What was sent is counted, what was waiting to be sent is not made."""
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()

    tally = send_load(LoadShape(), Delivery(endpoint=sink.http_url, rate=50), stop)

    assert 0 < tally.sent_spans == len(sink.spans()) <= 30
    assert tally.seconds < 2


def test_an_endpoint_that_is_none_is_refused() -> None:
    """The sentence says what an endpoint looks like."""
    with pytest.raises(StartupError, match="it must be http://HOST:PORT"):
        send_load(LoadShape(), Delivery(endpoint="ftp://x", traces_max=1), threading.Event())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_cleanly_when_interrupted(sink: OtlpSink, number: signal.Signals) -> None:
    """Ctrl-C gives the closing line with what was sent, and exit code 0."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "lymer", "generate", "--endpoint", sink.http_url),
            *("--duration", "60s", "--rate", "200"),
        ],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.perf_counter() + 20
    while not sink.bodies and time.perf_counter() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)

    assert process.returncode == 0
    assert errors == ""
    assert output.startswith(f"sent {len(sink.spans())} spans in {len(sink.bodies)} requests, ")
