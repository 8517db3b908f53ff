"""`certwright cainjector` before a real API server: four kinds of targets, rotation, one leader."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certwright.adapters.kube import KubeStore
from certwright.engine.store import Selection
from certwright.errors import NotFoundError
from certwright.reconcile.webhook_authority import new_authority
from certwright.resources import known
from certwright.resources.kinds import (
    API_SERVICE,
    CERTIFICATE,
    CUSTOM_RESOURCE_DEFINITION,
    EVENT,
    LEASE,
    MUTATING_WEBHOOK_CONFIGURATION,
    SECRET,
    VALIDATING_WEBHOOK_CONFIGURATION,
    Kind,
    Manifest,
)
from certwright_testing.cluster import Cluster
from certwright_testing.objects import certificate, secret
from certwright_testing.pki import NOW, make_key
from certwright_testing.process import Program, eventually

pytestmark = pytest.mark.cluster

LEASE_KEY = LEASE.key("kube-system", "cert-manager-cainjector-leader-election")
DIRECT = {known.ALLOW_DIRECT_INJECTION: "true"}
NAME = "injected.example.com"


def authority(serial: int) -> bytes:
    """Return a CA, PEM; the API server looks into bundles."""
    key = SECRET.key("one", "unused")
    made = new_authority(key, None, make_key("authority", "ECDSA", 384), NOW, serial)
    return base64.b64decode(made["data"]["ca.crt"])


CAS = [authority(serial) for serial in range(1, 4)]


def encoded(pem: bytes) -> str:
    """Return a bundle as it stands in a target."""
    return base64.b64encode(pem).decode()


def target(kind: Kind, name: str, **annotations: str) -> Manifest:
    """Return a target that the API server takes and never asks."""
    config = {"service": {"name": "nobody", "namespace": "one", "path": "/x"}}
    webhook = {
        "clientConfig": config,
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "rules": [
            {
                "apiGroups": ["nobody.example.com"],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["things"],
            }
        ],
    }
    schema = {"openAPIV3Schema": {"type": "object"}}
    bodies: dict[Kind, Manifest] = {
        API_SERVICE: {
            "spec": {
                "group": "injected.example.com",
                "version": "v1",
                "service": {"name": "nobody", "namespace": "one"},
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
            }
        },
        CUSTOM_RESOURCE_DEFINITION: {
            "spec": {
                "group": "example.com",
                "scope": "Namespaced",
                "names": {"kind": "Injected", "plural": "injected", "singular": "injected"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {"clientConfig": config, "conversionReviewVersions": ["v1"]},
                },
            }
        },
    }
    webhooks = {
        "webhooks": [webhook | {"name": "a.example.com"}, webhook | {"name": "b.example.com"}]
    }
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {
            "name": name,
            "annotations": {
                f"cert-manager.io/{key.replace('_', '-')}": text
                for key, text in annotations.items()
            },
        },
        **bodies.get(kind, webhooks),
    }


NAMES: dict[Kind, str] = {
    MUTATING_WEBHOOK_CONFIGURATION: NAME,
    VALIDATING_WEBHOOK_CONFIGURATION: NAME,
    API_SERVICE: "v1.injected.example.com",
    CUSTOM_RESOURCE_DEFINITION: "injected.example.com",
}


def bundles(obj: Manifest) -> set[str]:
    """Return all bundles of a target; an absent one is empty."""
    found: list[Any]
    if "webhooks" in obj:
        found = [webhook["clientConfig"] for webhook in obj["webhooks"]]
    elif obj["kind"] == API_SERVICE.name:
        found = [obj["spec"]]
    else:
        found = [obj["spec"]["conversion"]["webhook"]["clientConfig"]]
    return {config.get("caBundle", "") for config in found}


class Editor:
    """Writes and reads objects, each time on a connection of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._made: list[tuple[Kind, str, str]] = []

    def create(self, kind: Kind, obj: Manifest) -> None:
        """Create an object; it goes at the end of the test."""
        metadata = obj["metadata"]
        self._made.append((kind, metadata.get("namespace", ""), metadata["name"]))
        asyncio.run(self._create(obj))

    def set_ca(self, name: str, pem: bytes) -> None:
        """Replace `ca.crt` of a Secret in namespace one."""
        asyncio.run(self._set_ca(name, pem))

    def get(self, kind: Kind, name: str, namespace: str = "") -> Manifest | None:
        """Return an object."""
        return asyncio.run(self._get(kind, name, namespace))

    def bundles(self, kind: Kind) -> set[str]:
        """Return the bundles of the target of a kind."""
        found = self.get(kind, NAMES[kind])
        assert found is not None
        return bundles(found)

    def events(self, name: str) -> list[Manifest]:
        """Return the events about an object."""
        return [
            event
            for event in asyncio.run(self._events())
            if event["involvedObject"]["name"] == name
        ]

    def clear(self) -> None:
        """Delete what was created."""
        asyncio.run(self._clear())

    async def _create(self, obj: Manifest) -> None:
        async with KubeStore(self._cluster.connection()) as store:
            await store.create(obj, manager="test")

    async def _get(self, kind: Kind, name: str, namespace: str) -> Manifest | None:
        async with KubeStore(self._cluster.connection()) as store:
            return await store.get(kind.key(namespace, name))

    async def _set_ca(self, name: str, pem: bytes) -> None:
        async with KubeStore(self._cluster.connection()) as store:
            found = await store.get(SECRET.key("one", name))
            assert found is not None
            found["data"]["ca.crt"] = encoded(pem)
            await store.update(found, manager="test")

    async def _events(self) -> list[Manifest]:
        async with KubeStore(self._cluster.connection()) as store:
            return (await store.list(Selection(EVENT))).objects

    async def _clear(self) -> None:
        async with KubeStore(self._cluster.connection()) as store:
            for kind, namespace, name in self._made:
                try:
                    await store.delete(kind.key(namespace, name))
                except NotFoundError:
                    continue


