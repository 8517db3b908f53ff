"""A CA gets another key: nobody ever meets somebody whose certificate it does not trust."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise, product
from typing import Any

import pytest

from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.policy.ca_rotation import TRUSTED_MAX, next_rotation, rotation_of
from certwright.reconcile.gather import is_issuing
from certwright.resources import known, meta
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import with_condition
from certwright.resources.issuer import Issuer
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, ISSUER, SECRET, Manifest
from certwright.resources.secret import Secret
from certwright_testing.objects import certificate, issuer, secret
from certwright_testing.stories import ecdsa_only
from certwright_testing.world import Fault, World

LEAD = timedelta(minutes=10)
LEAVES = ("a", "b", "c")
ALWAYS = {"algorithm": "ECDSA", "rotationPolicy": "Always"}
ROOT = CERTIFICATE.key("one", "root")


@dataclass(slots=True)
class Readers:
    """Programs that show their Secret and trust its `ca.crt`, as it is or was less than a lead ago.

    A world's check: after each write, every version that one of them may still show must be trusted
    by every version that another may still have.
    """

    seen: dict[str, list[tuple[datetime, Secret]]] = field(default_factory=dict)
    handshakes: int = 0

    def __call__(self, world: World) -> None:
        """Take note of what has changed, and let everybody meet."""
        for obj in world.all(SECRET):
            name = meta.name(obj)
            if name not in LEAVES or known.NEXT_PRIVATE_KEY in meta.labels(obj):
                continue
            versions = self.seen.setdefault(name, [])
            if not versions or versions[-1][1].object["data"] != obj["data"]:
                versions.append((world.now, Secret(obj)))
        self.meet(world.now)

    def meet(self, now: datetime) -> None:
        """Let everybody meet everybody."""
        for one, other in product(self.seen, repeat=2):
            shown, trusted = self._alive(one, now), self._alive(other, now)
            for leaf, bundle in product(shown, trusted):
                self.handshakes += 1
                good = is_trusted(leaf.certificate_pem, bundle.ca_pem)
                assert good, f"{other} does not trust {one} at {now}"

    def _alive(self, name: str, now: datetime) -> list[Secret]:
        """Return the versions that may be in use: the last, and those replaced within a lead.

        A program that starts now reads the last of all; what was there for no time nobody has.
        """
        versions = self.seen[name]
        ends = [at for at, _ in versions[1:]] + [now + LEAD]
        return [
            found
            for (begin, found), end in zip(versions, ends, strict=True)
            if now < end + LEAD and (begin < end or found is versions[-1][1])
        ]


@cache
def is_trusted(chain_pem: bytes, ca_pem: bytes) -> bool:
    """Return whether a chain ends in a bundle."""
    chain = decode_certificates(chain_pem)
    for child, parent in pairwise(chain):
        assert child.is_signed_by(parent)
    anchors = decode_certificates(ca_pem)
    return any(chain[-1] == found or chain[-1].is_signed_by(found) for found in anchors)


def ca(name: str, by: str, key: Manifest | None = None) -> tuple[Manifest, Manifest]:
    """Return a CA's Certificate, and the issuer that signs with it and takes part in rotation."""
    spec = {
        "secretName": name,
        "isCA": True,
        "commonName": name,
        "privateKey": key or ALWAYS,
        "issuerRef": {"name": by},
        "duration": "8760h",
    }
    notes = {known.CA_ROTATION: "10m"}
    return (
        certificate(name, spec=spec),
        {**issuer(name, annotations=notes), "spec": {"ca": {"secretName": name}}},
    )


def leaf(name: str, by: str) -> Manifest:
    """Return a leaf."""
    return certificate(
        name,
        spec={
            "secretName": name,
            "dnsNames": [f"{name}.example"],
            "privateKey": {"algorithm": "ECDSA"},
            "issuerRef": {"name": by},
        },
    )


async def begun(*, depth: int = 1, key: Manifest | None = None, **world: Any) -> tuple[World, Any]:
    """Issue CAs below each other, and leaves by the last."""
    readers = Readers()
    made = World(private_key=ecdsa_only, check=readers, **world)
    await made.apply(issuer("self-signed"))
    by, names = "self-signed", ("root", "middle")[:depth]
    for name in names:
        await made.apply(*ca(name, by, key))
        by = name
    await made.apply(*(leaf(name, by) for name in LEAVES))
    await made.advance(LEAD * 3)
    assert set(readers.seen) == set(LEAVES)
    return made, readers


