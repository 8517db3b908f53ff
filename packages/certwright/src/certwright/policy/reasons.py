# ruff: noqa: S105 - a reason is no password, although it may begin with "Secret"
"""Every reason that a policy gives, as it stands in conditions.

Source: reference cert-manager.md 2.2.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADDITIONAL_OUTPUT_FORMATS_MISMATCH",
    "CA_CHANGED",
    "CA_TRUST_MISMATCH",
    "DOES_NOT_EXIST",
    "EXPIRED",
    "INCORRECT_ISSUER",
    "INVALID_CERTIFICATE",
    "INVALID_KEY_PAIR",
    "MANAGED_FIELDS_PARSE_ERROR",
    "MISSING_DATA",
    "READY",
    "RENEWING",
    "REQUEST_CHANGED",
    "SECRET_BASE_LABELS_MISSING",
    "SECRET_MISMATCH",
    "SECRET_OWNER_REF_MISMATCH",
    "SECRET_TEMPLATE_MISMATCH",
    "TEMPORARY_CERTIFICATE",
]

DOES_NOT_EXIST: Final = "DoesNotExist"
"""There is no Secret of the name in `spec.secretName`."""
MISSING_DATA: Final = "MissingData"
"""The Secret lacks the key or the certificate."""
INVALID_KEY_PAIR: Final = "InvalidKeyPair"
"""Key and certificate of the Secret cannot be read, or do not belong together."""
TEMPORARY_CERTIFICATE: Final = "TemporaryCertificate"
"""The Secret holds the certificate that stands in until the real one is issued."""
SECRET_MISMATCH: Final = "SecretMismatch"
"""What the Secret holds is not what the spec asks for."""
INCORRECT_ISSUER: Final = "IncorrectIssuer"
"""The Secret was written for another issuer than the spec names."""
REQUEST_CHANGED: Final = "RequestChanged"
"""The spec has changed since the certificate was requested."""
RENEWING: Final = "Renewing"
"""It is time to renew."""
EXPIRED: Final = "Expired"
"""The certificate's life is over."""
INVALID_CERTIFICATE: Final = "InvalidCertificate"
"""The certificate in the Secret cannot be read."""
SECRET_TEMPLATE_MISMATCH: Final = "SecretTemplateMismatch"
"""Labels or annotations of the Secret are not those of `spec.secretTemplate`."""
MANAGED_FIELDS_PARSE_ERROR: Final = "ManagedFieldsParseError"
"""`metadata.managedFields` of the Secret cannot be read."""
ADDITIONAL_OUTPUT_FORMATS_MISMATCH: Final = "AdditionalOutputFormatsMismatch"
"""The extra formats in the Secret are not those of `spec.additionalOutputFormats`."""
SECRET_OWNER_REF_MISMATCH: Final = "SecretOwnerRefMismatch"
"""The Secret's owner reference is not what --enable-certificate-owner-ref says."""
SECRET_BASE_LABELS_MISSING: Final = "SecretBaseLabelsMissing"
"""The Secret lacks the label by which caches find it."""
CA_CHANGED: Final = "CAChanged"
"""The issuer's CA is another one than signed the certificate."""
CA_TRUST_MISMATCH: Final = "CATrustMismatch"
"""`ca.crt` of the Secret is not what is trusted now."""
READY: Final = "Ready"
"""No policy objects."""
