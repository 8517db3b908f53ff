"""Whole lives of Certificates, on a store in memory with a clock that the test moves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.pki.key_pair import check_key_pair
from certwright.reconcile.gather import is_issuing
from certwright.reconcile.indexes import is_closed
from certwright.reconcile.names import key_secret_names
from certwright.resources import meta
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition, with_condition
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    ISSUER,
    SECRET,
    Kind,
    Manifest,
)
from certwright.resources.secret import Secret
from certwright.resources.times import format_time
from certwright_testing.objects import certificate, issuer, secret
from certwright_testing.stories import ecdsa_only
from certwright_testing.world import World

WEB = CERTIFICATE.key("one", "web")
TLS = SECRET.key("one", "tls")
SPEC = {
    "secretName": "tls",
    "dnsNames": ["a.example"],
    "issuerRef": {"name": "ca"},
    "privateKey": {"algorithm": "ECDSA"},
}


async def test_a_certificate_is_issued() -> None:
    """From a Certificate and an Issuer to a Secret that serves, with all events said."""
    world = World()
    await world.apply(issuer(), certificate(spec=SPEC))

    await world.settle()

    assert world.problems == []
    obj = await world.got(WEB)
    ready = get_condition(obj, "Ready")
    assert ready is not None
    assert (ready.status, ready.reason) == ("True", "Ready")
    assert get_condition(obj, "Issuing") is None
    assert Certificate(obj).revision == 1
    assert Certificate(obj).next_private_key_secret_name == ""
    secret = Secret(await world.got(TLS))
    assert check_key_pair(secret.certificate_pem, secret.private_key_pem) == ""
    assert len(world.all(CERTIFICATE_REQUEST)) == 1
    assert len(world.all(SECRET)) == 1


async def issued(world: World, **spec: Any) -> World:
    """Issue `one/web` for the issuer `one/ca`."""
    await world.apply(issuer(), certificate(spec={**SPEC, **spec}))
    await world.settle()
    return world


def leaf(obj: Manifest) -> DecodedCertificate:
    """Return the certificate in a Secret."""
    return decode_certificates(Secret(obj).certificate_pem)[0]


async def test_events_are_those_of_the_original() -> None:
    """Words that people grep for, in the order of the story."""
    world = await issued(World(private_key=ecdsa_only), commonName="a.example")

    key = Certificate(await world.got(WEB)).uid
    assert key
    assert [(reason, message) for _, _, _, reason, message in world.events] == [
        ("Issuing", "Issuing certificate as Secret does not exist"),
        (
            "Generated",
            (
                "Stored new private key in temporary Secret resource "
                f'"{next(key_secret_names(Certificate(await world.got(WEB)), 1))}"'
            ),
        ),
        (
            "Requested",
            (
                "Created new CertificateRequest resource "
                f'"{world.all(CERTIFICATE_REQUEST)[0]["metadata"]["name"]}"'
            ),
        ),
        ("cert-manager.io", "Certificate request has been approved by cert-manager.io"),
        ("CertificateIssued", "Certificate fetched from issuer successfully"),
        ("Issuing", "The certificate has been successfully issued"),
    ]


async def test_the_key_stays_unless_the_policy_says_always() -> None:
    """Never is the default of 1.12; Always makes a new key at each issuance."""
    world = await issued(World(private_key=ecdsa_only))
    first = Secret(await world.got(TLS)).private_key_pem
    await world.advance(timedelta(days=61))
    second = Secret(await world.got(TLS)).private_key_pem
    always = {"algorithm": "ECDSA", "rotationPolicy": "Always"}
    await world.change(WEB, privateKey=always)
    await world.advance(timedelta(days=61))

    assert second == first
    assert Secret(await world.got(TLS)).private_key_pem != first
    assert Certificate(await world.got(WEB)).revision == 3
    assert 'Reusing private key stored in existing Secret resource "tls"' in world.said("Reused")


async def test_a_key_that_does_not_fit_waits_for_the_user() -> None:
    """With Never the key is not replaced: it says so, and what to do, and goes on when told to."""
    world = await issued(World(private_key=ecdsa_only))
    await world.change(WEB, privateKey={"algorithm": "ECDSA", "size": 384})
    await world.advance(timedelta(hours=1))

    obj = await world.got(WEB)
    assert Certificate(obj).revision == 1
    issuing = get_condition(obj, "Issuing")
    assert issuing is not None
    assert (issuing.status, issuing.message) == (
        "True",
        "Existing private key is not up to date for spec: [spec.privateKey.size]",
    )
    assert world.said("CannotRegenerateKey")[0].startswith(
        'User intervention required: existing private key in Secret "tls" does not match '
        "requirements on Certificate resource, mismatching fields: [spec.privateKey.size], but"
    )
    await world.change(
        WEB, privateKey={"algorithm": "ECDSA", "size": 384, "rotationPolicy": "Always"}
    )
    await world.advance(timedelta(hours=1))
    assert Certificate(await world.got(WEB)).revision == 2


async def fail(world: World) -> None:
    """Fail the request that is open, as an issuer does."""
    for obj in world.all(CERTIFICATE_REQUEST):
        if not is_closed(obj):
            failed = with_condition(
                obj, type="Ready", status="False", reason="Failed", message="no luck", now=world.now
            )
            failed["status"]["failureTime"] = format_time(world.now)
            await world.store.update_status(failed, manager="issuer")


async def test_failures_wait_longer_and_longer() -> None:
    """1, 2, 4, 8, 16, 32, 32 hours; the count and the time stand in the status."""
    world = World(private_key=ecdsa_only)
    external = {"name": "x", "group": "example.com", "kind": "Thing"}
    await world.apply(certificate(spec={**SPEC, "issuerRef": external}))
    await world.settle()
    began = []
    for attempt in range(1, 9):
        await world.advance(timedelta(seconds=10))
        await fail(world)
        await world.settle()
        obj = await world.got(WEB)
        assert Certificate(obj).failed_issuance_attempts == attempt
        failed = Certificate(obj).last_failure_time
        assert failed == world.now
        issuing = get_condition(obj, "Issuing")
        assert issuing is not None
        assert (issuing.status, issuing.reason, issuing.message) == (
            "False",
            "Failed",
            "The certificate request has failed to complete and will be retried: no luck",
        )
        while not is_issuing(Certificate(await world.got(WEB))):
            due = world.next_due()
            assert due is not None
            await world.advance(due - world.now)
        began.append((world.now - failed) / timedelta(hours=1))
        assert len(world.all(CERTIFICATE_REQUEST)) == 1

    assert began == [1, 2, 4, 8, 16, 32, 32, 32]


async def test_a_change_of_the_spec_ends_the_wait() -> None:
    """Who mends the mistake need not wait; success clears the count."""
    world = World(private_key=ecdsa_only)
    external = {"name": "x", "group": "example.com", "kind": "Thing"}
    await world.apply(issuer(), certificate(spec={**SPEC, "issuerRef": external}))
    await world.settle()
    await fail(world)
    await world.settle()
    await world.change(WEB, issuerRef={"name": "ca"})
    await world.settle()

    assert Certificate(await world.got(WEB)).revision == 1
    assert Certificate(await world.got(WEB)).failed_issuance_attempts is None
    assert Certificate(await world.got(WEB)).last_failure_time is None


async def test_an_invalid_request_fails_with_its_own_words() -> None:
    """InvalidRequest is set by issuers that will never sign such a request."""
    world = World(private_key=ecdsa_only)
    await world.apply(certificate(spec={**SPEC, "issuerRef": {"name": "x", "group": "e.example"}}))
    await world.settle()
    request = world.all(CERTIFICATE_REQUEST)[0]
    invalid = with_condition(
        request, type="InvalidRequest", status="True", reason="Odd", message="why", now=world.now
    )
    await world.store.update_status(invalid, manager="issuer")
    await world.settle()

    assert world.said("Odd") == [
        "The certificate request has failed to complete and will be retried: why"
    ]


async def test_an_answer_for_another_key_is_never_stored() -> None:
    """An issuer's mistake is a failure with a back-off, not a Secret that no server can load."""
    world = World(private_key=ecdsa_only)
    await world.apply(issuer(), certificate("other", spec={**SPEC, "secretName": "other"}))
    await world.settle()
    wrong = (await world.got(SECRET.key("one", "other")))["data"]["tls.crt"]
    await world.apply(certificate(spec={**SPEC, "issuerRef": {"name": "x", "group": "e.example"}}))
    await world.settle()
    for obj in world.all(CERTIFICATE_REQUEST):
        if not is_closed(obj):
            done = with_condition(
                obj, type="Ready", status="True", reason="Issued", message="", now=world.now
            )
            done["status"]["certificate"] = wrong
            await world.store.update_status(done, manager="issuer")
    await world.settle()

    assert await world.store.get(TLS) is None
    issuing = get_condition(await world.got(WEB), "Issuing")
    assert issuing is not None
    assert issuing.status == "False"
    assert "tls: private key does not match public key" in issuing.message


