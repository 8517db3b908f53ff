"""Messages of Tempo's streaming queries, so that reflection can describe them.

Source: Grafana Tempo, `pkg/tempopb/tempo.proto`. Maps are lists of their entries; the wire does not
know the difference.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pool
from opentelemetry.proto.common.v1 import common_pb2

from lymer.wire.proto_declaration import message_classes

__all__ = ["SERVICE", "TEMPO"]

SERVICE: Final = "tempopb.StreamingQuerier"
_KEY_VALUE: Final = ".opentelemetry.proto.common.v1.KeyValue"

TEMPO: Final[dict[str, Any]] = message_classes(
    "lymer/tempo.proto",
    "tempopb",
    {
        "SearchRequest": "Tags:map=1 MinDurationMs:uint32=2 MaxDurationMs:uint32=3 Limit:uint32=4 "
        "start:uint32=5 end:uint32=6 Query:string=8 SpansPerSpanSet:uint32=9",
        "ServiceStats": "spanCount:uint32=1 errorCount:uint32=2",
        "ServiceStatsEntry": "key:string=1 value:ServiceStats=2",
        "Span": "spanID:string=1 name:string=2 startTimeUnixNano:uint64=3 durationNanos:uint64=4 "
        f"attributes:{_KEY_VALUE}*=5",
        "SpanSet": f"spans:Span*=1 matched:uint32=2 attributes:{_KEY_VALUE}*=3",
        "TraceSearchMetadata": "traceID:string=1 rootServiceName:string=2 rootTraceName:string=3 "
        "startTimeUnixNano:uint64=4 durationMs:uint32=5 spanSet:SpanSet=6 spanSets:SpanSet*=7 "
        "serviceStats:ServiceStatsEntry*=8",
        "SearchMetrics": "inspectedTraces:uint32=1 inspectedBytes:uint64=2 completedJobs:uint32=4 "
        "totalJobs:uint32=5 inspectedSpans:uint64=7",
        "SearchResponse": "traces:TraceSearchMetadata*=1 metrics:SearchMetrics=2",
        "SearchTagsRequest": "scope:string=1 query:string=2 start:uint32=3 end:uint32=4 "
        "maxTagsPerScope:uint32=5",
        "MetadataMetrics": "inspectedBytes:uint64=1",
        "SearchTagsResponse": "tagNames:string*=1 metrics:MetadataMetrics=2",
        "SearchTagsV2Scope": "name:string=1 tags:string*=2",
        "SearchTagsV2Response": "scopes:SearchTagsV2Scope*=1 metrics:MetadataMetrics=2",
        "SearchTagValuesRequest": "tagName:string=1 query:string=2 start:uint32=4 end:uint32=5 "
        "maxTagValues:uint32=6",
        "SearchTagValuesResponse": "tagValues:string*=1 metrics:MetadataMetrics=2",
        "TagValue": "type:string=1 value:string=2",
        "SearchTagValuesV2Response": "tagValues:TagValue*=1 metrics:MetadataMetrics=2",
        "QueryRangeRequest": "query:string=1 start:uint64=2 end:uint64=3 step:uint64=4 "
        "exemplars:uint32=16 maxSeries:uint32=17",
        "Sample": "value:double=1 timestampMs:int64=2",
        "Exemplar": f"labels:{_KEY_VALUE}*=1 value:double=2 timestampMs:int64=3",
        "TimeSeries": f"labels:{_KEY_VALUE}*=1 samples:Sample*=2 exemplars:Exemplar*=4",
        "QueryRangeResponse": "series:TimeSeries*=1 metrics:SearchMetrics=2 status:int32=3 "
        "message:string=4",
        "QueryInstantRequest": "query:string=1 start:uint64=2 end:uint64=3",
        "InstantSeries": f"labels:{_KEY_VALUE}*=1 value:double=2",
        "QueryInstantResponse": "series:InstantSeries*=1 metrics:SearchMetrics=2 status:int32=3 "
        "message:string=4",
    },
    pool=descriptor_pool.Default(),
    imports=(common_pb2.DESCRIPTOR.name,),
    services={
        "StreamingQuerier": "Search:SearchRequest>SearchResponse* "
        "SearchTags:SearchTagsRequest>SearchTagsResponse* "
        "SearchTagsV2:SearchTagsRequest>SearchTagsV2Response* "
        "SearchTagValues:SearchTagValuesRequest>SearchTagValuesResponse* "
        "SearchTagValuesV2:SearchTagValuesRequest>SearchTagValuesV2Response* "
        "MetricsQueryRange:QueryRangeRequest>QueryRangeResponse* "
        "MetricsQueryInstant:QueryInstantRequest>QueryInstantResponse*"
    },
)
"""Messages of `tempopb`, by name."""
