"""Traced HTTP between demo services, on the standard library: a server and a client.

Span names and attributes follow the semantic conventions for HTTP spans; the context travels in
the `traceparent` header. Source: opentelemetry.io, "Semantic conventions for HTTP spans" 1.40.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, TypeAlias, cast

from opentelemetry.propagate import extract, inject
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

__all__ = ["Fields", "HttpPeer", "Request", "Response", "Route", "ShopError", "serve_http"]

Fields: TypeAlias = dict[str, Any]
"""A JSON object."""

_TIMEOUT_SECONDS: Final = 10.0
_BODY_BYTES_MAX: Final = 1 << 16


class ShopError(Exception):
    """Something a customer hears about."""

    def __init__(self, status: int, message: str) -> None:
        """Remember the HTTP status it becomes."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler is given."""

    params: Mapping[str, str]
    """Values of the route's `{names}`."""
    body: Fields
    """The JSON object in the body, or an empty one."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a handler answers."""

    body: Fields
    """Sent as JSON."""
    status: int = 200
    """HTTP status."""


@dataclass(frozen=True, slots=True)
class Route:
    """One path of a server."""

    method: str
    """HTTP method."""
    template: str
    """Path with `{names}` in it."""
    answer: Callable[[Request], Response]
    """Called with the request inside the server span."""
    pattern: re.Pattern[str] = field(init=False)
    """The template as a regular expression."""

    def __post_init__(self) -> None:
        """Compile the template."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template)
        object.__setattr__(self, "pattern", re.compile(pattern))


def serve_http(tracer: Tracer, routes: tuple[Route, ...]) -> ThreadingHTTPServer:
    """Return a server on a free port of the loopback; run it with `serve_forever`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            route, params = _find_route(routes, self.command, self.path)
            size = min(int(self.headers.get("Content-Length") or 0), _BODY_BYTES_MAX)
            content = self.rfile.read(size) if size else b"{}"
            with tracer.start_as_current_span(
                f"{self.command} {route.template}" if route else self.command,
                context=extract(dict(self.headers.items())),
                kind=SpanKind.SERVER,
                attributes=self._describe(route),
            ) as span:
                response = _answer(route, Request(params, json.loads(content)), span)
                self._send(response)

        def _describe(self, route: Route | None) -> dict[str, str | int]:
            host, port = cast("tuple[str, int]", self.server.server_address)
            attributes: dict[str, str | int] = {
                "http.request.method": self.command,
                "url.path": self.path,
                "url.scheme": "http",
                "server.address": host,
                "server.port": port,
                "client.address": str(self.client_address[0]),
                "network.protocol.version": "1.1",
                "user_agent.original": self.headers.get("User-Agent", ""),
            }
            return attributes | ({"http.route": route.template} if route else {})

        def _send(self, response: Response) -> None:
            content = json.dumps(response.body).encode()
            self.send_response(response.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing: the traces do."""

    return _Server(("127.0.0.1", 0), Handler)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of customers who leave before they are answered."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _find_route(
    routes: tuple[Route, ...], method: str, path: str
) -> tuple[Route | None, dict[str, str]]:
    for route in routes:
        match = route.pattern.fullmatch(path)
        if match and route.method == method:
            return route, match.groupdict()
    return None, {}


def _answer(route: Route | None, request: Request, span: Span) -> Response:
    try:
        if route is None:
            raise ShopError(404, "no such page")  # noqa: TRY301 - one place turns errors to answers
        response = route.answer(request)
    except ShopError as error:
        # By the conventions a 4xx is no error of the server; what breaks an order is one to us.
        if error.status >= 500 or error.status == 402:
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, str(error)))
        if error.status >= 400:
            span.set_attribute("error.type", str(error.status))
        response = Response({"error": str(error)}, error.status)
    span.set_attribute("http.response.status_code", response.status)
    return response


class HttpPeer:
    """A service to call; one connection for each call, as threads come and go."""

    def __init__(self, tracer: Tracer, address: str) -> None:
        """Call the service at `address`, HOST:PORT."""
        self._tracer = tracer
        self._host, _, port = address.rpartition(":")
        self._port = int(port)

    def call(self, method: str, path: str, template: str, body: Fields | None = None) -> Fields:
        """Call `path` and return the JSON object it answers.

        Args:
            method: HTTP method.
            path: Path with its values.
            template: The path with `{names}` in place of values, for the span's name.
            body: JSON object to send.

        Raises:
            ShopError: With the status the service answered, 502 if it did not answer.
        """
        with self._tracer.start_as_current_span(
            f"{method} {template}",
            kind=SpanKind.CLIENT,
            attributes={
                "http.request.method": method,
                "url.full": f"http://{self._host}:{self._port}{path}",
                "url.template": template,
                "server.address": self._host,
                "server.port": self._port,
            },
        ) as span:
            try:
                status, answer = self._exchange(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                span.set_attribute("error.type", type(error).__name__)
                raise ShopError(502, f"{template} did not answer") from error
            span.set_attribute("http.response.status_code", status)
            if status >= 400:
                span.set_attribute("error.type", str(status))
                span.set_status(Status(StatusCode.ERROR, f"HTTP {status}"))
        if status >= 400:
            raise ShopError(status, str(answer.get("error", "")))
        return answer

    def _exchange(self, method: str, path: str, body: Fields | None) -> tuple[int, Fields]:
        headers = {"Content-Type": "application/json", "User-Agent": "shop-client/1.0"}
        inject(headers)
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_SECONDS)
        try:
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()
