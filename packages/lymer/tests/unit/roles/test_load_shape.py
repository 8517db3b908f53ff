"""What traffic cannot look like."""

from __future__ import annotations

import pytest

from lymer.errors import StartupError
from lymer.roles.load_shape import LoadShape


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"depth": 1}, "8 spans per trace need a depth of at least 2"),
        ({"attributes": 60}, "60 attributes per span need as many attribute keys"),
        ({"services": 0}, "services must be at least 1"),
        ({"errors": 1.5}, "errors must be from 0 to 1"),
        ({"latency_seconds": 0.0}, "latency above 0"),
    ],
)
def test_a_shape_that_cannot_be_made_is_refused(wrong: dict[str, int], problem: str) -> None:
    """The sentence says which number is wrong."""
    with pytest.raises(StartupError, match=problem):
        LoadShape(**wrong)
