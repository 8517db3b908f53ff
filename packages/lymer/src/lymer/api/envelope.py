"""What stands around an answer: Jaeger's envelopes, as bytes.

Source: Jaeger v2.20, `jaegerquery/internal/http_handler.go` (`structuredResponse`) and
`apiv3/http_gateway.go` (`GRPCGatewayError`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import orjson
from starlette.responses import Response

from lymer.storage.caller import CALLER
from lymer.wire.jaeger_json import json_string

__all__ = [
    "envelope",
    "envelope_in_pieces",
    "error_response",
    "not_found_response",
    "pretty",
    "trace_not_found",
    "v3_error_response",
]

_ERROR_HEADERS: Final = {"x-content-type-options": "nosniff"}
_ERROR_TYPE: Final = "text/plain; charset=utf-8"


def envelope(data: bytes, *, total: int = 0, errors: Sequence[str] = ()) -> bytes:
    """Return `data` in the envelope of the legacy API.

    Args:
        data: JSON.
        total: Number of elements, for services and operations only.
        errors: JSON objects; none is `null`. An answer that is partial says so after them.
    """
    caller = CALLER.get()
    partial = [f'{{"msg":{json_string(one)}}}' for one in (caller.lacks if caller else ())]
    shown = f"[{','.join([*errors, *partial])}]" if errors or partial else "null"
    return b'{"data":%b,"total":%d,"limit":0,"offset":0,"errors":%b}' % (
        data,
        total,
        shown.encode(),
    )


def envelope_in_pieces(data: Iterable[bytes], *, errors: Sequence[str] = ()) -> Iterator[bytes]:
    """Yield what `envelope` returns, its data piece by piece."""
    yield envelope(b"\0").split(b"\0")[0]
    yield from data
    # Only now: reading the data may have met a shard that is away.
    yield envelope(b"\0", errors=errors).split(b"\0")[1]


def trace_not_found(trace_id: str) -> str:
    """Return the error object for one of several traces asked for, id as Jaeger prints it."""
    return f'{{"msg":"trace not found","traceID":{json_string(trace_id)}}}'


def error_response(
    status: int, message: str, *, retry_after_seconds: int = 0, place: Mapping[str, object] = {}
) -> Response:
    """Return an error of the legacy API: the envelope as text, as Go's `http.Error` sends it.

    `place` is where in a question it is; Jaeger's clients read over it.
    """
    error = f'{{"code":{status},"msg":{json_string(message)}}}'
    if place:
        error = f'{error[:-1]},"place":{orjson.dumps(place).decode()}}}'
    return _error(status, envelope(b"null", errors=[error]), retry_after_seconds)


def v3_error_response(status: int, message: str, *, retry_after_seconds: int = 0) -> Response:
    """Return an error of the v3 API, as grpc-gateway shapes it."""
    body = orjson.dumps({"error": {"httpCode": status, "message": message}})
    return _error(status, body, retry_after_seconds)


def not_found_response() -> Response:
    """Return what Go's router says of a path nobody serves."""
    return _error(404, b"404 page not found", 0)


def pretty(body: bytes) -> bytes:
    """Return JSON indented by four spaces, as Go's `MarshalIndent` does it."""
    return json.dumps(json.loads(body), indent=4, ensure_ascii=False).encode()


def _error(status: int, body: bytes, retry_after_seconds: int) -> Response:
    headers = dict(_ERROR_HEADERS)
    if retry_after_seconds:
        headers["retry-after"] = str(retry_after_seconds)
    return Response(body + b"\n", status, headers, media_type=_ERROR_TYPE)
