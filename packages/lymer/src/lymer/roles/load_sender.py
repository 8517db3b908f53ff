"""Sending OTLP requests as a well-behaved client does: one connection, replies told apart."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol, cast
from urllib.parse import SplitResult, urlsplit

from lymer.errors import StartupError

__all__ = ["GrpcSender", "HttpSender", "Outcome", "Reply", "Sender", "ask_if_stored", "open_sender"]

_TIMEOUT_SECONDS: Final = 30.0
"""Longest wait for one reply; OTLP's default is 10, a server under full load may need more."""

_STORED_SECONDS: Final = 90.0
"""The server itself waits for a minute until what it took is stored."""

_RETRYABLE_STATUS: Final = frozenset({429, 502, 503, 504})
"""Source: OTLP specification, OTLP/HTTP response, "Retryable Response Codes"."""

_GATEWAYS: Final = frozenset({502, 504})
"""Said by somebody between us and the server, who does not know."""

_RETRYABLE_CODES: Final = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
)
"""Source: OTLP specification, OTLP/gRPC, "Failures". RESOURCE_EXHAUSTED only with RetryInfo."""

_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Outcome(Enum):
    """What became of a request."""

    ACCEPTED = "accepted"
    """The server took it, though maybe not every span."""
    RETRY = "retry"
    """The same request may succeed later."""
    REFUSED = "refused"
    """It must not be sent again."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer, or the lack of one."""

    outcome: Outcome
    refused_spans: int = 0
    """Spans of an accepted request that the server would not take (partial success)."""
    retry_after_seconds: float | None = None
    """How long the server asked us to wait, in seconds; None if it did not say."""
    message: str = ""
    """The server's words, or the connection's error."""
    is_answer: bool = True
    """Whether the server said so; else it may have taken the request."""


class Sender(Protocol):
    """One connection to a server; used by one thread."""

    def send(self, body: bytes, /) -> Reply:
        """Send one `ExportTraceServiceRequest` and wait for the reply; never raises for it."""

    def close(self) -> None:
        """Close the connection."""


def open_sender(endpoint: str, protocol: str, headers: dict[str, str]) -> Sender:
    """Return a sender to `endpoint`, an http:// or https:// address, over `protocol`.

    Args:
        endpoint: Base address; over HTTP, `/v1/traces` is added unless it names a path.
        protocol: `http/protobuf` or `grpc`, OTLP's own names.
        headers: Sent with every request, such as a tenant or a token.

    Raises:
        StartupError: If the address is none.
    """
    url = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise StartupError(f'cannot send to "{endpoint}": it must be http://HOST:PORT')
    return GrpcSender(url, headers) if protocol == "grpc" else HttpSender(url, headers)


def ask_if_stored(endpoint: str, headers: dict[str, str]) -> bool | None:
    """Wait until all that a Lymer at `endpoint` has taken is stored, as long as it lets us.

    Returns:
        Whether it is; None if whoever is there does not know.
    """
    url = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    connection = _connection(url, _STORED_SECONDS)
    try:
        connection.request("GET", "/api/lymer/v1/stored", headers=headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    if status in _RETRYABLE_STATUS:
        return False
    return True if status == 204 else None


def _connection(url: SplitResult, seconds_max: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return kind(url.hostname or "", url.port or 4318, timeout=seconds_max)


class HttpSender:
    """OTLP/HTTP with protobuf bodies over one persistent connection."""

    def __init__(self, url: SplitResult, headers: dict[str, str]) -> None:
        """Connect at the first request."""
        self._connection = _connection(url, _TIMEOUT_SECONDS)
        self._path = url.path.rstrip("/") or "/v1/traces"
        self._headers = {"Content-Type": "application/x-protobuf", **headers}

    def send(self, body: bytes, /) -> Reply:
        """POST `body`."""
        try:
            self._connection.request("POST", self._path, body, self._headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            # The next request connects again.
            self._connection.close()
            message = str(error) or type(error).__name__
            return Reply(Outcome.RETRY, message=message, is_answer=False)
        if response.status == 200:
            return _accepted(content)
        message = f"HTTP {response.status}: {content[:200].decode('utf-8', 'replace')}"
        if response.status not in _RETRYABLE_STATUS:
            return Reply(Outcome.REFUSED, message=message)
        after = response.getheader("Retry-After", "")
        # The other form, an HTTP date, has no business between two machines of one system.
        return Reply(
            Outcome.RETRY,
            retry_after_seconds=float(after) if after.isdecimal() else None,
            message=message,
            is_answer=response.status not in _GATEWAYS,
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class GrpcSender:
    """OTLP/gRPC; bodies go through as they are."""

    def __init__(self, url: SplitResult, headers: dict[str, str]) -> None:
        """Open a channel of its own, not one shared with other senders of this process."""
        import grpc

        self._rpc_error = grpc.RpcError
        target = f"{url.hostname}:{url.port or 4317}"
        options = (("grpc.use_local_subchannel_pool", 1),)
        if url.scheme == "https":
            credentials = grpc.ssl_channel_credentials()
            self._channel = grpc.secure_channel(target, credentials, options)
        else:
            self._channel = grpc.insecure_channel(target, options)
        self._export = self._channel.unary_unary(_EXPORT, bytes, bytes)
        self._metadata = tuple((name.lower(), value) for name, value in headers.items())

    def send(self, body: bytes, /) -> Reply:
        """Call Export with `body`."""
        try:
            content = self._export(body, timeout=_TIMEOUT_SECONDS, metadata=self._metadata)
        except self._rpc_error as error:
            call = cast("Any", error)
            code, message = call.code().name, f"{call.code().name}: {call.details()}"
            after = _retry_delay_seconds(call.trailing_metadata() or ())
            exhausted_for_now = code == "RESOURCE_EXHAUSTED" and after is not None
            retry = code in _RETRYABLE_CODES or exhausted_for_now
            outcome = Outcome.RETRY if retry else Outcome.REFUSED
            return Reply(outcome, retry_after_seconds=after, message=message)
        return _accepted(content)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


def _accepted(content: bytes) -> Reply:
    if not content:
        return Reply(Outcome.ACCEPTED)
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        partial = ExportTraceServiceResponse.FromString(content).partial_success
    except DecodeError as error:
        return Reply(Outcome.ACCEPTED, message=f"cannot decode the reply: {error}")
    return Reply(
        Outcome.ACCEPTED, refused_spans=partial.rejected_spans, message=partial.error_message
    )


def _retry_delay_seconds(metadata: tuple[tuple[str, str | bytes], ...]) -> float | None:
    """Return the delay of a `google.rpc.RetryInfo` in the status details, or None."""
    from google.protobuf.message import DecodeError
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status

    for key, value in metadata:
        if key != "grpc-status-details-bin" or not isinstance(value, bytes):
            continue
        try:
            details = Status.FromString(value).details
            for detail in details:
                retry = RetryInfo()
                if detail.Unpack(retry):
                    return float(retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9)
        except DecodeError:
            return None
    return None
