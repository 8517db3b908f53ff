"""What encryption costs the receivers: `python -m bench.tls`. Needs `openssl`.

`lymer generate` sends the same requests in plain text, over TLS, and over TLS 1.3 only, which for
gRPC means the front of ours instead of gRPC's own TLS. CPU is that of the server until all is
stored, so what the store takes is in every line alike.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.process import require_linux
from bench.server import Server
from lymer import clock

_MODES: Final = {
    "plain text": (),
    "TLS": ("cert_file={0}/tls.pem", "key_file={0}/tls.key"),
    "TLS 1.3 only": ("cert_file={0}/tls.pem", "key_file={0}/tls.key", "min_version=1.3"),
}
_PROTOCOLS: Final = {"grpc": "otlp_grpc", "http/protobuf": "otlp_http"}
_SPANS_PER_TRACE: Final = 8


def _make_certificate(folder: str) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext"
    names = ["subjectAltName=DNS:localhost", "-keyout", "tls.key", "-out", "tls.pem"]
    subprocess.run([*command.split(), *names], cwd=folder, check=True, capture_output=True)


def _send(endpoint: str, protocol: str, folder: str, spans: int, per_request: int) -> float:
    """Send `spans` over four connections; return the seconds it took."""
    trusted = {
        "SSL_CERT_FILE": f"{folder}/tls.pem",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": f"{folder}/tls.pem",
    }
    command = [sys.executable, "-m", "lymer", "generate", "--endpoint", endpoint]
    command += ["--protocol", protocol, "--traces", str(spans // _SPANS_PER_TRACE)]
    command += ["--connections", "4", "--spans-per-request", str(per_request)]
    started = clock.monotonic_seconds()
    subprocess.run(command, env={**os.environ, **trusted}, check=True, capture_output=True)
    return clock.monotonic_seconds() - started


def _measure(mode: str, protocol: str, spans: int, per_request: int) -> tuple[float, float]:
    """Return CPU seconds of the server, and seconds of the sender."""
    door = _PROTOCOLS[protocol]
    with tempfile.TemporaryDirectory() as folder:
        _make_certificate(folder)
        settings = tuple(
            f"receivers.{door}.tls.{setting.format(folder)}" for setting in _MODES[mode]
        )
        with Server(Path(folder) / "data", settings) as server:
            scheme = "https" if settings else "http"
            port = server.ports["grpc" if protocol == "grpc" else "http"]
            before = server.cpu()
            endpoint = f"{scheme}://localhost:{port}"
            seconds = _send(endpoint, protocol, folder, spans, per_request)
            server.wait_stored(spans)
            return server.cpu() - before, seconds


def _line(mode: str, protocol: str, per_request: int, requests: int, runs: int) -> str:
    spans = requests * per_request
    measured = [_measure(mode, protocol, spans, per_request) for _ in range(runs)]
    cpu, seconds = (min(column) for column in zip(*measured, strict=True))
    return (
        f"{protocol:13} {per_request:4} spans a request  {mode:12}  {cpu / spans * 1e6:6.2f} µs "
        f"CPU a span  {cpu / requests * 1e6:6.0f} µs a request  {requests / seconds:5.0f} sent/s"
    )


def main() -> int:
    """Measure each; return the exit code."""
    require_linux()
    parser = argparse.ArgumentParser(prog="python -m bench.tls", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000, help="of each size (1000)")
    parser.add_argument("--spans", default="32,512", help="spans of a request (32,512)")
    parser.add_argument("--runs", type=int, default=3, help="of which the best counts (3)")
    arguments = parser.parse_args()
    for per_request in map(int, arguments.spans.split(",")):
        for protocol in _PROTOCOLS:
            for mode in _MODES:
                print(
                    _line(mode, protocol, per_request, arguments.requests, arguments.runs),
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
