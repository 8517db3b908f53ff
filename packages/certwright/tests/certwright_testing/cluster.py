"""A real API server with its etcd, for the length of a test session.

The binaries come from the folder that `KUBEBUILDER_ASSETS` names, as in Go's envtest. There is no
kubelet, no scheduler and no controller manager: nothing collects garbage.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from certwright.adapters.kube import Connection, KubeStore
from certwright.errors import AlreadyExistsError, NotFoundError, StoreError
from certwright.resources import crds
from certwright.resources.kinds import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, Manifest

__all__ = ["Cluster", "free_port", "missing_assets"]

ASSETS: Final = "KUBEBUILDER_ASSETS"
START_SECONDS_MAX: Final = 60.0
_TOKEN: Final = "admin-token"


def missing_assets() -> str:
    """Return why there can be no cluster here; empty if there can."""
    folder = os.environ.get(ASSETS, "")
    if not folder:
        return f"{ASSETS} is not set: it names a folder with kube-apiserver and etcd"
    absent = [name for name in ("kube-apiserver", "etcd") if not (Path(folder) / name).exists()]
    return f"{ASSETS}={folder} lacks {' and '.join(absent)}" if absent else ""


_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
_ports = itertools.cycle(
    20_750 + _WORKER * 1_500 + (at + os.getpid() * 97) % 750 for at in range(750)
)


def free_port() -> int:
    """Return a port of the loopback nobody listens on.

    Each test worker has a range of its own below the kernel's ephemeral ports, so that nobody
    takes a port between finding and using it.
    """
    for port in _ports:
        with socket.socket() as listening, contextlib.suppress(OSError):
            listening.bind(("127.0.0.1", port))
            return port
    raise AssertionError


@dataclass(slots=True)
class Cluster:
    """An etcd and an API server; `start` and `stop`, and what a test does to them in between."""

    folder: Path
    arguments: tuple[str, ...] = ()
    """More arguments of the API server."""
    etcd_port: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    _etcd: subprocess.Popen[bytes] | None = None
    _server: subprocess.Popen[bytes] | None = None

    # -------------------------------------------------------------------------- life

    def start(self) -> None:
        """Start both, then define our kinds and the namespaces `one` and `two`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._file("accounts.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        self._file("tokens.csv").write_text(f'{_TOKEN},admin,admin,"system:masters"\n')
        self.start_etcd()
        self.start_server()
        asyncio.run(self._furnish())

    def stop(self) -> None:
        """End both."""
        self.stop_server()
        self.stop_etcd()

    def start_etcd(self) -> None:
        """Start etcd on the data there is."""
        peer = f"http://127.0.0.1:{free_port()}"
        self._etcd = self._run(
            "etcd",
            f"--data-dir={self._file('etcd')}",
            f"--listen-client-urls={self.etcd_url}",
            f"--advertise-client-urls={self.etcd_url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--logger=zap",
        )
        _wait("etcd", self._etcd, lambda: _answers(f"{self.etcd_url}/health"), self.folder)

    def stop_etcd(self) -> None:
        """End etcd; its data stay."""
        _end(self._etcd)
        self._etcd = None

    def start_server(self) -> None:
        """Start the API server on the etcd there is."""
        accounts = self._file("accounts.key")
        self._server = self._run(
            "kube-apiserver",
            f"--etcd-servers={self.etcd_url}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self._file('certificates')}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={accounts}",
            f"--service-account-signing-key-file={accounts}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self._file('tokens.csv')}",
            "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none",
            *self.arguments,
        )
        _wait("kube-apiserver", self._server, self._is_ready, self.folder)

    def stop_server(self, *, at_once: bool = False) -> None:
        """End the API server, with SIGKILL if `at_once`."""
        _end(self._server, at_once=at_once)
        self._server = None

    def pause_server(self) -> None:
        """Stop the API server in its tracks: connections stand, nothing is answered."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def resume_server(self) -> None:
        """Let it go on."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def compact(self) -> None:
        """Let etcd forget its history up to now."""
        key = base64.b64encode(b"/").decode()
        status = self._etcd_ask("/v3/kv/range", {"key": key, "limit": "1"})
        self._etcd_ask("/v3/kv/compaction", {"revision": status["header"]["revision"]})

    # -------------------------------------------------------------------------- use

    @property
    def etcd_url(self) -> str:
        """Where etcd listens."""
        return f"http://127.0.0.1:{self.etcd_port}"

    @property
    def server(self) -> str:
        """Where the API server listens."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_pem(self) -> bytes:
        """The API server's own certificate, which signed itself."""
        return self._file("certificates/apiserver.crt").read_bytes()

    def connection(self) -> Connection:
        """Return the administrator's connection."""
        return Connection(server=self.server, ca_pem=self.ca_pem, token=_TOKEN)

    def kubeconfig(self, token: str = _TOKEN) -> Path:
        """Write a kubeconfig for whoever has `token`, and return its path."""
        path = self._file(f"kubeconfig-{token[:16]}")
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "test",
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                    "clusters": [
                        {
                            "name": "test",
                            "cluster": {
                                "server": self.server,
                                "certificate-authority-data": base64.b64encode(
                                    self.ca_pem
                                ).decode(),
                            },
                        }
                    ],
                    "users": [{"name": "test", "user": {"token": token}}],
                }
            )
        )
        return path

    async def namespace(self, name: str) -> None:
        """Make a namespace if there is none."""
        async with KubeStore(self.connection()) as store:
            await _create_namespace(store, name)

    # -------------------------------------------------------------------------- parts

    def _file(self, name: str) -> Path:
        return self.folder / name

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = self._file(f"{program}.log").open("ab")
        path = Path(os.environ[ASSETS]) / program
        with log:
            return subprocess.Popen(
                [str(path), *arguments],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )

    def _is_ready(self) -> bool:
        if not self._file("certificates/apiserver.crt").exists():
            return False

        async def ask() -> bool:
            async with KubeStore(self.connection()) as store:
                try:
                    # A post-start hook makes the system namespaces; RBAC is ready by then.
                    return await store.get(NAMESPACE.key("", "kube-system")) is not None
                except StoreError:
                    return False

        return asyncio.run(ask())

    def _etcd_ask(self, path: str, question: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            self.etcd_url + path, json.dumps(question).encode(), method="POST"
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    async def _furnish(self) -> None:
        async with KubeStore(self.connection()) as store:
            definitions = crds.load()
            for definition in definitions:
                try:
                    await store.create(definition, manager="kit")
                except AlreadyExistsError:
                    continue
            for name in ("one", "two"):
                await _create_namespace(store, name)
            for definition in definitions:
                await _established(store, definition)


async def _create_namespace(store: KubeStore, name: str) -> None:
    try:
        await store.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, manager="kit"
        )
    except AlreadyExistsError:
        return


