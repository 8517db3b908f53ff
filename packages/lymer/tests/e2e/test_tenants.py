"""Several tenants in one Lymer: by every door in, by every answer out, none meets another."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Final

import grpc
import pytest

from e2e.lymer_process import Lymer, poll
from e2e.otlp import PROTOBUF, new_trace_id, request_of, span_of
from fakes import jaeger_batch as jaeger
from fakes.jaeger_batch import Batch, thrift_batch, thrift_message
from lymer import clock
from lymer.wire.thrift import Protocol

_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_POST_SPANS: Final = "/jaeger.api_v2.CollectorService/PostSpans"
_HOUR_MICROSECONDS: Final = 3_600_000_000
_TENANTS: Final = {
    "LYMER__TENANCY__ENABLED": "true",
    "LYMER__TENANCY__TENANTS": "acme, Acme, mega corp",
    "LYMER__TENANCY__UDP_TENANT": "mega corp",
    "LYMER__TENANCY__DEFAULT_TENANT": "acme",
}


@pytest.fixture(scope="module")
def lymer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lymer]:
    """Yield a Lymer with three tenants."""
    started = Lymer(tmp_path_factory.mktemp("tenants"), _TENANTS)
    try:
        started.start()
        yield started
    finally:
        started.close()


def send(lymer: Lymer, tenant: str, trace_id: bytes, *, service: str) -> None:
    """Send a trace of one tenant over OTLP/HTTP."""
    body = request_of(span_of(trace_id), service=service).SerializeToString()
    headers = {"Content-Type": PROTOBUF, "X-Tenant": tenant}
    response = lymer.http.post(lymer.otlp_http_url, content=body, headers=headers)
    assert response.status_code == 200, response.text


def get(lymer: Lymer, path: str, tenant: str | None) -> tuple[int, str]:
    """Ask as a tenant; return status and body."""
    headers = {} if tenant is None else {"x-tenant": tenant}
    response = lymer.http.get(lymer.query_url + path, headers=headers)
    return response.status_code, response.text


def wait_for(lymer: Lymer, tenant: str, path: str, text: str) -> str:
    """Return an answer once it holds `text`."""
    answer = ""
    for _ in poll(10):
        _, answer = get(lymer, path, tenant)
        if text in answer:
            return answer
    raise AssertionError(f"{text} was not in {path} of {tenant}: {answer[:400]}")


def raw_request(port: int, path: str, body: bytes, headers: list[tuple[str, str]]) -> str:
    """Send headers exactly as given, twice the same too; return status and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("POST", path)
    for name, value in [*headers, ("Content-Length", str(len(body)))]:
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    text = f"{answer.status} {answer.getheader('content-type')} {answer.read().decode()}"
    connection.close()
    return text


_HTTP_DOORS: Final = [
    ("otlp_http", "/v1/traces", "application/x-protobuf"),
    ("otlp_http", "/v1/traces", "application/json"),
    ("jaeger_http", "/api/traces", "application/x-thrift"),
    ("zipkin", "/api/v2/spans", "application/json"),
    ("zipkin", "/api/v1/spans", "application/x-thrift"),
]
_TEXT: Final = "text/plain; charset=utf-8"


@pytest.mark.parametrize(("port", "path", "content_type"), _HTTP_DOORS)
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ([], f"401 {_TEXT} missing tenant header"),
        ([("x-tenant", "")], f"401 {_TEXT} missing tenant header"),
        ([("x-tenant", "nobody")], f"401 {_TEXT} unknown tenant"),
        ([("x-tenant", "ACME")], f"401 {_TEXT} unknown tenant"),
        ([("x-tenant", "acme"), ("X-Tenant", "acme")], f"401 {_TEXT} extra tenant header"),
        ([("x-tenant", "acme, Acme")], f"401 {_TEXT} unknown tenant"),
        ([("x-tenant", "../acme")], f"401 {_TEXT} unknown tenant"),
    ],
)
def test_http_doors_refuse_what_names_no_tenant(
    lymer: Lymer, port: str, path: str, content_type: str, sent: list[tuple[str, str]], said: str
) -> None:
    """Before they look at the body, in Jaeger's words."""
    headers = [("Content-Type", content_type), *sent]
    assert said == raw_request(lymer.ports[port], path, b"anything", headers)


@pytest.mark.parametrize("method", [_EXPORT, _POST_SPANS])
@pytest.mark.parametrize(
    ("metadata", "code", "said"),
    [
        ([], grpc.StatusCode.UNAUTHENTICATED, "missing tenant header"),
        ([("x-tenant", "nobody")], grpc.StatusCode.PERMISSION_DENIED, "unknown tenant"),
        (
            [("x-tenant", "acme"), ("x-tenant", "Acme")],
            grpc.StatusCode.PERMISSION_DENIED,
            "extra tenant header",
        ),
    ],
)
def test_grpc_doors_refuse_what_names_no_tenant(
    lymer: Lymer,
    method: str,
    metadata: list[tuple[str, str]],
    code: grpc.StatusCode,
    said: str,
) -> None:
    """Source: Jaeger v2.20, `internal/tenancy/grpc.go`."""
    port = lymer.ports["otlp_grpc" if method == _EXPORT else "jaeger_grpc"]
    with (
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        pytest.raises(grpc.RpcError) as raised,
    ):
        channel.unary_unary(method)(b"", metadata=metadata, timeout=10)

    assert (code, said) == (raised.value.code(), raised.value.details())


