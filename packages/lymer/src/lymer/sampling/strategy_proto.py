"""`jaeger.api_v2.SamplingManager/GetSamplingStrategy`: its messages as bytes, both directions.

Texts are declared as bytes, as in `wire.jaeger_proto`: what is no UTF-8 is repaired, not refused.

Source: jaeger-idl `proto/api_v2/sampling.proto`; reference jaeger.md 3.1.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.message import DecodeError

from lymer.errors import UndecodableError
from lymer.sampling.strategies import (
    OperationStrategies,
    OperationStrategy,
    Probabilistic,
    RateLimiting,
    Strategy,
)
from lymer.wire.proto_declaration import message_classes

__all__ = [
    "METHOD",
    "SERVICE",
    "decode_parameters",
    "decode_strategy",
    "encode_parameters",
    "encode_strategy",
]

SERVICE: Final = "jaeger.api_v2.SamplingManager"
"""Full name of the gRPC service."""
METHOD: Final = "GetSamplingStrategy"
"""Its only method."""

_PROBABILISTIC: Final = 0
_RATE_LIMITING: Final = 1
_CLASSES: Final = message_classes(
    "sampling",
    "jaeger.api_v2",
    {
        "Probabilistic": "samplingRate:double=1",
        "RateLimiting": "maxTracesPerSecond:int32=1",
        "Operation": "operation:bytes=1 probabilisticSampling:Probabilistic=2",
        "Operations": "defaultSamplingProbability:double=1 "
        "defaultLowerBoundTracesPerSecond:double=2 perOperationStrategies:Operation*=3 "
        "defaultUpperBoundTracesPerSecond:double=4",
        "Response": "strategyType:int32=1 probabilisticSampling:Probabilistic=2 "
        "rateLimitingSampling:RateLimiting=3 operationSampling:Operations=4",
        "Parameters": "serviceName:bytes=1",
    },
)
_Response: Any = _CLASSES["Response"]
_Parameters: Any = _CLASSES["Parameters"]


def encode_parameters(service: str) -> bytes:
    """Return a `SamplingStrategyParameters`."""
    return bytes(_Parameters(serviceName=service.encode(errors="replace")).SerializeToString())


def decode_parameters(body: bytes) -> str:
    """Return the service that a `SamplingStrategyParameters` asks about; empty if it names none.

    Raises:
        UndecodableError: `body` is no such message.
    """
    return _text(_decoded(_Parameters, body, "SamplingStrategyParameters").serviceName)


def encode_strategy(strategy: Strategy) -> bytes:
    """Return a `SamplingStrategyResponse`."""
    message = _Response()
    match strategy.sampler:
        case Probabilistic(probability):
            message.probabilisticSampling.SetInParent()
            message.probabilisticSampling.samplingRate = probability
        case limiting:
            message.strategyType = _RATE_LIMITING
            message.rateLimitingSampling.SetInParent()
            message.rateLimitingSampling.maxTracesPerSecond = limiting.traces_per_second_max
    operations = strategy.operations
    if operations is not None:
        sent = message.operationSampling
        sent.SetInParent()
        sent.defaultSamplingProbability = operations.default_probability
        sent.defaultLowerBoundTracesPerSecond = operations.lower_bound_traces_per_second
        sent.defaultUpperBoundTracesPerSecond = operations.upper_bound_traces_per_second
        for each in operations.operations:
            entry = sent.perOperationStrategies.add(
                operation=each.operation.encode("utf-8", "replace")
            )
            entry.probabilisticSampling.SetInParent()
            entry.probabilisticSampling.samplingRate = each.probability
    return bytes(message.SerializeToString())


def decode_strategy(body: bytes) -> Strategy:
    """Return what a `SamplingStrategyResponse` says.

    Jaeger's adaptive sampling sends operations and no probability of the service; theirs by
    default stands for it.

    Raises:
        UndecodableError: `body` is no such message, or says nothing about how to sample.
    """
    message = _decoded(_Response, body, "SamplingStrategyResponse")
    operations = None
    if message.HasField("operationSampling"):
        sent = message.operationSampling
        operations = OperationStrategies(
            default_probability=sent.defaultSamplingProbability,
            operations=tuple(
                OperationStrategy(_text(each.operation), each.probabilisticSampling.samplingRate)
                for each in sent.perOperationStrategies
            ),
            lower_bound_traces_per_second=sent.defaultLowerBoundTracesPerSecond,
            upper_bound_traces_per_second=sent.defaultUpperBoundTracesPerSecond,
        )
    if message.strategyType == _RATE_LIMITING:
        limit = RateLimiting(message.rateLimitingSampling.maxTracesPerSecond)
        return Strategy(limit, operations)
    if message.strategyType != _PROBABILISTIC:
        raise UndecodableError(f"unknown strategyType {message.strategyType}, 0 and 1 are known")
    if message.HasField("probabilisticSampling"):
        return Strategy(Probabilistic(message.probabilisticSampling.samplingRate), operations)
    if operations is None:
        raise UndecodableError("cannot use SamplingStrategyResponse: it names no way of sampling")
    return Strategy(Probabilistic(operations.default_probability), operations)


def _decoded(message_class: Any, body: bytes, name: str) -> Any:
    try:
        return message_class.FromString(body)
    except DecodeError as error:
        cause = str(error) or "the bytes are not protobuf"
        raise UndecodableError(f"cannot decode {name}: {cause}") from error


def _text(sent: bytes) -> str:
    return sent.decode("utf-8", "replace")