@pytest.mark.parametrize("kind", [SECRET, CERTIFICATE_REQUEST, ISSUER])
@pytest.mark.parametrize("after", range(14))
async def test_any_object_may_be_deleted_at_any_time(kind: Kind, after: int) -> None:
    """After each write of an issuance all objects of a kind go; it ends with a certificate."""

    async def delete(world: World) -> None:
        if world.writes == after:
            for obj in world.all(kind):
                await world.store.delete(meta.key_of(obj))
            if kind == ISSUER:
                await world.apply(issuer())

    world = World(private_key=ecdsa_only, before_write=delete)
    await issued(world)
    world.before_write = None
    await world.advance(timedelta(hours=3))

    obj = await world.got(WEB)
    ready = get_condition(obj, "Ready")
    assert ready is not None
    assert ready.is_true
    assert get_condition(obj, "Issuing") is None
    secret = Secret(await world.got(TLS))
    assert check_key_pair(secret.certificate_pem, secret.private_key_pem) == ""
    assert len(world.all(SECRET)) == 1


@pytest.mark.parametrize("after", range(12))
async def test_a_deleted_certificate_leaves_only_its_secret(after: int) -> None:
    """Nothing is made for it any more; keys and requests go with it, what is served stays."""

    async def delete(world: World) -> None:
        if world.writes == after:
            await world.store.delete(WEB)

    world = World(private_key=ecdsa_only, before_write=delete)
    await issued(world)
    world.before_write = None
    await world.advance(timedelta(hours=3))
    if await world.store.get(WEB) is not None:
        pytest.skip("the issuance has fewer writes")

    assert world.all(CERTIFICATE_REQUEST) == []
    assert [meta.name(obj) for obj in world.all(SECRET)] in ([], ["tls"])
    assert all(samples == () for samples in world.gauges.values())


