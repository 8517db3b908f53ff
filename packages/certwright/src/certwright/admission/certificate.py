"""Rules for Certificates; creation and update have the same, and no field is immutable.

Source: reference cert-manager.md 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from certwright.admission.fields import (
    FieldError,
    Raw,
    child,
    duplicate,
    forbidden,
    index,
    invalid,
    key,
    not_supported,
    required,
    too_long,
)
from certwright.admission.mail import parse_address
from certwright.admission.names import (
    annotation_errors,
    dns1123_subdomain_problems,
    label_errors,
)
from certwright.errors import InvalidError
from certwright.pki.addresses import ip_bytes
from certwright.pki.extensions import name_constraints
from certwright.pki.literal_subject import decode_literal_subject, literal_common_name
from certwright.pki.renewal_windows import parse_cron, parse_zone
from certwright.pki.usages import EXTENDED_KEY_USAGES, KEY_USAGES
from certwright.resources import known
from certwright.resources.certificate import SIGNATURE_ALGORITHMS, Certificate, RenewalWindow
from certwright.resources.durations import (
    HOUR_NANO,
    MINUTE_NANO,
    format_duration,
    parse_duration,
)
from certwright.resources.features import (
    ADDITIONAL_CERTIFICATE_OUTPUT_FORMATS,
    LITERAL_CERTIFICATE_SUBJECT,
    NAME_CONSTRAINTS,
    OTHER_NAMES,
    FeatureGates,
)
from certwright.resources.gotext import quote
from certwright.resources.issuer_ref import IssuerRef
from certwright.resources.meta import mapping_at

__all__ = ["certificate_errors", "issuer_ref_errors"]

_COMMON_NAME_BYTES_MAX: Final = 64
_DURATION_NANO_MIN: Final = HOUR_NANO
_RENEW_BEFORE_NANO_MIN: Final = 5 * MINUTE_NANO
_RSA_BITS: Final = (2048, 8192)
_ECDSA_BITS: Final = (256, 384, 521)
_SUBJECT_LISTS: Final = (
    ("Organizations", "organizations"),
    ("Countries", "countries"),
    ("OrganizationalUnits", "organizationalUnits"),
    ("Localities", "localities"),
    ("Provinces", "provinces"),
    ("StreetAddresses", "streetAddresses"),
    ("PostalCodes", "postalCodes"),
)


def certificate_errors(cert: Certificate, gates: FeatureGates) -> list[FieldError]:
    """Return what is wrong with the spec, in cert-manager's order.

    Raises:
        InvalidError: A duration is none.
    """
    errors = [
        *_secret_name_errors(cert),
        *issuer_ref_errors(cert.issuer_ref, "spec"),
        *_literal_subject_errors(cert, gates),
    ]
    common_name = _common_name(cert)
    named = (
        cert.dns_names,
        cert.uris,
        cert.email_addresses,
        cert.ip_addresses,
        cert.other_names,
    )
    if not common_name and not any(named):
        errors.append(
            invalid(
                "spec",
                "",
                "at least one of commonName, dnsNames, uris ipAddresses, or emailAddresses must be"
                " set",
            )
        )
    if len(common_name.encode()) > _COMMON_NAME_BYTES_MAX:
        errors.append(too_long("spec.commonName", _COMMON_NAME_BYTES_MAX))
    errors += _ip_address_errors(cert)
    errors += _email_address_errors(cert)
    errors += _private_key_errors(cert)
    errors += _signature_errors(cert)
    errors += _duration_errors(cert)
    errors += _percentage_errors(cert)
    errors += _usage_errors(cert)
    limit = cert.revision_history_limit
    if limit is not None and limit < 1:
        errors.append(invalid("spec.revisionHistoryLimit", limit, "must not be less than 1"))
    errors += _secret_template_errors(cert)
    errors += _output_format_errors(cert, gates)
    errors += _later_errors(cert, gates)
    errors += _keystore_errors(cert)
    errors += _renewal_errors(cert)
    return errors


def issuer_ref_errors(ref: IssuerRef, path: str) -> list[FieldError]:
    """Return what is wrong with `issuerRef` below `path`; other groups may have any kind."""
    where = child(path, "issuerRef")
    errors = []
    if not ref.name:
        errors.append(required(child(where, "name"), "must be specified"))
    kinds = {"", known.ISSUER_KIND_NAME, known.CLUSTER_ISSUER_KIND}
    if not ref.is_external and ref.kind not in kinds:
        errors.append(
            invalid(child(where, "kind"), ref.kind, "must be one of Issuer or ClusterIssuer")
        )
    return errors


def _secret_name_errors(cert: Certificate) -> list[FieldError]:
    path, name = "spec.secretName", cert.secret_name
    if not name:
        return [required(path, "must be specified")]
    return [invalid(path, name, problem) for problem in dns1123_subdomain_problems(name)]


def _common_name(cert: Certificate) -> str:
    """Return the common name that counts: that of the literal subject, if it has one."""
    try:
        return literal_common_name(cert.literal_subject) or cert.common_name
    except InvalidError:
        return cert.common_name


def _literal_subject_errors(cert: Certificate, gates: FeatureGates) -> list[FieldError]:
    path, text = "spec.literalSubject", cert.literal_subject
    if not text:
        return []
    errors = []
    if LITERAL_CERTIFICATE_SUBJECT not in gates:
        errors.append(
            forbidden(
                path,
                "Feature gate LiteralCertificateSubject must be enabled on both webhook and"
                " controller to use the alpha `literalSubject` field",
            )
        )
    try:
        rdns = decode_literal_subject(text)
    except InvalidError as error:
        errors.append(invalid(path, text, str(error)))
        rdns = ()
    errors += [
        invalid(path, text, f"Literal subject contains unrecognized key with value [{value}]")
        for rdn in rdns
        for oid, value in rdn
        if not oid
    ]
    if cert.common_name:
        errors.append(
            invalid(
                "spec.commonName",
                cert.common_name,
                "When providing a `LiteralSubject` no `commonName` may be provided.",
            )
        )
    subject = cert.spec.get("subject")
    if isinstance(subject, Mapping) and any(subject.get(field) for _, field in _SUBJECT_LISTS):
        errors.append(
            invalid(
                "spec.subject",
                Raw(_go_subject(subject)),
                "When providing a `LiteralSubject` no `Subject` properties may be provided with the"
                " exception of `Subject.serialNumber`",
            )
        )
    return errors


def _go_subject(subject: Mapping[str, Any]) -> str:
    """Return the subject as Go's `%#v` prints its struct, for that is what the refusal shows."""
    fields = []
    for name, field in _SUBJECT_LISTS:
        values = subject.get(field)
        listed = "(nil)" if values is None else f"{{{', '.join(map(quote, values))}}}"
        fields.append(f"{name}:[]string{listed}")
    fields.append(f"SerialNumber:{quote(subject.get('serialNumber') or '')}")
    return f"certmanager.X509Subject{{{', '.join(fields)}}}"


