"""Venafi over HTTP: the few calls of TPP's Web SDK and of the cloud that issuing takes.

Source: reference cert-manager.md 3.7; the documentation of both APIs; vcert, their own client,
for what it sends to request and to retrieve.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from certwright import clock
from certwright.adapters.acme.transport import Answer, NoAnswerError, Transport, Trust
from certwright.errors import CertwrightError
from certwright.issuers.venafi_questions import (
    CheckVenafi,
    RefreshVenafi,
    RequestByVenafi,
    RetrieveFromVenafi,
    VenafiConnection,
    VenafiFailed,
    VenafiIssued,
    VenafiPending,
    VenafiQuestion,
    VenafiReady,
    VenafiRequested,
    VenafiTokens,
)

__all__ = ["VenafiClient"]

REQUEST_SECONDS_MAX: Final = 30.0
"""As cert-manager waits."""
ERROR_CHARACTERS_MAX: Final = 2_000
_ORIGIN: Final = "cert-manager"
_POLICY: Final = "\\VED\\Policy"
_CALLS: Final[Mapping[type, str]] = {
    CheckVenafi: "ping",
    RefreshVenafi: "refresh",
    RequestByVenafi: "request_certificate",
    RetrieveFromVenafi: "retrieve_certificate",
}
"""What the metric calls them."""
_CLOUD_UNDER_WAY: Final = frozenset({"REQUESTED", "PENDING", "NEW", "PENDING_APPROVAL"})


class _FailedError(CertwrightError):
    def __init__(self, message: str, *, may_pass: bool, is_login: bool = False) -> None:
        super().__init__(message)
        self.failed = VenafiFailed(message[:ERROR_CHARACTERS_MAX], may_pass, is_login)


class VenafiClient:
    """Answers Venafi's questions."""

    def __init__(self, transport: Transport, observe: Callable[[str, float], None]) -> None:
        """Ask through `transport`; `observe` is told of every call and its seconds."""
        self._transport = transport
        self._observe = observe

    async def answer(self, question: VenafiQuestion) -> Any:
        """Return the answer that the question's docstring names; nothing is raised."""
        platform = _Cloud if question.connection.platform == "cloud" else _Tpp
        asked = platform(self._transport, question.connection)
        started = clock.monotonic_seconds()
        try:
            match question:
                case CheckVenafi():
                    return await asked.check()
                case RefreshVenafi():
                    return await asked.refresh()
                case RequestByVenafi():
                    return await asked.request(question)
                case RetrieveFromVenafi():
                    return await asked.retrieve(question)
        except _FailedError as error:
            return error.failed
        finally:
            self._observe(_CALLS[type(question)], clock.monotonic_seconds() - started)


