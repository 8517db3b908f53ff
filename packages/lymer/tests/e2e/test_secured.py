"""Encryption and access as users meet them: SDKs, a browser, a page that sends spans."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from playwright.sync_api import Browser, Error, expect, sync_playwright

from e2e.lymer_process import Lymer, lymer_environment, poll
from e2e.otlp import new_trace_id
from fakes.certificates import Authority

pytestmark = pytest.mark.timeout(180)

TOKEN = "token-of-senders"
PASSWORD = "open sesame"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium; without one the tests are skipped, and say so."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        opened = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield opened
        opened.close()


def _secured(new_lymer: Callable[..., Lymer], folder: Path, **more: str) -> Lymer:
    """Return a started Lymer that is shut in every way there is."""
    authority = Authority()
    ca_file = authority.write(folder)
    cert_file, key_file = authority.issue().write(folder, "server")
    authority.issue("client").write(folder, "client")
    users = folder / "users"
    users.write_text(f"ada:{PASSWORD}\n")
    users.chmod(0o600)
    settings = {
        "TLS__CERT_FILE": str(cert_file),
        "TLS__KEY_FILE": str(key_file),
        "TLS__CLIENT_CA_FILE": str(ca_file),
        "QUERY__TLS__VERIFY_CLIENTS": "false",
        "QUERY__AUTH__HTPASSWD_FILE": str(users),
        "HEALTH__TLS__ENABLED": "false",
        "RECEIVERS__AUTH__BEARER_TOKENS": TOKEN,
        **more,
    }
    lymer = new_lymer(**{f"LYMER__{name}": value for name, value in settings.items()})
    lymer.start()
    return lymer


def _send(exporter: SpanExporter, service: str) -> str:
    """Send one span by the real SDK; return its trace id."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("e2e").start_as_current_span("pay") as span:
        trace_id = span.get_span_context().trace_id
    provider.shutdown()
    return f"{trace_id:032x}"


def test_sdks_send_over_mtls_with_a_token_and_users_look_with_a_password(
    new_lymer: Callable[..., Lymer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OTLP over gRPC and HTTPS, by OpenTelemetry's own exporters; plain text gets nothing."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)  # they win over what the exporter is given
    lymer = _secured(new_lymer, tmp_path)
    ca, key, certificate = (
        (tmp_path / name).read_bytes() for name in ("ca.pem", "client.key", "client.pem")
    )
    over_grpc = GrpcExporter(
        endpoint=f"https://localhost:{lymer.ports['otlp_grpc']}",
        credentials=grpc.ssl_channel_credentials(ca, key, certificate),
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    over_http = HttpExporter(
        endpoint=f"https://localhost:{lymer.ports['otlp_http']}/v1/traces",
        certificate_file=str(tmp_path / "ca.pem"),
        client_certificate_file=str(tmp_path / "client.pem"),
        client_key_file=str(tmp_path / "client.key"),
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    traces = [_send(over_grpc, "over-grpc"), _send(over_http, "over-http")]

    context = ssl.create_default_context(cadata=ca.decode())
    url = f"https://localhost:{lymer.ports['query']}/api/traces"
    with httpx.Client(verify=context, trust_env=False, timeout=30) as client:
        assert client.get(f"{url}/{traces[0]}").status_code == 401
        for trace_id in traces:
            for _ in poll(10):
                answer = client.get(f"{url}/{trace_id}", auth=("ada", PASSWORD))
                if answer.status_code == 200:
                    break
            assert answer.status_code == 200, lymer.log_tail()
            (trace,) = answer.json()["data"]
            assert trace["spans"][0]["operationName"] == "pay"

    stranger = grpc.insecure_channel(f"localhost:{lymer.ports['otlp_grpc']}")
    with pytest.raises(grpc.RpcError):
        stranger.unary_unary("/any/Method")(b"", timeout=5)
    stranger.close()
    shown = subprocess.run(
        [*lymer.command[:3], "config", "show"],
        env=lymer_environment(lymer.environment),
        capture_output=True,
        text=True,
        check=True,
    )
    log = lymer.log.read_text()
    assert f"https://localhost:{lymer.ports['query']}" in log
    assert f"http://localhost:{lymer.ports['health']}/status" in log
    assert "Handshake failed" not in log  # gRPC's own words, in no form of ours
    for secret in (TOKEN, PASSWORD, "PRIVATE KEY"):
        assert secret not in log
        assert secret not in shown.stdout + shown.stderr
    assert lymer.stop() == 0


@pytest.mark.browser
def test_a_browser_logs_in_and_the_ui_works_over_https(
    new_lymer: Callable[..., Lymer], tmp_path: Path, browser: Browser
) -> None:
    """The browser asks for the password once; everything the page loads carries it."""
    lymer = _secured(new_lymer, tmp_path)
    url = f"https://localhost:{lymer.ports['query']}"
    context = browser.new_context(
        ignore_https_errors=True, http_credentials={"username": "ada", "password": PASSWORD}
    )
    page = context.new_page()
    failures: list[str] = []
    page.on("response", lambda r: failures.append(r.url) if r.status >= 400 else None)

    page.goto(f"{url}/search")

    expect(page.get_by_role("button").first).to_be_visible(timeout=15_000)
    assert failures == []
    stranger = browser.new_context(ignore_https_errors=True).new_page()
    with pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
        stranger.goto(f"{url}/search")
    context.close()


class _Page(http.server.BaseHTTPRequestHandler):
    """An empty page of somebody's shop."""

    def do_GET(self) -> None:
        """Answer anything with it."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>shop</title>")

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def shop() -> Iterator[str]:
    """Origin of a web page that is not Lymer's."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.browser
@pytest.mark.parametrize("how", ["fetch", "beacon"])
def test_a_page_of_an_allowed_origin_sends_spans(
    new_lymer: Callable[..., Lymer], browser: Browser, shop: str, how: str
) -> None:
    """As OpenTelemetry's exporters for browsers do, by either of their ways; others cannot."""
    group = "LYMER__RECEIVERS__OTLP_HTTP__CORS__"
    lymer = new_lymer(**{f"{group}ALLOWED_ORIGINS": shop, f"{group}ALLOWED_HEADERS": "x-shop"})
    lymer.start()
    trace_id = new_trace_id().hex()
    span = {
        "traceId": trace_id,
        "spanId": "00f067aa0ba902b7",
        "name": "click",
        "kind": 1,
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000000001000000",
    }
    name = {"key": "service.name", "value": {"stringValue": "browser"}}
    resource = {"attributes": [name]}
    spans = [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]
    script = {
        "fetch": """([url, body]) => fetch(url, {method: "POST", body, keepalive: true,
            headers: {"content-type": "application/json", "x-shop": "1"}}).then(r => r.status)""",
        "beacon": """([url, body]) => navigator.sendBeacon(url,
            new Blob([body], {type: "application/json"})) ? 200 : 0""",
    }[how]
    page = browser.new_page()
    page.goto(shop)

    status = page.evaluate(script, [lymer.otlp_http_url, json.dumps({"resourceSpans": spans})])

    assert status == 200
    assert lymer.wait_for_trace(trace_id, 1)["spans"][0]["operationName"] == "click"
    page.goto(shop.replace("127.0.0.1", "localhost"))  # another origin
    refused = """url => fetch(url, {method: "POST", body: "{}",
        headers: {"content-type": "application/json"}}).then(r => r.status, () => "refused")"""
    assert page.evaluate(refused, lymer.otlp_http_url) == "refused"
    page.close()
