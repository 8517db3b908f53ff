"""From a blocking call to a response: threads, limits, compression.

Whatever costs time (the store, JSON, gzip) runs in the executor; the event loop only waits. A call
that takes too long is answered without it, but holds its place until it ends, so a slow store fills
the places and not the memory.
"""

from __future__ import annotations

import asyncio
import contextvars
import gzip
import itertools
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from lymer.api.envelope import pretty
from lymer.api.fair_queue import FairQueue
from lymer.api.turn import LargeAnswer, Pace, Turn
from lymer.errors import LargeAnswerError, OverloadedError, TooLargeError
from lymer.query.large import STREAMED, Streamed
from lymer.query.service import ALLOWS_LARGE
from lymer.storage.caller import CALLER, Caller

__all__ = ["TENANT_IN_SCOPE", "Answers"]

ANSWERS_IN_FLIGHT_MAX: Final = 256
"""Most questions being answered or waiting for a thread, for each door; beyond it the sender is
told to come back. One that waits costs about 20 kB."""

QUICK_IN_FLIGHT_MAX: Final = 1_024
"""Most questions at once that are answered from memory; they wait for no other ones."""

ANSWER_SECONDS_MAX: Final = 60.0
"""Longest wait for an answer, seconds. Jaeger's UI gives up after 10, scripts are more patient."""

TURN_SECONDS_MAX: Final = 300.0
"""Longest wait for a large answer to begin, seconds: it waits for others."""

QUERY_STRING_BYTES_MAX: Final = 1_048_576
"""Largest query string, bytes: ten thousand trace ids fit, as through Jaeger's own server."""

QUERY_PARAMETERS_MAX: Final = 10_000
"""Most parameters in one: half a million empty ones would hold the event loop for half a second.
Go's own limit. Source: Go, `net/url`, `urlmaxqueryparams`."""

GZIP_BYTES_MIN: Final = 1_400
"""Smallest answer worth compressing, bytes: less fits one packet anyway."""

_PRETTY_BYTES_MAX: Final = 8 * 1_048_576
"""Largest answer that is indented where `prettyPrint` asks for it; a larger one comes as it is."""

_GZIP_LEVEL: Final = 3
_LOOK_SECONDS: Final = 0.5
"""How often it is looked whether whoever asked still waits, seconds."""
_HEADERS: Final = {"vary": "Accept-Encoding"}
_FOLLOWERS: Final = "/api/tail"
"""Those who follow wait behind one another, as one asker."""
TENANT_IN_SCOPE: Final = "lymer.tenant"
"""Where a request says whose it is."""
_CLIENT_LEFT: Final = 499
"""What a log shows of an answer that nobody waited for. Source: nginx."""

_Made = TypeVar("_Made")


