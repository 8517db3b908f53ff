"""Agent, collector and query as three processes with mTLS, as the installation manual has them."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from crash.numbered_load import Ledger, NumberedLoad
from crash.stored_spans import open_stored_spans
from crash.test_kill import assert_exactly_once
from e2e.lymer_process import Lymer, lymer_environment, poll
from e2e.otlp import PROTOBUF, new_trace_id, request_of, span_of
from fakes.certificates import Authority

NewRole = Callable[..., Lymer]
CLIENT: Final = Path(__file__).parent / "jaeger_client_python.py"
_SENT_SECONDS_MAX: Final = 60.0
_QUICK: Final = {"LYMER__AGENT__BACKOFF_SECONDS_MAX": "0.3"}


@dataclass(frozen=True, slots=True)
class _Deployment:
    agent: Lymer
    collector: Lymer
    query: Lymer
    folder: Path

    def start(self) -> None:
        for one in (self.collector, self.agent, self.query):
            one.start()


@pytest.fixture
def deployment(new_role: NewRole, tmp_path: Path) -> _Deployment:
    """Three roles; every link between them asks for certificates of one authority."""
    authority = Authority()
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.certificate)
    server_cert, server_key = authority.issue("localhost").write(tmp_path, "server")
    client_cert, client_key = authority.issue("client").write(tmp_path, "client")
    collector = new_role(
        "collector",
        f"--set=tls.cert_file={server_cert}",
        f"--set=tls.key_file={server_key}",
        f"--set=tls.client_ca_file={ca}",
        "--set=health.tls.enabled=false",
        "--set=admin.tls.enabled=false",
        "--set=collector.tags=cluster=blue",
    )
    agent = new_role(
        "agent",
        f"--set=agent.targets=dns:///localhost:{collector.ports['otlp_grpc']}",
        "--set=agent.tls.enabled=true",
        f"--set=agent.tls.ca_file={ca}",
        f"--set=agent.tls.cert_file={client_cert}",
        f"--set=agent.tls.key_file={client_key}",
        "--set=agent.tags=agent=on-this-host,pod=${POD_NAME:unknown}",
        **_QUICK,
    )
    query = new_role(
        "query",
        f"--set=remote_storage.target=localhost:{collector.ports['storage_api']}",
        "--set=remote_storage.tls.enabled=true",
        f"--set=remote_storage.tls.ca_file={ca}",
        f"--set=remote_storage.tls.cert_file={client_cert}",
        f"--set=remote_storage.tls.key_file={client_key}",
    )
    return _Deployment(agent, collector, query, tmp_path)


def _send_by_jaeger_client(agent: Lymer) -> dict[str, str]:
    """Have the real client send one trace to the agent's compact port; return its ids."""
    done = subprocess.run(
        [sys.executable, str(CLIENT), str(agent.ports["jaeger_udp_compact"])],
        env=lymer_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sent: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return sent


def _assert_sent_trace(trace: dict[str, Any], sent: dict[str, str]) -> None:
    spans = Counter(span["spanID"] for span in trace["spans"])
    assert spans == {sent["parentSpanId"]: 1, sent["childSpanId"]: 1}
    (process,) = trace["processes"].values()
    tags = {tag["key"]: tag["value"] for tag in process["tags"]}
    assert process["serviceName"] == "jaeger-client-python"
    assert (tags["agent"], tags["pod"], tags["cluster"]) == ("on-this-host", "unknown", "blue")
    assert tags["deploy.env"] == "test"


def test_what_a_jaeger_client_sends_the_query_role_shows(deployment: _Deployment) -> None:
    """UDP to the agent, OTLP with mTLS to the collector, the storage API with mTLS to query."""
    deployment.start()

    sent = _send_by_jaeger_client(deployment.agent)

    trace = deployment.query.wait_for_trace(sent["traceId"], 2)
    _assert_sent_trace(trace, sent)
    for one in (deployment.agent, deployment.query, deployment.collector):
        assert one.stop() == 0, one.log_tail()


def test_the_agent_says_what_the_collector_says_about_sampling(
    deployment: _Deployment, tmp_path: Path
) -> None:
    """At 5778, in both shapes of JSON; while the collector is away the last answer stands."""
    file = tmp_path / "strategies.json"
    file.write_text(
        '{"service_strategies":[{"service":"shop","type":"probabilistic","param":0.25}],'
        '"default_strategy":{"type":"ratelimiting","param":3}}'
    )
    deployment.collector.arguments.append(f"--set=sampling.file.path={file}")
    deployment.start()
    agent = deployment.agent
    url = f"http://127.0.0.1:{agent.ports['sampling_http']}"

    shop = agent.http.get(f"{url}/sampling", params={"service": "shop"})
    assert shop.json() == {
        "strategyType": "PROBABILISTIC",
        "probabilisticSampling": {"samplingRate": 0.25},
    }
    other = agent.http.get(f"{url}/", params={"service": "other"})
    assert other.json()["rateLimitingSampling"] == {"maxTracesPerSecond": 3}

    deployment.collector.kill()
    assert agent.http.get(f"{url}/sampling", params={"service": "shop"}).json() == shop.json()
    unknown = agent.http.get(f"{url}/sampling", params={"service": "new"})
    assert unknown.status_code == 500
    assert unknown.text.startswith("collector error: ")
    baggage = agent.http.get(f"{url}/baggageRestrictions", params={"service": "shop"})
    assert (baggage.status_code, baggage.text) == (
        500,
        "collector error: baggage not implemented\n",
    )


def test_strangers_reach_neither_collector_nor_store(deployment: _Deployment) -> None:
    """Without a certificate of the authority both links are shut."""
    deployment.collector.start()
    ca = (deployment.folder / "ca.pem").read_bytes()
    for port in ("otlp_grpc", "storage_api"):
        credentials = grpc.ssl_channel_credentials(ca)
        target = f"localhost:{deployment.collector.ports[port]}"
        with grpc.secure_channel(target, credentials) as channel:
            call = channel.unary_unary("/lymer.storage.v1.SpanReader/GetServices", None, None)
            with pytest.raises(grpc.RpcError) as raised:
                call(b"", timeout=5)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.timeout(180)
@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
def test_a_collector_restarted_under_load_loses_nothing_and_doubles_nothing(
    deployment: _Deployment, with_signal: signal.Signals
) -> None:
    """Senders never notice; jaeger-client's traces sent meanwhile are all there, once."""
    deployment.start()
    agent, collector, query = deployment.agent, deployment.collector, deployment.query
    ledger = Ledger()
    ports = agent.ports
    load = NumberedLoad(ledger, ports["otlp_http"], ports["otlp_grpc"], random.Random(7))
    by_client: list[dict[str, str]] = []
    for _ in range(3):
        time.sleep(0.5)
        if with_signal is signal.SIGKILL:
            collector.kill()
        else:
            assert collector.stop(with_signal) == 0, collector.log_tail()
        by_client.append(_send_by_jaeger_client(agent))
        assert agent.answers_ready()
        collector.start()
    load.stop()
    assert len(ledger.acknowledged) == len(ledger.sent)

    _wait_until_sent(agent)
    for sent in by_client:
        _assert_sent_trace(query.wait_for_trace(sent["traceId"], 2), sent)
    for one in (agent, query, collector):
        assert one.stop() == 0, one.log_tail()
    spans_of_client = {int(span, 16) >> 20 for sent in by_client for span in _ids(sent)}
    with open_stored_spans(collector.data_dir) as stored:
        assert_exactly_once(stored, ledger, besides=spans_of_client)


def _ids(sent: dict[str, str]) -> tuple[str, str]:
    return sent["parentSpanId"], sent["childSpanId"]


def _wait_until_sent(agent: Lymer) -> None:
    for _ in poll(_SENT_SECONDS_MAX):
        metrics = agent.http.get(f"{agent.admin_url}/metrics").text
        if "\nlymer_journal_backlog_bytes 0.0\n" in metrics:
            return
    raise AssertionError(f"the agent did not send all\n{agent.log_tail()}")


def test_a_span_is_searchable_within_seconds_through_all_three(deployment: _Deployment) -> None:
    """The agent adds no second of its own."""
    deployment.start()
    trace_id = new_trace_id()
    started = time.perf_counter()

    answer = deployment.agent.http.post(
        deployment.agent.otlp_http_url,
        content=request_of(span_of(trace_id)).SerializeToString(),
        headers={"Content-Type": PROTOBUF},
    )
    assert answer.status_code == 200

    deployment.query.wait_for_trace(trace_id.hex(), 1)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("at_the_agent", [True, False], ids=["senders say", "the agent says"])
def test_tenants_come_through_all_three(new_role: NewRole, *, at_the_agent: bool) -> None:
    """Whoever names the tenant, sender or agent: the other tenant does not see the span."""
    collector = new_role("collector", "--set=tenancy.enabled=true")
    agent = new_role(
        "agent",
        f"--set=agent.targets=127.0.0.1:{collector.ports['otlp_grpc']}",
        "--set=tenancy.enabled=true" if at_the_agent else "--set=agent.tenant=red",
    )
    target = f"127.0.0.1:{collector.ports['storage_api']}"
    query = new_role("query", f"--set=remote_storage.target={target}", "--set=tenancy.enabled=true")
    for one in (collector, agent, query):
        one.start()
    mine, others = new_trace_id(), new_trace_id()
    sent = {"red": mine, "blue": others} if at_the_agent else {"": mine}
    for tenant, trace_id in sent.items():
        answer = agent.http.post(
            agent.otlp_http_url,
            content=request_of(span_of(trace_id)).SerializeToString(),
            headers={"Content-Type": PROTOBUF} | ({"x-tenant": tenant} if tenant else {}),
        )
        assert answer.status_code == 200, answer.text

    query.http.headers["x-tenant"] = "red"
    assert query.wait_for_trace(mine.hex(), 1)
    assert query.http.get(f"{query.query_url}/api/traces/{others.hex()}").status_code == 404
    query.http.headers["x-tenant"] = "blue"
    assert query.http.get(f"{query.query_url}/api/traces/{mine.hex()}").status_code == 404
    if at_the_agent:
        assert query.wait_for_trace(others.hex(), 1)
        nameless = agent.http.post(
            agent.otlp_http_url, content=b"", headers={"Content-Type": PROTOBUF}
        )
        assert nameless.status_code == 401


def test_an_agent_whose_buffer_is_full_says_so(new_role: NewRole) -> None:
    """Senders are told to come back, health is 503 and says why; nothing acknowledged is lost."""
    agent = new_role(
        "agent",
        "--set=agent.targets=127.0.0.1:1",
        "--set=journal.backlog_bytes_max=64MiB",
        "--set=receivers.otlp_http.body_bytes_max=20MiB",
    )
    agent.start()
    body = request_of(span_of(new_trace_id())).SerializeToString()
    request = body * (2**23 // len(body))
    refused = None
    for _ in range(12):
        refused = agent.http.post(
            agent.otlp_http_url, content=request, headers={"Content-Type": PROTOBUF}
        )
        if refused.status_code != 200:
            break
    assert refused is not None
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    small = [body * (2**20 // len(body)), body * (2**17 // len(body))]
    for content in small * 10:
        agent.http.post(agent.otlp_http_url, content=content, headers={"Content-Type": PROTOBUF})
    health = agent.http.get(agent.health_url)
    assert health.status_code == 503
    assert "the buffer is full" in health.json()["error"]
    assert "127.0.0.1:1" in health.json()["error"]
    assert agent.stop() == 0


def test_an_agent_without_a_collector_says_what_to_do(new_role: NewRole) -> None:
    """One sentence, as for every start that fails."""
    agent = new_role("agent")
    done = subprocess.run(
        agent.command,
        env=agent.environment,
        cwd=agent.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "--set agent.targets=HOST:4317" in done.stderr
