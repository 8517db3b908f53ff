"""A question as SQL and parameters, pure. Values are parameters, always.

A span's own conditions are one AND. A tag may be met in five places (span, event, link, resource,
scope). The catalog says first which of them can be: resources and scopes are few and enter the
search as sets, and most keys are never those of an event or a link. What is left has an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lymer.model.question import SPAN_KINDS, TraceQuestion
from lymer.storage.clickhouse.engine import Parameter
from lymer.storage.clickhouse.span_columns import CAST_RESOURCE, CAST_SCOPE
from lymer.storage.clickhouse.statements import NESTED_VALUES, statement
from lymer.wire.go_text import from_bool_text

__all__ = [
    "Places",
    "Query",
    "Tag",
    "meets_resource",
    "meets_scope",
    "select_catalog",
    "select_structured_values",
    "select_traces",
]

_STATUSES: Final = ("unset", "ok", "error")
"""The index is OTLP's `StatusCode`."""
_SHOWN_STATUSES: Final = ("", "OK", "ERROR")
"""How the tag `otel.status_code` writes them."""
_SHOWN_FIELDS: Final = {
    "otel.status_description": "status_message",
    "w3c.tracestate": "trace_state",
}
"""Tags in Jaeger's JSON that are columns here."""
_RESOURCE_PREFIX: Final = "resource."
_SCOPE_NAME: Final = frozenset({"scope.name", "otel.scope.name"})
_SCOPE_VERSION: Final = frozenset({"scope.version", "otel.scope.version"})
_NOT_OF_ATTRIBUTES: Final = frozenset({"span.kind", "span.status", "scope.name", "scope.version"})
"""Keys that ask for a field, not for an attribute."""


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
class Places:
    """Where a tag may be met, as the catalog knows it."""

    is_nested: bool = True
    """Whether some event or link has an attribute with the tag's key."""
    resources: tuple[int, ...] = ()
    """The resources that meet the tag, as `cityHash64` of their texts."""
    scopes: tuple[int, ...] = ()
    """The scopes that meet the tag, likewise."""


def select_catalog(question: TraceQuestion) -> Query:
    """Ask the catalog what it knows of a question, in one statement.

    Rows of (what, text, text, hash, hash): "operation" if service and operation were seen together;
    "nested" with a tag's key that events or links have; "origin" with resource and scope, and the
    hashes of both, for each pair whose text holds a tag's key, and so may meet it.
    """
    query = Query()
    seen = " AND ".join(
        f"{column} = {query.text(value)}"
        for column, value in (("service", question.service), ("name", question.operation))
        if value
    )
    parts = [
        (
            "SELECT {mark}, 'operation', '', '', toUInt64(0), toUInt64(0) FROM {db}.operations "
            f"WHERE {seen or '1'} LIMIT 1"
        )
    ]
    keys = sorted({key for key, _ in question.tags})
    if keys:
        names = ", ".join(query.text(key) for key in keys)
        parts.append(
            "SELECT {mark}, 'nested', key, '', 0, 0 "
            "FROM (SELECT DISTINCT arrayJoin(nested_keys) AS key "
            f"FROM {{db}}.origins) WHERE key IN ({names})"
        )
        texts = ", ".join(query.text(_origin_text(key)) for key in keys)
        parts.append(
            "SELECT DISTINCT {mark}, 'origin', resource, scope, "
            "cityHash64(resource), cityHash64(scope) "
            "FROM {db}.origins "
            f"WHERE multiSearchAny(resource, [{texts}]) OR multiSearchAny(scope, [{texts}])"
        )
    query.statement = " UNION ALL ".join(parts)
    return query


def _origin_text(key: str) -> str:
    """Return what the text of a resource or scope that meets a tag is sure to hold.

    A key with a character that the engine escapes says nothing, so it fits every text.
    """
    if key in _SCOPE_NAME | _SCOPE_VERSION:
        return ""
    plain = key.removeprefix(_RESOURCE_PREFIX)
    return plain if plain.isprintable() and not set(plain) & set("'\\") else ""


