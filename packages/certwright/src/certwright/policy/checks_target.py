"""Checks of the Secret's clothes: labels, annotations, owner, extra formats, keystores.

They ask whether a Secret whose certificate is good must be written again.

Source: reference cert-manager.md 2.2, numbers 9 to 16.
"""

from __future__ import annotations

from typing import Final

from certwright.errors import InvalidError
from certwright.pki.certificates import decode_certificates
from certwright.pki.keystores import combined_pem, key_der
from certwright.policy import reasons
from certwright.policy.managed import ISSUING_FIELD_MANAGER, Owned, owned_by
from certwright.policy.secret_annotations import secret_annotations
from certwright.policy.verdict import Evidence, Violation
from certwright.resources import known, meta
from certwright.resources.certificate import Keystore
from certwright.resources.secret import Secret

__all__ = [
    "keystores_do_not_fit_spec",
    "output_formats_are_not_owned",
    "output_formats_do_not_fit_data",
    "owner_reference_has_another_value",
    "owner_reference_is_not_owned",
    "secret_lacks_base_label",
    "template_is_not_on_secret",
    "template_is_not_owned",
    "trust_is_not_on_secret",
]

_FORMAT_KEYS: Final = {"CombinedPEM": known.TLS_COMBINED_PEM, "DER": known.KEY_DER}


def template_is_not_on_secret(evidence: Evidence) -> Violation | None:
    """Object if the Secret lacks an entry of `spec.secretTemplate`, or has another value there."""
    if evidence.secret is None:
        return None
    certificate, secret = evidence.certificate, evidence.secret
    for what, wanted, found in (
        ("Annotations", certificate.secret_template_annotations, secret.annotations),
        ("Labels", certificate.secret_template_labels, secret.labels),
    ):
        if any(
            found.get(name) != value
            for name, value in wanted.items()
            if name != known.CONTROLLER_FAO  # ours, whatever the template says
        ):
            return Violation(
                reasons.SECRET_TEMPLATE_MISMATCH,
                f"Certificate's SecretTemplate {what} missing or incorrect value on Secret",
            )
    return None


def template_is_not_owned(evidence: Evidence) -> Violation | None:
    """Object if we own other labels and annotations than the template's and our own.

    A label or annotation that has left the template is owned still; writing again drops it.
    """
    secret = evidence.secret
    if secret is None:
        return None
    base_annotations: set[str] = set()
    try:
        issued = decode_certificates(secret.certificate_pem)[0] if secret.certificate_pem else None
        base_annotations.update(secret_annotations(evidence.certificate, issued))
    except InvalidError as error:
        return Violation(
            reasons.INVALID_CERTIFICATE, f"Failed to decode stored certificate: {error}"
        )
    owned = _owned(secret)
    if isinstance(owned, Violation):
        return owned
    base_labels = {known.CONTROLLER_FAO}
    certificate = evidence.certificate
    extra = (owned.labels - base_labels, owned.annotations - base_annotations)
    if certificate.spec.get("secretTemplate") is None:
        if any(extra):
            return Violation(
                reasons.SECRET_TEMPLATE_MISMATCH,
                "SecretTemplate is nil, but Secret contains extra managed entries",
            )
        return None
    wanted = (
        frozenset(certificate.secret_template_labels) - base_labels,
        frozenset(certificate.secret_template_annotations) - base_annotations,
    )
    if extra != wanted:
        return Violation(
            reasons.SECRET_TEMPLATE_MISMATCH, "Certificate's SecretTemplate doesn't match Secret"
        )
    return None


def output_formats_do_not_fit_data(evidence: Evidence) -> Violation | None:
    """Object if an extra format is absent or is not made of the key and certificate there."""
    secret = evidence.secret
    if secret is None:
        return None
    for wanted in evidence.output_formats:
        expected = output_format(wanted, secret.private_key_pem, secret.certificate_pem)
        if secret.get(_FORMAT_KEYS.get(wanted, "")) != expected:
            return Violation(
                reasons.ADDITIONAL_OUTPUT_FORMATS_MISMATCH,
                "Certificate's AdditionalOutputFormats doesn't match Secret Data",
            )
    return None


def output_format(wanted: str, key_pem: bytes, certificate_pem: bytes) -> bytes:
    """Return the bytes of an extra format; empty if they cannot be made."""
    try:
        return (
            combined_pem(key_pem, certificate_pem) if wanted == "CombinedPEM" else key_der(key_pem)
        )
    except InvalidError:
        return b""


