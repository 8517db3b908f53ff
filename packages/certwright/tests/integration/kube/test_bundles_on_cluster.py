"""Bundles on a real API server, as its CRD lets them be; the truststore as Java reads it.

A CA's Secret is replaced while TLS goes on.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import shutil
import ssl
import subprocess
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from certwright import clock
from certwright.adapters.kube import KubeStore
from certwright.engine.runtime import Runtime, running
from certwright.engine.store import Selection
from certwright.errors import RefusedError
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.pki.keys import encode_private_key, generate_private_key
from certwright.pki.template import ca_template, sign_template
from certwright.reconcile.contract import Sources
from certwright.reconcile.controllers import all_controllers
from certwright.reconcile.options import Options, TrustOptions
from certwright.resources import crds, known, meta
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import (
    BUNDLE,
    CERTIFICATE_REQUEST,
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    NAMESPACE,
    SECRET,
    Key,
    Manifest,
)
from certwright.resources.secret import Secret
from certwright.telemetry.metrics import Metrics
from certwright_testing.cluster import Cluster
from certwright_testing.objects import certificate, issuer, secret
from certwright_testing.tls import contexts, shake_hands

pytestmark = pytest.mark.cluster
SPACE, OTHER = "trust-sources", "trust-other"


async def _installed(store: KubeStore) -> None:
    """Install the CRD, and wait until it is served."""
    definition = crds.load(bundles=True)[-1]
    assert meta.key_of(definition).kind == CUSTOM_RESOURCE_DEFINITION
    await store.apply(definition, manager="test")
    async with asyncio.timeout(30):
        while True:
            try:
                await store.list(Selection(BUNDLE))
            except Exception:  # noqa: BLE001 - not served yet, in whatever words
                await asyncio.sleep(0.2)
            else:
                return


async def _wait_for(store: KubeStore, key: Key, entry: str) -> Manifest:
    async with asyncio.timeout(40):
        while True:
            found = await store.get(key)
            if found is not None and entry in {
                **found.get("data", {}),
                **found.get("binaryData", {}),
            }:
                return found
            await asyncio.sleep(0.1)


def _bundle(name: str = "company", source: str = "root", **target: Manifest) -> Manifest:
    return {
        "apiVersion": BUNDLE.api_version,
        "kind": BUNDLE.name,
        "metadata": {"name": name},
        "spec": {"sources": [{"secret": {"name": source, "key": "ca.crt"}}], "target": target},
    }


def _runtime(store: KubeStore) -> Runtime:
    return Runtime(
        store,
        all_controllers(Options(trust=TrustOptions(enabled=True, namespace=SPACE))),
        lambda: Sources(clock.now(), generate_private_key, lambda: secrets.randbits(127) + 1),
        Metrics(clock.now),
    )


async def test_a_root_reaches_a_namespace_as_pem_and_for_java(
    cluster: Cluster, tmp_path: Path
) -> None:
    """From a Certificate's Secret to a ConfigMap elsewhere; defaults of passwords by the CRD."""
    for name in (SPACE, OTHER):
        await cluster.namespace(name)
    async with KubeStore(cluster.connection()) as store:
        await _installed(store)
        with pytest.raises(RefusedError):
            await store.create({**_bundle(), "spec": {"sources": []}}, manager="test")
        root = {"secretName": "root", "isCA": True, "commonName": "r", "issuerRef": {"name": "ca"}}
        ecdsa = {"privateKey": {"algorithm": "ECDSA"}}
        async with running(_runtime(store)):
            await store.create(issuer(namespace=SPACE), manager="test")
            await store.create(certificate("root", SPACE, spec=root | ecdsa), manager="test")
            wanted = _bundle(
                configMap={"key": "ca.pem"},
                additionalFormats={"jks": {"key": "t.jks"}, "pkcs12": {"key": "t.p12"}},
                namespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": OTHER}},
            )
            made = await store.create(wanted, manager="test")
            assert made["spec"]["target"]["additionalFormats"]["jks"]["password"] == "changeit"
            target = await _wait_for(store, CONFIG_MAP.key(OTHER, "company"), "t.p12")
            source = await store.get(SECRET.key(SPACE, "root"))
            assert source is not None
            assert target["data"]["ca.pem"] == base64.b64decode(source["data"]["ca.crt"]).decode()
            assert await store.get(CONFIG_MAP.key(SPACE, "company")) is None
            async with asyncio.timeout(20):
                while True:
                    told = await store.get(BUNDLE.key("", "company"))
                    synced = None if told is None else get_condition(told, "Synced")
                    if synced is not None and synced.is_true:
                        break
                    await asyncio.sleep(0.1)
            await store.delete(BUNDLE.key("", "company"))
        assert await store.get(NAMESPACE.key("", OTHER)) is not None
    if shutil.which("keytool") is None:
        pytest.skip("keytool is not installed: the stores were made, Java did not read them")
    for name, password in (("t.jks", ["-storepass", "changeit"]), ("t.p12", ["-storepass", ""])):
        path = tmp_path / name
        path.write_bytes(base64.b64decode(target["binaryData"][name]))
        listed = await asyncio.to_thread(
            subprocess.run,
            ["keytool", "-list", "-keystore", str(path), *password],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "trustedCertEntry" in listed.stdout, listed.stdout + listed.stderr


LEAD_SECONDS = 3
READ_SECONDS = 1.0
"""How old what a program has read may be."""


def _new_ca() -> tuple[DecodedCertificate, Manifest]:
    """Return a CA of another key and the same name, and the Secret that brings it."""
    key = generate_private_key("ECDSA", 256)
    template = ca_template("company", key.public_key(), now=clock.now(), serial=1)
    made = sign_template(template, key)
    data = {"tls.crt": made.pem, "ca.crt": made.pem, "tls.key": encode_private_key(key, "PKCS8")}
    return made, secret("company", SPACE, data=data)


async def _put(store: KubeStore, obj: Manifest) -> None:
    """Create or replace, as `kubectl apply` does."""
    await store.apply(obj, manager="kubectl")


@dataclass(slots=True)
class _Traffic:
    """Handshakes of programs that read the leaf's Secret and the Bundle up to a second ago."""

    store: KubeStore
    folder: Path
    last: set[DecodedCertificate]
    good: int = 0
    failures: list[str] = field(default_factory=list)
    bundles: list[set[DecodedCertificate]] = field(default_factory=list)
    """What the Bundle held, each change once."""

    async def run(self) -> None:
        """Shake hands until the Bundle holds what it is to hold in the end."""
        read: deque[tuple[float, tuple[ssl.SSLContext, ssl.SSLContext]]] = deque()
        last = b""
        shown: tuple[ssl.SSLContext, ssl.SSLContext] | None = None
        for number in count():
            leaf = await self.store.get(SECRET.key(SPACE, "web"))
            bundle = await self.store.get(CONFIG_MAP.key(OTHER, "roots"))
            assert leaf is not None
            assert bundle is not None
            files = dict(Secret(leaf).data) | {"ca.crt": bundle["data"]["ca.pem"].encode()}
            trusted = set(decode_certificates(files["ca.crt"]))
            if not self.bundles or self.bundles[-1] != trusted:
                self.bundles.append(trusted)
            if shown is None or files["tls.crt"] + files["ca.crt"] != last:
                last = files["tls.crt"] + files["ca.crt"]
                folder = self.folder / str(number)
                folder.mkdir()
                for name in ("tls.crt", "tls.key", "ca.crt"):
                    (folder / name).write_bytes(files[name])
                shown = contexts(folder)
            now = clock.monotonic_seconds()
            read.append((now, shown))
            while len(read) > 1 and read[1][0] < now - READ_SECONDS:
                read.popleft()
            for server in (read[0][1], shown):
                for client in (read[0][1], shown):
                    try:
                        shake_hands(server[0], client[1], "a.example")
                        self.good += 1
                    except ssl.SSLError as error:
                        self.failures.append(f"{error} at {now}: {len(trusted)} trusted")
            if trusted == self.last:
                return
            await asyncio.sleep(0.05)


async def test_a_ca_secret_is_replaced_and_no_handshake_fails(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The Bundle of a leaf's `ca.crt` holds both, the leaf is issued anew, the old one goes."""
    for name in (SPACE, OTHER):
        await cluster.namespace(name)
    (old, first), (new, second) = _new_ca(), _new_ca()
    notes = {known.CA_ROTATION: f"{LEAD_SECONDS}s"}
    leaf = {
        "secretName": "web",
        "dnsNames": ["a.example"],
        "issuerRef": {"name": "company"},
        "privateKey": {"algorithm": "ECDSA", "rotationPolicy": "Always"},
        "usages": ["digital signature", "server auth", "client auth"],
    }
    async with KubeStore(cluster.connection()) as store:
        await _installed(store)
        by_ca = {
            **issuer("company", SPACE, annotations=notes),
            "spec": {"ca": {"secretName": "company"}},
        }
        for obj in (first, by_ca, certificate("web", SPACE, spec=leaf)):
            await _put(store, obj)
        selector = {"matchLabels": {"kubernetes.io/metadata.name": OTHER}}
        await _put(
            store,
            _bundle("roots", "web", configMap={"key": "ca.pem"}, namespaceSelector=selector),
        )
        traffic = _Traffic(store, tmp_path, {new})
        async with running(_runtime(store)):
            await _wait_for(store, CONFIG_MAP.key(OTHER, "roots"), "ca.pem")
            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                group.create_task(traffic.run())
                await asyncio.sleep(0.5)
                await _put(store, second)
        requests = (await store.list(Selection(CERTIFICATE_REQUEST, namespace=SPACE))).objects
        served = await store.get(SECRET.key(SPACE, "web"))
        await store.delete(BUNDLE.key("", "roots"))
    assert traffic.failures == []
    assert traffic.good > 50
    assert traffic.bundles == [{old}, {old, new}, {new}]
    assert served is not None
    assert decode_certificates(Secret(served).certificate_pem)[0].is_signed_by(new)
    assert len([obj for obj in requests if meta.name(obj).startswith("web-")]) == 2
