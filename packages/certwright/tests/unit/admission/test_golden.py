"""What cert-manager v1.12.2's own validation said about changed objects, case by case.

`golden.json` holds objects (examples of every kind with a few values changed by chance), what was
before where it is an update, feature gates, and the original's answer. Left out are answers that we
change knowingly (docs/certwright/compatibility.md) and objects that the API server refuses first.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from certwright.admission import validate_create, validate_update
from certwright.resources.features import FeatureGates

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("golden.json").read_text("utf-8"))


@pytest.mark.parametrize(
    "case",
    CASES,
    ids=[
        f"{number}-{case['object']['kind']}-{'update' if 'old' in case else 'create'}"
        for number, case in enumerate(CASES)
    ],
)
def test_the_original_said_the_same(case: dict[str, Any]) -> None:
    """Errors without their order, for the original's depends on chance in places."""
    gates = FeatureGates.parse(case.get("gates", ""))
    verdict = (
        validate_update(case["old"], case["object"], gates)
        if "old" in case
        else validate_create(case["object"], gates)
    )

    assert case["errors"] == sorted(map(str, verdict.errors))
    assert tuple(case.get("warnings", ())) == verdict.warnings