async def test_duplicates_stop_everything_and_are_named() -> None:
    """Two requests of one revision: nobody knows which counts, so a person must decide."""
    world = World(private_key=ecdsa_only)
    await world.apply(certificate(spec=SPEC))
    await world.settle()
    copy = world.all(CERTIFICATE_REQUEST)[0]
    metadata = {
        name: copy["metadata"][name] for name in ("namespace", "annotations", "ownerReferences")
    }
    twin = {**copy, "metadata": {**metadata, "name": "web-twin"}}
    del twin["status"]
    await world.store.create(twin, manager="user")
    await world.apply(issuer())
    await world.advance(timedelta(minutes=5))

    assert Certificate(await world.got(WEB)).revision is None
    assert len(world.all(CERTIFICATE_REQUEST)) == 2
    told = world.said("RequestFailed")[0]
    assert told.startswith("2 CertificateRequests exist for revision 1")
    await world.store.delete(CERTIFICATE_REQUEST.key("one", "web-twin"))
    await world.advance(timedelta(minutes=5))
    assert Certificate(await world.got(WEB)).revision == 1


async def test_a_foreign_object_with_our_name_is_stepped_around() -> None:
    """Somebody holds the names that we would take: the next ones are taken."""
    world = World(private_key=ecdsa_only)
    await world.apply(issuer(), certificate(spec=SPEC))
    taken = next(key_secret_names(Certificate(await world.got(WEB)), 1))
    await world.apply(secret(taken))

    await world.settle()

    assert Certificate(await world.got(WEB)).revision == 1
    assert Secret(await world.got(SECRET.key("one", taken))).data == {"a": b"1"}


