"""Jaeger's remote storage, `jaeger.storage.v2`: a Jaeger keeps its traces here.

What is read is raw: Jaeger adjusts traces itself. A chunk holds spans of one trace, and chunks of a
trace follow one another. Source: jaeger-idl `proto/storage/v2/trace_storage.proto`; Jaeger 1.76,
`internal/storage/v2/grpc/handler.go`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from lymer.api.parameters import with_filter
from lymer.errors import QuestionError, TraceNotFoundError, UndecodableError
from lymer.model.question import TraceQuestion, TraceSummary
from lymer.query.checks import FOUND_TRACES_MAX, AnyQuestion
from lymer.query.service import QueryService
from lymer.wire.jaeger_json import any_value_text
from lymer.wire.jaeger_storage_proto import CAPABILITIES, DEPENDENCIES, STORAGE, TRACES

__all__ = ["SERVICES", "Answer", "question_of", "summary_message"]

Answer = Callable[[QueryService, Any], Iterator[bytes]]
_CHUNK_BYTES: Final = 1 << 20
"""Bytes of one message, about: gRPC's default limit is four times that."""
_SUMMARIES_PER_CHUNK: Final = 1_000
_DEPTH: Final = 100
_ID_BYTES: Final = 16
_UNIX_NANO_MAX: Final = 2**63 - 1
_LEVELS: Final = ("span", "resource", "scope", "event", "link")
_OPERATORS: Final = (
    "and", "or", "not", "eq", "ne", "gt", "lt", "gte", "lte", "regex", "exists", "in", "not_in",
    "some",
)  # fmt: skip


def _get_traces(service: QueryService, question: Any) -> Iterator[bytes]:
    for one in question.query:
        try:
            parts = service.get_otlp_in_parts(_hex_id(one.trace_id), raw=True)
        except TraceNotFoundError:
            continue
        for part in parts:
            yield from _chunks(part)


def _find_traces(service: QueryService, question: Any) -> Iterator[bytes]:
    found = service.find_each_otlp([_to_question(question)], raw=True)
    return (chunk for _, trace in found for chunk in _chunks(trace))


def _find_trace_ids(service: QueryService, question: Any) -> Iterator[bytes]:
    answer = STORAGE["FindTraceIDsResponse"]()
    for one in service.find_summaries(_to_question(question)):
        found = answer.trace_ids.add(trace_id=bytes.fromhex(one.trace_id))
        found.start.FromNanoseconds(min(one.min_start_unix_nano, _UNIX_NANO_MAX))
        found.end.FromNanoseconds(min(one.max_end_unix_nano, _UNIX_NANO_MAX))
    yield answer.SerializeToString()


def summary_message(types: Mapping[str, Any], summary: TraceSummary, trace_id: bytes | str) -> Any:
    """Return a `TraceSummary` of one of Jaeger's services, whose messages are in `types`."""
    return types["TraceSummary"](
        trace_id=trace_id,
        root_service_name=summary.root_service_name,
        root_operation_name=summary.root_operation_name,
        min_start_time_unix_nano=summary.min_start_unix_nano,
        max_end_time_unix_nano=min(summary.max_end_unix_nano, 2**64 - 1),
        span_count=summary.span_count,
        error_span_count=summary.error_span_count,
        orphan_span_count=summary.orphan_span_count,
        services=[
            types["ServiceSummary"](name=name, span_count=spans, error_span_count=errors)
            for name, spans, errors in summary.services
        ],
    )


def _find_summaries(service: QueryService, question: Any) -> Iterator[bytes]:
    found = service.find_summaries(_to_question(question))
    for first in range(0, len(found), _SUMMARIES_PER_CHUNK):
        shown = [
            summary_message(STORAGE, one, bytes.fromhex(one.trace_id))
            for one in found[first : first + _SUMMARIES_PER_CHUNK]
        ]
        yield STORAGE["FindTraceSummariesResponse"](summaries=shown).SerializeToString()


def _get_services(service: QueryService, _question: Any) -> Iterator[bytes]:
    yield STORAGE["GetServicesResponse"](services=service.get_services()).SerializeToString()


def _get_operations(service: QueryService, question: Any) -> Iterator[bytes]:
    found = service.get_operations(question.service, question.span_kind)
    shown = [
        STORAGE["Operation"](
            name=one.name, span_kind="" if one.span_kind == "unspecified" else one.span_kind
        )
        for one in found
    ]
    yield STORAGE["GetOperationsResponse"](operations=shown).SerializeToString()


