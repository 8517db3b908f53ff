"""The Venafi issuer, before platforms that are written from their API documentation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from certwright import clock
from certwright.adapters.acme.outside import RealWorld
from certwright.pki.certificates import decode_certificates
from certwright.resources import meta
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    ISSUER,
    SECRET,
    Manifest,
)
from certwright.resources.secret import Secret
from certwright_testing.objects import certificate, secret
from certwright_testing.stories import ecdsa_only
from certwright_testing.venafi_server import CLOUD_KEY, VenafiServer
from certwright_testing.world import World

WEB = CERTIFICATE.key("one", "web")
VENAFI = ISSUER.key("one", "venafi")
FIELDS = "venafi.cert-manager.io/custom-fields"
SPEC: Manifest = {
    "secretName": "tls",
    "commonName": "a.example",
    "dnsNames": ["a.example"],
    "issuerRef": {"name": "venafi"},
    "privateKey": {"algorithm": "ECDSA"},
}


def tpp(server: VenafiServer, zone: str = "web") -> Manifest:
    """Return an Issuer."""
    config = {"url": f"{server.url}/vedsdk", "credentialsRef": {"name": "credentials"}}
    return issuer({"zone": zone, "tpp": config})


def issuer(venafi: Manifest) -> Manifest:
    """Return an Issuer called `venafi`."""
    return {
        "apiVersion": ISSUER.api_version,
        "kind": "Issuer",
        "metadata": {"name": "venafi", "namespace": "one"},
        "spec": {"venafi": venafi},
    }


@asynccontextmanager
async def world_with(*objects: Manifest) -> AsyncIterator[World]:
    """Return a settled world with these objects, and the network outside of it."""
    world = World(now=clock.now(), private_key=ecdsa_only)
    async with RealWorld() as real:
        world.outside = real
        await world.apply(*objects)
        await world.settle()
        yield world


def said(obj: Manifest) -> tuple[str, str, str]:
    """Return status, reason and message of Ready."""
    ready = get_condition(obj, "Ready")
    assert ready is not None
    return ready.status, ready.reason, ready.message


async def assert_issued(world: World, server: VenafiServer) -> None:
    """Check what is served."""
    started = "Venafi issuer started"
    assert said(await world.got(VENAFI)) == ("True", started, started)
    assert said(await world.got(WEB))[0] == "True", world.problems
    served = Secret(await world.got(SECRET.key("one", "tls")))
    assert len(decode_certificates(served.certificate_pem)) == 2
    assert served.data["ca.crt"] == server.authority.root_pem


def bodies(server: VenafiServer, path: str) -> list[Any]:
    """Return what was sent to a path."""
    return [body for seen, body in server.seen if seen == path]


async def test_tpp_issues_after_an_approval() -> None:
    """One request, with its custom fields; asked for until there is a certificate."""
    wanted = certificate(
        spec=SPEC,
        annotations={FIELDS: '[{"name": "team", "value": "a"}, {"name": "team", "value": "b"}]'},
    )
    given = secret("credentials", data={"access-token": b"first"})
    async with (
        VenafiServer(polls_until_issued=2).running() as server,
        world_with(given, tpp(server), wanted) as world,
    ):
        (request,) = world.all(CERTIFICATE_REQUEST)
        assert meta.annotations(request)["venafi.cert-manager.io/pickup-id"] == (
            "\\VED\\Policy\\web\\a.example"
        )
        assert said(request)[1:] == (
            "Pending",
            (
                "Venafi certificate still in a pending state, the request will be retried: "
                "Waiting for approval"
            ),
        )
        assert "Venafi certificate is requested" in world.said("IssuancePending")
        await world.advance(timedelta(minutes=6))
        await assert_issued(world, server)

        (sent,) = bodies(server, "/vedsdk/certificates/request")
        assert sent.pop("PKCS10").startswith("-----BEGIN CERTIFICATE REQUEST-----")
        assert sent == {
            "PolicyDN": "\\VED\\Policy\\web",
            "ObjectName": "a.example",
            "DisableAutomaticRenewal": "true",
            "CASpecificAttributes": [{"Name": "Origin", "Value": "cert-manager"}],
            "Origin": "cert-manager",
            "CustomFields": [{"Name": "team", "Values": ["a", "b"]}],
        }
        assert bodies(server, "/vedsdk/certificates/retrieve")[0] == {
            "CertificateDN": "\\VED\\Policy\\web\\a.example",
            "Format": "base64",
            "RootFirstOrder": "false",
            "IncludeChain": "true",
        }


async def test_a_token_that_has_ended_is_refreshed() -> None:
    """Both new tokens are in the Secret before they are used; what else is there stays."""
    data = {"access-token": b"old", "refresh-token": b"refresh-1", "note": b"mine"}
    given = secret("credentials", data=data)
    async with (
        VenafiServer(polls_until_issued=0).running() as server,
        world_with(given, tpp(server), certificate(spec=SPEC)) as world,
    ):
        await world.advance(timedelta(minutes=6))
        await assert_issued(world, server)
        stored = Secret(await world.got(SECRET.key("one", "credentials"))).data
        assert stored == {
            "access-token": b"access-2",
            "refresh-token": b"refresh-2",
            "note": b"mine",
        }
        server.access_token = "ended"
        await world.change(WEB, dnsNames=["a.example", "b.example"])
        await world.advance(timedelta(minutes=11))
        assert said(await world.got(WEB))[0] == "True", world.problems
        assert server.refresh_token == "refresh-3"
        assert server.access_token == "access-3"


async def test_users_of_old_platforms_log_in() -> None:
    """By name and password; wrong ones are said."""
    wrong = secret("credentials", data={"username": b"jane", "password": b"no"})
    async with (
        VenafiServer(polls_until_issued=0).running() as server,
        world_with(wrong, tpp(server), certificate(spec=SPEC)) as world,
    ):
        status, reason, message = said(await world.got(VENAFI))
        assert (status, reason) == ("False", "ErrorSetup")
        assert message == (
            "Failed to setup Venafi issuer: client.VerifyCredentials: tppClient.Authenticate: "
            f"POST {server.url}/vedsdk/authorize/: 401: Username/password invalid"
        )
        await world.apply(secret("credentials", data={"username": b"jane", "password": b"secret"}))
        await world.advance(timedelta(minutes=6))
        await assert_issued(world, server)
        assert world.said("Ready") == ["Verified issuer with Venafi server"]


async def test_the_cloud_issues() -> None:
    """By application and issuing template."""
    venafi = {"zone": "my app\\Default", "cloud": {"apiTokenSecretRef": {"name": "credentials"}}}
    given = secret("credentials", data={"api-key": CLOUD_KEY.encode()})
    async with VenafiServer().running() as server:
        venafi["cloud"]["url"] = f"{server.url}/v1"  # type: ignore[index]
        async with world_with(given, issuer(venafi), certificate(spec=SPEC)) as world:
            await world.advance(timedelta(minutes=6))
            await assert_issued(world, server)
        (sent,) = bodies(server, "/outagedetection/v1/certificaterequests")
        assert sent.pop("certificateSigningRequest").startswith("-----BEGIN CERTIFICATE REQUEST")
        assert sent == {
            "applicationId": "app-1",
            "certificateIssuingTemplateId": "template-7",
            "apiClientInformation": {"type": "cert-manager", "identifier": ""},
            "validityPeriod": "PT2160H",
        }


async def test_refusals_have_failed_and_trouble_waits() -> None:
    """A zone that is not there is final; a CA that is not there is not."""
    given = secret("credentials", data={"access-token": b"first"})
    wanted = certificate(spec=SPEC)
    async with VenafiServer(polls_until_issued=0).running() as server:
        async with world_with(given, tpp(server, "other"), wanted) as world:
            (request,) = world.all(CERTIFICATE_REQUEST)
            status, reason, message = said(request)
            assert (status, reason) == ("False", "Failed")
            assert message.startswith("Failed to request venafi certificate: POST ")
            assert "does not exist or not enough rights" in message
        server.trouble = 503
        async with world_with(given, tpp(server), wanted) as world:
            (request,) = world.all(CERTIFICATE_REQUEST)
            assert said(request)[1] == "Pending"
            server.trouble = 0
            await world.advance(timedelta(minutes=6))
            await assert_issued(world, server)


async def test_custom_fields_that_cannot_be_read_have_failed() -> None:
    """In the original's words; nothing is sent."""
    given = secret("credentials", data={"access-token": b"first"})
    async with VenafiServer().running() as server:
        for text, start in (
            ("[", f'Failed to parse "{FIELDS}" annotation: '),
            (
                '[{"name": "a", "value": "b", "type": "Bool"}]',
                'certificate request contains an invalid Venafi custom fields type: "Bool"',
            ),
        ):
            wanted = certificate(spec=SPEC, annotations={FIELDS: text})
            async with world_with(given, tpp(server), wanted) as world:
                (request,) = world.all(CERTIFICATE_REQUEST)
                assert said(request)[1] == "Failed"
                assert said(request)[2].startswith(start)
        assert not bodies(server, "/vedsdk/certificates/request")