async def renew_root(world: World) -> None:
    """Ask for another certificate for the root, as `ctl renew` does."""
    obj = await world.got(ROOT)
    marked = with_condition(
        obj, type="Issuing", status="True", reason="ManuallyTriggered", message="", now=world.now
    )
    await world.store.update_status(marked, manager="user")


async def anchors(world: World, name: str = "a") -> list[DecodedCertificate]:
    """Return what a Secret trusts."""
    return decode_certificates(Secret(await world.got(SECRET.key("one", name))).ca_pem)


async def revisions(world: World) -> list[int]:
    """Return how often each leaf was issued."""
    return [
        Certificate(await world.got(CERTIFICATE.key("one", name))).revision or 0 for name in LEAVES
    ]


@pytest.mark.parametrize("depth", [1, 2])
async def test_everybody_trusts_everybody_while_the_root_changes(depth: int) -> None:
    """Both are trusted, then leaves are issued anew one after the other, then the old one goes."""
    world, readers = await begun(depth=depth)
    [old] = await anchors(world)

    await renew_root(world)
    await world.settle()
    during = await anchors(world)
    assert len(during) == 2
    assert during[0] == old
    assert await revisions(world) == [1, 1, 1]
    await walk(world, readers, LEAD * 0.99)
    assert await revisions(world) == [1, 1, 1]
    await walk(world, readers, LEAD * 6)

    [new] = await anchors(world)
    assert new != old
    assert await revisions(world) == [2, 2, 2]
    assert readers.handshakes > 100
    assert not any(is_issuing(Certificate(obj)) for obj in world.all(CERTIFICATE))
    assert len(world.said("CAChanged")) == depth
    assert len(world.said("CARetired")) == depth


async def walk(world: World, readers: Readers, how_long: timedelta) -> None:
    """Move the clock in small steps, and let everybody meet at each."""
    end = world.now + how_long
    while world.now < end:
        await world.advance(min(timedelta(seconds=20), end - world.now))
        readers.meet(world.now)


async def test_another_certificate_for_the_same_key_is_shown_and_nothing_is_issued() -> None:
    """`ca.crt` follows a CA that was renewed; the leaves by its key are as good as before."""
    world, readers = await begun(key={"algorithm": "ECDSA"})
    [old] = await anchors(world)
    await renew_root(world)
    await walk(world, readers, LEAD * 4)

    [new] = await anchors(world)
    assert new != old
    assert new.public_key_der == old.public_key_der
    assert await revisions(world) == [1, 1, 1]


async def test_two_changes_within_one_lead() -> None:
    """Each CA that a leaf is left of is trusted."""
    world, readers = await begun()
    for _ in range(3):
        await renew_root(world)
        await walk(world, readers, LEAD * 0.4)
    assert len(await anchors(world)) == 4
    await walk(world, readers, LEAD * 5)
    assert len(await anchors(world)) == 1


async def test_a_renewal_within_the_lead_waits_for_its_end() -> None:
    """A leaf by a CA that is not trusted everywhere yet would be refused by others."""
    world, readers = await begun()
    await renew_root(world)
    await walk(world, readers, LEAD * 0.3)
    await world.change(CERTIFICATE.key("one", "a"), dnsNames=["z.example"])
    await walk(world, readers, LEAD * 0.3)
    assert (await revisions(world))[0] == 1
    pending = [obj for obj in world.all(CERTIFICATE_REQUEST) if "certificate" not in obj["status"]]
    assert "signs from" in pending[0]["status"]["conditions"][-1]["message"]
    await walk(world, readers, LEAD * 0.5)
    assert (await revisions(world))[0] == 2


async def test_the_old_ca_comes_back() -> None:
    """It is trusted still, so leaves need not wait a lead; spread they are."""
    world, readers = await begun()
    before = await world.got(SECRET.key("one", "root"))
    await renew_root(world)
    await walk(world, readers, LEAD * 1.5)
    present = await world.got(SECRET.key("one", "root"))
    await world.store.update({**present, "data": before["data"]}, manager="user")
    await walk(world, readers, LEAD * 5)
    assert await anchors(world) == decode_certificates(Secret(before).certificate_pem)


