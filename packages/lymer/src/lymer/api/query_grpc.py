"""Jaeger's query port, 16685: `QueryService` of api_v2 and api_v3 over gRPC.

Source: Jaeger v2.20, `jaegerquery/internal/grpc_handler.go` and `apiv3/grpc_handler.go`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lymer.api.answers import TURN_SECONDS_MAX
from lymer.api.jaeger_storage import summary_message
from lymer.api.parameters import NO_PAGES_OF_TRACES, to_page, to_trace_id, with_filter
from lymer.api.tempo_grpc import STREAMS, AnswerInParts
from lymer.api.turn import LargeAnswer, Turn
from lymer.errors import (
    LargeAnswerError,
    LymerError,
    OverloadedError,
    QuestionError,
    TooLargeError,
    UndecodableError,
)
from lymer.model.question import DependencyLink, TraceQuestion
from lymer.query.adjust.otlp import take_warnings
from lymer.query.checks import FOUND_TRACES_MAX, AnyQuestion
from lymer.query.large import STREAMED, Streamed
from lymer.query.service import ALLOWS_LARGE, Queries, QueryService
from lymer.storage.caller import CALLER, Caller, leave_out
from lymer.tenancy import DEFAULT_TENANT, Tenancy
from lymer.transport.gate import Gate
from lymer.transport.grpc_calls import Call, CallEndedError, CallServer, Method
from lymer.wire.content_encoding import decode_content
from lymer.wire.otlp_repeated import check_repeated
from lymer.wire.otlp_to_jaeger_proto import post_spans_from_otlp
from lymer.wire.query_proto import SERVICE_V2, SERVICE_V3, V2, V3
from lymer.wire.tempo_proto import SERVICE as TEMPO_SERVICE

__all__ = ["QueryGrpc"]

QUESTION_BYTES_MAX: Final = 1 << 20
"""Largest question, bytes: as much as a query string."""
CALLS_IN_FLIGHT_MAX: Final = 64
"""Most calls being answered at once, as for HTTP."""

_SPANS_PER_CHUNK: Final = 10
"""Source: Jaeger v2.20, `grpc_handler.go`, `maxSpanCountInChunk`."""
_SUMMARIES_PER_CHUNK: Final = 1_000
_DEPTH: Final = 100
_UNIX_NANO_MAX: Final = 2**63 - 1
_T = TypeVar("_T")
_Several = Callable[[QueryService, Any], Iterator[bytes]]
_One = Callable[[QueryService, Any], bytes]


class QueryGrpc(CallServer):
    """Serves both services; `bind` and `start` make it reachable."""

    def __init__(
        self,
        queries: Queries,
        executor: Executor,
        *,
        tenancy: Tenancy | None = None,
        gate: Gate | None = None,
        turn: Turn | None = None,
    ) -> None:
        """Prepare.

        Args:
            queries: Answers the questions.
            executor: Where it does so: threads.
            tenancy: How calls name their tenant; None if they need not.
            gate: Who may call; None is everybody.
            turn: Of large answers, shared with other doors.
        """
        super().__init__(message_bytes_max=QUESTION_BYTES_MAX, gate=gate)
        self._queries = queries
        self._executor = executor
        self._tenancy = tenancy
        self._in_flight = 0
        self._turn = turn or Turn()
        for name, several in (("GetTrace", _get_trace_v2), ("FindTraces", _find_traces_v2)):
            self.add(SERVICE_V2, name, self._streaming(V2[f"{name}Request"], several))
        for name, several in (("GetTrace", _get_trace_v3), ("FindTraces", _find_traces_v3)):
            self.add(SERVICE_V3, name, self._streaming(V3[f"{name}Request"], several))
        summaries = self._streaming(V3["FindTraceSummariesRequest"], _find_summaries)
        self.add(SERVICE_V3, "FindTraceSummaries", summaries)
        for service, made in ((SERVICE_V2, V2), (SERVICE_V3, V3)):
            for name, one in _unary(made):
                self.add(service, name, self._single(made[f"{name}Request"], one))
        for name, (question_class, answer) in STREAMS.items():
            self.add(TEMPO_SERVICE, name, self._in_parts(question_class, answer))
        archive = self._single(V2["ArchiveTraceRequest"], _archive_trace)
        self.add(SERVICE_V2, "ArchiveTrace", archive)

    def _single(self, question_class: Any, answer: _One) -> Method:
        async def serve(message: bytes, call: Call) -> bytes:
            with _Place(self):
                service, question = self._asked(question_class, message, call)
                with _Errors(), _Told(call):
                    return await self._in_thread(lambda: answer(service, question), large=True)

        def method(message: bytes, call: Call) -> Awaitable[bytes]:
            return serve(message, call)

        return method

    def _streaming(self, question_class: Any, answer: _Several) -> Method:
        async def serve(message: bytes, call: Call) -> AsyncIterator[bytes]:
            with _Place(self):
                service, question = self._asked(question_class, message, call)
                with contextlib.ExitStack() as stack:
                    stack.enter_context(_Told(call))
                    large, streamed = None, Streamed()
                    with _Errors():
                        try:
                            parts = await self._in_thread(lambda: answer(service, question))
                        except LargeAnswerError:
                            STREAMED.set(streamed)
                            large = await self._take_turn(stack)
                            parts = await self._in_thread(
                                lambda: answer(service, question), large=True
                            )
                    if large is not None:
                        large.share(streamed.bytes_held)
                    while (part := await self._next(parts, large)) is not None:
                        yield part

        return serve

    def _in_parts(self, question_class: Any, answer: AnswerInParts) -> Method:
        async def serve(message: bytes, call: Call) -> AsyncIterator[bytes]:
            with _Place(self):
                service, question = self._asked(question_class, message, call)
                with _Told(call):
                    parts: asyncio.Queue[bytes | None] = asyncio.Queue()
                    loop = asyncio.get_running_loop()

                    def send(part: bytes) -> None:
                        loop.call_soon_threadsafe(parts.put_nowait, part)

                    whole = asyncio.ensure_future(
                        self._in_thread(lambda: answer(service, question, send))
                    )
                    whole.add_done_callback(lambda _: parts.put_nowait(None))
                    while (part := await parts.get()) is not None:
                        yield part
                    with _Errors():
                        yield await whole

        return serve

    async def _take_turn(self, stack: contextlib.ExitStack) -> LargeAnswer:
        """Wait until no other large answer is being made."""
        large = LargeAnswer(self._turn)
        stack.callback(large.end)
        try:
            async with asyncio.timeout(TURN_SECONDS_MAX):
                await large.begin()
        except TimeoutError:
            raise OverloadedError(
                f"cannot answer: other large answers took {TURN_SECONDS_MAX:g} s"
            ) from None
        return large

    async def _next(self, parts: Iterator[bytes], large: LargeAnswer | None) -> bytes | None:
        def take() -> bytes | None:
            return next(parts, None)

        with _Errors():
            async with large or contextlib.nullcontext():
                return await self._in_thread(take, large=True)

    def _asked(self, question_class: Any, message: bytes, call: Call) -> tuple[QueryService, Any]:
        with _Errors():
            tenant = DEFAULT_TENANT
            if self._tenancy is not None:
                metadata = list(call.invocation_metadata())
                of_tempo = [str(value) for key, value in metadata if key == "x-scope-orgid"]
                tenant = (
                    self._tenancy.tenant_of(of_tempo)
                    if of_tempo
                    else self._tenancy.tenant_of_metadata(metadata)
                )
            body = decode_content(call.compression, message, QUESTION_BYTES_MAX)
            try:
                question = question_class.FromString(body)
            except DecodeError as error:
                raise UndecodableError(f"cannot decode the question: {error}") from error
            return self._queries.for_tenant(tenant), question

    async def _in_thread(self, call: Callable[[], _T], *, large: bool = False) -> _T:
        context = contextvars.copy_context()
        context.run(ALLOWS_LARGE.set, large)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, context.run, call)


class _Errors:
    """Ends a call with the status of an error raised on purpose."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        if isinstance(error, LymerError):
            raise CallEndedError(error.grpc_code, str(error)[:2_000]) from error


