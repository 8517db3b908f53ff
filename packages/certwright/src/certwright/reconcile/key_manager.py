"""certificates-key-manager: keeps the key of the next revision in a Secret while issuing.

The key is stored before anybody can ask for a certificate with it, and the Secret goes only when
the Certificate, as it is now, is not being issued. So a key that a request was made for is not
lost: docs/adr/012-names-that-follow-from-the-decision.md.

Source: reference cert-manager.md 2.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Final

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from certwright.errors import InvalidError
from certwright.pki.keys import decode_private_key, encode_private_key_pkcs8, private_key_violations
from certwright.reconcile.contract import Action, Controller, Create, Delete, Emit, Plan, Sources
from certwright.reconcile.gather import (
    WAKE_NAMED_BY_SECRET,
    WAKE_OWNER_OF_KEY_SECRET,
    CertificateState,
    gather_for_keys,
    is_issuing,
)
from certwright.reconcile.indexes import CERTIFICATES_BY_SECRET, KEY_SECRETS_BY_OWNER
from certwright.reconcile.names import key_secret_names
from certwright.reconcile.options import Options
from certwright.reconcile.status import set_fields, still_so, write_status
from certwright.resources import known, meta
from certwright.resources.certificate import Certificate
from certwright.resources.gotext import format_strings, quote
from certwright.resources.kinds import CERTIFICATE, SECRET, Manifest
from certwright.resources.secret import TYPE_OPAQUE, Secret, encode_data

__all__ = ["key_manager_controller", "plan_key"]

_FIELDS: Final = ("nextPrivateKeySecretName",)
_LOOK_AGAIN_SECONDS: Final = 5.0
"""If the Secret's name turns out to be taken, nothing else may wake us."""


def plan_key(state: CertificateState, sources: Sources, *, options: Options) -> Plan:
    """Plan the Secret with the next key, and its name in the status."""
    certificate, secrets = state.certificate, state.key_secrets
    if not is_issuing(certificate):
        return Plan((*_name(certificate, None, options), *_delete(certificate, secrets)))
    if not secrets:
        return _plan_new_key(state, sources, options)
    name = certificate.next_private_key_secret_name
    named = next((secret for secret in secrets if secret.name == name), None)
    if len(secrets) > 1 or (name and named is None):
        # Of several only the one that the status names may be in use already.
        others = [secret for secret in secrets if secret is not named]
        return Plan(_delete(certificate, others))
    if not name:
        return Plan(_name(certificate, secrets[0].name, options))
    return Plan(_check(certificate, secrets[0]))


def _check(certificate: Certificate, secret: Secret) -> tuple[Action, ...]:
    """Return what is to be done about the one Secret that the status names."""
    try:
        key = decode_private_key(secret.private_key_pem)
    except InvalidError:
        return _delete(certificate, [secret])
    violations = private_key_violations(key, certificate)
    if not violations:
        return ()
    message = f"Regenerating private key due to change in fields: {format_strings(violations)}"
    deletion = _delete(certificate, [secret])
    return (*deletion, Emit(certificate.object, "Normal", "Deleted", message)) if deletion else ()


