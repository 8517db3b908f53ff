"""Spans through a real broker: what it acknowledged is stored once, whoever ends and when."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from confluent_kafka import Producer

from crash.numbered_load import Ledger, NumberedLoad
from crash.stored_spans import StoredSpans, open_stored_spans
from crash.test_kill import assert_exactly_once
from e2e.lymer_process import Lymer, poll
from e2e.otlp import PROTOBUF, new_trace_id, request_of, span_of
from fakes.certificates import Authority
from fakes.chart import render
from fakes.clickhouse_server import CLUSTER, Shards
from fakes.kafka_broker import PASSWORD, USER, Broker
from fakes.kubelet import Kubelet
from lymer.clock import monotonic_seconds
from lymer.errors import LymerError, SupersededError
from lymer.pipeline.loader import Loader
from lymer.pipeline.topic_log import TENANT_HEADER, TopicLog
from lymer.pipeline.topic_source import TopicLimits, TopicSource
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.telemetry.metrics import Metrics
from make import make_request, make_span

_MEMORY_BYTES_MAX: Final = 600 * 2**20
_WAIT_SECONDS_MAX: Final = 60.0
_SPANS: Final = 3


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Return who issued the broker's certificate."""
    return Authority()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Broker]:
    """Run one broker for all tests here."""
    made = Broker(tmp_path_factory.mktemp("broker"), authority)
    yield made
    made.kill()


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseStore]:
    """Return a store; closed after each test, for a process can have one open."""
    engine = ChdbEngine(tmp_path_factory.mktemp("store"), memory_bytes_max=_MEMORY_BYTES_MAX)
    made = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=_MEMORY_BYTES_MAX)
    yield made
    made.close()


class _Topic:
    """A topic of one test, and the group that reads it into the store."""

    def __init__(
        self, broker: Broker, store: ClickHouseStore, folder: Path, partitions: int
    ) -> None:
        self.name = f"spans-{folder.name}"
        self._broker, self._store, self._folder = broker, store, folder
        self._sources = 0
        self._sent = 0
        self.metrics = Metrics("test")
        broker.make_topic(self.name, partitions)

    def send(self, requests: int, *more: bytes, partition: int = 0, tenant: str = "") -> None:
        """Put requests of three spans into a partition, and bytes that are none."""
        producer = Producer(self._broker.client(acks="all"))
        headers: Any = [(TENANT_HEADER, tenant.encode())] if tenant else None
        for _ in range(requests):
            self._sent += 1
            spans = [make_span(self._trace(self._sent), number) for number in range(1, 1 + _SPANS)]
            body = make_request(*spans, service=self.name).SerializeToString()
            producer.produce(self.name, body, partition=partition, headers=headers)
        for body in more:
            producer.produce(self.name, body, partition=partition)
        assert producer.flush(_WAIT_SECONDS_MAX) == 0

    def source(self) -> TopicSource:
        """Return somebody of the group, who does not read yet."""
        self._sources += 1
        return TopicSource(
            self._broker.client(**{
                "group.id": self.name, "auto.offset.reset": "earliest", "session.timeout.ms": 6_000,
            }),
            self.name,
            encoding="otlp_proto",
            store=self._store,
            folder=self._folder / f"ingest-{self._sources}",
            quarantine=self.quarantine,
            limits=TopicLimits(2**20, 0.05),
            metrics=self.metrics,
        )  # fmt: skip

    @property
    def quarantine(self) -> Path:
        """Where what cannot be read goes."""
        return self._folder / "quarantine"

    @contextmanager
    def ingester(self) -> Iterator[TopicSource]:
        """Read and store until the end."""
        source = self.source()
        loader = Loader(
            source, source, self.quarantine, self.metrics, before_store=source.before_store
        )
        loader.start()
        source.start()
        try:
            yield source
        finally:
            source.stop_reading()
            finished = loader.finish(_WAIT_SECONDS_MAX)
            source.close()
        assert finished

    def wait_for_rebalances(self, count: int) -> None:
        """Wait until partitions were given or taken so often."""
        counted: float | None = 0
        for _ in poll(_WAIT_SECONDS_MAX):
            counted = self.metrics.registry.get_sample_value("lymer_kafka_rebalances_total")
            if (counted or 0) >= count:
                return
        raise AssertionError(f"{counted} of {count} rebalances")

    def wait_until_stored(self, requests: int, tenant: str = "") -> None:
        """Wait for so many requests, and see that each is there once."""
        for _ in poll(_WAIT_SECONDS_MAX):
            if self._stored(tenant) >= requests * _SPANS:
                break
        assert self._stored(tenant) == requests * _SPANS

    def _stored(self, tenant: str) -> int:
        engine = self._store.engine
        database = "lymer" if not tenant else f"lymer_t_{tenant.encode().hex()}"
        if tenant not in self._store.tenants():
            return 0
        statement = "SELECT {mark}, count() FROM {db}.spans WHERE service = {name:String}"
        ((count,),) = engine.select(database, statement, 1, {"name": self.name})
        return int(count)

    def _trace(self, number: int) -> bytes:
        return number.to_bytes(8, "big") + self.name.encode()[-8:].rjust(8, b"-")


