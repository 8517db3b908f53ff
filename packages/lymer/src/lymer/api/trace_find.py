"""What was found in one trace: ids as JSON, or the part of it that is around, as columns."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from lymer.api.trace_columns import encode_columns
from lymer.errors import QuestionError, TraceNotFoundError
from lymer.model.find_terms import FindTerms
from lymer.model.trace_arrays import FoundSpans, TraceArrays
from lymer.query.trace_find import LEVELS_MAX, found_rows, with_levels

__all__ = ["encode_found", "encode_part", "read_levels"]


def encode_found(found: FoundSpans) -> bytes:
    """Return the ids of the spans that match, by start, and how many spans were looked at."""
    ids = found.span_id.astype(">u8").tobytes().hex(" ", 8).split()
    return orjson.dumps({"spanIds": ids, "spanCount": found.count})


def encode_part(trace: TraceArrays, terms: FindTerms, levels: int) -> Iterator[bytes]:
    """Return the columns of what matches and of so many levels around it.

    Raises:
        TraceNotFoundError: Nothing matches.
    """
    found = found_rows(trace, terms)
    if not found.any():
        raise TraceNotFoundError("no span of the trace matches")
    return encode_columns(trace, with_levels(trace, found, levels))


def read_levels(text: str) -> int:
    """Return a number of levels.

    Raises:
        QuestionError: It is none, or over the limit.
    """
    if not (text.isascii() and text.isdigit()) or int(text[:9]) > LEVELS_MAX:
        raise QuestionError(
            f"cannot read levels: {text[:64]!r} is not a whole number from 0 to {LEVELS_MAX}"
        )
    return int(text)
