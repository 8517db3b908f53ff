"""Jaeger's thrift over HTTP, port 14268: `POST /api/traces`, and `GET /api/sampling`.

Source: reference jaeger.md 2.4; opentelemetry-collector-contrib v0.155,
`receiver/jaegerreceiver/trace_receiver.go` (statuses, texts and their order).
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any, Final

from lymer.errors import BodyTooLargeError, LymerError, RejectedError, TenantError
from lymer.receivers.door import Door, NotDurableError
from lymer.receivers.http_exchange import (
    BodyReader,
    Receive,
    Send,
    SenderGoneError,
    respond,
    respond_tenant_error,
    retry_after,
)
from lymer.sampling.answering import StrategyAnswers
from lymer.wire.translations import Format

__all__ = ["JaegerHttpReceiver"]

_FORMAT: Final = Format("jaeger-thrift")
_PATH: Final = "/api/traces"
_SAMPLING_PATH: Final = "/api/sampling"
_TEXT: Final = "text/plain; charset=utf-8"
_ACCEPTED_TYPES: Final = frozenset({"application/x-thrift", "application/vnd.apache.thrift.binary"})
_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - RFC 9110's token
_MEDIA_TYPE: Final = re.compile(rf"({_TOKEN})?(/?)({_TOKEN})?(.*)", re.DOTALL)
_PARAMETERS: Final = re.compile(
    rf'(?:\s*+;\s*+{_TOKEN}\s*+=\s*+(?:{_TOKEN}|"(?:[^"\\]|\\.)*"))*\s*+(?:;\s*+)?', re.DOTALL
)
_HTML: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;"}
)  # fmt: skip
"""As Go's `html.EscapeString` writes them."""


class _AnswerError(Exception):
    """A request that is turned away for what its head says."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class JaegerHttpReceiver:
    """The ASGI application of the Jaeger collector's HTTP port."""

    def __init__(
        self, door: Door, *, body_bytes_max: int, strategies: StrategyAnswers | None = None
    ) -> None:
        """Prepare.

        Args:
            door: The way of requests.
            body_bytes_max: Limit on a body as sent, bytes.
            strategies: Answers about sampling, as Jaeger v1's collector; None does not, as v2's.
        """
        self._strategies = strategies
        self._door = door
        self._reader = BodyReader(door.admission, body_bytes_max=body_bytes_max)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if scope["path"] == _SAMPLING_PATH and self._strategies is not None:
            await _send_strategy(self._strategies, scope, send)
            return
        try:
            _check_target(scope)
            tenant = self._door.intake.tenant_of_headers(scope["headers"])
            headers = dict(scope["headers"])
            await self._door.take(
                lambda: self._reader.read(headers, receive), lambda: _how(headers), tenant=tenant
            )
        except _AnswerError as answer:
            await _send_text(send, answer.status, answer.text)
        except NotDurableError as error:
            self._door.refuse(error.cause)
            text = f"Cannot submit Jaeger batch: {error.cause}"
            await _send_text(send, 500, text, *retry_after(error.cause))
        except TenantError as error:
            self._door.refuse(error)
            await respond_tenant_error(send, error)
        except LymerError as error:
            self._door.refuse(error)
            text = f"Unable to process request body: {error}".translate(_HTML)
            # A body that could not be read to its end is Jaeger's fault, by its own numbers.
            is_read = isinstance(error, RejectedError) and not isinstance(error, BodyTooLargeError)
            await _send_text(send, 400 if is_read else 500, text, *retry_after(error))
        except SenderGoneError:
            return
        else:
            await respond(send, 202, "", b"")


def _how(headers: dict[bytes, bytes]) -> tuple[Format, str]:
    """Return how a body is written; Jaeger looks at that when it has read it."""
    _check_content_type(headers)
    return _FORMAT, headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()


def _check_target(scope: MutableMapping[str, Any]) -> None:
    if scope["path"] != _PATH:
        raise _AnswerError(404, "404 page not found")
    if scope["method"] != "POST":
        raise _AnswerError(405, "")


def _check_content_type(headers: dict[bytes, bytes]) -> None:
    """Refuse what Go's `mime.ParseMediaType` refuses, and what is no thrift."""
    sent = headers.get(b"content-type", b"").decode("latin-1")
    media_type, problem = _parse_media_type(sent)
    if problem:
        raise _AnswerError(400, f"Cannot parse content type: {problem}".translate(_HTML))
    if media_type not in _ACCEPTED_TYPES:
        raise _AnswerError(400, f"Unsupported content type: {media_type}".translate(_HTML))


def _parse_media_type(sent: str) -> tuple[str, str]:
    """Return the media type in lower case, and what Go would say is wrong with it, or nothing."""
    base, semicolon, rest = sent.partition(";")
    base = base.strip().lower()
    match = _MEDIA_TYPE.fullmatch(base)
    assert match is not None
    kind, slash, subtype, behind = match.groups()
    if not kind:
        return "", "mime: no media type"
    if not slash and (subtype or behind):
        return "", "mime: expected slash after first token"
    if slash and not subtype:
        return "", "mime: expected token after slash"
    if behind:
        return "", "mime: unexpected content after media subtype"
    if not _PARAMETERS.fullmatch(semicolon + rest):
        return "", "mime: invalid media parameter"
    return base, ""


async def _send_strategy(
    strategies: StrategyAnswers, scope: MutableMapping[str, Any], send: Send
) -> None:
    if scope["method"] != "GET":
        await _send_text(send, 405, "")
        return
    answer = await strategies.sampling(scope["query_string"])
    await respond(send, answer.status, answer.content_type, answer.body, *answer.headers)


async def _send_text(send: Send, status: int, text: str, *extra: tuple[bytes, bytes]) -> None:
    """Answer as Go's `http.Error` does."""
    body = f"{text}\n".encode() if text else b""
    if text:
        extra = (*extra, (b"x-content-type-options", b"nosniff"))
    await respond(send, status, _TEXT if text else "", body, *extra)
