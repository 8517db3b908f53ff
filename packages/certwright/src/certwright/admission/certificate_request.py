"""Rules for CertificateRequests.

Source: reference cert-manager.md 1.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from certwright.admission.certificate import issuer_ref_errors
from certwright.admission.fields import (
    FieldError,
    Raw,
    child,
    forbidden,
    invalid,
    required,
)
from certwright.admission.immutable import same_value
from certwright.errors import InvalidError
from certwright.pki.csr import DecodedRequest, decode_csr
from certwright.pki.extensions import (
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    decode_extended_key_usage,
    decode_key_usage,
)
from certwright.pki.usages import KEY_USAGES, usages_of
from certwright.resources import known
from certwright.resources.certificate import DEFAULT_USAGES
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.gotext import quote
from certwright.resources.meta import mapping_at

__all__ = ["created_request_errors", "updated_request_errors"]

_CONDITIONS: Final = "status.conditions"
_REQUEST: Final = "spec.request"
_APPROVED: Final = "Approved"
_DENIED: Final = "Denied"


def created_request_errors(request: CertificateRequest) -> list[FieldError]:
    """Return what is wrong with a new request.

    Raises:
        InvalidError: `spec.request` is not base64.
    """
    return [
        *issuer_ref_errors(request.issuer_ref, "spec"),
        *_csr_errors(request),
        *_approval_errors(_conditions(request)),
    ]


def updated_request_errors(
    old: CertificateRequest, request: CertificateRequest
) -> list[FieldError]:
    """Return what must not change in a request, and does."""
    conditions = _conditions(request)
    errors = [
        *_annotation_errors(old.annotations, request.annotations),
        *_annotation_errors(request.annotations, old.annotations),
    ]
    for kind in (_APPROVED, _DENIED):
        before, after = _first(_conditions(old), kind), _first(conditions, kind)
        if before is not None and not same_value(before, after):
            errors.append(
                forbidden(_CONDITIONS, f"'{kind}' condition may not be modified once set")
            )
    errors += _approval_errors(conditions)
    if not same_value(old.spec, request.spec):
        errors.append(forbidden("spec", "cannot change spec after creation"))
    return errors


def _annotation_errors(
    annotations: Mapping[str, str], others: Mapping[str, str]
) -> Iterable[FieldError]:
    """Give an error for each protected annotation that is missing or different in `others`.

    The prefix has no slash at its end, so `cert-manager.iox/a` is protected too, as it is in the
    original.
    """
    for name in sorted(annotations):
        if name.startswith((known.GROUP, known.ACME_GROUP)) and (
            others.get(name) != annotations[name]
        ):
            yield forbidden(
                child("metadata.annotations", name),
                "cannot change cert-manager annotation after creation",
            )


# ------------------------------------------------------------------------------ approval


def _conditions(request: CertificateRequest) -> Sequence[Mapping[str, Any]]:
    return mapping_at(request.object, "status").get("conditions") or ()


def _first(conditions: Sequence[Mapping[str, Any]], kind: str) -> Mapping[str, Any] | None:
    return next((entry for entry in conditions if entry.get("type") == kind), None)


def _approval_errors(conditions: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    errors = []
    found: dict[str, int] = {}
    for kind in (_APPROVED, _DENIED):
        entries = [entry for entry in conditions if entry.get("type") == kind]
        found[kind] = len(entries)
        if len(entries) > 1:
            errors.append(forbidden(_CONDITIONS, f'multiple "{kind}" conditions present'))
        elif entries and entries[0].get("status") != "True":
            errors.append(
                invalid(
                    child(_CONDITIONS, kind),
                    str(entries[0].get("status") or ""),
                    f'"{kind}" condition may only be set to True',
                )
            )
    if all(found.values()):
        text = "both 'Denied' and 'Approved' conditions cannot coexist"
        errors.append(forbidden(_CONDITIONS, text))
    return errors


# ------------------------------------------------------------------------------ the CSR


def _csr_errors(request: CertificateRequest) -> list[FieldError]:
    pem = request.request
    if not pem:
        return [required(_REQUEST, "must be specified")]
    try:
        csr = decode_csr(pem)
    except InvalidError as error:
        return [_csr_error(pem, f"failed to decode csr: {error}")]
    wanted = request.usages
    if not wanted or not csr.extensions or wanted == DEFAULT_USAGES:
        return []
    if request.is_ca and "cert sign" not in wanted:
        wanted = (*wanted, "cert sign")
    bits, extended, errors = _usages_in(csr, pem)
    if errors:
        return errors
    asked, given = _comparable(wanted), _comparable(usages_of(bits, extended))
    if not given or sorted(given) in (sorted(asked), sorted(DEFAULT_USAGES)):
        return []
    return [
        _csr_error(
            pem,
            "csr key usages do not match specified usages, these should match if both are set:"
            f" {_difference(given, asked)}",
        )
    ]


def _csr_error(pem: bytes, detail: str) -> FieldError:
    """Show the bytes as Go's `%#v` does; the original prints all of them."""
    shown = ", ".join(f"0x{octet:x}" for octet in pem)
    return invalid(_REQUEST, Raw(f"[]byte{{{shown}}}"), detail)


def _usages_in(csr: DecodedRequest, pem: bytes) -> tuple[int, tuple[str, ...], list[FieldError]]:
    bits, extended = 0, tuple[str, ...]()
    errors: list[FieldError] = []
    if EXTENDED_KEY_USAGE in csr.extensions:
        try:
            extended = decode_extended_key_usage(csr.extensions[EXTENDED_KEY_USAGE].value)
        except InvalidError as error:
            errors.append(_csr_error(pem, f"failed to decode csr extended usages: {error}"))
    if KEY_USAGE in csr.extensions:
        try:
            bits = decode_key_usage(csr.extensions[KEY_USAGE].value)
        except InvalidError as error:
            errors.append(_csr_error(pem, f"failed to decode csr usages: {error}"))
    return bits, extended, errors


_SAME: Final = {"signing": "digital signature", "s/mime": "email protection"}
"""Word → the other word for the same bit or identifier, which is the one that a CSR is read as."""


def _comparable(usages: Sequence[str]) -> list[str]:
    """Return usages by one word each, and `digital signature` only once, for it is one bit.

    The original reads the identifier of `email protection` as either of its words by chance, and so
    refuses both now and then; here neither is.
    """
    renamed = [_SAME.get(usage, usage) for usage in usages]
    return [
        usage
        for position, usage in enumerate(renamed)
        if usage not in KEY_USAGES or usage not in renamed[:position]
    ]


def _difference(given: Sequence[str], asked: Sequence[str]) -> str:
    """Return two lists' difference in the form of kr/pretty, which the original prints."""
    kind = "[]certmanager.KeyUsage"
    if len(given) != len(asked):
        return f"[{kind}[{len(given)}] != {kind}[{len(asked)}]]"
    pairs = [
        f"[{position}]: {quote(a)} != {quote(b)}"
        for position, (a, b) in enumerate(zip(given, asked, strict=True))
        if a != b
    ]
    return f"[{' '.join(pairs)}]"
