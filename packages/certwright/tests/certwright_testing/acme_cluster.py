"""A cluster without nodes for ACME: the loops on a store in memory, a kubelet and an ingress proxy.

Pods of solvers run as processes, `certwright acmesolver` with the arguments the pod has; nginx
stands in front with what Ingresses and HTTPRoutes say, as an ingress controller would.
"""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from certwright import clock
from certwright.adapters.acme.outside import RealWorld
from certwright.engine.runtime import Runtime, RuntimeSettings, running
from certwright.engine.store import Selection
from certwright.pki.keys import generate_private_key
from certwright.reconcile.contract import Sources
from certwright.reconcile.controllers import all_controllers
from certwright.reconcile.options import AcmeOptions, Options
from certwright.resources import meta
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CHALLENGE,
    HTTP_ROUTE,
    INGRESS,
    ISSUER,
    ORDER,
    POD,
    SERVICE,
    Key,
    Kind,
    Manifest,
)
from certwright.telemetry.metrics import Metrics
from certwright_testing.api_server import MemoryStore
from certwright_testing.pebble import Pebble, free_port

__all__ = ["AcmeCluster", "acme_certificate", "acme_issuer", "cluster"]

WAIT_SECONDS_MAX = 45.0


def acme_issuer(pebble: Pebble, *solvers: Any, **acme: Any) -> Manifest:
    """Return an issuer for this CA."""
    spec = {
        "server": pebble.url,
        "caBundle": base64.b64encode(pebble.ca_pem).decode(),
        "privateKeySecretRef": {"name": "account"},
        "solvers": list(solvers or ({"http01": {"ingress": {}}},)),
        **acme,
    }
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": {"name": "acme", "namespace": "one"},
        "spec": {"acme": spec},
    }


def acme_certificate(name: str, *names: str, **spec: Any) -> Manifest:
    """Return a Certificate of that issuer; its key is small, for speed."""
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": name, "namespace": "one"},
        "spec": {
            "secretName": name,
            "dnsNames": list(names),
            "privateKey": {"algorithm": "ECDSA", "size": 256},
            "issuerRef": {"name": "acme"},
            **spec,
        },
    }


@dataclass(slots=True)
class AcmeCluster:
    """A store, and what a test does with it."""

    store: MemoryStore
    runtime: Runtime
    _pods: dict[str, tuple[subprocess.Popen[bytes], int]] = field(default_factory=dict)

    async def apply(self, *objects: Manifest) -> None:
        """Create or replace objects as a user does."""
        for obj in objects:
            present = await self.store.get(meta.key_of(obj))
            if present is None:
                await self.store.create(obj, manager="user")
            else:
                await self.store.update({**present, "spec": obj["spec"]}, manager="user")

    def all(self, kind: Kind) -> list[Manifest]:
        """Return all objects of a kind."""
        return self.store.table.select(Selection(kind))

    async def got(self, key: Key) -> Manifest:
        """Return an object that must be there."""
        found = await self.store.get(key)
        assert found is not None, key
        return found

    async def until(self, is_so: Callable[[], Any], what: str) -> None:
        """Wait until it is so."""
        deadline = clock.monotonic_seconds() + WAIT_SECONDS_MAX
        while not is_so():
            assert clock.monotonic_seconds() < deadline, f"{what}: {self.describe()}"
            await asyncio.sleep(0.05)

    async def until_ready(self, *names: str) -> None:
        """Wait until Certificates are ready and nothing of their Challenges is left."""

        def are_ready() -> bool:
            found = {meta.name(obj): get_condition(obj, "Ready") for obj in self.all(CERTIFICATE)}
            return all((ready := found.get(name)) is not None and ready.is_true for name in names)

        await self.until(are_ready, f"{names} are ready")

    def describe(self) -> str:
        """Return the status of everything."""
        lines = [
            f"{kind.name} {meta.name(obj)} {obj.get('status')}"
            for kind in (ISSUER, CERTIFICATE, CERTIFICATE_REQUEST, ORDER, CHALLENGE)
            for obj in self.all(kind)
        ]
        return "\n".join(line[:1200] for line in lines)

    # ---------------------------------------------------------------------- kubelet and proxy

    async def run_pods(self) -> None:
        """Run the containers of pods, for ever, as a kubelet does."""
        try:
            while True:
                wanted = {meta.uid(pod): pod for pod in self.all(POD)}
                for uid in [uid for uid in self._pods if uid not in wanted]:
                    self._stop(uid)
                for uid, pod in wanted.items():
                    if uid not in self._pods:
                        self._pods[uid] = _run(pod)
                await asyncio.sleep(0.05)
        finally:
            for uid in list(self._pods):
                self._stop(uid)

    def _stop(self, uid: str) -> None:
        process, _ = self._pods.pop(uid)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def upstream(self, namespace: str, service: str) -> int:
        """Return the port of a pod that a Service selects; 0 if none runs."""
        found = next(
            (
                obj
                for obj in self.all(SERVICE)
                if (meta.namespace(obj), meta.name(obj)) == (namespace, service)
            ),
            None,
        )
        selector = {} if found is None else found["spec"]["selector"]
        for pod in self.all(POD):
            running_pod = self._pods.get(meta.uid(pod))
            if running_pod and selector and selector.items() <= meta.labels(pod).items():
                return running_pod[1]
        return 0

    def routes(self) -> dict[tuple[str, str], int]:
        """Return the port by host and path, as Ingresses and HTTPRoutes say."""
        found: dict[tuple[str, str], int] = {}
        for ingress in self.all(INGRESS):
            for rule in ingress["spec"].get("rules") or ():
                for path in (rule.get("http") or {}).get("paths") or ():
                    service = path["backend"]["service"]["name"]
                    port = self.upstream(meta.namespace(ingress), service)
                    found[(rule.get("host") or "_", path["path"])] = port
        for route in self.all(HTTP_ROUTE):
            for rule in route["spec"]["rules"]:
                service = rule["backendRefs"][0]["name"]
                port = self.upstream(meta.namespace(route), service)
                path = rule["matches"][0]["path"]["value"]
                found[(route["spec"]["hostnames"][0], path)] = port
        return {where: port for where, port in found.items() if port}


