"""The manual's layout as its chart lays it out: agent, collector, query, TLS by Certwright.

The processes have the chart's own arguments, files and probes; see fakes/kubelet.py.
"""

from __future__ import annotations

import copy
import json
import shutil
import signal
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import yaml
from cryptography import x509
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from e2e.lymer_process import free_ports, poll
from e2e.otlp import PROTOBUF, new_trace_id, request_of, span_of
from fakes.chart import CHART, NAMESPACE, Objects, render, values_file
from fakes.clickhouse_server import server_url
from fakes.issued import Certificates
from fakes.kubelet import Kubelet, Pod, lets_in

pytestmark = [pytest.mark.slow]

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Installed:
    """A chart's objects, running."""

    def __init__(self, folder: Path, objects: Objects) -> None:
        self.objects = objects
        self.certificates = Certificates(folder / "certificates", "tracing-ca")
        self.certificates.ask(objects)
        self.take_secrets()
        self.kubelet = Kubelet(folder / "pods", objects)

    def take_secrets(self) -> None:
        """Put what Certwright made where the pods' volumes look."""
        for name, data in self.certificates.secrets(NAMESPACE).items():
            self.objects["Secret", name] = {"kind": "Secret", "data": data}

    @property
    def collector(self) -> Pod:
        """The pod with the store."""
        return self.kubelet.pods["lymer-collector"]

    @property
    def query(self) -> Pod:
        """The pod with the web interface."""
        return self.kubelet.pods["lymer-query"]

    @property
    def agent(self) -> Pod:
        """The pod that applications send to."""
        return self.kubelet.pods["lymer-agent"]

    def trace(self, trace_id: str, spans: int = 1) -> dict[str, Any]:
        """Return a trace when it has so many spans."""
        with httpx.Client(trust_env=False) as http:
            for _ in poll(20):
                answer = http.get(f"http://{self.query.address}:16686/api/traces/{trace_id}")
                if answer.status_code == 200:
                    (found,) = answer.json()["data"]
                    if len(found["spans"]) >= spans:
                        return dict(found)
        raise AssertionError(f"trace {trace_id} is not there: {answer.text[:500]}")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Yield the manual's layout, with quick reloads so that a test can see one."""
    values = values_file("values-manual.yaml")
    values["config"] = {"tls": {"reload_interval_seconds": "500ms"}}
    running = Installed(tmp_path_factory.mktemp("installed"), render(values))
    try:
        running.kubelet.start()
        yield running
    finally:
        running.kubelet.stop()


def test_a_span_that_the_agent_takes_is_found_through_query(installed: Installed) -> None:
    """Over mTLS to the collector, with the chart's tags, and by the Services' names."""
    trace_id = new_trace_id()
    body = request_of(span_of(trace_id), service="in-a-cluster").SerializeToString()
    answer = httpx.post(
        f"http://{installed.agent.address}:4318/v1/traces",
        content=body,
        headers={"content-type": PROTOBUF},
        trust_env=False,
    )
    assert answer.status_code == 200

    trace = installed.trace(trace_id.hex())
    (process,) = trace["processes"].values()
    assert process["serviceName"] == "in-a-cluster"
    assert {"key": "node", "type": "string", "value": "this-node"} in process["tags"]


def test_the_agent_gives_sampling_strategies(installed: Installed) -> None:
    """On 5778, asked of the collector over mTLS."""
    url = f"http://{installed.agent.address}:5778/sampling?service=x"
    with httpx.Client(trust_env=False) as http:
        answer = http.get(url)

    assert answer.status_code == 200
    assert answer.json()["strategyType"] == "PROBABILISTIC"


def test_nobody_gets_in_without_a_certificate(installed: Installed) -> None:
    """The collector's OTLP and its storage API; probes and metrics need none."""
    for port in (4317, 17271):
        assert not lets_in(installed.collector.address, port)
    for pod in installed.kubelet.pods.values():
        assert installed.kubelet.probe(pod, "readinessProbe")
        assert installed.kubelet.probe(pod, "livenessProbe")


