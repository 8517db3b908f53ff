"""The Vault issuer: has requests signed by Vault's (or OpenBao's) PKI secrets engine.

Source: reference cert-manager.md 3.6; cert-manager v1.12.2 pkg/issuer/vault, internal/vault. Client
certificates, the server's name and more audiences are of later versions (1.16 to 1.18).
"""

from __future__ import annotations

import binascii
import posixpath
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, Final

from certwright.errors import InvalidError
from certwright.issuers.contract import (
    Asking,
    IssuerState,
    MissingSecretError,
    Outcome,
    Refused,
    Signed,
    SigningRequest,
    Waiting,
    secret_named,
)
from certwright.issuers.vault_questions import (
    CheckVault,
    SignByVault,
    VaultAuth,
    VaultConnection,
    VaultFailed,
    VaultLogin,
    VaultReady,
    VaultServiceAccount,
    VaultSigned,
    VaultToken,
)
from certwright.pki.chain import parse_chain
from certwright.pki.csr import decode_csr
from certwright.resources import known
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.durations import format_duration
from certwright.resources.gotext import quote
from certwright.resources.issuer import Issuer, IssuerType
from certwright.resources.kinds import SECRET, Key, Manifest
from certwright.resources.meta import mapping_at
from certwright.resources.secret import Secret

__all__ = ["VaultSigner"]

_REASON: Final = "VaultError"
_TOKEN: Final = "token"  # noqa: S105 - a key of a Secret
_APP_ROLE_PATH: Final = "approle"
_KUBERNETES_PATH: Final = "/v1/auth/kubernetes"
_CERTIFICATE_PATH: Final = "/v1/auth/cert"
_KUBERNETES_LOGIN: Final = "while requesting a Vault token using the Kubernetes auth: "

_Objects = Mapping[Key, Manifest]


class VaultSigner:
    """Signs for issuers with `spec.vault`."""

    @property
    def type(self) -> IssuerType:
        """`vault`."""
        return "vault"

    def issuer_needs(self, issuer: Issuer, resource_namespace: str, /) -> tuple[Key, ...]:
        """Return the Secrets with credentials, and with whom to trust."""
        return tuple(
            SECRET.key(resource_namespace, name) for name in _secret_names(_config(issuer))
        )

    def needs(
        self, request: CertificateRequest, issuer: Issuer, resource_namespace: str, /
    ) -> tuple[Key, ...]:
        """Return the same."""
        return self.issuer_needs(issuer, resource_namespace)

    def state(
        self, issuer: Issuer, resource_namespace: str, objects: _Objects, /
    ) -> IssuerState | Asking[IssuerState]:
        """Return whether it can log in to a server that is unsealed."""
        problem = _problem(_config(issuer))
        if problem:
            return IssuerState(ready=False, reason=_REASON, message=problem)
        try:
            connection = _connection(issuer, resource_namespace, objects)
        except InvalidError as error:
            return _not_ready(str(error))
        return Asking(CheckVault(connection), _state_of)

    def sign(self, request: SigningRequest, /) -> Outcome | Asking[Outcome]:
        """Ask for the signature."""
        issuer = request.issuer
        try:
            connection = _connection(issuer, request.resource_namespace, request.objects)
        except MissingSecretError as error:
            return Waiting("SecretMissing", f"Required secret resource not found: {error}")
        except InvalidError as error:
            return Waiting(
                "VaultInitError", f"Failed to initialise vault client for signing: {error}"
            )
        try:
            parameters = _parameters(request.request)
        except InvalidError as error:
            return _refused(f"failed to decode CSR for signing: {error}")
        path = str(_config(issuer).get("path") or "")
        return Asking(SignByVault(connection, path, parameters), _outcome_of)


def _config(issuer: Issuer) -> Mapping[str, Any]:
    return mapping_at(issuer.spec, "vault")


def _secret_names(config: Mapping[str, Any]) -> Iterator[str]:
    auth = mapping_at(config, "auth")
    for ref in (
        mapping_at(config, "caBundleSecretRef"),
        mapping_at(config, "clientCertSecretRef"),
        mapping_at(config, "clientKeySecretRef"),
        mapping_at(auth, "tokenSecretRef"),
        mapping_at(auth, "appRole", "secretRef"),
        mapping_at(auth, "kubernetes", "secretRef"),
    ):
        if ref.get("name"):
            yield str(ref["name"])
    if name := mapping_at(auth, "clientCertificate").get("secretName"):
        yield str(name)


# ------------------------------------------------------------------------------ configuration


