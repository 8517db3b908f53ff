"""Every setting of Lymer, grouped by component, with its unit, default and reason.

Read once, at the command line; a component gets its own group and never the whole. Sources, later
ones win: the defaults below, the YAML file of `--config`, the environment (`LYMER__QUERY__PORT`),
flags (`--set query.port=16686`). The names here are the keys of the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from lymer import ports
from lymer.config.kafka_settings import KafkaSettings
from lymer.config.receiver_settings import ReceiverSettings
from lymer.config.role_settings import (
    AgentSettings,
    CollectorSettings,
    RemoteStorageSettings,
    StorageApiSettings,
)
from lymer.config.rules import (
    BASE_PATH,
    FILE,
    FOLDER,
    HOST,
    METRIC_NAME,
    SWITCH,
    URL,
    choice,
    count,
    duration,
    durations_by,
    size,
    text,
)
from lymer.config.sampling_settings import SamplingSettings
from lymer.config.security import (
    AuthSettings,
    ListenerTlsSettings,
    TlsSettings,
)
from lymer.config.tail_settings import TailSamplingSettings
from lymer.config.tenancy import TenancySettings

__all__ = [
    "AdminSettings",
    "Config",
    "HealthSettings",
    "JournalSettings",
    "LogSettings",
    "QuerySettings",
    "StorageSettings",
]

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20
_GIB: Final = 1 << 30
_TIB: Final = 1 << 40
_DAY: Final = 86400.0


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """The store: where spans live, for how long, and what the engine may use."""

    data_dir: Annotated[Path, FOLDER]
    """Folder of journal and store, made if absent. Default: `$XDG_DATA_HOME/lymer`, or
    `~/.local/share/lymer` where that is not set: a named place that survives a restart. It has no
    default in this class, so that no test writes into a home by accident. One process owns it."""

    retention_seconds: Annotated[float, duration(3600, 18_250 * _DAY)] = 7 * _DAY
    """How long spans are kept after they arrived, in seconds. Default 7 days: a week of incidents
    fits the disk of a small machine (about 55 bytes a span). Shorter loses history; longer costs
    disk, not query speed, as queries carry a time range. Less than an hour is refused, since the
    store drops whole parts; more than 50 years too, since the engine's clock ends in 2106."""

    retention_by_tenant: Annotated[tuple[tuple[str, float], ...], durations_by("tenant", 3600)] = ()
    """How long spans of some tenants are kept, such as `acme=30d,trial=1d`. Default empty: all as
    `retention_seconds` says. Shorter and longer are both possible."""

    retention_by_service: Annotated[
        tuple[tuple[str, float], ...], durations_by("service", 3600)
    ] = ()
    """How long spans of some services are kept, such as `debug-*=1d`; `*` at the end is any end.
    Default empty: as long as their tenant's. Only shorter ones matter. Spans go a day of arrival at
    a time, so up to a day later; what was counted of them (RED, dependencies) stays."""

    archive_retention_seconds: Annotated[float, duration(3600, 18_250 * _DAY)] = 3_650 * _DAY
    """How long archived traces are kept after somebody archived them, in seconds. Default ten
    years: a person chose each of them, so they are few. Shorter forgets what somebody wanted to
    keep; longer costs about 100 bytes a span."""

    cold_after_seconds: Annotated[float, duration(0, 18_250 * _DAY)] = 0.0
    """How long spans lie on the local disk after they arrived, in seconds; then they move to object
    storage until their retention ends. Default 0: never. Whole parts move, so a day's spans up to a
    day later. A question that reaches them waits for the network. Where to: `cold_s3_url` for the
    embedded engine, `cold_policy` for a ClickHouse server."""

    cold_s3_url: Annotated[str, URL] = ""
    """Object storage that speaks S3, for the embedded engine: endpoint, bucket and a prefix that
    nobody else uses, such as `https://s3.example.com/bucket/lymer`. Default empty: none. Once spans
    lie there the store does not start without it, and no two stores may share a prefix."""

    cold_s3_key_file: Annotated[Path | None, FILE] = None
    """File with two lines: access key id and secret. Default none: what the machine offers
    (`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or the role of the instance)."""

    cold_policy: Annotated[str, text("a name")] = ""
    """Storage policy of the ClickHouse server with a volume `cold` for old spans, beside the volume
    `default` with the disk `default`. Default empty: none. Every shard has it."""

    memory_bytes_max: Annotated[int, size(200 * _MIB, 64 * _TIB)] = 900 * _MIB
    """Memory the engine may allocate for loads, merges, queries and caches together, in bytes.
    Default 900 MiB: with journal and interpreter the process stays below 1.2 GiB. Too small:
    queries and large merges fail with a memory error; too large: the operating system kills us."""

    query_threads: Annotated[int, count(1, 256, "threads")] = 4
    """Queries that run at once, each on its own engine session. Default 4: twice the cores of a
    small machine, since a query waits for the disk now and then. Too small: one slow search holds
    up the others; too large: searches and loading slow each other down."""

    query_timeout_seconds: Annotated[float, duration(0.1, 3600)] = 30.0
    """Longest time one query may take, in seconds; then it is stopped and the client told.
    Default 30 s, what browsers and proxies wait at least. Too small: wide searches fail; too
    large: abandoned searches burn processor time."""

    clickhouse_url: Annotated[str, URL] = ""
    """ClickHouse server to store in, such as `http://localhost:8123`. Default empty: the engine
    embedded in this process. Several collectors may share a server, each with a data folder of
    its own: its journal keeps what arrives while the server is away. Several, separated by commas
    and always in the same order, are the shards of `clickhouse_cluster`."""

    clickhouse_cluster: Annotated[str, text("a name")] = ""
    """Name of the cluster whose shards `clickhouse_url` lists, separated by commas, as their
    servers have it in `remote_servers`. Default empty: one server. A trace lies on one shard, by
    its id; a question is put to all of them by any."""

    clickhouse_user: Annotated[str, text("a name")] = "default"
    """User at the ClickHouse server. Default `default`, as the server has it. It makes and drops
    databases whose names begin with `lymer`."""

    clickhouse_password_file: Annotated[Path | None, FILE] = None
    """File with the password of `clickhouse_user`. Default none: an empty password."""

    clickhouse_ca_file: Annotated[Path | None, FILE] = None
    """File with the certificates that a `https` server is trusted by, PEM. Default none: the
    system's."""


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """The journal: what makes an acknowledged span durable before it is loaded."""

    segment_bytes_max: Annotated[int, size(1 * _MIB, 256 * _MIB)] = 32 * _MIB
    """Size at which a segment is sealed and handed to the loader, in bytes. Default 32 MiB: about
    70,000 spans, one part in the store. Too small: many parts, many merges; too large: memory of
    the load grows with it (about 10 times the segment)."""

    segment_age_seconds_max: Annotated[float, duration(0.01, 60)] = 0.75
    """Age at which a segment is sealed although it is small, in seconds. Default 0.75 s: a span is
    searchable within about a second. Twice that for a trickle: several requests, together less than
    1 MiB. Too small: many parts and 0.05 s of processor time for each; too large: spans show up
    late."""

    backlog_bytes_max: Annotated[int, size(64 * _MIB, 1 * _TIB)] = 2 * _GIB
    """Bytes of sealed segments that may wait for the loader. Default 2 GiB: several minutes of
    full load. At the limit senders are told to retry. Too small: a long merge turns senders away;
    too large: the disk fills while the store is down."""

    backlog_seconds_max: Annotated[float, duration(1, 3600)] = 30
    """What may wait for the loader, as seconds of its work at the rate it had lately. Default 30 s:
    spans are searchable after so long at most. At the limit senders are told to retry. Too small:
    a burst is refused; too large: overload shows as delay, not as refusal."""


