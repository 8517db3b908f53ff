"""A Vault server written from its API documentation, for want of a real one in any package.

What is here: AppRole, Kubernetes and TLS certificate logins, tokens with a policy for one path,
`sys/health`, `ROLE/sign`, namespaces, the error documents. Certificates are really signed.

Source: Vault's API documentation (auth/approle, auth/kubernetes, auth/cert, secret/pki,
system/health, "HTTP API: error response").
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from certwright_testing.cluster import free_port

__all__ = ["Authority", "VaultServer"]

_TTL = re.compile(r"(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?\Z")


@dataclass(slots=True)
class Authority:
    """A CA with a root and an intermediate that signs."""

    root: x509.Certificate = field(init=False)
    issuing: x509.Certificate = field(init=False)
    key: ec.EllipticCurvePrivateKey = field(init=False)

    def __post_init__(self) -> None:
        root_key = ec.generate_private_key(ec.SECP256R1())
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Test Root")
        self.root = _ca(name, root_key.public_key(), name, root_key)
        self.issuing = _ca(_name("Test Issuing"), self.key.public_key(), name, root_key)

    @property
    def root_pem(self) -> bytes:
        """The root."""
        return self.root.public_bytes(Encoding.PEM)

    def sign(
        self,
        csr: x509.CertificateSigningRequest,
        names: list[x509.GeneralName],
        life: timedelta,
    ) -> x509.Certificate:
        """Sign a leaf with the subject and key of a CSR."""
        now = datetime.now(UTC)  # noqa: TID251 - a server has its own clock
        builder = (
            x509.CertificateBuilder()
            .subject_name(csr.subject)
            .issuer_name(self.issuing.subject)
            .public_key(csr.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(seconds=30))
            .not_valid_after(now + life)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def pair(self, host: str) -> tuple[bytes, bytes]:
        """Return a certificate for a host or a client, and its key, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        csr = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(_name(host))
            .sign(key, hashes.SHA256())
        )
        leaf = self.sign(csr, [_general_name(host)], timedelta(hours=1))
        chain = leaf.public_bytes(Encoding.PEM) + self.issuing.public_bytes(Encoding.PEM)
        return chain, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _ca(subject: x509.Name, key: Any, issuer: x509.Name, issuer_key: Any) -> x509.Certificate:
    now = datetime.now(UTC)  # noqa: TID251 - a server has its own clock
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


class _RefusedError(Exception):
    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(*errors)
        self.status, self.errors = status, errors


@dataclass(slots=True)
class VaultServer:
    """The server; `running` runs it over TLS with a certificate of `authority`."""

    path: str = "pki/sign/web"
    """Where it signs."""
    namespace: str = ""
    """The only one where there is anything; empty for none."""
    tokens: set[str] = field(default_factory=lambda: {"s.root"})
    app_role: tuple[str, str] = ("role-7", "secret-7")
    is_jwt_good: Callable[[str], bool] = field(default=lambda _: False)
    allowed_domains: tuple[str, ...] = ("example",)
    max_ttl: timedelta = timedelta(hours=72)
    health: int = 200
    trouble: int = 0
    """A status that every request to sign gets."""
    authority: Authority = field(default_factory=Authority)
    seen: list[tuple[str, Mapping[str, str], Any]] = field(default_factory=list)
    """Path, headers and body of every request."""
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self, folder: Path) -> AsyncIterator[VaultServer]:
        """Serve for the length of a block."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=self._context(folder))
        await site.start()
        try:
            yield self
        finally:
            await runner.cleanup()

    def _context(self, folder: Path) -> ssl.SSLContext:
        chain, key = self.authority.pair("127.0.0.1")
        (folder / "vault.pem").write_bytes(chain + key)
        (folder / "clients.pem").write_bytes(self.authority.root_pem)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / "vault.pem")
        context.load_verify_locations(folder / "clients.pem")
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.seen.append((request.path, dict(request.headers), body))
        try:
            return web.json_response(self._route(request, body))
        except _RefusedError as error:
            return web.json_response({"errors": list(error.errors)}, status=error.status)

    def _route(self, request: web.Request, body: Any) -> dict[str, Any]:
        if request.path == "/v1/sys/health":
            if self.health != 200:
                raise _RefusedError(self.health)
            return {"initialized": True, "sealed": False, "standby": False}
        if request.headers.get("X-Vault-Namespace", "") != self.namespace:
            raise _RefusedError(404, f"no handler for route {request.path!r}")
        if request.path.endswith("/login"):
            return self._login(request, body)
        if request.path != f"/v1/{self.path}":
            raise _RefusedError(404, f"no handler for route {request.path!r}")
        if request.headers.get("X-Vault-Token") not in self.tokens:
            raise _RefusedError(403, "permission denied")
        if self.trouble:
            raise _RefusedError(self.trouble, "internal error")
        return self._sign(body)

    def _login(self, request: web.Request, body: Any) -> dict[str, Any]:
        match request.path.split("/"):
            case ["", "v1", "auth", "approle", "login"]:
                if (body["role_id"], body["secret_id"]) != self.app_role:
                    raise _RefusedError(400, "invalid role or secret ID")
            case ["", "v1", "auth", "kubernetes", "login"]:
                if body["role"] != "web" or not self.is_jwt_good(body["jwt"]):
                    raise _RefusedError(403, "permission denied")
            case ["", "v1", "auth", "cert", "login"]:
                transport = request.transport
                if transport is None or not transport.get_extra_info("peercert"):
                    raise _RefusedError(400, "tls connection required")
            case _:
                raise _RefusedError(404, f"no handler for route {request.path!r}")
        token = f"s.{len(self.tokens)}"
        self.tokens.add(token)
        return {"auth": {"client_token": token, "renewable": True, "lease_duration": 3600}}

    def _sign(self, body: Mapping[str, str]) -> dict[str, Any]:
        csr = x509.load_pem_x509_csr(body["csr"].encode())
        texts = [name for name in body["alt_names"].split(",") if name]
        wanted = [*texts, *filter(None, [body["common_name"]])]
        for name in wanted:
            if not name.endswith(self.allowed_domains):
                raise _RefusedError(400, f"subject alternate name {name} not allowed by this role")
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in texts]
        names += [_general_name(ip) for ip in body["ip_sans"].split(",") if ip]
        names += [x509.UniformResourceIdentifier(uri) for uri in body["uri_sans"].split(",") if uri]
        leaf = self.authority.sign(csr, names, min(_ttl(body["ttl"]), self.max_ttl))
        issuing = self.authority.issuing.public_bytes(Encoding.PEM).decode()
        return {
            "data": {
                "certificate": leaf.public_bytes(Encoding.PEM).decode().strip(),
                "issuing_ca": issuing.strip(),
                "ca_chain": [issuing.strip(), self.authority.root_pem.decode().strip()],
                "serial_number": f"{leaf.serial_number:x}",
                "expiration": int(leaf.not_valid_after_utc.timestamp()),
            }
        }


def _ttl(text: str) -> timedelta:
    found = _TTL.match(text)
    if found is None:
        raise _RefusedError(400, f"invalid ttl: {text}")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
