"""The demo shop against a receiver that remembers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from fakes.otlp_sink import OtlpSink, ReceivedSpan

_SERVICES = {"frontend", "checkout", "inventory", "payment", "shipping"}


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    """Listen while a test runs."""
    with OtlpSink().listening() as listening:
        yield listening


def _open_shop(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lymer", "demo", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_until(fact: Callable[[], bool], seconds: float) -> bool:
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        if fact():
            return True
        time.sleep(0.05)
    return fact()


def _processes_are_gone(pids: set[int]) -> bool:
    for pid in pids:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            continue
        return False
    return True


def _service_pids(sink: OtlpSink) -> set[int]:
    return {
        attribute.value.int_value
        for request in sink.requests()
        for group in request.resource_spans
        for attribute in group.resource.attributes
        if attribute.key == "process.pid"
    }


def _keys(received: ReceivedSpan) -> set[str]:
    return {attribute.key for attribute in received.span.attributes}


@pytest.mark.slow
def test_the_shop_makes_the_traces_a_shop_makes(sink: OtlpSink, tmp_path: Path) -> None:
    """Six lively seconds over gRPC: five services, whole traces, links, errors, conventions."""
    shop = _open_shop(tmp_path, "--endpoint", sink.grpc_url, "--rate", "30", "--duration", "6s")
    output, errors = shop.communicate(timeout=50)

    assert (shop.returncode, errors) == (0, "")
    assert "http://localhost:16686/search?service=frontend" in output
    spans = sink.spans()
    by_id = {received.span.span_id: received for received in spans}
    assert {received.service for received in spans} == _SERVICES
    assert len({received.resource["service.instance.id"] for received in spans}) == 5
    assert {received.resource["service.namespace"] for received in spans} == {"shop"}

    # Every span's parent arrived, and what calls over a process border is of the right kind.
    crossings: Counter[tuple[str, str, int, int]] = Counter()
    for received in spans:
        if not received.span.parent_span_id:
            continue
        parent = by_id[received.span.parent_span_id]
        assert parent.span.trace_id == received.span.trace_id
        if parent.service != received.service:
            kinds = (parent.span.kind, received.span.kind)
            crossings[parent.service, received.service, *kinds] += 1
    call, queue = (Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_SERVER), (4, 5)
    assert set(crossings) == {
        ("frontend", "inventory", *call),
        ("frontend", "checkout", *call),
        ("checkout", "inventory", *call),
        ("checkout", "payment", *call),
        ("checkout", "shipping", *queue),
    }

    # The worker links its batch to the senders, and each order back to the batch.
    batches = [each for each in spans if each.span.name == "receive orders"]
    assert batches
    for batch in batches:
        assert not batch.span.parent_span_id
        for link in batch.span.links:
            assert by_id[link.span_id].span.kind == Span.SPAN_KIND_PRODUCER
    orders = [each for each in spans if each.span.name == "process orders"]
    assert {link.span_id for each in orders for link in each.span.links} == {
        batch.span.span_id for batch in batches
    }

    # Of sixteen charges in a row two fail, in an order of their own.
    charges = [each for each in spans if each.span.name == "authorize card"]
    assert len(charges) >= 16
    failed = [each for each in spans if each.span.name == "authorize card" and each.span.events]
    assert failed
    for each in failed:
        assert each.span.status.code == Status.STATUS_CODE_ERROR
        assert each.span.events[0].name == "exception"

    required = {
        "POST /orders": {"http.request.method", "server.address"},
        "UPDATE stock": {"db.system.name", "db.query.text", "db.collection.name"},
        "shop.Payment/Charge": {"rpc.system.name", "rpc.method", "rpc.response.status_code"},
        "send orders": {"messaging.system", "messaging.destination.name", "messaging.message.id"},
        "process orders": {"messaging.operation.type", "messaging.consumer.group.name"},
    }
    for name, keys in required.items():
        found = [each for each in spans if each.span.name == name]
        assert found, name
        assert all(keys <= _keys(each) for each in found)
    served = [each for each in spans if each.span.kind == 2 and each.service == "frontend"]
    assert all(
        {"http.route", "url.path", "http.response.status_code"} <= _keys(e)
        for e in served
        if e.span.name != "GET"
    )


@pytest.mark.slow
def test_first_traces_come_over_http_within_seconds_and_ctrl_c_ends_all(
    sink: OtlpSink, tmp_path: Path
) -> None:
    """Ten seconds are enough on a busy machine; then nothing is left running."""
    shop = _open_shop(
        tmp_path, "--endpoint", sink.http_url, "--protocol", "http/protobuf", "--rate", "10"
    )
    arrived = _wait_until(lambda: {each.service for each in sink.spans()} == _SERVICES, seconds=25)
    pids = _service_pids(sink)
    shop.send_signal(signal.SIGINT)
    output, errors = shop.communicate(timeout=20)

    assert arrived
    assert (shop.returncode, errors) == (0, "")
    assert "closing: " in output
    assert len(pids) == 5
    assert _processes_are_gone(pids)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_no_service_outlives_a_shop_that_is_killed(sink: OtlpSink, tmp_path: Path) -> None:
    """After SIGKILL, when nothing can be tidied up, all services end by themselves."""
    shop = _open_shop(tmp_path, "--endpoint", sink.grpc_url, "--rate", "10")
    arrived = _wait_until(lambda: len(_service_pids(sink)) == 5, seconds=25)
    pids = _service_pids(sink)
    shop.kill()
    shop.communicate(timeout=20)

    assert arrived
    assert _wait_until(lambda: _processes_are_gone(pids), seconds=10)
