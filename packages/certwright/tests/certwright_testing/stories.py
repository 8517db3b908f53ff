"""Stories of Certificates, to be played with and without trouble."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from certwright.reconcile.contract import Action
from certwright.reconcile.options import Options
from certwright.resources import known, meta
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import conditions, with_condition
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, SECRET, Manifest
from certwright.resources.secret import Secret
from certwright_testing.objects import certificate, issuer, secret
from certwright_testing.promises import Promises
from certwright_testing.world import Fault, World, run

__all__ = ["LONG_STORIES", "PLAIN", "STORIES", "ecdsa_only", "ending", "play", "quiet"]

PLAIN = Options()
WEB = CERTIFICATE.key("one", "web")
TLS = SECRET.key("one", "tls")
SPEC: Manifest = {
    "secretName": "tls",
    "dnsNames": ["a.example"],
    "issuerRef": {"name": "ca"},
    "privateKey": {"algorithm": "ECDSA"},
}
CALM = timedelta(minutes=10)
"""Long enough for every retry, too short for a back-off of the policies."""


async def issue(world: World) -> None:
    """Issue the first certificate."""
    await world.apply(issuer(), certificate(spec=SPEC))
    await world.advance(CALM)


async def renew(world: World) -> None:
    """Issue, and renew with the same key."""
    await issue(world)
    await world.advance(timedelta(days=60))


async def rotate(world: World) -> None:
    """Issue, and renew with a new key."""
    key = {"algorithm": "ECDSA", "rotationPolicy": "Always"}
    await world.apply(issuer(), certificate(spec={**SPEC, "privateKey": key}))
    await world.advance(CALM)
    await world.advance(timedelta(days=60))


async def edit(world: World) -> None:
    """Issue, and ask for another name."""
    await issue(world)
    await world.change(WEB, dnsNames=["b.example"], revisionHistoryLimit=1)
    await world.advance(CALM)


async def dress(world: World) -> None:
    """Issue, and ask for another name and other labels at once."""
    await issue(world)
    await world.change(
        WEB, dnsNames=["b.example"], secretTemplate={"labels": {"l": "1"}, "annotations": {}}
    )
    await world.advance(CALM)
    await world.change(WEB, secretTemplate={"labels": {"l": "2"}, "annotations": {}})
    await world.advance(CALM)


async def key_edit(world: World) -> None:
    """Ask for another kind of key while issuing waits for an issuer."""
    await world.apply(certificate(spec=SPEC))
    await world.advance(CALM)
    await world.change(WEB, privateKey={"algorithm": "ECDSA", "size": 384})
    await world.advance(CALM)
    await world.apply(issuer())
    await world.advance(CALM)


async def from_ca(world: World) -> None:
    """Issue a CA and a leaf from it, with keystores."""
    await world.apply(
        issuer(),
        certificate("root", spec={**SPEC, "secretName": "root", "isCA": True, "commonName": "r"}),
        {**issuer("leaves"), "spec": {"ca": {"secretName": "root"}}},
        secret("password", data={"p": b"changeit"}),
        certificate(
            spec={
                **SPEC,
                "issuerRef": {"name": "leaves"},
                "keystores": {
                    "jks": {"create": True, "passwordSecretRef": {"name": "password", "key": "p"}}
                },
            }
        ),
    )
    await world.advance(CALM)


async def change_ca(world: World) -> None:
    """Issue a CA with rotation and a leaf from it, and give the CA another key."""
    key = {"algorithm": "ECDSA", "rotationPolicy": "Always"}
    root = {**SPEC, "secretName": "root", "isCA": True, "commonName": "r", "privateKey": key}
    leaves = issuer("leaves", annotations={known.CA_ROTATION: "1m"})
    await world.apply(
        issuer(),
        certificate("root", spec=root),
        {**leaves, "spec": {"ca": {"secretName": "root"}}},
        certificate(spec={**SPEC, "issuerRef": {"name": "leaves"}}),
    )
    await world.advance(CALM)
    await world.change(CERTIFICATE.key("one", "root"), commonName="s")
    await world.advance(CALM)


async def denied(world: World) -> None:
    """Be denied, wait for an hour, and succeed."""
    await world.apply(certificate(spec=SPEC))
    await world.advance(CALM)
    request = world.all(CERTIFICATE_REQUEST)[0]
    # Where the approver was cut off the request is not approved yet; then nobody may deny it later.
    request["status"] = {
        **(request.get("status") or {}),
        "conditions": [
            entry
            for entry in (request.get("status") or {}).get("conditions") or ()
            if entry["type"] != "Approved"
        ],
    }
    refused = with_condition(
        request, type="Denied", status="True", reason="Policy", message="no", now=world.now
    )
    await world.store.update_status(refused, manager="user")
    await world.advance(CALM)
    await world.apply(issuer())
    await world.advance(timedelta(hours=2))


async def temporary(world: World) -> None:
    """Serve a temporary certificate until the issuer is there."""
    note = {"cert-manager.io/issue-temporary-certificate": "true"}
    await world.apply(certificate(spec=SPEC, annotations=note))
    await world.advance(CALM)
    await world.apply(issuer())
    await world.advance(CALM)


STORIES: dict[str, Callable[[World], Awaitable[None]]] = {
    story.__name__: story
    for story in (
        issue,
        renew,
        rotate,
        edit,
        dress,
        key_edit,
        from_ca,
        denied,
        temporary,
    )
}

LONG_STORIES = {**STORIES, "change_ca": change_ca}
"""With one that takes as many writes as all others together."""


def ending(world: World) -> Any:
    """Return what counts at the end; times, keys and serial numbers do not."""
    return (
        [
            (
                meta.name(obj),
                Certificate(obj).revision,
                sorted((c.type, c.status, c.reason, c.message) for c in conditions(obj)),
                Certificate(obj).next_private_key_secret_name,
            )
            for obj in world.all(CERTIFICATE)
        ],
        [
            (
                CertificateRequest(obj).revision,
                sorted((c.type, c.status, c.reason) for c in conditions(obj)),
            )
            for obj in sorted(
                world.all(CERTIFICATE_REQUEST),
                key=lambda obj: (
                    meta.owner_references(obj)[0].name,
                    CertificateRequest(obj).revision,
                ),
            )
        ],
        [
            (
                meta.name(obj),
                sorted(Secret(obj).data),
                dict(Secret(obj).labels),
                Secret(obj).annotations.get(known.ALT_NAMES),
            )
            for obj in world.all(SECRET)
        ],
    )


async def play(
    story: str, options: Options, fault: Callable[[int, Action], Fault | None] | None
) -> tuple[Any, int, World]:
    """Play a story; return its end, how many writes it took, and the world."""
    world = World(options, check=Promises(), fault=fault, private_key=ecdsa_only)
    await LONG_STORIES[story](world)
    await world.settle()
    return ending(world), world.writes, world


def ecdsa_only(algorithm: str, size: int) -> ec.EllipticCurvePrivateKey:
    """Make keys that cost nothing."""
    assert algorithm == "ECDSA"
    return ec.generate_private_key(
        {384: ec.SECP384R1(), 521: ec.SECP521R1()}.get(size, ec.SECP256R1())
    )


@cache
def quiet(story: str, options: Options = PLAIN) -> tuple[Any, int]:
    """Return the end of a run without trouble, and the number of its writes."""
    end, writes, world = run(play(story, options, None))
    assert all("not found" in problem for problem in world.problems)
    return end, writes
