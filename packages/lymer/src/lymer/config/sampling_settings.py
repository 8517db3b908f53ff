"""Settings of sampling at the head: who asks where, and where the answers come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from lymer import ports
from lymer.config.numbers import Number
from lymer.config.rules import Count, Duration, Host, Switch
from lymer.config.security import ListenerTlsSettings
from lymer.config.text_rules import Text

__all__ = [
    "SamplingFileSettings",
    "SamplingGrpcSettings",
    "SamplingHttpSettings",
    "SamplingSettings",
]


@dataclass(frozen=True, slots=True)
class SamplingHttpSettings:
    """Strategies over HTTP, what Jaeger's clients and OpenTelemetry's remote samplers ask."""

    enabled: Annotated[bool, Switch()] = True
    """Whether to listen. Default true; false in the role `collector`, beside which an agent of the
    same machine has this port, and which answers on 14268 and over gRPC."""

    host: Annotated[str, Host()] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, Count(0, 65535)] = ports.SAMPLING_HTTP
    """TCP port. Default 5778, Jaeger's; 0 takes any free one."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""


@dataclass(frozen=True, slots=True)
class SamplingGrpcSettings:
    """Strategies over gRPC, what agents and some of OpenTelemetry's samplers ask."""

    enabled: Annotated[bool, Switch()] = True
    """Whether to listen. Default true. Port 14250 answers the same questions."""

    host: Annotated[str, Host()] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, Count(0, 65535)] = ports.SAMPLING_GRPC
    """TCP port. Default 5779, Jaeger's; 0 takes any free one."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""


@dataclass(frozen=True, slots=True)
class SamplingFileSettings:
    """Strategies from a file: docs/sampling.md shows one."""

    path: Annotated[str, Text("a path, or an address such as http://host/strategies.json")] = ""
    """The strategies file, on disk or on an HTTP server. Default none: every service gets
    `default_probability`. A file that cannot be read stops the start; later, the old strategies
    stay in force. Jaeger's `sampling.strategies-file`."""

    reload_seconds: Annotated[float, Duration(0, 86400)] = 1.0
    """How often the file is read again, in seconds; what is the same is not parsed. Default 1 s,
    as Jaeger v2's all-in-one, so that an edit counts at once; 0 reads once, Jaeger v1's default.
    Too large: an edit during an incident takes long to count; too small: a server is asked
    often."""

    default_probability: Annotated[float, Number(0, 1)] = 1.0
    """Probability of what no file says anything about, 0 to 1. Default 1, as Jaeger's all-in-one:
    who tries it out wants to see every trace; 0.001 in the role `collector`, as Jaeger's. Too
    small: rare operations are never seen; too large: every trace costs. Jaeger's
    `default_sampling_probability`."""


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """What clients are told about sampling."""

    http: SamplingHttpSettings = field(default_factory=SamplingHttpSettings)
    """Over HTTP."""

    grpc: SamplingGrpcSettings = field(default_factory=SamplingGrpcSettings)
    """Over gRPC."""

    file: SamplingFileSettings = field(default_factory=SamplingFileSettings)
    """From a file."""