class Answers:
    """Runs calls in an executor and makes responses of their bytes.

    Small answers are made as they are asked for. Of large ones (over `SMALL_ANSWER_SPANS_MAX`
    spans) one piece is made at a time, and they are sent while they are made: memory is bounded
    however many ask and however slowly they read.
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
        threads = getattr(executor, "_max_workers", 1)
        self._queue = FairQueue(running_max=threads, places_max=in_flight_max)
        self._seconds_max = seconds_max
        self._quick_in_flight = 0
        self._turn = turn or Turn()

    async def quick(self, request: Request, make_body: Callable[[], bytes]) -> Response:
        """Answer with JSON that costs next to nothing: no search is waited for.

        Raises:
            OverloadedError: Too many such answers are in flight, or this one took too long.
        """
        check_query_string(request)
        if self._quick_in_flight >= QUICK_IN_FLIGHT_MAX:
            raise OverloadedError(
                f"cannot answer now: {self._quick_in_flight} small questions are being answered, "
                f"the limit is {QUICK_IN_FLIGHT_MAX}"
            )
        finish = self._finisher(request, "application/json")
        loop = asyncio.get_running_loop()
        self._quick_in_flight += 1
        try:
            async with asyncio.timeout(self._seconds_max):
                return await loop.run_in_executor(None, lambda: finish(iter((make_body(),))))
        except TimeoutError as error:
            raise OverloadedError(
                f"cannot answer: the store took more than {self._seconds_max:g} s"
            ) from error
        finally:
            self._quick_in_flight -= 1

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
        finish = self._finisher(request, media_type)

        def make_whole() -> Response:
            return finish(make_pieces())

        large = LargeAnswer(self._turn)

        def make_stream() -> Response:
            headers = dict(_HEADERS)
            pieces = _begun(make_pieces())
            if _takes_gzip(request.headers.get("accept-encoding", "")):
                headers["content-encoding"] = "gzip"
                pieces = _gzipped(pieces)
            stream = _Stream(self._sent(pieces, large), headers=headers, media_type=media_type)
            stream.on_end = large.end
            return stream

        caller = Caller()
        CALLER.set(caller)
        seconds = self._seconds_max
        left = asyncio.timeout(seconds)
        try:
            async with left:
                try:
                    return await self._run(request, make_whole, large=False)
                except LargeAnswerError:
                    seconds = self._seconds_max * TURN_SECONDS_MAX / ANSWER_SECONDS_MAX
                    left.reschedule(asyncio.get_running_loop().time() + seconds)
                    return await self._in_turn(request, make_stream, large)
        except ClientDisconnect:
            await self._leave(caller)
            return Response(status_code=_CLIENT_LEFT)
        except TimeoutError as error:
            if not left.expired():
                raise
            await self._leave(caller)
            raise OverloadedError(
                f"cannot answer: the store took more than {seconds:g} s"
            ) from error

    @staticmethod
    def _finisher(request: Request, media_type: str) -> Callable[[Iterator[bytes]], Response]:
        """Return what makes a whole answer of its pieces, as `request` wants it."""
        wants_pretty = request.query_params.get("prettyPrint", "") not in {"", "false"}
        takes_gzip = _takes_gzip(request.headers.get("accept-encoding", ""))

        def finish(pieces: Iterator[bytes]) -> Response:
            headers = dict(_HEADERS)
            body = b"".join(pieces)
            if wants_pretty and len(body) <= _PRETTY_BYTES_MAX:
                body = pretty(body)
            if takes_gzip and len(body) >= GZIP_BYTES_MIN:
                headers["content-encoding"] = "gzip"
                body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
            return Response(body, headers=headers, media_type=media_type)

        return finish

    async def call(self, make: Callable[[], _Made]) -> _Made:
        """Return what `make` returns in a thread, for an answer that goes on for long.

        Raises:
            OverloadedError: Too many answers are in flight.
        """
        await self._queue.enter(_FOLLOWERS)
        future = asyncio.get_running_loop().run_in_executor(self._executor, make)
        future.add_done_callback(lambda _: self._queue.leave(_FOLLOWERS))
        future.add_done_callback(_seen)
        return await asyncio.shield(future)

    async def as_they_come(
        self, request: Request, make_pieces: Callable[[], Iterator[bytes]], media_type: str
    ) -> Response:
        """Answer with a few small pieces, each sent when it is made, in threads.

        Raises:
            OverloadedError: Too many answers are in flight, or the first took too long.
            TooLargeError: The query string is over its limit.
        """
        check_query_string(request)
        pieces: Iterator[bytes] = iter(())
        caller = Caller()
        CALLER.set(caller)

        def begin() -> Response:
            nonlocal pieces
            pieces = make_pieces()
            return Response(next(pieces, b""))

        try:
            async with asyncio.timeout(self._seconds_max):
                first = await self._run(request, begin, large=False)
        except ClientDisconnect:
            await self._leave(caller)
            return Response(status_code=_CLIENT_LEFT)
        except TimeoutError as error:
            await self._leave(caller)
            raise OverloadedError(
                f"cannot answer: the store took more than {self._seconds_max:g} s"
            ) from error
        asker = _asker(request)
        stream = _Stream(self._following(asker, bytes(first.body), pieces), media_type=media_type)
        stream.on_end = lambda: None
        return stream

    async def _following(
        self, asker: str, first: bytes, pieces: Iterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Yield the pieces; each is made when its asker's turn comes."""
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        piece: bytes | None = first
        while piece is not None:
            yield piece
            await self._queue.enter(asker)
            future = loop.run_in_executor(
                self._executor, lambda: context.run(lambda: next(pieces, None))
            )
            future.add_done_callback(lambda _: self._queue.leave(asker))
            piece = await future

    @staticmethod
    async def _leave(caller: Caller) -> None:
        """Stop what runs for somebody; in a thread of its own, for all others may be taken."""
        await asyncio.get_running_loop().run_in_executor(None, caller.leave)

    async def _in_turn(
        self, request: Request, call: Callable[[], Response], large: LargeAnswer
    ) -> Response:
        streamed = Streamed()
        STREAMED.set(streamed)
        await large.begin()
        try:
            response = await self._run(request, call, large=True)
        except BaseException:
            large.end()
            raise
        large.share(streamed.bytes_held)
        return response

    async def _run(
        self,
        request: Request,
        call: Callable[[], Response],
        *,
        large: bool,
    ) -> Response:
        context = contextvars.copy_context()
        context.run(ALLOWS_LARGE.set, large)
        loop = asyncio.get_running_loop()
        asker = _asker(request)
        await self._queue.enter(asker)
        future = loop.run_in_executor(self._executor, context.run, _told, call)
        # A call that nobody waits for any more holds its place until it ends.
        future.add_done_callback(lambda _: self._queue.leave(asker))
        future.add_done_callback(_seen)
        while not (await asyncio.wait({future}, timeout=_LOOK_SECONDS))[0]:
            if await request.is_disconnected():
                raise ClientDisconnect
        return await future

    async def _sent(self, pieces: Iterator[bytes], large: LargeAnswer) -> AsyncIterator[bytes]:
        """Yield the pieces of a large answer, unless its reader keeps others waiting."""
        loop = asyncio.get_running_loop()
        pace, context = Pace(self._turn), contextvars.copy_context()

        def take() -> bytes | None:
            return context.run(next, pieces, None)

        while True:
            async with large:
                piece = await loop.run_in_executor(self._executor, take)
            if piece is None:
                return
            asked = loop.time()
            yield piece
            pace.took(len(piece), loop.time() - asked)


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()  # nobody waits for an answer that came too late


