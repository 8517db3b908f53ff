"""The service graph in SQL: how it is counted, and how a window of it is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from lymer.model.conventions import names_of
from lymer.model.graph import EDGE_TYPES, NODE_KINDS, GraphEdge
from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.statements import statement

__all__ = [
    "BUCKET",
    "GRAPH_WIDTH",
    "LEAF",
    "LEAF_ATTRIBUTES",
    "TEXTS",
    "edges_of",
    "select_graph",
]

_NO_SOURCE: Final = 255
_LINKED: Final = 4
"""As kind of a target: a service, by a link."""
_HOUR: Final = 60
_NOTHING: Final = 0.5
"""A span counts at least one; less is what is left when such sums are taken back."""
BUCKET: Final = "toInt16(floor(log2(toFloat64(duration) + 1) * 8))"


def _names(*keys: str) -> list[str]:
    return list(dict.fromkeys(name for key in keys for name in names_of(key)))


_KEYS: Final = (
    _names("db.system.name"),
    _names("db.namespace"),
    _names("messaging.system"),
    _names("messaging.destination.name"),
    _names("service.peer.name", "server.address"),
)
LEAF_ATTRIBUTES: Final = (
    "mapFilter((k, v) -> k IN ("
    + ", ".join(f"'{name}'" for names in _KEYS for name in names)
    + "), attrs)"
)
"""`named`: the attributes that tell whom a span speaks to. To look for each of them among all would
cost five times as much."""
TEXTS: Final = (
    "arrayMap(names -> arrayFirst(text -> text != '', arrayMap(name -> if(startsWith(named[name], "
    "'\\n'), substring(named[name], if(length(named[name]) <= 129, 3, 4), 256), ''), names)), "
    f"{list(_KEYS)})"
)
"""`texts`: database, its namespace, messaging system, destination, peer; empty where none is."""
LEAF: Final = (
    "multiIf(texts[4] != '' AND kind IN (4, 5), (2::UInt8, arrayStringConcat(arrayFilter(text -> "
    "text != '', [texts[3], texts[4]]), '/')), kind = 5, (0::UInt8, ''), texts[1] != '', "
    "(1::UInt8, arrayStringConcat(arrayFilter(text -> text != '', [texts[1], texts[2]]), '/')), "
    "texts[5] != '', (3::UInt8, texts[5]), (0::UInt8, ''))"
)
"""Kind and name of what a span speaks to outside of all services; kind 0 is nothing."""
_SELECT: Final = statement("graph")


GRAPH_WIDTH: Final = 9
"""Columns of `select_graph`."""


def select_graph(first_minute: int, last_minute: int) -> Query:
    """Ask for the edges of a window of whole minutes, both included; what is whole hours as hours.

    Rows: source kind and name, target kind and name, calls, errors, duration sum, buckets, spans.
    """
    first_hour = -(-first_minute // _HOUR) * _HOUR
    last_hour = (last_minute + 1) // _HOUR * _HOUR - 1  # the last minute of whole hours
    if first_hour > last_hour:
        parts = [(1, first_minute, last_minute)]
    else:
        parts = [
            (_HOUR, first_hour, last_hour),
            (1, first_minute, first_hour - 1),
            (1, last_hour + 1, last_minute),
        ]
    slots = " OR ".join(
        f"(size = {size} AND slot BETWEEN {first} AND {last})"
        for size, first, last in parts
        if first <= last
    )
    return Query(_SELECT.replace("{slots}", slots or "0"))


def edges_of(rows: Iterable[tuple[Any, ...]]) -> list[GraphEdge]:
    """Return the rows of `select_graph` as edges."""
    return [_edge(row[:4], row[4:]) for row in rows]


def _edge(key: tuple[Any, ...], figures: tuple[Any, ...]) -> GraphEdge:
    source_kind, source, target_kind, target = key
    is_link = target_kind == _LINKED
    calls, errors, duration_sum, buckets, spans = figures
    return GraphEdge(
        source_kind="" if source_kind == _NO_SOURCE else NODE_KINDS[source_kind],
        source=source.decode(errors="replace"),
        target_kind=NODE_KINDS[0 if is_link else target_kind],
        target=target.decode(errors="replace"),
        type=EDGE_TYPES[is_link],
        calls=calls,
        errors=max(errors, 0.0),
        duration_nano_sum=max(duration_sum, 0.0),
        buckets=tuple(sorted((bucket, count) for bucket, count in buckets if count > _NOTHING)),
        span_count=spans,
    )
