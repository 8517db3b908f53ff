"""Which tags there are: asked of the newest spans, for all would be too many."""

from __future__ import annotations

from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.span_columns import CAST_RESOURCE
from lymer.storage.clickhouse.statements import statement

__all__ = ["select_tag_keys", "select_tag_values"]


def select_tag_keys() -> Query:
    """Ask for keys; rows: a key."""
    return Query(statement("tag_keys", resource=CAST_RESOURCE))


def select_tag_values(key: str, service: str) -> Query:
    """Ask for the values of a key; rows: an AnyValue. An empty service is any."""
    query = Query()
    of_service = f"service = {query.text(service)}" if service else "1"
    query.statement = statement(
        "tag_values", key=query.text(key), of_service=of_service, resource=CAST_RESOURCE
    )
    return query
