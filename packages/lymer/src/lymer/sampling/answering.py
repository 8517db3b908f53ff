"""What is said to whoever asks for a strategy, over HTTP and gRPC; no transport.

Source: Jaeger 1.76, `internal/sampling/http/handler.go` (statuses and texts); reference jaeger.md
3.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from lymer.errors import LymerError
from lymer.sampling.strategies import Strategy, StrategyProvider
from lymer.sampling.strategy_json import to_legacy_json, to_proto_json
from lymer.sampling.strategy_proto import decode_parameters, encode_strategy
from lymer.telemetry.sampling_metrics import SamplingMetrics

__all__ = ["HttpAnswer", "StrategyAnswers"]

_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"
_NO_SNIFFING: Final = (b"x-content-type-options", b"nosniff")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One HTTP answer."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Further ones."""


class StrategyAnswers:
    """Asks a provider and says what it said, in the words of the asking client."""

    def __init__(self, provider: StrategyProvider, metrics: SamplingMetrics) -> None:
        """Remember whom to ask and where to count."""
        self._provider = provider
        self._metrics = metrics

    async def any_path(self, method: str, path: str, query_string: bytes) -> HttpAnswer:
        """Answer a request to port 5778.

        Every path and method has protobuf's JSON, as in Jaeger v2, with two exceptions from
        Jaeger's agent: `GET /` has the JSON of thrift, which is what the clients that ask there
        read, and baggage restrictions there are none.
        """
        if method == "GET" and path == "/baggageRestrictions":
            return self._no_baggage(query_string)
        if method == "GET" and path == "/":
            return await self._http(query_string, to_legacy_json, "sampling-legacy")
        return await self.sampling(query_string)

    async def sampling(self, query_string: bytes) -> HttpAnswer:
        """Answer a request for protobuf's JSON, such as `GET /api/sampling` of port 14268."""
        return await self._http(query_string, to_proto_json, "sampling")

    async def rpc(self, body: bytes) -> bytes:
        """Answer `SamplingManager/GetSamplingStrategy`.

        Raises:
            LymerError: The request is unreadable, or the provider does not know now.
        """
        try:
            answer = encode_strategy(await self._provider.get_strategy(decode_parameters(body)))
        except LymerError:
            self._metrics.rpcs.labels("error").inc()
            raise
        self._metrics.rpcs.labels("ok").inc()
        return answer

    async def _http(
        self, query_string: bytes, encode: Callable[[Strategy], bytes], kind: str
    ) -> HttpAnswer:
        services = _services(query_string)
        if len(services) != 1:
            return self._bad_request()
        try:
            strategy = await self._provider.get_strategy(services[0])
        except LymerError as error:
            return self._failure(str(error))
        self._metrics.http_requests.labels(kind).inc()
        return HttpAnswer(200, _JSON, encode(strategy))

    def _no_baggage(self, query_string: bytes) -> HttpAnswer:
        if len(_services(query_string)) != 1:
            return self._bad_request()
        return self._failure("baggage not implemented")

    def _bad_request(self) -> HttpAnswer:
        self._metrics.http_errors.labels("4xx", "all").inc()
        return _text(400, "'service' parameter must be provided once")

    def _failure(self, cause: str) -> HttpAnswer:
        self._metrics.http_errors.labels("5xx", "collector-proxy").inc()
        return _text(500, f"collector error: {cause}")


def _services(query_string: bytes) -> list[str]:
    return parse_qs(query_string.decode("latin-1"), keep_blank_values=True).get("service", [])


def _text(status: int, text: str) -> HttpAnswer:
    """Return what Go's `http.Error` makes."""
    return HttpAnswer(status, _TEXT, f"{text}\n".encode(), (_NO_SNIFFING,))
