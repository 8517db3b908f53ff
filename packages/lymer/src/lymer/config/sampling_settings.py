"""Settings of sampling at the head: who asks where, and where the answers come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from lymer import ports
from lymer.config.rules import HOST, SWITCH, count, duration, number, text
from lymer.config.security import ListenerTlsSettings

__all__ = [
    "SamplingAdaptiveSettings",
    "SamplingFileSettings",
    "SamplingGrpcSettings",
    "SamplingHttpSettings",
    "SamplingSettings",
]


@dataclass(frozen=True, slots=True)
class SamplingHttpSettings:
    """Strategies over HTTP, what Jaeger's clients and OpenTelemetry's remote samplers ask."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether to listen. Default true; false in the role `collector`, beside which an agent of the
    same machine has this port, and which answers on 14268 and over gRPC."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.SAMPLING_HTTP
    """TCP port. Default 5778, Jaeger's; 0 takes any free one."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""


@dataclass(frozen=True, slots=True)
class SamplingGrpcSettings:
    """Strategies over gRPC, what agents and some of OpenTelemetry's samplers ask."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether to listen. Default true. Port 14250 answers the same questions."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.SAMPLING_GRPC
    """TCP port. Default 5779, Jaeger's; 0 takes any free one."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""


@dataclass(frozen=True, slots=True)
class SamplingFileSettings:
    """Strategies from a file: docs/sampling.md shows one."""

    path: Annotated[str, text("a path, or an address such as http://host/strategies.json")] = ""
    """The strategies file, on disk or on an HTTP server. Default none: every service gets
    `default_probability`. A file that cannot be read stops the start; later, the old strategies
    stay in force. Jaeger's `sampling.strategies-file`."""

    reload_seconds: Annotated[float, duration(0, 86400)] = 1.0
    """How often the file is read again, in seconds; what is the same is not parsed. Default 1 s,
    as Jaeger v2's all-in-one, so that an edit counts at once; 0 reads once, Jaeger v1's default.
    Too large: an edit during an incident takes long to count; too small: a server is asked
    often."""

    default_probability: Annotated[float, number(0, 1)] = 1.0
    """Probability of what no file says anything about, 0 to 1. Default 1, as Jaeger's all-in-one:
    who tries it out wants to see every trace; 0.001 in the role `collector`, as Jaeger's. Too
    small: rare operations are never seen; too large: every trace costs. Jaeger's
    `default_sampling_probability`."""


@dataclass(frozen=True, slots=True)
class SamplingAdaptiveSettings:
    """Strategies computed from the traces that arrive, so that each operation has a few a second.

    Names and defaults are those of Jaeger's `remote_sampling.adaptive`. A store has one owner, so
    there are no leases.
    """

    enabled: Annotated[bool, SWITCH] = False
    """Whether strategies are computed. Default false: they come from `sampling.file`. Exclusive
    with a file."""

    target_samples_per_second: Annotated[float, number(1e-6, 1e6, "traces a second")] = 1.0
    """Sampled traces a second to aim at for each operation. Default 1. Too small: rare errors are
    not seen; too large: what it costs."""

    delta_tolerance: Annotated[float, number(0, 100)] = 0.3
    """Distance from the target that is left alone, as a share of it. Default 0.3. Too small:
    probabilities follow chance; too large: they stay off the target."""

    calculation_interval_seconds: Annotated[float, duration(1, 3600)] = 60.0
    """How often probabilities are computed, in seconds; throughput is counted in buckets of this
    length. Default 1 minute, as often as clients ask. Too small: buckets hold chance; too large: a
    burst is followed late."""

    calculation_delay_seconds: Annotated[float, duration(0, 3600)] = 120.0
    """How long ago a bucket must have ended, in seconds, so that all of it has arrived. Default 2
    minutes. Too small: traces that arrive later are not counted; too large: late."""

    calculation_buckets: Annotated[int, count(1, 1000, "buckets")] = 1
    """Newest buckets that are averaged, the newer the heavier. Default 1. Too large: slow to
    follow."""

    aggregation_buckets: Annotated[int, count(1, 1000, "buckets")] = 10
    """Buckets after which an operation without traces is forgotten. Default 10. Too small: rare
    operations begin anew each time."""

    initial_sampling_probability: Annotated[float, number(0, 1)] = 0.001
    """Probability of operations of which nothing is known yet, 0 to 1. Default 0.001. Too small:
    new operations are seen late; too large: a new busy service floods."""

    min_sampling_probability: Annotated[float, number(0, 1)] = 1e-5
    """Least probability that is ever told, 0 to 1. Default 0.00001. Too small: an operation that
    falls silent is found again late."""

    min_samples_per_second: Annotated[float, number(0, 1e6, "traces a second")] = 1 / 60
    """Traces a second that clients which can guarantee it sample of each operation, whatever the
    probability. Default one a minute. Too large: many rare operations cost."""

    client_poll_seconds: Annotated[float, duration(0.01, 3600)] = 60.0
    """How often clients ask, in seconds: traces that do not say how they were sampled are taken for
    sampled by what was told only after this time. Default 1 minute, the clients' own. Ours: too
    small: probabilities swing; too large: they follow late."""


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """What clients are told about sampling."""

    http: SamplingHttpSettings = field(default_factory=SamplingHttpSettings)
    """Over HTTP."""

    grpc: SamplingGrpcSettings = field(default_factory=SamplingGrpcSettings)
    """Over gRPC."""

    file: SamplingFileSettings = field(default_factory=SamplingFileSettings)
    """From a file."""

    adaptive: SamplingAdaptiveSettings = field(default_factory=SamplingAdaptiveSettings)
    """Computed."""
