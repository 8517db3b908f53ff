"""What is shown as a tag, as SQL and parameters, pure. Values are parameters, always.

A tag may be met in five places (span, event, link, resource,
scope). The catalog says first which of them can be: resources and scopes are few and enter the
search as sets, and most keys are never those of an event or a link. What is left has an index.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from lymer.language import tree
from lymer.model.question import SPAN_KINDS, TraceQuestion
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.engine import Parameter
from lymer.storage.clickhouse.span_columns import CAST_RESOURCE, CAST_SCOPE
from lymer.storage.clickhouse.statements import NESTED_VALUES, statement
from lymer.storage.clickhouse.tail_rates import POLICY_TAG, RATE_DIGITS, RATE_TAG
from lymer.wire.go_text import from_bool_text

__all__ = [
    "Places",
    "Query",
    "Tag",
    "find_places",
    "is_any_of",
    "is_any_trace",
    "select_values",
    "shown_condition",
    "types_of_many_meanings",
]

_STATUSES: Final = ("unset", "ok", "error")
"""The index is OTLP's `StatusCode`."""
_LISTED_MAX: Final = 1_000
_RESOURCE_PREFIX: Final = "resource."
_PRESENT_FIELDS: Final = {
    "error": "status = 2",
    "otel.status_code": "status IN (1, 2)",
    "otel.status_description": "status_message != ''",
    "span.kind": "kind BETWEEN 1 AND 5",
    "w3c.tracestate": "trace_state != ''",
    "service.name": "1",
}
"""When a field is shown as a tag."""
_SHOWS_RATE: Final = statement("shows_rate")
_SCOPE_NAME: Final = frozenset({"scope.name", "otel.scope.name"})
_SCOPE_VERSION: Final = frozenset({"scope.version", "otel.scope.version"})


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
    resources: tuple[int, ...] | None = None
    """The resources that meet the tag, as `cityHash64` of their texts; None: ask the tables."""
    scopes: tuple[int, ...] | None = None
    """The scopes that meet the tag, likewise."""
    has_rates: bool = False
    """Whether traces that tail sampling kept by chance are shown with their rate and policy."""


def find_places(catalog: Catalog, tag: Tag) -> Places:
    """Ask the catalog where a tag may be met."""
    is_nested = tag.key == "event" or catalog.is_nested_key(tag.key.encode())
    if not catalog.holds_all_origins:
        return Places(is_nested)
    value = tag.value.encode()
    names = [value] if tag.key in _SCOPE_NAME and _is_shown(tag) else []
    versions = [value] if tag.key in _SCOPE_VERSION and _is_shown(tag) else []
    keys = [key.encode() for key in _resource_keys(tag.key)]
    return Places(
        is_nested,
        tuple(sorted(catalog.resources((key, one) for key in keys for one in tag.meanings))),
        tuple(
            sorted(
                catalog.scopes([(tag.key.encode(), one) for one in tag.meanings], names, versions)
            )
        ),
    )


def _is_shown(tag: Tag) -> bool:
    """Tell whether a field with this value is a tag: empty ones are not shown as `otel.…`."""
    return bool(tag.value) or tag.key.startswith("scope.")


def _resource_keys(key: str) -> list[str]:
    """Return the keys a resource may have the attribute under; its service is a column."""
    keys = dict.fromkeys((key, key.removeprefix(_RESOURCE_PREFIX)))
    return [one for one in keys if one != "service.name"]


def shown_condition(
    query: Query, node: tree.Shown, tags: Sequence[Tag], places: Sequence[Places]
) -> str:
    """Return the condition that a span shows what is asked for.

    Args:
        query: Gets the parameters.
        node: What is asked for.
        tags: The same under each name it may have; none if any value will do.
        places: One per tag: where it may be met.
    """
    if node.value is None:
        return _is_present(query, node.key)
    alternatives = [
        one
        for tag, place in zip(tags, places, strict=True)
        for one in _alternatives(query, tag, place)
    ]
    return f"({' OR '.join(alternatives)})"


def _alternatives(query: Query, tag: Tag, places: Places) -> list[str]:
    """Return the alternatives under which one span meets one tag.

    Whatever is shown as a tag, a process tag or a log field is found, so a key that stands for a
    field (`span.kind`) can be an attribute's, too.
    """
    alternatives = [f"({_indexed_pair(query, tag)})", *_fields(query, tag)]
    if places.has_rates and tag.key in {POLICY_TAG, RATE_TAG}:
        alternatives.append(_sampled(query, tag))
    if places.is_nested:
        alternatives.append(f"({_nested(query, tag)})")
    for column, hashes in (("resource", places.resources), ("scope", places.scopes)):
        if hashes is None:
            alternatives.append(_unknown_origin(query, tag, column))
        elif hashes:
            alternatives.append(is_any_of(query, f"cityHash64({column})", hashes))
    return alternatives


