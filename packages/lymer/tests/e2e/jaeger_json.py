"""Jaeger's JSON, read back into a shape that is easy to compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Tag", "logs_of", "process_of", "references_of", "span_named", "tags_of"]

Tag = tuple[str, str, object]
"""Key, Jaeger's type, value. Compared with type, as 1, 1.0 and True are equal in Python."""


def _tags(fields: Iterable[Mapping[str, Any]]) -> list[Tag]:
    return [(field["key"], field["type"], Exact(field["value"])) for field in fields]


class Exact:
    """A value that equals another only if the types are the same too."""

    def __init__(self, value: object) -> None:
        """Keep the value."""
        self.value = value.value if isinstance(value, Exact) else value

    def __eq__(self, other: object) -> bool:
        """Compare type and value."""
        theirs = other.value if isinstance(other, Exact) else other
        return type(self.value) is type(theirs) and self.value == theirs

    def __hash__(self) -> int:
        """Agree with equality."""
        return hash((type(self.value), self.value))

    def __repr__(self) -> str:
        """Show the value alone, so that a failure reads well."""
        return repr(self.value)


def span_named(trace: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the one span of the trace with this operation name."""
    (span,) = (span for span in trace["spans"] if span["operationName"] == name)
    return dict(span)


def tags_of(span: Mapping[str, Any]) -> list[Tag]:
    """Return the span's tags in order."""
    return _tags(span["tags"])


def logs_of(span: Mapping[str, Any]) -> list[tuple[int, list[Tag]]]:
    """Return (microseconds, fields) of each log, in order."""
    return [(log["timestamp"], _tags(log["fields"])) for log in span["logs"]]


def references_of(span: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (type, trace id, span id) of each reference, in order."""
    return [(ref["refType"], ref["traceID"], ref["spanID"]) for ref in span["references"]]


def process_of(trace: Mapping[str, Any], span: Mapping[str, Any]) -> tuple[str, list[Tag]]:
    """Return the service name and the sorted tags of the process the span belongs to."""
    process = trace["processes"][span["processID"]]
    return process["serviceName"], sorted(_tags(process["tags"]), key=lambda tag: tag[0])