@dataclass(frozen=True, slots=True)
class QueryGrpcSettings:
    """Jaeger's query services over gRPC, api_v2 and api_v3."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether to listen at all. Default true, as Jaeger does."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.QUERY_GRPC
    """TCP port. Default 16685, Jaeger's; 0 takes any free one."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """The UI and the HTTP JSON API."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.QUERY_HTTP
    """TCP port. Default 16686, Jaeger's; 0 takes any free one."""

    base_path: Annotated[str, BASE_PATH] = ""
    """URL path that UI and API are served below, for a reverse proxy. Default none. Jaeger's
    `query.base-path`."""

    ui_config_file: Annotated[Path | None, FILE] = None
    """Settings of the UI in Jaeger's format: JSON, or a script whose name ends in `.js` and that
    defines `UIConfig`. Read at the start. Default none. Jaeger's `query.ui-config`."""

    ui_assets_path: Annotated[Path | None, FILE] = None
    """Folder of a built Jaeger UI (`index.html` and `static/`) that is served in place of our own.
    Read at the start. Default none. Jaeger's `query.static-files` and `query.ui.assets_path`."""

    max_clock_skew_adjust_seconds: Annotated[float, duration(0, _DAY)] = 0.0
    """Largest shift of a span to correct a host's wrong clock, in seconds; beyond it the span
    gets a warning instead. Default 0, Jaeger's: no span is moved. Too large: real gaps in time
    are hidden."""

    max_trace_size_spans: Annotated[int, count(0, 1_000_000_000, "spans")] = 0
    """Spans of one trace that are returned; the rest is cut off with a warning. Default 0: no
    limit, as large traces are never held as Python objects. Too small: incomplete traces."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""

    auth: AuthSettings = field(default_factory=AuthSettings)
    """Who may ask. Default everybody."""

    grpc: QueryGrpcSettings = field(default_factory=QueryGrpcSettings)
    """The same over gRPC."""


@dataclass(frozen=True, slots=True)
class TempoSettings:
    """Tempo's HTTP API, for Grafana. Who may ask is what `query.auth` says."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether to listen at all. Default true; the same is below `/tempo` on `query.port`."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.TEMPO_HTTP
    """TCP port. Default 3200, Tempo's; 0 takes any free one."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Ports that answer as other programs do."""

    tempo: TempoSettings = field(default_factory=TempoSettings)
    """Grafana Tempo."""