def _plan_new_key(state: CertificateState, sources: Sources, options: Options) -> Plan:
    certificate, secret = state.certificate, state.secret
    policy = certificate.private_key_or_default.rotation_policy_or_default
    if policy not in {"Never", "Always"}:
        return Plan(retry=f"unknown spec.privateKey.rotationPolicy {quote(policy)}")
    problems: tuple[Action, ...] = ()
    if policy == "Never" and secret is not None and secret.private_key_pem:
        shown = quote(certificate.secret_name)
        try:
            key = decode_private_key(secret.private_key_pem)
        except InvalidError:
            message = f"Failed to decode private key stored in Secret {shown} - generating new key"
            problems = (Emit(certificate.object, "Warning", "DecodeFailed", message),)
        else:
            violations = private_key_violations(key, certificate)
            if violations:
                message = _cannot_regenerate(shown, violations)
                return Plan((Emit(certificate.object, "Warning", "CannotRegenerateKey", message),))
            message = f"Reusing private key stored in existing Secret resource {shown}"
            return _plan_store(state, key, ("Reused", message), options)
    spec = certificate.private_key_or_default
    try:
        new_key = sources.private_key(spec.algorithm, spec.size)
    except InvalidError as error:
        message = f"Failed to generate a private key: {error}"
        return Plan((Emit(certificate.object, "Warning", "GenerateFailed", message),))
    plan = _plan_store(
        state,
        new_key,
        ("Generated", "Stored new private key in temporary Secret resource {}"),
        options,
    )
    return Plan((*problems, *plan.actions), plan.look_again_after_seconds, plan.retry)


def _cannot_regenerate(secret: str, violations: Sequence[str]) -> str:
    return (
        f"User intervention required: existing private key in Secret {secret} does not match "
        f"requirements on Certificate resource, mismatching fields: {format_strings(violations)}, "
        "but cert-manager cannot create new private key as the Certificate's "
        ".spec.privateKey.rotationPolicy is unset or set to Never. To allow cert-manager to create "
        "a new private key you can set .spec.privateKey.rotationPolicy to 'Always' (this will "
        "result in the private key being regenerated every time a cert is renewed) "
    )


def _plan_store(
    state: CertificateState, key: PrivateKeyTypes, event: tuple[str, str], options: Options
) -> Plan:
    certificate = state.certificate
    told = certificate.next_private_key_secret_name
    candidates = chain([told] if told else [], key_secret_names(certificate, state.next_revision))
    name = next(name for name in candidates if name not in state.taken_names)
    secret: Manifest = {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": {
            "generateName": f"{certificate.name}-",
            "labels": {known.NEXT_PRIVATE_KEY: "true", known.CONTROLLER_FAO: "true"},
            "name": name,
            "namespace": certificate.namespace,
            "ownerReferences": [meta.controller_reference(certificate.object)],
        },
        "type": TYPE_OPAQUE,
        "data": encode_data({known.TLS_KEY: encode_private_key_pkcs8(key)}),
    }
    reason, message = event
    return Plan(
        (
            Create(secret),
            Emit(certificate.object, "Normal", reason, message.replace("{}", quote(name))),
            *_name(certificate, name, options),
        ),
        look_again_after_seconds=_LOOK_AGAIN_SECONDS,
    )


def _name(certificate: Certificate, name: str | None, options: Options) -> tuple[Action, ...]:
    """Return what sets or unsets the name of the Secret in the status; nothing if it is so."""
    named = set_fields(certificate.object, nextPrivateKeySecretName=name)
    return write_status(certificate.object, named, options.gates, fields=_FIELDS)


def _delete(certificate: Certificate, secrets: Sequence[Secret]) -> tuple[Action, ...]:
    """Return what deletes these Secrets if the Certificate is still as it was seen."""
    deletions = [
        Delete(meta.key_of(secret.object), meta.uid(secret.object))
        for secret in secrets
        if meta.deletion_time(secret.object) is None
    ]
    if not deletions:
        return ()
    # A write of the name, if there is one, comes before and is precondition enough.
    is_named = not is_issuing(certificate) and bool(certificate.next_private_key_secret_name)
    return tuple(deletions) if is_named else (still_so(certificate.object), *deletions)


def key_manager_controller(options: Options) -> Controller[CertificateState]:
    """Return the loop."""
    return Controller(
        name="certificates-key-manager",
        kind=CERTIFICATE,
        gather=gather_for_keys,
        plan=partial(plan_key, options=options),
        wakes=(WAKE_OWNER_OF_KEY_SECRET, WAKE_NAMED_BY_SECRET),
        indexes=(KEY_SECRETS_BY_OWNER, CERTIFICATES_BY_SECRET),
    )
