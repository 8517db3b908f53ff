"""The Vault issuer, before a server that is written from Vault's API documentation."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from certwright import clock
from certwright.adapters.acme.outside import RealWorld
from certwright.pki.certificates import decode_certificates
from certwright.reconcile.options import Options
from certwright.resources.conditions import get_condition
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CERTIFICATE_SIGNING_REQUEST,
    ISSUER,
    SECRET,
    Manifest,
)
from certwright.resources.secret import Secret
from certwright_testing.objects import certificate, secret
from certwright_testing.stories import ecdsa_only
from certwright_testing.vault_server import VaultServer
from certwright_testing.world import World

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
TOKEN = {"tokenSecretRef": {"name": "credentials"}}
APP_ROLE = {
    "appRole": {
        "path": "approle",
        "roleId": "role-7",
        "secretRef": {"name": "credentials", "key": "id"},
    }
}


def vault(server: VaultServer, auth: Manifest, **fields: Any) -> Manifest:
    """Return an Issuer that trusts the server's CA."""
    bundle = base64.b64encode(server.authority.root_pem).decode()
    spec = {"server": server.url, "path": server.path, "auth": auth, "caBundle": bundle, **fields}
    return {
        "apiVersion": ISSUER.api_version,
        "kind": "Issuer",
        "metadata": {"name": "vault", "namespace": "one"},
        "spec": {"vault": {name: value for name, value in spec.items() if value is not None}},
    }


