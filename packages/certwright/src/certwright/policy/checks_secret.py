"""Checks of what the Secret holds: key and certificate, for whom, from whom.

Where there is no Secret, or not the data a check is about, only the check for that says so.

Source: reference cert-manager.md 2.2, numbers 1 to 8.
"""

from __future__ import annotations

from certwright.errors import InvalidError
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.pki.key_pair import check_key_pair
from certwright.pki.keys import decode_private_key, private_key_violations
from certwright.pki.match import request_violations, secret_names_violations
from certwright.pki.names import name_of_rdns, name_text
from certwright.policy import reasons
from certwright.policy.renewal import renewal_moment
from certwright.policy.verdict import Evidence, Violation
from certwright.resources import known
from certwright.resources.gotext import format_strings
from certwright.resources.issuer_ref import IssuerRef
from certwright.resources.times import go_time_string, rfc1123

__all__ = [
    "certificate_has_expired",
    "certificate_is_due",
    "certificate_is_of_another_ca",
    "request_does_not_fit_spec",
    "secret_does_not_exist",
    "secret_holds_no_key_pair",
    "secret_holds_temporary_certificate",
    "secret_is_missing_data",
    "secret_is_of_another_issuer",
    "secret_key_does_not_fit_spec",
]

TEMPORARY_ISSUER = "cert-manager.local"
"""Common name of the CA that signs temporary certificates and is thrown away."""


def secret_does_not_exist(evidence: Evidence) -> Violation | None:
    """Object if there is no Secret."""
    if evidence.secret is None:
        return Violation(reasons.DOES_NOT_EXIST, "Issuing certificate as Secret does not exist")
    return None


def secret_is_missing_data(evidence: Evidence) -> Violation | None:
    """Object if the Secret lacks data, a key or a certificate."""
    secret = evidence.secret
    if secret is None:
        return None
    if not secret.object.get("data"):
        missing = "any data"
    elif not secret.private_key_pem:
        missing = "a private key"
    elif not secret.certificate_pem:
        missing = "a certificate"
    else:
        return None
    return Violation(
        reasons.MISSING_DATA, f"Issuing certificate as Secret does not contain {missing}"
    )


def secret_holds_no_key_pair(evidence: Evidence) -> Violation | None:
    """Object if key and certificate cannot be read or are no pair."""
    secret = evidence.secret
    if secret is None or not secret.certificate_pem or not secret.private_key_pem:
        return None
    problem = check_key_pair(secret.certificate_pem, secret.private_key_pem)
    if problem:
        return Violation(
            reasons.INVALID_KEY_PAIR,
            f"Issuing certificate as Secret contains an invalid key-pair: {problem}",
        )
    return None


def secret_holds_temporary_certificate(evidence: Evidence) -> Violation | None:
    """Object if the certificate is the one that stands in until the real one is issued.

    cert-manager has no such check: a Certificate with a temporary certificate is Ready there, and
    a failed issuance is not tried again before the temporary certificate ends. We differ.
    """
    issued = _issued(evidence)
    if issued is not None and name_of_rdns(issued.issuer).common_name == TEMPORARY_ISSUER:
        return Violation(
            reasons.TEMPORARY_CERTIFICATE,
            "Issuing certificate as Secret contains a temporary certificate",
        )
    return None


def secret_key_does_not_fit_spec(evidence: Evidence) -> Violation | None:
    """Object if the key is not of the kind that `spec.privateKey` asks for."""
    secret = evidence.secret
    if secret is None:
        return None
    if not secret.private_key_pem:
        return Violation(
            reasons.SECRET_MISMATCH, "Existing issued Secret does not contain private key data"
        )
    try:
        key = decode_private_key(secret.private_key_pem)
    except InvalidError as error:
        return Violation(
            reasons.SECRET_MISMATCH,
            f"Existing issued Secret contains invalid private key data: {error}",
        )
    try:
        violations = private_key_violations(key, evidence.certificate)
    except InvalidError as error:
        return Violation(
            reasons.SECRET_MISMATCH, f"Failed to check private key is up to date: {error}"
        )
    if violations:
        return Violation(
            reasons.SECRET_MISMATCH,
            f"Existing private key is not up to date for spec: {format_strings(violations)}",
        )
    return None


