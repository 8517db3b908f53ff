"""A test's hands in a real cluster: installs permissions, makes objects, waits for conditions."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from certwright.adapters.kube import KubeStore
from certwright.engine.store import Selection, Store
from certwright.errors import AlreadyExistsError
from certwright.resources.installation import InstallationSettings, rbac
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    EVENT,
    ISSUER,
    KINDS,
    Key,
    Kind,
    Manifest,
)
from certwright_testing.cluster import Cluster

__all__ = [
    "Hands",
    "ca_issuer",
    "certificate_authority",
    "certificate_for",
    "condition",
    "contents",
    "self_signed_issuer",
    "verify_with_openssl",
]

T = TypeVar("T")
_RBAC: Final = "rbac.authorization.k8s.io"
_MORE_KINDS: Final = (
    Kind(_RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False),
    Kind(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    Kind(_RBAC, "v1", "Role", "roles"),
    Kind(_RBAC, "v1", "RoleBinding", "rolebindings"),
    Kind("", "v1", "ServiceAccount", "serviceaccounts"),
)
ACCOUNT: Final = "system:serviceaccount:cert-manager:cert-manager"
"""Who the controller is in a cluster."""


class Hands:
    """What a test does in a cluster, as its administrator."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def do(self, work: Callable[[Store], Awaitable[T]]) -> T:
        """Do something with the store, in a loop of its own."""

        async def run() -> T:
            async with KubeStore(self.cluster.connection(), kinds=(*KINDS, *_MORE_KINDS)) as store:
                return await work(store)

        return asyncio.run(run())

    def install(self) -> Path:
        """Make what the controller's account may do, and return a kubeconfig as that account."""
        settings = InstallationSettings()
        names = {(kind.api_version, kind.name) for kind in _MORE_KINDS}
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "cert-manager", "namespace": settings.namespace},
        }
        namespace = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": settings.namespace},
        }
        wanted = [obj for obj in rbac(settings) if (obj["apiVersion"], obj["kind"]) in names]
        self.make([namespace, account, *wanted])
        path = self.cluster.kubeconfig()
        document = yaml.safe_load(path.read_text())
        document["users"][0]["user"]["as"] = ACCOUNT
        document["users"][0]["user"]["as-groups"] = [
            "system:serviceaccounts",
            "system:authenticated",
        ]
        mine = path.with_name("kubeconfig-controller")
        mine.write_text(yaml.safe_dump(document))
        return mine

    def make(self, objects: Iterable[Manifest]) -> None:
        """Create objects that are not there."""

        async def work(store: Store) -> None:
            for obj in objects:
                try:
                    await store.create(obj, manager="test")
                except AlreadyExistsError:
                    continue

        self.do(work)

    def get(self, key: Key) -> Manifest:
        """Return an object; empty if there is none."""

        async def work(store: Store) -> Manifest:
            return await store.get(key) or {}

        return self.do(work)

    def all(self, kind: Kind, namespace: str) -> list[Manifest]:
        """Return all objects of a kind in a namespace."""

        async def work(store: Store) -> list[Manifest]:
            return (await store.list(Selection(kind, namespace))).objects

        return self.do(work)

    def change(self, key: Key, change: Callable[[Manifest], None], *, status: bool = False) -> None:
        """Change an object in place and write it, until there is no conflict."""

        async def work(store: Store) -> None:
            for _ in range(20):
                obj = await store.get(key)
                assert obj is not None, key
                change(obj)
                write = store.update_status if status else store.update
                try:
                    await write(obj, manager="test")
                except Exception as error:
                    if "the object has been modified" not in str(error):
                        raise
                    continue
                return

        self.do(work)

    def until(self, holds: Callable[[], Any], seconds_max: float = 30.0, *, what: str = "") -> None:
        """Wait until something holds; fail with all that may say why not."""
        deadline = time.monotonic() + seconds_max  # noqa: TID251 - a test waits for a process
        while not holds():
            if time.monotonic() > deadline:  # noqa: TID251
                raise AssertionError(f"{what or 'it'} does not hold after {seconds_max} s")
            time.sleep(0.1)

    def events(self, namespace: str) -> list[tuple[str, str]]:
        """Return reason and message of all events."""
        return [(e["reason"], e["message"]) for e in self.all(EVENT, namespace)]

    def ready(self, namespace: str, *names: str) -> bool:
        """Tell whether these Certificates are ready and nothing is being issued."""
        found = {obj["metadata"]["name"]: obj for obj in self.all(CERTIFICATE, namespace)}
        return all(
            condition(found.get(name, {}), "Ready").get("status") == "True"
            and condition(found[name], "Issuing").get("status") != "True"
            for name in names
        )

    def revisions(self, namespace: str) -> dict[str, list[str]]:
        """Return the revisions of each Certificate's requests."""
        found: dict[str, list[str]] = {}
        for request in self.all(CERTIFICATE_REQUEST, namespace):
            notes = request["metadata"]["annotations"]
            name = notes["cert-manager.io/certificate-name"]
            found.setdefault(name, []).append(notes["cert-manager.io/certificate-revision"])
        return {name: sorted(revisions) for name, revisions in found.items()}


def condition(obj: Manifest, kind: str) -> dict[str, str]:
    """Return a condition of an object; empty if there is none."""
    for entry in (obj.get("status") or {}).get("conditions", []):
        if entry["type"] == kind:
            found: dict[str, str] = entry
            return found
    return {}


def contents(secret: Manifest) -> dict[str, bytes]:
    """Return a Secret's contents."""
    return {name: base64.b64decode(text) for name, text in secret.get("data", {}).items()}


def self_signed_issuer(namespace: str, name: str = "self") -> Manifest:
    """Return an Issuer that signs each certificate with its own key."""
    return {
        "apiVersion": ISSUER.api_version,
        "kind": "Issuer",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selfSigned": {}},
    }


def ca_issuer(namespace: str, name: str = "ca") -> Manifest:
    """Return an Issuer that signs with a CA's key."""
    return {
        "apiVersion": ISSUER.api_version,
        "kind": "Issuer",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ca": {"secretName": name}},
    }


def certificate_for(name: str, namespace: str, issuer: str = "ca", **spec: Any) -> Manifest:
    """Return a Certificate with a small key whose Secret has its name."""
    return {
        "apiVersion": CERTIFICATE.api_version,
        "kind": "Certificate",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "secretName": name,
            "issuerRef": {"name": issuer},
            "privateKey": {"algorithm": "ECDSA"},
            **({} if "isCA" in spec else {"dnsNames": [f"{name}.example"]}),
            **spec,
        },
    }


def certificate_authority(namespace: str, name: str = "ca") -> list[Manifest]:
    """Return a self-signed CA and the Issuer that uses it."""
    return [
        self_signed_issuer(namespace),
        certificate_for(name, namespace, "self", isCA=True, commonName="Test CA"),
        ca_issuer(namespace, name),
    ]


def verify_with_openssl(files: dict[str, bytes], folder: Path) -> None:
    """Let openssl verify tls.crt against ca.crt, and that tls.key is its key."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    run = ["openssl", "verify", "-CAfile", "ca.crt", "-untrusted", "tls.crt", "tls.crt"]
    verified = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    keys = [
        subprocess.run(
            ["openssl", *command, "-pubout" if command[0] == "pkey" else "-noout"],
            cwd=folder,
            capture_output=True,
            check=True,
        ).stdout
        for command in (["pkey", "-in", "tls.key"], ["x509", "-in", "tls.crt", "-pubkey"])
    ]
    assert keys[0] == keys[1]
