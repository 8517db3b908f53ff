"""Settings of the doors that spans come in by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final

from lymer import ports
from lymer.config.rules import (
    HOST,
    SWITCH,
    count,
    size,
)
from lymer.config.security import (
    AuthSettings,
    CorsSettings,
    ListenerTlsSettings,
)

__all__ = [
    "AdmissionSettings",
    "JaegerGrpcSettings",
    "JaegerHttpSettings",
    "JaegerUdpBinarySettings",
    "JaegerUdpCompactSettings",
    "OtlpGrpcSettings",
    "OtlpHttpSettings",
    "ReceiverSettings",
    "ZipkinSettings",
    "ZipkinUdpCompactSettings",
]

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20
_GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class OtlpGrpcSettings:
    """OTLP over gRPC."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether to listen at all. Default true. Jaeger's `--collector.otlp.enabled` sets both."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.OTLP_GRPC
    """TCP port. Default 4317, where every OpenTelemetry SDK sends to; 0 takes any free one."""

    message_bytes_max: Annotated[int, size(64 * _KIB, 512 * _MIB)] = 4 * _MIB
    """Largest message accepted, in bytes after decompression. Default 4 MiB, gRPC's own and the
    Collector's. Too small: big batches are refused for good (RESOURCE_EXHAUSTED without a hint to
    retry); too large: one sender takes a larger share of `admission.bytes_in_flight_max`."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""


@dataclass(frozen=True, slots=True)
class OtlpHttpSettings:
    """OTLP over HTTP/1.1."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether to listen at all. Default true. Jaeger's `--collector.otlp.enabled` sets both."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.OTLP_HTTP
    """TCP port. Default 4318, as the OTLP specification says; 0 takes any free one."""

    body_bytes_max: Annotated[int, size(64 * _KIB, 512 * _MIB)] = 20 * _MIB
    """Largest body accepted, in bytes, before and after decompression. Default 20 MiB, the
    Collector's. Too small: big batches are refused with 400; too large: a decompression bomb may
    take that much memory for each request in flight."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""

    cors: CorsSettings = field(default_factory=CorsSettings)
    """Which web pages may send here."""


@dataclass(frozen=True, slots=True)
class JaegerGrpcSettings:
    """Jaeger's api_v2 over gRPC, what its agents speak."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether to listen at all. Default true, as Jaeger v2's all-in-one does."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.JAEGER_GRPC
    """TCP port. Default 14250, Jaeger's; 0 takes any free one."""

    message_bytes_max: Annotated[int, size(64 * _KIB, 512 * _MIB)] = 4 * _MIB
    """Largest message accepted, in bytes after decompression. Default 4 MiB, gRPC's own and
    Jaeger's. Too small: big batches are refused for good; too large: translating one takes memory
    and time in proportion."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""


@dataclass(frozen=True, slots=True)
class JaegerHttpSettings:
    """Jaeger's thrift over HTTP."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether to listen at all. Default true, as Jaeger v2's all-in-one does."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.JAEGER_HTTP
    """TCP port. Default 14268, Jaeger's; 0 takes any free one."""

    body_bytes_max: Annotated[int, size(64 * _KIB, 512 * _MIB)] = 20 * _MIB
    """Largest body accepted, in bytes, before and after decompression. Default 20 MiB, the
    Collector's. Too small: big batches are refused for good; too large: translating one takes
    memory and time in proportion."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""


@dataclass(frozen=True, slots=True)
class JaegerUdpCompactSettings:
    """Jaeger's thrift over UDP, compact protocol, what most of its clients speak."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether to listen at all. Default true, as Jaeger v2's all-in-one does."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.JAEGER_UDP_COMPACT
    """UDP port. Default 6831, Jaeger's; 0 takes any free one."""


@dataclass(frozen=True, slots=True)
class JaegerUdpBinarySettings:
    """Jaeger's thrift over UDP, binary protocol, what its Node.js client speaks."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether to listen at all. Default true, as Jaeger v2's all-in-one does."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.JAEGER_UDP_BINARY
    """UDP port. Default 6832, Jaeger's; 0 takes any free one."""


@dataclass(frozen=True, slots=True)
class ZipkinSettings:
    """Zipkin over HTTP: v1 as JSON and thrift, v2 as JSON and protobuf."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether to listen at all. Default true, as Jaeger v2's all-in-one does."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.ZIPKIN_HTTP
    """TCP port. Default 9411, Zipkin's; 0 takes any free one."""

    body_bytes_max: Annotated[int, size(64 * _KIB, 512 * _MIB)] = 20 * _MIB
    """Largest body accepted, in bytes, before and after decompression. Default 20 MiB, the
    Collector's. Too small: big batches are refused for good; too large: translating one takes
    about 20 times its size in memory, and a second for each 25,000 spans."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""

    cors: CorsSettings = field(default_factory=CorsSettings)
    """Which web pages may send here."""


@dataclass(frozen=True, slots=True)
class ZipkinUdpCompactSettings:
    """Zipkin's thrift over UDP, compact protocol, what Jaeger's oldest clients speak."""

    enabled: Annotated[bool, SWITCH] = False
    """Whether to listen at all. Default false, as in Jaeger v2; true in the role `agent`."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.ZIPKIN_UDP_COMPACT
    """UDP port. Default 5775, Jaeger's; 0 takes any free one."""


@dataclass(frozen=True, slots=True)
class AdmissionSettings:
    """How much may be in flight between the door and the disk, over all receivers."""

    bytes_in_flight_max: Annotated[int, size(1 * _MIB, 16 * _GIB)] = 64 * _MIB
    """Bytes received and not yet durable. Default 64 MiB: a quarter of a second of the fastest
    load measured. Over it senders are told to retry. Too small: bursts are turned away; too large:
    memory grows by about three times this number. Must not be below the largest request."""

    requests_in_flight_max: Annotated[int, count(1, 1_000_000, "requests")] = 4096
    """Requests received and not yet durable. Default 4096: what small requests need for one
    group commit to serve many of them. Too small: many small senders are turned away; too large:
    open requests cost about 20 kB each."""


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """The doors spans come in by."""

    otlp_grpc: OtlpGrpcSettings = field(default_factory=OtlpGrpcSettings)
    """OTLP over gRPC."""

    otlp_http: OtlpHttpSettings = field(default_factory=OtlpHttpSettings)
    """OTLP over HTTP."""

    jaeger_grpc: JaegerGrpcSettings = field(default_factory=JaegerGrpcSettings)
    """Jaeger's api_v2 over gRPC."""

    jaeger_http: JaegerHttpSettings = field(default_factory=JaegerHttpSettings)
    """Jaeger's thrift over HTTP."""

    jaeger_udp_compact: JaegerUdpCompactSettings = field(default_factory=JaegerUdpCompactSettings)
    """Jaeger's thrift over UDP, compact protocol."""

    jaeger_udp_binary: JaegerUdpBinarySettings = field(default_factory=JaegerUdpBinarySettings)
    """Jaeger's thrift over UDP, binary protocol."""

    zipkin: ZipkinSettings = field(default_factory=ZipkinSettings)
    """Zipkin."""

    zipkin_udp_compact: ZipkinUdpCompactSettings = field(default_factory=ZipkinUdpCompactSettings)
    """Zipkin's thrift over UDP, compact protocol."""

    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    """Limits over all of them."""

    auth: AuthSettings = field(default_factory=AuthSettings)
    """Who may send, over all receivers but UDP, which cannot say who it is. Default everybody."""