@pytest.fixture
def editor(cluster: Cluster) -> Iterator[Editor]:
    """Give an editor, and clear up behind it."""
    editing = Editor(cluster)
    yield editing
    editing.clear()


def arguments(cluster: Cluster, *more: str) -> tuple[str, ...]:
    """Return the command line."""
    return ("cainjector", f"--kubeconfig={cluster.kubeconfig()}", "--v=4", *more)


@pytest.mark.slow
def test_four_kinds_from_three_sources_and_a_rotation(
    cluster: Cluster, editor: Editor, tmp_path: Path
) -> None:
    """Targets that are there before the sources, and sources that change."""
    for kind, asked in (
        (MUTATING_WEBHOOK_CONFIGURATION, {"inject_ca_from_secret": "one/direct"}),
        (VALIDATING_WEBHOOK_CONFIGURATION, {"inject_ca_from": "one/web"}),
        (API_SERVICE, {"inject_apiserver_ca": "true"}),
        (
            CUSTOM_RESOURCE_DEFINITION,
            {"inject_ca_from_secret": "one/direct", "inject_ca_from": "one/web"},
        ),
    ):
        editor.create(kind, target(kind, NAMES[kind], **asked))
    log = tmp_path / "cainjector.log"
    with Program.running(log, *arguments(cluster)) as program:
        program.until(lambda: editor.bundles(API_SERVICE) == {encoded(cluster.ca_pem)})
        assert editor.bundles(MUTATING_WEBHOOK_CONFIGURATION) == {""}

        editor.create(SECRET, secret("direct", "one", {"ca.crt": CAS[0]}, annotations=DIRECT))
        editor.create(CERTIFICATE, certificate("web", "one"))
        owner = {known.CERTIFICATE_NAME: "web"}
        labels = {known.CONTROLLER_FAO: "true"}
        editor.create(
            SECRET, secret("tls", "one", {"ca.crt": CAS[1]}, annotations=owner, labels=labels)
        )
        expected = {
            MUTATING_WEBHOOK_CONFIGURATION: {encoded(CAS[0])},
            VALIDATING_WEBHOOK_CONFIGURATION: {encoded(CAS[1])},
            API_SERVICE: {encoded(cluster.ca_pem)},
            CUSTOM_RESOURCE_DEFINITION: {encoded(CAS[0])},
        }
        program.until(lambda: {kind: editor.bundles(kind) for kind in NAMES} == expected)

        editor.set_ca("direct", CAS[2])
        editor.set_ca("tls", CAS[0])
        expected[MUTATING_WEBHOOK_CONFIGURATION] = {encoded(CAS[2])}
        expected[CUSTOM_RESOURCE_DEFINITION] = {encoded(CAS[2])}
        expected[VALIDATING_WEBHOOK_CONFIGURATION] = {encoded(CAS[0])}
        program.until(lambda: {kind: editor.bundles(kind) for kind in NAMES} == expected)

        written = editor.get(MUTATING_WEBHOOK_CONFIGURATION, NAME)
        assert written is not None
        managers = {entry["manager"] for entry in written["metadata"]["managedFields"]}
        assert managers == {"test", "cert-manager-cainjector"}
        assert [webhook["name"] for webhook in written["webhooks"]] == [
            "a.example.com",
            "b.example.com",
        ]
        assert program.stop() == 0


