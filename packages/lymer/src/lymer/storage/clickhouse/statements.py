"""The statements, as texts in `sql/` and `schema/`; constants only, no value from outside."""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import Final

from lymer.storage.sanitizers import SANITIZERS

__all__ = [
    "LOAD",
    "LOAD_USUAL",
    "NESTED_KEYS",
    "NESTED_VALUES",
    "UNUSUAL_CODES",
    "WINDOW_SPANS_MAX",
    "schema_scripts",
    "statement",
]

WINDOW_SPANS_MAX: Final = 500_000
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


def statement(name: str, **pieces: str | int) -> str:
    """Return the text of `sql/NAME.sql` without its comments.

    Args:
        name: Of the file.
        pieces: Texts of SQL for some of the places in braces; `{db}`, `{mark}` and `{source}` are
            the engine's, the others whoever asks fills in.
    """
    text = _script("sql", f"{name}.sql").strip()
    for place, piece in pieces.items():
        text = _put(text, f"{{{place}}}", str(piece))
    return text


def _put(text: str, place: str, piece: str) -> str:
    """Fill a place; lines of the piece are indented as it is."""
    filled = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        filled.append(line.replace(place, piece.replace("\n", "\n" + indent)))
    return "\n".join(filled)


@functools.cache
def _script(folder: str, name: str) -> str:
    text = files(__package__).joinpath(folder, name).read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def _load_statement(*, repairs: bool) -> str:
    """Return `load.sql` with the sanitizers in their places: `condition, value` for each column.

    Without repairs it fails if there is something to repair that leaves a warning.
    """
    text = statement("load")
    rules = [rule for rule in SANITIZERS if rule.when]
    for column in dict.fromkeys(rule.column for rule in rules):
        pairs = [
            f"{rule.when}, {rule.becomes}"
            for rule in rules
            if rule.column == column and (repairs or not rule.warning)
        ]
        if not pairs:
            pairs = ["0, 1" if column == "duration" else "0, ''"]
        text = text.replace(f"{{{column}}}", ", ".join(pairs))
    warnings = [(rule.warns_when or rule.when, rule.warning) for rule in rules if rule.warning]
    bad = " OR ".join(condition for condition, _ in warnings)
    texts = ", ".join(f"if({condition}, {warning}, '')" for condition, warning in warnings)
    told = f"if(bad, arrayFilter(w -> w != '', [{texts}]), [])"
    text = text.replace("{warnings}", told if repairs else "CAST([], 'Array(String)')")
    return text.replace("{bad}", bad).replace("{is_bad}", "bad" if repairs else "throwIf(bad)")


LOAD: Final = _load_statement(repairs=True)
"""Inserts a segment; `{db}`, `{seg}` and `{source}` are left to be filled."""
LOAD_USUAL: Final = _load_statement(repairs=False)
"""Does so in two thirds of the time, or fails with one of `UNUSUAL_CODES`."""
UNUSUAL_CODES: Final = ("Code: 395.", "Code: 131.")
"""FUNCTION_THROW_IF_VALUE_IS_NON_ZERO, TOO_LARGE_STRING_SIZE: an id that is too long."""


def schema_scripts() -> list[tuple[int, str, list[str]]]:
    """Return (version, name, statements) of every schema script, in order.

    `{retention_seconds}` is left in the statements.
    """
    scripts = []
    for entry in sorted(files(__package__).joinpath("schema").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".sql"):
            version, _, name = entry.name.removesuffix(".sql").partition("_")
            text = _script("schema", entry.name).replace("{nested_values}", NESTED_VALUES)
            parts = [part.strip() for part in text.split(";") if part.strip()]
            scripts.append((int(version), name, parts))
    return scripts
