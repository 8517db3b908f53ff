"""A gRPC server of methods that take and give bytes: what every gRPC door is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc

from lymer.journal.delivery import DELIVERY_KEY, SETTLED_KEY, Delivery
from lymer.transport.gate import Gate
from lymer.transport.grpc_gate import gate_interceptors
from lymer.transport.grpc_port import add_port

__all__ = ["STATUS_CODES", "Answer", "BytesGrpcServer", "delivery_of"]

Answer = Callable[[bytes, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[bytes]]
"""Takes a message undecoded and returns the answer's bytes, or aborts the call."""

STATUS_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
"""gRPC's codes by their numbers, as errors carry them."""


def delivery_of(context: grpc.aio.ServicerContext[Any, Any]) -> Delivery | None:
    """Return the name an agent gave the request, or None if it comes from somebody else.

    Raises:
        UndecodableError: There is one, and it cannot be read.
    """
    name = settled = ""
    for key, value in context.invocation_metadata() or ():
        if key == DELIVERY_KEY:
            name = str(value)
        elif key == SETTLED_KEY:
            settled = str(value)
    return Delivery.from_metadata(name, settled) if name else None


class BytesGrpcServer:
    """Serves one method, and what `add` adds; `bind` and `start` make it reachable."""

    def __init__(
        self,
        service: str,
        method: str,
        answer: Answer,
        *,
        message_bytes_max: int,
        gate: Gate | None = None,
    ) -> None:
        """Prepare.

        Args:
            service: Full name of the service.
            method: Name of the method.
            answer: Called for each message.
            message_bytes_max: A larger message, also once decompressed, is refused by the
                transport with RESOURCE_EXHAUSTED.
            gate: Who may call; None is everybody.
        """
        self._server = grpc.aio.server(
            interceptors=gate_interceptors(gate),
            options=[
                ("grpc.max_receive_message_length", message_bytes_max),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
                # SDKs and agents ping idle connections; the default would end them with
                # too_many_pings.
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
                ("grpc.http2.max_ping_strikes", 0),
            ],
        )
        self.add(service, method, answer)

    def add(self, service: str, method: str, answer: Answer) -> None:
        """Serve one method of another service too; before `start`."""
        handler = grpc.unary_unary_rpc_method_handler(answer)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {method: handler}),)
        )

    def bind(self, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listen on `host:port`, encrypted with `credentials` if there are; return the port.

        Raises:
            RuntimeError: The address cannot be had.
        """
        return add_port(self._server, address, credentials)

    async def start(self) -> None:
        """Begin to serve."""
        await self._server.start()

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let running ones end within `grace_seconds`."""
        await self._server.stop(grace_seconds)