def test_a_refused_source_is_an_event_and_changes_nothing(
    cluster: Cluster, editor: Editor, tmp_path: Path
) -> None:
    """The event says what to do; doing it is enough. Server-side apply writes the bundles only."""
    kind = VALIDATING_WEBHOOK_CONFIGURATION
    editor.create(kind, target(kind, NAME, inject_ca_from_secret="one/shy"))
    editor.create(SECRET, secret("shy", "one", {"ca.crt": CAS[0]}))
    more = ("--feature-gates=ServerSideApply=true", "--namespace=one", "--leader-elect=false")
    with Program.running(tmp_path / "cainjector.log", *arguments(cluster, *more)) as program:
        program.until(lambda: bool(editor.events(NAME)))
        (event,) = editor.events(NAME)
        assert event["type"] == "Warning"
        assert event["reason"] == "CAInjectionRefused"
        assert event["message"] == (
            "No CA injected: Secret one/shy lacks the annotation"
            ' cert-manager.io/allow-direct-injection: "true"'
        )
        assert editor.bundles(kind) == {""}

        async def allow() -> None:
            async with KubeStore(cluster.connection()) as store:
                found = await store.get(SECRET.key("one", "shy"))
                assert found is not None
                found["metadata"]["annotations"] = DIRECT
                await store.update(found, manager="test")

        asyncio.run(allow())
        program.until(lambda: editor.bundles(kind) == {encoded(CAS[0])})
        written = editor.get(kind, NAME)
        assert written is not None
        (owned,) = [
            entry["fieldsV1"]
            for entry in written["metadata"]["managedFields"]
            if entry["manager"] == "cert-manager-cainjector"
        ]
        assert "f:caBundle" in json.dumps(owned)
        assert "f:service" not in json.dumps(owned)


@pytest.mark.slow
def test_one_of_two_works_and_the_other_takes_over(
    cluster: Cluster, editor: Editor, tmp_path: Path
) -> None:
    """A leader that is told to stop gives the lease back; the next one takes it at once."""
    kind = MUTATING_WEBHOOK_CONFIGURATION

    def holder() -> str:
        lease = editor.get(LEASE, LEASE_KEY.name, LEASE_KEY.namespace)
        return str(lease["spec"].get("holderIdentity", "")) if lease else ""

    quick = (
        "--leader-election-lease-duration=20s",
        "--leader-election-renew-deadline=10s",
        "--leader-election-retry-period=500ms",
    )
    with Program.running(tmp_path / "first.log", *arguments(cluster, *quick)) as first:
        first.until(lambda: bool(holder()))
        one = holder()
        with Program.running(tmp_path / "second.log", *arguments(cluster, *quick)) as second:
            second.until(lambda: "attempting to acquire" in second.output)
            assert holder() == one
            assert first.stop() == 0
            eventually(lambda: holder() not in {"", one}, seconds_max=10)

            editor.create(kind, target(kind, NAME, inject_apiserver_ca="true"))
            second.until(lambda: editor.bundles(kind) == {encoded(cluster.ca_pem)})
