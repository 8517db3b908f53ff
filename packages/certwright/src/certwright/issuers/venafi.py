"""The Venafi issuer: has requests signed by Venafi's TPP or Cloud.

::

    no pickup id ─▶ request ─▶ annotation venafi.cert-manager.io/pickup-id ─▶ retrieve until issued
    token not valid any longer, refresh-token in the Secret ─▶ new tokens into the Secret ─▶ again

Source: reference cert-manager.md 3.7; cert-manager v1.12.2 pkg/issuer/venafi and
pkg/controller/certificaterequests/venafi. It never refreshes a token.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from certwright.errors import InvalidError
from certwright.issuers.contract import (
    Asking,
    IssuerState,
    MissingSecretError,
    Notice,
    Outcome,
    Refused,
    Signed,
    SigningRequest,
    Waiting,
    secret_named,
)
from certwright.issuers.venafi_questions import (
    CheckVenafi,
    RefreshVenafi,
    RequestByVenafi,
    RetrieveFromVenafi,
    VenafiConnection,
    VenafiFailed,
    VenafiIssued,
    VenafiPending,
    VenafiReady,
    VenafiRequested,
    VenafiTokens,
)
from certwright.pki.chain import parse_chain
from certwright.pki.csr import DecodedRequest, decode_csr
from certwright.pki.names import name_text
from certwright.resources import known
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.durations import HOUR_NANO
from certwright.resources.gotext import quote
from certwright.resources.issuer import Issuer, IssuerType
from certwright.resources.kinds import SECRET, Key, Manifest
from certwright.resources.meta import mapping_at
from certwright.resources.secret import Secret, encode_data

__all__ = ["VenafiSigner"]

_CLOUD_URL: Final = "https://api.venafi.cloud/"
_API_KEY: Final = "api-key"
_ACCESS_TOKEN: Final = "access-token"  # noqa: S105 - a key of a Secret
_REFRESH_TOKEN: Final = "refresh-token"  # noqa: S105 - a key of a Secret
_CLIENT_ID: Final = "client-id"
_CLIENT_ID_DEFAULT: Final = "cert-manager.io"
_SETUP: Final = "Failed to setup Venafi issuer"
_REQUEST: Final = "Failed to request venafi certificate"
_INIT: Final = "Failed to initialise venafi client for signing"
_PENDING: Final = "Venafi certificate still in a pending state, the request will be retried"
_NO_SUBJECT: Final = (
    "Certificate requests submitted to Venafi issuers must have the 'commonName' field or at least"
    " one other subject field set."
)
_NO_NAME: Final = (
    "certificate request contains no Common Name, DNS Name, nor URI SAN, at least one must be"
    " supplied to be used as the Venafi certificate objects name"
)

T = TypeVar("T")
_Objects = Mapping[Key, Manifest]


class VenafiSigner:
    """Signs for issuers with `spec.venafi`."""

    @property
    def type(self) -> IssuerType:
        """`venafi`."""
        return "venafi"

    def issuer_needs(self, issuer: Issuer, resource_namespace: str, /) -> tuple[Key, ...]:
        """Return the Secret with the credentials."""
        name = _secret_name(issuer)
        return (SECRET.key(resource_namespace, name),) if name else ()

    def needs(
        self, request: CertificateRequest, issuer: Issuer, resource_namespace: str, /
    ) -> tuple[Key, ...]:
        """Return the same."""
        return self.issuer_needs(issuer, resource_namespace)

    def state(
        self, issuer: Issuer, resource_namespace: str, objects: _Objects, /
    ) -> IssuerState | Asking[IssuerState]:
        """Return whether the platform knows us."""
        try:
            connection, secret = _connection(issuer, resource_namespace, objects)
        except InvalidError as error:
            return _not_ready(f"error building client: {error}")
        return Asking(CheckVenafi(connection), partial(_state_of, issuer, connection, secret))

    def sign(self, request: SigningRequest, /) -> Outcome | Asking[Outcome]:
        """Request, or fetch what was requested."""
        wanted = request.request
        try:
            connection, secret = _connection(
                request.issuer, request.resource_namespace, request.objects
            )
        except MissingSecretError as error:
            return Waiting("SecretMissing", f"Required secret resource not found: {error}")
        except InvalidError as error:
            return Waiting("VenafiInitError", f"{_INIT}: {error}")
        annotation = quote(known.VENAFI_CUSTOM_FIELDS)
        try:
            fields = _custom_fields(wanted.annotations.get(known.VENAFI_CUSTOM_FIELDS, ""))
        except ValueError as error:
            return Refused("CustomFieldsError", f"Failed to parse {annotation} annotation: {error}")
        except InvalidError as error:
            return Refused("CustomFieldsError", f"{error}: {error}")
        pickup_id = wanted.annotations.get(known.VENAFI_PICKUP_ID, "")
        if pickup_id:
            question = RetrieveFromVenafi(connection, pickup_id)
            return Asking(question, partial(_after_retrieval, connection, secret))
        try:
            csr = decode_csr(wanted.request)
            name = _object_name(csr)
            hours = -(-wanted.duration_nano_or_default // HOUR_NANO)
            pem = wanted.request.decode("utf-8")
        except (InvalidError, UnicodeDecodeError) as error:
            return Refused("RequestError", f"{_REQUEST}: {error}")
        asked = RequestByVenafi(connection, pem, name, hours, fields)
        return Asking(asked, partial(_after_request, connection, secret))


# ------------------------------------------------------------------------------ configuration


def _secret_name(issuer: Issuer) -> str:
    config = mapping_at(issuer.spec, "venafi")
    for path in (("tpp", "credentialsRef"), ("cloud", "apiTokenSecretRef")):
        if mapping_at(config, path[0]):
            return str(mapping_at(config, *path).get("name") or "")
    return ""


def _connection(
    issuer: Issuer, namespace: str, objects: _Objects
) -> tuple[VenafiConnection, Secret]:
    """Return the platform and who asks, and the Secret that says so.

    Raises:
        MissingSecretError: It is not there.
        InvalidError: It lacks what is needed.
    """
    config = mapping_at(issuer.spec, "venafi")
    zone = str(config.get("zone") or "")
    secret = secret_named(objects, namespace, _secret_name(issuer))
    cloud = mapping_at(config, "cloud")
    if cloud:
        key = str(mapping_at(cloud, "apiTokenSecretRef").get("key") or _API_KEY)
        url = str(cloud.get("url") or _CLOUD_URL)
        return VenafiConnection("cloud", url, zone, api_key=_text(secret, key)), secret
    tpp = mapping_at(config, "tpp")
    try:
        bundle = b64decode(str(tpp.get("caBundle") or ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidError(f"the CA bundle is not base64: {error}") from error
    connection = VenafiConnection(
        "tpp",
        str(tpp.get("url") or ""),
        zone,
        bundle,
        access_token=_text(secret, _ACCESS_TOKEN),
        user=_text(secret, "username"),
        password=_text(secret, "password"),
        refresh_token=_text(secret, _REFRESH_TOKEN),
        client_id=_text(secret, _CLIENT_ID) or _CLIENT_ID_DEFAULT,
    )
    return connection, secret


def _text(secret: Secret, key: str) -> str:
    try:
        return secret.data.get(key, b"").decode("utf-8").strip()
    except UnicodeDecodeError as error:
        place = f"{secret.namespace}/{secret.name}"
        raise InvalidError(f"data for {quote(key)} in secret '{place}' is no text") from error


def _custom_fields(text: str) -> tuple[tuple[str, str], ...]:
    """Return names and values from the annotation.

    Raises:
        ValueError: It is no list of fields.
        InvalidError: A field has a type that is not known.
    """
    if not text:
        return ()
    entries = json.loads(text)
    if not isinstance(entries, list):
        raise ValueError("it is no list")  # noqa: TRY004 - a value, not a type of ours
    fields: list[tuple[str, str]] = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise ValueError("an entry is no object")  # noqa: TRY004
        kind = entry.get("type") or "Plain"
        if kind != "Plain":
            raise InvalidError(
                "certificate request contains an invalid Venafi custom fields type: "
                f"{quote(str(kind))}"
            )
        fields.append((str(entry.get("name") or ""), str(entry.get("value") or "")))
    return tuple(fields)


def _object_name(csr: DecodedRequest) -> str:
    """Return what TPP's object is called.

    Raises:
        InvalidError: There is nothing to call it.
    """
    if not name_text(csr.subject_rdns):
        raise InvalidError(_NO_SUBJECT)
    names = csr.names
    for candidates in ((csr.subject.common_name,), names.dns, names.uris, names.emails, names.ips):
        if candidates and candidates[0]:
            return candidates[0]
    raise InvalidError(_NO_NAME)


# ------------------------------------------------------------------------------ answers


def _refreshing(
    connection: VenafiConnection, answer: VenafiFailed, then: Callable[[Any], T | Asking[T]]
) -> Asking[T] | None:
    """Ask for another token, if that is what is missing and there is a way to get one."""
    if not (answer.is_login and connection.refresh_token):
        return None
    return Asking(RefreshVenafi(connection), then)


def _with_tokens(secret: Secret, tokens: VenafiTokens) -> Manifest:
    """Return the Secret's entries that change, to be applied: other writers are not in the way."""
    data = {
        _ACCESS_TOKEN: tokens.access_token.encode(),
        _REFRESH_TOKEN: tokens.refresh_token.encode(),
    }
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": {"name": secret.name, "namespace": secret.namespace},
        "data": encode_data(data),
    }


