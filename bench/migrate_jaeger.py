"""What a real Jaeger has stored, moved by `lymer migrate` from each of its stores that runs here.

    .venv/bin/python -m bench.migrate_jaeger JAEGER [SPANS [STORES]]

JAEGER is the path of a Jaeger v2 (its `cmd/jaeger`, built outside of this repository). It stores
the same load in memory, Badger, OpenSearch, Cassandra and ClickHouse; each is moved into an empty
Lymer by a command that is killed in the middle and started again, and counted at both ends. A
store may also be an Elasticsearch that runs already: elasticsearch=http://HOST:9200.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "packages/lymer/tests"))

from lymer.clock import monotonic_seconds  # noqa: E402

_processes: Any = importlib.import_module("e2e.lymer_process")
_servers: Any = importlib.import_module("fakes.clickhouse_server")
_searches: Any = importlib.import_module("fakes.opensearch_server")
_cassandras: Any = importlib.import_module("fakes.cassandra_server")
_certificates: Any = importlib.import_module("fakes.certificates")

_SPANS_PER_TRACE: Final = 10
_STORES: Final = "memory,badger,opensearch,cassandra,clickhouse"
_KILLED_AFTER_SECONDS: Final = 3.0
_WRITTEN_SECONDS: Final = 8.0
"""Jaeger writes in the background and does not say when it has."""


def _configuration(backend: Mapping[str, Any], otlp: int, remote: int) -> str:
    return json.dumps(
        {
            "service": {
                "extensions": ["jaeger_storage", "remote_storage"],
                "pipelines": {
                    "traces": {
                        "receivers": ["otlp"],
                        "processors": ["batch"],
                        "exporters": ["jaeger_storage_exporter"],
                    }
                },
                "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
            },
            "extensions": {
                "jaeger_storage": {"backends": {"store": backend}},
                "remote_storage": {"endpoint": f"127.0.0.1:{remote}", "storage": "store"},
            },
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{otlp}"}}}},
            "processors": {"batch": {}},
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "store"}},
        }
    )


def _run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "lymer", *arguments],
        env=_processes.lymer_environment(), capture_output=True, text=True, timeout=900,
        check=False,
    )  # fmt: skip
    if done.returncode and not done.stdout.startswith("{"):  # else it says what is missing
        raise SystemExit(f"{done.stdout}{done.stderr}")
    return done.stdout


def _move(name: str, folder: Path, source: str, spans: int) -> None:
    """Move what a source has into an empty Lymer, and say what came of it."""
    folder.mkdir(parents=True)
    lymer = _processes.Lymer(folder, {}, role="all-in-one")
    lymer.start()
    command = [
        "migrate", source, "--json", f"--state={folder / 'state.json'}", "--since=3h",
        f"--url={lymer.query_url}", f"--endpoint=http://127.0.0.1:{lymer.ports['otlp_http']}",
    ]  # fmt: skip
    try:
        first = subprocess.Popen(
            [sys.executable, "-m", "lymer", *command],
            env=_processes.lymer_environment(), stdout=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(_KILLED_AFTER_SECONDS)
        was_killed = first.poll() is None
        first.kill()
        first.wait()
        began = monotonic_seconds()
        told = json.loads(_run(*command))
        seconds = monotonic_seconds() - began
        (folder / "state.json").unlink()
        again = json.loads(_run(*command))
        found = again["known"] if again["missing"] == again["added"] == 0 else -1
        print(
            f"{name}: {spans} sent, killed in the middle: {was_killed}; then {told['added']} moved "
            f"and {told['known']} known, {told['missing']} missing, {told['problems']} problems, "
            f"{told['spans'] / seconds:.0f} spans/s; a third run knows {found}"
            + ("" if found >= spans else "  ** NOT WHOLE **"),
            flush=True,
        )
    finally:
        lymer.close()


def _fill(jaeger: str, folder: Path, backend: Mapping[str, Any], spans: int) -> tuple[Any, str]:
    """Let a Jaeger store the load; return its process and the address of its storage."""
    folder.mkdir(parents=True)
    otlp, remote = _processes.free_ports(2)
    file = folder / "jaeger.json"
    file.write_text(_configuration(backend, otlp, remote))
    with (folder / "jaeger.log").open("wb") as log:
        process = subprocess.Popen(
            [jaeger, "--config", str(file), "--feature-gates=storage.clickhouse"],
            stdout=log,
            stderr=log,
        )
    for _ in _processes.poll(90):
        if process.poll() is not None:
            raise SystemExit((folder / "jaeger.log").read_text()[-3000:])
        done = subprocess.run(
            [sys.executable, "-m", "lymer", "generate", f"--traces={spans // _SPANS_PER_TRACE}",
             f"--spans-per-trace={_SPANS_PER_TRACE}", "--services=20",
             f"--endpoint=http://127.0.0.1:{otlp}"],
            env=_processes.lymer_environment(), capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            break
    time.sleep(_WRITTEN_SECONDS)
    return process, f"grpc://127.0.0.1:{remote}"


def _wait_until_written(cassandra: Any, spans: int) -> None:
    count = 0
    with cassandra.session() as session:
        for _ in _processes.poll(300):
            (count,) = session.execute("SELECT count(*) FROM jaeger_v1_dc1.traces").one()
            if count >= spans:
                return
            time.sleep(1)
    print(f"cassandra: Jaeger has written {count} of {spans} spans", flush=True)


def main(jaeger: str, spans: int, names: str) -> None:
    """Move from one store after the other."""
    with tempfile.TemporaryDirectory(prefix="lymer-bench-") as name:
        folder = Path(name)
        tcp, http = _processes.free_ports(2)
        server, url = _servers.start_server(folder / "clickhouse", tcp_port=tcp, http_port=http)
        search = _searches.OpenSearch(folder / "opensearch")
        cassandra = _cassandras.Cassandra(folder / "cassandra", _certificates.Authority())
        login = (_cassandras.USER, _cassandras.PASSWORD)
        places = {at: str(folder / "badger" / at) for at in ("keys", "values")}
        stores: dict[str, dict[str, Any]] = {
            "memory": {"memory": {"max_traces": spans}},
            "badger": {"badger": {"directories": places, "ephemeral": False}},
            "opensearch": {"opensearch": {"server_urls": [search.url]}},
            "cassandra": {
                "cassandra": {
                    "schema": {
                        "keyspace": "jaeger_v1_dc1",
                        "create": True,
                        "datacenter": "datacenter1",
                    },
                    "connection": {
                        "servers": [f"127.0.0.1:{cassandra.port}"],
                        "auth": {"basic": {"username": login[0], "password": login[1]}},
                        "tls": {"insecure": True},
                    },
                }
            },
            "clickhouse": {
                "clickhouse": {"addresses": [f"127.0.0.1:{tcp}"], "create_schema": True}
            },
        }
        (folder / "badger").mkdir()
        direct = {
            "opensearch": search.url,
            "cassandra": f"cassandra://{':'.join(login)}@127.0.0.1:{cassandra.port}",
            "clickhouse": url.replace("http", "clickhouse", 1),
        }
        statement = "CREATE DATABASE jaeger"
        importlib.import_module("httpx").post(url, content=statement)
        try:
            for store, _, place in (name.partition("=") for name in names.split(",")):
                if place:
                    stores[store] = {store: {"server_urls": [place]}}
                    direct[store] = place
                backend = stores[store]
                process, address = _fill(jaeger, folder / store / "jaeger", backend, spans)
                if store == "cassandra":  # an insert for each tag: it takes a while
                    _wait_until_written(cassandra, spans)
                try:
                    _move(f"{store}, jaeger.storage.v2", folder / store / "remote", address, spans)
                finally:
                    process.terminate()
                    process.wait()
                if store in direct:
                    _move(f"{store}, directly", folder / store / "direct", direct[store], spans)
        finally:
            server.kill()
            server.wait()
            search.close()
            cassandra.kill()


if __name__ == "__main__":
    main(
        sys.argv[1],
        int(sys.argv[2]) if len(sys.argv) > 2 else 20_000,
        sys.argv[3] if len(sys.argv) > 3 else _STORES,
    )
