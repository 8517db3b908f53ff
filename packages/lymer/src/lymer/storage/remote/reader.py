"""A store that is asked over gRPC; the process that owns it answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import grpc

from lymer import errors
from lymer.errors import LymerError, OverloadedError, StorageAwayError, StorageError, TooLargeError
from lymer.model.columns import SpanColumns
from lymer.model.find_terms import NOTHING, FindTerms
from lymer.model.graph import GraphEdge
from lymer.model.minute_counts import MinuteCounts
from lymer.model.question import (
    DependencyLink,
    FoundTrace,
    Operation,
    OperationRed,
    RedSlot,
    TraceQuestion,
    TraceSummary,
)
from lymer.model.span_table import SpanSample, SpanTable
from lymer.model.trace_arrays import FoundSpans, TraceArrays
from lymer.storage.caller import CALLER, stoppable
from lymer.storage.contract import SpanRange
from lymer.storage.remote.codec import CHUNK_BYTES, METHODS, SERVICE, encode_arguments
from lymer.storage.search_contract import (
    FieldName,
    FieldQuestion,
    FieldValue,
    FoundSeries,
    FoundSpansets,
    SeriesQuestion,
    SpansetQuestion,
)
from lymer.tenancy import DEFAULT_TENANT, tenant_code
from lymer.transport.tls_client import ClientTls

__all__ = [
    "ANSWER_BYTES_MAX",
    "CHECK",
    "ERROR_KEY",
    "NOTES_KEY",
    "TENANT_KEY",
    "RemoteReader",
    "RemoteStore",
]

ANSWER_BYTES_MAX: Final = 2**31
"""Bytes of one answer that are read, 2 GiB: above what `ANSWER_SPANS_MAX` spans are."""

ERROR_KEY: Final = "lymer-error"
"""Trailing metadata that names the class of `errors.py` an answer failed with."""

NOTES_KEY: Final = "lymer-notes-bin"
"""Trailing metadata with what an answer says of itself: `Caller.notes`."""

TENANT_KEY: Final = "lymer-tenant"
"""Metadata with the code of the tenant whose spans are meant; without it, the default tenant's."""

CHECK: Final = "Check"
"""A call without question or answer: fails if the store is not likely to answer now."""

_CHECK_SECONDS_MAX: Final = 3.0
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", CHUNK_BYTES + 65_536),
    ("grpc.max_send_message_length", -1),
    # The store's process restarts in seconds; gRPC would wait two minutes before it looks again.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)
_RAISED: Final = {
    name: found
    for name in errors.__all__
    if isinstance(found := getattr(errors, name), type) and issubclass(found, LymerError)
}


