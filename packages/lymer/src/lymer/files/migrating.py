"""Spans of another tracing store, a part at a time: what `lymer migrate` reads.

A source is cut into parts that can be read again alone: an index of Elasticsearch, an hour of a
store that speaks `jaeger.storage.v2` or of Jaeger's table in ClickHouse. Whoever moves spans
remembers which parts are done; spans that are read twice are known by the importer.

Source: Jaeger v2.20 `internal/storage/v2/grpc`, `internal/storage/elasticsearch`; reference
jaeger.md 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol
from urllib.parse import SplitResult, quote, unquote, urlsplit

import grpc
import orjson

from lymer.errors import LymerError, StartupError
from lymer.files.http_source import HttpSource
from lymer.files.jaeger_clickhouse import JaegerClickHouse
from lymer.wire.jaeger_document import request_from_jaeger_span
from lymer.wire.jaeger_storage_proto import STORAGE, TRACES
from lymer.wire.otlp_proto import CheckedRequest, check_request

__all__ = ["Source", "Told", "open_source"]

_HOUR_NANO: Final = 3_600 * 10**9
_NANO: Final = 10**9
_IDS_MAX: Final = 1_000
"""Traces asked for at once; if there are so many, the time is halved."""
_TRACES_PER_READ: Final = 50
_NARROWEST_NANO: Final = 1_000_000
_DOCUMENTS_PER_PAGE: Final = 2_000
_SCROLL: Final = "5m"
_CALL_SECONDS_MAX: Final = 300.0
_MESSAGE_BYTES_MAX: Final = 512 * 2**20

Told = Callable[[str, str], None]
"""Gets a place and what is wrong with it."""


class Source(Protocol):
    """A store that is read."""

    def parts(self) -> Iterator[str]:
        """Yield the names of its parts."""

    def read(self, part: str, told: Told) -> Iterator[CheckedRequest]:
        """Yield the spans of a part; what cannot be read is told.

        Raises:
            StartupError: Nobody answers, or it refuses.
        """


def open_source(url: str, first_unix_nano: int, end_unix_nano: int, *, tenant: str = "") -> Source:
    """Return the store at `url`.

    Args:
        url: `grpc://HOST:17271` or `grpcs://` for `jaeger.storage.v2`, `http://HOST:9200` or
            `https://` for Elasticsearch or OpenSearch, with the prefix of its indices as path;
            `clickhouse://HOST:8123` or `clickhouses://` for Jaeger's table in ClickHouse, with
            its database as path. A user and a password may stand in the last two.
        first_unix_nano: Where time begins, for stores that are read by time.
        end_unix_nano: Where it ends.
        tenant: Header x-tenant of questions.

    Raises:
        StartupError: It is no such address.
    """
    parts = urlsplit(url)
    if parts.scheme in {"grpc", "grpcs"} and parts.hostname:
        return _JaegerStorage(
            parts.netloc, first_unix_nano, end_unix_nano, tenant, is_secure=parts.scheme == "grpcs"
        )
    if parts.scheme in {"http", "https"} and parts.hostname:
        return _Elasticsearch(parts)
    if parts.scheme in {"clickhouse", "clickhouses"} and parts.hostname:
        return JaegerClickHouse(parts, is_secure=parts.scheme == "clickhouses")
    raise StartupError(
        f'cannot read from "{url}": a source is grpc://HOST:17271 (jaeger.storage.v2), '
        "http://HOST:9200 (Elasticsearch, OpenSearch), clickhouse://HOST:8123 or cassandra://HOST "
        "(Jaeger's tables), or another Lymer: lymer://HOST:16686, or its data folder when it is "
        "stopped"
    )


# ------------------------------------------------------------------------- jaeger.storage.v2


class _JaegerStorage:
    """Any store behind `jaeger.storage.v2`: an hour is a part."""

    def __init__(self, target: str, first: int, end: int, tenant: str, *, is_secure: bool) -> None:
        options = [("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX)]
        self._channel = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
            if is_secure
            else grpc.insecure_channel(target, options)
        )
        self._target = target
        self._first, self._end = first, end
        self._metadata = (("x-tenant", tenant),) if tenant else ()
        self._services: list[str] = []

    def parts(self) -> Iterator[str]:
        """Yield hours since 1970, the newest first: what is asked for most is there first."""
        answer = b"".join(self._ask("GetServices", STORAGE["GetServicesRequest"]()))
        self._services = sorted(STORAGE["GetServicesResponse"].FromString(answer).services)
        for hour in range(self._end // _HOUR_NANO, self._first // _HOUR_NANO - 1, -1):
            yield str(hour)

    def read(self, part: str, told: Told) -> Iterator[CheckedRequest]:
        """Yield the traces that have a span in that hour."""
        first = int(part) * _HOUR_NANO
        ids: dict[bytes, None] = {}
        for service in self._services:
            for one in self._ids(service, first, first + _HOUR_NANO - 1, told):
                ids[one] = None
        wanted = list(ids)
        for place in range(0, len(wanted), _TRACES_PER_READ):
            some = wanted[place : place + _TRACES_PER_READ]
            question = STORAGE["GetTracesRequest"]()
            for one in some:
                question.query.add(trace_id=one)
            for answer in self._ask("GetTraces", question):
                try:
                    yield check_request(answer)
                except LymerError as error:
                    told(f"traces of hour {part}", str(error))

    def _ids(self, service: str, first: int, last: int, told: Told) -> Iterator[bytes]:
        """Yield the traces that a service has in a time, however many there are."""
        question = STORAGE["FindTraceIDsRequest"]()
        query = question.query
        query.service_name, query.search_depth = service, _IDS_MAX
        for instant, nano in ((query.start_time_min, first), (query.start_time_max, last)):
            instant.seconds, instant.nanos = divmod(nano, _NANO)
        found: list[bytes] = []
        for answer in self._ask("FindTraceIDs", question):
            parsed = STORAGE["FindTraceIDsResponse"].FromString(answer)
            found += [one.trace_id for one in parsed.trace_ids]
        if len(found) >= _IDS_MAX and last - first > _NARROWEST_NANO:
            middle = (first + last) // 2
            yield from self._ids(service, first, middle, told)
            yield from self._ids(service, middle + 1, last, told)
            return
        if len(found) >= _IDS_MAX:
            told(f"{service}, {first}", f"more than {_IDS_MAX} traces in a millisecond")
        yield from found

    def _ask(self, method: str, question: Any) -> Iterator[bytes]:
        channel: Any = self._channel
        kind = channel.unary_unary if method == "GetServices" else channel.unary_stream
        call = kind(f"/{TRACES}/{method}")
        sent = question.SerializeToString()
        try:
            answer = call(sent, timeout=_CALL_SECONDS_MAX, metadata=self._metadata)
            yield from [answer] if method == "GetServices" else answer
        except grpc.RpcError as error:
            words = f"{error.code().name}: {error.details()}"
            raise StartupError(f"{self._target} does not answer {method}: {words}") from error


# ----------------------------------------------------------------------------- Elasticsearch


class _Elasticsearch:
    """Jaeger's indices of spans: an index is a part."""

    def __init__(self, address: SplitResult) -> None:
        self._source = HttpSource(address, port=9200, is_secure=address.scheme == "https")
        self._prefix = unquote(address.path.strip("/"))

    def parts(self) -> Iterator[str]:
        """Yield the names of indices, the newest first."""
        names = f"{self._prefix}*jaeger-span-*" if self._prefix else "*jaeger-span-*"
        answer = self._ask("GET", f"/{quote(names, safe='*-')}/_settings/index.uuid")
        yield from sorted(answer, reverse=True)

    def read(self, part: str, told: Told) -> Iterator[CheckedRequest]:
        """Yield the spans of an index, as they lie."""
        question = {"size": _DOCUMENTS_PER_PAGE, "sort": ["_doc"], "query": {"match_all": {}}}
        page = self._ask("POST", f"/{quote(part, safe='')}/_search?scroll={_SCROLL}", question)
        while True:
            hits = page["hits"]["hits"]
            bodies = []
            span_count = 0
            for hit in hits:
                try:
                    made = request_from_jaeger_span(hit["_source"])
                except LymerError as error:
                    told(f"{part}/{hit['_id']}", str(error))
                else:
                    bodies.append(made.body)
                    span_count += made.span_count
            if bodies:
                yield CheckedRequest(b"".join(bodies), span_count)
            scroll = {"scroll": _SCROLL, "scroll_id": page["_scroll_id"]}
            if not hits:
                self._ask("DELETE", "/_search/scroll", {"scroll_id": page["_scroll_id"]})
                return
            page = self._ask("POST", "/_search/scroll", scroll)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        sent = None if body is None else orjson.dumps(body)
        with self._source.ask(method, path, sent) as answer:
            return orjson.loads(answer.read())
