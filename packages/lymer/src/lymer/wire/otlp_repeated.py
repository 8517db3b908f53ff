"""What an answer repeats for each span that a trace has once: a format without resources must."""

from __future__ import annotations

from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lymer.errors import TooLargeError

__all__ = ["REPEATED_BYTES_MAX", "check_repeated"]

REPEATED_BYTES_MAX: Final = 64 * 2**20
"""Resource and scope of each span, all spans of an answer together."""


def check_repeated(traces: TracesData, *, with_resources: bool = True) -> None:
    """Refuse what would be far larger as an answer than it is as a trace.

    Args:
        traces: What is to be written.
        with_resources: Not only scopes stand on each span, but resources, too.

    Raises:
        TooLargeError: It would be; the message says what to read instead.
    """
    size = 0
    for resource_spans in traces.resource_spans:
        shared = resource_spans.resource.ByteSize() if with_resources else 0
        size += sum(
            (shared + scope_spans.scope.ByteSize()) * len(scope_spans.spans)
            for scope_spans in resource_spans.scope_spans
        )
    if size > REPEATED_BYTES_MAX:
        raise TooLargeError(
            f"cannot answer: this format repeats resource and scope for each span, here {size} "
            f"bytes, the limit is {REPEATED_BYTES_MAX}: read the trace as OTLP "
            "(GET /api/v3/traces/{trace_id})"
        )
