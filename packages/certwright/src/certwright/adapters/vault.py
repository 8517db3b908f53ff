"""Vault over HTTP: logs in for each exchange, so that nothing is kept that could be stolen or end.

Source: Vault's API documentation: /auth/approle/login, /auth/kubernetes/login, /auth/cert/login,
/sys/health, PKI secrets engine; errors are worded as Vault's own Go client words them.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urljoin

from certwright.adapters.acme.transport import Answer, NoAnswerError, Transport, Trust
from certwright.errors import CertwrightError, StoreError
from certwright.issuers.vault_questions import (
    CheckVault,
    SignByVault,
    VaultConnection,
    VaultFailed,
    VaultLogin,
    VaultReady,
    VaultServiceAccount,
    VaultSigned,
    VaultToken,
)

__all__ = ["ApiCall", "VaultClient"]

ApiCall: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Posts JSON to a path of the API server and returns what it answers."""
REQUEST_SECONDS_MAX: Final = 60.0
"""As Vault's own client waits."""
ERROR_CHARACTERS_MAX: Final = 2_000
TOKEN_SECONDS: Final = 600
"""Life of a service account's token; the shortest that Kubernetes gives."""
_STANDBY: Final = frozenset({429, 472, 473})
"""Standby, disaster recovery secondary, performance standby: each may be asked to sign."""
_MOVED: Final = frozenset({301, 302, 307, 308})
_KUBERNETES: Final = "while requesting a Vault token using the Kubernetes auth: "


class _VaultError(CertwrightError):
    def __init__(self, message: str, *, may_pass: bool) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class VaultClient:
    """Answers `CheckVault` and `SignByVault`."""

    def __init__(self, transport: Transport, call: ApiCall | None) -> None:
        """Ask through `transport`; `call` asks an API server for tokens, where there is one."""
        self._transport = transport
        self._call = call

    async def answer(
        self, question: CheckVault | SignByVault
    ) -> VaultReady | VaultSigned | VaultFailed:
        """Return the answer; nothing is raised."""
        if isinstance(question, CheckVault):
            return await self._check(question)
        return await self._sign(question)

    async def _check(self, question: CheckVault) -> VaultReady | VaultFailed:
        """Log in, and look whether the server is unsealed."""
        connection = question.connection
        try:
            await self._token(connection)
        except _VaultError as error:
            return VaultFailed("login", str(error), error.may_pass)
        # Not in a namespace: it belongs to the whole server.
        plain = replace(connection, namespace="")
        try:
            answer = await self._send(plain, "GET", "/v1/sys/health")
        except _VaultError as error:
            return VaultFailed("health", str(error), may_pass=True)
        if answer.status in _STANDBY or answer.status < 300:
            return VaultReady()
        why = _error_text("GET", f"{plain.server}/v1/sys/health", answer, "")
        return VaultFailed("health", f"error calling Vault /v1/sys/health: {why}", may_pass=True)

    async def _sign(self, question: SignByVault) -> VaultSigned | VaultFailed:
        """Log in and sign."""
        connection = question.connection
        try:
            token = await self._token(connection)
        except _VaultError as error:
            return VaultFailed("login", str(error), error.may_pass)
        path = f"/v1/{question.path.strip('/')}"
        try:
            answer = await self._post(connection, path, question.parameters, token=token)
            return _signed(_json(answer))
        except _VaultError as error:
            message = f"failed to sign certificate by vault: {error}"
            return VaultFailed("sign", message, error.may_pass)

    # -------------------------------------------------------------------------- logging in

    async def _token(self, connection: VaultConnection) -> str:
        match connection.auth:
            case VaultToken(token):
                return token
            case VaultServiceAccount() as account:
                jwt = await self._service_account_token(account)
                parameters = (("role", account.role), ("jwt", jwt))
                return await self._login(
                    connection, VaultLogin("kubernetes", account.path, parameters)
                )
            case VaultLogin() as login:
                return await self._login(connection, login)

    async def _login(self, connection: VaultConnection, login: VaultLogin) -> str:
        what = "error logging in to Vault server: "
        if login.method != "appRole":
            what = "error calling Vault server: "
        if login.method == "kubernetes":
            what = f"{_KUBERNETES}{what}"
        asked = connection
        if login.certificate_pem:
            asked = replace(
                connection, certificate_pem=login.certificate_pem, key_pem=login.key_pem
            )
        try:
            answer = await self._post(asked, login.path, login.parameters)
        except _VaultError as error:
            raise _VaultError(f"{what}{error}", may_pass=error.may_pass) from error
        auth = _json(answer).get("auth")
        token = auth.get("client_token") if isinstance(auth, Mapping) else None
        if not isinstance(token, str) or not token:
            raise _VaultError("no token returned", may_pass=False)
        return token

    async def _service_account_token(self, account: VaultServiceAccount) -> str:
        place = f"{account.namespace}/{account.account}"
        what = f"{_KUBERNETES}while requesting a token for the service account {place}: "
        if self._call is None:
            raise _VaultError(f"{what}there is no API server here", may_pass=False)
        path = (
            f"/api/v1/namespaces/{quote(account.namespace, safe='')}"
            f"/serviceaccounts/{quote(account.account, safe='')}/token"
        )
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": list(account.audiences), "expirationSeconds": TOKEN_SECONDS},
        }
        try:
            answer = await self._call(path, request)
        except StoreError as error:
            raise _VaultError(f"{what}{error}", may_pass=True) from error
        status = answer.get("status")
        token = status.get("token") if isinstance(status, Mapping) else None
        if not isinstance(token, str) or not token:
            raise _VaultError(f"{what}no token returned", may_pass=True)
        return token

    # -------------------------------------------------------------------------- requests

    async def _post(
        self,
        connection: VaultConnection,
        path: str,
        parameters: tuple[tuple[str, str], ...],
        *,
        token: str = "",
    ) -> Answer:
        """Return an answer that is no error."""
        body = json.dumps(dict(parameters)).encode()
        answer = await self._send(connection, "POST", path, body, token)
        if answer.status < 300:
            return answer
        url = f"{connection.server.rstrip('/')}{path}"
        raise _VaultError(
            _error_text("POST", url, answer, connection.namespace),
            may_pass=answer.status >= 500 or answer.status in {408, 412, 429},
        )

    async def _send(
        self,
        connection: VaultConnection,
        method: str,
        path: str,
        body: bytes | None = None,
        token: str = "",
    ) -> Answer:
        """Return the answer; a standby sends to the active node, once."""
        headers = {"X-Vault-Request": "true", "Content-Type": "application/json"}
        if connection.namespace:
            headers["X-Vault-Namespace"] = connection.namespace
        if token:
            headers["X-Vault-Token"] = token
        trust = Trust(
            connection.ca_pem,
            certificate_pem=connection.certificate_pem,
            key_pem=connection.key_pem,
        )
        url = f"{connection.server.rstrip('/')}/{path.lstrip('/')}"
        is_moved = False
        while True:
            try:
                answer = await self._transport.send(
                    method,
                    url,
                    trust=trust,
                    headers=headers,
                    body=body,
                    server_name=connection.server_name,
                    seconds_max=REQUEST_SECONDS_MAX,
                )
            except NoAnswerError as error:
                raise _VaultError(str(error), may_pass=True) from error
            target = answer.headers.get("location")
            if is_moved or answer.status not in _MOVED or not target:
                return answer
            moved = urljoin(url, target)
            if url.startswith("https:") and not moved.startswith("https:"):
                raise _VaultError("redirect would cause protocol downgrade", may_pass=False)
            url, is_moved = moved, True