def _run(pod: Manifest) -> tuple[subprocess.Popen[bytes], int]:
    (container,) = pod["spec"]["containers"]
    port = free_port()
    arguments = [
        f"--listen-port={port}" if argument.startswith("--listen-port") else argument
        for argument in container["args"]
    ]
    # An image of cert-manager's runs its solver by itself; ours is told to.
    program = container.get("command", ["certwright", "acmesolver"])
    process = subprocess.Popen(
        [sys.executable, "-m", *program, *arguments],
        stderr=subprocess.DEVNULL,
        env=dict(os.environ),
    )
    return process, port


async def _run_nginx(served: AcmeCluster, folder: Path, port: int) -> None:
    """Keep nginx in step with the routes, for ever."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    configuration = folder / "nginx.conf"
    shown: dict[tuple[str, str], int] | None = None
    process: subprocess.Popen[bytes] | None = None
    try:
        while True:
            routes = served.routes()
            if routes != shown:
                shown = routes
                configuration.write_text(_nginx_conf(folder, port, routes))
                if process is None:
                    process = _start_nginx(configuration)
                else:
                    process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.1)
    finally:
        if process is not None:
            process.terminate()
            process.wait(10)


def _start_nginx(configuration: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["nginx", "-c", str(configuration)])


def _nginx_conf(folder: Path, port: int, routes: dict[tuple[str, str], int]) -> str:
    servers: dict[str, str] = {}
    for (host, path), upstream in routes.items():
        location = f"location = {path} {{ proxy_set_header Host $http_host; "
        location += f"proxy_pass http://127.0.0.1:{upstream}; }}\n"
        servers[host] = servers.get(host, "") + location
    blocks = "".join(
        f"server {{ listen 127.0.0.1:{port}; server_name {host}; {locations} }}\n"
        for host, locations in servers.items()
    )
    temporary = " ".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off; user root;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\n"
        f"server {{ listen 127.0.0.1:{port} default_server; return 503; }}\n{blocks} }}\n"
    )


@asynccontextmanager
async def cluster(
    pebble: Pebble,
    *,
    acme: AcmeOptions | None = None,
    options: Options | None = None,
    webhook: Any = None,
    nginx: Path | None = None,
    store: MemoryStore | None = None,
    workers: int = 5,
) -> AsyncIterator[AcmeCluster]:
    """Run the loops; with a folder for nginx also pods and a proxy at the CA's HTTP port."""
    found = acme or AcmeOptions()
    found = replace(
        found,
        http01_nameservers=(f"127.0.0.1:{pebble.dns_port}",),
        http01_port=pebble.http_port,
        check_seconds=0.5,
    )
    store = store or MemoryStore(now=clock.now)
    decisions = replace(options or Options(cluster_resource_namespace="system"), acme=found)
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(RealWorld(webhook=webhook))
        runtime = Runtime(
            store,
            all_controllers(decisions),
            lambda: Sources(clock.now(), generate_private_key, lambda: 1),
            Metrics(clock.now),
            RuntimeSettings(workers=workers, all_secrets=True),
            world,
        )
        served = AcmeCluster(store, runtime)
        await stack.enter_async_context(running(runtime))
        if nginx is not None:
            for task in (
                asyncio.create_task(served.run_pods()),
                asyncio.create_task(_run_nginx(served, nginx, pebble.http_port)),
            ):
                stack.push_async_callback(_cancelled, task)
        yield served


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
