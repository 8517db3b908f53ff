"""One trace as arrays: the engine packs rows of one size, and nothing is made for each span.

Names are hashes in the rows; one more statement says what the hashes mean. What is rare is asked
for only where it is there: warnings and attributes that become warnings, and, if two spans share an
id, which are copies of another (docs/adr/033-traces-as-arrays.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lymer.model.find_terms import NOTHING, FindTerms, has_id
from lymer.model.question import SPAN_KINDS
from lymer.model.trace_arrays import FoundSpans, TraceArrays, shares_ids
from lymer.storage.clickhouse.archive import from_archive
from lymer.storage.clickhouse.engine import Engine, Settings
from lymer.storage.clickhouse.find_select import find_condition, find_named
from lymer.storage.clickhouse.origins import KnownOrigins
from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.span_columns import SPECIAL, select_spans
from lymer.wire.span_rows import COLUMNS, IDENTITY_COLUMNS, Origins, SpanRows, host_of, warnings_of

__all__ = ["TraceStatements", "read_found_spans", "read_trace_arrays"]

_ROW: Final = (
    ("span_id", ">u8"),
    ("parent_id", ">u8"),
    ("start", "<u8"),
    ("duration", "<i8"),
    ("kind", "<i4"),
    ("status", "<i4"),
    ("service", "<u8"),
    ("name", "<u8"),
    ("resource", "<u8"),
    ("events", "<u4"),
    ("links", "<u4"),
    ("empty_links", "<u4"),
    ("is_special", "u1"),
    ("found", "u1"),
)
_NO_TRACE: Final = (
    "replaceAll(substring(concat(repeat('\\0', 16), link), -16), '\\0', '') = ''"  # 16 zeros
)
_SELECT: Final = f"""
SELECT {{mark}}, span_id, parent_span_id, start, duration, kind, status, cityHash64(service),
    cityHash64(name), cityHash64(resource), toUInt32(length(events)), toUInt32(length(links)),
    toUInt32(arrayCount(link -> {_NO_TRACE}, links.trace_id)), toUInt8({SPECIAL}),
    toUInt8({{found}})
FROM {{db}}.spans
WHERE {{where}}
"""
_IDENTITY: Final = f"sipHash64({', '.join(COLUMNS)})"
_MEANINGS: Final = """
SELECT {mark}, groupUniqArray((cityHash64(service), service)),
    groupUniqArray((cityHash64(name), name))