def select_traces(
    question: TraceQuestion,
    tags: Sequence[Tag],
    places: Sequence[Places],
    span_limit: int | None,
) -> Query:
    """Ask for the newest matching spans, or for the traces of all that match.

    Args:
        question: What to find.
        tags: The tags of the question.
        places: One per tag: where it may be met.
        span_limit: Look at so many matching spans, newest first; None means at all of them.

    Returns:
        A query whose rows are (trace id, start), newest first: one for each span with a
        `span_limit`, else one for each trace.
    """
    query = Query()
    where = "\n    AND ".join(_conditions(query, question, tags, places))
    if span_limit is None:
        query.statement = statement("find_all", where=where, limit=query.number(question.limit))
    else:
        limit = query.number(span_limit)
        query.statement = statement("find_newest", where=where, spans_max=limit)
    return query


def _conditions(
    query: Query, question: TraceQuestion, tags: Sequence[Tag], places: Sequence[Places]
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
        f"({' OR '.join(_alternatives(query, tag, place))})"
        for tag, place in zip(tags, places, strict=True)
    )
    return conditions


def _alternatives(query: Query, tag: Tag, places: Places) -> list[str]:
    """Return the alternatives under which one span meets one tag."""
    key, value = tag.key, tag.value
    if key == "span.kind":
        return [f"kind = {_index(SPAN_KINDS, value)}"]
    if key == "span.status":
        return [f"status = {_index(_STATUSES, value)}"]
    alternatives = []
    if not _is_only_of_origins(key):
        alternatives.append(f"({_indexed_pair(query, tag)})")
        if places.is_nested or key == "event":
            alternatives.append(f"({_nested(query, tag)})")
    if key.removeprefix(_RESOURCE_PREFIX) == "service.name":
        alternatives.append(f"service = {query.text(value)}")
    if key == "error":
        alternatives.extend(_status_condition(value))
    alternatives.extend(_field_condition(query, key, value))
    for column, hashes in (("resource", places.resources), ("scope", places.scopes)):
        if hashes:
            alternatives.append(f"cityHash64({column}) IN ({', '.join(map(str, hashes))})")
    return alternatives or ["0"]


def meets_resource(tag: Tag, attributes: Sequence[tuple[bytes, bytes]]) -> bool:
    """Tell whether a resource with these attributes (key, AnyValue) meets a tag."""
    if tag.key in _NOT_OF_ATTRIBUTES:
        return False
    key = tag.key.removeprefix(_RESOURCE_PREFIX).encode()
    return any(name == key and value in tag.meanings for name, value in attributes)


def meets_scope(
    tag: Tag, name: bytes, version: bytes, attributes: Sequence[tuple[bytes, bytes]]
) -> bool:
    """Tell whether a scope meets a tag."""
    if tag.key in _SCOPE_NAME | _SCOPE_VERSION:
        field_value = name if tag.key in _SCOPE_NAME else version
        is_shown = bool(field_value) or tag.key.startswith("scope.")
        if field_value == tag.value.encode() and is_shown:
            return True
    if tag.key in _NOT_OF_ATTRIBUTES or tag.key.startswith(_RESOURCE_PREFIX):
        return False
    key = tag.key.encode()
    return any(entry == key and value in tag.meanings for entry, value in attributes)


def _is_only_of_origins(key: str) -> bool:
    return key in {"scope.name", "scope.version"} or key.startswith(_RESOURCE_PREFIX)


def _status_condition(value: str) -> list[str]:
    """Return what `error=value` says of the status: true is ERROR, false OK, unset neither."""
    try:
        return ["status = 2" if from_bool_text(value) else "status = 1"]
    except ValueError:
        return []


def _field_condition(query: Query, key: str, value: str) -> list[str]:
    """Return what is asked of a field that Jaeger's JSON shows as a tag of this name."""
    if key == "otel.status_code":
        return [f"status = {_SHOWN_STATUSES.index(value)}"] if value in _SHOWN_STATUSES[1:] else []
    column = _SHOWN_FIELDS.get(key)
    return [f"{column} = {query.text(value)}"] if column and value else []


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

    Rows: the AnyValue, each once. A text such as `{"a":1}` has many encodings, so the stored
    ones are asked for and compared as texts; such questions are rare, and may be slow.
    """
    query = Query()
    query.statement = statement(
        "values_of_key",
        time=(
            f"start >= {query.number(max(question.start_unix_nano_min, 0))} "
            f"AND start <= {query.number(max(question.start_unix_nano_max, 0))}"
        ),
        resource=CAST_RESOURCE,
        scope=CAST_SCOPE,
        keys=query.text(key.removeprefix(_RESOURCE_PREFIX)),
        types="'*', '2'",
    )
    return query
