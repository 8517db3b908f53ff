"""Zipkin over HTTP, port 9411: v1 JSON and thrift, v2 JSON and protobuf.

Every path and method is answered, as the Collector's receiver does: a path with `api/v1/spans` in
it is v1, any other is v2; but GET below `/api/v2/` is Zipkin's query API where that is served.
Source: reference jaeger.md 2.7.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from lymer import clock
from lymer.errors import LymerError, TenantError
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
from lymer.transport.http_gate import App
from lymer.wire.translations import Format, FormatName

__all__ = ["ZipkinHttpReceiver"]

_V1_PATH: Final = "api/v1/spans"
_QUESTIONS: Final = ("/api/v2/", "/zipkin/")
_THRIFT: Final = "application/x-thrift"
_PROTOBUF: Final = "application/x-protobuf"
_TEXT: Final = "text/plain; charset=utf-8"


class ZipkinHttpReceiver:
    """The ASGI application of the Zipkin port."""

    def __init__(self, door: Door, *, body_bytes_max: int, questions: App | None = None) -> None:
        """Prepare.

        Args:
            door: Takes what is sent.
            body_bytes_max: Limits a body as sent.
            questions: Answers GET of Zipkin's query API; None where nobody does.
        """
        self._door = door
        self._questions = questions
        self._reader = BodyReader(door.admission, body_bytes_max=body_bytes_max)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if self._questions is not None and _is_question(scope):
            await self._questions(scope, receive, send)
            return
        try:
            tenant = self._door.intake.tenant_of_headers(scope["headers"])
            headers: dict[bytes, bytes] = dict(scope["headers"])
            how = _how(scope["path"], headers)
            request = await self._door.take(
                lambda: self._reader.read(headers, receive), lambda: how, tenant=tenant
            )
        except TenantError as error:
            self._door.refuse(error)
            await respond_tenant_error(send, error)
        except NotDurableError as error:
            await self._send_error(send, error.cause)
        except LymerError as error:
            await self._send_error(send, error)
        except SenderGoneError:
            return
        else:
            # Clients look at the status only, which says that nothing should be sent again.
            await respond(send, 202, _TEXT if request.reason else "", request.reason.encode())

    async def _send_error(self, send: Send, error: LymerError) -> None:
        self._door.refuse(error)
        text = f"{error}\n".encode()
        await respond(send, error.http_status, _TEXT, text, *retry_after(error))


def _is_question(scope: MutableMapping[str, Any]) -> bool:
    path: str = scope["path"]
    return scope["method"] in {"GET", "HEAD"} and path.startswith(_QUESTIONS)


def _how(path: str, headers: dict[bytes, bytes]) -> tuple[Format, str]:
    """Return how a body is written and compressed."""
    coding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
    sent = headers.get(b"content-type", b"").decode("latin-1")
    media_type = sent.partition(";")[0].strip().lower()
    if _V1_PATH in path:
        name: FormatName = "zipkin-v1-thrift" if media_type == _THRIFT else "zipkin-v1-json"
        return Format(name, now_unix_nano=clock.unix_nano()), coding
    if media_type == _PROTOBUF:
        return Format("zipkin-proto", debug=headers.get(b"x-b3-flags", b"") == b"1"), coding
    return Format("zipkin-json"), coding