def _ip_address_errors(cert: Certificate) -> list[FieldError]:
    return [
        invalid(index("spec.ipAddresses", position), text, "invalid IP address")
        for position, text in enumerate(cert.ip_addresses)
        if ip_bytes(text) is None
    ]


def _email_address_errors(cert: Certificate) -> list[FieldError]:
    errors = []
    for position, text in enumerate(cert.email_addresses):
        path = index("spec.emailAddresses", position)
        try:
            address = parse_address(text)
        except InvalidError as error:
            errors.append(invalid(path, text, f"invalid email address: {error}"))
            continue
        if address != text:
            errors.append(
                invalid(
                    path,
                    text,
                    "invalid email address: make sure the supplied value only contains the email"
                    " address itself",
                )
            )
    return errors


def _private_key_errors(cert: Certificate) -> list[FieldError]:
    spec = cert.private_key
    if spec is None:
        return []
    match spec.algorithm:
        case "" | "RSA":
            if spec.size > 0 and not _RSA_BITS[0] <= spec.size <= _RSA_BITS[1]:
                text = "must be between 2048 & 8192 for rsa keyAlgorithm"
                return [invalid("spec.privateKey.size", spec.size, text)]
        case "ECDSA":
            if spec.size > 0 and spec.size not in _ECDSA_BITS:
                supported = [str(bits) for bits in _ECDSA_BITS]
                return [not_supported("spec.privateKey.size", spec.size, supported)]
        case "Ed25519":
            pass
        case other:
            text = "must be either empty or one of rsa or ecdsa"
            return [invalid("spec.privateKey.algorithm", other, text)]
    return []


