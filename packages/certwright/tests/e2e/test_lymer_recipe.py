"""The recipe "TLS for Lymer's links": Lymer serves what Certwright made, also after a renewal."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from certwright_testing.cluster import free_port
from certwright_testing.standalone import Standalone, leaf_of, run_certwright, wait_until

pytest.importorskip("lymer", reason="Lymer is not installed beside Certwright")


def served(port: int, ca: Path, pair: tuple[Path, Path] | None) -> bytes:
    """Return the certificate that a listener shows to a client that trusts the CA only."""
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(["h2"])
    if pair is not None:
        context.load_cert_chain(*pair)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as tls,
    ):
        return tls.getpeercert(binary_form=True) or b""


def change_the_ca(folder: Path, shake_hands: Callable[[], bytes]) -> bytes:
    """Give the CA another key; no handshake may fail until the old one is trusted no longer."""
    [manifest] = folder.glob("quickstart.yaml")
    manifest.write_text(manifest.read_text().replace("ca-rotation: 5m", "ca-rotation: 3s"))
    bundle = folder / "secrets" / "default" / "localhost" / "ca.crt"
    assert run_certwright("ctl", "renew", "local-ca", "--dir", str(folder)).returncode == 0
    held: list[int] = []
    shown: list[bytes] = []

    def is_over() -> bool:
        shown.append(shake_hands())
        held.append(bundle.read_bytes().count(b"BEGIN CERT"))
        return held[-1] == 1 and max(held) == 2

    wait_until(is_over, "the old CA is gone")
    wait_until(lambda: shown[-1] == shake_hands() != shown[0], "the last one is shown")
    return shown[-1]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_lymer_serves_the_files_and_takes_the_renewed_ones(tmp_path: Path) -> None:
    """MTLS on OTLP over gRPC, by the flags of docs/certwright/standalone.md, without a restart."""
    folder = tmp_path / "tls"
    made = run_certwright("quickstart", "localhost", "127.0.0.1", "--dir", str(folder))
    assert made.returncode == 0, made.stderr
    (folder / "agent.yaml").write_text(
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: agent}\n"
        "spec: {secretName: agent, commonName: agent, usages: [client auth], "
        "privateKey: {algorithm: ECDSA}, issuerRef: {name: local-ca}}\n"
    )
    names = ("otlp_grpc", "otlp_http", "jaeger_grpc", "jaeger_http", "zipkin")
    ports = dict(
        zip((*names, "query", "admin", "health"), (free_port() for _ in range(8)), strict=True)
    )
    files = folder / "secrets" / "default"
    with Standalone(folder) as service:
        service.wait_for("agent")
        first = service.wait_for("localhost")
        pair = (files / "agent" / "tls.crt", files / "agent" / "tls.key")
        ca = files / "agent" / "ca.crt"
        with (tmp_path / "lymer.log").open("wb") as log, subprocess.Popen(
            [
                sys.executable, "-m", "lymer", "all-in-one", f"--data-dir={tmp_path / 'data'}",
                f"--set=tls.cert_file={files / 'localhost' / 'tls.crt'}",
                f"--set=tls.key_file={files / 'localhost' / 'tls.key'}",
                f"--set=tls.client_ca_file={ca}", "--set=tls.reload_interval_seconds=500ms",
                *(f"--set=receivers.{name}.port={ports[name]}" for name in names),
                "--set=receivers.jaeger_udp_compact.enabled=false",
                "--set=receivers.jaeger_udp_binary.enabled=false",
                f"--set=query.port={ports['query']}", f"--set=admin.port={ports['admin']}",
                f"--set=health.port={ports['health']}",
            ],
            stdout=log, stderr=log, env=os.environ,
        ) as lymer_process:  # fmt: skip
            try:

                def shows() -> bytes:
                    assert lymer_process.poll() is None, (tmp_path / "lymer.log").read_text()
                    try:
                        return served(ports["otlp_grpc"], ca, pair)
                    except OSError:
                        return b""

                wait_until(lambda: shows() == first.der, "Lymer serves the certificate")
                said = run_certwright("ctl", "renew", "localhost", "--dir", str(folder))
                assert said.returncode == 0
                second = service.wait_for("localhost", other_than=first)
                wait_until(lambda: shows() == second.der, "Lymer serves the renewed certificate")
                third = change_the_ca(folder, lambda: served(ports["otlp_grpc"], ca, pair))
            finally:
                lymer_process.terminate()
                lymer_process.wait(20)

    found = leaf_of(folder, "localhost")
    assert found is not None
    assert found.der == third != second.der