def _is_present(query: Query, text: str) -> str:
    """Return the condition that there is a tag with this key, or an event with this name."""
    key = query.text(text)
    origins = [
        f"{column} IN (SELECT {column} FROM {{db}}.origins "
        f"WHERE mapContains(tupleElement({cast}, 'attributes'), {key}))"
        for column, cast in (("resource", CAST_RESOURCE), ("scope", CAST_SCOPE))
    ]
    alternatives = [
        f"mapContains(attrs, {key})",
        f"arrayExists(e -> e.name = {key} OR mapContains(e.attributes, {key}), events)",
        f"arrayExists(l -> mapContains(l.attributes, {key}), links)",
        *origins,
    ]
    if text in _PRESENT_FIELDS:
        alternatives.append(_PRESENT_FIELDS[text])
    return f"({' OR '.join(alternatives)})"


def _fields(query: Query, tag: Tag) -> list[str]:
    """Return what the tag says of fields that are shown as tags, or that Jaeger has keys for."""
    key, value = tag.key, tag.value
    if key == "span.kind":
        return [_is_number("kind", SPAN_KINDS, value.lower())]
    if key == "span.status":
        return [_is_number("status", _STATUSES, value.lower())]
    if key == "otel.status_code" and value in {"OK", "ERROR"}:
        return [_is_number("status", _STATUSES, value.lower())]
    if key == "error":
        return _status_condition(value)
    if key == "otel.status_description" and value:
        return [f"status_message = {query.text(value)}"]
    if key == "w3c.tracestate" and value:
        return [f"trace_state = {query.text(value)}"]
    if key.removeprefix(_RESOURCE_PREFIX) == "service.name":
        return [f"service = {query.text(value)}"]
    return []


def _is_number(column: str, names: Sequence[str], name: str) -> str:
    """Return the condition that a column has the number of a name; other numbers are the first."""
    if name not in names:
        return "0"
    number = names.index(name)
    return f"{column} = {number}" if number else f"{column} NOT BETWEEN 1 AND {len(names) - 1}"


def _sampled(query: Query, tag: Tag) -> str:
    """Return the condition on how a trace was kept: its roots show it, as `tail_rates` has it."""
    value = query.text(tag.value)
    meant = f"policy = {value}" if tag.key == POLICY_TAG else (
        f"round(toFloat64(rate), {RATE_DIGITS}) = toFloat64OrNull({value})"
    )  # fmt: skip
    return f"(trace_id IN ({statement('sampled_traces', meant=meant)}) AND {_SHOWS_RATE})"


def _unknown_origin(query: Query, tag: Tag, column: str) -> str:
    """Return the condition on a resource or scope when there are too many to hold in memory."""
    conditions = []
    meanings = query.blobs(tag.meanings)
    if column == "resource":
        said = f"tupleElement({CAST_RESOURCE}, 'attributes')"
        keys = _resource_keys(tag.key)
    else:
        said = f"tupleElement({CAST_SCOPE}, 'attributes')"
        keys = [tag.key]
        for field_name, known in (("name", _SCOPE_NAME), ("version", _SCOPE_VERSION)):
            if tag.key in known and _is_shown(tag):
                conditions.append(
                    f"tupleElement({CAST_SCOPE}, '{field_name}') = {query.text(tag.value)}"
                )
    conditions += [
        f"has({meanings}, {said}[{query.text(key)}]) AND mapContains({said}, {query.text(key)})"
        for key in keys
    ]
    return (
        f"{column} IN (SELECT {column} FROM {{db}}.origins WHERE {' OR '.join(conditions) or '0'})"
    )


def _status_condition(value: str) -> list[str]:
    """Return what `error=value` says of the status: true is ERROR, false every other.

    Source: Jaeger after v2.20, `internal/storage/v2/memory/tenant.go`, where false was OK alone.
    """
    try:
        return ["status = 2" if from_bool_text(value) else "status != 2"]
    except ValueError:
        return []


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


def types_of_many_meanings(text: str) -> str:
    """Return which types of values have too many encodings of this text to name them all.

    A list in SQL of tag bytes: arrays and key-value lists, not-a-numbers; empty if there is none.
    """
    if text[:1] in {"[", "{"}:
        return "'*', '2'"
    if text == "NaN":
        return "'!'"
    return ""


def select_values(question: TraceQuestion, key: str, types: str) -> Query:
    """Ask which values of some types stand under `key`, anywhere, in the question's range.

    Rows: the AnyValue, each once. Such questions are rare, and may be slow.
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
        keys=f"{query.text(key)}, {query.text(key.removeprefix(_RESOURCE_PREFIX))}",
        types=types,
    )
    return query


def is_any_of(query: Query, column: str, numbers: Collection[int]) -> str:
    """Return the condition that a column is one of some numbers, of which there is at least one.

    Many of them are a parameter: the engine reads statements of 256 KiB at most.
    """
    listed = ", ".join(map(str, numbers))
    if len(numbers) > _LISTED_MAX:
        texts = f"splitByString(', ', {query.text(listed)})"
        listed = f"SELECT toUInt64(arrayJoin({texts}))"
    return f"{column} IN ({listed})"


def is_any_trace(query: Query, trace_ids: Sequence[str]) -> str:
    """Return the condition that a span is of some traces, 32 hex digits each."""
    blobs = [query.blob(bytes.fromhex(trace_id)) for trace_id in trace_ids]
    if len(blobs) == 1:
        return f"trace_id = {blobs[0]}"
    return f"trace_id IN ({', '.join(blobs)})"
