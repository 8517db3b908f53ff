"""The statements that read spans; text of SQL only, and as little of it as can be.

The engine plans a statement anew each time, and every function in it costs: rendering JSON in SQL
took 75 ms a call, reading the bare columns takes 8 (docs/adr/009-reading-a-trace.md). So the engine
finds and hands over columns as they lie, and `wire/span_rows.py` renders each attribute once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lymer.wire.span_rows import COLUMNS, IDENTITY_COLUMNS, RARE, RARE_COLUMNS, RESERVED_KEYS

__all__ = [
    "BY_ID",
    "CAST_RESOURCE",
    "CAST_SCOPE",
    "FEW_COLUMNS",
    "MOST_COLUMNS",
    "PLAIN",
    "SPECIAL",
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
MOST_COLUMNS: Final = tuple(name for name in COLUMNS if name not in IDENTITY_COLUMNS)
"""Enough if each span has an id of its own."""
FEW_COLUMNS: Final = (*(name for name in MOST_COLUMNS if name not in RARE_COLUMNS), RARE)
"""Enough if no span has anything rare, too."""
BY_ID: Final[dict[str, str | int]] = {"use_skip_indexes_on_data_read": 0}
"""Settings of a statement about some traces by their ids: granules are chosen by the index before
reading. While reading, the ids of all spans are read: 17 ms instead of 7 among a million."""
PLAIN: Final[dict[str, str | int]] = {
    **BY_ID,
    # There is nothing to find out of a statement that says itself what is read first: 0.3 ms.
    "query_plan_enable_optimizations": 0,
    # To remember in which granules a trace is costs 0.3 ms, and few are asked for twice.
    "use_query_condition_cache": 0,
}
"""Settings of a statement of `select_spans`."""
_IS_RARE: Final = "bitAnd(rare, 7)"
"""A status message (8) is read anyway: a trace with an error is what people look for."""
_RESERVED: Final = ", ".join(f"'{key}'" for key in RESERVED_KEYS)
SPECIAL: Final = f"(notEmpty(warnings) OR hasAny(mapKeys(attrs), [{_RESERVED}]))"
"""The condition on spans that have warnings, or attributes that may become some."""
_RESERVED_ONLY: Final = f"mapFilter((k, v) -> k IN ({_RESERVED}), attrs)"
_HASH: Final = "sipHash64(attrs)"
_HASHED: Final = {"resource": "cityHash64(resource)", "scope": "cityHash64(scope)"}
"""Their texts may be large and on many spans; `origins.py` reads each of them once."""


def select_spans(where: str, names: Sequence[str], *, skeleton: bool, special: bool = False) -> str:
    """Return the statement that reads the spans that meet `where`, values one behind the other.

    A resource and a scope are the hashes of their texts. A skeleton has only the reserved
    attributes, and behind all `COLUMNS` a hash of all attributes. Special ones meet `SPECIAL`, too.
    """
    texts = {RARE: _IS_RARE, **_HASHED}
    if skeleton:
        texts["attrs"] = _RESERVED_ONLY
    columns = [texts.get(name, name) for name in names]
    if skeleton and IDENTITY_COLUMNS.issubset(names):
        columns.append(_HASH)
    found = f"PREWHERE {where}" + (f" WHERE {SPECIAL}" if special else "")
    return f"SELECT {{mark}}, {', '.join(columns)} FROM {{db}}.spans {found}"
