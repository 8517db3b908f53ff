"""TLS in front of a gRPC server, for what gRPC's own cannot do: versions and cipher suites.

::

    client ══TLS══▶ TlsFront ──plain──▶ socket in a folder of ours ──▶ gRPC server

Bytes are copied from one socket to the other and nothing of HTTP/2 is looked at; a call costs about
0.1 ms of CPU more than with gRPC's own TLS (docs/adr/015). Each side waits for the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Final, cast

__all__ = ["TlsFront"]

_HANDSHAKE_SECONDS_MAX: Final = 30.0
_CLOSE_SECONDS_MAX: Final = 5.0
_BACKLOG: Final = 2048


class TlsFront:
    """Accepts connections, encrypts, and passes them on. Lives on one event loop."""

    def __init__(self, path: str) -> None:
        """Pass on to the server behind the socket `path`."""
        self._path = path
        self._servers: list[asyncio.Server] = []
        self._open: set[_Outer] = set()

    async def start(self, sockets: list[socket.socket], context: ssl.SSLContext) -> None:
        """Serve on `sockets`, which must be bound, with `context`."""
        loop = asyncio.get_running_loop()
        for listener in sockets:
            server = await loop.create_server(
                lambda: _Outer(self._path, self._open),
                sock=listener,
                ssl=context,
                backlog=_BACKLOG,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS_MAX,
                ssl_shutdown_timeout=_CLOSE_SECONDS_MAX,
            )
            self._servers.append(server)

    def stop_accepting(self) -> None:
        """Take no new connections; those that are live on."""
        for server in self._servers:
            server.close()

    async def close(self) -> None:
        """End what is left; the server behind has been stopped."""
        self.stop_accepting()
        for outer in tuple(self._open):
            outer.close()
        deadline = asyncio.get_running_loop().time() + _CLOSE_SECONDS_MAX
        while self._open and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class _Outer(asyncio.Protocol):
    """The client's side. It reads nothing before the other side is there."""

    def __init__(self, path: str, among: set[_Outer]) -> None:
        self._path = path
        self._among = among
        self._inner: asyncio.Transport | None = None
        self._transport: asyncio.Transport | None = None
        self._dialling: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.pause_reading()
        self._among.add(self)
        self._dialling = asyncio.create_task(self._dial())

    async def _dial(self) -> None:
        transport = self._transport
        assert transport is not None
        loop = asyncio.get_running_loop()
        try:
            inner, _ = await loop.create_unix_connection(lambda: _Inner(transport), self._path)
        except OSError:
            transport.abort()
            return
        self._inner = inner
        if transport.is_closing():
            inner.close()
        else:
            transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        assert self._inner is not None
        self._inner.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._among.discard(self)
        if self._inner is not None:
            self._inner.close()

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_reading()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _Inner(asyncio.Protocol):
    """The server's side."""

    def __init__(self, outer: asyncio.Transport) -> None:
        self._outer = outer

    def data_received(self, data: bytes) -> None:
        self._outer.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._outer.close()

    def pause_writing(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._outer.pause_reading()

    def resume_writing(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._outer.resume_reading()
