"""Where ACME goes wrong in other hands: each trap of the reference (13.12 to 13.17) as a story.

The CA is a sheet of paper: it answers what it is asked, and remembers what that was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from certwright.acme.messages import (
    Authorization,
    OrderAnswer,
    Problem,
    ServerChallenge,
    Unreachable,
)
from certwright.acme.questions import (
    AcceptChallenge,
    AccountAnswer,
    CheckDns,
    CheckHttp,
    CleanUpDns,
    Done,
    Finalize,
    GetAuthorization,
    GetAuthorizations,
    GetOrder,
    NewOrder,
    NotYet,
    PresentDns,
    Register,
)
from certwright.pki.keys import generate_private_key
from certwright.reconcile.options import Options
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CHALLENGE,
    ISSUER,
    ORDER,
    POD,
    Kind,
    Manifest,
)
from certwright_testing.objects import certificate, secret
from certwright_testing.world import World

URL = "https://ca.example"
AWAY = Unreachable("no answer from ca.example: connection refused")
HTTP: Manifest = {"http01": {"ingress": {}}}
DNS: Manifest = {
    "dns01": {
        "rfc2136": {
            "nameserver": "192.0.2.1",
            "tsigKeyName": "k",
            "tsigSecretSecretRef": {"name": "tsig", "key": "a"},
        }
    }
}


@dataclass(slots=True)
class PaperCa:
    """Everything is asked of it, the world beside the CA too."""

    asked: list[Any] = field(default_factory=list)
    instead: dict[type, Any] = field(default_factory=dict)
    """Answers to kinds of questions, in place of the usual ones."""
    names: tuple[str, ...] = ()
    accepted: set[str] = field(default_factory=set)
    is_finalized: bool = False
    """Certificates it makes none: from here on the order is `processing`."""

    async def answer(self, question: Any, /) -> Any:
        """Answer."""
        self.asked.append(question)
        if type(question) in self.instead:
            return self.instead[type(question)]
        return ANSWERS[type(question)](self, question)

    def times(self, kind: type) -> int:
        """Return how often it was asked such a thing."""
        return sum(type(question) is kind for question in self.asked)

    def order(self, _question: Any = None) -> OrderAnswer:
        """Return the order."""
        urls = tuple(f"{URL}/authz/{name}" for name in self.names)
        status = "ready" if set(urls) <= self.accepted else "pending"
        status = "processing" if self.is_finalized else status
        return OrderAnswer(f"{URL}/order/1", status, f"{URL}/finalize/1", urls)

    def new_order(self, question: NewOrder) -> OrderAnswer:
        """Take an order."""
        self.names = question.dns_names
        return self.order()

    def authorization(self, url: str) -> Authorization:
        """Return what is to be proven, or has been."""
        name = url.rpartition("/")[2]
        status = "valid" if url in self.accepted else "pending"
        challenges = tuple(
            ServerChallenge(kind, f"{url}/{kind}", "t" * 20, "pending")
            for kind in ("http-01", "dns-01")
        )
        plain = name.removeprefix("*.")
        return Authorization(url, status, plain, wildcard=plain != name, challenges=challenges)

    def accept(self, question: AcceptChallenge) -> ServerChallenge:
        """Believe it."""
        self.accepted.add(question.url.rpartition("/")[0])
        return ServerChallenge("", question.url, "", "processing")

    def finalize(self, _question: Finalize) -> OrderAnswer:
        """Begin to make the certificate."""
        self.is_finalized = True
        return self.order()


ANSWERS: Mapping[type, Callable[[PaperCa, Any], Any]] = {
    Register: lambda _, question: AccountAnswer(f"{URL}/account/1", question.email.lower()),
    NewOrder: PaperCa.new_order,
    GetOrder: PaperCa.order,
    GetAuthorizations: lambda ca, question: tuple(map(ca.authorization, question.urls)),
    GetAuthorization: lambda ca, question: ca.authorization(question.url),
    AcceptChallenge: PaperCa.accept,
    Finalize: PaperCa.finalize,
    CheckHttp: lambda _ca, _question: NotYet("nothing is there"),
    CheckDns: lambda _ca, _question: NotYet("nothing is there"),
    PresentDns: lambda _ca, _question: Done(),
    CleanUpDns: lambda _ca, _question: Done(),
}


def acme_issuer(*solvers: Manifest, **acme: Any) -> Manifest:
    """Return an issuer."""
    config = {
        "server": f"{URL}/dir",
        "privateKeySecretRef": {"name": "account"},
        "solvers": list(solvers or (HTTP,)),
        **acme,
    }
    return {
        "apiVersion": ISSUER.api_version,
        "kind": ISSUER.name,
        "metadata": {"name": "acme", "namespace": "one"},
        "spec": {"acme": config},
    }


def leaf(*names: str, **metadata: Any) -> Manifest:
    """Return a Certificate of it."""
    spec = {
        "secretName": "web",
        "dnsNames": list(names or ("a.example",)),
        "issuerRef": {"name": "acme"},
        "privateKey": {"algorithm": "ECDSA"},
    }
    return certificate(spec=spec, **metadata)


async def settled(*objects: Manifest) -> tuple[World, PaperCa]:
    """Return a world that has come to rest, and its CA."""
    ca = PaperCa()
    world = World(Options(), private_key=cache(generate_private_key), outside=ca)
    await world.apply(secret("tsig"), *objects)
    await world.settle()
    return world, ca


def only(world: World, kind: Kind) -> Manifest:
    """Return the one object of a kind."""
    (found,) = world.all(kind)
    return found


# ------------------------------------------------------------------------------ 12: the account


async def test_after_a_restart_nobody_is_asked_about_the_account() -> None:
    """It is in the status; orders go on at once, with the CA away the issuer stays ready."""
    world, ca = await settled(acme_issuer(email="Me@Example.com"))
    assert [type(found) for found in ca.asked] == [Register], "the CA writes addresses in its way"
    ca.instead = {Register: AWAY, NewOrder: AWAY}
    world.restart()
    await world.advance(timedelta(minutes=10))
    assert ca.times(Register) == 1
    ready = get_condition(await world.got(ISSUER.key("one", "acme")), "Ready")
    assert ready is not None
    assert ready.is_true

    await world.apply(leaf())
    world.restart()
    await world.settle()
    assert "state" not in only(world, ORDER).get("status", {})
    ca.instead = {}
    await world.advance(timedelta(minutes=5))
    assert only(world, ORDER)["status"]["state"] == "pending"
    assert ca.times(Register) == 1


# ------------------------------------------------------------------------------ 13: no is no


@pytest.mark.parametrize(
    ("problem", "asked"),
    [
        (Problem(403, "urn:ietf:params:acme:error:unauthorized", "go away"), 2),
        (Problem(400, "urn:ietf:params:acme:error:malformed", "JWS verification error"), 2),
        (Problem(400, "urn:ietf:params:acme:error:rejectedIdentifier", "not this name"), 1),
    ],
)
async def test_a_no_of_the_ca_ends_the_order(problem: Problem, asked: int) -> None:
    """The Certificate comes back after an hour, with another Order.

    Where it may be the account that is refused, that is registered anew first, once.
    """
    world, ca = await settled(acme_issuer())
    ca.instead = {NewOrder: problem}
    await world.apply(leaf())
    await world.advance(timedelta(seconds=30))

    order = only(world, ORDER)
    assert order["status"]["state"] == "errored"
    assert order["status"]["reason"] == f"Failed to create Order: {problem}"
    assert order["status"]["failureTime"]
    ready = get_condition(only(world, CERTIFICATE_REQUEST), "Ready")
    assert ready is not None
    assert ready.reason == "Failed"
    assert ready.message == (
        f'Failed to wait for order resource "{order["metadata"]["name"]}" to become ready: order'
        f' is in "errored" state: Failed to create Order: {problem}'
    )
    await world.advance(timedelta(minutes=59))
    assert ca.times(NewOrder) == asked
    await world.advance(timedelta(minutes=2))
    assert ca.times(NewOrder) == 2 * asked


@pytest.mark.parametrize("host", ["acme-v01", "acme-staging"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_what_was_the_first_protocol_is_refused(host: str, slash: str) -> None:
    """Nobody is asked."""
    server = f"https://{host}.api.letsencrypt.org/directory{slash}"
    world, ca = await settled(acme_issuer(server=server))
    ready = get_condition(await world.got(ISSUER.key("one", "acme")), "Ready")
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "InvalidConfig")
    better = server.rstrip("/").replace("v01", "v02").replace("staging", "staging-v02")
    assert f'field to "{better}"' in ready.message
    assert not ca.asked


@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        (b"aGVsbG8", True),
        (b"_-8", True),
        (b"aGVsbG8=", False),
        (b"aGVsbG8\n", False),
        (b" aGVsbG8", False),
        (b"+/8", False),
        (b"aGVs\nbG8", False),
        (b"a", False),
    ],
)
async def test_a_binding_is_raw_base64url(text: bytes, *, is_good: bool) -> None:
    """What is not is said, and not tried."""
    binding = {"keyID": "k", "keySecretRef": {"name": "eab", "key": "mac"}}
    bound = acme_issuer(externalAccountBinding=binding)
    world, ca = await settled(secret("eab", data={"mac": text}), bound)
    ready = get_condition(await world.got(ISSUER.key("one", "acme")), "Ready")
    assert ready is not None
    assert ready.is_true == is_good
    assert ca.times(Register) == is_good
    if not is_good:
        assert ready.reason == "ErrRegisterACMEAccount"
        assert "failed to decode external account binding key data: " in ready.message


# ------------------------------------------------------------------------------ 14: no solver


@pytest.mark.parametrize("state", ["deactivated", "expired", "revoked", "valid"])
async def test_an_authorization_that_is_over_before_it_is_proven(state: str) -> None:
    """It lists no challenge that could be met: the order ends and says so, and is asked once.

    One that is valid was proven by another order's challenge, and lists only that.
    """
    world, ca = await settled(acme_issuer())
    over = Authorization("u", state, "a.example", wildcard=False, challenges=())
    ca.instead = {GetAuthorization: over}
    await world.apply(leaf())
    await world.advance(timedelta(minutes=30))
    assert ca.times(NewOrder) == 1
    assert ca.times(GetAuthorization) == 1
    if state == "valid":
        assert [found["status"]["state"] for found in world.all(CHALLENGE)] == ["valid"]
        return
    order = only(world, ORDER)
    assert order["status"]["state"] == "errored"
    assert f"The authorization is {state}" in order["status"]["reason"]


async def test_without_a_solver_an_order_waits_for_a_change() -> None:
    """It is said, nothing is asked again; the issuer's next solver is taken."""
    elsewhere = {**HTTP, "selector": {"dnsZones": ["elsewhere.example"]}}
    world, ca = await settled(acme_issuer(elsewhere), leaf())
    words = (
        "Failed to determine a valid solver configuration for the set of domains on the Order: "
        "no configured challenge solvers can be used for this challenge"
    )
    assert set(world.said("Solver")) == {words}
    assert only(world, ORDER)["status"]["state"] == "pending"
    asked, said = len(ca.asked), len(world.said("Solver"))
    await world.advance(timedelta(days=1))
    assert len(ca.asked) == asked
    assert len(world.said("Solver")) == said
    assert not world.all(CHALLENGE)

    await world.apply(acme_issuer(elsewhere, HTTP))
    await world.settle()
    assert only(world, CHALLENGE)["spec"]["type"] == "HTTP-01"
    assert ca.times(NewOrder) == 1


