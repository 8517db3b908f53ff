"""The CA issuer: signs with a key pair that lies in a Secret.

Source: reference cert-manager.md 3.1 (ca), 3.3 (CA).
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
from certwright.issuers.secrets import certificate_chain, key_pair_and_ca, private_key
from certwright.pki.certificates import DecodedCertificate
from certwright.pki.chain import ChainResult, order_chain
from certwright.pki.keys import SigningKey
from certwright.pki.template import (
    CertificateTemplate,
    sign_template,
    template_of_request,
    with_asked_for,
)
from certwright.policy.ca_rotation import lead_of, rotation_of
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.issuer import Issuer, IssuerType
from certwright.resources.kinds import SECRET, Key, Manifest
from certwright.resources.secret import Secret
from certwright.resources.times import format_time

__all__ = ["CaSigner", "sign_with_ca"]

_GET_KEY_PAIR: Final = "Error getting keypair for CA issuer: "
_VERIFIED: Final = "Signing CA verified"


class CaSigner:
    """Signs for issuers with `spec.ca`."""

    @property
    def type(self) -> IssuerType:
        """`ca`."""
        return "ca"

    def issuer_needs(self, issuer: Issuer, resource_namespace: str, /) -> tuple[Key, ...]:
        """Return the Secret of the CA."""
        return (SECRET.key(resource_namespace, issuer.ca_secret_name),)

    def state(
        self, issuer: Issuer, resource_namespace: str, objects: Mapping[Key, Manifest], /
    ) -> IssuerState:
        """Return whether there is a CA to sign with; its end and its usages are not looked at."""
        found = objects.get(SECRET.key(resource_namespace, issuer.ca_secret_name))
        try:
            if found is None:
                raise InvalidError(not_found_text(issuer.ca_secret_name))  # noqa: TRY301
            secret = Secret(found)
            certificate = certificate_chain(secret)[0]
            private_key(secret)
        except InvalidError as error:
            message = f"{_GET_KEY_PAIR}{error}"
            return _not_ready("ErrGetKeyPair", message, error=str(error))
        if not certificate.is_ca:
            return _not_ready("ErrInvalidKeyPair", f"{_GET_KEY_PAIR}certificate is not a CA")
        notice = Notice("Normal", "KeyPairVerified", _VERIFIED)
        return IssuerState(
            ready=True, reason="KeyPairVerified", message=_VERIFIED, notices=(notice,)
        )

    def needs(
        self, request: CertificateRequest, issuer: Issuer, resource_namespace: str, /
    ) -> tuple[Key, ...]:
        """Return the Secret of the CA."""
        return self.issuer_needs(issuer, resource_namespace)

    def sign(self, request: SigningRequest, /) -> Outcome:
        """Sign with the first certificate of `tls.crt`; the chain is what is known above it."""
        name = request.issuer.ca_secret_name
        place = f"{request.resource_namespace}/{name}"
        secret = request.secret(request.resource_namespace, name)
        if secret is None:
            return Waiting(
                "SecretMissing", f"Referenced secret {place} not found: {not_found_text(name)}"
            )
        try:
            chain, key = key_pair_and_ca(secret)
        except InvalidError as error:
            return Waiting(
                "SecretInvalidData",
                f"Failed to parse signing CA keypair from secret {place}: {error}",
            )
        if (held := _held(request, chain)) is not None:
            return held
        try:
            template = template_of_request(request.request, now=request.now, serial=request.serial)
            template = with_asked_for(template, request.request.request, request.gates)
        except InvalidError as error:
            return Refused("SigningError", f"Error generating certificate template: {error}")
        template = replace(
            template,
            crl_distribution_points=request.issuer.crl_distribution_points,
            ocsp_servers=request.issuer.ocsp_servers,
            issuing_certificate_urls=request.issuer.issuing_certificate_urls,
        )
        try:
            result = sign_with_ca(template, chain, key)
        except InvalidError as error:
            return Refused("SigningError", f"Error signing certificate: {error}")
        return Signed(result.chain_pem, result.ca_pem)


def _held(request: SigningRequest, chain: list[DecodedCertificate]) -> Waiting | None:
    """Return why a CA that has just changed does not sign yet, or None."""
    try:
        lead = lead_of(request.issuer)
    except InvalidError:
        return None
    rotation = rotation_of(request.issuer)
    if lead is None:
        return None
    if rotation is None or rotation.chain != tuple(chain):
        return Waiting(
            "CAChanged", "The CA has changed: waiting until it is trusted", is_progress=True
        )
    if rotation.signs <= request.now:
        return None
    return Waiting(
        "CAChanged",
        f"The CA has changed: it signs from {format_time(rotation.signs)} on, so that it "
        "is trusted before",
        is_progress=True,
        again_after_seconds=(rotation.signs - request.now).total_seconds(),
    )


def sign_with_ca(
    template: CertificateTemplate, chain: list[DecodedCertificate], key: SigningKey
) -> ChainResult:
    """Return the new certificate with its chain.

    Args:
        template: What to sign.
        chain: The CA's certificates, the one that signs first.
        key: The CA's key.

    Raises:
        InvalidError: It cannot be signed, or the certificates are not one chain.

    Source: cert-manager v1.12.2 pkg/util/pki/csr.go SignCSRTemplate.
    """
    leaf = sign_template(template, key, chain[0])
    return order_chain([*chain, leaf])


def _not_ready(reason: str, message: str, *, error: str = "") -> IssuerState:
    notice = Notice("Warning", reason, message)
    return IssuerState(ready=False, reason=reason, message=message, notices=(notice,), error=error)
