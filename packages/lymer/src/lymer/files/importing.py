"""Spans of files into a store, each once: what the store has already is left out.

A span is known by its ids, times, kind and name. The store is asked for the traces that a piece
belongs to, so the same file twice, an import that was interrupted, and files that overlap add
nothing twice. What was sent a moment ago may not be stored yet, so it is remembered here; what
another run sent, or a request nobody answered, is waited for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lymer.wire.otlp_proto import CheckedRequest
from lymer.wire.otlp_split import split_request

__all__ = ["Importer", "Outcome", "UnansweredError"]

REQUEST_SPANS_MAX: Final = 5_000
REQUEST_BYTES_MAX: Final = 4 * 2**20
TRACES_PER_LOOK_MAX: Final = 1_000
"""Traces that are asked for at once."""
KNOWN_SPANS_MAX: Final = 1_000_000
"""Spans remembered, about 100 bytes each; the traces not met for longest go first."""


class UnansweredError(Exception):
    """Nobody said what became of a request: it may be durable."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of spans."""

    added: int
    known: int
    """Left out, for the store has them."""
    refused: int = 0
    """Refused by the store."""


class Importer:
    """Takes requests in any order. Used by one thread."""

    def __init__(
        self,
        read_traces: Callable[[Sequence[str]], bytes],
        send: Callable[[CheckedRequest], int],
        wait_for_store: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare.

        Args:
            read_traces: Returns what is stored of traces, given their ids of 32 hex digits, as
                `TracesData`.
            send: Makes spans durable; returns how many were refused, or raises `UnansweredError`.
            wait_for_store: Returns when all that was durable before is stored.
        """
        self._read_traces = read_traces
        self._send = send
        self._wait_for_store = wait_for_store
        self._known: OrderedDict[bytes, set[int]] = OrderedDict()
        self._known_spans = 0
        self._waiting: list[bytes] = []
        self._waiting_spans = self._waiting_bytes = 0

    def checker(self) -> Importer:
        """Return who counts as refused what the store has not, and sends nothing."""
        return Importer(self._read_traces, lambda request: request.span_count)

    def add(self, sent: CheckedRequest) -> Outcome:
        """Take what is new of a request; it may wait until there is more, or for `finish`."""
        self._waiting.append(sent.body)
        self._waiting_spans += sent.span_count
        self._waiting_bytes += len(sent.body)
        if self._waiting_spans < REQUEST_SPANS_MAX and self._waiting_bytes < REQUEST_BYTES_MAX:
            return Outcome(0, 0)
        return self.finish()

    def finish(self) -> Outcome:
        """Add what waits. Requests one behind the other are one request."""
        body = b"".join(self._waiting)
        self._waiting, self._waiting_spans, self._waiting_bytes = [], 0, 0
        added = known = refused = 0
        for piece, count in split_request(
            body, spans_max=REQUEST_SPANS_MAX, bytes_max=REQUEST_BYTES_MAX
        ):
            request = ExportTraceServiceRequest.FromString(piece)
            new = self._without_known(request)
            known += count - new
            if new:
                sent = request.SerializeToString() if new < count else piece
                refused += self._sent(CheckedRequest(sent, new))
                added += new
        return Outcome(added - refused, known, refused)

    def _sent(self, request: CheckedRequest) -> int:
        """Send until somebody answers, what is not stored by then; return how many are refused."""
        while True:
            try:
                return self._send(request)
            except UnansweredError:
                self._wait_for_store()
            left = ExportTraceServiceRequest.FromString(request.body)
            for trace_id in {span.trace_id for spans in _lists(left) for span in spans}:
                self._known_spans -= len(self._known.pop(trace_id.rjust(16, b"\0"), ()))
            new = self._without_known(left)
            if not new:
                return 0
            request = CheckedRequest(left.SerializeToString(), new)

    def _without_known(self, request: Any) -> int:
        """Take out of a request what is known, know the rest, and return how many that are."""
        ids = {span.trace_id.rjust(16, b"\0") for spans in _lists(request) for span in spans}
        self._look(ids)
        new = 0
        for spans in _lists(request):
            kept = []
            for span in spans:
                known = self._known[span.trace_id.rjust(16, b"\0")]
                identity = _identity(span)
                if identity not in known:
                    known.add(identity)
                    kept.append(span)
            new += len(kept)
            if len(kept) < len(spans):
                copies = [type(span).FromString(span.SerializeToString()) for span in kept]
                del spans[:]
                spans.extend(copies)
        self._known_spans += new
        self._forget(ids)
        return new

    def _look(self, ids: set[bytes]) -> None:
        for one in ids & self._known.keys():
            self._known.move_to_end(one)
        unknown = sorted(ids - self._known.keys())
        for one in unknown:
            self._known[one] = set()
        for first in range(0, len(unknown), TRACES_PER_LOOK_MAX):
            some = [one.hex() for one in unknown[first : first + TRACES_PER_LOOK_MAX]]
            stored = TracesData.FromString(self._read_traces(some))
            for spans in _lists(stored):
                for span in spans:
                    known = self._known.get(span.trace_id)
                    if known is not None:
                        before = len(known)
                        known.add(_identity(span))
                        self._known_spans += len(known) - before

    def _forget(self, needed: set[bytes]) -> None:
        while self._known_spans > KNOWN_SPANS_MAX and len(self._known) > len(needed):
            _, spans = self._known.popitem(last=False)
            self._known_spans -= len(spans)


def _lists(message: Any) -> Iterator[Any]:
    for resource_spans in message.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            yield scope_spans.spans


def _identity(span: Any) -> int:
    """Return what tells a span from others of its trace, as the store keeps it."""
    start = span.start_time_unix_nano
    return hash(
        (
            span.span_id.rjust(8, b"\0"),
            start,
            max(span.end_time_unix_nano, start),
            span.kind,
            span.name,
        )
    )