@dataclass(frozen=True, slots=True)
class SpanMetricsSettings:
    """Rate, errors and duration of spans, and the service graph, on `/metrics`."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether they are there, where the store is. Default true: they cost only when they are
    scraped, a statement over what came since. False shows Lymer's own metrics alone."""

    namespace: Annotated[str, METRIC_NAME] = "traces_span_metrics"
    """What their names begin with. Default `traces_span_metrics`, as the Collector's span-metrics
    connector has it and Jaeger asks for it (`--prometheus.query.namespace`)."""

    series_max: Annotated[int, count(1, 100_000, "series")] = 1_000
    """Operations with kind and status, and edges of the graph, that have series of their own; what
    comes after is counted together, with the label `otel_metric_overflow`. Default 1,000, about
    20 lines each. Too small: operations are missing; too large: scrapes take megabytes."""


@dataclass(frozen=True, slots=True)
class DeletionSettings:
    """Deleting traces on the admin port, which `lymer delete` asks for; only where the store is."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether it can be asked for. Default true. Never in the roles `query` and `agent`."""

    auth: AuthSettings = field(default_factory=AuthSettings)
    """Who may delete; `admin.auth` has no say in it. Default: whoever is on this machine, and
    nobody where the admin port can be reached from others."""


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """The admin port: metrics for Prometheus, and health as Jaeger v1 answers it."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.ADMIN_HTTP
    """TCP port. Default 14269, as Jaeger v1's all-in-one; 0 takes any free one."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""

    auth: AuthSettings = field(default_factory=AuthSettings)
    """Who may read metrics. Default everybody, as Jaeger's."""

    span_metrics: SpanMetricsSettings = field(default_factory=SpanMetricsSettings)
    """Metrics of spans."""

    deletion: DeletionSettings = field(default_factory=DeletionSettings)
    """Deleting traces."""


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """The health port, as Jaeger v2 answers it."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether to listen at all. Default true; false in the roles `agent` and `query`, whose admin
    port answers `/status` too."""

    host: Annotated[str, HOST] = "localhost"
    """Name or address to listen on. Default `listen_host`."""

    port: Annotated[int, count(0, 65535)] = ports.HEALTH_HTTP
    """TCP port. Default 13133, Jaeger v2's; 0 takes any free one."""

    tls: ListenerTlsSettings = field(default_factory=ListenerTlsSettings)
    """Its TLS."""

    auth: AuthSettings = field(default_factory=AuthSettings)
    """Who may ask for health. Default everybody, as Jaeger's."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What Lymer writes to standard error about itself."""

    level: Annotated[str, choice("debug", "info", "warning", "error")] = "info"
    """Least severity that is written. Default info: one line for each change of state, none for
    a span or a request. Debug is for us; error alone hides why senders are turned away."""

    encoding: Annotated[str, choice("console", "json")] = "console"
    """Form of a line. Default `console`, for people; `json` is for a log collector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration of one process."""

    listen_host: Annotated[str, HOST] = "localhost"
    """Host of every listener that has none of its own. Default localhost: nothing is reachable
    from other machines until somebody decides so. `0.0.0.0` is every address. Also read from
    `LYMER_LISTEN_HOST` and, as Jaeger does, from `JAEGER_LISTEN_HOST`."""

    tls: TlsSettings = field(default_factory=TlsSettings)
    """TLS of every listener that has none of its own."""

    storage: StorageSettings
    """The store."""

    journal: JournalSettings = field(default_factory=JournalSettings)
    """The journal."""

    receivers: ReceiverSettings = field(default_factory=ReceiverSettings)
    """The doors."""

    api: ApiSettings = field(default_factory=ApiSettings)
    """Ports that answer as other programs do."""

    query: QuerySettings = field(default_factory=QuerySettings)
    """UI and API."""

    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    """What clients are told about sampling."""

    admin: AdminSettings = field(default_factory=AdminSettings)
    """Metrics and Jaeger v1's health."""

    health: HealthSettings = field(default_factory=HealthSettings)
    """Jaeger v2's health."""

    storage_api: StorageApiSettings = field(default_factory=StorageApiSettings)
    """The store for other processes."""

    remote_storage: RemoteStorageSettings = field(default_factory=RemoteStorageSettings)
    """The store of another process."""

    agent: AgentSettings = field(default_factory=AgentSettings)
    """The agent."""

    collector: CollectorSettings = field(default_factory=CollectorSettings)
    """Whoever stores."""

    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    """Kafka between collector and ingester."""

    tail_sampling: TailSamplingSettings = field(default_factory=TailSamplingSettings)
    """What is dropped again."""

    tenancy: TenancySettings = field(default_factory=TenancySettings)
    """Whose spans are whose."""

    logs: LogSettings = field(default_factory=LogSettings)
    """Logs."""
