"""Tables of spans written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lymer.analysis.span_frame import Attributes, SpanFrame, SpanTable

__all__ = ["SpanLine", "frame_of", "table_of"]


@dataclass(frozen=True, slots=True)
class SpanLine:
    """One span; times are nanoseconds."""

    span_id: int
    parent_id: int = 0
    start: int = 0
    duration: int = 10
    service: str = "shop"
    name: str = "get"
    kind: int = 2
    trace: int = 0
    is_error: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)


def table_of(lines: Sequence[SpanLine]) -> SpanTable:
    """Return the spans as a table."""
    operations = list(dict.fromkeys((one.service, one.name) for one in lines))
    names: dict[tuple[str, str, str], int] = {}
    pairs = [
        (row, names.setdefault((scope, key, value), len(names)))
        for row, one in enumerate(lines)
        for scope, values in (("span", one.attributes), ("resource", one.resource))
        for key, value in values.items()
    ]

    def column(field_name: str) -> np.ndarray:
        return np.array([getattr(one, field_name) for one in lines], dtype=np.int64)

    return SpanTable(
        trace=column("trace"),
        span_id=column("span_id").astype(np.uint64),
        parent_id=column("parent_id").astype(np.uint64),
        start=column("start"),
        duration=column("duration"),
        kind=column("kind"),
        is_error=column("is_error").astype(bool),
        operation=np.array(
            [operations.index((one.service, one.name)) for one in lines], dtype=np.int64
        ),
        operations=operations,
        attributes=Attributes(
            np.array([row for row, _ in pairs], dtype=np.int64),
            np.array([code for _, code in pairs], dtype=np.int64),
            list(names),
        ),
    )


def frame_of(*lines: SpanLine) -> SpanFrame:
    """Return the frame of some spans."""
    return SpanFrame.of(table_of(lines))