# ------------------------------------------------------------------------------ 15: two classes


@pytest.mark.parametrize(
    ("ingress", "annotations"),
    [
        ({"class": "a", "ingressClassName": "b"}, {}),
        (
            {"ingressClassName": "b"},
            {"acme.cert-manager.io/http01-override-ingress-class": "a"},
        ),
    ],
)
async def test_two_classes_of_an_ingress_are_said(
    ingress: Manifest, annotations: dict[str, str]
) -> None:
    """The webhook lets them in, by the issuer and by a Certificate's annotation."""
    solver = {"http01": {"ingress": ingress}}
    world, _ = await settled(acme_issuer(solver), leaf(annotations=annotations))
    words = "the fields ingressClassName and class cannot be set at the same time"
    challenge = only(world, CHALLENGE)
    assert challenge["status"]["reason"] == words
    assert set(world.said("PresentError")) == {f"Error presenting challenge: {words}"}
    assert challenge["status"]["presented"] is False
    assert not world.said("Presented")


# ------------------------------------------------------------------------------ 16: looking


async def test_what_serves_the_answer_is_looked_after_until_it_is_seen() -> None:
    """A pod that goes comes back with the next look; the CA is not asked before."""
    world, ca = await settled(acme_issuer(), leaf())
    await world.advance(timedelta(seconds=10))
    pod = only(world, POD)
    await world.store.delete(POD.key("one", pod["metadata"]["name"]))
    await world.advance(timedelta(seconds=11))
    assert only(world, POD)["metadata"]["uid"] != pod["metadata"]["uid"]
    assert ca.times(AcceptChallenge) == 0
    assert only(world, CHALLENGE)["status"]["reason"] == (
        "Waiting for HTTP-01 challenge propagation: nothing is there"
    )
    question = next(found for found in ca.asked if isinstance(found, CheckHttp))
    assert question.passes == 5

    ca.instead = {CheckHttp: Done()}
    await world.advance(timedelta(seconds=11))
    assert ca.times(AcceptChallenge) == 1
    assert world.said("DomainVerified") == ['Domain "a.example" verified with "HTTP-01" validation']
    assert not world.all(POD)


