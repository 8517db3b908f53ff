"""Bundles: what is gathered, where it is written, and what is said."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from certwright.pki.certificates import decode_certificates
from certwright.reconcile.options import Options, TrustOptions
from certwright.resources import known, meta
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import BUNDLE, CONFIG_MAP, NAMESPACE, SECRET, Manifest
from certwright_testing.objects import certificate, issuer, secret
from certwright_testing.stories import ecdsa_only
from certwright_testing.world import World

TRUST = TrustOptions(enabled=True, namespace="one")
COMPANY = BUNDLE.key("", "company")
ROOT = {"secretName": "root", "isCA": True, "commonName": "r", "issuerRef": {"name": "ca"}}
FROM_ROOT = {"secret": {"name": "root", "key": "ca.crt"}}


def bundle(*sources: Manifest, **target: Any) -> Manifest:
    """Return a Bundle `company`."""
    return {
        "apiVersion": BUNDLE.api_version,
        "kind": BUNDLE.name,
        "metadata": {"name": "company"},
        "spec": {
            "sources": list(sources) or [FROM_ROOT],
            "target": target or {"configMap": {"key": "ca.pem"}},
        },
    }


def namespace(name: str, **labels: str) -> Manifest:
    """Return a Namespace."""
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": NAMESPACE.name, "metadata": metadata}


def config_map(name: str, data: dict[str, str], **labels: str) -> Manifest:
    """Return a ConfigMap in the trust namespace."""
    metadata = {"name": name, "namespace": "one", "labels": labels}
    return {"apiVersion": "v1", "kind": CONFIG_MAP.name, "metadata": metadata, "data": data}


async def begun(trust: TrustOptions = TRUST) -> tuple[World, str]:
    """Issue a root in the trust namespace; return its PEM too."""
    world = World(Options(trust=trust), private_key=ecdsa_only)
    key = {"algorithm": "ECDSA"}
    await world.apply(
        *(namespace("one"), namespace("two", team="a"), namespace("three", team="b")),
        issuer(),
        certificate("root", spec={**ROOT, "privateKey": key}),
    )
    await world.settle()
    text = (await world.got(SECRET.key("one", "root")))["data"]["ca.crt"]
    return world, base64.b64decode(text).decode()


async def synced(world: World) -> tuple[str, str, str]:
    """Return the condition."""
    found = get_condition(await world.got(COMPANY), "Synced")
    assert found is not None
    return found.status, found.reason, found.message


async def test_every_namespace_gets_it_and_keeps_it() -> None:
    """Also one that comes later, and where somebody deletes or changes it; each once."""
    world, pem = await begun()
    await world.apply(bundle(FROM_ROOT, {"inLine": f"a comment\n{pem}"}))
    await world.settle()

    assert await synced(world) == ("True", "Synced", "Successfully synced Bundle to all namespaces")
    for name in ("one", "two", "three"):
        target = await world.got(CONFIG_MAP.key(name, "company"))
        assert target["data"] == {"ca.pem": pem}
        assert meta.labels(target)[known.BUNDLE] == "company"
    await world.apply(namespace("four"))
    await world.store.delete(CONFIG_MAP.key("two", "company"))
    changed = await world.got(CONFIG_MAP.key("three", "company"))
    await world.store.update({**changed, "data": {"ca.pem": "x"}}, manager="user")
    await world.settle()
    for name in ("two", "three", "four"):
        assert (await world.got(CONFIG_MAP.key(name, "company")))["data"] == {"ca.pem": pem}
    before = world.writes
    world.restart()
    await world.settle()
    assert world.writes == before


async def test_a_selector_that_changes_takes_targets_away() -> None:
    """Only ours: a ConfigMap of that name by somebody else stays."""
    world, pem = await begun()
    target = {"configMap": {"key": "k"}, "namespaceSelector": {"matchLabels": {"team": "a"}}}
    await world.apply({**config_map("company", {"mine": "1"})}, bundle(**target))
    await world.settle()
    assert await world.store.get(CONFIG_MAP.key("three", "company")) is None
    assert (await synced(world))[2].endswith("match this label selector: team=a")

    rule = {"key": "team", "operator": "In", "values": ["b"]}
    target["namespaceSelector"] = {"matchExpressions": [rule]}
    await world.apply(bundle(**target))
    await world.settle()
    assert await world.store.get(CONFIG_MAP.key("two", "company")) is None
    assert (await world.got(CONFIG_MAP.key("three", "company")))["data"] == {"k": pem}
    assert (await world.got(CONFIG_MAP.key("one", "company")))["data"] == {"mine": "1"}

    await world.store.delete(COMPANY)
    await world.settle()
    assert await world.store.get(CONFIG_MAP.key("three", "company")) is None


async def test_a_source_that_changes_is_followed() -> None:
    """A CA that is renewed reaches everybody."""
    world, pem = await begun()
    await world.apply(config_map("more", {"a": pem, "b": pem}, use="yes"))
    source = {"configMap": {"selector": {"matchLabels": {"use": "yes"}}, "includeAllKeys": True}}
    await world.apply(bundle(source))
    await world.settle()
    await world.change(meta.key_of(certificate("root")), commonName="s")
    await world.settle()
    new = base64.b64decode((await world.got(SECRET.key("one", "root")))["data"]["ca.crt"]).decode()
    assert new != pem
    await world.apply(config_map("more", {"a": pem, "b": new}, use="yes"))
    await world.settle()
    assert (await world.got(CONFIG_MAP.key("two", "company")))["data"] == {"ca.pem": pem + new}


async def test_secrets_and_stores() -> None:
    """A Secret as target, JKS and PKCS#12 beside the PEM; not written again and again."""
    world, pem = await begun()
    formats = {
        "jks": {"key": "t.jks"},
        "pkcs12": {"key": "t.p12", "password": "p", "profile": "Modern2023"},
    }
    both = {"secret": {"key": "ca"}, "configMap": {"key": "ca"}, "additionalFormats": formats}
    await world.apply(bundle(**both))
    await world.settle()
    target = await world.got(SECRET.key("two", "company"))
    assert set(target["data"]) == {"ca", "t.jks", "t.p12"}
    mapped = await world.got(CONFIG_MAP.key("two", "company"))
    assert set(mapped["binaryData"]) == {"t.jks", "t.p12"}
    assert mapped["data"] == {"ca": pem}
    await world.apply(namespace("one", more="1"))
    await world.settle()
    assert await world.got(SECRET.key("two", "company")) == target


