"""Addresses to listen on, and servers on them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address
from typing import Any, Final, Protocol

import grpc
import uvicorn
from starlette.types import ASGIApp

from lymer import clock
from lymer.config.security import CorsSettings, ListenerTlsSettings
from lymer.errors import StartupError
from lymer.roles.securing import Security
from lymer.transport.cors import CorsOptions, refusing_foreign_pages, with_cors
from lymer.transport.gate import Gate
from lymer.transport.grpc_calls import CallServer
from lymer.transport.http1 import Http1
from lymer.transport.http_gate import behind_gate
from lymer.transport.tls_front import TlsFront
from lymer.transport.tls_server import ServerTls

__all__ = [
    "REQUEST_GRACE_SECONDS",
    "GrpcServer",
    "HttpServer",
    "Listener",
    "Ports",
    "addresses",
    "listen",
    "taken",
]

_BACKLOG = 2048
REQUEST_GRACE_SECONDS: Final = 5
"""Running requests may end so long after the signal."""


def addresses(host: str, what: str) -> list[str]:
    """Return the IP addresses `host` stands for; `localhost` is both loopbacks, where they exist.

    Raises:
        StartupError: The name is not known.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        message = f"cannot listen for {what}: the host {host!r} is not known ({error.strerror})"
        raise StartupError(message) from error
    return sorted({str(entry[4][0]) for entry in found if _is_usable(entry[0])})


def _is_usable(family: int) -> bool:
    if family != socket.AF_INET6:
        return True
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def listen(
    host: str,
    port: int,
    what: str,
    setting: str,
    *,
    kind: socket.SocketKind = socket.SOCK_STREAM,
) -> list[socket.socket]:
    """Return listening sockets, one per address of `host`; port 0 picks one port for all.

    Args:
        host: Name or address.
        port: Number.
        what: Whose it is, for people.
        setting: Path of the setting that moves it.
        kind: Stream for TCP, datagram for UDP; the latter are bound only.

    Raises:
        StartupError: An address cannot be had; the message says whose it is and what to do.
    """
    sockets: list[socket.socket] = []
    try:
        for address in addresses(host, what):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = socket.socket(family, kind)
            sockets.append(listener)
            if kind == socket.SOCK_STREAM:
                # For a port of a process that ended just now; with UDP it would share a port.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                listener.bind((address, port))
                if kind == socket.SOCK_STREAM:
                    listener.listen(_BACKLOG)
            except OSError as error:
                raise taken(address, port, what, setting, error) from error
            listener.settimeout(0)
            port = listener.getsockname()[1]
    except StartupError:
        for listener in sockets:
            listener.close()
        raise
    return sockets


def taken(address: str, port: int, what: str, setting: str, error: OSError) -> StartupError:
    """Return the error that says why an address cannot be had."""
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    advice = f"choose another port with --set {setting}=PORT"
    if error.errno == errno.EADDRINUSE:
        reason = "another program has that port"
        advice = f"stop that program or {advice}"
    else:
        reason = error.strerror or str(error)
    return StartupError(f"cannot listen for {what} on {place}: {reason}; {advice}")


