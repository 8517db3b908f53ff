"""Feature gates."""

from __future__ import annotations

import pytest

from certwright.errors import InvalidError
from certwright.resources.features import (
    FEATURES,
    LITERAL_CERTIFICATE_SUBJECT,
    SERVER_SIDE_APPLY,
    FeatureGates,
)


def test_all_gates_are_off_until_named() -> None:
    """Alpha means off."""
    assert FeatureGates.parse("").enabled == frozenset()
    gates = FeatureGates.parse("ServerSideApply=true, LiteralCertificateSubject=F")
    assert SERVER_SIDE_APPLY in gates
    assert LITERAL_CERTIFICATE_SUBJECT not in gates


def test_all_alpha_leaves_named_gates_alone() -> None:
    """Whatever the order."""
    gates = FeatureGates.parse("ServerSideApply=false,AllAlpha=true,AllBeta=true")

    assert gates.enabled == frozenset(FEATURES) - {SERVER_SIDE_APPLY}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("X=true", "unrecognized feature gate: X", id="unknown"),
        pytest.param("ServerSideApply", "missing bool value for ServerSideApply", id="no value"),
        pytest.param(
            "ServerSideApply=yes",
            "invalid value of ServerSideApply=yes, err: strconv.ParseBool: parsing"
            ' "yes": invalid syntax',
            id="no bool",
        ),
    ],
)
def test_a_wrong_gate_stops_the_process(text: str, expected: str) -> None:
    """With the original's words."""
    with pytest.raises(InvalidError) as caught:
        FeatureGates.parse(text)

    assert expected == str(caught.value)