def _signature_errors(cert: Certificate) -> list[FieldError]:
    """Check `signatureAlgorithm`, a field of later versions (1.18), by their rules."""
    asked, kind = cert.signature_algorithm, cert.private_key_or_default.algorithm_or_default
    allowed = SIGNATURE_ALGORITHMS.get(kind)
    if not asked or allowed is None or asked in allowed:
        return []
    listed = " ".join(allowed)
    text = f"for key algorithm {kind} the allowed signature algorithms are [{listed}]"
    return [invalid("spec.signatureAlgorithm", asked, text)]


def _percentage_errors(cert: Certificate) -> list[FieldError]:
    """Check `renewBeforePercentage`, a field of later versions, by their rules."""
    percentage, path = cert.renew_before_percentage, "spec.renewBeforePercentage"
    if percentage is None:
        return []
    if cert.renew_before_nano is not None:
        both = "renewBefore and renewBeforePercentage are mutually exclusive and cannot both be set"
        shown = Raw(format_duration(cert.renew_before_nano))
        return [invalid("spec.renewBefore", shown, both), invalid(path, percentage, both)]
    if percentage >= 100:
        text = "certificate renewBeforePercentage must result in a renewBefore less than duration"
        return [invalid(path, percentage, text)]
    if cert.duration_nano_or_default * percentage // 100 < _RENEW_BEFORE_NANO_MIN:
        least = format_duration(_RENEW_BEFORE_NANO_MIN)
        text = (
            f"certificate renewBeforePercentage must result in a renewBefore greater than {least}"
        )
        return [invalid(path, percentage, text)]
    return []


def _keystore_errors(cert: Certificate) -> Iterator[FieldError]:
    """Check where passwords of keystores come from, by the rules of later versions (1.17).

    In 1.12 the reference is required by the CRD, and whatever it says is taken.
    """
    stores = mapping_at(cert.spec, "keystores")
    for field, word in (("jks", "JKS"), ("pkcs12", "PKCS#12")):
        store, path = stores.get(field), child("spec.keystores", field)
        if not isinstance(store, Mapping):
            continue
        literal = store.get("password")
        if literal is not None and mapping_at(store, "passwordSecretRef").get("name"):
            yield forbidden(
                path,
                f"exactly one of passwordSecretRef and password must be provided for {word}"
                " keystores; cannot set both",
            )
        if literal is None and store.get("passwordSecretRef") is None:
            text = f"must set exactly one of passwordSecretRef and password for {word} keystores"
            yield forbidden(path, text)
        if literal == "":
            text = f"literal password cannot be empty if set on {word} keystores"
            yield forbidden(child(path, "password"), text)


def _renewal_errors(cert: Certificate) -> Iterator[FieldError]:
    """Check `renewal`, a field of later versions (1.21), by their rules."""
    policy, path = cert.renewal_policy, "spec.renewal.windows"
    if policy is None:
        return
    if policy == "Disabled":
        if cert.renewal_windows:
            text = "windows cannot be set when `renewal.policy` is set to Disabled"
            yield forbidden(path, text)
        return
    if policy != "RenewBefore":
        supported = ["Disabled", "RenewBefore"]
        yield not_supported("spec.renewal.policy", f"unsupported field {policy}", supported)
    for position, window in enumerate(cert.renewal_windows):
        yield from _window_errors(window, index(path, position))


def _window_errors(window: RenewalWindow, path: str) -> Iterator[FieldError]:
    text = "windowDuration must be specified and should be greater than 0"
    if window.duration is None:
        yield required(child(path, "windowDuration"), text)
    elif parse_duration(window.duration) <= 0:
        yield invalid(child(path, "windowDuration"), Raw(window.duration), text)
    try:
        parse_zone(window.timezone)
    except InvalidError:
        text = "invalid value for timezone. timezone must be IANA compliant"
        yield invalid(child(path, "timezone"), window.timezone, text)
    try:
        parse_cron(window.cron)
    except InvalidError as error:
        text = (
            f"invalid cron syntax: {error}. cron needs to follow:"
            " cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow"
        )
        yield invalid(child(path, "cron"), window.cron, text)


