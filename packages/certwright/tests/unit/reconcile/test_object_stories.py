"""What users change in a Certificate, one field at a time: conditions, events, and what is left."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from certwright.admission.validation import validate_create
from certwright.pki.certificates import decode_certificates
from certwright.pki.keys import decode_private_key, generate_private_key
from certwright.reconcile.options import Options
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, SECRET, Manifest
from certwright.resources.secret import Secret
from certwright_testing import world as world_module
from certwright_testing.objects import certificate, issuer, secret
from certwright_testing.webhook import admit
from certwright_testing.world import World

WEB = CERTIFICATE.key("one", "web")
TLS = SECRET.key("one", "tls")
ALL = FeatureGates(frozenset({"LiteralCertificateSubject", "AdditionalCertificateOutputFormats"}))
SPEC = {
    "secretName": "tls",
    "dnsNames": ["a.example"],
    "issuerRef": {"name": "ca"},
    "privateKey": {"algorithm": "ECDSA"},
}
STORES = ("pkcs12", "jks")
WORDS = {"pkcs12": "PKCS12", "jks": "JKS"}
FILES = {"pkcs12": "keystore.p12", "jks": "keystore.jks"}
HOUR = timedelta(hours=1)


async def issued(gates: FeatureGates = ALL, **spec: Any) -> World:
    """Return a world where `one/web` is issued by itself."""
    world = World(Options(gates=gates), private_key=generate_private_key)
    await world.apply(issuer(), certificate(spec={**SPEC, **spec}))
    await world.settle()
    return world


async def data(world: World) -> dict[str, bytes]:
    """Return what is in the Secret."""
    return dict(Secret(await world.got(TLS)).data)


async def revision(world: World) -> int | None:
    """Return how often it was issued."""
    return Certificate(await world.got(WEB)).revision


async def said_of(world: World, name: str) -> tuple[str, str, str]:
    """Return status, reason and message of a condition."""
    found = get_condition(await world.got(WEB), name)
    assert found is not None
    return found.status, found.reason, found.message


# ------------------------------------------------------------------------------ keystores


@pytest.mark.parametrize("store", STORES)
async def test_a_password_that_comes_late(store: str) -> None:
    """On a Certificate that serves: nothing changes until the whole password is there."""
    world = await issued()
    before = await data(world)
    ref = {"name": "pw", "key": "p"}
    await world.change(WEB, keystores={store: {"create": True, "passwordSecretRef": ref}})
    await world.settle()
    fetching = f"fetching {WORDS[store]} keystore password from Secret: "
    prefix = "Failed to write Secret tls: "
    assert world.said("SecretWriteFailed")[-1] == f'{prefix}{fetching}secret "pw" not found'
    for held in ({"other": b"x"}, {"p": b""}):
        await world.apply(secret("pw", data=held))
        await world.advance(timedelta(minutes=1))
        assert world.said("SecretWriteFailed")[-1] == (
            f'{prefix}{WORDS[store]} keystore password Secret contains no data for key "p"'
        )
    assert await data(world) == before
    assert (await said_of(world, "Ready"))[0] == "True"

    await world.apply(secret("pw", data={"p": b"changeit"}))
    await world.advance(timedelta(minutes=1))
    after = await data(world)
    assert after.pop(FILES[store])
    assert after.pop(FILES[store].replace("key", "trust"))
    assert after == before
    assert await revision(world) == 1

    writes = world.writes
    await world.apply(secret("pw", data={"p": b"another"}))
    await world.advance(HOUR)
    assert world.writes == writes, "another password is not noticed, as in the original"
    await world.change(WEB, keystores={store: {"create": False, "passwordSecretRef": ref}})
    await world.settle()
    assert await data(world) == before


# ------------------------------------------------------------------------------ the Secret


async def test_every_edit_of_the_template_is_followed() -> None:
    """Values that change, keys that go, foreign keys that stay; ours cannot be taken."""
    world = await issued(secretTemplate={"labels": {"a": "1", "b": "1"}, "annotations": {"n": "1"}})
    found = await world.got(TLS)
    found["metadata"]["labels"]["foreign"] = "1"
    found["metadata"]["labels"]["a"] = "changed by hand"
    await world.store.update(found, manager="user")
    await world.settle()
    fao = {"controller.cert-manager.io/fao": "true"}
    labels = Secret(await world.got(TLS)).labels
    assert labels == {"a": "1", "b": "1", "foreign": "1", **fao}

    await world.change(WEB, secretTemplate={"labels": {"a": "2", **dict.fromkeys(fao, "false")}})
    await world.settle()
    dressed = Secret(await world.got(TLS))
    assert dressed.labels == {"a": "2", "foreign": "1", **fao}
    assert "n" not in dressed.annotations
    writes = world.writes
    world.restart()
    await world.settle()
    assert world.writes == writes
    assert await revision(world) == 1
    assert (await said_of(world, "Ready"))[:2] == ("True", "Ready")


async def test_output_formats_come_and_go() -> None:
    """With what the key's encoding was when it was issued; an edit by hand is undone."""
    world = await issued(privateKey={"algorithm": "ECDSA", "encoding": "PKCS8"})
    before = await data(world)
    await world.change(WEB, additionalOutputFormats=[{"type": "CombinedPEM"}, {"type": "DER"}])
    await world.settle()
    extra = await data(world)
    assert extra["tls-combined.pem"] == before["tls.key"] + b"\n" + before["tls.crt"]
    body = b"".join(before["tls.key"].split(b"\n")[1:-2])
    assert extra["key.der"] == base64.b64decode(body)

    found = await world.got(TLS)
    found["data"]["key.der"] = "AAAA"
    await world.store.update(found, manager="user")
    await world.settle()
    assert await data(world) == extra
    await world.change(WEB, additionalOutputFormats=[{"type": "DER"}])
    await world.settle()
    assert sorted(await data(world)) == ["ca.crt", "key.der", "tls.crt", "tls.key"]
    await world.change(WEB, additionalOutputFormats=None)
    await world.settle()
    assert await data(world) == before
    assert await revision(world) == 1


