"""`certwright controller` before a real API server: from an Issuer to a TLS handshake."""

from __future__ import annotations

import base64
import json
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certwright_testing.cluster import Cluster, free_port
from certwright_testing.process import Program, eventually, status_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
NAMESPACE = "controlled"


class World:
    """A namespace, the controller, and kubectl's place: `certwright ctl` and the API itself."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.kubeconfig = str(cluster.kubeconfig())
        self.metrics = free_port()
        self.health = free_port()
        self.program = self.start()

    def start(self) -> Program:
        """Start the controller."""
        return Program(
            self.folder / "controller.log",
            "controller",
            f"--kubeconfig={self.kubeconfig}",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            "--leader-election-namespace=kube-system",
            "--leader-election-lease-duration=4s",
            "--leader-election-renew-deadline=3s",
            "--leader-election-retry-period=500ms",
            f"--cluster-resource-namespace={NAMESPACE}",
            f"--metrics-listen-address=127.0.0.1:{self.metrics}",
            f"--internal-healthz-listen-address=127.0.0.1:{self.health}",
        )

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """Run kubectl in the namespace."""
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self.kubeconfig, "-n", NAMESPACE, *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, *objects: dict[str, Any]) -> None:
        """Apply objects as a user does."""
        for obj in objects:
            self.kubectl("apply", "-f", "-", given=json.dumps(obj))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object; nothing if there is none."""
        text = self.kubectl("get", kind, name, "-o", "json", "--ignore-not-found")
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    def listed(self, kind: str) -> list[dict[str, Any]]:
        """Return all objects of a kind."""
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "-o", "json"))["items"]
        return items

    def condition(self, kind: str, name: str, what: str = "Ready") -> dict[str, Any]:
        """Return a condition; nothing if it is not there."""
        conditions = self.get(kind, name).get("status", {}).get("conditions", [])
        return next((one for one in conditions if one["type"] == what), {})

    def wait_ready(self, kind: str, name: str) -> None:
        """Wait until an object is ready."""
        self.program.until(lambda: self.condition(kind, name).get("status") == "True")

    def secret(self, name: str) -> dict[str, bytes]:
        """Return a Secret's data."""
        data = self.get("secret", name).get("data", {})
        return {key: base64.b64decode(text) for key, text in data.items()}

    def ctl(self, *arguments: str) -> str:
        """Run `certwright ctl`."""
        log = self.folder / "ctl.log"
        log.unlink(missing_ok=True)
        program = Program(log, "ctl", *arguments, "--kubeconfig", self.kubeconfig, "-n", NAMESPACE)
        assert program.wait() == 0, program.output
        return log.read_text()


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


CA = (
    _object("Issuer", "self", {"selfSigned": {}}),
    _object(
        "Certificate",
        "ca",
        {
            "isCA": True,
            "commonName": "test ca",
            "secretName": "ca",
            "privateKey": {"algorithm": "ECDSA"},
            "issuerRef": {"name": "self"},
        },
    ),
    _object("Issuer", "ca", {"ca": {"secretName": "ca"}}),
)
LEAF_SPEC = {
    "secretName": "web",
    "dnsNames": ["web.example.com", "localhost"],
    "privateKey": {"algorithm": "ECDSA", "rotationPolicy": "Always"},
    "revisionHistoryLimit": 2,
    "issuerRef": {"name": "ca"},
}


