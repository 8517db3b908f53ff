"""A process of its own for the requests that are long work: nobody waits for them here.

Python runs one thread at a time, and a parser of JSON or protobuf lets no other one run before it
is done. So what is large goes through a pipe to a process that translates one request after the
other. It is started when it is first needed, ended when it is idle, killed when it takes too long,
and ends by itself with the pipe, however we end. It is no fork: the engine must not be forked.

::

    request := length of head (4 bytes), length of body (4 bytes), head (JSON), body
    answer  := likewise
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import struct
import sys
from typing import Any, BinaryIO, Final

import orjson

from lymer.errors import OverloadedError, RejectedError, TooLargeError, UndecodableError
from lymer.wire.otlp_proto import CheckedRequest
from lymer.wire.translations import Format, translate

__all__ = ["TRANSLATION_SECONDS_MAX", "Translator", "main"]

TRANSLATION_SECONDS_MAX: Final = 30.0
"""Processor time of one request; over it the process ends and the request is refused. Not the time
that passes: a busy machine would refuse for good what an idle one takes."""
_WAIT_SECONDS_MAX: Final = 300.0
"""For an answer; over it the process is killed, and the sender told to come back."""
_WAITING_MAX: Final = 16
"""Requests that wait for the process; more are told to come back."""
_IDLE_SECONDS_MAX: Final = 60.0
_LEAVE_SECONDS_MAX: Final = 3.0
"""For the request that is translated when the program ends: less than its door waits for it."""
_MEMORY_BYTES_MAX: Final = 2 * 2**30
_NICE: Final = 5
_HEAD: Final = struct.Struct("<II")


class Translator:
    """Translates requests elsewhere, one at a time. Lives on one event loop."""

    def __init__(self, *, seconds_max: float = TRANSLATION_SECONDS_MAX) -> None:
        """Start nothing yet; one request may take so long."""
        self._seconds_max = seconds_max
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: asyncio.subprocess.Process | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._is_leaving = False

    async def translate(self, body: bytes, how: Format) -> CheckedRequest:
        """Do what `wire.translations.translate` does.

        Raises:
            UndecodableError: `body` is not what `how` says.
            TooLargeError: It is over a limit, or too much work.
            OverloadedError: Too many wait, or the process ended.
        """
        if self._waiting >= _WAITING_MAX:
            raise OverloadedError(
                f"cannot accept the request: {self._waiting} large ones wait to be translated, "
                f"the limit is {_WAITING_MAX}"
            )
        self._waiting += 1
        try:
            async with self._turn:
                if self._is_leaving:
                    raise OverloadedError("cannot accept the request: the program ends")
                return await self._translate(body, how)
        finally:
            self._waiting -= 1

    async def leave(self) -> None:
        """Have requests refused so that their senders come back; one that is at work may end."""
        self._is_leaving = True
        asyncio.get_running_loop().call_later(_LEAVE_SECONDS_MAX, self._kill)

    async def close(self) -> None:
        """End the process, whatever it does: it may be long at it."""
        await self._end()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _translate(self, body: bytes, how: Format) -> CheckedRequest:
        if self._idle is not None:
            self._idle.cancel()
        done = False
        try:
            async with asyncio.timeout(_WAIT_SECONDS_MAX):
                head, made = await self._ask(body, how)
            done = True
        except (OSError, EOFError) as error:
            if not isinstance(error, TimeoutError) and await self._has_worked_too_long():
                raise TooLargeError(
                    f"the request takes more than {self._seconds_max:g} s of work to translate"
                ) from None
            raise OverloadedError(f"cannot translate the request: {error!r}") from error
        finally:
            if done:
                loop = asyncio.get_running_loop()
                self._idle = loop.call_later(_IDLE_SECONDS_MAX, self._end_if_idle)
            else:
                await self._end()  # what it would say next belongs to nobody
        if problem := head.get("error"):
            kind = TooLargeError if head["too_large"] else UndecodableError
            raise kind(problem)
        return CheckedRequest(made, head["spans"], head["refused"], head["reason"])

    async def _ask(self, body: bytes, how: Format) -> tuple[dict[str, Any], bytes]:
        process = self._process
        if process is None or process.returncode is not None:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", __name__, str(self._seconds_max),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        head = orjson.dumps(list(how))
        process.stdin.write(_HEAD.pack(len(head), len(body)) + head)
        process.stdin.write(body)
        await process.stdin.drain()
        sizes = _HEAD.unpack(await process.stdout.readexactly(_HEAD.size))
        answer: dict[str, Any] = orjson.loads(await process.stdout.readexactly(sizes[0]))
        return answer, await process.stdout.readexactly(sizes[1])

    async def _has_worked_too_long(self) -> bool:
        return self._process is not None and await self._process.wait() == -signal.SIGPROF

    def _end_if_idle(self) -> None:
        if not self._turn.locked() and self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process = None

    async def _end(self) -> None:
        self._kill()
        process, self._process = self._process, None
        if self._idle is not None:
            self._idle.cancel()
        if process is not None:
            await process.wait()


def main() -> None:
    """Translate what comes by standard input until it ends."""
    os.nice(_NICE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES_MAX, _MEMORY_BYTES_MAX))
    seconds_max = float(sys.argv[1])
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := requests.read(_HEAD.size):
        sizes = _HEAD.unpack(head)
        how = Format(*orjson.loads(requests.read(sizes[0])))
        body = requests.read(sizes[1])
        signal.setitimer(signal.ITIMER_PROF, seconds_max)  # nobody handles it: it ends the process
        _answer(body, how, answers)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _answer(body: bytes, how: Format, answers: BinaryIO) -> None:
    made = b""
    try:
        request = translate(body, how)
    except (RejectedError, MemoryError) as error:
        head = {
            "error": str(error) or "the request takes too much memory to translate",
            "too_large": not isinstance(error, UndecodableError),
        }
    else:
        made = request.body
        head = {
            "spans": request.span_count,
            "refused": request.refused_spans,
            "reason": request.reason,
        }
    packed = orjson.dumps(head)
    answers.write(_HEAD.pack(len(packed), len(made)) + packed)
    answers.write(made)
    answers.flush()


if __name__ == "__main__":
    main()
