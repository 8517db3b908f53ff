"""The whole statements of the reader, with `{where}` left to be filled."""

from __future__ import annotations

from typing import Final

from lymer.storage.clickhouse.otlp_format import FORMAT_SETTINGS, STRUCTURE
from lymer.storage.clickhouse.span_columns import CAST_RESOURCE, CAST_SCOPE
from lymer.storage.clickhouse.statements import statement

__all__ = [
    "OTLP_SETTINGS",
    "SELECT_OTLP",
    "SELECT_OTLP_SHARED",
    "SELECT_SUMMARIES",
    "message_of",
]

SELECT_SUMMARIES: Final = statement("summaries")

# As the engine reads OTLP, but a value of a row, where a dictionary would be in the way.
_TYPE: Final = (
    STRUCTURE.removeprefix("resource_spans Array(")
    .removesuffix(")")
    .replace("LowCardinality(String)", "String")
)
_PIECES: Final = {
    "type": _TYPE,
    "span": statement("otlp_span"),
    "resource": CAST_RESOURCE,
    "scope": CAST_SCOPE,
}
SELECT_OTLP: Final = statement("otlp", **_PIECES)
SELECT_OTLP_SHARED: Final = statement("otlp_shared", **_PIECES)
"""The answer of `SELECT_OTLP`, where a resource or a scope is too large to be a key of groups."""
OTLP_SETTINGS: Final = FORMAT_SETTINGS


def message_of(delimited: bytes) -> bytes:
    """Return a protobuf message without the length before it."""
    head = 1
    while delimited[head - 1] & 0x80:
        head += 1
    return delimited[head:]
