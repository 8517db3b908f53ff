"""`SamplingManager` over gRPC: on port 5779, and on 14250 beside the collector's service.

Source: reference jaeger.md 2.5 (v1) and 3.1.
"""

from __future__ import annotations

from typing import Final

from lymer.errors import LymerError
from lymer.receivers.grpc_server import BytesGrpcServer, code_of, decompressed
from lymer.sampling.answering import StrategyAnswers
from lymer.sampling.strategy_proto import METHOD, SERVICE
from lymer.transport.gate import Gate
from lymer.transport.grpc_calls import Call, Method

__all__ = ["PARAMETERS_BYTES_MAX", "SamplingGrpc", "add_sampling"]

PARAMETERS_BYTES_MAX: Final = 64 * 1024
"""A request holds the name of a service."""


class SamplingGrpc(BytesGrpcServer):
    """Serves nothing else."""

    def __init__(self, answers: StrategyAnswers, gate: Gate | None = None) -> None:
        """Prepare; `bind` and `start` make it reachable."""
        super().__init__(
            SERVICE, METHOD, _answering(answers), message_bytes_max=PARAMETERS_BYTES_MAX, gate=gate
        )


def add_sampling(server: BytesGrpcServer, answers: StrategyAnswers) -> None:
    """Let `server` answer about sampling too; before it starts."""
    server.add(SERVICE, METHOD, _answering(answers))


def _answering(answers: StrategyAnswers) -> Method:
    async def answer(body: bytes, call: Call) -> bytes:
        try:
            return await answers.rpc(decompressed(body, call, PARAMETERS_BYTES_MAX))
        except LymerError as error:
            await call.abort(code_of(error), str(error))

    return answer
