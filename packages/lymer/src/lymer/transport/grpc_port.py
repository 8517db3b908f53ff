"""A gRPC server's port, encrypted or not."""

from __future__ import annotations

import grpc

__all__ = ["add_port"]


def add_port(
    server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None
) -> int:
    """Have `server` listen on `address`, encrypted with `credentials` if there are.

    Returns:
        The port.

    Raises:
        RuntimeError: The address cannot be had.
    """
    if credentials is None:
        return int(server.add_insecure_port(address))
    return int(server.add_secure_port(address, credentials))
