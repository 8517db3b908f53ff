"""Rules for Issuers and ClusterIssuers; creation and update have the same.

Source: reference cert-manager.md 1.3.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from certwright.admission.fields import (
    FieldError,
    Verdict,
    child,
    forbidden,
    index,
    invalid,
    required,
)
from certwright.admission.solver import secret_key_errors, solver_errors
from certwright.errors import InvalidError
from certwright.pki.certificates import decode_certificate
from certwright.pki.pem import decode_pem
from certwright.resources.issuer import Issuer
from certwright.resources.meta import mapping_at

__all__ = ["issuer_verdict"]

Config: TypeAlias = Mapping[str, Any]

_KEY_ALGORITHM_WARNING: Final = (
    "ACME issuer spec field 'externalAccount.keyAlgorithm' is deprecated. The value of this field"
    " will be ignored."
)
_EXCLUSIVE: Final = "caBundle and skipTLSVerify are mutually exclusive and cannot both be set"
_ONE_TYPE: Final = "may not specify more than one issuer type"


def issuer_verdict(issuer: Issuer) -> Verdict:
    """Return what is wrong with the spec, in cert-manager's order, and what is deprecated."""
    errors: list[FieldError] = []
    configured = [name for name in _RULES if issuer.spec.get(name) is not None]
    for position, name in enumerate(configured):
        path = child("spec", name)
        if position:
            errors.append(forbidden(path, _ONE_TYPE))
        else:
            errors += _RULES[name](mapping_at(issuer.spec, name), path)
    if not configured:
        errors.append(required("spec", "at least one issuer must be configured"))
    warnings: tuple[str, ...] = ()
    binding = mapping_at(issuer.spec, "acme", "externalAccountBinding")
    if binding.get("keyAlgorithm"):
        warnings = (_KEY_ALGORITHM_WARNING,)
    return Verdict(tuple(errors), warnings)


# ------------------------------------------------------------------------------ ACME


