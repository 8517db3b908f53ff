"""The SelfSigned issuer: signs each request with the key the request is for.

Source: reference cert-manager.md 3.1 (selfSigned), 3.3 (SelfSigned).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from certwright.errors import InvalidError
from certwright.issuers.contract import (
    IssuerState,
    Notice,
    Outcome,
    Refused,
    Signed,
    SigningRequest,
    Waiting,
    not_found_text,
)
from certwright.issuers.secrets import private_key
from certwright.pki.keys import public_keys_equal
from certwright.pki.names import decode_rdns, name_text
from certwright.pki.template import sign_template, template_of_request, with_asked_for
from certwright.resources import known
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.issuer import Issuer, IssuerType
from certwright.resources.kinds import SECRET, Key, Manifest

__all__ = ["SelfSignedSigner"]

_EMPTY_NAME: Final = (
    "Certificate will be issued with an empty Issuer DN, which contravenes RFC 5280 and could "
    "break some strict clients"
)
_TEMPLATE_PROBLEM: Final = "Error generating certificate template"


class SelfSignedSigner:
    """Signs for issuers with `spec.selfSigned`."""

    @property
    def type(self) -> IssuerType:
        """`selfSigned`."""
        return "selfSigned"

    def issuer_needs(self, issuer: Issuer, resource_namespace: str, /) -> tuple[Key, ...]:
        """Return nothing: such an issuer is always ready."""
        return ()

    def state(
        self, issuer: Issuer, resource_namespace: str, objects: Mapping[Key, Manifest], /
    ) -> IssuerState:
        """Return that it is ready."""
        return IssuerState(ready=True, reason="IsReady", message="")

    def needs(
        self, request: CertificateRequest, issuer: Issuer, resource_namespace: str, /
    ) -> tuple[Key, ...]:
        """Return the Secret with the request's own key, which an annotation names."""
        name = request.annotations.get(known.PRIVATE_KEY_SECRET_NAME, "")
        return (SECRET.key(request.namespace, name),) if name else ()

    def sign(self, request: SigningRequest, /) -> Outcome:
        """Sign with the key of the request."""
        wanted = request.request
        name = wanted.annotations.get(known.PRIVATE_KEY_SECRET_NAME, "")
        annotation = f'"{known.PRIVATE_KEY_SECRET_NAME}"'
        if not name:
            return Refused(
                "MissingAnnotation",
                f"Annotation {annotation} missing or reference empty: secret name missing",
            )
        secret = request.secret(wanted.namespace, name)
        if secret is None:
            return Waiting(
                "MissingSecret",
                f"Referenced secret {wanted.namespace}/{name} not found: {not_found_text(name)}",
            )
        try:
            key = private_key(secret)
        except InvalidError as error:
            return Waiting(
                "ErrorParsingKey",
                f'Failed to get key "{name}" referenced in annotation {annotation}: {error}',
            )
        try:
            template = template_of_request(wanted, now=request.now, serial=request.serial)
            template = with_asked_for(template, wanted.request, request.gates)
        except InvalidError as error:
            return Refused("ErrorGenerating", f"{_TEMPLATE_PROBLEM}: {error}")
        notices: tuple[Notice, ...] = ()
        if not name_text(decode_rdns(template.subject_der)):
            notices = (Notice("Warning", "BadConfig", _EMPTY_NAME),)
        if not public_keys_equal(key.public_key(), template.public_key):
            return Refused(
                "ErrorKeyMatch",
                f"{_TEMPLATE_PROBLEM}: CSR not signed by referenced private key",
                notices,
            )
        template = replace(template, crl_distribution_points=request.issuer.crl_distribution_points)
        try:
            pem = sign_template(template, key).pem
        except InvalidError as error:
            return Refused("ErrorSigning", f"Error signing certificate: {error}", notices)
        return Signed(pem, pem, notices)