def _first_segment(source: TopicSource) -> Any:
    for _ in poll(_WAIT_SECONDS_MAX):
        segment = source.take_sealed(0.2)
        if segment is not None:
            return segment
    raise AssertionError("nothing was read")


@pytest.mark.parametrize(
    "crash", ["before it is written down", "before the store", "before the commit"]
)
def test_a_crash_neither_loses_nor_doubles(
    broker: Broker, store: ClickHouseStore, tmp_path: Path, crash: str
) -> None:
    """Whoever comes next asks the store what became of the last range."""
    topic = _Topic(broker, store, tmp_path, 1)
    topic.send(20)
    dying = topic.source()
    dying.start()
    segment = _first_segment(dying)
    if crash != "before it is written down":
        dying.before_store(segment)
    if crash == "before the commit":
        dying.write_segment(segment)
    dying.close()
    topic.send(5)

    with topic.ingester():
        topic.wait_until_stored(25)


def test_tenants_of_a_range_are_stored_apart(
    broker: Broker, store: ClickHouseStore, tmp_path: Path
) -> None:
    """A range with two tenants that was cut off between them is completed, not repeated."""
    topic = _Topic(broker, store, tmp_path, 1)
    for _ in range(3):
        topic.send(2)
        topic.send(2, tenant="acme")
    dying = topic.source()
    dying.start()
    segment = _first_segment(dying)
    dying.before_store(segment)
    dying.write_segment(segment)
    dying.remove(segment)
    dying.close()

    with topic.ingester():
        topic.wait_until_stored(6)
        topic.wait_until_stored(6, tenant="acme")


def test_partitions_move_between_ingesters(
    broker: Broker, store: ClickHouseStore, tmp_path: Path
) -> None:
    """While one stores, a second joins and the first leaves."""
    topic = _Topic(broker, store, tmp_path, 4)
    stop = threading.Event()
    sent = [0]

    def load() -> None:
        while not stop.is_set():
            topic.send(4, partition=sent[0] % 4)
            sent[0] += 1

    sender = threading.Thread(target=load)
    with topic.ingester():
        sender.start()
        try:
            topic.wait_for_rebalances(1)
            with topic.ingester():
                topic.wait_for_rebalances(4)  # given; taken, and given to both
        finally:
            stop.set()
            sender.join()
        topic.wait_until_stored(4 * sent[0])


def test_a_partition_taken_away_is_not_written_to(
    broker: Broker, store: ClickHouseStore, tmp_path: Path
) -> None:
    """What was cut of a partition before it went to somebody else is theirs to store."""
    topic = _Topic(broker, store, tmp_path, 1)
    topic.send(3)
    source = topic.source()
    source.start()
    segment = _first_segment(source)
    source.close()

    with pytest.raises(SupersededError):
        source.write_segment(segment)
    assert not segment.path.exists()


