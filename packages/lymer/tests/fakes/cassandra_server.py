"""A real Cassandra on loopback: one node, from jars that tools/cassandra_assets.sh brings.

It holds Jaeger's table of spans, written as Jaeger writes it; `bench/migrate_jaeger.py` has a real
Jaeger do so.

Source: Jaeger v1.76 and v2.20 `internal/storage/v1/cassandra`, `schema/v004.cql.tmpl` and
`spanstore/writer.go`.
"""

from __future__ import annotations

import functools
import shutil
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import (
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
    NoHostAvailable,
    Session,
)
from cassandra.policies import RoundRobinPolicy

from e2e.lymer_process import free_ports, poll
from fakes.certificates import Authority

__all__ = ["PASSWORD", "USER", "Cassandra", "KeyValue", "Log", "Process", "Row", "SpanRef"]

USER, PASSWORD = "cassandra", "cassandra"
"""Whom a new server knows."""
_ROOT: Final = Path(__file__).parents[4]
_READY_SECONDS_MAX: Final = 120.0
_OPENED: Final = (
    "java.io", "java.lang", "java.lang.module", "java.lang.reflect", "java.net", "java.nio",
    "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.loader",
    "jdk.internal.math", "jdk.internal.module", "jdk.internal.ref", "jdk.internal.reflect",
    "jdk.internal.util.jar", "sun.nio.ch",
)  # fmt: skip
_EXPORTED: Final = (
    "java.base/jdk.internal.misc", "java.base/jdk.internal.ref", "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi", "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server", "java.sql/java.sql",
)  # fmt: skip
_PAIRS: Final = "frozen<list<frozen<{keyspace}.keyvalue>>>"
_SCHEMA: Final = f"""
CREATE KEYSPACE {{keyspace}}
    WITH replication = {{{{'class': 'SimpleStrategy', 'replication_factor': '1'}}}};
CREATE TYPE {{keyspace}}.keyvalue (key text, value_type text, value_string text,
    value_bool boolean, value_long bigint, value_double double, value_binary blob);
CREATE TYPE {{keyspace}}.log (ts bigint, fields {_PAIRS});
CREATE TYPE {{keyspace}}.span_ref (ref_type text, trace_id blob, span_id bigint);
CREATE TYPE {{keyspace}}.process (service_name text, tags {_PAIRS});
CREATE TABLE {{keyspace}}.traces (trace_id blob, span_id bigint, span_hash bigint,
    parent_id bigint, operation_name text, flags int, start_time bigint, duration bigint,
    tags list<frozen<keyvalue>>, logs list<frozen<log>>, refs list<frozen<span_ref>>,
    process frozen<process>, PRIMARY KEY (trace_id, span_id, span_hash))
    WITH default_time_to_live = 172800 AND gc_grace_seconds = 10800
"""


class KeyValue(NamedTuple):
    """A tag; Jaeger fills the fields of other types with zeros."""

    key: str
    value_type: str
    value_string: str = ""
    value_bool: bool = False
    value_long: int = 0
    value_double: float = 0.0
    value_binary: bytes = b""


class Log(NamedTuple):
    """A log, at a time in microseconds."""

    ts: int
    fields: list[KeyValue]


class SpanRef(NamedTuple):
    """A reference."""

    ref_type: str
    trace_id: bytes
    span_id: int


class Process(NamedTuple):
    """A process."""

    service_name: str
    tags: list[KeyValue] | None


class Row(NamedTuple):
    """A span, in the order of Jaeger's statement. Times are microseconds."""

    trace_id: bytes
    span_id: int
    span_hash: int
    parent_id: int
    operation_name: str
    flags: int
    start_time: int
    duration: int
    tags: list[KeyValue] | None
    logs: list[Log] | None
    refs: list[SpanRef] | None
    process: Process | None


