"""Rules for names, labels and annotations, with the texts of Kubernetes.

Source: apimachinery v0.27 pkg/util/validation/validation.go, pkg/api/validation/objectmeta.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from certwright.admission.fields import FieldError, invalid, too_long

__all__ = [
    "ANNOTATIONS_BYTES_MAX",
    "annotation_errors",
    "dns1123_subdomain_problems",
    "label_errors",
    "label_value_problems",
    "qualified_name_problems",
]

ANNOTATIONS_BYTES_MAX: Final = 256 * 1024
"""Keys and values of one object's annotations together."""

_NAME: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_VALUE: Final = f"({_NAME})?"
_NAME_BYTES_MAX: Final = 63
_SUBDOMAIN_BYTES_MAX: Final = 253

_NAME_PATTERN: Final = re.compile(_NAME)
_SUBDOMAIN_PATTERN: Final = re.compile(_SUBDOMAIN)
_LABEL_VALUE_PATTERN: Final = re.compile(_LABEL_VALUE)

_NAME_RULE: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
    " alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for"
    f" validation is '{_NAME}')"
)
_LABEL_VALUE_RULE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or"
    f" '12345', regex used for validation is '{_LABEL_VALUE}')"
)
_SUBDOMAIN_RULE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'example.com', regex used for"
    f" validation is '{_SUBDOMAIN}')"
)


def dns1123_subdomain_problems(value: str) -> list[str]:
    """Return why `value` is no DNS subdomain, as object names are; empty if it is one."""
    problems = []
    if len(value.encode()) > _SUBDOMAIN_BYTES_MAX:
        problems.append(_too_many(_SUBDOMAIN_BYTES_MAX))
    if _SUBDOMAIN_PATTERN.fullmatch(value) is None:
        problems.append(_SUBDOMAIN_RULE)
    return problems


def qualified_name_problems(value: str) -> list[str]:
    """Return why `value` is no `[subdomain/]name`, as keys of labels are; empty if it is one."""
    parts = value.split("/")
    if len(parts) > 2:
        suffix = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a qualified name {_NAME_RULE} {suffix}"]
    problems = []
    if len(parts) == 2:
        if not parts[0]:
            problems.append("prefix part must be non-empty")
        else:
            problems += [f"prefix part {text}" for text in dns1123_subdomain_problems(parts[0])]
    name = parts[-1]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name.encode()) > _NAME_BYTES_MAX:
        problems.append(f"name part {_too_many(_NAME_BYTES_MAX)}")
    if _NAME_PATTERN.fullmatch(name) is None:
        problems.append(f"name part {_NAME_RULE}")
    return problems


def label_value_problems(value: str) -> list[str]:
    """Return why `value` is no value of a label; empty if it is one."""
    problems = []
    if len(value.encode()) > _NAME_BYTES_MAX:
        problems.append(_too_many(_NAME_BYTES_MAX))
    if _LABEL_VALUE_PATTERN.fullmatch(value) is None:
        problems.append(_LABEL_VALUE_RULE)
    return problems


def label_errors(labels: Mapping[str, str], path: str) -> list[FieldError]:
    """Return the errors of a map of labels, sorted by key (Go's order is by chance)."""
    errors = []
    for name in sorted(labels):
        errors += [invalid(path, name, text) for text in qualified_name_problems(name)]
        value = labels[name]
        errors += [invalid(path, value, text) for text in label_value_problems(value)]
    return errors


def annotation_errors(annotations: Mapping[str, str], path: str) -> list[FieldError]:
    """Return the errors of a map of annotations, sorted by key; case does not count in keys."""
    errors = []
    for name in sorted(annotations):
        problems = qualified_name_problems(name.lower())
        errors += [invalid(path, name, text) for text in problems]
    size_bytes = sum(
        len(name.encode()) + len(value.encode()) for name, value in annotations.items()
    )
    if size_bytes > ANNOTATIONS_BYTES_MAX:
        errors.append(too_long(path, ANNOTATIONS_BYTES_MAX))
    return errors


def _too_many(limit_bytes: int) -> str:
    return f"must be no more than {limit_bytes} characters"