FROM {db}.spans
WHERE {where}
"""
_SPAN_NUMBER: Final = "reinterpretAsUInt64(reverse(span_id))"
_WARNING_COLUMNS: Final = tuple(
    name for name in COLUMNS if name not in IDENTITY_COLUMNS | {"links", "events"}
)
"""What says why a span has a warning, and some more that costs nothing."""
_FOUND_ROW: Final = (("span_id", ">u8"), ("start", "<u8"), ("found", "u1"))
_FIND: Final = """
SELECT {mark}, span_id, start, toUInt8({found})
FROM {db}.spans
WHERE {where}
"""
_OriginsOf = Callable[[Iterable[int], Iterable[int]], Origins]
_Meanings = Iterable[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class TraceStatements:
    """Statements about one trace, `{where}` in them."""

    engine: Engine
    database: str
    settings: Settings
    trace_id: str
    """32 hex digits."""
    known_origins: KnownOrigins
    """Reads what resources and scopes say."""
    is_archived: bool = False
    """Ask about what the archive keeps of it."""
    query: Query = field(default_factory=Query)
    """Has the parameters of all of them."""

    def array(self, statement: str, row: tuple[tuple[str, str], ...]) -> NDArray[np.void]:
        """Return rows of one size."""
        text, parameters = self._placed(statement), self.query.parameters
        return self.engine.select_array(self.database, text, row, parameters, self.settings)

    def values(self, statement: str, width: int) -> list[list[Any]]:
        """Return columns."""
        text, parameters = self._placed(statement), self.query.parameters
        return self.engine.select(self.database, text, width, parameters, self.settings)

    def origins_of(self, resources: Iterable[int], scopes: Iterable[int]) -> Origins:
        """Return what its resources and scopes say."""
        where, parameters = self.where, self.query.parameters
        return self.known_origins.of(resources, scopes, where, parameters)

    def found(self, terms: FindTerms) -> str:
        """Return the condition on spans of which an attribute matches."""
        if not terms.include:
            return "0"
        return find_condition(self.query, terms, self.values, self.origins_of)

    def of_the_archive(self) -> TraceStatements:
        """Return the same about what the archive keeps."""
        return replace(self, is_archived=True, query=Query())

    def _placed(self, statement: str) -> str:
        text = statement.replace("{where}", self.where)
        return from_archive(text) if self.is_archived else text

    @property
    def where(self) -> str:
        """The condition on its spans."""
        parameters = self.query.parameters
        parameters.setdefault("trace", self.trace_id)
        return "trace_id = unhex({trace:String})"


def read_trace_arrays(asking: TraceStatements, terms: FindTerms = NOTHING) -> TraceArrays:
    """Return a trace, from the archive if it is nowhere else; see `SpanReader.get_trace_arrays`."""
    stored = _read(asking, terms)
    return stored if len(stored) else _read(asking.of_the_archive(), terms)


def read_found_spans(asking: TraceStatements, terms: FindTerms) -> FoundSpans:
    """Return where something occurs; see `SpanReader.find_in_trace`.

    Nothing else of the trace is read (docs/adr/055-find-reads-what-it-looks-at.md).
    """
    stored = _find(asking, terms)
    return stored if stored.count else _find(asking.of_the_archive(), terms)


def _find(asking: TraceStatements, terms: FindTerms) -> FoundSpans:
    found = find_named(asking.query, terms, asking.found(terms))
    rows = asking.array(_FIND.replace("{found}", found), _FOUND_ROW)
    hits = rows[(rows["found"] != 0) | has_id(rows["span_id"], terms)]
    hits = hits[np.lexsort((hits["span_id"], hits["start"]))]
    return FoundSpans(hits["span_id"].astype("u8"), len(rows), shares_ids(rows["span_id"]))


def _read(asking: TraceStatements, terms: FindTerms) -> TraceArrays:
    select = _SELECT.replace("{found}", asking.found(terms))
    rows = asking.array(select, _ROW)
    shared = shares_ids(rows["span_id"])
    if shared:
        with_identity = select.replace("\nFROM", f", {_IDENTITY}\nFROM")
        rows = asking.array(with_identity, (*_ROW, ("identity", "<u8")))
    if not len(rows):
        return TraceArrays()
    # Asked last: of spans that arrived in between, it knows more than is needed.
    ((services,), (names,)) = asking.values(_MEANINGS, 2)
    rows = rows[np.lexsort((rows["span_id"], rows["start"]))]
    trace = _to_arrays(rows, asking.trace_id, services, names)
    _set_hosts(trace, rows["resource"], asking.origins_of)
    if rows["is_special"].any():
        key = _IDENTITY if shared else _SPAN_NUMBER
        special = select_spans("{where}", _WARNING_COLUMNS, skeleton=True, special=True)
        special = special.replace(" FROM {db}", f", {key} FROM {{db}}", 1)
        columns = asking.values(special, len(_WARNING_COLUMNS) + 1)
        keys = trace.identity if shared else trace.span_id
        _set_warnings(trace, columns, asking.origins_of, keys)
    return trace


def _to_arrays(
    rows: NDArray[np.void], trace_id: str, services: _Meanings, names: _Meanings
) -> TraceArrays:
    kind, status = rows["kind"], rows["status"]
    service, service_names = _placed(rows["service"], services)
    name, span_names = _placed(rows["name"], names)
    fields = rows.dtype.names or ()
    identity = rows["identity"] if "identity" in fields else np.zeros(len(rows), dtype="u8")
    return TraceArrays(
        trace_id=trace_id,
        span_id=rows["span_id"].astype("u8"),
        parent_id=rows["parent_id"].astype("u8"),
        service=service,
        name=name,
        kind=np.where((kind >= 0) & (kind < len(SPAN_KINDS)), kind, 0).astype("u1"),
        status=np.where((status >= 0) & (status <= 2), status, 0).astype("u1"),
        start=rows["start"].copy(),
        duration=rows["duration"].copy(),
        events=rows["events"].copy(),
        links=rows["links"].copy(),
        empty_links=rows["empty_links"].copy(),
        identity=identity.copy(),
        found=rows["found"].copy(),
        services=service_names,
        names=span_names,
    )


def _placed(hashes: NDArray[np.uint64], meanings: _Meanings) -> tuple[NDArray[Any], list[str]]:
    """Return places of texts in a list, and the list, in the order in which they are met."""
    found, first, places = np.unique(hashes, return_index=True, return_inverse=True)
    by_first = np.argsort(first)
    known = dict(meanings)
    texts = [known.get(one, b"").decode(errors="replace") for one in found[by_first].tolist()]
    return np.argsort(by_first)[places].astype("u4"), texts


def _set_hosts(
    trace: TraceArrays,
    hashes: NDArray[np.uint64],
    origins_of: _OriginsOf,
) -> None:
    found, places = np.unique(hashes, return_inverse=True)
    origins = origins_of(found.tolist(), ())
    numbers = {"": 0}
    hosts = []
    for one in found.tolist():
        pairs = origins.resources[one]
        # The first of equal keys counts, as everywhere.
        values = {key.decode(errors="replace"): value for key, value in reversed(pairs)}
        hosts.append(numbers.setdefault(host_of(values), len(numbers)))
    trace.host = np.array(hosts, dtype="u4")[places]


def _set_warnings(
    trace: TraceArrays,
    columns: list[list[Any]],
    origins_of: _OriginsOf,
    keys: NDArray[np.uint64],
) -> None:
    """Give spans the warnings that came with them, or that come of their attributes.

    `keys` tells which row is meant by the last column.
    """
    rows = SpanRows(columns[:-1], _WARNING_COLUMNS)
    texts = warnings_of(rows, origins_of(rows["resource"], rows["scope"]))
    by_key = dict(zip(columns[-1], texts, strict=True))
    warned = [one for one, some in by_key.items() if some]
    for row in np.flatnonzero(np.isin(keys, np.array(warned, dtype="u8"))).tolist():
        trace.warnings[row] = [*by_key[int(keys[row])]]
