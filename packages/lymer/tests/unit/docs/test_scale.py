"""docs/scale.md says what the model of `bench/scale_model.py` says, and both what was measured."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[5]
PAGE = (ROOT / "docs/scale.md").read_text("utf-8")
MODEL = runpy.run_path(str(ROOT / "bench/scale_model.py"), run_name="model")


def test_the_table_is_the_models() -> None:
    """Every line, for every rate."""
    lines = PAGE.splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("| spans a second")) + 2
    rows = MODEL["rows"]()
    assert lines[first : first + len(rows) + 1] == [*rows, ""]


def test_the_model_begins_with_what_was_measured() -> None:
    """Its points stand in the table of measured costs; it is off by no more than is said."""
    measured = {
        1: re.search(r"collector ([\d.]+), server ([\d.]+) \|", PAGE),
        2: re.search(r"collector ([\d.]+), shards ([\d.]+) and ([\d.]+) \|", PAGE),
    }
    found = {count: [float(one) for one in hit.groups()] for count, hit in measured.items() if hit}
    told = {count: [collector, *each] for count, (collector, each) in MODEL["MEASURED"].items()}
    assert found == told
    said = re.search(r"within ([\d.]+) %", PAGE)
    assert said
    worst = max(abs(modelled / real - 1) for _, real, modelled in MODEL["errors"]())
    assert worst <= float(said[1]) / 100


def test_the_formulas_are_the_models() -> None:
    """The numbers in the formulas, to a tenth, for any number of shards."""
    collector = re.search(r"\(([\d.]+) \+ ([\d.]+) \*n\*\) \*r\* cores", PAGE)
    shard = re.search(r"\(([\d.]+) \+ ([\d.]+) / \*n\*\) \*r\* cores", PAGE)
    assert collector
    assert shard
    for count in (1, 2, 3, 10):
        said = float(collector[1]) + float(collector[2]) * count
        assert abs(said - MODEL["collector_cost"](count)) < 0.05 * (count + 1)
        said = float(shard[1]) + float(shard[2]) / count
        assert abs(said - MODEL["shard_cost"](count)) < 0.1
