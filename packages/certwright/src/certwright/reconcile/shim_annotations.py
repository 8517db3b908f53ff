"""What the annotations of an Ingress or Gateway say about its Certificates.

Source: reference cert-manager.md 7; cert-manager v1.12.2 pkg/controller/certificate-shim; those of
later versions, which 1.12 does not read, from cert-manager main.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from certwright.errors import InvalidError
from certwright.pki.addresses import ip_bytes
from certwright.pki.usages import EXTENDED_KEY_USAGES, KEY_USAGES
from certwright.reconcile.options import ShimOptions
from certwright.resources import known
from certwright.resources.certificate import DEFAULT_USAGES
from certwright.resources.durations import format_duration, parse_duration
from certwright.resources.gotext import quote, split_csv

__all__ = ["certificate_annotations", "is_meant", "issuer_of", "spec_of"]

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_INTEGER: Final = re.compile(r"[+-]?[0-9]+\Z")
_INT32_MAX: Final = 2**31 - 1
_SUBJECT: Final[Mapping[str, str]] = {
    "organizations": known.SUBJECT_ORGANIZATIONS,
    "organizationalUnits": known.SUBJECT_ORGANIZATIONAL_UNITS,
    "countries": known.SUBJECT_COUNTRIES,
    "provinces": known.SUBJECT_PROVINCES,
    "localities": known.SUBJECT_LOCALITIES,
    "postalCodes": known.SUBJECT_POSTAL_CODES,
    "streetAddresses": known.SUBJECT_STREET_ADDRESSES,
}
_RSA_BITS: Final = (2048, 8192)
_ECDSA_BITS: Final = (256, 384, 521)


def is_meant(annotations: Mapping[str, str], auto: Sequence[str]) -> bool:
    """Tell whether an object wants Certificates.

    Args:
        annotations: Its own.
        auto: Annotations that say so by being true.
    """
    if known.INGRESS_ISSUER in annotations or known.INGRESS_CLUSTER_ISSUER in annotations:
        return True
    return any(annotations.get(name) in _TRUE for name in auto)


def issuer_of(annotations: Mapping[str, str], options: ShimOptions) -> dict[str, str]:
    """Return `issuerRef`.

    Raises:
        InvalidError: They contradict each other, or name none; the text is cert-manager's.
    """
    name, kind, group = (
        options.default_issuer_name,
        options.default_issuer_kind,
        options.default_issuer_group,
    )
    if known.INGRESS_ISSUER in annotations:
        name, kind = annotations[known.INGRESS_ISSUER], known.ISSUER_KIND_NAME
    is_cluster = known.INGRESS_CLUSTER_ISSUER in annotations
    if is_cluster:
        name, kind = annotations[known.INGRESS_CLUSTER_ISSUER], known.CLUSTER_ISSUER_KIND
    kind = annotations.get(known.ISSUER_KIND, kind)
    group = annotations.get(known.ISSUER_GROUP, group)
    problems: list[str] = []
    if not name:
        problems.append("failed to determine issuer name to be used for ingress resource")
    if is_cluster:
        problems += [
            f"both {quote(first)} and {quote(second)} may not be set"
            for first, second in (
                (known.INGRESS_ISSUER, known.INGRESS_CLUSTER_ISSUER),
                (known.INGRESS_CLUSTER_ISSUER, known.ISSUER_GROUP),
                (known.INGRESS_CLUSTER_ISSUER, known.ISSUER_KIND),
            )
            if first in annotations and second in annotations
        ]
    if problems:
        raise InvalidError(", ".join(problems))
    return {
        field: text for field, text in (("name", name), ("kind", kind), ("group", group)) if text
    }


def certificate_annotations(
    name: str, annotations: Mapping[str, str], options: ShimOptions
) -> dict[str, str]:
    """Return the annotations of a Certificate for the object called `name`."""
    made = {
        field: annotations[field]
        for field in options.extra_certificate_annotations
        if field in annotations
    }
    if annotations.get(known.HTTP01_EDIT_IN_PLACE) == "true":
        made[known.HTTP01_OVERRIDE_INGRESS_NAME] = name
        made[known.ISSUE_TEMPORARY_CERTIFICATE] = "true"
    if known.HTTP01_INGRESS_CLASS in annotations:
        made[known.HTTP01_OVERRIDE_INGRESS_CLASS] = annotations[known.HTTP01_INGRESS_CLASS]
    if annotations.get(known.HTTP01_INGRESS_CLASS_NAME):
        made[known.HTTP01_OVERRIDE_INGRESS_CLASS_NAME] = annotations[
            known.HTTP01_INGRESS_CLASS_NAME
        ]
    return made


def spec_of(annotations: Mapping[str, str], hosts: Sequence[str]) -> dict[str, Any]:
    """Return all of a Certificate's spec that hosts and annotations say.

    Raises:
        InvalidError: An annotation cannot be read; the text is cert-manager's.
    """
    addresses = [host for host in hosts if ip_bytes(host) is not None]
    names = [host for host in hosts if host not in addresses]
    names += _split(annotations, known.ALT_NAMES)
    for address in _split(annotations, known.IP_SANS):
        if ip_bytes(address) is None:
            raise _wrong(known.IP_SANS, f"{quote(address)} is not a valid IP address")
        addresses.append(address)
    spec: dict[str, Any] = {
        "commonName": annotations.get(known.COMMON_NAME, ""),
        "dnsNames": list(dict.fromkeys(names)),
        "ipAddresses": list(dict.fromkeys(addresses)),
        "emailAddresses": _split(annotations, known.EMAIL_SANS),
        "subject": _subject(annotations),
        "duration": _duration(annotations, known.DURATION),
        "renewBefore": _duration(annotations, known.RENEW_BEFORE),
        "renewBeforePercentage": _integer(annotations, known.RENEW_BEFORE_PERCENTAGE),
        "usages": _usages(annotations),
        "revisionHistoryLimit": _history_limit(annotations),
        "privateKey": _private_key(annotations),
        "secretTemplate": _secret_template(annotations),
    }
    return {field: value for field, value in spec.items() if value}


def _wrong(annotation: str, why: str) -> InvalidError:
    return InvalidError(f"invalid ingress annotation {quote(annotation)}: {why}")


def _read(annotation: str, text: str, reader: Callable[[str], Any]) -> Any:
    try:
        return reader(text)
    except InvalidError as error:
        raise _wrong(annotation, str(error)) from error


def _split(annotations: Mapping[str, str], name: str) -> list[str]:
    text = annotations.get(name, "")
    return [part.strip() for part in text.split(",")] if text else []


def _subject(annotations: Mapping[str, str]) -> dict[str, Any]:
    subject: dict[str, Any] = {
        field: _read(annotation, annotations[annotation], split_csv)
        for field, annotation in _SUBJECT.items()
        if annotation in annotations
    }
    if annotations.get(known.SUBJECT_SERIAL_NUMBER):
        subject["serialNumber"] = annotations[known.SUBJECT_SERIAL_NUMBER]
    return subject


def _duration(annotations: Mapping[str, str], name: str) -> str:
    if name not in annotations:
        return ""
    return format_duration(_read(name, annotations[name], parse_duration))


def _usages(annotations: Mapping[str, str]) -> list[str]:
    if known.USAGES not in annotations:
        return list(DEFAULT_USAGES)
    usages: list[str] = []
    for part in annotations[known.USAGES].split(","):
        usage = part.strip(" ")
        if usage not in KEY_USAGES and usage not in EXTENDED_KEY_USAGES:
            raise _wrong(known.USAGES, f"invalid key usage name {quote(part)}")
        usages.append(usage)
    return usages


def _integer(annotations: Mapping[str, str], name: str, function: str = "ParseInt") -> int | None:
    text = annotations.get(name)
    if text is None:
        return None
    if not _INTEGER.match(text):
        raise _wrong(name, f"strconv.{function}: parsing {quote(text)}: invalid syntax")
    number = int(text)
    if not -_INT32_MAX - 1 <= number <= _INT32_MAX:
        raise _wrong(name, f"strconv.{function}: parsing {quote(text)}: value out of range")
    return number


def _history_limit(annotations: Mapping[str, str]) -> int | None:
    name = known.REVISION_HISTORY_LIMIT
    limit = _integer(annotations, name)
    if limit is not None and limit < 1:
        shown = quote(annotations[name])
        raise _wrong(name, f"revision history limit must be a positive number {shown}")
    return limit


def _private_key(annotations: Mapping[str, str]) -> dict[str, Any]:
    key: dict[str, Any] = {}
    for field, name, what, allowed in (
        ("algorithm", known.PRIVATE_KEY_ALGORITHM, "algorithm", ("RSA", "ECDSA", "Ed25519")),
        ("encoding", known.PRIVATE_KEY_ENCODING, "encoding", ("PKCS1", "PKCS8")),
        (
            "rotationPolicy",
            known.PRIVATE_KEY_ROTATION_POLICY,
            "rotation policy",
            ("Never", "Always"),
        ),
    ):
        text = annotations.get(name)
        if text is None:
            continue
        if text not in allowed:
            raise _wrong(name, f"invalid private key {what} {quote(text)}")
        key[field] = text
    name = known.PRIVATE_KEY_SIZE
    size = _integer(annotations, name, "Atoi")
    if size is None:
        return key
    algorithm = key.get("algorithm", "RSA")
    is_fit = (
        _RSA_BITS[0] <= size <= _RSA_BITS[1]
        if algorithm == "RSA"
        else algorithm != "ECDSA" or size in _ECDSA_BITS
    )
    if not is_fit:
        shown = quote(annotations[name])
        raise _wrong(name, f"invalid private key size for {algorithm} algorithm {shown}")
    return {**key, "size": size}


def _secret_template(annotations: Mapping[str, str]) -> dict[str, Any]:
    """Return `secretTemplate` from its JSON, strictly."""
    name = known.SECRET_TEMPLATE
    if name not in annotations:
        return {}
    try:
        template = json.loads(annotations[name])
    except ValueError as error:
        raise _wrong(name, f"error parsing secret template JSON: {error}") from error
    parts = template.values() if isinstance(template, dict) else ()
    if not isinstance(template, dict) or set(template) - {"annotations", "labels"}:
        raise _wrong(name, "error parsing secret template JSON: only annotations and labels")
    if not all(
        isinstance(part, dict) and all(isinstance(text, str) for text in part.values())
        for part in parts
    ):
        raise _wrong(name, "error parsing secret template JSON: every value must be a text")
    for key in template.get("annotations", {}):
        if key.startswith(f"{known.GROUP}/"):
            raise _wrong(
                name, f"secretTemplate must not have cert-manager.io/ annotations: {quote(key)}"
            )
    return {field: part for field, part in template.items() if part}
