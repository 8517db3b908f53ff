"""Services that we read and write as bytes, declared so that reflection can describe them.

A tool that asks a server for its services, such as grpcurl, calls only what is described.
Source: grpc-proto `grpc/health/v1/health.proto`, `grpc/reflection/{v1,v1alpha}/reflection.proto`;
jaeger-idl `proto/api_v2/{collector,sampling}.proto`.
"""

from __future__ import annotations

from typing import Final

from google.protobuf import descriptor_pool

from lymer.wire.proto_declaration import message_classes
from lymer.wire.query_proto import V2

__all__ = ["FILES"]

_HEALTH: Final = "lymer/grpc_health_v1.proto"
_SPANS: Final = "lymer/jaeger_api_v2_collector.proto"
_SAMPLING: Final = "lymer/jaeger_api_v2_sampling.proto"
_REFLECTION: Final = {
    version: f"lymer/grpc_reflection_{version}.proto" for version in ("v1", "v1alpha")
}
FILES: Final = (_HEALTH, *_REFLECTION.values(), _SPANS, _SAMPLING)
"""Names of their files, in the default pool."""

message_classes(
    _HEALTH,
    "grpc.health.v1",
    {
        "HealthCheckRequest": "service:string=1",
        "HealthCheckResponse": "status:ServingStatus=1",
        "HealthListRequest": "",
        "HealthListEntry": "key:string=1 value:HealthCheckResponse=2",
        "HealthListResponse": "statuses:HealthListEntry*=1",
    },
    pool=descriptor_pool.Default(),
    services={
        "Health": "Check:HealthCheckRequest>HealthCheckResponse "
        "List:HealthListRequest>HealthListResponse "
        "Watch:HealthCheckRequest>HealthCheckResponse*"
    },
    enums={"ServingStatus": "UNKNOWN SERVING NOT_SERVING SERVICE_UNKNOWN"},
)
for _version, _file in _REFLECTION.items():
    message_classes(
        _file,
        f"grpc.reflection.{_version}",
        {
            "ExtensionRequest": "containing_type:string=1 extension_number:int32=2",
            "ServerReflectionRequest": "host:string=1 file_by_filename:string=3/message_request "
            "file_containing_symbol:string=4/message_request "
            "file_containing_extension:ExtensionRequest=5/message_request "
            "all_extension_numbers_of_type:string=6/message_request "
            "list_services:string=7/message_request",
            "FileDescriptorResponse": "file_descriptor_proto:bytes*=1",
            "ExtensionNumberResponse": "base_type_name:string=1 extension_number:int32*=2",
            "ServiceResponse": "name:string=1",
            "ListServiceResponse": "service:ServiceResponse*=1",
            "ErrorResponse": "error_code:int32=1 error_message:string=2",
            "ServerReflectionResponse": "valid_host:string=1 "
            "original_request:ServerReflectionRequest=2 "
            "file_descriptor_response:FileDescriptorResponse=4/message_response "
            "all_extension_numbers_response:ExtensionNumberResponse=5/message_response "
            "list_services_response:ListServiceResponse=6/message_response "
            "error_response:ErrorResponse=7/message_response",
        },
        pool=descriptor_pool.Default(),
        services={
            "ServerReflection": "ServerReflectionInfo:ServerReflectionRequest*"
            ">ServerReflectionResponse*"
        },
    )
message_classes(
    _SPANS,
    "jaeger.api_v2",
    {"PostSpansResponse": ""},
    pool=descriptor_pool.Default(),
    imports=(V2["PostSpansRequest"].DESCRIPTOR.file.name,),
    services={"CollectorService": "PostSpans:PostSpansRequest>PostSpansResponse"},
)
message_classes(
    _SAMPLING,
    "jaeger.api_v2",
    {
        "ProbabilisticSamplingStrategy": "samplingRate:double=1",
        "RateLimitingSamplingStrategy": "maxTracesPerSecond:int32=1",
        "OperationSamplingStrategy": "operation:string=1 "
        "probabilisticSampling:ProbabilisticSamplingStrategy=2",
        "PerOperationSamplingStrategies": "defaultSamplingProbability:double=1 "
        "defaultLowerBoundTracesPerSecond:double=2 "
        "perOperationStrategies:OperationSamplingStrategy*=3 "
        "defaultUpperBoundTracesPerSecond:double=4",
        "SamplingStrategyResponse": "strategyType:SamplingStrategyType=1 "
        "probabilisticSampling:ProbabilisticSamplingStrategy=2 "
        "rateLimitingSampling:RateLimitingSamplingStrategy=3 "
        "operationSampling:PerOperationSamplingStrategies=4",
        "SamplingStrategyParameters": "serviceName:string=1",
    },
    pool=descriptor_pool.Default(),
    services={
        "SamplingManager": "GetSamplingStrategy:SamplingStrategyParameters>SamplingStrategyResponse"
    },
    enums={"SamplingStrategyType": "PROBABILISTIC RATE_LIMITING"},
)