def _problem(config: Mapping[str, Any]) -> str:
    """Return what is wrong with an issuer's configuration, in cert-manager's words."""
    if not config.get("server") or not config.get("path"):
        return "Vault server and path are required fields"
    auth = mapping_at(config, "auth")
    methods = ("tokenSecretRef", "appRole", "clientCertificate", "kubernetes")
    chosen = [name for name in methods if auth.get(name) is not None]
    if not chosen:
        return "Vault tokenSecretRef, appRole, or kubernetes is required"
    if len(chosen) > 1:
        return "Multiple auth methods cannot be set on the same Vault issuer"
    method = mapping_at(auth, chosen[0])
    match chosen[0]:
        case "tokenSecretRef":
            return "" if method.get("name") else "Vault Token auth requires tokenSecretRef.name"
        case "appRole":
            ref = mapping_at(method, "secretRef")
            if not method.get("roleId") or not ref.get("name"):
                return "Vault AppRole auth requires both roleId and tokenSecretRef.name"
            return "" if ref.get("key") else "Vault AppRole auth requires secretRef.key"
        case "kubernetes":
            return _kubernetes_problem(method)
        case _:
            return ""


def _kubernetes_problem(method: Mapping[str, Any]) -> str:
    if not method.get("role"):
        return "Vault Kubernetes auth requires a role to be set"
    has_secret = bool(mapping_at(method, "secretRef").get("name"))
    has_account = method.get("serviceAccountRef") is not None
    if not has_secret and not has_account:
        return (
            "Vault Kubernetes auth requires either secretRef.name or serviceAccountRef.name to be"
            " set"
        )
    if has_secret and has_account:
        return (
            "Vault Kubernetes auth cannot be used with both secretRef.name and"
            " serviceAccountRef.name"
        )
    return ""


def _connection(issuer: Issuer, namespace: str, objects: _Objects) -> VaultConnection:
    """Return the server and who asks.

    Raises:
        MissingSecretError: A Secret with credentials is not there.
        InvalidError: One lacks what is needed.
    """
    config = _config(issuer)
    ca_pem = _ca_bundle(config, namespace, objects)
    certificate, key = _client_certificate(config, namespace, objects)
    return VaultConnection(
        server=str(config.get("server") or ""),
        auth=_auth(issuer, mapping_at(config, "auth"), namespace, objects),
        namespace=str(config.get("namespace") or ""),
        ca_pem=ca_pem,
        server_name=str(config.get("serverName") or ""),
        certificate_pem=certificate,
        key_pem=key,
    )


