"""A question as SQL and parameters, pure. Values are parameters, always.

A span's own conditions are one AND. A tag may be met in five places (span, event, link, resource,
scope); resources and scopes are few, so they are decided first, on the catalog, and enter the search
as sets of hashes. A tag that no resource and no scope meets leaves only places with an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lymer.model.question import SPAN_KINDS, TraceQuestion
from lymer.storage.clickhouse.engine import Parameter
from lymer.storage.clickhouse.expressions import NESTED_VALUES
from lymer.storage.clickhouse.render import CAST_RESOURCE, CAST_SCOPE
from lymer.wire.go_text import from_bool_text

__all__ = [
    "Origins",
    "Query",
    "Tag",
    "select_origins",
    "select_structured_values",
    "select_traces",
]

_STATUSES: Final = ("unset", "ok", "error")
"""The index is OTLP's `StatusCode`."""
_RESOURCE_PREFIX: Final = "resource."


@dataclass(slots=True)
class Query:
    """A statement and the values of its parameters."""

    statement: str = ""
    parameters: dict[str, Parameter] = field(default_factory=dict)

    def text(self, value: str) -> str:
        """Add a text parameter; return its place in the statement."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:String}}"

    def number(self, value: int) -> str:
        """Add an integer parameter; return its place in the statement."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{'Int64' if value < 0 else 'UInt64'}}}"

    def blob(self, value: bytes) -> str:
        """Add a bytes parameter; return its place in the statement."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"unhex({{{name}:String}})"

    def blobs(self, values: Sequence[bytes]) -> str:
        """Add several bytes parameters; return the array of them."""
        return "[" + ", ".join(self.blob(value) for value in values) + "]"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of a question, with the encodings its value can have."""

    key: str
    value: str
    meanings: tuple[bytes, ...]
    """AnyValue bytes, any of which is a match."""


@dataclass(frozen=True, slots=True)
class Origins:
    """The resources and scopes that meet one tag, as `cityHash64` of their text."""

    resources: tuple[int, ...] = ()
    scopes: tuple[int, ...] = ()


def select_origins(tags: Sequence[Tag]) -> Query:
    """Ask the catalog which resources and scopes meet each tag.

    The answer is one row: per tag, an array of resource hashes and an array of scope hashes.
    """
    query = Query()
    columns = []
    for tag in tags:
        in_resource, in_scope = _origin_conditions(query, tag)
        columns.append(f"groupUniqArrayIf(cityHash64(resource), {in_resource})")
        columns.append(f"groupUniqArrayIf(cityHash64(scope), {in_scope})")
    query.statement = (
        f"SELECT {', '.join(columns)} FROM (SELECT resource, scope, {CAST_SCOPE} AS s, "
        f"tupleElement({CAST_RESOURCE}, 'attributes') AS attributes_r, "
        "tupleElement(s, 'attributes') AS attributes_s "
        "FROM lymer.origins) FORMAT JSONCompactEachRow"
    )
    return query


def select_traces(
    question: TraceQuestion,
    tags: Sequence[Tag],
    origins: Sequence[Origins],
    span_limit: int | None,
) -> Query:
    """Ask for the newest matching spans, grouped by trace.

    Args:
        question: What to find.
        tags: The tags of the question.
        origins: One per tag, from `select_origins`.
        span_limit: Look at so many matching spans, newest first; None means at all of them.

    Returns:
        A query whose rows are (trace id in hex, start of the newest matching span, number of
        matching spans seen), newest first; with a `span_limit`, of every trace among those spans.
    """
    query = Query()
    where = " AND ".join(_conditions(query, question, tags, origins))
    spans = f"SELECT trace_id, start FROM lymer.spans WHERE {where}"
    if span_limit is not None:
        spans += f" ORDER BY start DESC LIMIT {query.number(span_limit)}"
    query.statement = (
        "SELECT lower(hex(trace_id)), max(start) AS newest, count() "
        f"FROM ({spans}) GROUP BY trace_id ORDER BY newest DESC, trace_id"
    )
    if span_limit is None:
        query.statement += f" LIMIT {query.number(question.limit)}"
    query.statement += " FORMAT JSONCompactEachRow"
    return query


def _conditions(
    query: Query, question: TraceQuestion, tags: Sequence[Tag], origins: Sequence[Origins]
) -> list[str]:
    conditions = [
        f"start >= {query.number(max(question.start_unix_nano_min, 0))}",
        f"start <= {query.number(max(question.start_unix_nano_max, 0))}",
    ]
    if question.service:
        conditions.append(f"service = {query.text(question.service)}")
    if question.operation:
        conditions.append(f"name = {query.text(question.operation)}")
    if question.duration_nano_min is not None:
        conditions.append(f"duration >= {query.number(question.duration_nano_min)}")
    if question.duration_nano_max is not None:
        conditions.append(f"duration <= {query.number(question.duration_nano_max)}")
    conditions.extend(
        f"({' OR '.join(_tag_places(query, tag, origin))})"
        for tag, origin in zip(tags, origins, strict=True)
    )
    return conditions


