"""Two collectors and a query process on one real ClickHouse server; any of them is killed."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from crash.numbered_load import Ledger, NumberedLoad
from crash.stored_spans import StoredSpans
from crash.test_kill import assert_exactly_once
from e2e.lymer_process import Lymer, poll
from fakes.clickhouse_server import start_server
from lymer.storage.clickhouse.engine_server import ServerEngine

_ROUNDS: Final = int(os.environ.get("LYMER_CRASH_ROUNDS", "6"))
_WAIT_SECONDS_MAX: Final = 120.0


def wait_until_counted(stored: StoredSpans) -> None:
    """Wait until whoever counts has counted all; what is wrong stays wrong and is told."""
    for _ in poll(_WAIT_SECONDS_MAX):
        if (
            stored.red_rolled_up() == stored.red_recounted()
            and stored.dependencies_rolled_up() == stored.dependencies_recounted()
        ):
            break
        time.sleep(2)
    assert stored.red_rolled_up() == stored.red_recounted()
    assert stored.dependencies_rolled_up() == stored.dependencies_recounted()
    assert stored.operations_missing() == []


class _Run:
    """A server, two collectors and a query process, each with its folder."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._chance = chance
        self._folder = folder / "server"
        self._server, self.url = start_server(self._folder)
        self.ledger = Ledger()
        self.killed = {"first": 0, "second": 0, "query": 0, "server": 0}
        environment = {
            "LYMER__STORAGE__CLICKHOUSE_URL": self.url,
            "LYMER__JOURNAL__SEGMENT_AGE_SECONDS_MAX": "0.2",
            "LYMER__JOURNAL__SEGMENT_BYTES_MAX": "1MiB",
        }
        self._lymers = {}
        for name in ("first", "second", "query"):
            (folder / name).mkdir()
            role = "query" if name == "query" else "collector"
            self._lymers[name] = Lymer(folder / name, environment, role=role)
        self.query = self._lymers["query"]
        self.query.launch()  # before there is any table

    def start_all(self) -> None:
        """Start who does not run."""
        for one in ("first", "second", "query"):
            if not self._lymers[one].is_running():
                self._lymers[one].start()

    def load_and_kill(self) -> None:
        """Send to both collectors and kill somebody in the middle."""
        loads = [
            NumberedLoad(self.ledger, one.ports["otlp_http"], one.ports["otlp_grpc"], self._chance)
            for one in (self._lymers["first"], self._lymers["second"])
        ]
        time.sleep(self._chance.uniform(0.3, 1.5))
        victim = self._chance.choice([*self.killed])
        self.killed[victim] += 1
        if victim == "server":
            self._restart_server()
        else:
            self._lymers[victim].kill()
        for load in loads:
            load.stop()

    def wait_until_stored(self) -> None:
        """Wait until both journals are empty."""
        for name in ("first", "second"):
            journal = self._lymers[name].data_dir / "journal"
            for _ in poll(_WAIT_SECONDS_MAX):
                if not [*journal.glob("*.otlp")]:
                    break
            assert [*journal.glob("*.otlp")] == [], self._lymers[name].log_tail()

    def close(self) -> None:
        """End them all."""
        for one in self._lymers.values():
            one.close()
        self._server.kill()
        self._server.wait()

    def _restart_server(self) -> None:
        self._server.kill()
        self._server.wait()
        time.sleep(self._chance.uniform(0.1, 1))
        port = int(self.url.rsplit(":", 1)[1])
        self._server, _ = start_server(self._folder, http_port=port)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_any_of_them_may_be_killed_at_any_time(tmp_path: Path) -> None:
    """Acknowledged spans are stored once, whoever took them, and counted once, by whomever."""
    seed = int(os.environ.get("LYMER_CRASH_SEED") or random.SystemRandom().randrange(2**32))
    run = _Run(tmp_path, random.Random(seed))
    try:
        for _ in range(_ROUNDS):
            run.start_all()
            run.load_and_kill()
        run.start_all()
        run.wait_until_stored()
        engine = ServerEngine(run.url)
        try:
            stored = StoredSpans(engine)
            assert_exactly_once(stored, run.ledger)
            wait_until_counted(stored)
        finally:
            engine.close()
        services = run.query.http.get(f"{run.query.query_url}/api/services").json()["data"]
        assert {"front-0", "front-1", "front-2", "json"} <= set(services)
        newest = run.ledger.sent[max(run.ledger.acknowledged)]
        run.query.wait_for_trace(newest.trace_id.hex(), newest.span_count, raw=True)
        assert len(run.ledger.acknowledged) > 10 * _ROUNDS
    finally:
        run.close()
        sys.stderr.write(
            f"LYMER_CRASH_SEED={seed}, killed {run.killed}, "
            f"acknowledged {len(run.ledger.acknowledged)} of {len(run.ledger.sent)}\n"
        )
