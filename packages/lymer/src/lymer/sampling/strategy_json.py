"""A strategy as JSON, in the two shapes clients read.

Both are written as Go writes them: in the order of the fields, without blanks, `1` and not `1.0`.

::

    proto    {"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.5}}
    legacy   {"strategyType":0,"probabilisticSampling":{"samplingRate":0.5},
              "rateLimitingSampling":null,"operationSampling":null}

Source: reference jaeger.md 3.1; Jaeger 1.76, `internal/sampling/http/handler.go`.
"""

from __future__ import annotations

import json

from lymer.sampling.strategies import OperationStrategies, Probabilistic, Strategy
from lymer.wire.go_text import float_text

__all__ = ["to_legacy_json", "to_proto_json"]


def to_proto_json(strategy: Strategy) -> bytes:
    """Return protobuf's JSON: the kind as a word, absent members left out."""
    match strategy.sampler:
        case Probabilistic(probability):
            kind, sampler = "PROBABILISTIC", _probabilistic(probability)
        case limiting:
            rate = limiting.traces_per_second_max
            kind = "RATE_LIMITING"
            sampler = f'"rateLimitingSampling":{{"maxTracesPerSecond":{rate}}}'
    operations = strategy.operations
    tail = f',"operationSampling":{_operations(operations)}' if operations else ""
    return f'{{"strategyType":"{kind}",{sampler}{tail}}}'.encode()


def to_legacy_json(strategy: Strategy) -> bytes:
    """Return the JSON of thrift 0.9.2: the kind as a number, absent members null."""
    match strategy.sampler:
        case Probabilistic(probability):
            kind = 0
            samplers = f'{_probabilistic(probability)},"rateLimitingSampling":null'
        case limiting:
            rate = limiting.traces_per_second_max
            kind = 1
            samplers = (
                '"probabilisticSampling":null,'
                f'"rateLimitingSampling":{{"maxTracesPerSecond":{rate}}}'
            )
    operations = _operations(strategy.operations) if strategy.operations else "null"
    return f'{{"strategyType":{kind},{samplers},"operationSampling":{operations}}}'.encode()


def _probabilistic(probability: float) -> str:
    return f'"probabilisticSampling":{{"samplingRate":{float_text(probability)}}}'


def _operations(operations: OperationStrategies) -> str:
    entries = ",".join(
        f'{{"operation":{_text(each.operation)},{_probabilistic(each.probability)}}}'
        for each in operations.operations
    )
    return (
        f'{{"defaultSamplingProbability":{float_text(operations.default_probability)},'
        '"defaultLowerBoundTracesPerSecond":'
        f"{float_text(operations.lower_bound_traces_per_second)},"
        f'"perOperationStrategies":[{entries}],'
        '"defaultUpperBoundTracesPerSecond":'
        f"{float_text(operations.upper_bound_traces_per_second)}}}"
    )


def _text(text: str) -> str:
    # A lone surrogate, which JSON's own escapes can make, is no UTF-8.
    return json.dumps(text.encode(errors="replace").decode(), ensure_ascii=False)
