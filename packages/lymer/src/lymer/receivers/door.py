"""The way of a request through any receiver: admitted, read, decoded, made durable, given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Final

from lymer.errors import LymerError, OverloadedError, TooLargeError
from lymer.journal.delivery import Delivery
from lymer.receivers.admission import Admission
from lymer.receivers.intake import Intake
from lymer.receivers.translator import Translator
from lymer.wire.content_encoding import decode_content
from lymer.wire.otlp_large import PIECE_BYTES
from lymer.wire.otlp_proto import CheckedRequest, check_as_sent
from lymer.wire.translations import Format, translate

__all__ = ["Door", "NotDurableError", "Workers"]

_AT_ONCE_BYTES_MAX: Final = 4 * 1024
"""A body that is translated on the event loop: at worst 80 ms, usually 1. A hop costs 0.1 ms."""
_COMPRESSED_AT_ONCE_BYTES_MAX: Final = 64 * 1024
_THREAD_BYTES_MAX: Final = 1024 * 1024
"""What is larger and has to be translated goes to another process; OTLP protobuf, which is checked
in pieces, does not."""


class NotDurableError(Exception):
    """A request that was understood and could not be made durable; `cause` says why."""

    def __init__(self, cause: LymerError) -> None:
        """Remember why."""
        super().__init__(str(cause))
        self.cause = cause


class Workers:
    """Who decodes what is too long for the event loop: two threads, and a process."""

    def __init__(self, threads: Executor, translator: Translator) -> None:
        """Share them among all doors."""
        self.threads: Final = threads
        self.translator: Final = translator


class Door:
    """One receiver's door. Lives on one event loop."""

    def __init__(
        self,
        intake: Intake,
        admission: Admission,
        workers: Workers,
        *,
        receiver: str,
        transport: str,
        bytes_max: int,
    ) -> None:
        """Prepare.

        Args:
            intake: Where requests go.
            admission: The process-wide limit.
            workers: For work on large bodies.
            receiver: With `transport`, the door's name in the metrics.
            transport: See `receiver`.
            bytes_max: Limit on a decompressed body, bytes.
        """
        self.intake: Final = intake
        self.admission: Final = admission
        self._workers = workers
        self._receiver = receiver
        self._transport = transport
        self._bytes_max = bytes_max

    def refuse(self, error: LymerError) -> None:
        """Count a request that was turned away."""
        self.intake.refuse(error, self._transport, self._receiver)

    async def take(
        self,
        read: Callable[[], Awaitable[bytes]],
        how: Callable[[], tuple[Format, str]],
        *,
        tenant: str,
        delivery: Delivery | None = None,
    ) -> CheckedRequest:
        """Return what was stored of a request, once it is durable.

        Args:
            read: Returns its body, whose length is counted as in flight.
            how: Says how the body is written and compressed, once it is read.
            tenant: Whose spans they are.
            delivery: Its name, if an agent sent it.

        Raises:
            LymerError: It is not taken.
            NotDurableError: Likewise, and nothing is wrong with it.
        """
        admission, taken = self.admission, 0
        admission.enter()
        try:
            body = await read()
            taken = len(body)
            request = await self._decoded(body, *how())
            try:
                grown = max(len(request.body) - taken, 0)
                admission.take(grown)
                taken += grown
                await self.intake.accept(
                    request, self._transport, self._receiver, delivery, tenant=tenant
                )
            except OverloadedError as error:
                raise NotDurableError(error) from error
        finally:
            admission.give_back(taken)
            admission.leave()
        return request

    async def take_message(
        self,
        body: bytes,
        how: tuple[Format, str],
        *,
        tenant: str,
        delivery: Delivery | None = None,
    ) -> CheckedRequest:
        """Do so with a body that is there already."""

        async def read() -> bytes:
            self.admission.take(len(body))
            return body

        return await self.take(read, lambda: how, tenant=tenant, delivery=delivery)

    async def _decoded(self, body: bytes, how: Format, coding: str) -> CheckedRequest:
        made = self._decoded_at_once(body, how, coding)
        if made is not None:
            return made
        loop, threads = asyncio.get_running_loop(), self._workers.threads
        if coding not in {"", "identity"}:
            body = await loop.run_in_executor(
                threads, decode_content, coding, body, self._bytes_max
            )
        if len(body) > _THREAD_BYTES_MAX and how.name != "otlp-proto":
            return await self._workers.translator.translate(body, how)
        return await loop.run_in_executor(threads, translate, body, how)

    def _decoded_at_once(self, body: bytes, how: Format, coding: str) -> CheckedRequest | None:
        """Return the request if that is short work, which only the decompressed size can tell."""
        is_otlp = how.name == "otlp-proto"
        bytes_max = min(PIECE_BYTES if is_otlp else _AT_ONCE_BYTES_MAX, self._bytes_max)
        if coding not in {"", "identity"}:
            if len(body) > _COMPRESSED_AT_ONCE_BYTES_MAX:
                return None
            try:
                body = decode_content(coding, body, bytes_max)
            except TooLargeError:
                if bytes_max == self._bytes_max:
                    raise
                return None
        if len(body) > bytes_max:
            return None
        return check_as_sent(body) if is_otlp else translate(body, how)