def test_every_door_brings_spans_to_the_tenant_named(lymer: Lymer) -> None:
    """Six doors, three tenants, names that differ in case only."""
    batch = Batch("jaeger-thrift", [jaeger.Span()])
    now = clock.unix_nano() // 1000
    zipkin = (
        b'[{"traceId":"%032x","id":"1","name":"z","timestamp":%d,"duration":5,'
        b'"localEndpoint":{"serviceName":"zipkin-json"}}]' % (77, now)
    )
    posts: list[tuple[str, str, bytes, str]] = [
        ("jaeger_http", "/api/traces", thrift_batch(batch), "application/x-thrift"),
        ("zipkin", "/api/v2/spans", zipkin, "application/json"),
    ]
    for port, path, body, content_type in posts:
        headers = [("Content-Type", content_type), ("x-tenant", "Acme")]
        assert raw_request(lymer.ports[port], path, body, headers).startswith("202")
    with grpc.insecure_channel(f"127.0.0.1:{lymer.ports['jaeger_grpc']}") as channel:
        channel.unary_unary(_POST_SPANS)(
            jaeger.to_post_spans(Batch("jaeger-grpc", [jaeger.Span()])),
            metadata=[("x-tenant", "Acme")],
            timeout=10,
        )
    with grpc.insecure_channel(lymer.otlp_grpc_target) as channel:
        channel.unary_unary(_EXPORT)(
            request_of(span_of(new_trace_id()), service="otlp-grpc").SerializeToString(),
            metadata=[("x-tenant", "Acme")],
            timeout=10,
        )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        message = thrift_message(Batch("by-udp", [jaeger.Span()]), Protocol.COMPACT)
        sender.sendto(message, ("127.0.0.1", lymer.ports["jaeger_udp_compact"]))
    send(lymer, "acme", new_trace_id(), service="otlp-http")

    for service in ("jaeger-thrift", "jaeger-grpc", "zipkin-json", "otlp-grpc"):
        wait_for(lymer, "Acme", "/api/services", f'"{service}"')
    wait_for(lymer, "mega corp", "/api/services", '"by-udp"')
    wait_for(lymer, "acme", "/api/services", '"otlp-http"')
    everybody = {one: get(lymer, "/api/services", one)[1] for one in ("acme", "mega corp", "Acme")}
    assert "by-udp" not in everybody["acme"] + everybody["Acme"]
    assert "otlp-http" not in everybody["mega corp"] + everybody["Acme"]
    assert "jaeger-thrift" not in everybody["acme"] + everybody["mega corp"]


def _paths(trace: str, start: int, end: int) -> list[str]:
    """Return one question of every kind the API answers."""
    rfc = "query.startTimeMin=2020-01-01T00:00:00Z&query.startTimeMax=2100-01-01T00:00:00Z"
    return [
        "/api/services",
        "/api/operations?service=secret-shop",
        "/api/services/secret-shop/operations",
        f"/api/traces?service=secret-shop&start={start}&end={end}",
        f"/api/traces?traceID={trace}",
        f"/api/traces/{trace}",
        f"/api/traces/{trace}?raw=true",
        f"/api/dependencies?endTs={end // 1000}&lookback=86400000",
        "/api/v3/services",
        "/api/v3/operations?service=secret-shop",
        f"/api/v3/traces/{trace}",
        f"/api/v3/traces?query.serviceName=secret-shop&{rfc}",
        f"/api/v3/trace-summaries?query.serviceName=secret-shop&{rfc}",
        f"/api/lymer/v1/traces/{trace}/statistics?by=service",
        f"/api/lymer/v1/traces/{trace}/spans/0000000000000001",
    ]


def test_no_answer_holds_anything_of_another_tenant(lymer: Lymer) -> None:
    """Also not of a trace with the same id; without a tenant there is no answer at all."""
    trace = new_trace_id()
    send(lymer, "Acme", trace, service="secret-shop")
    send(lymer, "acme", trace, service="open-shop")
    wait_for(lymer, "Acme", f"/api/traces/{trace.hex()}", "secret-shop")
    wait_for(lymer, "acme", f"/api/traces/{trace.hex()}", "open-shop")
    end = clock.unix_nano() // 1000 + _HOUR_MICROSECONDS

    for path in _paths(trace.hex(), end - 3 * _HOUR_MICROSECONDS, end):
        for stranger in ("acme", "mega corp"):
            status, body = get(lymer, path, stranger)
            assert "secret" not in body, (path, stranger, status)
        assert get(lymer, path, None) == (401, "missing tenant header"), path
        assert get(lymer, path, "nobody") == (401, "unknown tenant"), path


