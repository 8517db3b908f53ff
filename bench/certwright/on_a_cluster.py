"""`certwright controller` as a process of its own, on a real API server."""

from __future__ import annotations

import asyncio
import importlib
import re
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench.certwright.figures import Figures, cpu_seconds_of, key_cpu_seconds, memory_mib_of
from bench.certwright.objects import NAMESPACE, authority, certificates, is_settled
from certwright.adapters.kube import KubeStore
from certwright.engine.store import Selection
from certwright.resources.kinds import CERTIFICATE
from certwright.resources.kinds import NAMESPACE as NAMESPACE_KIND

__all__ = ["measure_on_a_cluster"]

POLL_SECONDS = 2.0
CREATES_AT_ONCE = 20


def measure_on_a_cluster(count: int, algorithm: str, idle_seconds: float) -> Figures:
    """Settle `count` Certificates, then do nothing for a while.

    Needs KUBEBUILDER_ASSETS. The API server shares the machine, and takes its part of it.
    """
    sys.path.insert(0, "packages/certwright/tests")
    testing: Any = importlib.import_module("certwright_testing.cluster")
    process: Any = importlib.import_module("certwright_testing.process")
    if missing := testing.missing_assets():
        raise SystemExit(missing)
    key_seconds = key_cpu_seconds(algorithm)
    with tempfile.TemporaryDirectory(prefix="certwright-bench-") as folder:
        cluster = testing.Cluster(Path(folder))
        try:
            cluster.start()
            port = testing.free_port()
            asyncio.run(_create(cluster, [_namespace(), *authority()]))
            with process.Program.running(
                Path(folder) / "controller.log",
                "controller",
                f"--kubeconfig={cluster.kubeconfig()}",
                "--kube-api-qps=5000",
                "--kube-api-burst=5000",
                "--leader-elect=false",
                f"--metrics-listen-address=127.0.0.1:{port}",
                f"--internal-healthz-listen-address=127.0.0.1:{testing.free_port()}",
            ) as program:
                pid = program.pid
                asyncio.run(_until_settled(cluster, 1))
                begun, cpu = time.perf_counter(), cpu_seconds_of(pid)
                asyncio.run(_create(cluster, list(certificates(count, algorithm))))
                asyncio.run(_until_settled(cluster, count + 1))
                settled = time.perf_counter() - begun
                used = cpu_seconds_of(pid) - cpu
                time.sleep(10)
                cpu = cpu_seconds_of(pid)
                time.sleep(idle_seconds)
                idle = (cpu_seconds_of(pid) - cpu) / idle_seconds * 100
                return Figures(
                    store="kube-apiserver and etcd, same machine",
                    certificates=count,
                    algorithm=algorithm,
                    settled_seconds=settled,
                    cpu_seconds=used,
                    key_cpu_seconds=key_seconds,
                    memory_mib=memory_mib_of(pid),
                    idle_cpu_percent=idle,
                    per_certificate=_passes(port) / count,
                )
        finally:
            cluster.stop()


def _namespace() -> dict[str, Any]:
    return {
        "apiVersion": NAMESPACE_KIND.api_version,
        "kind": NAMESPACE_KIND.name,
        "metadata": {"name": NAMESPACE},
    }


async def _create(cluster: Any, objects: list[dict[str, Any]]) -> None:
    gate = asyncio.Semaphore(CREATES_AT_ONCE)
    async with KubeStore(cluster.connection()) as store:

        async def create(obj: dict[str, Any]) -> None:
            async with gate:
                await store.create(obj, manager="bench")

        await create(objects[0])
        await asyncio.gather(*(create(obj) for obj in objects[1:]))


async def _until_settled(cluster: Any, count: int) -> None:
    async with KubeStore(cluster.connection()) as store:
        while True:
            found = (await store.list(Selection(CERTIFICATE, NAMESPACE))).objects
            if sum(map(is_settled, found)) == count:
                return
            await asyncio.sleep(POLL_SECONDS)


def _passes(port: int) -> float:
    """Return how many passes all loops made."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    counts = re.findall(r"^certmanager_controller_sync_call_count{[^}]*} (\d+)", text, re.MULTILINE)
    return float(sum(map(int, counts)))
