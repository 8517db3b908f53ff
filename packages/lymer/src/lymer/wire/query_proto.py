"""The messages and services of Jaeger's query port, so that reflection can describe them.

Source: jaeger-idl `proto/api_v2/{model,query}.proto`, `proto/api_v3/query_service.proto`; pages are
those of its pull request 213, with the types in section 4 of Jaeger's RFC 0014 of 2026-09-23.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pool, duration_pb2, timestamp_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from lymer.wire.proto_declaration import message_classes

__all__ = ["EXPRESSION", "SERVICE_V2", "SERVICE_V3", "V2", "V3"]

SERVICE_V2: Final = "jaeger.api_v2.QueryService"
SERVICE_V3: Final = "jaeger.api_v3.QueryService"
_TIME: Final = ".google.protobuf.Timestamp"
_LENGTH: Final = ".google.protobuf.Duration"
_TRACES: Final = ".opentelemetry.proto.trace.v1.TracesData"
_RANGE: Final = f"start_time:{_TIME}=1 end_time:{_TIME}=2"
_BY_TIME: Final = (
    f"start_time_min:{_TIME}=4 start_time_max:{_TIME}=5 "
    f"duration_min:{_LENGTH}=6 duration_max:{_LENGTH}=7 search_depth:int32=8 raw_traces:bool=9"
)
_IMPORTS: Final = (
    timestamp_pb2.DESCRIPTOR.name, duration_pb2.DESCRIPTOR.name, trace_pb2.DESCRIPTOR.name,
)  # fmt: skip

V2: Final[dict[str, Any]] = message_classes(
    "lymer/jaeger_api_v2_query.proto",
    "jaeger.api_v2",
    {
        "KeyValue": "key:string=1 v_type:ValueType=2 v_str:string=3 v_bool:bool=4 v_int64:int64=5 "
        "v_float64:double=6 v_binary:bytes=7",
        "Log": f"timestamp:{_TIME}=1 fields:KeyValue*=2",
        "SpanRef": "trace_id:bytes=1 span_id:bytes=2 ref_type:SpanRefType=3",
        "Process": "service_name:string=1 tags:KeyValue*=2",
        "Span": "trace_id:bytes=1 span_id:bytes=2 operation_name:string=3 references:SpanRef*=4 "
        f"flags:uint32=5 start_time:{_TIME}=6 duration:{_LENGTH}=7 tags:KeyValue*=8 logs:Log*=9 "
        "process:Process=10 process_id:string=11 warnings:string*=12",
        "Batch": "spans:Span*=1 process:Process=2",
        "PostSpansRequest": "batch:Batch=1",
        "GetTraceRequest": f"trace_id:bytes=1 start_time:{_TIME}=2 end_time:{_TIME}=3 "
        "raw_traces:bool=4",
        "SpansResponseChunk": "spans:Span*=1",
        "ArchiveTraceRequest": f"trace_id:bytes=1 start_time:{_TIME}=2 end_time:{_TIME}=3",
        "ArchiveTraceResponse": "",
        "TraceQueryParameters": f"service_name:string=1 operation_name:string=2 tags:map=3 "
        f"{_BY_TIME}",
        "FindTracesRequest": "query:TraceQueryParameters=1",
        "GetServicesRequest": "",
        "GetServicesResponse": "services:string*=1",
        "GetOperationsRequest": "service:string=1 span_kind:string=2",
        "Operation": "name:string=1 span_kind:string=2",
        "GetOperationsResponse": "operationNames:string*=1 operations:Operation*=2",
        "GetDependenciesRequest": _RANGE,
        "DependencyLink": "parent:string=1 child:string=2 call_count:uint64=3 source:string=4",
        "GetDependenciesResponse": "dependencies:DependencyLink*=1",
    },
    pool=descriptor_pool.Default(),
    imports=_IMPORTS,
    services={
        "QueryService": "GetTrace:GetTraceRequest>SpansResponseChunk* "
        "ArchiveTrace:ArchiveTraceRequest>ArchiveTraceResponse "
        "FindTraces:FindTracesRequest>SpansResponseChunk* "
        "GetServices:GetServicesRequest>GetServicesResponse "
        "GetOperations:GetOperationsRequest>GetOperationsResponse "
        "GetDependencies:GetDependenciesRequest>GetDependenciesResponse"
    },
    enums={
        "ValueType": "STRING BOOL INT64 FLOAT64 BINARY",
        "SpanRefType": "CHILD_OF FOLLOWS_FROM",
    },
)
"""Messages of `jaeger.api_v2`, by name."""

_EXPRESSION_FILE: Final = "lymer/jaeger_expression_v1.proto"
EXPRESSION: Final[dict[str, Any]] = message_classes(
    _EXPRESSION_FILE,
    "jaeger.expression.v1",
    {
        "AttributeReference": "key:string=1 level:string=2",
        "FieldReference": "name:string=1 level:string=2",
        "NestedReference": "level:string=1",
        "Scalar": "value:string=1 type:string=2",
        "List": "values:string*=1 type:string=2",
        "Expression": "attr:AttributeReference=1/term field:FieldReference=2/term "
        "nested:NestedReference=3/term scalar:Scalar=4/term list:List=5/term call:Call=6/term",
        "Call": "op:string=1 args:Expression*=2",
    },
    pool=descriptor_pool.Default(),
)
"""Messages of `jaeger.expression.v1`: the structured filter of RFC 0005."""

V3: Final[dict[str, Any]] = message_classes(
    "lymer/jaeger_api_v3_query.proto",
    "jaeger.api_v3",
    {
        "GetTraceRequest": f"trace_id:string=1 start_time:{_TIME}=2 end_time:{_TIME}=3 "
        "raw_traces:bool=4",
        "TraceQueryParameters": f"service_name:string=1 operation_name:string=2 attributes:map=3 "
        f"{_BY_TIME} filter:.jaeger.expression.v1.Call=10 pagination:Pagination=11",
        "Pagination": "page_size:uint32=1 page_token:string=2",
        "FindTracesRequest": "query:TraceQueryParameters=1",
        "FindTraceSummariesRequest": "query:TraceQueryParameters=1",
        "ServiceSummary": "name:string=1 span_count:int32=2 error_span_count:int32=3",
        "TraceSummary": "trace_id:string=1 root_service_name:string=2 root_operation_name:string=3 "
        "min_start_time_unix_nano:fixed64=4 max_end_time_unix_nano:fixed64=5 span_count:int32=6 "
        "error_span_count:int32=7 orphan_span_count:int32=8 services:ServiceSummary*=9",
        "FindTraceSummariesResponse": "summaries:TraceSummary*=1 next_page_token:string=2",
        "GetServicesRequest": "",
        "GetServicesResponse": "services:string*=1",
        "GetOperationsRequest": "service:string=1 span_kind:string=2",
        "Operation": "name:string=1 span_kind:string=2",
        "GetOperationsResponse": "operations:Operation*=1",
        "GetDependenciesRequest": _RANGE,
        "Dependency": "parent:string=1 child:string=2 call_count:uint64=3",
        "DependenciesResponse": "dependencies:Dependency*=1",
    },
    pool=descriptor_pool.Default(),
    imports=(*_IMPORTS, _EXPRESSION_FILE),
    services={
        "QueryService": f"GetTrace:GetTraceRequest>{_TRACES}* "
        f"FindTraces:FindTracesRequest>{_TRACES}* "
        "FindTraceSummaries:FindTraceSummariesRequest>FindTraceSummariesResponse* "
        "GetServices:GetServicesRequest>GetServicesResponse "
        "GetOperations:GetOperationsRequest>GetOperationsResponse "
        "GetDependencies:GetDependenciesRequest>DependenciesResponse"
    },
)
"""Messages of `jaeger.api_v3`, by name."""