@pytest.mark.timeout(120)
def test_certificates_are_renewed_under_load_without_a_lost_export(installed: Installed) -> None:
    """Three new certificates for each role, one after the other, and every export is answered."""
    failures: list[str] = []
    sent: list[str] = []
    stop = threading.Event()

    def send(channel_to: str) -> None:
        with grpc.insecure_channel(channel_to) as channel:
            export = channel.unary_unary(
                EXPORT,
                request_serializer=bytes,
                response_deserializer=ExportTraceServiceResponse.FromString,
            )
            while not stop.is_set():
                trace_id = new_trace_id()
                body = request_of(*(span_of(trace_id) for _ in range(20))).SerializeToString()
                try:
                    export(body, timeout=10)
                    sent.append(trace_id.hex())
                except grpc.RpcError as error:
                    failures.append(str(error))

    senders = [
        threading.Thread(target=send, args=(f"{installed.agent.address}:4317",)) for _ in range(2)
    ]
    for sender in senders:
        sender.start()
    serials = set()
    try:
        for _ in range(3):
            names = [f"lymer-{role}-tls" for role in ("collector", "query", "agent")]
            installed.certificates.work("ctl", "renew", *names, "-n", NAMESPACE)
            installed.certificates.work()
            installed.take_secrets()
            for name, data in installed.certificates.secrets(NAMESPACE).items():
                installed.kubelet.rotate(name, data)
                serials.add(x509.load_pem_x509_certificate(data["tls.crt"]).serial_number)
    finally:
        stop.set()
        for sender in senders:
            sender.join()

    assert len(serials) == 9
    assert failures == []
    assert len(sent) > 50
    for trace_id in (sent[0], sent[len(sent) // 2], sent[-1]):
        installed.trace(trace_id, 20)


def test_the_collector_may_go_and_come_back(installed: Installed) -> None:
    """The agent keeps what it took; readiness of query says what is wrong; both recover."""
    collector, query = installed.collector, installed.query
    assert collector.process is not None
    collector.process.send_signal(signal.SIGTERM)
    collector.process.wait(30)
    for _ in poll(20):
        if not installed.kubelet.probe(query, "readinessProbe"):
            break
    assert not installed.kubelet.probe(query, "readinessProbe")
    assert installed.kubelet.probe(query, "livenessProbe"), "it must not be restarted for that"
    trace_id = new_trace_id()
    httpx.post(
        f"http://{installed.agent.address}:4318/v1/traces",
        content=request_of(span_of(trace_id)).SerializeToString(),
        headers={"content-type": PROTOBUF},
        trust_env=False,
    ).raise_for_status()

    installed.kubelet.start("lymer-collector")
    installed.trace(trace_id.hex())
    assert any(installed.kubelet.probe(query, "readinessProbe") for _ in poll(20))


# ------------------------------------------------------------------------- what operators look at


@pytest.fixture(scope="module")
def prometheus(
    installed: Installed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """Yield a real Prometheus that has scraped all pods, with the chart's alert rules."""
    binary = shutil.which("prometheus")
    assert binary, "no prometheus on PATH (Debian, Ubuntu: apt install prometheus)"
    folder = tmp_path_factory.mktemp("prometheus")
    (port,) = free_ports(1)
    targets = [
        {
            "targets": [f"{pod.address}:{pod.port('http-admin')}"],
            "labels": {"pod": pod.name, "namespace": NAMESPACE},
        }
        for pod in installed.kubelet.pods.values()
    ]
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(CHART / "files" / "alerts.yaml")],
        "scrape_configs": [{"job_name": "lymer", "static_configs": targets}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            for _ in poll(40):
                assert process.poll() is None, (folder / "log").read_text()
                try:
                    if len(_ask(http, "changes(lymer_build_info[1m]) >= 0")) == len(targets):
                        break
                except (httpx.HTTPError, ValueError):
                    continue  # it is starting
            time.sleep(3)  # rates need a few scrapes; nothing tells when they are in
            yield http
    finally:
        process.terminate()
        process.wait(20)


def _ask(http: httpx.Client, query: str) -> list[Any]:
    answer = http.get("/api/v1/query", params={"query": query})
    found = answer.json()
    assert found["status"] == "success", f"{query}: {found}"
    return list(found["data"]["result"])


_QUIET = {
    # Counters with labels appear with their first event, and nothing of these has happened.
    "Requests turned away",
    "TLS connections that came to nothing",
    "Spans by Jaeger agent's name",
}


def test_every_query_of_the_dashboards_answers(prometheus: httpx.Client) -> None:
    """With data, but for what shows trouble that is not there."""
    empty = []
    asked = 0
    for path in sorted((CHART / "files" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                asked += 1
                found = _ask(prometheus, target["expr"].replace("$pod", ".*"))
                if not found and panel["title"] not in _QUIET:
                    empty.append(f"{panel['title']}: {target['expr']}")

    assert asked > 30
    assert empty == []


def test_every_alert_rule_is_evaluated(prometheus: httpx.Client) -> None:
    """Prometheus loads them, and none fires for an installation that is well."""
    groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    assert len(rules) >= 12
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []
    firing = {rule["name"] for rule in rules if rule["state"] == "firing"}
    assert firing <= {"LymerAgentAlone"}, firing
    page = (CHART.parents[1] / "docs" / "install" / "runbook.md").read_text("utf-8")
    for rule in rules:
        anchor = urllib.parse.urlsplit(rule["annotations"]["runbook"]).fragment
        assert f"### {rule['name']}\n" in page
        assert anchor == rule["name"].lower()


def test_an_agent_as_a_sidecar(tmp_path: Path) -> None:
    """The patch that the chart writes, on an application's Deployment: it takes and passes on."""
    objects = render({"mode": "distributed", "agent": {"kind": "Sidecar"}})
    patch = yaml.safe_load(objects["ConfigMap", "lymer-sidecar"]["data"]["patch.yaml"])
    labels = {"app": "shop"}
    template = {"metadata": {"labels": labels}, **patch["spec"]["template"]}
    template["spec"]["terminationGracePeriodSeconds"] = 30
    spec = {"selector": {"matchLabels": labels}, "template": template}
    objects["Deployment", "shop"] = {"kind": "Deployment", "spec": spec}
    kubelet = Kubelet(tmp_path, objects)
    trace_id = new_trace_id()
    try:
        kubelet.start()
        httpx.post(
            f"http://{kubelet.pods['shop'].address}:4318/v1/traces",
            content=request_of(span_of(trace_id)).SerializeToString(),
            headers={"content-type": PROTOBUF},
            trust_env=False,
        ).raise_for_status()
        url = f"http://{kubelet.pods['lymer-query'].address}:16686/api/traces/{trace_id.hex()}"
        with httpx.Client(trust_env=False) as http:
            assert any(http.get(url).status_code == 200 for _ in poll(20))
    finally:
        kubelet.stop()


def test_the_store_of_an_all_in_one_becomes_a_collectors(tmp_path: Path) -> None:
    """`mode` changed, with the old claim as `existingClaim`: what was stored is found.

    Helm makes the new pods before it removes the old one, and on one node both may have the claim:
    the collector leaves the folder alone until the old pod has ended.
    """
    before = Kubelet(tmp_path / "before", render({}))
    trace_id = new_trace_id()
    path = f"/api/traces/{trace_id.hex()}"
    with httpx.Client(trust_env=False) as http:
        try:
            before.start()
            pod = before.pods["lymer"]
            http.post(
                f"http://{pod.address}:4318/v1/traces",
                content=request_of(span_of(trace_id)).SerializeToString(),
                headers={"content-type": PROTOBUF},
            ).raise_for_status()
            url = f"http://{pod.address}:16686{path}"
            assert any(http.get(url).status_code == 200 for _ in poll(20))
            values = {"persistence": {"existingClaim": "data-lymer-0"}}
            after = Kubelet(tmp_path / "after", render({"mode": "distributed", "storage": values}))
            collector = after.pods["lymer-collector"]
            claim = collector.mounts["/data"]
            claim.parent.mkdir(parents=True)
            claim.symlink_to(pod.mounts["/data"])
            after.launch("lymer-collector")
            assert collector.process is not None
            assert collector.process.wait(60) != 0
            assert "another Lymer" in collector.log()
            assert http.get(url).status_code == 200
        finally:
            before.stop()
        try:
            after.start()
            url = f"http://{after.pods['lymer-query'].address}:16686{path}"
            assert any(http.get(url).status_code == 200 for _ in poll(20))
        finally:
            after.stop()


def test_collectors_on_a_clickhouse_server(tmp_path: Path) -> None:
    """Two pods of one StatefulSet, each with a journal; query answers for both from the server."""
    objects = render(
        {
            "mode": "distributed",
            "agent": {"kind": "None"},
            "storage": {"clickhouse": {"url": server_url()}},
            "collector": {"replicaCount": 2},
        }
    )
    second = copy.deepcopy(objects["StatefulSet", "lymer-collector"])
    objects["StatefulSet", "lymer-collector-1"] = second
    objects["ConfigMap", "lymer-collector-1"] = objects["ConfigMap", "lymer-collector"]
    kubelet = Kubelet(tmp_path, objects)
    names = ("lymer-collector", "lymer-collector-1")
    try:
        kubelet.start()
        with httpx.Client(trust_env=False) as http:
            for name in names:
                trace_id = new_trace_id()
                http.post(
                    f"http://{kubelet.pods[name].address}:4318/v1/traces",
                    content=request_of(span_of(trace_id)).SerializeToString(),
                    headers={"content-type": PROTOBUF},
                ).raise_for_status()
                query = f"http://{kubelet.pods['lymer-query'].address}:16686"
                url = f"{query}/api/traces/{trace_id.hex()}"
                assert any(http.get(url).status_code == 200 for _ in poll(30)), name
    finally:
        kubelet.stop()