def _get_dependencies(service: QueryService, question: Any) -> Iterator[bytes]:
    start, end = _nano(question.start_time), _nano(question.end_time)
    shown = [
        STORAGE["Dependency"](parent=one.parent, child=one.child, call_count=one.call_count)
        for one in service.get_dependencies(start, end)
    ]
    yield STORAGE["GetDependenciesResponse"](dependencies=shown).SerializeToString()


def _get_capabilities(_service: QueryService, _question: Any) -> Iterator[bytes]:
    filter_ = STORAGE["FilterCapabilities"](levels=_LEVELS, operators=_OPERATORS)
    search = STORAGE["SearchCapabilities"](
        without_service_name=True, same_span_conjunction=True, filter=filter_
    )
    yield STORAGE["GetCapabilitiesResponse"](search=search).SerializeToString()


SERVICES: Final[dict[str, dict[str, tuple[str, bool, Answer]]]] = {
    TRACES: {
        "GetTraces": ("GetTracesRequest", True, _get_traces),
        "GetServices": ("GetServicesRequest", False, _get_services),
        "GetOperations": ("GetOperationsRequest", False, _get_operations),
        "FindTraces": ("FindTracesRequest", True, _find_traces),
        "FindTraceIDs": ("FindTraceIDsRequest", False, _find_trace_ids),
        "FindTraceSummaries": ("FindTraceSummariesRequest", True, _find_summaries),
    },
    DEPENDENCIES: {
        "GetDependencies": ("GetDependenciesRequest", False, _get_dependencies),
    },
    CAPABILITIES: {
        "GetCapabilities": ("GetCapabilitiesRequest", False, _get_capabilities),
    },
}
"""Service → method → its question's message, whether there are several answers, and who answers."""


def question_of(name: str, body: bytes) -> Any:
    """Return a question.

    Raises:
        UndecodableError: It cannot be read.
    """
    try:
        return STORAGE[name].FromString(body)
    except DecodeError as error:
        raise UndecodableError(f"cannot decode the question: {error}") from error


def _to_question(question: Any) -> AnyQuestion:
    query = question.query
    found = TraceQuestion(
        start_unix_nano_min=_nano(query.start_time_min),
        start_unix_nano_max=(
            _nano(query.start_time_max) if query.HasField("start_time_max") else _UNIX_NANO_MAX
        ),
        service=query.service_name,
        operation=query.operation_name,
        tags=tuple((one.key, any_value_text(one.value)) for one in query.attributes),
        duration_nano_min=_length(query.duration_min) or None,
        duration_nano_max=_length(query.duration_max) or None,
        limit=min(query.search_depth, FOUND_TRACES_MAX) if query.search_depth > 0 else _DEPTH,
    )
    if not query.HasField("filter"):
        return found
    return with_filter(found, MessageToJson(query.filter, preserving_proto_field_name=True))


def _hex_id(trace_id: bytes) -> str:
    if len(trace_id) != _ID_BYTES:
        raise QuestionError(f"cannot read a trace: its id has {len(trace_id)} bytes, not 16")
    return trace_id.hex()


def _nano(instant: Any) -> int:
    return min(max(_length(instant), 0), _UNIX_NANO_MAX)


def _length(duration: Any) -> int:
    nano: int = duration.seconds * 1_000_000_000 + duration.nanos
    return nano


def _chunks(trace: TracesData) -> Iterator[bytes]:
    """Yield a trace in messages of about a megabyte; a span is never cut."""
    whole = trace.SerializeToString()
    if len(whole) <= _CHUNK_BYTES:
        if trace.resource_spans:
            yield whole
        return
    for resource_spans in trace.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for spans in _runs(scope_spans.spans):
                part = TracesData()
                of_resource = part.resource_spans.add(schema_url=resource_spans.schema_url)
                of_resource.resource.CopyFrom(resource_spans.resource)
                of_scope = of_resource.scope_spans.add(schema_url=scope_spans.schema_url)
                of_scope.scope.CopyFrom(scope_spans.scope)
                of_scope.spans.extend(spans)
                yield part.SerializeToString()


def _runs(spans: Iterable[Span]) -> Iterator[list[Span]]:
    run: list[Span] = []
    size = 0
    for span in spans:
        run.append(span)
        size += span.ByteSize()
        if size >= _CHUNK_BYTES:
            yield run
            run, size = [], 0
    if run:
        yield run
