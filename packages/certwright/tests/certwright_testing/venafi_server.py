"""Venafi's platforms, written from their API documentation: they cannot be had.

TPP: `vedauth` tokens, `vedsdk/authorize`, `checkpolicy`, `request`, `retrieve`. Cloud: user
account, application, request, its status, contents. Certificates are really signed.

Source: Web SDK and "Venafi as a Service" API documentation; vcert for the forms of answers.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certwright_testing.cluster import free_port
from certwright_testing.vault_server import Authority

__all__ = ["VenafiServer"]

CLOUD_KEY = "cloud-key"


@dataclass(slots=True)
class VenafiServer:
    """Both platforms on one port."""

    access_token: str = "first"
    refresh_token: str = "refresh-1"
    policy: str = "\\VED\\Policy\\web"
    polls_until_issued: int = 1
    trouble: int = 0
    """A status that every request for a certificate gets."""
    authority: Authority = field(default_factory=Authority)
    seen: list[tuple[str, Any]] = field(default_factory=list)
    """Path and body of every request."""
    requests: dict[str, tuple[str, int]] = field(default_factory=dict)
    """CSR and how often it was asked for, by pickup id."""
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[VenafiServer]:
        """Serve for the length of a block."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.seen.append((request.path, body))
        part = request.path.split("/")[1]
        if part in {"vedsdk", "vedauth"}:
            return self._tpp(request, body)
        if request.headers.get("tppl-api-key") != CLOUD_KEY:
            return _error(401, {"errors": [{"code": 10501, "message": "invalid API key"}]})
        return self._cloud(request, body)

    # -------------------------------------------------------------------------- TPP

    def _tpp(self, request: web.Request, body: Any) -> web.Response:
        match request.path:
            case "/vedsdk/":
                return web.Response(text="hello")
            case "/vedsdk/authorize/":
                if (body["Username"], body["Password"]) != ("jane", "secret"):
                    return _error(401, {"Error": "Username/password invalid"})
                return web.json_response({"APIKey": "old-key", "ValidUntil": "/Date(0)/"})
            case "/vedauth/authorize/token":
                return self._refresh(body)
        bearer = request.headers.get("Authorization", "")
        is_known = bearer == f"Bearer {self.access_token}"
        if not is_known and request.headers.get("X-Venafi-Api-Key") != "old-key":
            return _error(401, {"error": "invalid_token", "error_description": "Token expired"})
        return self._tpp_known(request.path, body)

    def _refresh(self, body: Mapping[str, str]) -> web.Response:
        if body["refresh_token"] != self.refresh_token:
            return _error(400, {"error": "invalid_grant", "error_description": "Grant is gone"})
        number = int(self.refresh_token.rpartition("-")[2]) + 1
        self.refresh_token, self.access_token = f"refresh-{number}", f"access-{number}"
        tokens = {"access_token": self.access_token, "refresh_token": self.refresh_token}
        return web.json_response({**tokens, "expires": 1_900_000_000, "token_type": "Bearer"})

    def _tpp_known(self, path: str, body: Any) -> web.Response:
        match path:
            case "/vedauth/authorize/verify":
                return web.json_response({"application": "cert-manager"})
            case "/vedsdk/certificates/checkpolicy":
                if body["PolicyDN"] != self.policy:
                    missing = f"PolicyDN: {body['PolicyDN']} does not exist or not enough rights"
                    return _error(400, {"Error": missing})
                return web.json_response({"Policy": {}})
            case "/vedsdk/certificates/request":
                if self.trouble:
                    return _error(self.trouble, {"Error": "the CA is not there"})
                name = f"{self.policy}\\{body['ObjectName']}"
                self.requests[name] = (body["PKCS10"], 0)
                return web.json_response({"CertificateDN": name, "Guid": "{1}"})
            case "/vedsdk/certificates/retrieve":
                name = body["CertificateDN"]
                if not self._is_done(name):
                    waiting = {"Stage": 500, "Status": "Waiting for approval"}
                    return web.json_response(waiting, status=202)
                data = base64.b64encode(self._chain(name).encode()).decode()
                return web.json_response({"CertificateData": data, "Format": "base64"})
        return _error(404, {"Error": "no such thing"})

    # -------------------------------------------------------------------------- Cloud

    def _cloud(self, request: web.Request, body: Any) -> web.Response:
        match request.path.removeprefix("/outagedetection"):
            case "/v1/useraccounts":
                return web.json_response({"user": {"username": "jane"}})
            case "/v1/applications/name/my app":
                ids = {"Default": "template-7"}
                return web.json_response(
                    {"id": "app-1", "certificateIssuingTemplateAliasIdMap": ids}
                )
            case "/v1/certificaterequests":
                self.requests["request-1"] = (body["certificateSigningRequest"], 0)
                made = {"id": "request-1", "status": "REQUESTED"}
                return web.json_response({"certificateRequests": [made]}, status=201)
            case "/v1/certificaterequests/request-1":
                done = self._is_done("request-1")
                status = "ISSUED" if done else "PENDING"
                return web.json_response(
                    {"status": status, "certificateIds": ["certificate-1"] if done else []}
                )
            case "/v1/certificates/certificate-1/contents":
                assert request.query == {"chainOrder": "EE_FIRST", "format": "PEM"}
                return web.Response(text=self._chain("request-1"))
        return _error(404, {"errors": [{"code": 10051, "message": "not found"}]})

    # -------------------------------------------------------------------------- certificates

    def _is_done(self, pickup_id: str) -> bool:
        csr, polls = self.requests[pickup_id]
        self.requests[pickup_id] = (csr, polls + 1)
        return polls >= self.polls_until_issued

    def _chain(self, pickup_id: str) -> str:
        csr = x509.load_pem_x509_csr(self.requests[pickup_id][0].encode())
        names: list[x509.GeneralName] = [x509.DNSName("a.example")]
        leaf = self.authority.sign(csr, names, timedelta(days=90))
        parts = (leaf, self.authority.issuing, self.authority.root)
        return "".join(part.public_bytes(Encoding.PEM).decode() for part in parts)


def _error(status: int, body: Mapping[str, Any]) -> web.Response:
    return web.json_response(body, status=status)
