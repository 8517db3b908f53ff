"""Kill -9 of agent and collector in turn and together, under load: each span arrives once."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from crash.numbered_load import Ledger, NumberedLoad
from crash.stored_spans import open_stored_spans
from crash.test_kill import assert_exactly_once
from e2e.lymer_process import Lymer, poll

_ROUNDS: Final = {"otlp": int(os.environ.get("LYMER_CRASH_ROUNDS", "12")), "jaeger": 8}
_DRAIN_SECONDS_MAX: Final = 60.0
_QUICK: Final = {
    "LYMER__JOURNAL__SEGMENT_AGE_SECONDS_MAX": "0.3",
    "LYMER__JOURNAL__SEGMENT_BYTES_MAX": "1MiB",
    "LYMER__AGENT__BACKOFF_SECONDS_MAX": "0.3",
    "LYMER__AGENT__REQUEST_SECONDS_MAX": "2",
}
"""Segments end often and what fails is repeated soon, so that kills meet all of it."""
_SLOW: Final = _QUICK | {"LYMER__JOURNAL__SEGMENT_AGE_SECONDS_MAX": "4"}
"""The agent's segments last longer than the collector's: when both are killed, the agent repeats
what the collector has stored and has no journal of any more."""


@contextmanager
def _folder() -> Iterator[tuple[Path, random.Random]]:
    seed = int(os.environ.get("LYMER_CRASH_SEED") or random.SystemRandom().randrange(2**32))
    folder = Path(tempfile.mkdtemp(prefix="lymer-agent-crash-"))
    try:
        yield folder, random.Random(seed)
    except BaseException:
        sys.stderr.write(f"\nagain with LYMER_CRASH_SEED={seed}; its folder: {folder}\n")
        raise
    shutil.rmtree(folder)


def _wait_until_sent(agent: Lymer) -> None:
    """Return when the agent's buffer is empty."""
    for _ in poll(_DRAIN_SECONDS_MAX):
        metrics = agent.http.get(f"{agent.admin_url}/metrics").text
        if "\nlymer_journal_backlog_bytes 0.0\n" in metrics:
            return
    raise AssertionError(f"the agent did not send all\n{agent.log_tail()}")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("protocol", ["otlp", "jaeger"])
def test_killed_agents_and_collectors_lose_nothing_and_double_nothing(protocol: str) -> None:
    """What an agent acknowledged is stored once, what it did not at most once."""
    ledger = Ledger()
    killed = {"agent": 0, "collector": 0}
    with _folder() as (folder, chance):
        collector = Lymer(folder, _QUICK, role="collector")
        target = (
            f"127.0.0.1:{collector.ports['otlp_grpc' if protocol == 'otlp' else 'jaeger_grpc']}"
        )
        settings = (f"--set=agent.targets={target}", f"--set=agent.protocol={protocol}")
        agent = Lymer(folder, _SLOW, role="agent", arguments=settings)
        try:
            collector.start()
            for number in range(_ROUNDS[protocol]):
                if not agent.is_running():
                    agent.start()
                if not collector.is_running():
                    collector.launch()
                ports = agent.ports
                load = NumberedLoad(ledger, ports["otlp_http"], ports["otlp_grpc"], chance)
                time.sleep(chance.uniform(0.1, 0.8))
                victims = chance.choice([[agent], [collector], [agent, collector]])
                for victim in victims:
                    killed[victim.role] += 1
                    victim.kill()
                load.stop()
                if number % 8 == 7:
                    for one in (agent, collector):
                        if one.is_running() and one.answers_ready():
                            assert one.stop() == 0, one.log_tail()
            for one in (collector, agent):
                if not one.is_running():
                    one.start()
            _wait_until_sent(agent)
            metrics = agent.http.get(f"{agent.admin_url}/metrics").text
            assert "\nlymer_forward_crashes_total 0.0\n" in metrics
            assert agent.stop() == 0, agent.log_tail()
            assert collector.stop() == 0, collector.log_tail()

            assert list((agent.data_dir / "journal").iterdir()) == []
            for one in (agent, collector):
                assert not (one.data_dir / "quarantine").exists()
            with open_stored_spans(collector.data_dir) as stored:
                assert_exactly_once(stored, ledger)
        finally:
            agent.close()
            collector.close()
    # The run was worth its time only if there was load and both were killed.
    assert min(killed.values()) > 0
    assert len(ledger.acknowledged) > 100
