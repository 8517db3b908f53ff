"""Spans of the table that Jaeger keeps in Cassandra, as OTLP.

The table `traces` is read alone, by ranges of tokens: the tables beside it are indices of it. A
span's row has tags, logs, references and process as Jaeger's model has them, so it becomes OTLP
by the rules of `lymer.wire.jaeger_to_otlp`.

Source: Jaeger v1.76 and v2.20 `internal/storage/v1/cassandra` (`schema/v004.cql.tmpl`,
`spanstore/dbmodel`), `internal/storage/v2/cassandra/tracestore`.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from lymer.errors import LymerError, StartupError, UndecodableError
from lymer.transport.tls_client import ClientTls, ClientTlsOptions
from lymer.wire.jaeger_to_otlp import (
    CHILD_OF,
    Kind,
    Reference,
    Span,
    Tag,
    event_bytes,
    request_bytes,
    resource_bytes,
    span_bytes,
    tag,
    tag_bytes,
)
from lymer.wire.otlp_proto import CheckedRequest, check_request
from lymer.wire.span_rows import WARNINGS_KEY

__all__ = ["CassandraOptions", "JaegerCassandra", "request_from_rows"]

_PARTS: Final = 512
"""Ranges of tokens of one width: of a billion spans, two million are read again at most."""
_TOKEN_MIN: Final = -(2**63)
"""No row has it, so the first range begins behind it."""
_TOKEN_MAX: Final = 2**63 - 1
_PARTITIONER: Final = "org.apache.cassandra.dht.Murmur3Partitioner"
_ROWS_PER_PAGE: Final = 1_000
_CONNECT_SECONDS_MAX: Final = 10.0
_CALL_SECONDS_MAX: Final = 60.0
_TRIES_MAX: Final = 6
"""Of a page; waited for is 1, 2, 4, 8 and 16 seconds."""
_RECONNECT_SECONDS: Final = 2.0
_HALF: Final = 2**64 - 1

_LOCAL: Final = "SELECT partitioner FROM system.local"
_ROWS: Final = (
    "SELECT trace_id, span_id, parent_id, operation_name, flags, start_time, duration, tags, "
    "logs, refs, process FROM traces WHERE token(trace_id) > ? AND token(trace_id) <= ?"
)

_REFERENCES: Final = {"child-of": CHILD_OF, "follows-from": 1}
_VALUES: Final = {
    "string": (Kind.TEXT, "value_string", ""),
    "bool": (Kind.BOOL, "value_bool", False),
    "int64": (Kind.INT, "value_long", 0),
    "float64": (Kind.DOUBLE, "value_double", 0.0),
    "binary": (Kind.BYTES, "value_binary", b""),
}
"""Of each type: ours, the field that holds it, and what an empty field means."""
_WARNING_PREFIX: Final = "$$span.warning."
"""Keys of tags in which Jaeger v1 keeps warnings."""
_NO_SERVICE: Final = "OTLPResourceNoServiceName"
"""What Jaeger calls the service of a resource that names none; its tags are kept here."""

Told = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class CassandraOptions:
    """Where Jaeger's tables are, and how they are asked for."""

    servers: tuple[str, ...]
    """Names or addresses. Only they are asked, unless `local_dc` is named."""
    keyspace: str
    port: int = 9042
    username: str = ""
    password: str = ""
    local_dc: str = ""
    """All servers of this data center are asked; empty: those of `servers`."""
    consistency: str = "LOCAL_QUORUM"
    """How many replicas have to answer, by its name in CQL."""
    tls: ClientTlsOptions | None = None