def _not_ready(why: str, apply: tuple[Manifest, ...] = ()) -> IssuerState:
    message = f"{_SETUP}: {why}"
    return IssuerState(
        ready=False, reason="ErrorSetup", message=message, error=message, apply=apply
    )


def _state_of(
    issuer: Issuer, connection: VenafiConnection, secret: Secret, answer: Any
) -> IssuerState | Asking[IssuerState]:
    if isinstance(answer, VenafiReady):
        ready = any(
            entry.get("type") == "Ready" and entry.get("status") == "True"
            for entry in issuer.status.get("conditions") or ()
        )
        said = Notice("Normal", "Ready", "Verified issuer with Venafi server")
        text = "Venafi issuer started"
        return IssuerState(ready=True, reason=text, message=text, notices=() if ready else (said,))

    def refreshed(tokens: Any) -> IssuerState:
        if isinstance(tokens, VenafiTokens):
            return _not_ready(
                "the access token had ended; another one was taken", (_with_tokens(secret, tokens),)
            )
        return _not_ready(f"the access token cannot be refreshed: {tokens.message}")

    return _refreshing(connection, answer, refreshed) or _not_ready(answer.message)


def _waiting_for_login(
    connection: VenafiConnection, secret: Secret, answer: VenafiFailed
) -> Outcome | Asking[Outcome]:
    def refreshed(tokens: Any) -> Outcome:
        if isinstance(tokens, VenafiTokens):
            message = f"{_INIT}: the access token had ended; another one was taken"
            applied = (_with_tokens(secret, tokens),)
            return Waiting("VenafiInitError", message, apply=applied, retry=True)
        message = f"{_INIT}: the access token cannot be refreshed: {tokens.message}"
        return Waiting("VenafiInitError", message, retry=True)

    asking: Asking[Outcome] | None = _refreshing(connection, answer, refreshed)
    return asking or Waiting("VenafiInitError", f"{_INIT}: {answer.message}", retry=True)


