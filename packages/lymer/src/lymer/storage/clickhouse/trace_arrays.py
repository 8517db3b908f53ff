"""One trace as arrays: the engine packs rows of one size, and nothing is made for each span.

Names are hashes in the rows; one more statement says what the hashes mean. What is rare is asked
for only where a row says that it is there: warnings and attributes that become warnings, and which
spans are copies of another (docs/adr/033-traces-as-arrays.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lymer.model.find_terms import NOTHING, FindTerms
from lymer.model.question import SPAN_KINDS
from lymer.model.trace_arrays import TraceArrays, shares_ids
from lymer.storage.clickhouse.archive import from_archive
from lymer.storage.clickhouse.engine import Engine, Settings
from lymer.storage.clickhouse.find_select import find_condition
from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.span_columns import SPECIAL, select_spans
from lymer.wire.span_rows import COLUMNS, Origins, SpanRows, host_of, warnings_of

__all__ = ["read_trace_arrays"]

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
    groupUniqArray((cityHash64(name), name)), groupUniqArray((cityHash64(resource), resource))
FROM {db}.spans
WHERE {where}
"""
_Meanings = Iterable[tuple[int, bytes]]


def read_trace_arrays(
    engine: Engine,
    database: str,
    settings: Settings,
    trace_id: str,
    origins_of: Callable[[Iterable[bytes], Iterable[bytes]], Origins],
    terms: FindTerms = NOTHING,
) -> TraceArrays:
    """Return a trace, from the archive if it is nowhere else; see `SpanReader.get_trace_arrays`."""
    stored = _read(engine, database, settings, trace_id, origins_of, terms, str)
    if len(stored):
        return stored
    return _read(engine, database, settings, trace_id, origins_of, terms, from_archive)


def _read(
    engine: Engine,
    database: str,
    settings: Settings,
    trace_id: str,
    origins_of: Callable[[Iterable[bytes], Iterable[bytes]], Origins],
    terms: FindTerms,
    placed: Callable[[str], str],
) -> TraceArrays:
    query = Query()
    where = f"trace_id = {query.blob(bytes.fromhex(trace_id))}"

    def ask(statement: str, row: tuple[tuple[str, str], ...]) -> NDArray[np.void]:
        asked = placed(statement.replace("{where}", where))
        return engine.select_array(database, asked, row, query.parameters, settings)

    def ask_values(statement: str, width: int) -> list[list[Any]]:
        asked = placed(statement.replace("{where}", where))
        return engine.select(database, asked, width, query.parameters, settings)

    found = find_condition(query, terms, ask_values, origins_of) if terms.include else "0"
    select = _SELECT.replace("{found}", found)
    rows = ask(select, _ROW)
    needs_identity = bool(rows["is_special"].any()) or shares_ids(rows["span_id"])
    if needs_identity:
        with_identity = select.replace("\nFROM", f", {_IDENTITY}\nFROM")
        rows = ask(with_identity, (*_ROW, ("identity", "<u8")))
    if not len(rows):
        return TraceArrays()
    # Asked last: of spans that arrived in between, it knows more than is needed.
    ((services,), (names,), (resources,)) = ask_values(_MEANINGS, 3)
    rows = rows[np.lexsort((rows["span_id"], rows["start"]))]
    trace = _to_arrays(rows, trace_id, services, names)
    _set_hosts(trace, rows["resource"], resources, origins_of)
    if rows["is_special"].any():
        special = select_spans(f"{where} AND {SPECIAL}", COLUMNS, skeleton=True)
        special = special.replace(" FROM {db}", f", {_IDENTITY} FROM {{db}}", 1)
        columns = ask_values(special, len(COLUMNS) + 2)
        _set_warnings(trace, columns, origins_of)
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
    resources: _Meanings,
    origins_of: Callable[[Iterable[bytes], Iterable[bytes]], Origins],
) -> None:
    known = dict(resources)
    origins = origins_of(known.values(), ())
    found, places = np.unique(hashes, return_inverse=True)
    numbers = {"": 0}
    hosts = []
    for one in found.tolist():
        pairs = origins.resources[known[one]] if one in known else ()
        # The first of equal keys counts, as everywhere.
        values = {key.decode(errors="replace"): value for key, value in reversed(pairs)}
        hosts.append(numbers.setdefault(host_of(values), len(numbers)))
    trace.host = np.array(hosts, dtype="u4")[places]


def _set_warnings(
    trace: TraceArrays,
    columns: list[list[Any]],
    origins_of: Callable[[Iterable[bytes], Iterable[bytes]], Origins],
) -> None:
    """Give spans the warnings that came with them, or that come of their attributes."""
    rows = SpanRows(columns[:-1])
    texts = warnings_of(rows, origins_of(rows["resource"], rows["scope"]))
    by_identity = dict(zip(columns[-1], texts, strict=True))
    warned = [one for one, some in by_identity.items() if some]
    for row in np.flatnonzero(np.isin(trace.identity, np.array(warned, dtype="u8"))).tolist():
        trace.warnings[row] = [*by_identity[int(trace.identity[row])]]
