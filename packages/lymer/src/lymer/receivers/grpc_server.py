"""The server behind every gRPC port: methods, and what tools ask any gRPC server for.

Health (`grpc.health.v1`) and reflection (v1 and v1alpha) are served on each port.
"""

from __future__ import annotations

from typing import Final

from lymer.errors import LymerError, TooLargeError
from lymer.journal.delivery import DELIVERY_KEY, SETTLED_KEY, Delivery
from lymer.receivers.grpc_services import add_health, add_reflection
from lymer.telemetry.logs import EventLog
from lymer.transport.gate import Gate
from lymer.transport.grpc_calls import Call, CallServer, Code, Method
from lymer.wire.content_encoding import decode_content

__all__ = ["BytesGrpcServer", "code_of", "decompressed", "delivery_of"]

_log = EventLog(__name__)
_UNKNOWN_MAX: Final = 16


def delivery_of(call: Call) -> Delivery | None:
    """Return the name an agent gave the request, or None if it comes from somebody else.

    Raises:
        UndecodableError: There is one, and it cannot be read.
    """
    name = settled = ""
    for key, value in call.invocation_metadata():
        if key == DELIVERY_KEY:
            name = str(value)
        elif key == SETTLED_KEY:
            settled = str(value)
    return Delivery.from_metadata(name, settled) if name else None


def code_of(error: LymerError) -> int:
    """Return the status of an error; gRPC has one of its own for what is too large."""
    return Code.RESOURCE_EXHAUSTED if isinstance(error, TooLargeError) else error.grpc_code


def decompressed(message: bytes, call: Call, bytes_max: int) -> bytes:
    """Return a message as it was before it was compressed."""
    return decode_content(call.compression, message, bytes_max)


class BytesGrpcServer(CallServer):
    """Serves one method, and what `add` adds; `bind` and `start` make it reachable."""

    def __init__(
        self,
        service: str,
        method: str,
        answer: Method,
        *,
        message_bytes_max: int,
        gate: Gate | None = None,
    ) -> None:
        """Prepare.

        Args:
            service: Full name of the service.
            method: Name of the method.
            answer: Called for each message, which is compressed still.
            message_bytes_max: A larger message is refused with RESOURCE_EXHAUSTED.
            gate: Who may call; None is everybody.
        """
        super().__init__(
            message_bytes_max=message_bytes_max,
            gate=gate,
            on_unknown_compression=self._on_unknown,
        )
        self._unknown: set[str] = set()
        self.add(service, method, answer)
        add_health(self)
        add_reflection(self)

    def _on_unknown(self, name: str) -> None:
        """Say once for each compression what to do about it."""
        if name not in self._unknown and len(self._unknown) < _UNKNOWN_MAX:
            self._unknown.add(name)
            _log.warning(
                "calls with an unknown compression are refused",
                compression=name,
                remedy="set the sender's compression to gzip, zstd, snappy or none",
            )
