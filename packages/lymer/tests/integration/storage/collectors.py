"""Two collectors on a server of their own, either of which may count, delete or end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fakes.clickhouse_server import server_url
from fakes.mortal_engine import MortalEngine
from integration.storage.random_traces import answers
from lymer.model.deletion import Deleted
from lymer.storage.clickhouse.collectors import share
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.tenancy import DEFAULT_TENANT
from make import make_request, make_span, write_segment_file

__all__ = ["Collectors", "drop_databases"]


def drop_databases(url: str) -> None:
    """Leave a server without databases of ours."""
    engine = ServerEngine(url)
    text = "SELECT {mark}, name FROM system.databases WHERE match(name, '^(all_)?lymer')"
    for (name,) in zip(*engine.select("", text, 1), strict=True):
        engine.command(name.decode(), "DROP DATABASE {db} SYNC")
    engine.close()


class Collectors:
    """Two collectors that take segments in turns, and take counting over from each other."""

    def __init__(self, folder: Path) -> None:
        """Open both on a server without databases of ours."""
        self._folder = folder
        drop_databases(server_url())
        self.engines: list[MortalEngine] = []
        self.stores: list[ClickHouseStore] = []
        self.leases: list[Any] = []
        for name in ("a", "b"):
            data = folder / name
            data.mkdir(parents=True, exist_ok=True)
            inner = ServerEngine(server_url())
            sharing = share([inner], data)[0]
            self.engines.append(MortalEngine(inner))
            self.leases.append(sharing.counts)
            self.stores.append(
                ClickHouseStore(
                    self.engines[-1],
                    retention_seconds=10**8,
                    memory_bytes_max=900 * 2**20,
                    sharing=sharing,
                )
            )

    def store(self, batches: list[tuple[int, list[Any]]], *, catch_up: int) -> None:
        """Store each batch by one of them, counting after every so many by one or the other."""
        for number, (segment, spans) in enumerate(batches):
            which = number % 2
            segment = self.stores[which].next_segment_id(segment)  # noqa: PLW2901
            # Of a batch without spans something must come: who has settled what depends on it.
            request = ExportTraceServiceRequest(resource_spans=spans)
            request.MergeFrom(make_request(make_span(99, number + 1), service="always"))
            self.stores[which].write_segment(
                write_segment_file(self._folder, request, segment_id=segment)
            )
            if number % catch_up == 0:
                self.count(which=number // catch_up % 2)
        self.count(which=0)

    def count(self, which: int) -> None:
        """Let one of them count what both have stored."""
        self.stores[1 - which].catch_up_some()
        self.leases[which].take_over()
        self.stores[1 - which].catch_up_some()
        self.stores[which].catch_up_some()

    def answers(self, which: int = 0) -> dict[str, Any]:
        """Return everything that one of them says."""
        return answers(self.stores[which].for_tenant(DEFAULT_TENANT))

    def delete(self, which: int, ids: list[str]) -> Deleted:
        """Have one of them delete."""
        return self.stores[which].delete_traces(
            DEFAULT_TENANT, ids, who="ada", question="q", upto=2**63 - 1
        )

    def close(self) -> None:
        """Close both."""
        for store in self.stores:
            store.close()