@pytest.fixture(scope="module")
def world(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Yield a running controller with a CA and a leaf."""
    made = World(cluster, tmp_path_factory.mktemp("controller"))
    try:
        subprocess.run(
            ["kubectl", "--kubeconfig", made.kubeconfig, "create", "namespace", NAMESPACE],
            check=True,
            capture_output=True,
        )
        made.apply(*CA, _object("Certificate", "web", LEAF_SPEC))
        made.wait_ready("certificate", "ca")
        made.wait_ready("issuer", "ca")
        made.wait_ready("certificate", "web")
        yield made
    finally:
        made.program.stop()


def _verify(folder: Path, data: dict[str, bytes]) -> None:
    for name, content in data.items():
        (folder / name).write_bytes(content)
    done = subprocess.run(
        [
            "openssl",
            "verify",
            "-CAfile",
            "ca.crt",
            "-verify_hostname",
            "web.example.com",
            "tls.crt",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_leaf_is_verified_by_openssl_and_by_a_handshake(world: World, tmp_path: Path) -> None:
    """The Secret is what a server needs, and what its clients trust."""
    data = world.secret("web")
    _verify(tmp_path, data)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            accepted, _ = listening.accept()
            with server.wrap_socket(accepted, server_side=True) as secured:
                secured.sendall(b"hello")

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            socket.create_connection(listening.getsockname()) as plain,
            client.wrap_socket(plain, server_hostname="web.example.com") as secured,
        ):
            assert secured.recv(5) == b"hello"
        thread.join()


def test_what_is_left_is_what_cert_manager_leaves(world: World) -> None:
    """One request, approved and issued; no next key; annotations, label and field manager."""
    certificate = world.get("certificate", "web")
    assert certificate["status"]["revision"] == 1
    assert "nextPrivateKeySecretName" not in certificate["status"]
    assert [one["type"] for one in certificate["status"]["conditions"]] == ["Ready"]
    ready = world.condition("certificate", "web")
    assert ready["message"] == "Certificate is up to date and has not expired"
    (request,) = (
        one
        for one in world.listed("certificaterequest")
        if one["metadata"]["annotations"]["cert-manager.io/certificate-name"] == "web"
    )
    assert request["metadata"]["generateName"] == "web-"
    reasons = {one["type"]: one["reason"] for one in request["status"]["conditions"]}
    assert reasons == {"Approved": "cert-manager.io", "Ready": "Issued"}
    secret = world.get("secret", "web")
    assert secret["type"] == "kubernetes.io/tls"
    assert secret["metadata"]["annotations"]["cert-manager.io/alt-names"] == (
        "web.example.com,localhost"
    )
    assert secret["metadata"]["labels"] == {"controller.cert-manager.io/fao": "true"}
    world.kubectl("get", "certificate", "web")
    managers = json.loads(
        world.kubectl("get", "secret", "web", "-o", "json", "--show-managed-fields")
    )["metadata"]["managedFields"]
    assert [(one["manager"], one["operation"]) for one in managers] == [
        ("cert-manager-certificates-issuing", "Apply")
    ]
    reasons_of_events = {
        one["reason"]
        for one in world.listed("events")
        if one["involvedObject"]["name"] == "web" and one["involvedObject"]["kind"] == "Certificate"
    }
    assert {"Issuing", "Generated", "Requested"} <= reasons_of_events


def test_an_edit_makes_a_new_revision_with_a_new_key(world: World, tmp_path: Path) -> None:
    """And `ctl renew` another one; history is bounded."""
    before = world.secret("web")
    world.apply(
        _object("Certificate", "web", {**LEAF_SPEC, "dnsNames": ["web.example.com", "more.local"]})
    )
    world.program.until(lambda: world.get("certificate", "web")["status"].get("revision") == 2)
    world.wait_ready("certificate", "web")
    edited = world.secret("web")
    assert edited["tls.key"] != before["tls.key"]
    _verify(tmp_path, edited)

    world.ctl("renew", "web")
    world.program.until(lambda: world.get("certificate", "web")["status"].get("revision") == 3)
    assert world.secret("web")["tls.crt"] != edited["tls.crt"]
    world.program.until(
        lambda: (
            len(
                [
                    one
                    for one in world.listed("certificaterequest")
                    if one["metadata"]["name"].startswith("web-")
                ]
            )
            == 2
        )
    )


def test_a_deleted_secret_comes_back(world: World) -> None:
    """Whoever deleted it."""
    world.kubectl("delete", "secret", "ca-does-not-matter", "--ignore-not-found")
    world.apply(_object("Certificate", "back", {**LEAF_SPEC, "secretName": "back"}))
    world.wait_ready("certificate", "back")
    world.kubectl("delete", "secret", "back")

    world.program.until(lambda: "tls.crt" in world.secret("back"))
    world.wait_ready("certificate", "back")


def test_an_issuer_that_is_not_there_is_named(world: World) -> None:
    """And the certificate comes once it is."""
    world.apply(
        _object(
            "Certificate",
            "early",
            {**LEAF_SPEC, "secretName": "early", "issuerRef": {"name": "late"}},
        )
    )

    def pending() -> list[dict[str, Any]]:
        return [
            one
            for request in world.listed("certificaterequest")
            if request["metadata"]["name"].startswith("early-")
            for one in request.get("status", {}).get("conditions", [])
            if one["type"] == "Ready"
        ]

    world.program.until(lambda: bool(pending()))
    (condition,) = pending()
    assert condition["reason"] == "Pending"
    assert condition["message"].startswith('Referenced "Issuer" not found: issuer.cert-manager.io')
    world.apply(_object("Issuer", "late", {"selfSigned": {}}))
    world.wait_ready("certificate", "early")


def test_metrics_and_health(world: World) -> None:
    """As Prometheus and the kubelet ask."""
    assert status_of(f"http://127.0.0.1:{world.health}/livez") == 200
    url = f"http://127.0.0.1:{world.metrics}/metrics"
    text = subprocess.run(
        ["curl", "-s", "--noproxy", "*", url], capture_output=True, text=True, check=True
    ).stdout
    ready = [
        line
        for line in text.splitlines()
        if line.startswith("certmanager_certificate_ready_status{")
        and 'name="web"' in line
        and 'namespace="controlled"' in line
        and 'condition="True"' in line
    ]
    assert [line.rpartition(" ")[2] for line in ready] == ["1"]
    assert "certmanager_controller_sync_call_count" in text


def test_killed_at_any_moment_it_goes_on_without_a_second_issuance(world: World) -> None:
    """Five times, while ten certificates are issued: each has one request, and its key fits."""
    names = [f"many-{number}" for number in range(10)]
    world.apply(
        *(_object("Certificate", name, {**LEAF_SPEC, "secretName": name}) for name in names)
    )
    for pause in (0.3, 0.6, 0.9, 1.2, 1.5):
        threading.Event().wait(pause)
        world.program.signal(signal.SIGKILL)
        world.program.wait()
        world.program = world.start()
    for name in names:
        world.wait_ready("certificate", name)

    for name in names:
        requests = [
            one
            for one in world.listed("certificaterequest")
            if one["metadata"]["annotations"]["cert-manager.io/certificate-name"] == name
        ]
        assert len(requests) == 1, name
        assert world.get("certificate", name)["status"]["revision"] == 1
        data = world.secret(name)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        pair = world.folder / f"{name}.pem"
        pair.write_bytes(data["tls.key"] + data["tls.crt"])
        context.load_cert_chain(pair)  # refuses a key that does not fit


def test_it_stops_as_told_and_gives_the_lease_back(world: World) -> None:
    """The next one need not wait."""
    # One that was killed a moment ago holds the lease for four seconds; who issues, leads.
    world.apply(_object("Certificate", "last", {**LEAF_SPEC, "secretName": "last"}))
    world.wait_ready("certificate", "last")
    assert world.program.stop() == 0
    lease = json.loads(
        subprocess.run(
            [
                "kubectl", "--kubeconfig", world.kubeconfig, "-n", "kube-system",
                "get", "lease", "cert-manager-controller", "-o", "json",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )  # fmt: skip
    assert lease["spec"]["holderIdentity"] == ""
    world.program = world.start()
    eventually(lambda: status_of(f"http://127.0.0.1:{world.health}/livez") == 200)
