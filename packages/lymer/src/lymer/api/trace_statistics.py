"""Statistics of one trace by anything its spans have, as JSON columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import orjson

from lymer.analysis.forest import durations, offsets, self_times
from lymer.analysis.statistics import statistics_by
from lymer.errors import QuestionError
from lymer.model.columns import SpanColumns
from lymer.model.conventions import names_of
from lymer.model.question import SPAN_KINDS
from lymer.query.adjust.parents import find_parent_rows
from lymer.wire.jaeger_json import json_string

__all__ = ["GROUPINGS_MAX", "encode_statistics", "needs_attributes"]

GROUPINGS_MAX: Final = 3
"""Most levels of groups in one question."""

_NANO_MAX: Final = 2**63 - 1
_STATUSES: Final = ("unset", "ok", "error")
_FIELDS: Final[dict[str, Callable[[SpanColumns], list[str]]]] = {
    "service": lambda trace: trace.service,
    "name": lambda trace: trace.name,
    "kind": lambda trace: [SPAN_KINDS[kind] for kind in trace.kind],
    "status": lambda trace: [_STATUSES[status] for status in trace.status_code],
}


def needs_attributes(by: list[str]) -> bool:
    """Tell whether a grouping looks into attributes.

    Raises:
        QuestionError: There is no grouping, or there are too many.
    """
    if not 0 < len(by) <= GROUPINGS_MAX:
        raise QuestionError(
            f"cannot sum up: 1 to {GROUPINGS_MAX} parameters 'by' are allowed, {len(by)} were sent"
        )
    return any(one not in _FIELDS for one in by)


def encode_statistics(trace: SpanColumns, by: list[str]) -> bytes:
    """Return the groups of an adjusted trace; a value is null where spans have no such attribute.

    Args:
        trace: With tags if `needs_attributes`.
        by: `service`, `name`, `kind`, `status`, or the key of an attribute of span or resource,
            under any name that conventions gave it.
    """
    parent = find_parent_rows(trace)
    own = self_times(
        np.array(parent, dtype=np.int64),
        offsets(trace.start_unix_nano),
        durations(trace.duration_nano),
    ).tolist()
    keys = list(zip(*(_values(trace, one) for one in by), strict=True))
    groups, found = statistics_by(keys, trace.duration_nano, own)
    begin = min(trace.start_unix_nano)
    ends = zip(trace.start_unix_nano, trace.duration_nano, strict=True)
    return orjson.dumps(
        {
            "by": by,
            "spanCount": len(trace),
            "durationNano": min(max(start + length for start, length in ends) - begin, _NANO_MAX),
            "groups": groups,
            "count": found.count,
            "totalNano": found.total,
            "minNano": found.shortest,
            "maxNano": found.longest,
            "selfTotalNano": found.self_total,
            "selfMinNano": found.self_shortest,
            "selfMaxNano": found.self_longest,
        },
        option=orjson.OPT_PASSTHROUGH_DATETIME,
    )


def _values(trace: SpanColumns, by: str) -> list[str] | list[str | None]:
    if by in _FIELDS:
        return _FIELDS[by](trace)
    wanted = {f'{{"key":{json_string(name)},': name for name in names_of(by)}
    processes = [_first_value(text, wanted) for text in trace.process_json]
    values = []
    for tags, process in zip(trace.tags_json, trace.process, strict=True):
        own = _first_value(tags, wanted)
        values.append(processes[process] if own is None else own)
    return values


def _first_value(text: str, wanted: dict[str, str]) -> str | None:
    """Return the text of the first of some tags that is there."""
    for begin, key in wanted.items():
        value = _value(text, begin, key)
        if value is not None:
            return value
    return None


def _value(text: str, wanted: str, key: str) -> str | None:
    """Return the text of a tag; what does not hold the key is not decoded."""
    if wanted not in text:
        return None
    decoded = orjson.loads(text)
    tags = decoded["tags"] if isinstance(decoded, dict) else decoded
    for tag in tags:
        if tag["key"] == key:
            value = tag["value"]
            return value if isinstance(value, str) else orjson.dumps(value).decode()
    return None