class _Told:
    """Lets a call say behind its answer what that lacks; one that is cancelled stops what runs."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._caller = Caller()

    def __enter__(self) -> None:
        CALLER.set(self._caller)

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            # In a thread of its own, for all others may be taken.
            threading.Thread(target=self._caller.leave, daemon=True).start()
        self._call.trailers.extend(self._caller.told)


class _Place:
    """One of the places for calls in flight."""

    def __init__(self, server: QueryGrpc) -> None:
        self._server = server

    def __enter__(self) -> None:
        if self._server._in_flight >= CALLS_IN_FLIGHT_MAX:  # noqa: SLF001 - its own place
            code = OverloadedError.grpc_code
            raise CallEndedError(code, f"cannot answer now: {CALLS_IN_FLIGHT_MAX} calls wait")
        self._server._in_flight += 1  # noqa: SLF001

    def __exit__(self, *_error: object) -> None:
        self._server._in_flight -= 1  # noqa: SLF001


def _unary(made: dict[str, Any]) -> list[tuple[str, _One]]:
    """Return the methods that both services have, with answers of their own classes."""
    is_v2 = made is V2

    def get_services(service: QueryService, _question: Any) -> bytes:
        return _bytes(made["GetServicesResponse"](services=service.get_services()))

    def get_operations(service: QueryService, question: Any) -> bytes:
        found = service.get_operations(question.service, question.span_kind)
        shown = [
            made["Operation"](
                name=one.name, span_kind="" if one.span_kind == "unspecified" else one.span_kind
            )
            for one in found
        ]
        answer = made["GetOperationsResponse"](operations=shown)
        if is_v2:
            answer.operationNames.extend(dict.fromkeys(one.name for one in found))
        return _bytes(answer)

    def get_dependencies(service: QueryService, question: Any) -> bytes:
        for name in ("start_time", "end_time"):
            if not question.HasField(name):
                raise QuestionError(
                    "StartTime and EndTime must be initialized." if is_v2 else f"{name} is required"
                )
        start, end = _nano(question.start_time), _nano(question.end_time)
        if start >= end and not is_v2:
            raise QuestionError("end_time must be after start_time")
        return _bytes(_dependencies(made, service.get_dependencies(start, end)))

    return [
        ("GetServices", get_services),
        ("GetOperations", get_operations),
        ("GetDependencies", get_dependencies),
    ]


def _dependencies(made: dict[str, Any], links: list[DependencyLink]) -> Any:
    if made is V2:
        answer, link_class = made["GetDependenciesResponse"](), made["DependencyLink"]
    else:
        answer, link_class = made["DependenciesResponse"](), made["Dependency"]
    answer.dependencies.extend(
        link_class(parent=one.parent, child=one.child, call_count=one.call_count) for one in links
    )
    return answer


def _get_trace_v2(service: QueryService, question: Any) -> Iterator[bytes]:
    parts = service.get_otlp_in_parts(_trace_id_v2(question), raw=question.raw_traces)
    return (chunk for part in parts for chunk in _chunks(part))


def _archive_trace(service: QueryService, question: Any) -> bytes:
    service.archive_trace(_trace_id_v2(question))
    return _bytes(V2["ArchiveTraceResponse"]())


def _trace_id_v2(question: Any) -> str:
    if not any(question.trace_id):
        raise QuestionError("uninitialized TraceID is not allowed")
    if len(question.trace_id) not in {8, 16}:
        raise QuestionError("invalid length for TraceID")
    trace_id: str = question.trace_id.hex().rjust(32, "0")
    return trace_id


def _find_traces_v2(service: QueryService, question: Any) -> Iterator[bytes]:
    asked = [_to_question(question, "tags")]
    found = service.find_each_otlp(asked, raw=question.query.raw_traces)
    return (chunk for one, trace in found for chunk in _found_chunks(one, trace))


def _get_trace_v3(service: QueryService, question: Any) -> Iterator[bytes]:
    trace_id = to_trace_id(question.trace_id)
    return map(_bytes, service.get_otlp_in_parts(trace_id, raw=question.raw_traces))


def _find_traces_v3(service: QueryService, question: Any) -> Iterator[bytes]:
    if question.query.HasField("pagination"):
        raise QuestionError(NO_PAGES_OF_TRACES)
    asked = [_to_question(question, "attributes")]
    found = service.find_each_otlp(asked, raw=question.query.raw_traces)
    return (_bytes(trace) for _, trace in found)


def _find_summaries(service: QueryService, question: Any) -> Iterator[bytes]:
    asked, token = _to_question(question, "attributes"), ""
    if question.query.HasField("pagination"):
        wanted = question.query.pagination
        has_depth = question.query.search_depth > 0
        page = to_page(wanted.page_size, wanted.page_token, has_depth=has_depth)
        found, token = service.find_summaries_page(asked, page)
    else:
        found = service.find_summaries(asked)
    for first in range(0, len(found), _SUMMARIES_PER_CHUNK):
        shown = [
            summary_message(V3, one, one.trace_id)
            for one in found[first : first + _SUMMARIES_PER_CHUNK]
        ]
        is_last = first + _SUMMARIES_PER_CHUNK >= len(found)
        yield _bytes(
            V3["FindTraceSummariesResponse"](
                summaries=shown, next_page_token=token if is_last else ""
            )
        )


def _to_question(question: Any, tags: str) -> AnyQuestion:
    if not question.HasField("query"):
        raise QuestionError("missing query")
    query = question.query
    if tags == "attributes" and not (
        query.HasField("start_time_min") and query.HasField("start_time_max")
    ):
        raise QuestionError("start time min and max are required parameters")
    end = _nano(query.start_time_max) if query.HasField("start_time_max") else _UNIX_NANO_MAX
    found = TraceQuestion(
        start_unix_nano_min=_nano(query.start_time_min),
        start_unix_nano_max=end,
        service=query.service_name,
        operation=query.operation_name,
        tags=tuple(getattr(query, tags).items()),
        duration_nano_min=_length(query.duration_min) or None,
        duration_nano_max=_length(query.duration_max) or None,
        limit=min(query.search_depth, FOUND_TRACES_MAX) if query.search_depth > 0 else _DEPTH,
    )
    if tags == "attributes" and query.HasField("filter"):
        document = MessageToJson(query.filter, preserving_proto_field_name=True)
        return with_filter(found, document)
    return found


def _nano(instant: Any) -> int:
    return min(max(_length(instant), 0), _UNIX_NANO_MAX)


def _length(duration: Any) -> int:
    nano: int = duration.seconds * 1_000_000_000 + duration.nanos
    return nano


def _found_chunks(trace_id: str, traces: TracesData) -> Iterator[bytes]:
    """Yield a trace that was found, or say that it is too large in this format."""
    try:
        yield from _chunks(traces)
    except TooLargeError as error:
        leave_out(trace_id, error)


def _chunks(traces: TracesData) -> Iterator[bytes]:
    """Yield a trace as Jaeger's spans, ten at a time."""
    check_repeated(traces, with_resources=False)
    spans = []
    for resource_spans in traces.resource_spans:
        warned = [
            take_warnings(span)
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        ]
        sent = TracesData(resource_spans=[resource_spans]).SerializeToString()
        batch = V2["PostSpansRequest"].FromString(post_spans_from_otlp(sent)).batch
        for span, warnings in zip(batch.spans, warned, strict=True):
            span.warnings.extend(warnings)
            spans.append((span, batch.process))
    for first in range(0, len(spans), _SPANS_PER_CHUNK):
        chunk = V2["SpansResponseChunk"]()
        for span, process in spans[first : first + _SPANS_PER_CHUNK]:
            chunk.spans.add(process=process).MergeFrom(span)
        yield _bytes(chunk)


def _bytes(message: Any) -> bytes:
    sent: bytes = message.SerializeToString()
    return sent
