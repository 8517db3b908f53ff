"""Whether somebody listens where traffic is to be sent, asked before anything is started."""

from __future__ import annotations

import socket
from typing import Final
from urllib.parse import urlsplit

from lymer import ports
from lymer.errors import StartupError

__all__ = ["check_endpoint"]

_TIMEOUT_SECONDS: Final = 3.0


def check_endpoint(endpoint: str, protocol: str) -> None:
    """Connect to `endpoint` once.

    Raises:
        StartupError: If it is no address, or if nothing listens there.
    """
    try:
        url = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if host is None:
        raise StartupError(f'cannot send to "{endpoint}": an endpoint is http://HOST:PORT')
    if port is None:
        port = ports.OTLP_GRPC if protocol == "grpc" else ports.OTLP_HTTP
    try:
        socket.create_connection((host, port), timeout=_TIMEOUT_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise StartupError(
            f"nothing listens at {host}:{port} ({reason.lower()}): start lymer first (run `lymer` "
            "in another terminal), or name the receiver with --endpoint"
        ) from error