def _duration_errors(cert: Certificate) -> list[FieldError]:
    renew_before = cert.renew_before_nano
    if cert.duration_nano is None and renew_before is None:
        return []
    duration = cert.duration_nano_or_default
    shown = format_duration(duration)
    errors = []
    if duration < _DURATION_NANO_MIN:
        text = f"certificate duration must be greater than {format_duration(_DURATION_NANO_MIN)}"
        errors.append(invalid("spec.duration", Raw(shown), text))
    if renew_before is None:
        return errors
    path, shown_before = "spec.renewBefore", format_duration(renew_before)
    if renew_before < _RENEW_BEFORE_NANO_MIN:
        least = format_duration(_RENEW_BEFORE_NANO_MIN)
        text = f"certificate renewBefore must be greater than {least}"
        errors.append(invalid(path, Raw(shown_before), text))
    if renew_before >= duration:
        text = f"certificate duration {shown} must be greater than renewBefore {shown_before}"
        errors.append(invalid(path, Raw(shown_before), text))
    return errors


def _usage_errors(cert: Certificate) -> list[FieldError]:
    return [
        invalid(index("spec.usages", position), usage, "unknown keyusage")
        for position, usage in enumerate(cert.usages)
        if usage not in KEY_USAGES and usage not in EXTENDED_KEY_USAGES
    ]


def _secret_template_errors(cert: Certificate) -> list[FieldError]:
    path = "spec.secretTemplate.annotations"
    annotations = cert.secret_template_annotations
    allowed = {known.ALLOW_DIRECT_INJECTION}
    return [
        *label_errors(cert.secret_template_labels, "spec.secretTemplate.labels"),
        *(
            invalid(path, name, "cert-manager.io/* annotations are not allowed")
            for name in sorted(annotations)
            if name.startswith(f"{known.GROUP}/") and name not in allowed
        ),
        *annotation_errors(annotations, path),
    ]


def _later_errors(cert: Certificate, gates: FeatureGates) -> Iterator[FieldError]:
    """Yield what is wrong with fields of later versions.

    Source: cert-manager main, internal/apis/certmanager/validation/certificate.go (fields).
    """
    for field, value, gate in (
        ("spec.nameConstraints", cert.name_constraints, NAME_CONSTRAINTS),
        ("spec.otherNames", cert.other_names, OTHER_NAMES),
    ):
        if value and gate not in gates:
            yield forbidden(field, f"feature gate {gate} must be enabled")
    for position, (oid, text) in enumerate(cert.other_names):
        where = index("spec.otherNames", position)
        if not re.fullmatch(r"[0-2](\.(0|[1-9][0-9]*))+", oid):
            yield invalid(child(where, "oid"), oid, "oid syntax invalid")
        if not text:
            yield required(
                child(where, "utf8Value"), "must be set to a valid non-empty UTF8 string"
            )
    wanted = cert.name_constraints
    if wanted is None:
        return
    if not cert.is_ca:
        yield invalid("spec.nameConstraints", "", "isCa should be true when nameConstraints is set")
    if not any(wanted.get(part) for part in ("permitted", "excluded")):
        text = "either permitted or excluded must be set"
        yield invalid("spec.nameConstraints", "", text)
        return
    try:
        name_constraints(wanted)
    except InvalidError as error:
        yield invalid("spec.nameConstraints", "", str(error))


def _output_format_errors(cert: Certificate, gates: FeatureGates) -> list[FieldError]:
    path, formats = "spec.additionalOutputFormats", cert.additional_output_formats
    if not formats:
        return []
    if ADDITIONAL_CERTIFICATE_OUTPUT_FORMATS not in gates:
        text = "feature gate AdditionalCertificateOutputFormats must be enabled"
        return [forbidden(path, text)]
    return [
        duplicate(key(path, "type"), name)
        for position, name in enumerate(formats)
        if name in formats[:position]
    ]