def _asker(request: Request) -> str:
    """Return who waits behind his own questions: the tenant, or else the client's address."""
    tenant = request.scope.get(TENANT_IN_SCOPE, "")
    return tenant or (request.client.host if request.client else "")


class _Stream(StreamingResponse):
    """Says when it ends, however it ends."""

    on_end: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.on_end()


def _told(call: Callable[[], Response]) -> Response:
    """Let an answer that is partial, or estimated, say so in a header: not all have a place."""
    answer = call()
    caller = CALLER.get()
    if caller is not None:
        answer.headers.update(dict(caller.told))
    return answer


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Make what comes first, so that what cannot be answered is refused with a status."""
    first = bytearray()
    for piece in pieces:
        first += piece
        if len(first) >= GZIP_BYTES_MIN:
            break
    return itertools.chain((bytes(first),), pieces)


def _gzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 31)
    for piece in pieces:
        if packed := compressor.compress(piece):
            yield packed
    yield compressor.flush()


def check_query_string(request: Request) -> None:
    """Refuse a query string that is too large to be a question, before it is taken apart."""
    size = len(request.scope["query_string"])
    if size > QUERY_STRING_BYTES_MAX:
        raise TooLargeError(
            f"cannot read query string: it has {size} bytes, the limit is {QUERY_STRING_BYTES_MAX}"
        )
    count = request.scope["query_string"].count(b"&") + 1
    if count > QUERY_PARAMETERS_MAX:
        raise TooLargeError(
            f"cannot read query string: it has {count} parameters, "
            f"the limit is {QUERY_PARAMETERS_MAX}"
        )


def _takes_gzip(accept_encoding: str) -> bool:
    """Tell whether the client takes gzip; `gzip;q=0` does not. Source: RFC 9110, 12.5.3."""
    for offer in accept_encoding.lower().split(","):
        coding, _, weight = offer.replace(" ", "").partition(";q=")
        if coding in {"gzip", "*"}:
            return weight.strip("0.") != "" if weight else True
    return False