@dataclass(slots=True)
class ApiServer:
    """Gives tokens to service accounts."""

    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    async def call(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer a TokenRequest."""
        self.asked.append((path, body))
        return {"status": {"token": "jwt-of-an-account"}}


@asynccontextmanager
async def world_with(
    *objects: Manifest, gates: FeatureGates | None = None, api: ApiServer | None = None
) -> AsyncIterator[World]:
    """Return a settled world with these objects, and the network outside of it."""
    world = World(Options(gates=gates or FeatureGates()), now=clock.now(), private_key=ecdsa_only)
    async with RealWorld(webhook=None if api is None else api.call) as real:
        world.outside = real
        await world.apply(*objects)
        await world.settle()
        yield world


def said(obj: Manifest) -> tuple[str, str, str]:
    """Return status, reason and message of Ready."""
    ready = get_condition(obj, "Ready")
    assert ready is not None
    return ready.status, ready.reason, ready.message


async def assert_issued(world: World, server: VaultServer) -> None:
    """Check what is served."""
    assert said(await world.got(VAULT)) == ("True", "VaultVerified", "Vault verified")
    assert said(await world.got(WEB))[0] == "True", world.problems
    served = Secret(await world.got(SECRET.key("one", "tls")))
    chain = decode_certificates(served.certificate_pem)
    assert len(chain) == 2, "the leaf and who signed it"
    assert chain[0].names.dns == ("a.example", "b.example")
    assert chain[0].not_after - chain[0].not_before <= timedelta(hours=49)
    assert served.data["ca.crt"] == server.authority.root_pem


async def test_a_token_signs(tmp_path: Path) -> None:
    """The request is the original's, and so is the chain."""
    async with VaultServer().running(tmp_path) as server:
        given = secret("credentials", data={"token": b"s.root\n"})
        async with world_with(given, vault(server, TOKEN), certificate(spec=SPEC)) as world:
            await assert_issued(world, server)
        path, headers, body = server.seen[-1]
        assert (path, headers["X-Vault-Token"]) == ("/v1/pki/sign/web", "s.root")
        csr = body.pop("csr")
        assert csr.startswith("-----BEGIN CERTIFICATE REQUEST-----")
        assert body == {
            "common_name": "a.example",
            "alt_names": "a.example,b.example",
            "ip_sans": "192.0.2.7",
            "uri_sans": "spiffe://example/a",
            "ttl": "48h0m0s",
            "exclude_cn_from_sans": "true",
        }


async def test_a_login_by_app_role_in_a_namespace(tmp_path: Path) -> None:
    """The namespace counts for logins and signing; health is the whole server's."""
    async with VaultServer(namespace="team").running(tmp_path) as server:
        given = secret("credentials", data={"id": b" secret-7\n"})
        issuer = vault(server, APP_ROLE, namespace="team")
        async with world_with(given, issuer, certificate(spec=SPEC)) as world:
            await assert_issued(world, server)
        namespaces = {path: headers.get("X-Vault-Namespace") for path, headers, _ in server.seen}
        assert namespaces == {
            "/v1/auth/approle/login": "team",
            "/v1/sys/health": None,
            "/v1/pki/sign/web": "team",
        }


async def test_a_login_by_a_service_accounts_secret(tmp_path: Path) -> None:
    """The bundle to trust may be in a Secret."""
    async with VaultServer(is_jwt_good=lambda jwt: jwt == "jwt").running(tmp_path) as server:
        auth = {"kubernetes": {"role": "web", "secretRef": {"name": "credentials"}}}
        ref = {"name": "trusted"}
        issuer = vault(server, auth, caBundle=None, caBundleSecretRef=ref)
        given = secret("credentials", data={"token": b"jwt"})
        trusted = secret("trusted", data={"ca.crt": server.authority.root_pem})
        async with world_with(given, trusted, issuer, certificate(spec=SPEC)) as world:
            await assert_issued(world, server)


async def test_a_login_by_a_token_that_is_asked_for(tmp_path: Path) -> None:
    """Its audience names the issuer, so that it is of no use elsewhere."""
    good = "jwt-of-an-account"
    async with VaultServer(is_jwt_good=lambda jwt: jwt == good).running(tmp_path) as server:
        account = {"name": "robot", "audiences": ["more"]}
        auth = {"kubernetes": {"role": "web", "serviceAccountRef": account}}
        api = ApiServer()
        objects = vault(server, auth), certificate(spec=SPEC)
        async with world_with(*objects, api=api) as world:
            await assert_issued(world, server)
        path, body = api.asked[0]
        assert path == "/api/v1/namespaces/one/serviceaccounts/robot/token"
        assert body["spec"] == {
            "audiences": ["vault://one/vault", "more"],
            "expirationSeconds": 600,
        }


async def test_a_login_by_client_certificate(tmp_path: Path) -> None:
    """The certificate goes with the login only, or with the connection."""
    async with VaultServer().running(tmp_path) as server:
        chain, key = server.authority.pair("client.example")
        given = secret("credentials", data={"tls.crt": chain, "tls.key": key})
        auth = {"clientCertificate": {"secretName": "credentials", "name": "web"}}
        async with world_with(given, vault(server, auth), certificate(spec=SPEC)) as world:
            await assert_issued(world, server)
        issuer = vault(
            server,
            {"clientCertificate": {"name": "web"}},
            clientCertSecretRef={"name": "credentials"},
            clientKeySecretRef={"name": "credentials"},
        )
        async with world_with(given, issuer, certificate(spec=SPEC)) as world:
            await assert_issued(world, server)


ROLE = {"role": "web"}


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        ({}, "Vault tokenSecretRef, appRole, or kubernetes is required"),
        (
            {**TOKEN, **APP_ROLE},
            "Multiple auth methods cannot be set on the same Vault issuer",
        ),
        ({"kubernetes": {"role": ""}}, "Vault Kubernetes auth requires a role to be set"),
        (
            {
                "kubernetes": {
                    **ROLE,
                    "secretRef": {"name": "a"},
                    "serviceAccountRef": {"name": "b"},
                }
            },
            (
                "Vault Kubernetes auth cannot be used with both secretRef.name and"
                " serviceAccountRef.name"
            ),
        ),
        (
            {"appRole": {"path": "p", "roleId": "r", "secretRef": {"name": "a"}}},
            "Vault AppRole auth requires secretRef.key",
        ),
        (
            {"tokenSecretRef": {"name": "nobody"}},
            'Failed to initialize Vault client: secret "nobody" not found',
        ),
        (
            {"kubernetes": {**ROLE, "secretRef": {"name": "nobody"}}},
            (
                "Failed to initialize Vault client: while requesting a Vault token using the"
                ' Kubernetes auth: secret "nobody" not found'
            ),
        ),
        (
            {"tokenSecretRef": {"name": "credentials", "key": "other"}},
            (
                'Failed to initialize Vault client: no data for "other" in secret'
                " 'one/credentials'"
            ),
        ),
    ],
)
def test_what_is_wrong_with_an_issuer_is_said(auth: Manifest, message: str) -> None:
    """In the original's words, without asking anybody."""
    from certwright.issuers.contract import IssuerState
    from certwright.issuers.vault import VaultSigner
    from certwright.resources.issuer import Issuer

    given = secret("credentials", data={"token": b"t"})
    state = VaultSigner().state(
        Issuer(vault(VaultServer(), auth)), "one", {SECRET.key("one", "credentials"): given}
    )
    assert isinstance(state, IssuerState)
    assert (state.ready, state.reason, state.message) == (False, "VaultError", message)


async def test_a_login_that_is_refused_is_said_in_the_servers_words(tmp_path: Path) -> None:
    """And heals when the Secret does."""
    async with VaultServer().running(tmp_path) as server:
        given = secret("credentials", data={"id": b"wrong"})
        issuer = vault(server, APP_ROLE)
        async with world_with(given, issuer, certificate(spec=SPEC)) as world:
            assert said(await world.got(VAULT)) == (
                "False",
                "VaultError",
                (
                    "Failed to initialize Vault client: error logging in to Vault server: "
                    "Error making API request.\n\n"
                    f"URL: POST {server.url}/v1/auth/approle/login\n"
                    "Code: 400. Errors:\n\n* invalid role or secret ID"
                ),
            )
            await world.apply(secret("credentials", data={"id": b"secret-7"}))
            await world.settle()
            await assert_issued(world, server)


