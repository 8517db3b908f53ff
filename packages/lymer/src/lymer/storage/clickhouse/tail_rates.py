"""What a kept trace stands for, as tags of its root: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from lymer.model.columns import SpanColumns

__all__ = ["POLICY_TAG", "RATE_DIGITS", "RATE_TAG", "add_rates"]

POLICY_TAG: Final = "sampling.tail.policy"
"""Tag with the name of the policy that kept a trace by chance."""
RATE_TAG: Final = "sampling.tail.rate"
"""Tag with the chance that a trace like this is kept: it stands for 1 / rate of them."""


RATE_DIGITS: Final = 6
"""Digits of it behind the point that are shown."""


def add_rates(columns: SpanColumns, rates: Mapping[str, tuple[float, str]]) -> None:
    """Add the tags to the roots of the traces that have a rate; to its first span if it has none.

    Args:
        columns: Changed; spans of a trace are consecutive.
        rates: Trace id → (rate, policy).
    """
    if not rates:
        return
    with_root = {
        trace
        for trace, parent in zip(columns.trace_id, columns.parent_span_id, strict=True)
        if not parent
    }
    seen: set[str] = set()
    for row, (trace, parent) in enumerate(
        zip(columns.trace_id, columns.parent_span_id, strict=True)
    ):
        is_first = trace not in seen
        seen.add(trace)
        if trace in rates and (not parent or (is_first and trace not in with_root)):
            columns.tags_json[row] = _with_tags(columns.tags_json[row], *rates[trace])


def _with_tags(tags_json: str, rate: float, policy: str) -> str:
    added = orjson.dumps(
        [
            {"key": POLICY_TAG, "type": "string", "value": policy},
            {"key": RATE_TAG, "type": "float64", "value": round(rate, RATE_DIGITS)},
        ]
    ).decode()
    return added if tags_json == "[]" else f"{tags_json[:-1]},{added[1:]}"
