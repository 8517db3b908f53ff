"""Which tags there are: asked of the newest spans, for all would be too many."""

from __future__ import annotations

from typing import Final

from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.span_columns import CAST_RESOURCE
from lymer.storage.clickhouse.statements import statement

__all__ = ["NAMES_MAX", "NEWEST_SPANS_MAX", "select_tag_keys", "select_tag_values"]

NEWEST_SPANS_MAX: Final = 20_000
"""Newest spans looked at: one or two tens of milliseconds."""
NAMES_MAX: Final = 1_000
"""Keys or values in an answer."""


def select_tag_keys() -> Query:
    """Ask for keys; rows: a key."""
    return Query(
        statement(
            "tag_keys", resource=CAST_RESOURCE, spans_max=NEWEST_SPANS_MAX, names_max=NAMES_MAX
        )
    )


def select_tag_values(key: str, service: str) -> Query:
    """Ask for the values of a key; rows: an AnyValue. An empty service is any."""
    query = Query()
    of_service = f"service = {query.text(service)}" if service else "1"
    query.statement = statement(
        "tag_values", key=query.text(key), of_service=of_service, resource=CAST_RESOURCE,
        spans_max=NEWEST_SPANS_MAX, names_max=NAMES_MAX,
    )  # fmt: skip
    return query
