"""The Vault issuer before a real server of Vault's API: OpenBao."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from certwright import clock
from certwright.adapters.acme.outside import RealWorld
from certwright.pki.certificates import decode_certificates
from certwright.reconcile.options import Options
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import CERTIFICATE, ISSUER, SECRET, Manifest
from certwright.resources.secret import Secret
from certwright_testing.objects import certificate, secret
from certwright_testing.openbao import OpenBao, missing_openbao
from certwright_testing.stories import ecdsa_only
from certwright_testing.vault_server import Authority
from certwright_testing.world import World

pytestmark = [
    pytest.mark.skipif(bool(missing_openbao()), reason=missing_openbao()),
    pytest.mark.timeout(120),
]
WEB = CERTIFICATE.key("one", "web")
VAULT = ISSUER.key("one", "vault")
SPEC: Manifest = {
    "secretName": "tls",
    "commonName": "a.example",
    "dnsNames": ["a.example", "b.example"],
    "ipAddresses": ["192.0.2.7"],
    "uris": ["spiffe://example/a"],
    "duration": "48h",
    "issuerRef": {"name": "vault"},
    "privateKey": {"algorithm": "ECDSA"},
}


@pytest.fixture
def bao(tmp_path: Path) -> Iterator[OpenBao]:
    """Run a server."""
    with OpenBao(tmp_path / "bao") as running:
        running.policy()
        yield running


def vault(bao: OpenBao, auth: Manifest, **fields: Any) -> Manifest:
    """Return an Issuer."""
    bundle = base64.b64encode(bao.ca_pem).decode()
    spec = {"server": bao.url, "path": "pki/sign/web", "auth": auth, "caBundle": bundle, **fields}
    return {
        "apiVersion": ISSUER.api_version,
        "kind": "Issuer",
        "metadata": {"name": "vault", "namespace": "one"},
        "spec": {"vault": spec},
    }


@asynccontextmanager
async def world_with(*objects: Manifest) -> AsyncIterator[World]:
    """Return a settled world."""
    world = World(Options(), now=clock.now(), private_key=ecdsa_only)
    async with RealWorld() as real:
        world.outside = real
        await world.apply(*objects)
        await world.settle()
        yield world


async def said(world: World, key: Any = VAULT) -> tuple[str, str]:
    """Return status and message of Ready."""
    ready = get_condition(await world.got(key), "Ready")
    assert ready is not None
    return ready.status, ready.message


async def assert_issued(world: World, bao: OpenBao) -> None:
    """Check what is served."""
    assert await said(world) == ("True", "Vault verified")
    assert (await said(world, WEB))[0] == "True", world.problems
    served = Secret(await world.got(SECRET.key("one", "tls")))
    leaf = decode_certificates(served.certificate_pem)[0]
    assert leaf.names.dns == ("a.example", "b.example")
    assert leaf.names.ips == ("192.0.2.7",)
    assert leaf.names.uris == ("spiffe://example/a",)
    assert timedelta(hours=47) < leaf.not_after - leaf.not_before < timedelta(hours=49)
    [root] = decode_certificates(bao.root_pem)
    assert decode_certificates(served.ca_pem) == [root]
    assert leaf.is_signed_by(root)


async def test_a_token(bao: OpenBao) -> None:
    """One that may sign and nothing else."""
    made = await asyncio.to_thread(
        bao.ask, "POST", "auth/token/create", {"policies": ["signer"], "ttl": "1h"}
    )
    given = secret("credentials", data={"token": made["auth"]["client_token"].encode()})
    issuer = vault(bao, {"tokenSecretRef": {"name": "credentials"}})
    async with world_with(given, issuer, certificate(spec=SPEC)) as world:
        await assert_issued(world, bao)


async def test_an_app_role(bao: OpenBao) -> None:
    """Its secret id is refused, and heals when the Secret does."""
    await asyncio.to_thread(_app_role, bao)
    found = await asyncio.to_thread(bao.ask, "GET", "auth/approle/role/web/role-id")
    made = await asyncio.to_thread(bao.ask, "POST", "auth/approle/role/web/secret-id", {})
    ref = {"name": "credentials", "key": "id"}
    auth = {"appRole": {"path": "approle", "roleId": found["data"]["role_id"], "secretRef": ref}}
    wrong = secret("credentials", data={"id": b"wrong"})
    right = secret("credentials", data={"id": made["data"]["secret_id"].encode()})
    async with world_with(wrong, vault(bao, auth), certificate(spec=SPEC)) as world:
        status, message = await said(world)
        assert status == "False"
        assert "invalid role or secret ID" in message
        await world.apply(right)
        await world.advance(timedelta(minutes=10))
        await assert_issued(world, bao)


def _app_role(bao: OpenBao) -> None:
    bao.ask("POST", "sys/auth/approle", {"type": "approle"})
    bao.ask("POST", "auth/approle/role/web", {"token_policies": "signer"})


async def test_a_client_certificate(bao: OpenBao) -> None:
    """The login is by TLS: `cert` sees who connects."""
    authority = Authority()
    chain, key = authority.pair("client.example")
    await asyncio.to_thread(bao.ask, "POST", "sys/auth/cert", {"type": "cert"})
    role = {"certificate": authority.root_pem.decode(), "token_policies": "signer"}
    await asyncio.to_thread(bao.ask, "POST", "auth/cert/certs/web", role)
    given = secret("credentials", data={"tls.crt": chain, "tls.key": key})
    auth = {"clientCertificate": {"secretName": "credentials", "name": "web"}}
    async with world_with(given, vault(bao, auth), certificate(spec=SPEC)) as world:
        await assert_issued(world, bao)


async def test_what_the_role_refuses_is_said_in_the_servers_words(bao: OpenBao) -> None:
    """The request has failed; the Certificate says why."""
    await asyncio.to_thread(bao.role, allow_any_name=False, allowed_domains="other.example")
    given = secret("credentials", data={"token": b"root"})
    issuer = vault(bao, {"tokenSecretRef": {"name": "credentials"}})
    async with world_with(given, issuer, certificate(spec=SPEC)) as world:
        issuing = get_condition(await world.got(WEB), "Issuing")
        assert issuing is not None
        assert issuing.reason == "Failed"
        assert "not allowed by this role" in issuing.message


async def test_a_sealed_server_is_waited_for(bao: OpenBao) -> None:
    """Sealing is an accident of operators: nothing fails, and the issuer says so."""
    given = secret("credentials", data={"token": b"root"})
    issuer = vault(bao, {"tokenSecretRef": {"name": "credentials"}})
    await asyncio.to_thread(bao.ask, "PUT", "sys/seal", {})
    async with world_with(given, issuer, certificate(spec=SPEC)) as world:
        status, message = await said(world)
        assert status == "False"
        assert "sealed" in message
        assert get_condition(await world.got(WEB), "Issuing").is_true  # type: ignore[union-attr]


async def test_an_intermediate_gives_its_chain(bao: OpenBao) -> None:
    """`tls.crt` has the intermediate, `ca.crt` the root."""
    await asyncio.to_thread(_intermediate, bao)
    given = secret("credentials", data={"token": b"root"})
    issuer = vault(bao, {"tokenSecretRef": {"name": "credentials"}}, path="mid/sign/web")
    async with world_with(given, issuer, certificate(spec=SPEC)) as world:
        assert (await said(world, WEB))[0] == "True", world.problems
        served = Secret(await world.got(SECRET.key("one", "tls")))
        leaf, middle = decode_certificates(served.certificate_pem)
        [root] = decode_certificates(served.ca_pem)
        assert leaf.is_signed_by(middle)
        assert middle.is_signed_by(root)
        assert [root] == decode_certificates(bao.root_pem)


def _intermediate(bao: OpenBao) -> None:
    bao.ask("POST", "sys/mounts/mid", {"type": "pki", "config": {"max_lease_ttl": "900h"}})
    made = bao.ask("POST", "mid/intermediate/generate/internal", {"common_name": "Middle"})
    asked = {"csr": made["data"]["csr"], "ttl": "800h", "format": "pem_bundle"}
    signed = bao.ask("POST", "pki/root/sign-intermediate", asked)
    chain = signed["data"]["certificate"] + "\n" + bao.root_pem.decode()
    bao.ask("POST", "mid/intermediate/set-signed", {"certificate": chain})
    role = {"allow_any_name": True, "allowed_uri_sans": "*", "key_type": "any", "max_ttl": "72h"}
    bao.ask("POST", "mid/roles/web", role)