class RemoteStore:
    """See `TenantReaders`; a failure of the connection is a `StorageAwayError`."""

    def __init__(
        self,
        target: str,
        *,
        call_seconds_max: float,
        tls: ClientTls | None = None,
        metadata: Callable[[], Sequence[tuple[str, str]]] = tuple,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> None:
        """Prepare; a connection is made when there is a question.

        Args:
            target: `host:port`, or any name gRPC resolves.
            call_seconds_max: Deadline of one question, seconds.
            tls: None is plain text.
            metadata: Asked for before every question, and sent with it.
            answer_bytes_max: A larger answer is refused while it comes in.
        """
        self._target = target
        self._seconds_max = call_seconds_max
        self._metadata = metadata
        self._answer_bytes_max = answer_bytes_max
        self._tls = tls
        self._lock = threading.Lock()
        self._generation = 0
        self._channel = self._dial()

    def for_tenant(self, tenant: str, /) -> RemoteReader:
        """See `TenantReaders.for_tenant`."""
        return RemoteReader(self, tenant)

    def check(self) -> None:
        """Return if the store is likely to answer now; raise `StorageError` if not."""
        self._read(CHECK, b"", _CHECK_SECONDS_MAX)

    def close(self) -> None:
        """Close the connection; idempotent."""
        self._channel.close()

    def ask(self, name: str, body: bytes, tenant: str) -> bytes:
        """Return the answer to one question about `tenant`, encoded as it came."""
        named = () if tenant == DEFAULT_TENANT else ((TENANT_KEY, tenant_code(tenant)),)
        return self._read(name, body, self._seconds_max, named)

    def _read(
        self,
        name: str,
        body: bytes,
        seconds_max: float,
        named: tuple[tuple[str, str], ...] = (),
    ) -> bytes:
        call = self._current_channel().unary_stream(
            f"/{SERVICE}/{name}", request_serializer=None, response_deserializer=None
        )
        try:
            metadata = (*self._metadata(), *named)
            answer = call(body, timeout=seconds_max, metadata=metadata)
            with stoppable(answer.cancel):
                joined = self._joined(answer)
                _pass_on(answer.trailing_metadata())
                return joined
        except grpc.RpcError as error:
            raise self._raised(error) from error

    def _dial(self) -> grpc.Channel:
        if self._tls is None:
            return grpc.insecure_channel(self._target, options=_OPTIONS)
        self._generation = self._tls.generation
        options = [*_OPTIONS, *self._tls.grpc_options()]
        return grpc.secure_channel(self._target, self._tls.grpc_credentials(), options=options)

    def _current_channel(self) -> grpc.Channel:
        """Return the channel; a new one if files of TLS have changed."""
        with self._lock:
            if self._tls is not None and self._tls.generation != self._generation:
                old, self._channel = self._channel, self._dial()
                timer = threading.Timer(self._seconds_max, old.close)  # its calls may end
                timer.daemon = True
                timer.start()
            return self._channel

    def _joined(self, chunks: Iterable[bytes]) -> bytes:
        parts: list[bytes] = []
        size = 0
        for chunk in chunks:
            size += len(chunk)
            if size > self._answer_bytes_max:
                raise TooLargeError(
                    f"cannot answer: the store's answer has more than {self._answer_bytes_max} "
                    "bytes, ask for fewer traces"
                )
            parts.append(chunk)
        return b"".join(parts)

    def _raised(self, error: Any) -> LymerError:
        """Return what the store raised, or what became of the connection."""
        code, said = error.code(), error.details() or ""
        trailers = dict(error.trailing_metadata() or ())
        raised = _RAISED.get(str(trailers.get(ERROR_KEY, "")))
        if raised is errors.QuestionTextError:
            return errors.QuestionError(said)  # the place is in its words
        if raised is not None:
            return raised(said)
        if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
            return StorageAwayError(f"cannot reach the store at {self._target}: {said}")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return OverloadedError(
                f"cannot answer: the store at {self._target} took more than {self._seconds_max:g} s"
            )
        name = code.name if code is not None else "no status"
        return StorageError(f"cannot ask the store at {self._target}: {name}: {said}")


def _pass_on(trailers: Any) -> None:
    """Let the answer that is being made say what the store's said of itself."""
    notes = dict(trailers or ()).get(NOTES_KEY)
    caller = CALLER.get()
    if notes and caller is not None:
        caller.take_notes(notes)


class RemoteReader:
    """See `SpanReader`: what one tenant has in a store elsewhere."""

    def __init__(self, store: RemoteStore, tenant: str) -> None:
        """Ask through `store`."""
        self._store = store
        self._tenant = tenant

    def get_services(self) -> list[str]:
        """See `SpanReader.get_services`."""
        answer: list[str] = self._ask("get_services")
        return answer

    def get_operations(self, service: str, span_kind: str, /) -> list[Operation]:
        """See `SpanReader.get_operations`."""
        answer: list[Operation] = self._ask("get_operations", service, span_kind)
        return answer

    def find_traces(self, question: TraceQuestion, /) -> list[FoundTrace]:
        """See `SpanReader.find_traces`."""
        answer: list[FoundTrace] = self._ask("find_traces", question)
        return answer

    def get_traces(
        self,
        trace_ids: Sequence[str],
        /,
        *,
        raw: bool,
        skeleton: bool,
        spans_max: int | None = None,
        within: SpanRange | None = None,
    ) -> SpanColumns:
        """See `SpanReader.get_traces`."""
        answer: SpanColumns = self._ask(
            "get_traces", list(trace_ids), raw=raw, skeleton=skeleton, spans_max=spans_max,
            **_in_range(within),
        )  # fmt: skip
        return answer

    def get_trace_arrays(self, trace_id: str, find: FindTerms = NOTHING, /) -> TraceArrays:
        """See `SpanReader.get_trace_arrays`."""
        answer: TraceArrays = self._ask("get_trace_arrays", trace_id, find)
        return answer

    def find_in_trace(self, trace_id: str, find: FindTerms, /) -> FoundSpans:
        """See `SpanReader.find_in_trace`."""
        answer: FoundSpans = self._ask("find_in_trace", trace_id, find)
        return answer

    def get_span(self, trace_id: str, span_id: str, /) -> SpanColumns:
        """See `SpanReader.get_span`."""
        answer: SpanColumns = self._ask("get_span", trace_id, span_id)
        return answer

    def get_summaries(self, trace_ids: Sequence[str], /) -> list[TraceSummary]:
        """See `SpanReader.get_summaries`."""
        answer: list[TraceSummary] = self._ask("get_summaries", list(trace_ids))
        return answer

    def get_dependencies(self, start_unix_nano: int, end_unix_nano: int, /) -> list[DependencyLink]:
        """See `SpanReader.get_dependencies`."""
        answer: list[DependencyLink] = self._ask("get_dependencies", start_unix_nano, end_unix_nano)
        return answer

    def get_graph(self, start_unix_nano: int, end_unix_nano: int, /) -> list[GraphEdge]:
        """See `SpanReader.get_graph`."""
        answer: list[GraphEdge] = self._ask("get_graph", start_unix_nano, end_unix_nano)
        return answer

    def get_red(
        self, start_unix_nano: int, end_unix_nano: int, service: str, /
    ) -> list[OperationRed]:
        """See `SpanReader.get_red`."""
        answer: list[OperationRed] = self._ask("get_red", start_unix_nano, end_unix_nano, service)
        return answer

    def get_red_slots(
        self,
        minutes: tuple[int, int],
        services: Sequence[str],
        span_kinds: Sequence[str],
        /,
        *,
        by_operation: bool,
        slot_minutes: int,
    ) -> list[RedSlot]:
        """See `SpanReader.get_red_slots`."""
        answer: list[RedSlot] = self._ask(
            "get_red_slots", list(minutes), list(services), list(span_kinds),
            by_operation=by_operation, slot_minutes=slot_minutes,
        )  # fmt: skip
        return answer

    def get_minute_counts(
        self, minutes: tuple[int, int], services: Sequence[str], /, *, of: str
    ) -> MinuteCounts:
        """See `SpanReader.get_minute_counts`."""
        answer: MinuteCounts = self._ask("get_minute_counts", list(minutes), list(services), of=of)
        return answer

    def get_sample_size(self, sample: SpanSample, /) -> tuple[int, int]:
        """See `SpanReader.get_sample_size`."""
        spans, traces = self._ask("get_sample_size", sample)
        return spans, traces

    def get_span_table(self, sample: SpanSample, /) -> SpanTable:
        """See `SpanReader.get_span_table`."""
        answer: SpanTable = self._ask("get_span_table", sample)
        return answer

    def find_spansets(self, question: SpansetQuestion, /) -> FoundSpansets:
        """See `SpanReader.find_spansets`."""
        answer: FoundSpansets = self._ask("find_spansets", question)
        return answer

    def get_series(self, question: SeriesQuestion, /) -> FoundSeries:
        """See `SpanReader.get_series`."""
        answer: FoundSeries = self._ask("get_series", question)
        return answer

    def get_field_names(self, question: FieldQuestion, /) -> list[FieldName]:
        """See `SpanReader.get_field_names`."""
        return list(self._ask("get_field_names", question))

    def get_field_values(self, question: FieldQuestion, /) -> list[FieldValue]:
        """See `SpanReader.get_field_values`."""
        return list(self._ask("get_field_values", question))

    def get_otlp(self, trace_ids: Sequence[str], /, *, within: SpanRange | None = None) -> bytes:
        """See `SpanReader.get_otlp`."""
        answer: bytes = self._ask("get_otlp", list(trace_ids), **_in_range(within))
        return answer

    def archive_trace(self, trace_id: str, /) -> bool:
        """See `SpanReader.archive_trace`."""
        answer: bool = self._ask("archive_trace", trace_id)
        return answer

    def get_tag_keys(self) -> list[str]:
        """See `SpanReader.get_tag_keys`."""
        answer: list[str] = self._ask("get_tag_keys")
        return answer

    def get_tag_values(self, key: str, service: str, /) -> list[str]:
        """See `SpanReader.get_tag_values`."""
        answer: list[str] = self._ask("get_tag_values", key, service)
        return answer

    def _ask(self, attribute: str, *arguments: object, **keywords: object) -> Any:
        method = METHODS[attribute]
        body = encode_arguments(arguments, keywords)
        return method.decode(self._store.ask(method.name, body, self._tenant))


def _in_range(within: SpanRange | None) -> dict[str, object]:
    """Return the argument, none if there is no range: older stores do not know it."""
    return {} if within is None else {"within": list(within)}