async def test_old_requests_go_when_the_history_is_limited() -> None:
    """The newest stay."""
    world = await issued(World(private_key=ecdsa_only), revisionHistoryLimit=2)
    for _ in range(4):
        await world.advance(timedelta(days=60))

    revisions = [CertificateRequest(obj).revision for obj in world.all(CERTIFICATE_REQUEST)]
    assert sorted(revisions) == [4, 5]


async def test_the_secret_is_dressed_again_without_a_new_certificate() -> None:
    """Template, keystores and foreign edits of what is ours: same key, same certificate."""
    world = await issued(World(private_key=ecdsa_only))
    before = Secret(await world.got(TLS))
    await world.apply(secret("pw", data={"p": b"changeit"}))
    await world.change(
        WEB,
        secretTemplate={"labels": {"team": "web"}, "annotations": {"a": "b"}},
        keystores={"jks": {"create": True, "passwordSecretRef": {"name": "pw", "key": "p"}}},
    )
    await world.settle()
    dressed = Secret(await world.got(TLS))
    assert dressed.labels == {"controller.cert-manager.io/fao": "true", "team": "web"}
    assert dressed.annotations["a"] == "b"
    assert dressed.get("keystore.jks")
    assert dressed.get("truststore.jks")

    await world.change(WEB, secretTemplate=None, keystores=None)
    await world.settle()
    bare = Secret(await world.got(TLS))
    assert dict(bare.labels) == dict(before.labels)
    assert dict(bare.annotations) == dict(before.annotations)
    assert dict(bare.data) == dict(before.data)
    assert Certificate(await world.got(WEB)).revision == 1


async def test_a_missing_password_is_said_and_waited_for() -> None:
    """The issuance hangs, and an event says on what."""
    world = World(private_key=ecdsa_only)
    ref = {"name": "pw", "key": "p"}
    await issued(world, keystores={"pkcs12": {"create": True, "passwordSecretRef": ref}})

    assert await world.store.get(TLS) is None
    assert world.said("SecretWriteFailed")[0] == (
        "Failed to write Secret tls: fetching PKCS12 keystore password from Secret: "
        'secret "pw" not found'
    )
    await world.apply(secret("pw", data={"p": b"changeit"}))
    await world.advance(timedelta(minutes=1))
    assert Secret(await world.got(TLS)).get("keystore.p12")


async def test_a_temporary_certificate_stands_in_and_is_not_ready() -> None:
    """It serves until the real one is there; Ready says what it is."""
    world = World(private_key=ecdsa_only)
    note = {"cert-manager.io/issue-temporary-certificate": "true"}
    await world.apply(certificate(spec=SPEC, annotations=note))
    await world.settle()

    stand_in = leaf(await world.got(TLS))
    assert stand_in.subject.serial_number == "1234567890"
    assert stand_in.names.dns == ("a.example",)
    ready = get_condition(await world.got(WEB), "Ready")
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "TemporaryCertificate")
    await world.apply(issuer())
    await world.settle()
    assert leaf(await world.got(TLS)).subject.serial_number == ""
    assert Certificate(await world.got(WEB)).revision == 1


async def test_external_issuers_are_left_alone() -> None:
    """The request is approved and then somebody else's."""
    world = World(private_key=ecdsa_only)
    await world.apply(certificate(spec={**SPEC, "issuerRef": {"name": "x", "group": "e.example"}}))
    await world.settle()

    request = world.all(CERTIFICATE_REQUEST)[0]
    assert [entry["type"] for entry in request["status"]["conditions"]] == ["Approved"]