def _json(answer: Answer) -> Mapping[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError as error:
        raise _VaultError(f"unable to decode JSON payload: {error}", may_pass=True) from error
    if not isinstance(found, dict):
        raise _VaultError("unable to decode JSON payload: it is no object", may_pass=True)
    return found


def _signed(payload: Mapping[str, Any]) -> VaultSigned:
    data = payload.get("data")
    found: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    certificate = found.get("certificate")
    if not isinstance(certificate, str) or not certificate:
        raise _VaultError("the answer has no certificate", may_pass=False)
    chain = found.get("ca_chain")
    return VaultSigned(
        certificate,
        str(found.get("issuing_ca") or ""),
        tuple(str(part) for part in chain) if isinstance(chain, list) else (),
    )


def _error_text(method: str, url: str, answer: Answer, namespace: str) -> str:
    """Return what went wrong, as Vault's own client words it; bounded."""
    try:
        payload = json.loads(answer.body)
        errors = payload.get("errors") if isinstance(payload, dict) else None
    except ValueError:
        errors = None
    if isinstance(errors, list):
        kind, text = "Errors", "".join(f"* {error}" for error in errors)
    else:
        kind, text = "Raw Message", answer.body[:ERROR_CHARACTERS_MAX].decode(errors="replace")
    where = f"Namespace: {namespace}\n" if namespace else ""
    return (
        f"Error making API request.\n\n{where}URL: {method} {url}\n"
        f"Code: {answer.status}. {kind}:\n\n{text[:ERROR_CHARACTERS_MAX]}"
    )
