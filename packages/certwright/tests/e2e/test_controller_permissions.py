"""`certwright controller` on a real API server, with the chart's permissions and no others."""

from __future__ import annotations

import random
import re
import signal
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509

from certwright.resources.conditions import with_condition
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, ISSUER, LEASE, SECRET
from certwright.resources.times import parse_time
from certwright_testing.cluster import Cluster, free_port, missing_assets
from certwright_testing.in_cluster import (
    Hands,
    certificate_authority,
    certificate_for,
    condition,
    contents,
    self_signed_issuer,
    verify_with_openssl,
)
from certwright_testing.process import Program, status_of

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(240)]

NOW = "2026-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield an API server that a test may stop."""
    if missing := missing_assets():
        pytest.skip(missing)
    started = Cluster(tmp_path_factory.mktemp("own-cluster"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


class Controller:
    """Starts controllers against one cluster."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.hands = Hands(cluster)
        self.kubeconfig = self.hands.install()
        self.folder = folder
        self.metrics, self.health = free_port(), free_port()

    def flags(self, *more: str) -> tuple[str, ...]:
        """Return a command line; the lease is short so that a killed leader is soon replaced."""
        return (
            "controller",
            f"--kubeconfig={self.kubeconfig}",
            "--kube-api-qps=500",
            "--kube-api-burst=500",
            "--cluster-resource-namespace=cert-manager",
            "--leader-election-lease-duration=3s",
            "--leader-election-renew-deadline=2s",
            "--leader-election-retry-period=500ms",
            f"--metrics-listen-address=127.0.0.1:{self.metrics}",
            f"--internal-healthz-listen-address=127.0.0.1:{self.health}",
            *more,
        )

    @contextmanager
    def running(self, *more: str) -> Iterator[Program]:
        """Run one for the length of a block."""
        with Program.running(self.folder / "controller.log", *self.flags(*more)) as program:
            yield program

    def namespace(self, name: str) -> str:
        """Make a namespace for one test."""
        self.hands.make([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
        return name

    def metrics_text(self) -> str:
        """Return what /metrics says."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.metrics}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
            return text


@pytest.fixture
def controller(own_cluster: Cluster, tmp_path: Path) -> Controller:
    """Return what starts controllers."""
    return Controller(own_cluster, tmp_path)


def handshake(files: dict[str, bytes], folder: Path, name: str) -> str:
    """Serve TLS with a Secret's files, connect trusting its ca.crt, and return the version."""
    verify_with_openssl(files, folder)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    trusting = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve() -> None:
            accepted, _ = listening.accept()
            with serving.wrap_socket(accepted, server_side=True) as secured:
                secured.sendall(b"hello")

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            trusting.wrap_socket(plain, server_hostname=name) as secured,
        ):
            assert secured.recv(5) == b"hello"
            version = secured.version() or ""
        thread.join()
    return version


def test_a_ca_and_what_it_signs_are_issued(controller: Controller, tmp_path: Path) -> None:
    """OpenSSL and a TLS handshake agree; objects, events and owners are the original's."""
    hands, place = controller.hands, controller.namespace("issued")
    hands.make([*certificate_authority(place), certificate_for("web", place)])
    with controller.running() as program:
        hands.until(lambda: hands.ready(place, "ca", "web"), what=program.output)
        text = controller.metrics_text()
        assert status_of(f"http://127.0.0.1:{controller.health}/livez") == 200
        assert program.stop() == 0

    secret = hands.get(SECRET.key(place, "web"))
    assert handshake(contents(secret), tmp_path / "web", "web.example") == "TLSv1.3"
    managers = {
        (entry["manager"], entry["operation"]) for entry in secret["metadata"]["managedFields"]
    }
    assert managers == {("cert-manager-certificates-issuing", "Apply")}
    status = {
        entry["manager"]
        for entry in hands.get(CERTIFICATE.key(place, "web"))["metadata"]["managedFields"]
        if entry.get("subresource") == "status"
    }
    assert status <= {
        "cert-manager-certificates-issuing",
        "cert-manager-certificates-key-manager",
        "cert-manager-certificates-readiness",
        "cert-manager-certificates-trigger",
    }
    assert hands.revisions(place) == {"ca": ["1"], "web": ["1"]}
    events = hands.events(place)
    assert ("Issuing", "The certificate has been successfully issued") in events
    assert ("Issuing", "Issuing certificate as Secret does not exist") in events
    assert (
        "cert-manager.io",
        "Certificate request has been approved by cert-manager.io",
    ) in events
    labels = 'name="web",namespace="issued",condition="True"'
    assert re.search(rf"certmanager_certificate_ready_status{{[^}}]*{labels}[^}}]*}} 1\n", text)
    assert 'certmanager_controller_sync_call_count{controller="certificates-issuing"}' in text
    lease = hands.get(LEASE.key("kube-system", "cert-manager-controller"))
    assert lease["spec"]["holderIdentity"] == ""


def test_a_certificate_is_renewed_before_it_expires(controller: Controller) -> None:
    """A new serial number, the next revision, the same key."""
    hands, place = controller.hands, controller.namespace("renewed")
    hands.make(
        [
            self_signed_issuer(place),
            certificate_for("short", place, "self", duration="30s", renewBefore="26s"),
        ]
    )
    with controller.running() as program:
        hands.until(lambda: hands.ready(place, "short"), what=program.output)
        first = contents(hands.get(SECRET.key(place, "short")))
        hands.until(
            lambda: len(hands.revisions(place)["short"]) > 1 and hands.ready(place, "short"),
            what=program.output,
        )

    second = contents(hands.get(SECRET.key(place, "short")))
    certificates = [x509.load_pem_x509_certificate(f["tls.crt"]) for f in (first, second)]
    assert certificates[0].serial_number != certificates[1].serial_number
    assert first["tls.key"] == second["tls.key"]
    assert any(
        message.startswith("Renewing certificate as renewal was scheduled at")
        for _, message in hands.events(place)
    )


def test_a_changed_certificate_is_issued_anew(controller: Controller, tmp_path: Path) -> None:
    """And what only the Secret lacks is put back without a new issuance."""
    hands, place = controller.hands, controller.namespace("revised")
    hands.make([*certificate_authority(place), certificate_for("web", place)])
    with controller.running() as program:
        hands.until(lambda: hands.ready(place, "web"), what=program.output)

        def other_names(obj: dict[str, object]) -> None:
            spec = obj["spec"]
            assert isinstance(spec, dict)
            spec["dnsNames"] = ["other.example"]
            spec["secretTemplate"] = {"labels": {"team": "blue"}}

        hands.change(CERTIFICATE.key(place, "web"), other_names)
        hands.until(
            lambda: hands.revisions(place)["web"] == ["1", "2"] and hands.ready(place, "web"),
            what=program.output,
        )
        secret = hands.get(SECRET.key(place, "web"))
        assert secret["metadata"]["labels"]["team"] == "blue"
        handshake(contents(secret), tmp_path / "web", "other.example")

        def without_labels(obj: dict[str, object]) -> None:
            metadata = obj["metadata"]
            assert isinstance(metadata, dict)
            metadata["labels"] = {}

        hands.change(SECRET.key(place, "web"), without_labels)
        hands.until(
            lambda: (
                hands.get(SECRET.key(place, "web"))["metadata"].get("labels", {}).get("team")
                == "blue"
            ),
            what=program.output,
        )

    assert hands.revisions(place)["web"] == ["1", "2"]


def test_what_cannot_be_signed_says_why(controller: Controller) -> None:
    """An issuer that is not there: pending until it is; then it goes on by itself."""
    hands, place = controller.hands, controller.namespace("refused")
    hands.make([certificate_for("web", place, "absent")])
    with controller.running() as program:
        hands.until(
            lambda: any(reason == "IssuerNotFound" for reason, _ in hands.events(place)),
            what=program.output,
        )
        (request,) = hands.all(CERTIFICATE_REQUEST, place)
        ready = condition(request, "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "Pending")
        assert ready["message"].startswith('Referenced "Issuer" not found')
        hands.make([self_signed_issuer(place, "absent")])
        hands.until(lambda: hands.ready(place, "web"), what=program.output)

    assert hands.revisions(place) == {"web": ["1"]}


def test_a_request_waits_for_approval_and_may_be_denied(controller: Controller) -> None:
    """Without our approver somebody else decides."""
    hands, place = controller.hands, controller.namespace("approval")
    hands.make(
        [
            self_signed_issuer(place),
            certificate_for("good", place, "self"),
            certificate_for("bad", place, "self"),
        ]
    )

    def decided(kind: str, name: str) -> None:
        for request in hands.all(CERTIFICATE_REQUEST, place):
            if request["metadata"]["annotations"]["cert-manager.io/certificate-name"] == name:
                key = CERTIFICATE_REQUEST.key(place, request["metadata"]["name"])

                def decide(obj: dict[str, object]) -> None:
                    changed = with_condition(
                        obj,
                        type=kind,
                        status="True",
                        reason="test",
                        message="by a test",
                        now=parse_time(NOW),
                    )
                    obj.clear()
                    obj.update(changed)

                hands.change(key, decide, status=True)

    with controller.running("--controllers=*,-certificaterequests-approver") as program:
        hands.until(lambda: len(hands.revisions(place)) == 2, what=program.output)
        hands.until(
            lambda: any(reason == "WaitingForApproval" for reason, _ in hands.events(place)),
            what=program.output,
        )
        assert not hands.ready(place, "good")
        decided("Approved", "good")
        decided("Denied", "bad")
        hands.until(lambda: hands.ready(place, "good"), what=program.output)
        hands.until(
            lambda: (
                condition(hands.get(CERTIFICATE.key(place, "bad")), "Issuing").get("status")
                == "False"
            ),
            what=program.output,
        )

    bad = hands.get(CERTIFICATE.key(place, "bad"))
    assert bad["status"]["failedIssuanceAttempts"] == 1
    assert condition(bad, "Issuing")["reason"] == "test"
    assert hands.get(SECRET.key(place, "bad")) == {}


def test_killed_at_any_moment_nothing_is_issued_twice(
    controller: Controller, tmp_path: Path
) -> None:
    """SIGKILL again and again; in the end each has one request, and key and certificate match."""
    hands, place = controller.hands, controller.namespace("killed")
    names = [f"web-{number}" for number in range(24)]
    hands.make([*certificate_authority(place), *(certificate_for(name, place) for name in names)])
    chance = random.Random(7)
    for _ in range(8):
        with Program.running(
            tmp_path / "killed.log", *controller.flags("--leader-elect=false")
        ) as program:
            program.until(lambda: status_of(f"http://127.0.0.1:{controller.health}/livez") == 200)
            time.sleep(chance.uniform(0.02, 0.5))
            program.signal(signal.SIGKILL)
            program.wait()
    with controller.running() as program:
        hands.until(lambda: hands.ready(place, *names), 90, what=program.output)
        hands.until(
            lambda: (
                not [
                    s["metadata"]["name"]
                    for s in hands.all(SECRET, place)
                    if "cert-manager.io/next-private-key" in s["metadata"].get("labels", {})
                ]
            ),
            what=program.output,
        )

    assert hands.revisions(place) == {name: ["1"] for name in ("ca", *names)}
    for name in names:
        verify_with_openssl(contents(hands.get(SECRET.key(place, name))), tmp_path / name)


def test_an_api_server_that_goes_comes_and_forgets(
    controller: Controller, own_cluster: Cluster
) -> None:
    """Stopped, frozen, restarted, compacted: the same controller process goes on."""
    hands, place = controller.hands, controller.namespace("away")
    hands.make([*certificate_authority(place)])
    with controller.running("--leader-elect=false") as program:
        hands.until(lambda: hands.ready(place, "ca"), what=program.output)
        own_cluster.stop_server(at_once=True)
        time.sleep(2)
        own_cluster.start_server()
        hands.make([certificate_for("restarted", place)])
        hands.until(lambda: hands.ready(place, "restarted"), 90, what=program.output)

        hands.make([certificate_for("frozen", place)])
        own_cluster.pause_server()
        time.sleep(4)
        own_cluster.resume_server()
        hands.until(lambda: hands.ready(place, "frozen"), 90, what=program.output)

        own_cluster.stop_server()
        own_cluster.compact()
        own_cluster.start_server()
        hands.make([certificate_for("compacted", place)])
        hands.until(lambda: hands.ready(place, "compacted"), 90, what=program.output)
        assert program.is_running

    names = ("ca", "restarted", "frozen", "compacted")
    assert hands.revisions(place) == {name: ["1"] for name in names}


def test_one_of_two_leads_and_the_other_takes_over(controller: Controller, tmp_path: Path) -> None:
    """A killed leader is replaced when its lease is over; a stopped one at once."""
    hands, place = controller.hands, controller.namespace("leaders")
    first = Controller(controller.hands.cluster, tmp_path)
    second = Controller(controller.hands.cluster, tmp_path)
    # Two processes of one machine have one name, as in the original; pods have their own.
    with Program.running(tmp_path / "first.log", *first.flags()) as leading:
        leading.until(lambda: "controllers started" in leading.output)
        hands.change(
            LEASE.key("kube-system", "cert-manager-controller"),
            lambda lease: lease["spec"].update(holderIdentity="another"),
        )
        assert leading.wait() == 1
        assert "leader election lost" in leading.output
    with Program.running(tmp_path / "second.log", *second.flags()) as waiting:
        waiting.until(lambda: "attempting to acquire leader lease" in waiting.output)
        assert "controllers started" not in waiting.output
        hands.make([self_signed_issuer(place)])
        waiting.until(lambda: "controllers started" in waiting.output)
        hands.until(
            lambda: condition(hands.get(ISSUER.key(place, "self")), "Ready").get("status") == "True"
        )


def test_what_is_wrong_is_said_at_once(controller: Controller, tmp_path: Path) -> None:
    """One sentence and exit code 1; a port that is taken names its flag."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        program = Program(
            tmp_path / "taken.log", *controller.flags(f"--metrics-listen-address={address}")
        )
        assert program.wait() == 1
        assert f"cannot listen on {address}" in program.output
        assert "--metrics-listen-address" in program.output

    program = Program(tmp_path / "absent.log", "controller", "--kubeconfig=/does/not/exist")
    assert program.wait() == 1
    assert "cannot read the kubeconfig /does/not/exist" in program.output