@pytest.mark.parametrize(
    ("sources", "reason", "words"),
    [
        ([{"secret": {"name": "gone", "key": "k"}}], "SourceNotFound", '"gone" not found'),
        ([{"secret": {"name": "root", "key": "no"}}], "SourceNotFound", 'at key "no"'),
        ([{"useDefaultCAs": True}], "SourceBuildError", "--trust-default-ca-file"),
        ([{"secret": {"name": "root", "key": "tls.key"}}], "SourceBuildError", "PRIVATE KEY"),
        ([{"inLine": "x"}], "InvalidBundle", "spec.sources[0].inLine"),
        ([{}], "InvalidBundle", "exactly one source"),
        (
            [{"secret": {"name": "a", "key": "k", "includeAllKeys": True}}],
            "InvalidBundle",
            "one of",
        ),
    ],
)
async def test_what_is_wrong_is_said_and_what_is_there_stays(
    sources: list[Manifest], reason: str, words: str
) -> None:
    """A mistake must not take everybody's trust away, nor may a key get out."""
    world, pem = await begun()
    await world.apply(bundle())
    await world.settle()
    await world.apply(bundle(*sources))
    await world.settle()
    status, found, message = await synced(world)
    assert (status, found) == ("False", reason)
    assert words in message
    assert (await world.got(CONFIG_MAP.key("two", "company")))["data"] == {"ca.pem": pem}
    assert world.said(reason)


async def test_all_keys_of_a_secret_without_its_private_key() -> None:
    """`includeAllKeys` on a TLS Secret."""
    world, pem = await begun()
    await world.apply(bundle({"secret": {"name": "root", "includeAllKeys": True}}))
    await world.settle()
    assert (await world.got(CONFIG_MAP.key("two", "company")))["data"] == {"ca.pem": pem}


async def test_default_cas() -> None:
    """From a file that the controller was given; texts between certificates do not count."""
    world, pem = await begun()
    trust = TrustOptions(enabled=True, namespace="one", default_ca_pem=f"# Root\n{pem}".encode())
    again, _ = await begun(trust)
    await again.apply(bundle({"useDefaultCAs": True}))
    await again.settle()
    found = (await again.got(CONFIG_MAP.key("two", "company")))["data"]["ca.pem"]
    assert decode_certificates(found.encode()) == decode_certificates(pem.encode())
    assert world.writes


async def test_a_secret_nobody_labelled_is_a_source_too() -> None:
    """As written by hand."""
    world, pem = await begun()
    await world.apply(secret("hand", data={"k": pem.encode()}))
    await world.apply(bundle({"secret": {"name": "hand", "key": "k"}}))
    await world.settle()
    assert (await synced(world))[0] == "True"
