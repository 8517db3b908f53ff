"""The loops on the store in memory: all of it in one process, store and controller together."""

from __future__ import annotations

import asyncio
import os
import secrets
import time

from bench.certwright.figures import Figures, key_cpu_seconds, memory_mib_of
from bench.certwright.objects import authority, certificates, is_settled
from certwright import clock
from certwright.adapters.objects import ObjectStore
from certwright.engine.runtime import Runtime, running
from certwright.engine.store import Selection
from certwright.pki.keys import generate_private_key
from certwright.reconcile.contract import Sources
from certwright.reconcile.controllers import all_controllers
from certwright.reconcile.options import Options
from certwright.resources.kinds import CERTIFICATE, Manifest
from certwright.telemetry.metrics import Metrics

__all__ = ["measure_in_memory"]

SETTLE_SECONDS_MAX = 3600.0


class _Counting(ObjectStore):
    """Counts writes."""

    writes = 0

    async def _write(self, *arguments: object, **more: object) -> Manifest:
        self.writes += 1
        return await super()._write(*arguments, **more)  # type: ignore[arg-type]


def measure_in_memory(count: int, algorithm: str, idle_seconds: float) -> Figures:
    """Settle `count` Certificates, then do nothing for a while."""
    key_seconds = key_cpu_seconds(algorithm)
    return asyncio.run(_measure(count, algorithm, key_seconds, idle_seconds))


async def _measure(count: int, algorithm: str, key_seconds: float, idle_seconds: float) -> Figures:
    store = _Counting()
    runtime = Runtime(store, all_controllers(Options()), _sources, Metrics(clock.now))
    for obj in authority():
        await store.create(obj, manager="bench")
    async with running(runtime):
        await runtime.settle(60)
        begun, cpu, writes = time.perf_counter(), time.process_time(), store.writes
        for obj in certificates(count, algorithm):
            await store.create(obj, manager="bench")
        await runtime.settle(SETTLE_SECONDS_MAX, quiet_seconds=1.0)
        settled = time.perf_counter() - begun - 1.0
        used, written = time.process_time() - cpu, store.writes - writes
        found = (await store.list(Selection(CERTIFICATE))).objects
        assert len(found) == count + 1
        assert all(is_settled(obj) for obj in found), "some are not settled"
        del found
        await asyncio.sleep(10)  # what is still collected and written is no idle time
        cpu = time.process_time()
        await asyncio.sleep(idle_seconds)
        idle = (time.process_time() - cpu) / idle_seconds * 100
    return Figures(
        store="memory, in the same process",
        certificates=count,
        algorithm=algorithm,
        settled_seconds=settled,
        cpu_seconds=used,
        key_cpu_seconds=key_seconds,
        memory_mib=memory_mib_of(os.getpid()),
        idle_cpu_percent=idle,
        per_certificate=written / count,
    )


def _sources() -> Sources:
    return Sources(clock.now(), generate_private_key, lambda: secrets.randbits(128) or 1)