async def test_the_annotation_is_lost_on_the_way() -> None:
    """`kubectl replace` takes it away: what leaves still have is trusted on."""
    world, readers = await begun()
    await renew_root(world)
    await walk(world, readers, LEAD * 0.5)
    found = await world.got(ISSUER.key("one", "root"))
    del found["metadata"]["annotations"][known.CA_ROTATION_STATE]
    await world.store.update(found, manager="user")
    await walk(world, readers, LEAD * 6)
    assert len(await anchors(world)) == 1
    assert await revisions(world) == [2, 2, 2]


async def test_asked_for_after_the_ca_has_changed() -> None:
    """Leaves by the one before are found, and trusted until they are issued anew."""
    world, readers = await begun()
    found = await world.got(ISSUER.key("one", "root"))
    notes = found["metadata"]["annotations"]
    for name in (known.CA_ROTATION, known.CA_ROTATION_STATE):
        del notes[name]
    await world.store.update(found, manager="user")
    await world.settle()
    await renew_root(world)
    await world.advance(LEAD * 3)
    assert await revisions(world) == [1, 1, 1]

    found = await world.got(ISSUER.key("one", "root"))
    found["metadata"]["annotations"] = {known.CA_ROTATION: "10m"}
    await world.store.update(found, manager="user")
    await walk(world, readers, LEAD * 6)
    assert await revisions(world) == [2, 2, 2]


async def test_killed_after_each_write_in_turn() -> None:
    """Everything is in the objects: whoever starts again goes on from there."""
    world, readers = await begun()
    first = world.writes
    await renew_root(world)
    await world.advance(LEAD * 6)
    last = world.writes
    assert last - first > 30
    assert readers.handshakes > 100

    for number in range(first, last, 3):
        hit: list[int] = []

        def once(at: int, _action: Any, number: int = number, hit: list[int] = hit) -> Fault | None:
            if at < number or hit:
                return None
            hit.append(at)
            return Fault.DIES_AFTER

        again, _ = await begun(fault=once)
        await renew_root(again)
        await again.advance(LEAD * 6)
        assert len(await anchors(again)) == 1
        assert await revisions(again) == [2, 2, 2], number


async def test_a_word_that_is_no_duration_is_told() -> None:
    """And nothing rotates."""
    world = World(private_key=ecdsa_only)
    asked = issuer("root", annotations={known.CA_ROTATION: "soon"})
    await world.apply(
        secret("root"), {**asked, "spec": {"ca": {"secretName": "root"}}}, leaf("a", "root")
    )
    await world.settle()
    assert any("such as 10m" in message for message in world.said("BadConfig"))


async def test_without_the_annotation_nothing_changes() -> None:
    """As cert-manager: leaves and their `ca.crt` stay as they are."""
    world, readers = await begun()
    found = await world.got(ISSUER.key("one", "root"))
    del found["metadata"]["annotations"][known.CA_ROTATION]
    await world.store.update(found, manager="user")
    before = await anchors(world)
    await world.settle()
    await renew_root(world)
    await world.advance(LEAD * 5)
    assert await anchors(world) == before
    assert await revisions(world) == [1, 1, 1]
    kept = meta.annotations(await world.got(ISSUER.key("one", "root")))
    assert known.CA_ROTATION_STATE not in kept
    assert readers.seen


async def test_a_state_that_cannot_be_read_is_made_anew() -> None:
    """Somebody edited it."""
    world, _ = await begun()
    found = await world.got(ISSUER.key("one", "root"))
    found["metadata"]["annotations"][known.CA_ROTATION_STATE] = '{"chain":["AA=="]}'
    await world.store.update(found, manager="user")
    await world.settle()
    rotation = rotation_of(Issuer(await world.got(ISSUER.key("one", "root"))))
    assert rotation is not None
    assert rotation.certificates == tuple(await anchors(world))


async def test_no_more_than_so_many_are_trusted() -> None:
    """An annotation has no room for endless changes."""
    world, _ = await begun()
    rotation = rotation_of(Issuer(await world.got(ISSUER.key("one", "root"))))
    assert rotation is not None
    step: Callable[[], Awaitable[None]] = world.settle
    for _ in range(TRUSTED_MAX + 3):
        await renew_root(world)
        await step()
        [new] = decode_certificates(Secret(await world.got(SECRET.key("one", "root"))).ca_pem)
        rotation = next_rotation(
            rotation, LEAD, [new], [], needed=frozenset(rotation.certificates), now=world.now
        )
    assert len(rotation.trusted) == TRUSTED_MAX
