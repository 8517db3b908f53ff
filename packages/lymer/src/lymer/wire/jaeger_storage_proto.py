"""The messages of Jaeger's remote storage, `jaeger.storage.v2`.

Source: jaeger-idl `proto/storage/v2/{trace_storage,dependency_storage,capabilities}.proto`.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pool, duration_pb2, timestamp_pb2

from lymer.wire.proto_declaration import message_classes
from lymer.wire.query_proto import EXPRESSION

__all__ = ["CAPABILITIES", "DEPENDENCIES", "STORAGE", "TRACES"]

TRACES: Final = "jaeger.storage.v2.TraceReader"
DEPENDENCIES: Final = "jaeger.storage.v2.DependencyReader"
CAPABILITIES: Final = "jaeger.storage.v2.Capabilities"
_TIME: Final = ".google.protobuf.Timestamp"
_LENGTH: Final = ".google.protobuf.Duration"
_RANGE: Final = f"start_time:{_TIME}=1 end_time:{_TIME}=2"

STORAGE: Final[dict[str, Any]] = message_classes(
    "lymer/jaeger_storage_v2.proto",
    "jaeger.storage.v2",
    {
        "GetTraceParams": f"trace_id:bytes=1 start_time:{_TIME}=2 end_time:{_TIME}=3",
        "GetTracesRequest": "query:GetTraceParams*=1",
        "GetServicesRequest": "",
        "GetServicesResponse": "services:string*=1",
        "GetOperationsRequest": "service:string=1 span_kind:string=2",
        "Operation": "name:string=1 span_kind:string=2",
        "GetOperationsResponse": "operations:Operation*=1",
        # An AnyValue as it was sent: which member of its oneof that is must not get lost.
        "KeyValue": "key:string=1 value:bytes=2",
        "TraceQueryParameters": "service_name:string=1 operation_name:string=2 "
        f"attributes:KeyValue*=3 start_time_min:{_TIME}=4 start_time_max:{_TIME}=5 "
        f"duration_min:{_LENGTH}=6 duration_max:{_LENGTH}=7 search_depth:int32=8 "
        "filter:.jaeger.expression.v1.Call=9",
        "FindTracesRequest": "query:TraceQueryParameters=1",
        "FindTraceIDsRequest": "query:TraceQueryParameters=1",
        "FindTraceSummariesRequest": "query:TraceQueryParameters=1",
        "FoundTraceID": f"trace_id:bytes=1 start:{_TIME}=2 end:{_TIME}=3",
        "FindTraceIDsResponse": "trace_ids:FoundTraceID*=1",
        "ServiceSummary": "name:string=1 span_count:int32=2 error_span_count:int32=3",
        "TraceSummary": "trace_id:bytes=1 root_service_name:string=2 root_operation_name:string=3 "
        "min_start_time_unix_nano:fixed64=4 max_end_time_unix_nano:fixed64=5 span_count:int32=6 "
        "error_span_count:int32=7 orphan_span_count:int32=8 services:ServiceSummary*=9",
        "FindTraceSummariesResponse": "summaries:TraceSummary*=1",
        "GetDependenciesRequest": _RANGE,
        "Dependency": "parent:string=1 child:string=2 call_count:uint64=3 source:string=4",
        "GetDependenciesResponse": "dependencies:Dependency*=1",
        "FilterCapabilities": "levels:string*=1 operators:string*=2",
        "SearchCapabilities": "without_service_name:bool=1 same_span_conjunction:bool=2 "
        "filter:FilterCapabilities=3",
        "GetCapabilitiesRequest": "",
        "GetCapabilitiesResponse": "search:SearchCapabilities=1",
    },
    pool=descriptor_pool.Default(),
    imports=(
        timestamp_pb2.DESCRIPTOR.name,
        duration_pb2.DESCRIPTOR.name,
        EXPRESSION["Call"].DESCRIPTOR.file.name,
    ),
)
"""Messages by name. A value has the numbers of OTLP's `AnyValue`."""