async def _established(store: KubeStore, definition: Manifest) -> None:
    """Wait until objects of a new kind are served."""
    spec = definition["spec"]
    path = f"/apis/{spec['group']}/v1/{spec['names']['plural']}"
    for _ in range(200):
        key = CUSTOM_RESOURCE_DEFINITION.key("", definition["metadata"]["name"])
        found = await store.get(key) or {}
        conditions = found.get("status", {}).get("conditions", [])
        if {"type": "Established", "status": "True"}.items() <= {
            (name, value)
            for entry in conditions
            if entry["type"] == "Established"
            for name, value in entry.items()
        }:
            try:
                await store.ask(path)
            except (NotFoundError, StoreError):
                pass
            else:
                return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{path} is not served")


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1):
            return True
    except OSError:
        return False


def _wait(
    name: str, process: subprocess.Popen[bytes], ready: Callable[[], bool], folder: Path
) -> None:
    for _ in range(int(START_SECONDS_MAX / 0.1)):
        if ready():
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    log = (folder / f"{name}.log").read_text(errors="replace")[-3000:]
    _end(process, at_once=True)
    raise AssertionError(f"{name} did not start (exit code {process.poll()}); its log ends:\n{log}")


def _end(process: subprocess.Popen[bytes] | None, *, at_once: bool = False) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGCONT)  # it may be paused
    process.send_signal(signal.SIGKILL if at_once else signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
