"""The four chains: what makes us issue, not be ready, write a Secret again, or stand in.

A chain is read from the top; the first objection counts.

Source: reference cert-manager.md 2.2.
"""

from __future__ import annotations

from typing import Final

from certwright.policy.checks_secret import (
    certificate_has_expired,
    certificate_is_due,
    certificate_is_of_another_ca,
    request_does_not_fit_spec,
    secret_does_not_exist,
    secret_holds_no_key_pair,
    secret_holds_temporary_certificate,
    secret_is_missing_data,
    secret_is_of_another_issuer,
    secret_key_does_not_fit_spec,
)
from certwright.policy.checks_target import (
    keystores_do_not_fit_spec,
    output_formats_are_not_owned,
    output_formats_do_not_fit_data,
    owner_reference_has_another_value,
    owner_reference_is_not_owned,
    secret_lacks_base_label,
    template_is_not_on_secret,
    template_is_not_owned,
    trust_is_not_on_secret,
)
from certwright.policy.verdict import Check

__all__ = ["POST_ISSUANCE", "READINESS", "TEMPORARY", "TRIGGER"]

TRIGGER: Final[tuple[Check, ...]] = (
    secret_does_not_exist,  # there is a Secret
    secret_is_missing_data,  # it holds a key and a certificate
    secret_holds_no_key_pair,  # which belong together
    secret_holds_temporary_certificate,  # and are no stand-in
    secret_key_does_not_fit_spec,  # the key is of the kind that is asked for
    secret_is_of_another_issuer,  # the issuer is the one that is asked for
    request_does_not_fit_spec,  # so is everything in the certificate
    certificate_is_of_another_ca,  # and its CA is still the issuer's
    certificate_is_due,  # and it is not time to renew
)
"""An objection means: issue a new certificate."""

READINESS: Final[tuple[Check, ...]] = (
    secret_does_not_exist,  # there is a Secret
    secret_is_missing_data,  # it holds a key and a certificate
    secret_holds_no_key_pair,  # which belong together
    secret_holds_temporary_certificate,  # and are no stand-in
    request_does_not_fit_spec,  # the certificate is what is asked for
    certificate_has_expired,  # and its life is not over
)
"""An objection means: not ready. A key of another kind, or another issuer, alone does not."""

POST_ISSUANCE: Final[tuple[Check, ...]] = (
    template_is_not_on_secret,  # the template's labels and annotations are there
    template_is_not_owned,  # and no others of ours
    output_formats_do_not_fit_data,  # the extra formats are those of this key and certificate
    output_formats_are_not_owned,  # and no others of ours
    owner_reference_is_not_owned,  # the Secret is owned, or not, as the flag says
    owner_reference_has_another_value,  # by exactly this Certificate
    keystores_do_not_fit_spec,  # the keystores that are asked for are there, and no others
    trust_is_not_on_secret,  # ca.crt is what is trusted while the CA changes
    secret_lacks_base_label,  # and our caches find it
)
"""An objection means: write the Secret again, with the key and certificate it has."""

TEMPORARY: Final[tuple[Check, ...]] = (
    secret_does_not_exist,  # there is a Secret
    secret_is_missing_data,  # it holds a key and a certificate
    secret_holds_no_key_pair,  # which belong together
)
"""An objection means: nothing can be served; a temporary certificate may stand in."""