class JaegerCassandra:
    """Jaeger's table of spans: a range of tokens is a part. `close` ends its threads."""

    def __init__(self, options: CassandraOptions) -> None:
        """Connect.

        Raises:
            StartupError: `cassandra-driver` is not installed, nobody answers, user and password
                are refused, or there is no such table.
        """
        try:
            from cassandra import (  # noqa: PLC0415 - an extra
                ConsistencyLevel,
                DriverException,
                OperationTimedOut,
                RequestExecutionException,
            )
            from cassandra.cluster import NoHostAvailable  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise StartupError(
                "cannot read from Cassandra: cassandra-driver is missing, install it with "
                "pip install 'lymer[cassandra]'"
            ) from error
        logging.getLogger("cassandra").setLevel(logging.CRITICAL)  # our errors say it once
        where = f" in data center {options.local_dc}" if options.local_dc else ""
        self._place: Final = f"Cassandra at {','.join(options.servers)}{where}"
        self._errors: Final = (DriverException, NoHostAvailable, RequestExecutionException, OSError)
        self._passing: Final = (NoHostAvailable, OperationTimedOut, RequestExecutionException)
        level = ConsistencyLevel.name_to_value.get(options.consistency.upper())
        if level is None:
            raise StartupError(f'"{options.consistency}" is no consistency level of Cassandra')
        self._cluster: Any = None
        try:
            self._cluster = _cluster(options, level)
            self._session = self._cluster.connect()
            self._check_partitioner()
            self._session.set_keyspace(options.keyspace)
            self._statement = self._session.prepare(_ROWS)
            self._statement.fetch_size = _ROWS_PER_PAGE
        except BaseException as error:
            self.close()
            if isinstance(error, self._errors):
                raise StartupError(f"cannot read from {self._place}: {_words(error)}") from error
            raise

    def close(self) -> None:
        """Leave it."""
        if self._cluster is not None:
            self._cluster.shutdown()

    def parts(self) -> Iterator[str]:
        """Yield ranges of tokens, each by the token before its first and its last one."""
        width = 2**64 // _PARTS
        for first in range(_TOKEN_MIN, _TOKEN_MAX, width):
            yield f"{first}..{min(first + width, _TOKEN_MAX)}"

    def read(self, part: str, told: Told) -> Iterator[CheckedRequest]:
        """Yield the spans whose trace ids have these tokens, those of a trace together."""
        first, last = map(int, part.split(".."))
        state = None
        while True:
            answer = self._page(first, last, state)
            yield from request_from_rows(answer.current_rows, told)
            state = answer.paging_state
            if state is None:
                return

    def _page(self, first: int, last: int, state: bytes | None) -> Any:
        """Ask, again and again while it passes: a node restarts, a queue is full."""
        wait_seconds = 1.0
        for number in range(1, _TRIES_MAX + 1):
            try:
                return self._session.execute(self._statement, (first, last), paging_state=state)
            except self._errors as error:
                if number == _TRIES_MAX or not isinstance(error, self._passing):
                    raise StartupError(f"{self._place} broke off: {_words(error)}") from error
            time.sleep(wait_seconds)
            wait_seconds *= 2
        raise AssertionError("the last try returns or raises")

    def _check_partitioner(self) -> None:
        (found,) = self._session.execute(_LOCAL).one()
        if found != _PARTITIONER:
            raise StartupError(f"cannot read from {self._place}: its partitioner is {found}")


def _cluster(options: CassandraOptions, level: int) -> Any:
    from cassandra.auth import PlainTextAuthProvider  # noqa: PLC0415 - an extra
    from cassandra.cluster import (  # noqa: PLC0415 - an extra
        EXEC_PROFILE_DEFAULT,
        Cluster,
        ExecutionProfile,
    )
    from cassandra.policies import (  # noqa: PLC0415 - an extra
        ConstantReconnectionPolicy,
        DCAwareRoundRobinPolicy,
        HostFilterPolicy,
        RoundRobinPolicy,
    )
    from cassandra.query import tuple_factory  # noqa: PLC0415 - an extra

    if options.local_dc:
        policy = DCAwareRoundRobinPolicy(options.local_dc)
    else:
        named = _addresses(options.servers)
        policy = HostFilterPolicy(RoundRobinPolicy(), lambda host: host.address in named)
    profile = ExecutionProfile(
        load_balancing_policy=policy,
        consistency_level=level,
        request_timeout=_CALL_SECONDS_MAX,
        row_factory=tuple_factory,
    )
    ssl_context = ssl_options = None
    if options.tls is not None:
        ssl_context = ClientTls(options.tls).context()
        if options.tls.server_name:
            ssl_options = {"server_hostname": options.tls.server_name}
    return Cluster(
        list(options.servers),
        port=options.port,
        auth_provider=PlainTextAuthProvider(options.username, options.password)
        if options.username
        else None,
        ssl_context=ssl_context,
        ssl_options=ssl_options,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        reconnection_policy=ConstantReconnectionPolicy(_RECONNECT_SECONDS, None),
        connect_timeout=_CONNECT_SECONDS_MAX,
        control_connection_timeout=_CONNECT_SECONDS_MAX,
        schema_metadata_enabled=False,
        token_metadata_enabled=False,
    )