# ------------------------------------------------------------------------------ 17: tidying


async def test_a_wildcard_and_its_apex_are_never_worked_on_together() -> None:
    """Their records have one name: the second is put there after the first is gone."""
    world, ca = await settled(acme_issuer(DNS), leaf("a.example", "*.a.example"))
    assert len(world.all(CHALLENGE)) == 2
    working = [obj for obj in world.all(CHALLENGE) if obj.get("status", {}).get("processing")]
    assert len(working) == 1
    await world.advance(timedelta(minutes=5))
    assert ca.times(PresentDns) == 1
    ca.instead = {CheckDns: Done()}
    await world.advance(timedelta(minutes=1))
    told = [type(found) for found in ca.asked if isinstance(found, PresentDns)]
    assert told == [PresentDns, CleanUpDns, PresentDns, CleanUpDns]


@pytest.mark.parametrize("heals", [True, False])
async def test_a_deleted_challenge_goes_though_its_record_stays(*, heals: bool) -> None:
    """Not at once: the record may yet be taken away. It is said either way."""
    world, ca = await settled(acme_issuer(DNS), leaf())
    challenge = only(world, CHALLENGE)
    assert challenge["status"]["presented"] is True
    ca.instead = {CleanUpDns: NotYet("the name server is away")}
    await world.store.delete(CERTIFICATE.key("one", "web"))
    await world.store.delete(CHALLENGE.key("one", challenge["metadata"]["name"]))
    await world.advance(timedelta(minutes=4))
    assert set(world.said("CleanUpError")) == {
        "Error cleaning up challenge: the name server is away"
    }
    assert len(world.all(CHALLENGE)) == 1
    if heals:
        ca.instead = {}
    tries = ca.times(CleanUpDns)
    await world.advance(timedelta(minutes=7))
    assert not world.all(CHALLENGE)
    assert ca.times(CleanUpDns) > tries


async def test_a_name_server_that_is_away_does_not_hold_the_order_up() -> None:
    """A Challenge that is proven is `valid`, whatever becomes of its record."""
    world, ca = await settled(acme_issuer(DNS))
    ca.instead = {CheckDns: Done(), CleanUpDns: NotYet("the name server is away")}
    await world.apply(leaf())
    await world.advance(timedelta(minutes=1))
    assert ca.times(Finalize) == 1
    challenge = only(world, CHALLENGE)
    assert challenge["status"]["state"] == "valid"
    assert challenge["status"]["reason"] == "the name server is away"