def test_poison_is_set_aside(broker: Broker, store: ClickHouseStore, tmp_path: Path) -> None:
    """A message that holds no spans holds up nobody, and is kept."""
    topic = _Topic(broker, store, tmp_path, 1)
    topic.send(2, b"\xff no spans")
    topic.send(2)
    with topic.ingester():
        topic.wait_until_stored(4)

    (kept,) = topic.quarantine.glob("*.otlp")
    assert kept.name == f"kafka-{topic.name}-0-2.otlp"
    assert kept.read_bytes() == b"\xff no spans"
    assert topic.metrics.registry.get_sample_value("lymer_kafka_poison_messages_total") == 1


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_tls_and_sasl(
    broker: Broker, authority: Authority, tmp_path: Path, mechanism: str, password: str
) -> None:
    """The right password is let in; with a wrong one senders are told to repeat."""
    broker.make_topic(f"secured-{tmp_path.name}", 1)
    told: list[LymerError | None] = []
    done = threading.Event()

    def on_durable(_: object, error: LymerError | None) -> None:
        told.append(error)
        done.set()

    client = broker.client(**{
        "bootstrap.servers": broker.secured,
        "security.protocol": "sasl_ssl",
        "ssl.ca.location": str(authority.write(tmp_path)),
        "sasl.mechanism": mechanism,
        "sasl.username": USER,
        "sasl.password": password,
        "delivery.timeout.ms": 15_000 if password == PASSWORD else 1_000,
    })  # fmt: skip
    log: TopicLog[str] = TopicLog(
        client, f"secured-{tmp_path.name}", encoding="otlp_proto", message_bytes_max=2**20,
        on_durable=on_durable, metrics=Metrics("test"),
    )  # fmt: skip
    log.append(make_request(make_span(1, 1)).SerializeToString(), 1, "ticket", "")
    assert done.wait(_WAIT_SECONDS_MAX)
    problem = log.problem()
    log.close()

    assert (told == [None]) == (password == PASSWORD), told
    assert (problem == "") == (password == PASSWORD)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_broker_and_ingester_are_killed_under_load(broker: Broker, tmp_path: Path) -> None:
    """Of what collectors acknowledged nothing is lost, and nothing is there twice."""
    broker.make_topic("killed", 3)
    environment = {
        "LYMER__KAFKA__BROKERS": broker.address,
        "LYMER__KAFKA__TOPIC": "killed",
        "LYMER__KAFKA__ENABLED": "true",
        "LYMER__JOURNAL__SEGMENT_AGE_SECONDS_MAX": "0.1",
    }
    folders = {name: tmp_path / name for name in ("collector", "ingester")}
    for folder in folders.values():
        folder.mkdir()
    collector = Lymer(folders["collector"], environment, role="collector")
    ingester = Lymer(folders["ingester"], environment, role="ingester")
    ledger, chance = Ledger(), random.Random(17)

    def load() -> NumberedLoad:
        ports = collector.ports
        return NumberedLoad(ledger, ports["otlp_http"], ports["otlp_grpc"], chance)

    try:
        collector.start()
        ingester.start()
        for _ in range(2):
            sending = load()
            time.sleep(chance.uniform(0.3, 1.0))
            ingester.kill()
            sending.stop()
            ingester.start()
        sending = load()
        time.sleep(0.5)
        broker.kill()
        sending.stop()
        broker.start()
        sending = load()
        time.sleep(0.5)
        sending.stop()
        expected = sum(ledger.sent[number].span_count for number in ledger.acknowledged)
        _wait_for_lag(ingester)
        assert ingester.stop() == 0, ingester.log_tail()
    finally:
        collector.close()
        ingester.close()
    with open_stored_spans(ingester.data_dir) as stored:
        assert_exactly_once(stored, ledger)
        assert stored.count() >= expected > 1_000
        _assert_rollups(stored)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_ingesters_store_once_on_two_shards(broker: Broker, tmp_path: Path) -> None:
    """One comes under load, the other is killed, the broker is started anew."""
    broker.make_topic("sharded", 3)
    shards = Shards(tmp_path / "shards")
    environment = {
        "LYMER__KAFKA__BROKERS": broker.address,
        "LYMER__KAFKA__TOPIC": "sharded",
        "LYMER__KAFKA__ENABLED": "true",
        "LYMER__JOURNAL__SEGMENT_AGE_SECONDS_MAX": "0.1",
        "LYMER__STORAGE__CLICKHOUSE_URL": ",".join(shards.urls),
        "LYMER__STORAGE__CLICKHOUSE_CLUSTER": CLUSTER,
    }
    processes = []
    for name in ("collector", "first", "second"):
        (tmp_path / name).mkdir()
        role = "collector" if name == "collector" else "ingester"
        processes.append(Lymer(tmp_path / name, environment, role=role))
    collector, first, second = processes
    ledger, chance = Ledger(), random.Random(18)

    def load() -> NumberedLoad:
        ports = collector.ports
        return NumberedLoad(ledger, ports["otlp_http"], ports["otlp_grpc"], chance)

    try:
        for process in (collector, first):
            process.launch()
            assert any(process.answers_ready() for _ in poll(120)), process.log_tail()
        sending = load()
        second.launch()
        assert any(second.answers_ready() for _ in poll(120)), second.log_tail()
        first.kill()
        sending.stop()
        sending = load()
        time.sleep(0.5)
        broker.kill()
        sending.stop()
        broker.start()
        sending = load()
        time.sleep(0.5)
        sending.stop()
        _wait_for_lag(second)
        with contextlib.closing(_AllShards(shards.urls[0])) as engine:
            assert_exactly_once(StoredSpans(engine), ledger)
        assert len(ledger.acknowledged) > 50
    finally:
        for process in processes:
            process.close()
        shards.close()