def _addresses(servers: Sequence[str]) -> frozenset[str]:
    """Return the names as given, and all their addresses: the client calls a host either way."""
    found = set(servers)
    for server in servers:
        found |= {str(one[4][0]) for one in socket.getaddrinfo(server, None)}
    return frozenset(found)


def _words(error: BaseException) -> str:
    """Return what is wrong; what each host said if it was asked."""
    said = getattr(error, "errors", None)
    if isinstance(said, dict) and said:
        return "; ".join(f"{host}: {why}" for host, why in said.items())
    if said is not None:
        return "no server is there that may be asked"
    return str(error) or type(error).__name__


# ------------------------------------------------------------------------------------- rows


def request_from_rows(rows: Sequence[Sequence[Any]], told: Told) -> Iterator[CheckedRequest]:
    """Yield what rows say, in one request; those that are no spans are told.

    Args:
        rows: Columns as in `_ROWS`: trace_id, span_id, parent_id, operation_name, flags,
            start_time, duration, tags, logs, refs, process.
        told: Gets the span's ids and what is wrong with it.
    """
    by_resource: dict[bytes, list[Span]] = {}
    for row in rows:
        try:
            resource, span = _span(row)
        except (LymerError, AttributeError, TypeError, ValueError, OverflowError) as error:
            trace_id = bytes(row[0] or b"").hex()
            told(f"trace {trace_id}, span {(row[1] or 0) & _HALF:016x}", str(error))
        else:
            by_resource.setdefault(resource, []).append(span)
    if by_resource:
        made = b"".join(request_bytes(resource, spans) for resource, spans in by_resource.items())
        yield check_request(made)


def _span(row: Sequence[Any]) -> tuple[bytes, Span]:
    """Return the resource of a row, and its span."""
    trace_id, span_id, parent_id, name, flags, start, duration, tags, logs, refs, process = row
    own = Reference(0, *_halves(trace_id), span_id & _HALF)
    began = max(start or 0, 0) * 1_000
    made, warnings = [], []
    for one in tags or ():
        if one.key is not None and one.key.startswith(_WARNING_PREFIX):
            warnings.append(one.value_string or "")
        else:
            made.append(_tag(one))
    if warnings:
        made.append(_warnings_tag(warnings))
    span = span_bytes(
        own,
        (parent_id or 0) & _HALF,
        (name or "").encode(),
        (began, began + max(duration or 0, 0) * 1_000),
        made,
        [event_bytes(max(log.ts or 0, 0) * 1_000, _tags(log.fields)) for log in logs or ()],
        [_reference(one) for one in refs or ()],
        flags=(flags or 0) & 0xFFFFFFFF,
    )
    if process is None:
        return resource_bytes(b"", ()), span
    service = process.service_name or ""
    named = b"" if service == _NO_SERVICE else service.encode()
    return resource_bytes(named, _tags(process.tags)), span


def _tags(sent: Sequence[Any] | None) -> list[Tag]:
    return [_tag(one) for one in sent or ()]


def _tag(sent: Any) -> Tag:
    known = _VALUES.get(sent.value_type)
    if known is None:
        raise UndecodableError(f"cannot read tag {sent.key!r}: its type is {sent.value_type!r}")
    kind, field, empty = known
    value = getattr(sent, field)
    if value is None:
        value = empty
    return tag((sent.key or "").encode(), kind, value.encode() if kind == Kind.TEXT else value)


def _warnings_tag(warnings: Sequence[str]) -> Tag:
    values = ArrayValue(values=[AnyValue(string_value=one) for one in warnings])
    made = KeyValue(key=WARNINGS_KEY, value=AnyValue(array_value=values))
    return tag_bytes(made.SerializeToString())


def _reference(sent: Any) -> Reference:
    kind = _REFERENCES.get(sent.ref_type)
    if kind is None:
        raise UndecodableError(f"cannot read a reference: its type is {sent.ref_type!r}")
    return Reference(kind, *_halves(sent.trace_id), sent.span_id & _HALF)


def _halves(trace_id: bytes) -> tuple[int, int]:
    if len(trace_id) != 16:
        raise UndecodableError(f"cannot read a trace id: it has {len(trace_id)} bytes, not 16")
    return int.from_bytes(trace_id[:8]), int.from_bytes(trace_id[8:])