def _tag_places(query: Query, tag: Tag, origin: Origins) -> list[str]:
    """Return the alternatives under which one span meets one tag."""
    key, value = tag.key, tag.value
    if key == "span.kind":
        return [f"kind = {_index(SPAN_KINDS, value)}"]
    if key == "span.status":
        return [f"status = {_index(_STATUSES, value)}"]
    places = []
    if not _is_only_of_origins(key):
        places.append(f"({_indexed_pair(query, tag)})")
        places.append(f"({_nested(query, tag)})")
    if key.removeprefix(_RESOURCE_PREFIX) == "service.name":
        places.append(f"service = {query.text(value)}")
    if key == "error":
        places.extend(_status_condition(value))
    if origin.resources:
        places.append(f"cityHash64(resource) IN ({', '.join(map(str, origin.resources))})")
    if origin.scopes:
        places.append(f"cityHash64(scope) IN ({', '.join(map(str, origin.scopes))})")
    return places or ["0"]


def _origin_conditions(query: Query, tag: Tag) -> tuple[str, str]:
    """Return when a resource, and when a scope, of the catalog meets a tag."""
    key, value = tag.key, tag.value
    if key in {"span.kind", "span.status"}:
        return "0", "0"
    if key in {"scope.name", "scope.version"}:
        return "0", f"tupleElement(s, '{key.removeprefix('scope.')}') = {query.text(value)}"
    in_resource = _pair_in(query, "attributes_r", key.removeprefix(_RESOURCE_PREFIX), tag.meanings)
    if key.startswith(_RESOURCE_PREFIX):
        return in_resource, "0"
    return in_resource, _pair_in(query, "attributes_s", key, tag.meanings)


def _is_only_of_origins(key: str) -> bool:
    return key in {"scope.name", "scope.version"} or key.startswith(_RESOURCE_PREFIX)


def _status_condition(value: str) -> list[str]:
    """Return what `error=value` says of the status: true is ERROR, false is OK, unset is neither."""
    try:
        return ["status = 2" if from_bool_text(value) else "status = 1"]
    except ValueError:
        return []


def _index(names: Sequence[str], value: str) -> int:
    """Return the number a name stands for, or one that no span has."""
    return names.index(value.lower()) if value.lower() in names else -1


def _pair_in(query: Query, attributes: str, key: str, meanings: Sequence[bytes]) -> str:
    return (
        f"arrayExists((k, v) -> k = {query.text(key)} AND has({query.blobs(meanings)}, v), "
        f"mapKeys({attributes}), mapValues({attributes}))"
    )


def _indexed_pair(query: Query, tag: Tag) -> str:
    """Ask the index for the value first: most granules are left unread."""
    return (
        f"hasAny(mapValues(attrs), {query.blobs(tag.meanings)}) "
        f"AND {_pair_in(query, 'attrs', tag.key, tag.meanings)}"
    )


def _nested(query: Query, tag: Tag) -> str:
    candidates = list(tag.meanings)
    places = [
        f"arrayExists(e -> {_pair_in(query, 'e.attributes', tag.key, tag.meanings)}, events)",
        f"arrayExists(l -> {_pair_in(query, 'l.attributes', tag.key, tag.meanings)}, links)",
    ]
    if tag.key == "event":
        candidates.append(tag.value.encode())
        places.append(f"arrayExists(e -> e.name = {query.text(tag.value)}, events)")
    return f"hasAny({NESTED_VALUES}, {query.blobs(candidates)}) AND ({' OR '.join(places)})"


def select_structured_values(question: TraceQuestion, key: str) -> Query:
    """Ask which arrays and key-value lists stand under `key`, anywhere, in the question's range.

    Rows: the AnyValue in hex, each once. A text such as `{"a":1}` has many encodings, so the stored
    ones are asked for and compared as texts; such questions are rare, and may be slow.
    """
    query = Query()
    time = (
        f"start >= {query.number(max(question.start_unix_nano_min, 0))} "
        f"AND start <= {query.number(max(question.start_unix_nano_max, 0))}"
    )
    pairs = "arrayZip(mapKeys({0}), mapValues({0}))"
    own = pairs.format("CAST(attrs, 'Map(String, String)')")
    nested = pairs.format("CAST(tupleElement(x, 'attributes'), 'Map(String, String)')")
    origin = [
        pairs.format(f"tupleElement({text}, 'attributes')") for text in (CAST_RESOURCE, CAST_SCOPE)
    ]
    query.statement = (
        "SELECT DISTINCT hex(tupleElement(pair, 2)) FROM ("
        f"SELECT arrayJoin(arrayConcat({own}, arrayFlatten(arrayMap(x -> {nested}, events)), "
        f"arrayFlatten(arrayMap(x -> {nested}, links)))) AS pair "
        f"FROM lymer.spans WHERE {time} UNION ALL "
        f"SELECT arrayJoin(arrayConcat({', '.join(origin)})) AS pair FROM lymer.origins) "
        f"WHERE tupleElement(pair, 1) = {query.text(key.removeprefix(_RESOURCE_PREFIX))} "
        "AND substring(tupleElement(pair, 2), 1, 1) IN ('*', '2') FORMAT JSONCompactEachRow"
    )
    return query
