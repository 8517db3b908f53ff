"""Two collectors on one real ClickHouse server, whose clocks are minutes apart."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path
from typing import Final

import pytest

from crash.numbered_load import Ledger, NumberedLoad
from crash.stored_spans import StoredSpans
from crash.test_collectors_kill import wait_until_counted
from crash.test_kill import assert_exactly_once
from e2e.lymer_process import Lymer, poll
from fakes.clickhouse_server import start_server
from lymer.storage.clickhouse.engine_server import ServerEngine

_CLOCKS: Final = ("-2m", "+2m")
_WAIT_SECONDS_MAX: Final = 120.0


def _library() -> Path:
    """Return what gives a process another clock."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("no libfaketime: two collectors need two clocks")
    return found[0]


@pytest.mark.timeout(600)
def test_clocks_that_are_minutes_apart_lose_and_double_nothing(tmp_path: Path) -> None:
    """Spans of either are stored and counted once, calls from one to the other too."""
    library = str(_library())
    server, url = start_server(tmp_path / "server")
    ledger, chance = Ledger(), random.Random(17)
    collectors: list[Lymer] = []
    try:
        for clock in _CLOCKS:
            (tmp_path / clock).mkdir()
            environment = {
                "LYMER__STORAGE__CLICKHOUSE_URL": url,
                "LYMER__JOURNAL__SEGMENT_AGE_SECONDS_MAX": "0.2",
                "LD_PRELOAD": library,
                "FAKETIME": clock,
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
            collectors.append(Lymer(tmp_path / clock, environment, role="collector"))
            collectors[-1].launch()
        for one in collectors:
            assert any(one.answers_ready() for _ in poll(_WAIT_SECONDS_MAX)), one.log_tail()
        for _ in range(2):
            loads = [
                NumberedLoad(ledger, one.ports["otlp_http"], one.ports["otlp_grpc"], chance)
                for one in collectors
            ]
            time.sleep(0.5)
            for load in loads:
                load.stop()
        for one in collectors:
            journal = one.data_dir / "journal"
            assert any(not [*journal.glob("*.otlp")] for _ in poll(_WAIT_SECONDS_MAX))
        with contextlib.closing(ServerEngine(url)) as engine:
            stored = StoredSpans(engine)
            assert_exactly_once(stored, ledger)
            apart = "SELECT {mark}, intDiv(max(seg) - min(seg), 1000000) FROM {db}.spans"
            ((seconds,),) = engine.select("lymer", apart, 1)
            assert seconds > 200, "both clocks were at work"
            wait_until_counted(stored)
        assert ledger.acknowledged
    finally:
        for one in collectors:
            one.close()
        server.kill()
        server.wait()
