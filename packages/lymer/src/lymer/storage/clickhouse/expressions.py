"""Pieces of SQL that several statements share; constants only, no value from outside."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from lymer.storage.sanitizers import SANITIZERS

__all__ = ["LOAD", "NESTED_KEYS", "NESTED_VALUES", "schema_scripts", "select_window_end"]

_WINDOW_SPANS_MAX: Final = 500_000
"""Spans that one statement counts or decides on, about: bounds its memory."""

_EVENT_VALUES: Final = (
    "arrayFlatten(arrayMap(e -> arrayPushBack(mapValues(tupleElement(e, 'attributes')), "
    "toString(tupleElement(e, 'name'))), events))"
)
# tupleElement, not a dot: an index expression is resolved by the engine's older analyzer.
_LINK_VALUES: Final = "arrayFlatten(arrayMap(l -> mapValues(tupleElement(l, 'attributes')), links))"
NESTED_VALUES: Final = f"arrayConcat({_EVENT_VALUES}, {_LINK_VALUES})"
"""Values of the attributes of events and links, and names of events: the expression of `ix_nested`;
a condition must use the same text, or the index is not used."""


NESTED_KEYS: Final = (
    "arrayConcat(arrayFlatten(arrayMap(e -> mapKeys(tupleElement(e, 'attributes')), events)), "
    "arrayFlatten(arrayMap(l -> mapKeys(tupleElement(l, 'attributes')), links)))"
)
"""Keys of the attributes of events and links of one span."""


def _script(folder: str, name: str) -> str:
    text = files(__package__).joinpath(folder, name).read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def _load_statement() -> str:
    """Return `load.sql` with the sanitizers in their places: `condition, value` for each column."""
    statement = _script("sql", "load.sql").strip()
    rules = [rule for rule in SANITIZERS if rule.when]
    for column in dict.fromkeys(rule.column for rule in rules):
        pairs = [f"{rule.when}, {rule.becomes}" for rule in rules if rule.column == column]
        statement = statement.replace(f"{{{column}}}", ", ".join(pairs))
    warned = [(rule.warns_when or rule.when, rule.warning) for rule in rules if rule.warning]
    bad = " OR ".join(condition for condition, _ in warned)
    texts = ", ".join(f"if({condition}, {warning}, '')" for condition, warning in warned)
    return statement.replace("{bad}", bad).replace("{warnings}", texts)


LOAD: Final = _load_statement()
"""Inserts a segment; `{db}`, `{seg}` and `{source}` are left to be filled."""


def schema_scripts() -> list[tuple[int, str, list[str]]]:
    """Return (version, name, statements) of every schema script, in order.

    `{retention_seconds}` is left in the statements.
    """
    scripts = []
    for entry in sorted(files(__package__).joinpath("schema").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".sql"):
            version, _, name = entry.name.removesuffix(".sql").partition("_")
            text = _script("schema", entry.name).replace("{nested_values}", NESTED_VALUES)
            statements = [part.strip() for part in text.split(";") if part.strip()]
            scripts.append((int(version), name, statements))
    return scripts


def select_window_end(after: int, upto: int) -> str:
    """Return the statement of the last segment of a full window behind `after`; 0 if none is full.

    Rollups and tail sampling go through what is stored window by window, up to segment `upto`.
    """
    return (
        "SELECT {mark}, min(seg) FROM (SELECT seg, sum(count()) OVER (ORDER BY seg) AS spans "
        f"FROM {{db}}.spans WHERE seg > {after} AND seg <= {upto} GROUP BY seg) "
        f"WHERE spans >= {_WINDOW_SPANS_MAX}"
    )
