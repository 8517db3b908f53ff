"""The doors for what is not OTLP, Jaeger's own and Zipkin's: which are open, and on what."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Literal, Protocol

from lymer import clock
from lymer.config import ReceiverSettings
from lymer.receivers.door import Door
from lymer.receivers.intake import Intake
from lymer.receivers.jaeger_grpc import JaegerGrpcReceiver
from lymer.receivers.jaeger_http import JaegerHttpReceiver
from lymer.receivers.jaeger_udp import JaegerUdpReceiver
from lymer.receivers.sampling_grpc import add_sampling
from lymer.receivers.zipkin_http import ZipkinHttpReceiver
from lymer.roles.listening import Ports, listen
from lymer.sampling.answering import StrategyAnswers
from lymer.transport.gate import Gate
from lymer.transport.http_gate import App
from lymer.wire import thrift
from lymer.wire.zipkin_thrift import otlp_from_zipkin_message

__all__ = ["ForeignReceivers"]

_JAEGER_HTTP = "Jaeger HTTP"
_JAEGER_GRPC = "Jaeger gRPC"
_ZIPKIN = "Zipkin"
_ZIPKIN_UDP = "Zipkin UDP compact"
_UDP: dict[str, Literal["compact", "binary"]] = {
    "Jaeger UDP compact": "compact",
    "Jaeger UDP binary": "binary",
}


class _Door(Protocol):
    """Settings of a door."""

    @property
    def enabled(self) -> bool: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


class ForeignReceivers:
    """Opens the doors that are enabled, in two steps: ports first, then what serves them."""

    def __init__(
        self,
        settings: ReceiverSettings,
        ports: Ports,
        gate: Gate | None,
        *,
        udp_tenant: str | None,
    ) -> None:
        """Remember what is wanted; nothing is open yet.

        Args:
            settings: What is wanted.
            ports: Who listens and serves.
            gate: Who may send.
            udp_tenant: See `udp_tenant_of`.
        """
        self._settings = settings
        self._gate = gate
        self._ports = ports
        self._udp_tenant = udp_tenant
        self._sockets: dict[str, list[socket.socket]] = {}
        self._grpc_port = 0

    def listen(self, stack: AsyncExitStack) -> None:
        """Take the ports; the stack closes them.

        Raises:
            StartupError: One cannot be had; the message says whose it is and what to do.
        """
        settings = self._settings
        if settings.jaeger_http.enabled:
            name = "receivers.jaeger_http.port"
            self._ports.take(_JAEGER_HTTP, settings.jaeger_http, name, gate=self._gate)
        if settings.zipkin.enabled:
            name = "receivers.zipkin.port"
            self._ports.take(_ZIPKIN, settings.zipkin, name, gate=self._gate)
        doors: dict[str, tuple[_Door, str]] = {
            "Jaeger UDP compact": (settings.jaeger_udp_compact, "jaeger_udp_compact"),
            "Jaeger UDP binary": (settings.jaeger_udp_binary, "jaeger_udp_binary"),
            _ZIPKIN_UDP: (settings.zipkin_udp_compact, "zipkin_udp_compact"),
        }
        for what, (door, name) in doors.items():
            if not door.enabled:
                continue
            setting = f"receivers.{name}.port"
            self._sockets[what] = listen(
                door.host, door.port, what, setting, kind=socket.SOCK_DGRAM
            )
            for listener in self._sockets[what]:
                stack.callback(listener.close)

    async def open(
        self,
        stack: AsyncExitStack,
        intake: Intake,
        door: Callable[[str, str, int], Door],
        strategies: StrategyAnswers | None,
        zipkin_questions: App | None = None,
    ) -> None:
        """Serve on the ports; the stack stops it in reverse.

        Jaeger's two ports of TCP answer about sampling too, if there is somebody who knows.

        Args:
            stack: Unwound in reverse.
            intake: Where datagrams go.
            door: Makes a door, given receiver, transport and limit on a body.
            strategies: Who knows about sampling.
            zipkin_questions: Who answers Zipkin's query API; None if nobody does.

        Raises:
            StartupError: The port of gRPC, which binds for itself, cannot be had.
        """
        settings, ports = self._settings, self._ports
        if ports.has(_JAEGER_HTTP):
            limit = settings.jaeger_http.body_bytes_max
            jaeger = JaegerHttpReceiver(
                door("jaeger", "thrift_http", limit), body_bytes_max=limit, strategies=strategies
            )
            ports.serve(jaeger, _JAEGER_HTTP)
        if ports.has(_ZIPKIN):
            limit = settings.zipkin.body_bytes_max
            zipkin = ZipkinHttpReceiver(
                door("zipkin", "http", limit), body_bytes_max=limit, questions=zipkin_questions
            )
            ports.serve(zipkin, _ZIPKIN, cors=settings.zipkin.cors)
        listener = settings.jaeger_grpc
        if listener.enabled:
            limit = listener.message_bytes_max
            grpc = JaegerGrpcReceiver(
                door("jaeger", "grpc", limit), message_bytes_max=limit, gate=self._gate
            )
            if strategies is not None:
                add_sampling(grpc, strategies)
            name = "receivers.jaeger_grpc.port"
            self._grpc_port = await ports.serve_grpc(grpc, listener, _JAEGER_GRPC, name)
        for what, protocol in _UDP.items():
            if what in self._sockets:
                udp = JaegerUdpReceiver(intake, protocol=protocol, tenant=self._udp_tenant)
                await udp.start(self._sockets[what])
                stack.push_async_callback(udp.stop)
        if _ZIPKIN_UDP in self._sockets:
            udp = JaegerUdpReceiver(
                intake, protocol="compact", decode=_decode_zipkin, receiver="zipkin"
            )
            await udp.start(self._sockets[_ZIPKIN_UDP])
            stack.push_async_callback(udp.stop)

    def described(self) -> str:
        """Say in one line which doors are open and where; empty if none is."""
        ports = {what: listeners[0].getsockname()[1] for what, listeners in self._sockets.items()}
        for what in (_JAEGER_HTTP, _ZIPKIN):
            if self._ports.has(what):
                ports[what] = self._ports.number(what)
        if self._grpc_port:
            ports[_JAEGER_GRPC] = self._grpc_port
        jaeger = [
            f"{what.removeprefix('Jaeger ')} {ports[what]}"
            for what in (_JAEGER_GRPC, _JAEGER_HTTP, *_UDP)
            if what in ports
        ]
        parts = ["Jaeger " + ", ".join(jaeger)] if jaeger else []
        if _ZIPKIN in ports:
            parts.append(f"Zipkin {ports[_ZIPKIN]}")
        if _ZIPKIN_UDP in ports:
            parts.append(f"{_ZIPKIN_UDP} {ports[_ZIPKIN_UDP]}")
        return "; ".join(parts)


def _decode_zipkin(datagram: bytes, protocol: thrift.Protocol) -> bytes:
    return otlp_from_zipkin_message(datagram, protocol, clock.unix_nano())
