"""The Secret that a Certificate's users read: all of it, as one server-side apply.

An apply says everything this field manager wants; what it wanted before and no longer says goes.
Key and certificate are always in the same apply, so no reader ever sees one without its other.

Source: reference cert-manager.md 2.9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from certwright.errors import InvalidError
from certwright.pki.certificates import decode_certificates
from certwright.pki.keystores import (
    Profile,
    combined_pem,
    jks_keystore,
    jks_truststore,
    key_der,
    pkcs12_keystore,
    pkcs12_truststore,
)
from certwright.policy.secret_annotations import secret_annotations
from certwright.reconcile.contract import Action, Apply, Expect
from certwright.reconcile.gather import CertificateState
from certwright.reconcile.options import Options
from certwright.resources import known, meta
from certwright.resources.certificate import Certificate, Keystore
from certwright.resources.features import ADDITIONAL_CERTIFICATE_OUTPUT_FORMATS
from certwright.resources.gotext import quote
from certwright.resources.kinds import SECRET
from certwright.resources.secret import TYPE_OPAQUE, TYPE_TLS, Secret, encode_data

__all__ = ["SecretContent", "write_target_secret"]


@dataclass(frozen=True, slots=True)
class SecretContent:
    """What a target Secret is made of; all PEM."""

    key_pem: bytes
    certificate_pem: bytes
    """The chain, the key's certificate first."""
    ca_pem: bytes
    """Empty if the issuer names no CA."""


def write_target_secret(
    state: CertificateState, content: SecretContent, options: Options
) -> tuple[Action, ...]:
    """Return what writes the whole Secret, and fails if the Secret is not as it was seen.

    Where none was seen the store is asked, or an old copy of the world would put an old
    certificate, or a temporary one, over a new one.

    Raises:
        InvalidError: The certificate cannot be read, or a keystore's password is missing.
    """
    certificate, secret = state.certificate, state.secret
    if state.rotation is not None and content.ca_pem:
        trusted = state.rotation.bundle(content.certificate_pem, content.ca_pem)
        content = replace(content, ca_pem=trusted)
    issued = decode_certificates(content.certificate_pem)[0]
    metadata: dict[str, Any] = {
        "name": certificate.secret_name,
        "namespace": certificate.namespace,
        "annotations": {
            **secret_annotations(certificate, issued),
            **certificate.secret_template_annotations,
        },
        "labels": {**certificate.secret_template_labels, known.CONTROLLER_FAO: "true"},
    }
    if secret is not None:
        metadata["resourceVersion"] = meta.resource_version(secret.object)
    if options.enable_certificate_owner_ref:
        metadata["ownerReferences"] = [meta.controller_reference(certificate.object)]
    written = Apply(
        {
            "apiVersion": SECRET.api_version,
            "kind": SECRET.name,
            "metadata": metadata,
            # The type of a Secret cannot be changed.
            "type": TYPE_TLS if secret is None else secret.type or TYPE_OPAQUE,
            "data": encode_data(_data(state, content, options)),
        }
    )
    if secret is not None:
        return (written,)
    return (Expect(SECRET.key(certificate.namespace, certificate.secret_name), ""), written)


def _data(state: CertificateState, content: SecretContent, options: Options) -> dict[str, bytes]:
    certificate = state.certificate
    data = {known.TLS_KEY: content.key_pem, known.TLS_CRT: content.certificate_pem}
    if content.ca_pem:
        data[known.CA_CRT] = content.ca_pem
    data.update(_keystores(certificate, content, state.passwords))
    if ADDITIONAL_CERTIFICATE_OUTPUT_FORMATS in options.gates:
        if "DER" in certificate.additional_output_formats:
            data[known.KEY_DER] = key_der(content.key_pem)
        if "CombinedPEM" in certificate.additional_output_formats:
            data[known.TLS_COMBINED_PEM] = combined_pem(content.key_pem, content.certificate_pem)
    return data


def _keystores(
    certificate: Certificate, content: SecretContent, passwords: Mapping[str, Secret]
) -> dict[str, bytes]:
    """Return the keystores, and truststores if a CA is known."""
    data: dict[str, bytes] = {}
    key, chain, ca = content.key_pem, content.certificate_pem, content.ca_pem
    if certificate.pkcs12_keystore is not None and certificate.pkcs12_keystore.create:
        password = _password("PKCS12", certificate.pkcs12_keystore, passwords)
        profile = cast("Profile", certificate.pkcs12_keystore.profile)
        data[known.PKCS12_KEYSTORE] = pkcs12_keystore(password, key, chain, ca, profile=profile)
        if ca:
            data[known.PKCS12_TRUSTSTORE] = pkcs12_truststore(password, ca, profile=profile)
    if certificate.jks_keystore is not None and certificate.jks_keystore.create:
        password = _password("JKS", certificate.jks_keystore, passwords)
        alias = certificate.jks_keystore.alias
        data[known.JKS_KEYSTORE] = jks_keystore(password, key, chain, ca, alias)
        if ca:
            data[known.JKS_TRUSTSTORE] = jks_truststore(password, ca)
    return data


def _password(what: str, keystore: Keystore, passwords: Mapping[str, Secret]) -> bytes:
    ref = keystore.password
    if keystore.literal_password and not ref.name:
        return keystore.literal_password.encode()
    secret = passwords.get(ref.name)
    if secret is None:
        raise InvalidError(
            f"fetching {what} keystore password from Secret: secret {quote(ref.name)} not found"
        )
    password = secret.get(ref.key)
    if not password:
        raise InvalidError(
            f"{what} keystore password Secret contains no data for key {quote(ref.key)}"
        )
    return password