def output_formats_are_not_owned(evidence: Evidence) -> Violation | None:
    """Object if the extra formats that we own are not those that are asked for."""
    if evidence.secret is None:
        return None
    owned = _owned(evidence.secret)
    if isinstance(owned, Violation):
        return owned
    wanted = {_FORMAT_KEYS[name] for name in evidence.output_formats if name in _FORMAT_KEYS}
    if owned.data.intersection(_FORMAT_KEYS.values()) != wanted:
        return Violation(
            reasons.ADDITIONAL_OUTPUT_FORMATS_MISMATCH,
            "Certificate's AdditionalOutputFormats doesn't match Secret ManagedFields",
        )
    return None


def owner_reference_is_not_owned(evidence: Evidence) -> Violation | None:
    """Object if we own an owner reference to the Certificate but should not, or the reverse."""
    if evidence.secret is None:
        return None
    owned = _owned(evidence.secret)
    if isinstance(owned, Violation):
        return owned
    if (evidence.certificate.uid in owned.owner_uids) != evidence.owner_ref_enabled:
        return _owner_violation("unexpected managed Secret Owner Reference field", evidence)
    return None


def owner_reference_has_another_value(evidence: Evidence) -> Violation | None:
    """Object if the owner reference is asked for and is not exactly what we write."""
    if evidence.secret is None or not evidence.owner_ref_enabled:
        return None
    owners = meta.mapping_at(evidence.secret.object, "metadata").get("ownerReferences") or ()
    found = next((owner for owner in owners if owner.get("uid") == evidence.certificate.uid), None)
    if found != meta.controller_reference(evidence.certificate.object):
        return _owner_violation("unexpected Secret Owner Reference value", evidence)
    return None


def _owner_violation(what: str, evidence: Evidence) -> Violation:
    enabled = "true" if evidence.owner_ref_enabled else "false"
    return Violation(
        reasons.SECRET_OWNER_REF_MISMATCH,
        f"{what} on Secret --enable-certificate-owner-ref={enabled}",
    )


def keystores_do_not_fit_spec(evidence: Evidence) -> Violation | None:
    """Object if a keystore is absent or there is one that is not asked for; bytes do not count."""
    secret = evidence.secret
    if secret is None:
        return None
    jks = (secret.get(known.JKS_KEYSTORE), secret.get(known.JKS_TRUSTSTORE))
    pkcs12 = (secret.get(known.PKCS12_KEYSTORE), secret.get(known.PKCS12_TRUSTSTORE))
    if evidence.certificate.spec.get("keystores") is None:
        problem = "Keystore is not defined" if any((*jks, *pkcs12)) else ""
    else:
        has_ca = known.CA_CRT in (secret.object.get("data") or {})
        certificate = evidence.certificate
        problem = _keystore_problem(
            "JKS", certificate.jks_keystore, jks, has_ca=has_ca
        ) or _keystore_problem("PKCS12", certificate.pkcs12_keystore, pkcs12, has_ca=has_ca)
    return Violation(reasons.SECRET_MISMATCH, problem) if problem else None


def _keystore_problem(
    name: str, wanted: Keystore | None, found: tuple[bytes, bytes], *, has_ca: bool
) -> str:
    keystore, truststore = found
    if wanted is not None and wanted.create:
        is_whole = keystore and (truststore or not has_ca)
        return "" if is_whole else f"{name} Keystore key does not contain data"
    if not (keystore or truststore):
        return ""
    return f"{name} Keystore not defined" if wanted is None else f"{name} Keystore create disabled"


def trust_is_not_on_secret(evidence: Evidence) -> Violation | None:
    """Object if `ca.crt` is not what is trusted while the CA of the issuer changes."""
    rotation, secret = evidence.rotation, evidence.secret
    if rotation is None or secret is None or not secret.certificate_pem:
        return None
    try:
        wanted = rotation.bundle(secret.certificate_pem, secret.ca_pem)
        is_same = decode_certificates(wanted) == decode_certificates(secret.ca_pem)
    except InvalidError:
        is_same = not secret.certificate_pem
    if is_same:
        return None
    return Violation(reasons.CA_TRUST_MISMATCH, "ca.crt does not hold the CAs that are trusted now")


def secret_lacks_base_label(evidence: Evidence) -> Violation | None:
    """Object if the label is absent by which our caches find the Secret."""
    if evidence.secret is None or known.CONTROLLER_FAO in evidence.secret.labels:
        return None
    return Violation(
        reasons.SECRET_BASE_LABELS_MISSING, f"missing base label {known.CONTROLLER_FAO}"
    )


def _owned(secret: Secret) -> Owned | Violation:
    try:
        return owned_by(secret.object, ISSUING_FIELD_MANAGER)
    except InvalidError as error:
        return Violation(
            reasons.MANAGED_FIELDS_PARSE_ERROR,
            f"failed to decode managed fields on Secret: {error}",
        )
