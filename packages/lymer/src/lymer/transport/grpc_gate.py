"""The gate of a gRPC port: UNAUTHENTICATED for who may not pass."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeAlias

import grpc

from lymer.errors import OverloadedError
from lymer.transport.gate import Gate

__all__ = ["gate_interceptors"]

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_SHAPES: Final = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
"""Whether requests and answers are streams → what makes a handler."""
_REFUSED: Final = "send a token or a user and password that are known here"


def gate_interceptors(gate: Gate | None) -> list[grpc.aio.ServerInterceptor[Any, Any]]:
    """Return what to give `grpc.aio.server(interceptors=...)`; nothing without a gate."""
    return [] if gate is None else [_GateInterceptor(gate)]


class _GateInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # only stubs have them
    """Judges each call by its metadata `authorization`."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        """Return the handler of who may pass, and of who may not one that says so."""
        handler = await continuation(handler_call_details)
        metadata = handler_call_details.invocation_metadata or ()
        sent = [value for key, value in metadata if key == "authorization"]
        try:
            # Two of them are none: who put the second there is not known.
            reason = await self._gate.refusal(str(sent[0]) if len(sent) == 1 else "")
        except OverloadedError as error:
            return _refusing(handler, grpc.StatusCode.UNAVAILABLE, str(error))
        if reason:
            return _refusing(handler, grpc.StatusCode.UNAUTHENTICATED, _REFUSED)
        return handler


def _refusing(handler: _Handler | None, code: grpc.StatusCode, details: str) -> _Handler:
    """Return a handler of the same shape that refuses; a method nobody serves looks like one."""

    async def refuse(_request: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        await context.abort(code, details)

    async def refuse_stream(
        _request: object, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[bytes]:
        await refuse(_request, context)
        yield b""

    takes_stream = handler is not None and handler.request_streaming
    gives_stream = handler is not None and handler.response_streaming
    make: Any = _SHAPES[takes_stream, gives_stream]
    made: _Handler = make(refuse_stream if gives_stream else refuse)
    return made