class _Platform:
    """What both platforms have in common."""

    def __init__(self, transport: Transport, connection: VenafiConnection) -> None:
        self._transport = transport
        self.connection = connection

    async def check(self) -> VenafiReady:
        raise NotImplementedError

    async def refresh(self) -> VenafiTokens:
        raise _FailedError("this platform has no refresh tokens", may_pass=False)

    async def request(self, question: RequestByVenafi) -> VenafiRequested:
        raise NotImplementedError

    async def retrieve(self, question: RetrieveFromVenafi) -> VenafiIssued | VenafiPending:
        raise NotImplementedError

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Return an answer that is no error."""
        url = _base(self.connection) + path
        try:
            answer = await self._transport.send(
                method,
                url,
                trust=Trust(self.connection.ca_pem),
                headers={"Content-Type": "application/json", **headers},
                body=None if body is None else json.dumps(body).encode(),
                seconds_max=REQUEST_SECONDS_MAX,
            )
        except NoAnswerError as error:
            raise _FailedError(str(error), may_pass=True) from error
        if answer.status < 300:
            return answer
        raise _FailedError(
            f"{method} {url}: {answer.status}: {_words(answer)}",
            may_pass=answer.status >= 500 or answer.status in {408, 429},
            is_login=answer.status == 401,
        )


class _Tpp(_Platform):
    """Trust Protection Platform."""

    async def check(self) -> VenafiReady:
        try:
            await self.send("GET", "vedsdk/", headers={})
        except _FailedError as error:
            # Whoever answers is there; some ask for a login even here.
            if not error.failed.is_login:
                raise _prefixed("error pinging Venafi API", error) from error
        try:
            if self.connection.access_token:
                await self.send("GET", "vedauth/authorize/verify", headers=await self._login())
            else:
                await self._login()
        except _FailedError as error:
            what = "VerifyAccessToken" if self.connection.access_token else "Authenticate"
            raise _prefixed(f"client.VerifyCredentials: tppClient.{what}", error) from error
        return VenafiReady()

    async def refresh(self) -> VenafiTokens:
        body = {
            "client_id": self.connection.client_id,
            "refresh_token": self.connection.refresh_token,
        }
        found = _json(await self.send("POST", "vedauth/authorize/token", headers={}, body=body))
        access, again = found.get("access_token"), found.get("refresh_token")
        if not isinstance(access, str) or not isinstance(again, str):
            raise _FailedError("the answer has no tokens", may_pass=False)
        return VenafiTokens(access, again)

    async def request(self, question: RequestByVenafi) -> VenafiRequested:
        login = await self._login()
        policy = _policy(question.connection.zone)
        # The zone must be there, and be ours to use: said before an object is made.
        await self.send(
            "POST", "vedsdk/certificates/checkpolicy", headers=login, body={"PolicyDN": policy}
        )
        fields: dict[str, list[str]] = {}
        for name, value in question.custom_fields:
            fields.setdefault(name, []).append(value)
        body: dict[str, Any] = {
            "PolicyDN": policy,
            "ObjectName": question.name,
            "PKCS10": question.csr_pem,
            "DisableAutomaticRenewal": "true",
            "CASpecificAttributes": [{"Name": "Origin", "Value": _ORIGIN}],
            "Origin": _ORIGIN,
        }
        if fields:
            body["CustomFields"] = [
                {"Name": name, "Values": values} for name, values in fields.items()
            ]
        answer = await self.send("POST", "vedsdk/certificates/request", headers=login, body=body)
        made = _json(answer).get("CertificateDN")
        if not isinstance(made, str) or not made:
            raise _FailedError("the answer names no certificate", may_pass=False)
        return VenafiRequested(made)

    async def retrieve(self, question: RetrieveFromVenafi) -> VenafiIssued | VenafiPending:
        body = {
            "CertificateDN": question.pickup_id,
            "Format": "base64",
            "RootFirstOrder": "false",
            "IncludeChain": "true",
        }
        answer = await self.send(
            "POST", "vedsdk/certificates/retrieve", headers=await self._login(), body=body
        )
        found = _json(answer)
        data = found.get("CertificateData")
        if not data:
            return VenafiPending(str(found.get("Status") or f"Stage: {found.get('Stage')}"))
        try:
            return VenafiIssued(base64.b64decode(str(data), validate=True).decode("ascii"))
        except (binascii.Error, ValueError) as error:
            raise _FailedError(
                f"the certificate cannot be read: {error}", may_pass=False
            ) from error

    async def _login(self) -> dict[str, str]:
        """Return the header that says who asks."""
        given = self.connection
        if given.access_token:
            return {"Authorization": f"Bearer {given.access_token}"}
        if given.refresh_token:
            raise _FailedError("there is no access token yet", may_pass=False, is_login=True)
        if not (given.user and given.password):
            raise _FailedError("neither access-token nor username and password", may_pass=False)
        body = {"Username": given.user, "Password": given.password}
        found = _json(await self.send("POST", "vedsdk/authorize/", headers={}, body=body))
        return {"X-Venafi-Api-Key": str(found.get("APIKey") or "")}


class _Cloud(_Platform):
    """Venafi as a Service."""

    @property
    def _key(self) -> dict[str, str]:
        return {"tppl-api-key": self.connection.api_key}

    async def check(self) -> VenafiReady:
        try:
            await self.send("GET", "v1/useraccounts", headers=self._key)
        except _FailedError as error:
            what = "client.VerifyCredentials: cloudClient.Authenticate"
            raise _prefixed(what, error) from error
        return VenafiReady()

    async def request(self, question: RequestByVenafi) -> VenafiRequested:
        application, _, alias = question.connection.zone.partition("\\")
        path = f"outagedetection/v1/applications/name/{quote(application, safe='')}"
        found = _json(await self.send("GET", path, headers=self._key))
        templates = found.get("certificateIssuingTemplateAliasIdMap")
        template = templates.get(alias) if isinstance(templates, Mapping) else None
        if not template:
            raise _FailedError(
                f"the application {application!r} has no issuing template {alias!r}: zone is "
                "APPLICATION\\ISSUING TEMPLATE",
                may_pass=False,
            )
        body = {
            "applicationId": found.get("id"),
            "certificateIssuingTemplateId": template,
            "apiClientInformation": {"type": _ORIGIN, "identifier": ""},
            "certificateSigningRequest": question.csr_pem,
            "validityPeriod": f"PT{question.hours}H",
        }
        path = "outagedetection/v1/certificaterequests"
        answer = await self.send("POST", path, headers=self._key, body=body)
        made = _json(answer).get("certificateRequests")
        first = made[0] if isinstance(made, list) and made else {}
        if not isinstance(first, Mapping) or not first.get("id"):
            raise _FailedError("the answer names no request", may_pass=False)
        return VenafiRequested(str(first["id"]))

    async def retrieve(self, question: RetrieveFromVenafi) -> VenafiIssued | VenafiPending:
        path = f"outagedetection/v1/certificaterequests/{quote(question.pickup_id, safe='')}"
        found = _json(await self.send("GET", path, headers=self._key))
        status = str(found.get("status") or "")
        if status in _CLOUD_UNDER_WAY:
            return VenafiPending(status)
        ids = found.get("certificateIds")
        if status != "ISSUED" or not isinstance(ids, list) or not ids:
            raise _FailedError(f"the request is {status or 'in no state'}", may_pass=False)
        path = f"outagedetection/v1/certificates/{quote(str(ids[0]), safe='')}/contents"
        answer = await self.send("GET", f"{path}?chainOrder=EE_FIRST&format=PEM", headers=self._key)
        return VenafiIssued(answer.body.decode("ascii", "replace"))


def _base(connection: VenafiConnection) -> str:
    """Return the address in front of a path; older ones end in the first part of it."""
    url = connection.url.rstrip("/")
    for old in ("/vedsdk", "/v1"):
        url = url.removesuffix(old)
    return f"{url if '://' in url else f'https://{url}'}/"


def _policy(zone: str) -> str:
    if zone.startswith(_POLICY):
        return zone
    if zone.startswith(_POLICY[1:]):
        return f"\\{zone}"
    return f"{_POLICY}\\{zone.removeprefix(chr(92))}"


def _json(answer: Answer) -> Mapping[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError as error:
        raise _FailedError(f"the answer is no JSON: {error}", may_pass=True) from error
    if not isinstance(found, dict):
        raise _FailedError("the answer is no JSON object", may_pass=True)
    return found


def _words(answer: Answer) -> str:
    """Return what the server says about an error, from its document; bounded."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return answer.body[:ERROR_CHARACTERS_MAX].decode("utf-8", "replace")
    if isinstance(found, dict):
        for name in ("Error", "error_description", "error", "message"):
            if isinstance(found.get(name), str):
                return str(found[name])[:ERROR_CHARACTERS_MAX]
        errors = found.get("errors")
        if isinstance(errors, list):
            return "; ".join(
                str(entry.get("message") if isinstance(entry, dict) else entry) for entry in errors
            )[:ERROR_CHARACTERS_MAX]
    return str(found)[:ERROR_CHARACTERS_MAX]


def _prefixed(what: str, error: _FailedError) -> _FailedError:
    failed = error.failed
    return _FailedError(
        f"{what}: {failed.message}", may_pass=failed.may_pass, is_login=failed.is_login
    )