def test_the_interface_itself_needs_no_tenant(lymer: Lymer) -> None:
    """A browser gets the page, and a proxy in front of it names the tenant of its calls."""
    for path in ("/", "/search"):
        status, body = get(lymer, path, None)
        assert status == 200
        assert "<html" in body.lower()


def test_refusals_are_counted(lymer: Lymer) -> None:
    """By door, as one reason."""
    raw_request(lymer.ports["zipkin"], "/api/v2/spans", b"[]", [("x-tenant", "nobody")])
    metrics = lymer.http.get(f"{lymer.admin_url}/metrics").text
    assert 'reason="tenant",receiver="zipkin",transport="http"' in metrics


def test_what_was_stored_without_tenancy_is_the_default_tenants(
    new_lymer: Callable[..., Lymer],
) -> None:
    """Turned on and off again, on one folder; tenants stay apart all the while."""
    trace, other = new_trace_id(), new_trace_id()
    lymer = new_lymer()
    lymer.start()
    body = request_of(span_of(trace), service="before").SerializeToString()
    lymer.http.post(lymer.otlp_http_url, content=body, headers={"Content-Type": PROTOBUF})
    lymer.stop()

    lymer.arguments = ["--set", "tenancy.enabled=true", "--set", "tenancy.default_tenant=old"]
    lymer.start()
    wait_for(lymer, "old", "/api/services", "before")
    send(lymer, "new", other, service="after")
    wait_for(lymer, "new", "/api/services", "after")
    assert "before" not in get(lymer, "/api/services", "new")[1]
    assert "after" not in get(lymer, "/api/services", "old")[1]
    lymer.stop()

    lymer.arguments = []
    lymer.start()
    assert [get(lymer, "/api/services", one)[1] for one in (None, "new")] == [
        '{"data":["before"],"total":1,"limit":0,"offset":0,"errors":null}'
    ] * 2


def test_udp_without_a_tenant_is_refused_and_tenants_have_a_limit(
    new_lymer: Callable[..., Lymer],
) -> None:
    """Both are counted; a refused tenant leaves nothing behind."""
    lymer = new_lymer(LYMER__TENANCY__ENABLED="true", LYMER__TENANCY__TENANTS_MAX="2")
    lymer.start()
    message = thrift_message(Batch("by-udp", [jaeger.Span()]), Protocol.COMPACT)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(message, ("127.0.0.1", lymer.ports["jaeger_udp_compact"]))
    for tenant in ("a", "b"):
        send(lymer, tenant, new_trace_id(), service=f"of-{tenant}")
    body = request_of(span_of(new_trace_id())).SerializeToString()
    refusal = raw_request(
        lymer.ports["otlp_http"],
        "/v1/traces",
        body,
        [("Content-Type", PROTOBUF), ("x-tenant", "c")],
    )

    assert refusal.endswith("there are 2, the limit is 2 (tenancy.tenants_max)")
    for tenant in ("a", "b"):
        wait_for(lymer, tenant, "/api/services", f"of-{tenant}")
    metrics = lymer.http.get(f"{lymer.admin_url}/metrics").text
    assert 'reason="tenant",receiver="jaeger",transport="udp_compact"} 1.0' in metrics
    assert lymer.stop() == 0


def test_a_tenant_is_listed_and_removed_for_good(new_lymer: Callable[..., Lymer]) -> None:
    """Store, journal and quarantine; others keep what they have, and the name can be used again."""
    lymer = new_lymer(LYMER__TENANCY__ENABLED="true")
    lymer.start()
    for tenant in ("keep", "go/away '"):
        send(lymer, tenant, new_trace_id(), service=f"shop of {tenant}")
        wait_for(lymer, tenant, "/api/services", "shop of")
    used = tenants_command(lymer, "list")
    assert used.returncode == 1
    assert "another Lymer" in used.stderr
    send(lymer, "go/away '", new_trace_id(), service="late")
    lymer.kill()

    listed = tenants_command(lymer, "list").stdout.splitlines()
    assert [line.split("\t")[0] for line in listed] == ["tenant", "", "go/away '", "keep"]
    assert [line.split("\t")[1] for line in listed[1:]] == ["0", "1", "1"]
    refused = tenants_command(lymer, "remove", "nobody", "--yes")
    assert (refused.returncode, refused.stderr) == (
        1,
        "lymer: cannot remove tenant 'nobody': nothing is stored of it\n",
    )
    assert tenants_command(lymer, "remove", "go/away '", "--yes").stdout == "removed go/away '\n"
    assert tenants_command(lymer, "remove", "go/away '", "--yes").returncode == 1

    lymer.start()
    assert '"shop of keep"' in get(lymer, "/api/services", "keep")[1]
    assert '"total":0' in get(lymer, "/api/services", "go/away '")[1]
    send(lymer, "go/away '", new_trace_id(), service="back again")
    wait_for(lymer, "go/away '", "/api/services", "back again")
    assert lymer.stop() == 0


def tenants_command(lymer: Lymer, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `lymer tenants` on the folder of `lymer`."""
    command = [sys.executable, "-m", "lymer", "tenants", *arguments]
    return subprocess.run(
        [*command, "--data-dir", str(lymer.data_dir)],
        env=lymer.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
