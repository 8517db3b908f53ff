"""The statements that read spans; text of SQL only, and as little of it as can be.

The engine plans a statement anew each time, and every function in it costs: rendering JSON in SQL
took 75 ms a call, reading the bare columns takes 8 (docs/adr/009-reading-a-trace.md). So the engine
finds and hands over columns as they lie, and `wire/span_rows.py` renders each attribute once.
"""

from __future__ import annotations

from typing import Final

from lymer.wire.span_rows import COLUMNS, RESERVED_KEYS

__all__ = [
    "CAST_RESOURCE",
    "CAST_SCOPE",
    "SPECIAL",
    "select_origins_text",
    "select_spans",
]

CAST_RESOURCE: Final = (
    "CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, "
    "entities Array(String), schema_url String)')"
)
"""The column `resource` is the text of this tuple."""
CAST_SCOPE: Final = (
    "CAST(scope, 'Tuple(name String, version String, attributes Map(String, String), "
    "dropped UInt32, schema_url String)')"
)
"""The column `scope` is the text of this tuple."""
_RESERVED: Final = ", ".join(f"'{key}'" for key in RESERVED_KEYS)
SPECIAL: Final = f"(notEmpty(warnings) OR hasAny(mapKeys(attrs), [{_RESERVED}]))"
"""The condition on spans that have warnings, or attributes that may become some."""
_SKELETON: Final = (
    *COLUMNS[:-1],
    f"mapFilter((k, v) -> k IN ({_RESERVED}), attrs)",
    "sipHash64(attrs)",
)


def select_spans(where: str, *, skeleton: bool) -> str:
    """Return the statement that reads the spans that meet `where`, values one behind the other.

    A skeleton has only the reserved attributes, and a hash of all.
    """
    columns = ", ".join(_SKELETON if skeleton else COLUMNS)
    return f"SELECT {{mark}}, {columns} FROM {{db}}.spans WHERE {where}"


def select_origins_text(resources: str, scopes: str) -> str:
    """Return the statement that reads texts of resources and scopes as attributes.

    Args:
        resources: Expression of an array of texts.
        scopes: Likewise.

    Returns:
        A statement of two values: the resources' attributes, and (name, version, attributes) of the
        scopes, each in the order of the arguments.
    """
    return (
        f"SELECT {{mark}}, arrayMap(resource -> tupleElement({CAST_RESOURCE}, 1), {resources}), "
        f"arrayMap(scope -> (tupleElement({CAST_SCOPE} AS s, 1), tupleElement(s, 2), "
        f"tupleElement(s, 3)), {scopes})"
    )