def _after_request(
    connection: VenafiConnection, secret: Secret, answer: Any
) -> Outcome | Asking[Outcome]:
    if isinstance(answer, VenafiRequested):
        return Waiting(
            "IssuancePending",
            "Venafi certificate is requested",
            annotations={known.VENAFI_PICKUP_ID: answer.pickup_id},
            is_progress=True,
        )
    if answer.is_login:
        return _waiting_for_login(connection, secret, answer)
    if answer.may_pass:
        return Waiting("RequestError", f"{_REQUEST}: {answer.message}", retry=True)
    return Refused("RequestError", f"{_REQUEST}: {answer.message}")


def _after_retrieval(
    connection: VenafiConnection, secret: Secret, answer: Any
) -> Outcome | Asking[Outcome]:
    match answer:
        case VenafiPending(status):
            message = f"{_PENDING}: {status}"
            return Waiting("IssuancePending", message, is_progress=True, retry=True)
        case VenafiIssued(chain_pem):
            try:
                chain = parse_chain(chain_pem.encode())
            except InvalidError as error:
                message = f"Failed to parse returned certificate bundle: {error}"
                return Refused("ParseError", message)
            return Signed(chain.chain_pem, chain.ca_pem)
        case VenafiFailed(is_login=True):
            return _waiting_for_login(connection, secret, answer)
        case VenafiFailed(may_pass=True):
            message = f"Failed to obtain venafi certificate: {answer.message}"
            return Waiting("RetrieveError", message, retry=True)
        case _:
            message = f"Failed to obtain venafi certificate: {answer.message}"
            return Refused("RetrieveError", message)
