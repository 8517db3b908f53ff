"""docs/install/sizing.md and the chart: what is asked for follows from what was measured."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fakes.chart import CHART, values_file

PAGE = CHART.parents[1] / "docs" / "install" / "sizing.md"
ROLES = {
    "allInOne": "`lymer` (all in one)",
    "collector": "`lymer-collector`, embedded store",
    "query": "`lymer-query`",
    "agent": "`lymer-agent`",
}
"""Values of a role → its row among the measurements."""


def row(first: str) -> list[str]:
    """Return the cells of a row of the page."""
    (found,) = [
        line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| {first} |")
    ]
    return [cell.strip() for cell in found.strip("|").split("|")]


def number(text: str) -> float:
    """Return the first number of a cell."""
    found = re.search(r"[\d,.]+", text)
    assert found
    return float(found[0].replace(",", ""))


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    """Return the chart's defaults."""
    return values_file("values.yaml")


@pytest.mark.parametrize("role", ROLES)
def test_the_defaults_are_those_of_the_page(values: dict[str, Any], role: str) -> None:
    """Requests and limits, word for word."""
    resources = values[role]["resources"]
    _, cpu, memory, limit, _ = row(f"`{role}`")

    assert resources["requests"] == {"cpu": cpu, "memory": memory}
    assert resources["limits"] == {"memory": limit}


@pytest.mark.parametrize("role", ROLES)
def test_the_defaults_are_enough_for_what_was_measured(values: dict[str, Any], role: str) -> None:
    """Memory for the most that was seen, processors for the rate that the page names."""
    _, rest, cost, *_, memory = row(ROLES[role])
    requests = values[role]["resources"]["requests"]
    rate = number(row(f"`{role}`")[-1])
    per = 1e3 if "questions" in cost else 1e6

    assert number(requests["memory"]) >= number(memory)
    assert number(requests["cpu"]) >= number(rest) + 1e3 * number(cost) * rate / per


def test_a_collectors_limit_holds_the_engine(values: dict[str, Any]) -> None:
    """storage.memoryMax, what is beside it, and some room."""
    engine = number(values["storage"]["memoryMax"])
    for role in ("allInOne", "collector"):
        assert number(values[role]["resources"]["limits"]["memory"]) >= engine + 350
