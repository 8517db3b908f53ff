"""From a blocking call to a response: threads, limits, compression.

Whatever costs time (the store, JSON, gzip) runs in the executor; the event loop only waits. A call
that takes too long is answered without it, but holds its place until it ends, so a slow store fills
the places and not the memory.
"""

from __future__ import annotations

import asyncio
import contextvars
import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from lymer.api.envelope import pretty
from lymer.api.turn import Pace, Turn
from lymer.errors import LargeAnswerError, OverloadedError, TooLargeError
from lymer.query.service import ALLOWS_LARGE
from lymer.storage.caller import CALLER, Caller

__all__ = ["Answers"]

ANSWERS_IN_FLIGHT_MAX: Final = 64
"""Most questions being answered at once; beyond it the sender is told to come back. Each holds a
place in the executor's queue and at worst one large answer."""

ANSWER_SECONDS_MAX: Final = 60.0
"""Longest wait for an answer, seconds. Jaeger's UI gives up after 10, scripts are more patient."""

QUERY_STRING_BYTES_MAX: Final = 1_048_576
"""Largest query string, bytes: ten thousand trace ids fit, as through Jaeger's own server."""

GZIP_BYTES_MIN: Final = 1_400
"""Smallest answer worth compressing, bytes: less fits one packet anyway."""

_PRETTY_BYTES_MAX: Final = 8 * 1_048_576
"""Largest answer that is indented where `prettyPrint` asks for it; a larger one comes as it is."""

_GZIP_LEVEL: Final = 3
_LOOK_SECONDS: Final = 0.5
"""How often it is looked whether whoever asked still waits, seconds."""
_CLIENT_LEFT: Final = 499
"""What a log shows of an answer that nobody waited for. Source: nginx."""


class Answers:
    """Runs calls in an executor and makes responses of their bytes.

    Small answers are made as they are asked for. Large ones (over `SMALL_ANSWER_SPANS_MAX` spans)
    are made one at a time and sent while they are made: memory is bounded however many ask and
    however slowly they read.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        in_flight_max: int = ANSWERS_IN_FLIGHT_MAX,
        seconds_max: float = ANSWER_SECONDS_MAX,
        turn: Turn | None = None,
    ) -> None:
        self._executor = executor
        self._in_flight_max = in_flight_max
        self._seconds_max = seconds_max
        self._in_flight = 0
        self._turn = turn or Turn()

    async def json(self, request: Request, make_body: Callable[[], bytes]) -> Response:
        """Answer with the JSON that `make_body` returns from a thread; see `in_pieces`."""
        return await self.in_pieces(request, lambda: iter((make_body(),)))

    async def in_pieces(
        self,
        request: Request,
        make_pieces: Callable[[], Iterator[bytes]],
        media_type: str = "application/json",
    ) -> Response:
        """Answer with the bytes that `make_pieces` yields, both it and they in threads.

        Raises:
            OverloadedError: Too many answers are in flight, or this one took too long to begin.
            TooLargeError: The query string is over its limit.
        """
        check_query_string(request)
        wants_pretty = request.query_params.get("prettyPrint", "") not in {"", "false"}
        takes_gzip = _takes_gzip(request.headers.get("accept-encoding", ""))
        headers = {"vary": "Accept-Encoding"}

        def make_whole() -> Response:
            body = b"".join(make_pieces())
            if wants_pretty and len(body) <= _PRETTY_BYTES_MAX:
                body = pretty(body)
            if takes_gzip and len(body) >= GZIP_BYTES_MIN:
                headers["content-encoding"] = "gzip"
                body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
            return Response(body, headers=headers, media_type=media_type)

        def make_stream() -> Response:
            pieces = make_pieces()
            if takes_gzip:
                headers["content-encoding"] = "gzip"
                pieces = _gzipped(pieces)
            stream = _Stream(self._sent(pieces), headers=headers, media_type=media_type)
            stream.on_end = self._turn.release
            return stream

        if self._in_flight >= self._in_flight_max:
            raise OverloadedError(
                f"cannot answer now: {self._in_flight} questions are being answered, "
                f"the limit is {self._in_flight_max}"
            )
        running: list[asyncio.Future[Response]] = []
        caller = Caller()
        CALLER.set(caller)
        self._in_flight += 1
        left = asyncio.timeout(self._seconds_max)
        try:
            async with left:
                try:
                    return await self._run(request, make_whole, running, large=False)
                except LargeAnswerError:
                    return await self._in_turn(request, make_stream, running)
        except ClientDisconnect:
            await self._leave(caller)
            return Response(status_code=_CLIENT_LEFT)
        except TimeoutError as error:
            if not left.expired():
                raise
            await self._leave(caller)
            raise OverloadedError(
                f"cannot answer: the store took more than {self._seconds_max:g} s"
            ) from error
        finally:
            # A call that nobody waits for any more holds its place until it ends.
            if running and not running[-1].done():
                running[-1].add_done_callback(self._release)
            else:
                self._in_flight -= 1

    @staticmethod
    async def _leave(caller: Caller) -> None:
        """Stop what runs for somebody; in a thread of its own, for all others may be taken."""
        await asyncio.get_running_loop().run_in_executor(None, caller.leave)

    async def _in_turn(
        self,
        request: Request,
        call: Callable[[], Response],
        running: list[asyncio.Future[Response]],
    ) -> Response:
        await self._turn.acquire()
        try:
            return await self._run(request, call, running, large=True)
        except BaseException:
            self._turn.release()
            raise

    async def _run(
        self,
        request: Request,
        call: Callable[[], Response],
        running: list[asyncio.Future[Response]],
        *,
        large: bool,
    ) -> Response:
        context = contextvars.copy_context()
        context.run(ALLOWS_LARGE.set, large)
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._executor, context.run, call)
        running.append(future)
        while not (await asyncio.wait({future}, timeout=_LOOK_SECONDS))[0]:
            if await request.is_disconnected():
                raise ClientDisconnect
        return await future

    def _release(self, future: asyncio.Future[Response]) -> None:
        self._in_flight -= 1
        if not future.cancelled():
            future.exception()  # seen: nobody waits for an answer that came too late

    async def _sent(self, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the pieces of a large answer, unless its reader keeps others waiting."""
        loop = asyncio.get_running_loop()
        pace = Pace(self._turn)
        while (piece := await loop.run_in_executor(self._executor, next, pieces, None)) is not None:
            asked = loop.time()
            yield piece
            pace.took(len(piece), loop.time() - asked)


class _Stream(StreamingResponse):
    """Says when it ends, however it ends."""

    on_end: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.on_end()


def _gzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 31)
    for piece in pieces:
        if packed := compressor.compress(piece):
            yield packed
    yield compressor.flush()


def check_query_string(request: Request) -> None:
    """Refuse a query string that is too large to be a question."""
    size = len(request.scope["query_string"])
    if size > QUERY_STRING_BYTES_MAX:
        raise TooLargeError(
            f"cannot read query string: it has {size} bytes, the limit is {QUERY_STRING_BYTES_MAX}"
        )


def _takes_gzip(accept_encoding: str) -> bool:
    """Tell whether the client takes gzip; `gzip;q=0` does not. Source: RFC 9110, 12.5.3."""
    for offer in accept_encoding.lower().split(","):
        coding, _, weight = offer.replace(" ", "").partition(";q=")
        if coding in {"gzip", "*"}:
            return weight.strip("0.") != "" if weight else True
    return False