def _ca_bundle(config: Mapping[str, Any], namespace: str, objects: _Objects) -> bytes:
    if config.get("caBundle"):
        try:
            return b64decode(str(config["caBundle"]), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidError(
                f"failed to load vault CA bundle: it is not base64: {error}"
            ) from error
    ref = mapping_at(config, "caBundleSecretRef")
    if not ref:
        return b""
    return _of_secret(ref, known.CA_CRT, namespace, objects, "failed to load vault CA bundle: ")


def _client_certificate(
    config: Mapping[str, Any], namespace: str, objects: _Objects
) -> tuple[bytes, bytes]:
    certificate = mapping_at(config, "clientCertSecretRef")
    if not certificate:
        return b"", b""
    key = mapping_at(config, "clientKeySecretRef")
    what = "failed to load vault client certificate: "
    return (
        _of_secret(certificate, known.TLS_CRT, namespace, objects, what),
        _of_secret(key, known.TLS_KEY, namespace, objects, what),
    )


def _of_secret(
    ref: Mapping[str, Any], key: str, namespace: str, objects: _Objects, what: str
) -> bytes:
    name = str(ref.get("name") or "")
    try:
        secret = secret_named(objects, namespace, name)
    except MissingSecretError as error:
        raise InvalidError(
            f"{what}could not access secret '{namespace}/{name}': {error}"
        ) from error
    try:
        return _entry(secret, str(ref.get("key") or key))
    except InvalidError as error:
        raise InvalidError(f"{what}{error}") from error


def _entry(secret: Secret, key: str) -> bytes:
    if key not in secret.data:
        raise InvalidError(f"no data for {quote(key)} in secret '{secret.namespace}/{secret.name}'")
    return secret.data[key]


def _text(secret: Secret, key: str) -> str:
    try:
        return _entry(secret, key).decode("utf-8").strip()
    except UnicodeDecodeError as error:
        place = f"{secret.namespace}/{secret.name}"
        raise InvalidError(f"data for {quote(key)} in secret '{place}' is no text") from error


# ------------------------------------------------------------------------------ who asks


def _auth(issuer: Issuer, auth: Mapping[str, Any], namespace: str, objects: _Objects) -> VaultAuth:
    """Return how to log in; of several methods the first counts."""
    if auth.get("tokenSecretRef") is not None:
        ref = mapping_at(auth, "tokenSecretRef")
        secret = secret_named(objects, namespace, str(ref.get("name") or ""))
        return VaultToken(_text(secret, str(ref.get("key") or _TOKEN)))
    if auth.get("appRole") is not None:
        return _app_role(mapping_at(auth, "appRole"), namespace, objects)
    if auth.get("clientCertificate") is not None:
        return _certificate(mapping_at(auth, "clientCertificate"), namespace, objects)
    if auth.get("kubernetes") is not None:
        try:
            return _kubernetes(issuer, mapping_at(auth, "kubernetes"), namespace, objects)
        except MissingSecretError as error:
            raise MissingSecretError(f"{_KUBERNETES_LOGIN}{error}") from error
        except InvalidError as error:
            raise InvalidError(f"{_KUBERNETES_LOGIN}{error}") from error
    raise InvalidError(
        "error initializing Vault client: tokenSecretRef, appRoleSecretRef, or Kubernetes auth role"
        " not set"
    )


def _app_role(role: Mapping[str, Any], namespace: str, objects: _Objects) -> VaultLogin:
    ref = mapping_at(role, "secretRef")
    secret = secret_named(objects, namespace, str(ref.get("name") or ""))
    path = posixpath.join("/v1/auth", str(role.get("path") or _APP_ROLE_PATH).strip("/"), "login")
    parameters = (
        ("role_id", str(role.get("roleId") or "").strip()),
        ("secret_id", _text(secret, str(ref.get("key") or ""))),
    )
    return VaultLogin("appRole", path, parameters)


def _certificate(method: Mapping[str, Any], namespace: str, objects: _Objects) -> VaultLogin:
    path = posixpath.join(str(method.get("mountPath") or _CERTIFICATE_PATH), "login")
    parameters = (("name", str(method.get("name") or "")),)
    name = str(method.get("secretName") or "")
    if not name:
        return VaultLogin("clientCertificate", path, parameters)
    secret = secret_named(objects, namespace, name)
    certificate, key = _entry(secret, known.TLS_CRT), _entry(secret, known.TLS_KEY)
    return VaultLogin("clientCertificate", path, parameters, certificate, key)


def _kubernetes(
    issuer: Issuer, method: Mapping[str, Any], namespace: str, objects: _Objects
) -> VaultAuth:
    path = posixpath.join(str(method.get("mountPath") or _KUBERNETES_PATH), "login")
    role = str(method.get("role") or "")
    ref = mapping_at(method, "secretRef")
    if ref.get("name"):
        secret = secret_named(objects, namespace, str(ref["name"]))
        jwt = _text(secret, str(ref.get("key") or _TOKEN))
        return VaultLogin("kubernetes", path, (("role", role), ("jwt", jwt)))
    account = mapping_at(method, "serviceAccountRef")
    place = f"{issuer.namespace}/" if issuer.namespace else ""
    audiences = (f"vault://{place}{issuer.name}", *(account.get("audiences") or ()))
    return VaultServiceAccount(path, role, namespace, str(account.get("name") or ""), audiences)


# ------------------------------------------------------------------------------ answers


def _not_ready(why: str) -> IssuerState:
    message = f"Failed to initialize Vault client: {why}"
    return IssuerState(ready=False, reason=_REASON, message=message, error=why)


def _state_of(answer: Any) -> IssuerState:
    match answer:
        case VaultReady():
            return IssuerState(ready=True, reason="VaultVerified", message="Vault verified")
        case VaultFailed(stage="health", message=message):
            text = "Vault is not initialized or is sealed"
            return IssuerState(
                ready=False, reason=_REASON, message=text, error=f"{text}: {message}"
            )
        case _:
            return _not_ready(answer.message)


def _parameters(request: CertificateRequest) -> tuple[tuple[str, str], ...]:
    """Return the body of the request to sign.

    Raises:
        InvalidError: The CSR or its duration cannot be read.
    """
    csr = decode_csr(request.request)
    return (
        ("common_name", csr.subject.common_name),
        ("alt_names", ",".join(csr.names.dns)),
        ("ip_sans", ",".join(csr.names.ips)),
        ("uri_sans", ",".join(csr.names.uris)),
        ("ttl", format_duration(request.duration_nano_or_default)),
        ("csr", request.request.decode("utf-8")),
        ("exclude_cn_from_sans", "true"),
    )


def _refused(why: str) -> Refused:
    return Refused("SigningError", f"Vault failed to sign certificate: {why}")


def _outcome_of(answer: Any) -> Outcome:
    match answer:
        case VaultSigned(certificate, issuing_ca, ca_chain):
            try:
                chain = parse_chain("\n".join((*ca_chain, issuing_ca, certificate)).encode())
            except InvalidError as error:
                return _refused(f"failed to parse certificate chain from vault: {error}")
            return Signed(chain.chain_pem, chain.ca_pem)
        case VaultFailed(stage="sign", message=message, may_pass=False):
            return _refused(message)
        case VaultFailed(stage="sign", message=message):
            return Waiting(
                "SigningError", f"Vault failed to sign certificate: {message}", retry=True
            )
        case _:
            message = f"Failed to initialise vault client for signing: {answer.message}"
            return Waiting("VaultInitError", message, retry=True)