class _AllShards(ServerEngine):
    """The tables of all shards, for questions to the tables of one."""

    def select(self, database: str, statement: str, *more: Any, **named: Any) -> list[list[Any]]:
        """See `Engine.select`."""
        return super().select(
            database, statement.replace("FROM lymer.", "FROM all_lymer."), *more, **named
        )


def _assert_rollups(stored: StoredSpans) -> None:
    assert stored.red_rolled_up() == stored.red_recounted()
    assert stored.operations_missing() == []


def _wait_for_lag(ingester: Lymer) -> None:
    """Wait until no message is left, for longer than it takes to look at that anew."""
    quiet_since = monotonic_seconds()
    lags: list[float] = []
    for _ in poll(_WAIT_SECONDS_MAX):
        text = ingester.http.get(f"{ingester.admin_url}/metrics").text
        lags = [
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith("lymer_kafka_lag_messages{")
        ]
        if len(lags) < 3 or any(lags):
            quiet_since = monotonic_seconds()
        elif monotonic_seconds() - quiet_since > 4:
            return
    raise AssertionError(f"messages are left: {lags}\n{ingester.log_tail()}")


def test_a_chart_with_kafka(broker: Broker, authority: Authority, tmp_path: Path) -> None:
    """Collectors have no disk, the ingester has the store, and query finds what came in."""
    broker.make_topic("chart", 1)
    objects = render(
        {
            "mode": "distributed",
            "agent": {"kind": "None"},
            "ingester": {"enabled": True},
            "storage": {
                "kafka": {
                    "brokers": [broker.secured],
                    "topic": "chart",
                    "tls": True,
                    "mechanism": "scram-sha-256",
                    "user": USER,
                    "existingSecret": "kafka",
                    "caKey": "ca.crt",
                }
            },
        }
    )
    secret = {"password": PASSWORD.encode(), "ca.crt": authority.write(tmp_path).read_bytes()}
    objects["Secret", "kafka"] = {"kind": "Secret", "data": secret}
    kubelet = Kubelet(tmp_path / "pods", objects)
    trace_id = new_trace_id()
    try:
        kubelet.start()
        with httpx.Client(trust_env=False) as http:
            http.post(
                f"http://{kubelet.pods['lymer-collector'].address}:4318/v1/traces",
                content=request_of(span_of(trace_id)).SerializeToString(),
                headers={"content-type": PROTOBUF},
            ).raise_for_status()
            query = f"http://{kubelet.pods['lymer-query'].address}:16686"
            url = f"{query}/api/traces/{trace_id.hex()}"
            assert any(http.get(url).status_code == 200 for _ in poll(_WAIT_SECONDS_MAX))
    finally:
        kubelet.stop()
