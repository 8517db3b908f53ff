"""A CA that does not get on, or does not answer: it is asked ever less often, and why is shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from certwright.acme.messages import (
    Authorization,
    OrderAnswer,
    Problem,
    ServerChallenge,
    Unreachable,
)
from certwright.acme.questions import GetAuthorization
from certwright.adapters.acme.transport import Answer
from certwright.pki.keys import encode_private_key_pkcs8, generate_private_key
from certwright.reconcile.acme_challenges import ChallengeGathered, _after_accept, _Step
from certwright.reconcile.acme_objects import AcmeAuthority
from certwright.reconcile.acme_orders import OrderGathered, plan_order
from certwright.reconcile.contract import Sources, UpdateStatus
from certwright.reconcile.options import Options
from certwright.resources.acme import Challenge, Order
from certwright.resources.issuer import Issuer
from certwright.resources.kinds import CHALLENGE, ORDER, Manifest
from certwright.resources.times import format_time
from certwright_testing.objects import issuer, secret
from certwright_testing.stories import ecdsa_only
from certwright_testing.world import START

URL = "https://ca.example/order/1"
KEY = encode_private_key_pkcs8(generate_private_key("RSA", 2048))


def gathered(**status: Any) -> OrderGathered:
    """Return an Order that was made at the start."""
    config = {
        "server": "https://ca.example/dir",
        "privateKeySecretRef": {"name": "account"},
        "solvers": [{"http01": {"ingress": {}}}],
    }
    at_ca = {"acme": {"uri": "https://ca.example/account/1"}}
    found = Issuer({**issuer("acme"), "spec": {"acme": config}, "status": at_ca})
    obj: Manifest = {
        "apiVersion": ORDER.api_version,
        "kind": ORDER.name,
        "metadata": {
            "name": "web-1",
            "namespace": "one",
            "uid": "u",
            "creationTimestamp": format_time(START),
        },
        "spec": {"dnsNames": ["a.example"], "issuerRef": {"name": "acme"}},
        "status": status,
    }
    authority = AcmeAuthority(found, secret("account", data={"tls.key": KEY}))
    return OrderGathered(Order(obj), authority)


@pytest.mark.parametrize("status", ["pending", "processing", "valid"])
@pytest.mark.parametrize("said", [None, 0.0])
def test_an_order_that_stays_as_it_is_becomes_no_loop(status: str, said: float | None) -> None:
    """In a day fewer questions than minutes, and the first within seconds."""
    order = gathered(url=URL, state="valid", finalizeURL=f"{URL}/finalize")
    answer = OrderAnswer(URL, status, f"{URL}/finalize", (), retry_after_seconds=said)
    now, asked, pauses = START, 0, []
    while now < START + timedelta(days=1):
        plan = plan_order(order, Sources(now, ecdsa_only, lambda: 1), options=Options())
        assert plan.ask is not None
        asked += 1
        then = plan.ask.decide(answer, Sources(now, ecdsa_only, lambda: 1))
        assert then.look_again_after_seconds is not None
        pauses.append(then.look_again_after_seconds)
        now += timedelta(seconds=pauses[-1])

    assert asked < 24 * 60 / 3
    assert max(pauses[:3]) <= 10
    assert max(pauses) <= 300


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (Unreachable("no answer from ca.example: connection refused"), "connection refused"),
        (Unreachable("no answer: its certificate is not trusted: x"), "is not trusted"),
        (Problem(503, "", "the answer is no problem document", (), 0.0), "503"),
    ],
)
def test_why_it_waits_is_in_its_status_until_it_goes_on(answer: Any, shown: str) -> None:
    """And "at once" is the loop's own back-off."""
    sources = Sources(START, ecdsa_only, lambda: 1)
    plan = plan_order(gathered(), sources, options=Options())
    assert plan.ask is not None
    waits = plan.ask.decide(answer, sources)
    assert waits.retry
    assert waits.look_again_after_seconds is None
    (written,) = waits.actions
    assert isinstance(written, UpdateStatus)
    assert shown in written.object["status"]["reason"]

    again = gathered(**written.object["status"])
    plan = plan_order(again, sources, options=Options())
    assert plan.ask is not None
    assert not plan.ask.decide(answer, sources).actions, "a write wakes the loop"
    goes_on = plan.ask.decide(OrderAnswer(URL, "pending", f"{URL}/finalize", ()), sources)
    (written,) = goes_on.actions
    assert isinstance(written, UpdateStatus)
    assert "reason" not in written.object["status"]


def test_a_time_to_wait_is_by_the_servers_clock() -> None:
    """Ours may be a day away: a minute stays a minute."""
    headers = {
        "date": "Tue, 01 Jan 2030 10:00:00 GMT",
        "retry-after": "Tue, 01 Jan 2030 10:01:00 GMT",
    }
    assert Answer(503, headers, b"").retry_after_seconds == 60.0
    assert Answer(503, {"retry-after": "soon"}, b"").retry_after_seconds is None


def test_a_problem_is_known_by_its_type_whatever_its_content_type() -> None:
    """A page that happens to be JSON is not quoted."""
    body = b'{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "slow down"}'
    assert Answer(400, {"content-type": "text/plain"}, body).problem.is_rate_limit
    page = b'{"type": "about:blank", "detail": "internal-secret"}'
    assert "internal" not in str(Answer(500, {"content-type": "application/json"}, page).problem)


@pytest.mark.parametrize(
    ("proof", "state"),
    [("valid", "valid"), ("invalid", "invalid"), ("processing", "processing"), ("", "expired")],
)
def test_a_challenge_whose_acceptance_was_lost_is_looked_at(proof: str, state: str) -> None:
    """The CA refuses a second word about what it has looked at: that is no end."""
    at_ca = "pending" if proof in {"processing", ""} else proof
    authority = gathered().authority
    spec = {"url": URL, "authorizationURL": f"{URL}/a", "type": "HTTP-01", "dnsName": "a.example"}
    obj: Manifest = {
        "apiVersion": CHALLENGE.api_version,
        "kind": CHALLENGE.name,
        "metadata": {"name": "c", "namespace": "one", "uid": "c"},
        "spec": spec,
        "status": {"processing": True, "presented": True, "state": "pending"},
    }
    step = _Step(ChallengeGathered(Challenge(obj), authority), Options())
    sources = Sources(START, ecdsa_only, lambda: 1)
    refused = Problem(400, "urn:ietf:params:acme:error:malformed", "it is not pending")
    plan = _after_accept(step, refused, sources)
    assert plan.ask is not None
    assert isinstance(plan.ask.question, GetAuthorization)
    found = ServerChallenge("http-01", URL, "t", proof or "pending")
    answer = Authorization(f"{URL}/a", at_ca, "a.example", wildcard=False, challenges=(found,))
    written = plan.ask.decide(answer, sources).actions[0]
    assert isinstance(written, UpdateStatus)
    assert written.object["status"]["state"] == state
