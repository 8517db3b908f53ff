"""Field errors and names, with Kubernetes' texts."""

from __future__ import annotations

import pytest

from certwright.admission.fields import (
    FieldError,
    Raw,
    aggregate,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)
from certwright.admission.names import (
    annotation_errors,
    dns1123_subdomain_problems,
    label_errors,
    qualified_name_problems,
)

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'example.com', regex used for"
    r" validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
NAME = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
    " alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for"
    " validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or"
    " '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(required("a.b", "must be"), "a.b: Required value: must be", id="required"),
        pytest.param(required("a.b"), "a.b: Required value", id="required without a detail"),
        pytest.param(invalid("a", 'x"', "no"), r'a: Invalid value: "x\"": no', id="a string"),
        pytest.param(invalid("a", 5, "no"), "a: Invalid value: 5: no", id="a number"),
        pytest.param(invalid("a", True, "no"), "a: Invalid value: true: no", id="a bool"),  # noqa: FBT003
        pytest.param(invalid("a", Raw("1h0m0s"), "no"), "a: Invalid value: 1h0m0s: no", id="raw"),
        pytest.param(forbidden("a", "no"), "a: Forbidden: no", id="forbidden"),
        pytest.param(duplicate("a[type]", "DER"), 'a[type]: Duplicate value: "DER"', id="twice"),
        pytest.param(too_long("a", 64), "a: Too long: must have at most 64 bytes", id="too long"),
        pytest.param(
            not_supported("a", 3, ["1", "2"]),
            'a: Unsupported value: 3: supported values: "1", "2"',
            id="not supported",
        ),
    ],
)
def test_each_type_has_its_form(error: FieldError, expected: str) -> None:
    """As field.Error prints itself."""
    assert expected == str(error)


def test_several_messages_stand_in_brackets_each_once() -> None:
    """As an aggregate prints itself."""
    assert aggregate([]) == ""
    assert aggregate(["a"]) == "a"
    assert aggregate(["a", "a"]) == "a"
    assert aggregate(["b", "a", "b"]) == "[b, a]"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("a.b-c.1", [], id="fine"),
        pytest.param("A", [SUBDOMAIN], id="capitals"),
        pytest.param("a_b", [SUBDOMAIN], id="underscore"),
        pytest.param("a\n", [SUBDOMAIN], id="a line end"),
        pytest.param("a" * 254, ["must be no more than 253 characters"], id="254 bytes"),
    ],
)
def test_object_names(value: str, expected: list[str]) -> None:
    """DNS subdomains in lower case."""
    assert expected == dns1123_subdomain_problems(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("example.com/My_name.1", [], id="fine"),
        pytest.param("/a", ["prefix part must be non-empty"], id="no prefix"),
        pytest.param("A/b", [f"prefix part {SUBDOMAIN}"], id="prefix in capitals"),
        pytest.param("a/", ["name part must be non-empty", f"name part {NAME}"], id="no name"),
        pytest.param(
            "a" * 64, ["name part must be no more than 63 characters"], id="a name of 64 bytes"
        ),
        pytest.param(
            "a/b/c",
            [
                (
                    f"a qualified name {NAME} with an optional DNS subdomain prefix and '/'"
                    " (e.g. 'example.com/MyName')"
                )
            ],
            id="two slashes",
        ),
    ],
)
def test_qualified_names(value: str, expected: list[str]) -> None:
    """Keys of labels and annotations."""
    assert expected == qualified_name_problems(value)


def test_labels_have_rules_for_key_and_value() -> None:
    """The value's text comes with the value."""
    (error,) = label_errors({"ok": "-x"}, "p")
    assert str(error) == f'p: Invalid value: "-x": {VALUE}'
    (error,) = label_errors({"-k": "x"}, "p")
    assert str(error) == f'p: Invalid value: "-k": name part {NAME}'


def test_annotations_have_free_values_up_to_256_kib() -> None:
    """Keys and values together; case does not count in a key's prefix."""
    assert annotation_errors({"Example.com/a": "x" * (256 * 1024 - 13)}, "p") == []
    (error,) = annotation_errors({"a": "x" * 256 * 1024}, "p")
    assert str(error) == "p: Too long: must have at most 262144 bytes"
