"""A real OpenSearch on loopback: one node, from jars that tools/opensearch_assets.sh brings."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from e2e.lymer_process import NO_TLS, free_ports, poll

__all__ = ["OpenSearch"]

_ROOT: Final = Path(__file__).parents[4]
_READY_SECONDS_MAX: Final = 120.0
_KEYWORD: Final = {"type": "keyword", "ignore_above": 256}
_PAIRS: Final = {
    "type": "nested",
    "dynamic": False,
    "properties": {"key": _KEYWORD, "value": _KEYWORD, "type": _KEYWORD},
}


@functools.cache
def _home() -> str:
    made = subprocess.run(
        [_ROOT / "tools/opensearch_assets.sh"], check=False, capture_output=True, text=True
    )
    assert made.returncode == 0, f"no OpenSearch can be had: {made.stderr}"
    assert shutil.which("java"), "no java: OpenSearch needs Java 17"
    return made.stdout.strip()


class OpenSearch:
    """One server and its indices."""

    def __init__(self, folder: Path) -> None:
        """Start it."""
        config = folder / "config"
        config.mkdir(parents=True)
        http, transport = free_ports(2)
        self.url = f"http://127.0.0.1:{http}"
        (config / "opensearch.yml").write_text(
            "discovery.type: single-node\nnetwork.host: 127.0.0.1\n"
            f"http.port: {http}\ntransport.port: {transport}\n"
            f"path.data: {folder / 'data'}\npath.logs: {folder / 'logs'}\n"
            # A disk that others have filled would make indices read-only.
            "cluster.routing.allocation.disk.threshold_enabled: false\n"
        )
        (config / "log4j2.properties").write_text(
            "appender.out.type = Console\nappender.out.name = out\n"
            "appender.out.layout.type = PatternLayout\n"
            "appender.out.layout.pattern = %p %c{1} %m%n\n"
            "rootLogger.level = warn\nrootLogger.appenderRef.out.ref = out\n"
        )
        self._http = httpx.Client(timeout=180, trust_env=False, verify=NO_TLS)
        self._log = folder / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "java", "-Xmx384m", "-Xms384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                    "-Djava.security.manager=allow",
                    # Without its native library it does not ask whether it is root, as in CI.
                    "-Djna.noclasspath=true", "-Djna.nosys=true",
                    f"-Dopensearch.path.home={_home()}", f"-Dopensearch.path.conf={config}",
                    "-Dopensearch.distribution.type=tar", "-Dopensearch.bundled_jdk=false",
                    "-cp", f"{_home()}/lib/*", "org.opensearch.bootstrap.OpenSearch",
                ],
                stdout=log,
                stderr=log,
            )  # fmt: skip
        for _ in poll(_READY_SECONDS_MAX):
            assert self._process.poll() is None, self._said()
            try:
                if self._http.get(f"{self.url}/_cluster/health", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
        raise AssertionError(f"OpenSearch did not start\n{self._said()}")

    def add(self, index: str, documents: Iterable[Mapping[str, Any]]) -> None:
        """Make an index as Jaeger's template does, and put documents into it."""
        properties = {
            **dict.fromkeys(("traceID", "spanID", "parentSpanID", "operationName"), _KEYWORD),
            "startTime": {"type": "long"},
            "startTimeMillis": {"type": "date", "format": "epoch_millis"},
            "duration": {"type": "long"},
            "tags": _PAIRS,
            "logs": {"type": "nested", "dynamic": False, "properties": {"fields": _PAIRS}},
            "process": {"properties": {"serviceName": _KEYWORD, "tags": _PAIRS}},
        }
        settings = {"index.number_of_shards": 1, "index.number_of_replicas": 0}
        self._ask(
            "PUT",
            f"/{index}",
            orjson.dumps({"settings": settings, "mappings": {"properties": properties}}),
        )
        lines = b"".join(
            b'{"index":{}}\n' + orjson.dumps(document) + b"\n" for document in documents
        )
        answer = self._ask("POST", f"/{index}/_bulk?refresh=true", lines)
        assert not answer["errors"], answer

    def open_scrolls(self) -> int:
        """Return how many searches hold on to what they read."""
        nodes = self._ask("GET", "/_nodes/stats/indices/search")["nodes"]
        return sum(int(one["indices"]["search"]["scroll_current"]) for one in nodes.values())

    def close(self) -> None:
        """End it."""
        self._http.close()
        self._process.kill()
        self._process.wait()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        answer = self._http.request(
            method,
            self.url + path,
            content=body,
            headers={"Content-Type": "application/json"},
        )
        assert answer.is_success, answer.text
        return answer.json()

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]
