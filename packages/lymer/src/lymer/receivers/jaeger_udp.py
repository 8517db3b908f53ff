"""Jaeger's thrift over UDP: 6831 (compact protocol) and 6832 (binary), as its agent takes it.

Nobody is answered, so what cannot be taken is lost, and counted: what the system dropped because
its buffer was full, what we dropped because too much waits, what nobody can read. Datagrams are
drained in one go and translated in groups, each group one request to the journal.

Source: reference jaeger.md 2.6.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

from lymer.errors import (
    LymerError,
    OverloadedError,
    TenantError,
    TooLargeError,
    UndecodableError,
)
from lymer.receivers.intake import Intake
from lymer.telemetry.logs import EventLog
from lymer.tenancy import DEFAULT_TENANT
from lymer.wire.jaeger_thrift import otlp_from_message
from lymer.wire.otlp_proto import check_request
from lymer.wire.thrift import Protocol

__all__ = ["JaegerUdpReceiver"]

_log = EventLog(__name__)

_DATAGRAM_BYTES_MAX: Final = 65_000
"""Largest datagram taken; Jaeger's `server-max-packet-size`."""
_DATAGRAM_OVERHEAD_BYTES: Final = 100
"""What a waiting datagram costs beside its bytes, so that very many small ones are bounded too."""
_WAITING_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bytes of datagrams that are not durable yet: 6 s of 10,000 spans a second."""
_GROUP_BYTES_MAX: Final = 16 * 1024
"""Bytes of datagrams translated in one go: about 50 small spans, 2 ms. Until the sockets are looked
at again, what arrives has to fit their buffers, 27 ms of 10,000 small datagrams a second."""
_DRAIN_MAX: Final = 256
"""Datagrams read before others have their turn: as many small ones as a default buffer holds."""
_LAST_DRAINS_MAX: Final = 64
"""How often a socket is drained at the end, at most: 16,384 datagrams."""
_BUFFER_BYTES_WANTED: Final = 8 * 1024 * 1024
"""Asked of the system, which gives `net.core.rmem_max` at most, 208 KiB or, of late, 4 MiB; who has
CAP_NET_ADMIN gets all of it. `bench/udp.py` shows that 208 KiB are enough for 10,000 spans/s."""
_SO_RCVBUFFORCE: Final = 33
"""Linux: the buffer's size without the system's limit. Source: socket(7)."""
_SO_RXQ_OVFL: Final = 40
"""Linux: each datagram says how many were dropped before it. Source: socket(7)."""
_ANCILLARY_BYTES: Final = 64


class JaegerUdpReceiver:
    """Takes an agent's messages, one a datagram, from bound UDP sockets."""

    def __init__(
        self,
        intake: Intake,
        *,
        protocol: Literal["compact", "binary"],
        decode: Callable[[bytes, Protocol], bytes] = otlp_from_message,
        receiver: str = "jaeger",
        tenant: str | None = DEFAULT_TENANT,
    ) -> None:
        """Prepare.

        Args:
            intake: Where requests go.
            protocol: How the datagrams of this port are written.
            decode: What makes an OTLP request, unchecked, of a datagram, or raises
                `UndecodableError`.
            receiver: Whose the spans are in the metrics.
            tenant: Whose spans they bring, as they cannot say; if nobody's, all are refused.
        """
        self._intake = intake
        self._decode = decode
        self._receiver = receiver
        self._protocol = Protocol(protocol)
        self._tenant = tenant
        self._transport = f"udp_{protocol}"
        self._sockets: dict[socket.socket, int] = {}
        """Socket to the number of datagrams the system has dropped on it."""
        self._buffer = memoryview(bytearray(_DATAGRAM_BYTES_MAX))
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._is_stopping = False
        self._translating: asyncio.Task[None] | None = None
        self._writing: set[asyncio.Task[None]] = set()

    async def start(self, sockets: list[socket.socket]) -> None:
        """Begin to receive on bound sockets, which are ours from now on."""
        loop = asyncio.get_running_loop()
        for listener in sockets:
            listener.settimeout(0)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES_WANTED)
            if sys.platform == "linux":
                with contextlib.suppress(PermissionError):
                    listener.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES_WANTED)
                listener.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
            self._sockets[listener] = 0
            loop.add_reader(listener.fileno(), self._drain, listener)
        self._translating = asyncio.create_task(self._translate_all(), name=self._transport)

    async def stop(self) -> None:
        """Take what has arrived, close the sockets, and return when all of it is durable."""
        loop = asyncio.get_running_loop()
        for listener in self._sockets:
            loop.remove_reader(listener.fileno())
            # What arrived is taken, but not for ever: senders may go on.
            for _ in range(_LAST_DRAINS_MAX):
                if self._drain(listener) < _DRAIN_MAX:
                    break
            listener.close()
        self._sockets.clear()
        self._is_stopping = True
        self._arrived.set()
        if self._translating is not None:
            await self._translating
        while self._writing:
            await asyncio.wait(self._writing)

    def _drain(self, listener: socket.socket) -> int:
        """Read what is there, up to `_DRAIN_MAX` datagrams; return how many were."""
        for count in range(_DRAIN_MAX):
            try:
                size, ancillary, flags, _ = listener.recvmsg_into([self._buffer], _ANCILLARY_BYTES)
            except BlockingIOError:
                return count
            except OSError:
                return count  # the loop calls again if there is more
            if ancillary:
                self._count_dropped(listener, ancillary)
            if flags & socket.MSG_TRUNC:
                self._refuse(
                    TooLargeError(f"the datagram is over the limit of {_DATAGRAM_BYTES_MAX} bytes")
                )
            else:
                self._put(bytes(self._buffer[:size]))
        return _DRAIN_MAX

    def _put(self, datagram: bytes) -> None:
        if self._tenant is None:
            self._refuse(TenantError("missing tenant header"))
            return
        cost = len(datagram) + _DATAGRAM_OVERHEAD_BYTES
        if self._waiting_bytes + cost > _WAITING_BYTES_MAX:
            message = (
                f"cannot accept the datagram: {self._waiting_bytes} bytes wait, "
                f"the limit is {_WAITING_BYTES_MAX}"
            )
            self._refuse(OverloadedError(message))
            return
        self._waiting_bytes += cost
        self._waiting.append(datagram)
        self._arrived.set()

    def _count_dropped(
        self, listener: socket.socket, ancillary: list[tuple[int, int, bytes]]
    ) -> None:
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL and len(content) == 4:
                (total,) = struct.unpack("=I", content)
                # The counter is the socket's, since it was opened, and has 32 bits.
                dropped = (total - self._sockets[listener]) % 2**32
                self._sockets[listener] = total
                if dropped:
                    message = "cannot accept datagrams: the socket's buffer was full"
                    self._refuse(OverloadedError(message), dropped)

    async def _translate_all(self) -> None:
        """Translate what waits, group by group, letting others have their turn in between."""
        while True:
            await self._arrived.wait()
            while self._waiting:
                self._translate_group()
                await asyncio.sleep(0)
            if self._is_stopping:
                return
            self._arrived.clear()

    def _translate_group(self) -> None:
        """Make one request of the datagrams at the head, and have it written."""
        parts: list[bytes] = []
        size = cost = 0
        while self._waiting and size < _GROUP_BYTES_MAX:
            datagram = self._waiting.popleft()
            size += len(datagram)
            cost += len(datagram) + _DATAGRAM_OVERHEAD_BYTES
            try:
                parts.append(self._decode(datagram, self._protocol))
            except UndecodableError as error:
                self._refuse(error)
            except Exception as error:  # noqa: BLE001 - a bug costs one datagram, no listener
                _log.exception("BUG in translating a datagram", error)
                self._refuse(UndecodableError(str(error)))
        writing = asyncio.create_task(self._write(b"".join(parts), cost))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)

    async def _write(self, otlp: bytes, cost: int) -> None:
        """Make a request durable, or count it as lost."""
        try:
            await self._intake.accept(
                check_request(otlp), self._transport, self._receiver, tenant=self._tenant or ""
            )
        except LymerError as error:
            self._refuse(error)
        finally:
            self._waiting_bytes -= cost

    def _refuse(self, error: LymerError, count: int = 1) -> None:
        self._intake.refuse(error, self._transport, self._receiver, count)
