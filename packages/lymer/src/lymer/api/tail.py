"""`/api/tail`: spans as they are stored, as server-sent events.

Source: HTML standard, "Server-sent events".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from lymer import clock
from lymer.api import tempo_json
from lymer.api.answers import Answers, check_query_string
from lymer.api.tempo_parameters import number
from lymer.errors import LymerError, OverloadedError, QuestionError
from lymer.query.service import QueryService
from lymer.query.tail import Follower, NewSpan, NewSpans

__all__ = ["MEDIA_TYPE", "Tails"]

MEDIA_TYPE: Final = "text/event-stream"
FOLLOWERS_MAX: Final = 32
"""Each costs a look a second, some milliseconds."""
RATE_DEFAULT: Final = 20
RATE_MAX: Final = 1_000
"""Spans a second that a follower is told; the rest is counted."""
_LOOK_SECONDS: Final = 1.0
_BEAT_SECONDS: Final = 15.0
_AGAIN_MILLISECONDS: Final = 2_000
_HEADERS: Final = {"cache-control": "no-cache", "x-accel-buffering": "no"}


class Tails:
    """Handler of the route. Nothing runs while nobody follows."""

    def __init__(self, answers: Answers, now_unix_nano: Callable[[], int]) -> None:
        """Look in the threads of `answers`."""
        self._answers = answers
        self._now = now_unix_nano
        self._followers = 0

    async def follow(self, request: Request, service: QueryService) -> Response:
        """GET …?q=&rate=: events `span`, `dropped` and `problem`, until who asked hangs up.

        `Last-Event-ID` goes on where another answer ended.

        Raises:
            OverloadedError: Too many follow.
        """
        check_query_string(request)
        rate = number(request.query_params, "rate", RATE_DEFAULT)
        if not 1 <= rate <= RATE_MAX:
            raise QuestionError(f"cannot follow: rate is {rate}, allowed is 1 to {RATE_MAX}")
        last = request.headers.get("last-event-id", "")
        after = int(last) if last.isascii() and last.isdecimal() and len(last) < 19 else None
        text = request.query_params.get("q", "")
        follower = Follower(service.reader, text, self._now, after)
        if self._followers >= FOLLOWERS_MAX:
            raise OverloadedError(
                f"cannot follow: {self._followers} follow already, the limit is {FOLLOWERS_MAX}",
                retry_after_seconds=10,
            )
        # Counted before anything is waited for, or many who come at once would all be let in.
        self._followers += 1
        try:
            first = await self._answers.call(follower.look)  # what cannot be answered is refused
        except BaseException:
            self._followers -= 1
            raise
        return _Following(self._events(follower, first, rate), self._leave)

    def _leave(self) -> None:
        self._followers -= 1

    async def _events(self, follower: Follower, first: NewSpans, rate: int) -> AsyncIterator[bytes]:
        yield b"retry: %d\nid: %d\n: following\n\n" % (
            _AGAIN_MILLISECONDS,
            follower.begun if follower.begun is not None else first.segment,
        )
        found, said = first, clock.monotonic_seconds()
        allowed = float(rate)
        while True:
            shown = found.spans[: int(allowed)]
            for one in shown:
                yield _event("span", _shown(one))
            dropped = len(found.spans) - len(shown)
            if dropped or not found.is_complete:
                told = {"dropped": dropped, "complete": found.is_complete}
                yield _event("dropped", told)
            now = clock.monotonic_seconds()
            if shown or dropped:
                # Only now: who loses the connection among them is told all of them again.
                said = now
                yield b"id: %d\n\n" % found.segment
            elif now - said >= _BEAT_SECONDS:
                said = now
                yield b"id: %d\n: beat\n\n" % found.segment
            await asyncio.sleep(_LOOK_SECONDS)
            allowed = min(allowed - len(shown) + rate * _LOOK_SECONDS, float(rate))
            try:
                found = await self._answers.call(follower.look)
            except LymerError as error:
                yield _event("problem", {"message": str(error)})
                found = NewSpans((), is_complete=True, segment=found.segment)


class _Following(StreamingResponse):
    """The answer to one who follows; says when it is over, however that comes about."""

    def __init__(self, events: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        super().__init__(events, media_type=MEDIA_TYPE, headers=_HEADERS)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


def _event(name: str, content: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(content))


def _shown(one: NewSpan) -> dict[str, Any]:
    span = one.span
    values = dict(span.values)
    service, kind, status = (
        values.pop(name, ("string", ""))[1] for name in ("service.name", "kind", "status")
    )
    return {
        "traceID": one.trace_id,
        "spanID": span.span_id,
        "service": service,
        "name": span.name,
        "kind": kind,
        "status": status,
        "startTimeUnixNano": str(span.start_unix_nano),
        "durationNanos": str(span.duration_nano),
        "attributes": [tempo_json.key_value(name, value) for name, value in values.items()],
    }