@functools.cache
def _jars() -> str:
    made = subprocess.run(
        [_ROOT / "tools/cassandra_assets.sh"], check=False, capture_output=True, text=True
    )
    assert made.returncode == 0, f"no Cassandra can be had: {made.stderr}"
    assert shutil.which("java"), "no java: Cassandra needs Java 17"
    return f"{made.stdout.strip()}/*"


class Cassandra:
    """One server. Its port takes connections with TLS and without."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        """Start it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port, storage = free_ports(2)
        issued = authority.issue()
        settings = {
            "cluster_name": "lymer",
            "num_tokens": 4,
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "seed_provider": [
                {
                    "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                    "parameters": [{"seeds": f"127.0.0.1:{storage}"}],
                }
            ],
            "listen_address": "127.0.0.1",
            "rpc_address": "127.0.0.1",
            "storage_port": storage,
            "native_transport_port": self.port,
            "endpoint_snitch": "SimpleSnitch",
            "auto_bootstrap": False,
            "commitlog_sync": "periodic",
            "commitlog_sync_period": "10000ms",
            "commitlog_segment_size": "4MiB",
            "memtable_heap_space": "32MiB",
            "memtable_offheap_space": "32MiB",
            "file_cache_enabled": False,
            "authenticator": "PasswordAuthenticator",
            "client_encryption_options": {
                "enabled": True,
                "optional": True,
                "ssl_context_factory": {
                    "class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory",
                    "parameters": {"private_key": (issued.key + issued.certificate).decode()},
                },
            },
        }
        config, logback = folder / "cassandra.yaml", folder / "logback.xml"
        config.write_bytes(orjson.dumps(settings))  # what is JSON is YAML
        logback.write_text(
            '<configuration><appender name="out" class="ch.qos.logback.core.ConsoleAppender">'
            "<encoder><pattern>%p %logger{0} %msg%n</pattern></encoder></appender>"
            '<root level="WARN"><appender-ref ref="out"/></root></configuration>'
        )
        opened = [f"java.base/{one}" for one in _OPENED]
        opened.append("jdk.management/com.sun.management.internal")
        self._command = [
            "java", "-Xmx384m", "-Xms384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData", "-Djdk.attach.allowAttachSelf=true",
            *(f"--add-exports={one}=ALL-UNNAMED" for one in _EXPORTED),
            *(f"--add-opens={one}=ALL-UNNAMED" for one in opened),
            f"-Dcassandra.config=file://{config}", f"-Dcassandra.storagedir={folder / 'data'}",
            f"-Dlogback.configurationFile={logback}", "-Dcassandra-foreground=yes",
            # One node has nobody to wait for.
            "-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.ring_delay_ms=0",
            "-Dcassandra.superuser_setup_delay_ms=0",
            "-cp", _jars(), "org.apache.cassandra.service.CassandraDaemon",
        ]  # fmt: skip
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, and return when it knows its user."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        for _ in poll(_READY_SECONDS_MAX):
            assert self._process.poll() is None, self._said()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                    continue
            try:
                with self.session():
                    return
            except NoHostAvailable:
                pass
        raise AssertionError(f"Cassandra did not start\n{self._said()}")

    def kill(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a connection."""
        profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=60)
        cluster = Cluster(
            ["127.0.0.1"],
            port=self.port,
            auth_provider=PlainTextAuthProvider(USER, PASSWORD),
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        )
        try:
            yield cluster.connect()
        finally:
            cluster.shutdown()

    def add_keyspace(self, keyspace: str, rows: Iterable[Row]) -> None:
        """Make Jaeger's types and table, and write spans as Jaeger does."""
        with self.session() as session:
            for statement in _SCHEMA.split(";"):
                session.execute(statement.format(keyspace=keyspace))
            insert = session.prepare(
                f"INSERT INTO {keyspace}.traces ({', '.join(Row._fields)}) "
                f"VALUES ({', '.join('?' * len(Row._fields))})"
            )
            waiting: list[Any] = []
            for row in rows:
                waiting.append(session.execute_async(insert, row))
                if len(waiting) > 100:
                    waiting.pop(0).result()
            for one in waiting:
                one.result()

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]
