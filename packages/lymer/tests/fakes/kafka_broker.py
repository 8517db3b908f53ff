"""A real Kafka broker on loopback: KRaft, one node, from jars that tools/kafka_assets.sh brings."""

from __future__ import annotations

import functools
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any, Final

from confluent_kafka.admin import AdminClient, NewTopic

from e2e.lymer_process import free_ports, poll
from fakes.certificates import Authority

__all__ = ["Broker"]

_ROOT: Final = Path(__file__).parents[4]
_READY_SECONDS_MAX: Final = 60.0
_JAVA: Final = (
    "java", "-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
)  # fmt: skip
USER, PASSWORD = "lymer", "in-the-topic"


@functools.cache
def _jars() -> str:
    made = subprocess.run(
        [_ROOT / "tools/kafka_assets.sh"], check=False, capture_output=True, text=True
    )
    assert made.returncode == 0, f"no Kafka broker can be had: {made.stderr}"
    assert shutil.which("java"), "no java: a Kafka broker needs Java 17"
    return f"{made.stdout.strip()}/*"


class Broker:
    """One broker and what it keeps; it can be killed and started again."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        """Start it.

        Its listeners: `address` in plain text, `secured` over TLS with SASL (plain and SCRAM).
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        plain, secured, controller = free_ports(3)
        self.address = f"127.0.0.1:{plain}"
        self.secured = f"127.0.0.1:{secured}"
        issued = authority.issue()
        store = folder / "key-and-certificate.pem"
        store.write_bytes(issued.key + issued.certificate)
        modules = "org.apache.kafka.common.security"
        logins = {
            "plain": f'{modules}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
            "scram": f"{modules}.scram.ScramLoginModule required;",
        }
        hosts = "PLAIN://127.0.0.1:{},SECURED://127.0.0.1:{}"
        self._settings = folder / "server.properties"
        self._settings.write_text(
            "\n".join(
                (
                    "process.roles=broker,controller",
                    "node.id=1",
                    f"controller.quorum.voters=1@127.0.0.1:{controller}",
                    f"listeners={hosts.format(plain, secured)},CONTROL://127.0.0.1:{controller}",
                    f"advertised.listeners={hosts.format(plain, secured)}",
                    "listener.security.protocol.map=PLAIN:PLAINTEXT,SECURED:SASL_SSL,CONTROL:PLAINTEXT",
                    "controller.listener.names=CONTROL",
                    "inter.broker.listener.name=PLAIN",
                    "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256",
                    f"listener.name.secured.plain.sasl.jaas.config={logins['plain']}",
                    f"listener.name.secured.scram-sha-256.sasl.jaas.config={logins['scram']}",
                    "ssl.keystore.type=PEM",
                    f"ssl.keystore.location={store}",
                    f"log.dirs={folder / 'data'}",
                    "offsets.topic.replication.factor=1",
                    "offsets.topic.num.partitions=1",
                    "group.initial.rebalance.delay.ms=0",
                    "num.network.threads=1",
                    "num.io.threads=2",
                    "log.cleaner.enable=false",
                    "auto.create.topics.enable=false",
                    "",
                )
            )
        )
        self._run(
            "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg",
            "-c", str(self._settings),
            "--add-scram", f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]",
        )  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_JAVA, "-cp", _jars(), "kafka.Kafka", str(self._settings)],
                stdout=log,
                stderr=log,
            )
        host, _, port = self.address.partition(":")
        for _ in poll(_READY_SECONDS_MAX):
            assert self._process.poll() is None, self._said()
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return
        raise AssertionError(f"the broker did not start\n{self._said()}")

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End it whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def make_topic(self, name: str, partitions: int) -> None:
        """Make a topic, and return when clients may use it."""
        client = AdminClient({"bootstrap.servers": self.address})
        (made,) = client.create_topics([NewTopic(name, partitions, 1)]).values()
        made.result(_READY_SECONDS_MAX)

    def client(self, **more: Any) -> dict[str, Any]:
        """Return settings of a client of librdkafka."""
        return {"bootstrap.servers": self.address, "log_level": 0, **more}

    def _run(self, *arguments: str) -> None:
        subprocess.run(
            [*_JAVA, "-cp", _jars(), *arguments], check=True, capture_output=True, timeout=60
        )

    def _said(self) -> str:
        return (self._folder / "broker.log").read_text(errors="replace")[-3000:]
