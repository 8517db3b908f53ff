"""A gRPC channel that is dialled anew when certificates change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import grpc

from lymer.transport.tls_client import ClientTls

__all__ = ["GrpcLink"]

_DRAIN_SECONDS: Final = 30.0
"""Calls on the old channel may take so long to end."""


class GrpcLink:
    """Gives the channel to use for the next call. Lives on one event loop.

    ::

        link = GrpcLink("collector:4317", tls=tls)
        export = link.channel().unary_unary("/package.Service/Method")
        await export(request, metadata=auth.metadata())
    """

    def __init__(
        self,
        target: str,
        *,
        tls: ClientTls | None = None,
        options: Sequence[tuple[str, str | int]] = (),
    ) -> None:
        """Remember where to; the first call dials.

        Args:
            target: As gRPC takes it: `host:port`, `dns:///name:port`.
            tls: None is plain text.
            options: Of the channel, beside those of TLS.

        Raises:
            StartupError: TLS is asked for what gRPC cannot do.
        """
        self._target = target
        self._tls = tls
        self._options = list(options) + (tls.grpc_options() if tls else [])
        self._draining: set[asyncio.Task[None]] = set()
        self._generation = -1
        self._channel: grpc.aio.Channel | None = None
        if tls is not None:
            tls.grpc_credentials()

    def channel(self) -> grpc.aio.Channel:
        """Return the channel; the same one, until files of TLS have changed."""
        generation = self._tls.generation if self._tls else 0
        if self._channel is None or generation != self._generation:
            self._drain()
            self._generation = generation
            self._channel = self._dial()
        return self._channel

    async def close(self) -> None:
        """End all calls."""
        if self._channel is not None:
            await self._channel.close(None)
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)

    def _dial(self) -> grpc.aio.Channel:
        if self._tls is None:
            return grpc.aio.insecure_channel(self._target, options=self._options)
        credentials = self._tls.grpc_credentials()
        return grpc.aio.secure_channel(self._target, credentials, options=self._options)

    def _drain(self) -> None:
        if self._channel is None:
            return
        task = asyncio.create_task(self._channel.close(_DRAIN_SECONDS), name="old gRPC channel")
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)
