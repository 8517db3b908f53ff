"""Settings of the roles beside all-in-one: what one process asks or tells another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final

from lymer import ports
from lymer.config.addresses import TARGET, TARGETS
from lymer.config.rules import HOST, SWITCH, choice, count, duration, size
from lymer.config.security import (
    AuthSettings,
    ClientAuthSettings,
    ClientTlsSettings,
    ListenerTlsSettings,
)
from lymer.config.tags import TAGS
from lymer.config.tenancy import TENANT_NAME

__all__ = [
    "AgentSettings",
    "CollectorSettings",
    "RemoteStorageSettings",
    "StorageApiSettings",
]

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class StorageApiSettings:
    """The storage API: how the query role reads the store of this process, over gRPC."""

    enabled: Annotated[bool, SWITCH] = False
    """Whether to listen. Default false; true in the role `collector`, whose store nobody could read
    otherwise. Everything that is stored can be read here: use `tls` where others are near."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.STORAGE_GRPC
    """TCP port. Default 17271, as Jaeger's remote storage; 0 takes any free one."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""

    auth: AuthSettings = field(default_factory=AuthSettings)
    """Who may read. Default everybody."""


@dataclass(frozen=True, slots=True)
class RemoteStorageSettings:
    """The store of another process, which the role `query` reads."""

    target: Annotated[str, TARGET] = f"localhost:{ports.STORAGE_GRPC}"
    """Address of a collector's storage API, `host:port` or `dns:///host:port`. Default port 17271
    of this machine."""

    call_seconds_max: Annotated[float, duration(0.1, 3600)] = 35.0
    """Longest wait for the answer to one question, in seconds; then it is 503. Default 35 s: a
    little more than `storage.query_timeout_seconds` of the collector, so that its own words about
    a slow query arrive."""

    tls: ClientTlsSettings = field(default_factory=ClientTlsSettings)
    """Its TLS."""

    auth: ClientAuthSettings = field(default_factory=ClientAuthSettings)
    """How we say who we are."""


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """The agent: where it sends what it took, and how it goes on when that is away."""

    targets: Annotated[str, TARGETS] = ""
    """Collectors to send to, `host:port` or `dns:///host:port`, several with commas between them;
    a name stands for all its addresses. Default none: the agent refuses to start without one.
    Jaeger's `--reporter.grpc.host-port`."""

    protocol: Annotated[str, choice("otlp", "jaeger")] = "otlp"
    """How spans travel: `otlp` is OTLP over gRPC (port 4317 of a collector), `jaeger` is api_v2
    `PostSpans` (port 14250), for collectors that know nothing else. Default otlp: bytes go out as
    they came in, while `jaeger` costs a translation. Jaeger's `--reporter.grpc.host-port` implies
    `jaeger`, as its port is 14250."""

    tls: ClientTlsSettings = field(default_factory=ClientTlsSettings)
    """TLS of the links to collectors."""

    auth: ClientAuthSettings = field(default_factory=ClientAuthSettings)
    """How the agent says who it is."""

    tags: Annotated[tuple[tuple[str, str], ...], TAGS] = ()
    """Attributes for the resource of every span, `key=value` with commas between them, where the
    key is not there yet. A value `${NAME:default}` is taken from the environment. Default none.
    Jaeger's `--agent.tags`."""

    tenant: Annotated[str, TENANT_NAME] = ""
    """Tenant of spans whose sender did not name one, sent to collectors in `tenancy.header`.
    Default none. An agent beside one tenant's applications needs only this; with `tenancy.enabled`
    senders name theirs in that header, and it is kept with the spans and sent on."""

    requests_in_flight_max: Annotated[int, count(1, 1024, "requests")] = 32
    """Requests sent and not yet answered. Default 32: what keeps a collector 20 ms away busy with
    100,000 spans a second. Too small: a far collector slows the agent; too large: more memory, and
    more for the collector to remember."""

    request_seconds_max: Annotated[float, duration(0.1, 600)] = 15.0
    """Deadline of one request, in seconds; then it is sent again. Default 15 s, above the time a
    collector may take for its disk. Too small: a slow collector gets everything twice and drops
    it as known; too large: a hung one is noticed late."""

    backoff_seconds_min: Annotated[float, duration(0.01, 60)] = 0.1
    """Pause before the first repetition, in seconds; each further one waits up to twice as long.
    Default 100 ms. The pause is chance between half and all of it."""

    backoff_seconds_max: Annotated[float, duration(0.1, 3600)] = 5.0
    """Longest pause between repetitions, in seconds. Default 5 s: a collector that is back is
    found soon, and one that is away for an hour costs nothing."""

    resolve_seconds: Annotated[float, duration(1, 3600)] = 10.0
    """How often names are looked up again, in seconds. Default 10 s: new collectors of a headless
    service get their share soon."""

    move_seconds: Annotated[float, duration(0, 86400)] = 60.0
    """How long one collector may be away before what it should have got goes to another one, in
    seconds. Default 1 minute: longer than a restart, so that a request whose answer was lost is
    asked about where it may be known. Too small: after a crash such a request may be stored by
    two collectors; too large: spans wait. Without another collector they wait anyway."""

    message_bytes_max: Annotated[int, size(64 * _KIB, 512 * _MIB)] = 4 * _MIB
    """Largest request sent, in bytes; a larger one that was accepted is sent in parts. Default
    4 MiB: must not be above what the collector takes (`receivers.otlp_grpc.message_bytes_max`)."""


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    """What a process that stores spans adds to them, and remembers of its agents."""

    tags: Annotated[tuple[tuple[str, str], ...], TAGS] = ()
    """Attributes for the resource of every span that comes in, `key=value` with commas between
    them, where the key is not there yet. A value `${NAME:default}` is taken from the environment.
    Default none. Jaeger's `--collector.tags`."""

    agents_max: Annotated[int, count(1, 1_000_000, "agents")] = 10_000
    """Agents whose last requests are remembered, so that none is stored twice. Default 10,000,
    about 1 KiB each; beyond it the one not heard of for longest is forgotten, and what it repeats
    after that is stored again."""
