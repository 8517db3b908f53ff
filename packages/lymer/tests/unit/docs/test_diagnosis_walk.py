"""The three walks of docs/diagnosis.md: what their commands print is what is written there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lymer.analysis.attribution import attribute
from lymer.analysis.root_cause import RATIO_MIN, find_causes
from lymer.analysis.span_frame import SpanFrame
from lymer.cli.printing import part
from lymer.incidents.traffic import draw_traffic

_PAGE = (Path(__file__).parents[5] / "docs" / "diagnosis.md").read_text(encoding="utf-8")
_WALKS = re.findall(r"lymer generate --incident (\S+) --seed (\d+)", _PAGE)
_SAYS = {
    "bad-version": ("payment", "POST /charge", "slow", "service.version=1.4.2"),
    "cold-cache": ("accounts", "GET /user", "calls", "cache.hit=false"),
    "retry-storm": ("inventory", "POST /reserve", "error", ""),
}


def test_there_are_three_walks() -> None:
    """Each with an incident that anybody can draw again."""
    assert [kind for kind, _ in _WALKS] == list(_SAYS)


@pytest.mark.parametrize(("kind", "seed"), _WALKS)
def test_a_walk_says_what_is_found(kind: str, seed: str) -> None:
    """Service, operation, what happens there, the attribute; and each number of the listing."""
    traffic = draw_traffic(kind, int(seed), 1_700_000_000_000_000_000)
    frame = SpanFrame.of(traffic.table)
    start = frame.table.start
    causes = find_causes(frame, int(start.min()), int(start.max()) + 1)
    first = causes.candidates[0]
    service, operation, what, attribute_value = _SAYS[kind]
    assert (first.place.service, first.place.operation) == (service, operation)
    assert first.place.what == what
    assert first.ratio >= RATIO_MIN
    assert f"{service} {operation}" in _PAGE or f'"{service}"' in _PAGE
    during = (start >= causes.start_unix_nano) & (start < causes.end_unix_nano)
    found = attribute(frame, first, during)
    told = f"{found[0].fact.key}={found[0].fact.value}" if found else ""
    assert told == attribute_value
    assert attribute_value in _PAGE
    if kind == "bad-version":
        assert f"Looked at {int(frame.table.trace.max()) + 1} traces ({len(frame)} spans)." in _PAGE
        assert f"takes longer by itself (score {first.score:.2g})" in _PAGE
        now, usual = part(first.events / first.chances), part(first.usual)
        assert f"{now} of {first.chances} instead of {usual} before" in _PAGE
        share, calls = part(found[0].in_selection), part(found[0].in_baseline)
        assert f"{told} has {share} of it and {calls} of the calls" in _PAGE
        assert round((causes.end_unix_nano - causes.start_unix_nano) / 1e9) == 120
