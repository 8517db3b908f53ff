"""A proxy before an HTTP server that is slow, cuts answers off, or keeps a request for later."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Final

__all__ = ["FaultyProxy"]

_STEP_SECONDS: Final = 0.05


class FaultyProxy:
    """Passes requests on, one after the other on each connection; faults may change at any time."""

    def __init__(self, url: str) -> None:
        """Listen before the server at `url`."""
        self._port = int(url.rsplit(":", 1)[1])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: set[socket.socket] = {self._listener}
        self._lock = threading.Lock()
        self._is_closed = False
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.bytes_per_second = 0
        """In each direction of each connection; 0: as fast as it goes."""
        self.answer_bytes_max: int | None = None
        """A connection is cut when so many bytes of an answer have passed; None: never."""
        self.cuts = 0
        """Connections that were cut for it."""
        self._wanted: bytes | None = None
        self._keep = False
        self._kept: bytes = b""
        self.has_given_up = threading.Event()
        """Set when a request was kept or passed on, and its sender cut off."""
        self._spawn(self._accept)

    def give_up(self, wanted: bytes, *, keep: bool) -> None:
        """Cut the sender of the next request with these bytes off.

        Args:
            wanted: What is in it.
            keep: Whether it is kept until `pass_on`; if not, the server has it all before.
        """
        self.has_given_up.clear()
        self._keep, self._wanted = keep, wanted

    def pass_on(self) -> bytes:
        """Send the server what was kept, and return its whole answer."""
        with self._server() as server:
            server.sendall(self._kept)
            answer = HTTPResponse(server)
            answer.begin()
            return answer.read()

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            self._is_closed = True
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def _know(self, one: socket.socket) -> None:
        with self._lock:
            if self._is_closed:
                one.close()
            self._sockets.add(one)

    def _spawn(self, run: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=self._quiet, args=(run, *arguments), daemon=True).start()

    def _quiet(self, run: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(OSError):
            run(*arguments)

    def _server(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port))

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            self._know(client)
            try:
                server = self._server()
            except ConnectionRefusedError:
                client.close()
                continue
            self._know(server)
            passed = [0]
            self._spawn(self._requests, client, server, passed)
            self._spawn(self._answers, client, server, passed)

    def _requests(self, client: socket.socket, server: socket.socket, passed: list[int]) -> None:
        left = b""
        while True:
            request, left = _read_request(client, left)
            passed[0] = 0
            wanted = self._wanted
            is_wanted = wanted is not None and wanted in request
            if is_wanted:
                self._wanted = None
            if is_wanted and self._keep:
                self._kept = request
            else:
                self._send(server, request)
            if is_wanted:
                client.shutdown(socket.SHUT_RDWR)
                self.has_given_up.set()
                return

    def _answers(self, client: socket.socket, server: socket.socket, passed: list[int]) -> None:
        while content := server.recv(1 << 16):
            allowed = self.answer_bytes_max
            if allowed is not None and passed[0] + len(content) > allowed:
                self.cuts += 1
                client.sendall(content[: max(0, allowed - passed[0])])
                break
            passed[0] += len(content)
            self._send(client, content)
        for one in (client, server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _send(self, to: socket.socket, content: bytes) -> None:
        while content:
            step = int(self.bytes_per_second * _STEP_SECONDS) or len(content)
            to.sendall(content[:step])
            content = content[step:]
            if content:
                time.sleep(_STEP_SECONDS)


def _read_request(client: socket.socket, left: bytes) -> tuple[bytes, bytes]:
    """Return a whole request, and what came behind it."""
    while b"\r\n\r\n" not in left:
        left += _received(client)
    head, _, _ = left.partition(b"\r\n\r\n")
    lengths = [
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    ]
    size = len(head) + 4 + sum(lengths)
    while len(left) < size:
        left += _received(client)
    return left[:size], left[size:]


def _received(client: socket.socket) -> bytes:
    content = client.recv(1 << 16)
    if not content:
        raise ConnectionResetError
    return content