# ------------------------------------------------------------------------------ literal subjects


async def test_a_literal_subject_is_issued_as_written_and_followed() -> None:
    """The order counts; the same again in other words is issued once."""
    text = "CN=a,OU=x+O=y,DC=corp,DC=example"
    world = await issued(literalSubject=text)
    leaf = decode_certificates((await data(world))["tls.crt"])[0]
    assert leaf.subject.common_name == "a"
    for changed in ("CN=b,O=y", "O=y,CN=b"):
        before = await revision(world)
        assert before is not None
        await world.change(WEB, literalSubject=changed)
        await world.advance(HOUR)
        assert await revision(world) == before + 1
    assert (await said_of(world, "Ready"))[:2] == ("True", "Ready")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"literalSubject": "CN=a,O=b"}, "spec.literalSubject"),
        ({"ipAddresses": ["192.0.2.1", "none"]}, "spec.ipAddresses"),
    ],
)
async def test_what_no_request_could_be_is_not_asked_for_in_a_loop(
    spec: Manifest, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the webhook lets in what we cannot do: no request, and an event that says why.

    The original makes a request, finds it unfit, deletes it, and so on at once.
    """

    async def lax(obj: Manifest, old: Manifest | None, **more: Any) -> Manifest:
        if obj.get("kind") == "Certificate":
            return obj
        return await admit(obj, old, **more)

    monkeypatch.setattr(world_module, "admit", lax)
    world = await issued(FeatureGates(), **spec)
    await world.advance(HOUR)
    assert world.all(CERTIFICATE_REQUEST) == []
    assert world.writes < 10
    told = set(world.said("RequestFailed"))
    assert len(told) == 1
    assert f"it would not be as these fields say: [{field}]" in told.pop()


# ------------------------------------------------------------------------------ keys


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ({"algorithm": "ECDSA", "size": 384}, "size"),
        ({"algorithm": "Ed25519"}, "algorithm"),
        ({"algorithm": "RSA", "size": 2048}, "algorithm"),
    ],
)
@pytest.mark.parametrize("heals", ["policy", "deleted", "back"])
async def test_another_kind_of_key_with_never(key: Manifest, field: str, heals: str) -> None:
    """It waits, serves on and is ready; each of the ways out ends it."""
    world = await issued()
    old = (await data(world))["tls.key"]
    await world.change(WEB, privateKey=key)
    await world.advance(HOUR)
    assert await said_of(world, "Issuing") == (
        "True",
        "SecretMismatch",
        f"Existing private key is not up to date for spec: [spec.privateKey.{field}]",
    )
    assert (await said_of(world, "Ready"))[:2] == ("True", "Ready")
    assert f"mismatching fields: [spec.privateKey.{field}]" in world.said("CannotRegenerateKey")[0]
    assert (await data(world))["tls.key"] == old
    assert await revision(world) == 1

    if heals == "policy":
        await world.change(WEB, privateKey={**key, "rotationPolicy": "Always"})
    elif heals == "deleted":
        await world.store.delete(TLS)
    else:
        await world.change(WEB, privateKey=SPEC["privateKey"])
    await world.advance(timedelta(minutes=1))
    assert await revision(world) == 2
    assert get_condition(await world.got(WEB), "Issuing") is None
    new = (await data(world))["tls.key"]
    assert (new == old) == (heals == "back")
    kind = type(decode_private_key(new)).__name__
    assert ("EC" if heals == "back" else key["algorithm"].removesuffix("DSA")) in kind


async def test_another_kind_of_key_with_always() -> None:
    """At once, once; the same certificate again does not come without a reason."""
    world = await issued(privateKey={"algorithm": "ECDSA", "rotationPolicy": "Always"})
    old = (await data(world))["tls.key"]
    await world.change(WEB, privateKey={"algorithm": "Ed25519", "rotationPolicy": "Always"})
    await world.advance(HOUR)
    assert await revision(world) == 2
    assert (await data(world))["tls.key"] != old
    assert not world.said("CannotRegenerateKey")
    assert world.said("Issuing")[-2] == (
        "Existing private key is not up to date for spec: [spec.privateKey.algorithm]"
    )


async def test_another_encoding_alone_changes_nothing_until_the_next_issuance() -> None:
    """As in the original."""
    world = await issued()
    assert b"EC PRIVATE KEY" in (await data(world))["tls.key"]
    writes = world.writes
    await world.change(WEB, privateKey={"algorithm": "ECDSA", "encoding": "PKCS8"})
    await world.settle()
    assert (await data(world))["tls.key"].startswith(b"-----BEGIN EC PRIVATE KEY")
    assert world.writes <= writes + 1, "the condition's observedGeneration only"
    await world.advance(timedelta(days=61))
    assert (await data(world))["tls.key"].startswith(b"-----BEGIN PRIVATE KEY")


# ------------------------------------------------------------------------------ times and history


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ({"duration": "10h", "renewBefore": "10h"}, "10h0m0s must be greater than renewBefore 10h"),
        ({"renewBefore": "2161h"}, "2160h0m0s must be greater than renewBefore 2161h0m0s"),
        ({"duration": "10h", "renewBefore": "9h59m"}, ""),
    ],
)
def test_a_life_must_be_longer_than_what_is_left_of_it(times: Manifest, words: str) -> None:
    """Against the default life too."""
    assert words in validate_create(certificate(spec={**SPEC, **times}), ALL).text
    assert bool(words) == bool(validate_create(certificate(spec={**SPEC, **times}), ALL).errors)


async def test_a_renewal_nearly_at_the_start_is_no_loop() -> None:
    """A minute after each issuance, for it is what was asked for."""
    world = await issued(duration="10h", renewBefore="9h59m")
    await world.advance(timedelta(minutes=10, seconds=5))
    assert await revision(world) == 11


async def test_a_limit_of_the_history_that_comes_later() -> None:
    """Old requests go at once, the newest is never among them; without a limit all stay."""
    world = await issued()
    for _ in range(3):
        await world.advance(timedelta(days=60))

    def kept() -> list[int | None]:
        return sorted(
            CertificateRequest(obj).revision or 0 for obj in world.all(CERTIFICATE_REQUEST)
        )

    assert kept() == [1, 2, 3, 4]
    await world.change(WEB, revisionHistoryLimit=3)
    await world.settle()
    assert kept() == [2, 3, 4]
    await world.change(WEB, revisionHistoryLimit=1)
    await world.settle()
    assert kept() == [4]
    assert await revision(world) == 4
    await world.change(WEB, dnsNames=["b.example"])
    await world.advance(HOUR)
    assert kept() == [5]