def _acme_errors(config: Config, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    bundle = config.get("caBundle")
    if bundle and config.get("skipTLSVerify"):
        errors += [
            invalid(child(path, "caBundle"), "", _EXCLUSIVE),
            invalid(child(path, "skipTLSVerify"), True, _EXCLUSIVE),  # noqa: FBT003 - the value
        ]
    errors += _bundle_errors(bundle, child(path, "caBundle"), shown="")
    if not mapping_at(config, "privateKeySecretRef").get("name"):
        errors.append(
            required(
                child(path, "privateKeySecretRef", "name"),
                "private key secret name is a required field",
            )
        )
    if not config.get("server"):
        errors.append(required(child(path, "server"), "acme server URL is a required field"))
    if config.get("externalAccountBinding") is not None:
        binding = mapping_at(config, "externalAccountBinding")
        below = child(path, "externalAccountBinding")
        if not binding.get("keyID"):
            text = "the keyID field is required when using externalAccountBinding"
            errors.append(required(child(below, "keyID"), text))
        reference = mapping_at(binding, "keySecretRef")
        errors += secret_key_errors(reference, child(below, "keySecretRef"))
    for position, solver in enumerate(config.get("solvers") or ()):
        errors += solver_errors(solver, index(child(path, "solvers"), position))
    return errors


def _bundle_errors(bundle: Any, path: str, *, shown: str) -> list[FieldError]:
    """Refuse a bundle without any certificate; what else is in it does not matter."""
    if not bundle or _holds_a_certificate(str(bundle)):
        return []
    return [invalid(path, shown, "cert bundle didn't contain any valid certificates")]


def _holds_a_certificate(encoded: str) -> bool:
    try:
        pem = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
    for block in decode_pem(pem):
        if block.type != "CERTIFICATE":
            continue
        try:
            decode_certificate(block.der)
        except InvalidError:
            continue
        return True
    return False


# ------------------------------------------------------------------------------ CA, self-signed


def _ca_errors(config: Config, path: str) -> list[FieldError]:
    errors = [] if config.get("secretName") else [required(child(path, "secretName"))]
    for position, url in enumerate(config.get("ocspServers") or ()):
        if not url:
            text = "must be a valid URL, e.g., http://ocsp.int-x3.letsencrypt.org"
            errors.append(invalid(index(child(path, "ocspServer"), position), "", text))
    return errors


def _self_signed_errors(_config: Config, _path: str) -> list[FieldError]:
    return []


# ------------------------------------------------------------------------------ Vault


def _vault_errors(config: Config, path: str) -> list[FieldError]:
    errors = [required(child(path, field)) for field in ("server", "path") if not config.get(field)]
    bundle, reference = config.get("caBundle"), config.get("caBundleSecretRef")
    errors += _bundle_errors(bundle, child(path, "caBundle"), shown="<snip>")
    if bundle and reference is not None:
        errors += [
            invalid(
                child(path, "caBundle"),
                "<snip>",
                "specified caBundle and caBundleSecretRef cannot be used together",
            ),
            invalid(
                child(path, "caBundleSecretRef"),
                str(reference.get("name") or ""),
                "specified caBundleSecretRef and caBundle cannot be used together",
            ),
        ]
    return errors + _vault_auth_errors(mapping_at(config, "auth"), child(path, "auth"))


_VAULT_LOGINS: Final = ("tokenSecretRef", "appRole", "clientCertificate", "kubernetes")
"""Client certificates are of later versions."""


def _vault_auth_errors(auth: Config, path: str) -> list[FieldError]:
    """Check how to log in. More than one way is let in here, because old objects have that."""
    errors = []
    if auth.get("appRole") is not None:
        role = mapping_at(auth, "appRole")
        if not role.get("roleId"):
            errors.append(required(child(path, "appRole", "roleId")))
        if not mapping_at(role, "secretRef").get("name"):
            errors.append(required(child(path, "appRole", "secretRef", "name")))
    if auth.get("kubernetes") is not None:
        errors += _vault_kubernetes_errors(
            mapping_at(auth, "kubernetes"), child(path, "kubernetes")
        )
    if all(auth.get(way) is None for way in _VAULT_LOGINS):
        errors.append(required(path, "please supply one of: appRole, kubernetes, tokenSecretRef"))
    return errors


def _vault_kubernetes_errors(config: Config, path: str) -> list[FieldError]:
    errors = [] if config.get("role") else [required(child(path, "role"))]
    has_secret = bool(mapping_at(config, "secretRef").get("name"))
    has_account = config.get("serviceAccountRef") is not None
    if has_account and not mapping_at(config, "serviceAccountRef").get("name"):
        errors.append(required(child(path, "serviceAccountRef", "name")))
    text = "please supply one of: secretRef, serviceAccountRef"
    if not has_secret and not has_account:
        errors.append(required(path, text))
    if has_secret and has_account:
        errors.append(forbidden(path, text))
    return errors


# ------------------------------------------------------------------------------ Venafi


def _venafi_errors(config: Config, path: str) -> list[FieldError]:
    errors = [] if config.get("zone") else [required(child(path, "zone"))]
    has_tpp, has_cloud = config.get("tpp") is not None, config.get("cloud") is not None
    if has_tpp and not mapping_at(config, "tpp").get("url"):
        errors.append(required(child(path, "tpp", "url")))
    text = "please supply one of: tpp, cloud"
    if not has_tpp and not has_cloud:
        errors.append(required(path, text))
    if has_tpp and has_cloud:
        errors.append(forbidden(path, text))
    return errors


_RULES: Final[Mapping[str, Callable[[Config, str], list[FieldError]]]] = {
    "acme": _acme_errors,
    "ca": _ca_errors,
    "selfSigned": _self_signed_errors,
    "vault": _vault_errors,
    "venafi": _venafi_errors,
}
"""In the order in which a second one is refused."""