async def test_a_sealed_server_is_waited_for(tmp_path: Path) -> None:
    """A standby is as good as any."""
    async with VaultServer(health=503).running(tmp_path) as server:
        given = secret("credentials", data={"token": b"s.root"})
        async with world_with(given, vault(server, TOKEN), certificate(spec=SPEC)) as world:
            assert said(await world.got(VAULT)) == (
                "False",
                "VaultError",
                "Vault is not initialized or is sealed",
            )
            server.health = 429
            await world.advance(timedelta(minutes=6))
            await assert_issued(world, server)


async def test_what_the_role_refuses_has_failed(tmp_path: Path) -> None:
    """The server's words are the request's; the Certificate tries again after an hour."""
    async with VaultServer(allowed_domains=("other",)).running(tmp_path) as server:
        given = secret("credentials", data={"token": b"s.root"})
        async with world_with(given, vault(server, TOKEN), certificate(spec=SPEC)) as world:
            (request,) = world.all(CERTIFICATE_REQUEST)
            status, reason, message = said(request)
            assert (status, reason) == ("False", "Failed")
            assert message.startswith(
                "Vault failed to sign certificate: failed to sign certificate by vault: "
                "Error making API request."
            )
            assert message.endswith("not allowed by this role")
            assert world.said("SigningError") == [message]


async def test_a_server_in_trouble_costs_no_attempt(tmp_path: Path) -> None:
    """The original fails the request at once."""
    async with VaultServer(trouble=500).running(tmp_path) as server:
        given = secret("credentials", data={"token": b"s.root"})
        async with world_with(given, vault(server, TOKEN), certificate(spec=SPEC)) as world:
            (request,) = world.all(CERTIFICATE_REQUEST)
            assert said(request)[:2] == ("False", "Pending")
            server.trouble = 0
            await world.advance(timedelta(minutes=6))
            await assert_issued(world, server)
            assert "failedIssuanceAttempts" not in (await world.got(WEB))["status"]


async def test_a_lost_secret_is_waited_for(tmp_path: Path) -> None:
    """In the original's words."""
    async with VaultServer(health=200).running(tmp_path) as server:
        given = secret("credentials", data={"token": b"s.root"})
        async with world_with(given, vault(server, TOKEN)) as world:
            await world.store.delete(SECRET.key("one", "credentials"))
            await world.apply(certificate(spec=SPEC))
            for controller in world.controllers:
                if controller.name == "certificaterequests-issuer-vault":
                    assert controller.backoff.seconds_max == 300.0
            await world.settle()
            (request,) = world.all(CERTIFICATE_REQUEST)
            assert said(request)[1] == "Pending"


async def test_kubernetes_own_requests_are_signed_too(tmp_path: Path) -> None:
    """With a ClusterIssuer; a refusal has that kind's words."""
    gates = FeatureGates(frozenset({"ExperimentalCertificateSigningRequestControllers"}))
    async with VaultServer().running(tmp_path) as server:
        issuer = vault(server, TOKEN)
        issuer["kind"] = "ClusterIssuer"
        issuer["metadata"] = {"name": "vault"}
        given = secret("credentials", "kube-system", data={"token": b"s.root"})
        async with world_with(given, issuer, gates=gates) as world:
            await world.apply(_signing_request())
            await world.settle()
            signed = world.all(CERTIFICATE_SIGNING_REQUEST)[0]
            pem = base64.b64decode(signed["status"]["certificate"])
            assert decode_certificates(pem)[0].names.dns == ("a.example",)

        server.allowed_domains = ("other",)
        async with world_with(given, issuer, gates=gates) as world:
            await world.apply(_signing_request())
            await world.settle()
            failed = get_condition(world.all(CERTIFICATE_SIGNING_REQUEST)[0], "Failed")
            assert failed is not None
            assert failed.reason == "ErrorSigning"
            assert failed.message.startswith("Vault failed to sign: failed to sign certificate")


def _signing_request() -> Manifest:
    from certwright.pki.csr import generate_csr
    from certwright.resources.certificate import Certificate

    wanted = Certificate(
        certificate(spec={"dnsNames": ["a.example"], "privateKey": {"algorithm": "ECDSA"}})
    )
    pem = generate_csr(wanted, ecdsa_only("ECDSA", 256), FeatureGates())
    approved = {"type": "Approved", "status": "True", "reason": "Test", "message": "yes"}
    return {
        "apiVersion": CERTIFICATE_SIGNING_REQUEST.api_version,
        "kind": CERTIFICATE_SIGNING_REQUEST.name,
        "metadata": {"name": "csr"},
        "spec": {
            "signerName": "clusterissuers.cert-manager.io/vault",
            "request": base64.b64encode(pem).decode(),
            "usages": ["digital signature", "server auth"],
        },
        "status": {"conditions": [approved]},
    }