class GrpcServer(Protocol):
    """A gRPC server that is not started."""

    def bind(self, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listen on `address`, encrypted with `credentials` if there are; return the port."""

    async def start(self) -> None:
        """Begin to serve."""

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let running ones end within `grace_seconds`."""


def _bind_grpc(
    server: GrpcServer,
    settings: Listener,
    what: str,
    setting: str,
    credentials: grpc.ServerCredentials | None,
) -> int:
    # gRPC does not say why it cannot bind, so the question is put to the system first.
    port = settings.port
    for probe in listen(settings.host, port, what, setting):
        probe.close()
    for address in addresses(settings.host, what):
        place = f"[{address}]" if ":" in address else address
        try:
            port = server.bind(f"{place}:{port}", credentials)
        except RuntimeError as error:
            raise taken(address, port, what, setting, OSError(str(error))) from error
    return port


class HttpServer(uvicorn.Server):
    """A uvicorn server that leaves signals and the event loop to the role."""

    def __init__(
        self,
        app: ASGIApp,
        sockets: list[socket.socket],
        *,
        grace_seconds: int,
        context: ssl.SSLContext | None = None,
        calls: CallServer | None = None,
    ) -> None:
        """Prepare to serve `app` on `sockets`, encrypted with `context` if there is one.

        Connections of HTTP/2 go to `calls`.
        """
        speaker: Any = Http1 if calls is None else partial(Http1, h2=calls.connection)
        super().__init__(
            uvicorn.Config(
                app,
                http=speaker,
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_keep_alive=60,
                timeout_graceful_shutdown=grace_seconds,
                backlog=_BACKLOG,
                ssl_context_factory=None if context is None else lambda *_: context,
            )
        )
        self._listeners = sockets
        self._stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the role handles them for all its servers."""
        yield

    async def run_until_stopped(self) -> None:
        """Serve until `stop`."""
        await self.serve(sockets=self._listeners)

    def stop(self) -> None:
        """Refuse new connections and let running requests end."""
        self.should_exit = True
        self._stopping.set()

    async def main_loop(self) -> None:
        """Renew what all answers say, such as the date, each second until `stop`.

        The library's own asks ten times a second whether to stop: with ten servers that stop one
        after another, it is a second before the last one knows.
        """
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is idle, and return as soon as no request runs, or its grace is over."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        ends = clock.monotonic_seconds() + (self.config.timeout_graceful_shutdown or 0)
        while (  # noqa: ASYNC110
            state.connections or state.tasks
        ) and clock.monotonic_seconds() < ends:
            await asyncio.sleep(0.005)  # the library's sets, asked only while stopping
        for task in state.tasks:
            task.cancel()


def _serve(
    stack: contextlib.AsyncExitStack,
    app: ASGIApp,
    sockets: list[socket.socket],
    what: str,
    context: ssl.SSLContext | None,
    calls: CallServer | None = None,
) -> None:
    server = HttpServer(
        app, sockets, grace_seconds=REQUEST_GRACE_SECONDS, context=context, calls=calls
    )
    task = asyncio.create_task(server.run_until_stopped(), name=what)

    async def stop() -> None:
        server.stop()
        await task

    stack.push_async_callback(stop)


class Listener(Protocol):
    """Settings of something that listens."""

    @property
    def host(self) -> str:
        """Name or address."""

    @property
    def port(self) -> int:
        """Number; 0 is any free one."""

    @property
    def tls(self) -> ListenerTlsSettings:
        """Its encryption."""


class Ports:
    """TCP ports of a role, each known by what it is for; taken early, served later.

    Each is encrypted if its settings, or the shared ones, say so.
    """

    def __init__(self, stack: contextlib.AsyncExitStack, security: Security) -> None:
        """Close all that will be taken when `stack` unwinds."""
        self._stack = stack
        self.security: Final = security
        self._sockets: dict[str, list[socket.socket]] = {}
        self._tls: dict[str, ServerTls] = {}
        self._gates: dict[str, Gate | None] = {}

    def take(
        self, what: str, settings: Listener, setting: str, *, gate: Gate | None = None
    ) -> None:
        """Listen; nobody is answered yet.

        Args:
            what: Whose the port is, for people.
            settings: Where.
            setting: Path of the setting that moves it.
            gate: Who may ask over HTTP; None is everybody.

        Raises:
            StartupError: It cannot be had, or its certificate cannot be used; the message says
                whose it is and what to do.
        """
        self._secure(what, settings, setting)
        self._gates[what] = gate
        self._sockets[what] = listen(settings.host, settings.port, what, setting)
        for listener in self._sockets[what]:
            self._stack.callback(listener.close)

    def has(self, what: str) -> bool:
        """Tell whether the port was taken."""
        return what in self._sockets

    def is_local(self, what: str) -> bool:
        """Tell whether only this machine can reach the port."""
        hosts = [listener.getsockname()[0] for listener in self._sockets[what]]
        return all(ip_address(host.partition("%")[0]).is_loopback for host in hosts)

    def number(self, what: str) -> int:
        """Return the port that was taken, or 0."""
        if what not in self._sockets:
            return 0
        return int(self._sockets[what][0].getsockname()[1])

    def serve(
        self,
        app: ASGIApp,
        what: str,
        *,
        cors: CorsSettings | None = None,
        calls: CallServer | None = None,
    ) -> None:
        """Serve `app` on the port until the stack unwinds.

        Args:
            app: Who answers.
            what: Whose the port is.
            cors: Which web pages may ask; None is none.
            calls: Who serves gRPC on the same port, with a gate of its own; None is nobody.
        """
        app = behind_gate(app, self._gates.get(what))
        if cors is not None:
            options = CorsOptions(cors.allowed_origins, cors.allowed_headers, cors.max_age_seconds)
            app = with_cors(refusing_foreign_pages(app, options), options)
        tls = self._tls.get(what)
        # Whoever speaks both is answered HTTP/1.1; clients of gRPC offer nothing but h2.
        alpn = "http/1.1" if calls is None else "http/1.1,h2"
        context = self.security.context(tls, alpn, what) if tls else None
        _serve(self._stack, app, self._sockets[what], what, context, calls)

    async def serve_grpc(
        self, server: GrpcServer | CallServer, settings: Listener, what: str, setting: str
    ) -> int:
        """Bind a gRPC server, start it and stop it when the stack unwinds; return the port.

        Args:
            server: What serves.
            settings: Where.
            what: Whose the port is, for people.
            setting: Path of the setting that moves it.

        Raises:
            StartupError: The port cannot be had, or its certificate cannot be used.
        """
        if isinstance(server, CallServer):
            self.take(what, settings, setting)
            server.adopt([listener.dup() for listener in self._sockets[what]])
            tls = self._tls.get(what)
            await server.start(self.security.context(tls, "h2", what) if tls else None)
            self._stack.push_async_callback(server.stop, REQUEST_GRACE_SECONDS)
            return self.number(what)
        self._secure(what, settings, setting)
        tls = self._tls.get(what)
        front = None
        if tls is None or tls.grpc_can_serve:
            credentials = tls.grpc_credentials() if tls else None
            port = _bind_grpc(server, settings, what, setting, credentials)
        else:
            self.take(what, settings, setting)
            port = self.number(what)
            folder = tempfile.mkdtemp(prefix="lymer-")  # nobody but us may open what is in it
            self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
            front = TlsFront(f"{folder}/grpc")
            server.bind(f"unix:{folder}/grpc")
            self._stack.push_async_callback(front.close)
        await server.start()
        self._stack.push_async_callback(server.stop, REQUEST_GRACE_SECONDS)
        if front is not None and tls is not None:
            await front.start(self._sockets[what], self.security.context(tls, "h2", what))
            self._stack.callback(front.stop_accepting)
        return port

    def _secure(self, what: str, settings: Listener, setting: str) -> None:
        tls = self.security.listener_tls(settings.tls, setting.removesuffix("port") + "tls")
        if tls is not None:
            self._tls[what] = tls
