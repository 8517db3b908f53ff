"""The doors for what is not OTLP: which are open, on which sockets, and their parts."""

from __future__ import annotations

import socket
from concurrent.futures import Executor
from contextlib import AsyncExitStack

from lymer.config.settings import ReceiverSettings
from lymer.receivers.admission import Admission
from lymer.receivers.intake import Intake
from lymer.receivers.zipkin_http import ZipkinHttpReceiver
from lymer.roles.listening import listen, serve

__all__ = ["ForeignReceivers"]


class ForeignReceivers:
    """Opens the doors that are enabled, in two steps: sockets first, then what serves them."""

    def __init__(self, settings: ReceiverSettings) -> None:
        """Remember what is wanted; nothing is open yet."""
        self._settings = settings
        self._sockets: dict[str, list[socket.socket]] = {}

    def listen(self, stack: AsyncExitStack) -> None:
        """Take the ports; the stack closes them.

        Raises:
            StartupError: One cannot be had; the message says whose it is and what to do.
        """
        zipkin = self._settings.zipkin
        if zipkin.enabled:
            self._take(stack, "Zipkin", zipkin.host, zipkin.port, "receivers.zipkin.port")

    def _take(self, stack: AsyncExitStack, what: str, host: str, port: int, setting: str) -> None:
        sockets = self._sockets[what] = listen(host, port, what, setting)
        for listener in sockets:
            stack.callback(listener.close)

    def open(
        self, stack: AsyncExitStack, intake: Intake, admission: Admission, executor: Executor
    ) -> None:
        """Serve on the sockets; the stack stops it in reverse."""
        settings = self._settings
        if "Zipkin" in self._sockets:
            zipkin = ZipkinHttpReceiver(
                intake, admission, executor, body_bytes_max=settings.zipkin.body_bytes_max
            )
            serve(stack, zipkin, self._sockets["Zipkin"], "Zipkin")

    def described(self) -> str:
        """Say in one line which doors are open; empty if none is."""
        return ", ".join(f"{what} {_port(sockets)}" for what, sockets in self._sockets.items())


def _port(sockets: list[socket.socket]) -> int:
    return int(sockets[0].getsockname()[1])
