"""From a blocking call to a response: threads, limits, compression.

Whatever costs time (the store, JSON, gzip) runs in the executor; the event loop only waits. A call
that takes too long is answered without it, but holds its place until it ends, so a slow store fills
the places and not the memory.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from lymer.api.envelope import pretty
from lymer.errors import OverloadedError, TooLargeError

__all__ = ["Answers"]

ANSWERS_IN_FLIGHT_MAX: Final = 64
"""Most questions being answered at once; beyond it the sender is told to come back. Each holds a
place in the executor's queue and at worst one large answer."""

ANSWER_SECONDS_MAX: Final = 60.0
"""Longest wait for an answer, seconds. Jaeger's UI gives up after 10, scripts are more patient."""

QUERY_STRING_BYTES_MAX: Final = 49_152
"""Largest query string, bytes: a thousand trace ids fit."""

GZIP_BYTES_MIN: Final = 1_400
"""Smallest answer worth compressing, bytes: less fits one packet anyway."""

_GZIP_LEVEL: Final = 3
_T = TypeVar("_T")


class Answers:
    """Runs calls in an executor and makes responses of their bytes."""

    def __init__(
        self,
        executor: Executor,
        *,
        in_flight_max: int = ANSWERS_IN_FLIGHT_MAX,
        seconds_max: float = ANSWER_SECONDS_MAX,
    ) -> None:
        self._executor = executor
        self._in_flight_max = in_flight_max
        self._seconds_max = seconds_max
        self._in_flight = 0

    async def json(self, request: Request, make_body: Callable[[], bytes]) -> Response:
        """Answer with the JSON that `make_body` returns from a thread.

        Raises:
            OverloadedError: Too many answers are in flight, or this one took too long.
            TooLargeError: The query string is over its limit.
        """
        check_query_string(request)
        wants_pretty = request.query_params.get("prettyPrint", "") not in {"", "false"}
        takes_gzip = _takes_gzip(request.headers.get("accept-encoding", ""))

        def make_response() -> Response:
            body = make_body()
            if wants_pretty:
                body = pretty(body)
            headers = {"vary": "Accept-Encoding"}
            if takes_gzip and len(body) >= GZIP_BYTES_MIN:
                headers["content-encoding"] = "gzip"
                body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
            return Response(body, headers=headers, media_type="application/json")

        return await self._run(make_response)

    async def _run(self, call: Callable[[], _T]) -> _T:
        if self._in_flight >= self._in_flight_max:
            raise OverloadedError(
                f"cannot answer now: {self._in_flight} questions are being answered, "
                f"the limit is {self._in_flight_max}"
            )
        future = asyncio.get_running_loop().run_in_executor(self._executor, call)
        self._in_flight += 1
        future.add_done_callback(self._release)
        try:
            return await asyncio.wait_for(asyncio.shield(future), self._seconds_max)
        except TimeoutError as error:
            raise OverloadedError(
                f"cannot answer: the store took more than {self._seconds_max:g} s"
            ) from error

    def _release(self, future: asyncio.Future[_T]) -> None:
        self._in_flight -= 1
        if not future.cancelled():
            future.exception()  # seen: nobody waits for an answer that came too late


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