def secret_is_of_another_issuer(evidence: Evidence) -> Violation | None:
    """Object if the Secret's annotations name another issuer than `spec.issuerRef`."""
    if evidence.secret is None:
        return None
    annotations = evidence.secret.annotations
    found = IssuerRef(
        annotations.get(known.ISSUER_NAME, ""),
        annotations.get(known.ISSUER_KIND, ""),
        annotations.get(known.ISSUER_GROUP, ""),
    )
    wanted = evidence.certificate.issuer_ref
    if (found.name, found.kind_or_default, found.group_or_default) == (
        wanted.name,
        wanted.kind_or_default,
        wanted.group_or_default,
    ):
        return None
    return Violation(
        reasons.INCORRECT_ISSUER,
        "Issuing certificate as Secret was previously issued by "
        f"{found.kind_or_default}.{found.group_or_default}/{found.name}",
    )


def request_does_not_fit_spec(evidence: Evidence) -> Violation | None:
    """Object if what was requested for this revision is not what the spec asks for now.

    Without the request, the names in the issued certificate are compared. What cannot be read is
    no objection: the certificate that is there may be good.
    """
    if evidence.current_request is None:
        return _names_do_not_fit_spec(evidence)
    try:
        violations = request_violations(evidence.current_request, evidence.certificate)
    except InvalidError:
        return None
    if violations:
        return Violation(
            reasons.REQUEST_CHANGED,
            "Fields on existing CertificateRequest resource not up to date: "
            f"{format_strings(violations)}",
        )
    return None


def _names_do_not_fit_spec(evidence: Evidence) -> Violation | None:
    issued = _issued(evidence)
    if issued is None:
        return None
    violations = secret_names_violations(issued, evidence.certificate)
    if violations:
        return Violation(
            reasons.SECRET_MISMATCH,
            f"Existing issued Secret is not up to date for spec: {format_strings(violations)}",
        )
    return None


def certificate_is_due(evidence: Evidence) -> Violation | None:
    """Object if it is time to renew."""
    secret = evidence.secret
    if secret is None or not secret.certificate_pem:
        return None
    try:
        issued = decode_certificates(secret.certificate_pem)[0]
    except InvalidError as error:
        return _not_decoded(error)
    certificate = evidence.certificate
    due = renewal_moment(certificate, issued, evidence.renewal)
    if due is None or evidence.now < due:
        return None
    told = certificate.renewal_time
    return Violation(
        reasons.RENEWING,
        "Renewing certificate as renewal was scheduled at "
        f"{'<nil>' if told is None else go_time_string(told)}",
    )


def certificate_is_of_another_ca(evidence: Evidence) -> Violation | None:
    """Object if the issuer's CA has changed, and it is this certificate's turn.

    Only for issuers that ask for it; see `policy.ca_rotation`.
    """
    rotation, secret = evidence.rotation, evidence.secret
    if rotation is None or secret is None or not secret.certificate_pem:
        return None
    try:
        chain = decode_certificates(secret.certificate_pem)
    except InvalidError as error:
        return _not_decoded(error)
    if rotation.is_current(chain):
        return None
    if evidence.now < rotation.reissue_at(f"{evidence.certificate.uid}/{chain[0].serial}"):
        return None
    return Violation(
        reasons.CA_CHANGED,
        "Issuing certificate as the CA of its issuer has changed: it is "
        f"{name_text(rotation.chain[0].subject_rdns)} since {go_time_string(rotation.signs)}",
    )


def certificate_has_expired(evidence: Evidence) -> Violation | None:
    """Object if the certificate's life is over."""
    secret = evidence.secret
    if secret is None:
        return None
    if not secret.certificate_pem:
        return Violation(reasons.MISSING_DATA, "Missing Certificate data")
    try:
        issued = decode_certificates(secret.certificate_pem)[0]
    except InvalidError as error:
        return _not_decoded(error)
    if evidence.now > issued.not_after:
        return Violation(reasons.EXPIRED, f"Certificate expired on {rfc1123(issued.not_after)}")
    return None


def _issued(evidence: Evidence) -> DecodedCertificate | None:
    """Return the certificate of the Secret, or None if there is none that can be read."""
    if evidence.secret is None:
        return None
    try:
        return decode_certificates(evidence.secret.certificate_pem)[0]
    except InvalidError:
        return None


def _not_decoded(error: InvalidError) -> Violation:
    return Violation(reasons.INVALID_CERTIFICATE, f"Failed to decode stored certificate: {error}")
