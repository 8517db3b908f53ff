"""The storage API, port 17271: what the query role asks of the process that owns the store.

Calls block, so they run in the executor; an answer is encoded there too, and leaves in chunks.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Executor
from typing import Any, Final, Protocol, TypeAlias

import grpc

from lymer.api.jaeger_storage import SERVICES, Answer, question_of
from lymer.errors import LymerError, OverloadedError, UndecodableError
from lymer.query.service import ALLOWS_LARGE, Queries
from lymer.storage.caller import CALLER, Caller
from lymer.storage.contract import SpanReader, TenantReaders
from lymer.storage.remote.codec import (
    METHODS,
    REQUEST_BYTES_MAX,
    SERVICE,
    Method,
    cut,
    decode_arguments,
)
from lymer.storage.remote.reader import CHECK, ERROR_KEY, NOTES_KEY, TENANT_KEY
from lymer.telemetry.logs import EventLog
from lymer.tenancy import DEFAULT_TENANT, Tenancy, tenant_of_code
from lymer.transport.gate import Gate
from lymer.transport.grpc_gate import gate_interceptors
from lymer.transport.grpc_port import add_port

__all__ = ["CALLS_IN_FLIGHT_MAX", "CheckedStore", "Export", "StorageApi"]

_log = EventLog(__name__)
CALLS_IN_FLIGHT_MAX: Final = 64
"""Most questions being answered at once, as for HTTP; each may hold one large answer."""

_QUICK: Final = frozenset({"get_services", "get_operations"})
_MESSAGE_CHARACTERS_MAX: Final = 2_000
"""Of an error, so that it fits the headers it travels in."""
_OTLP: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
_HEALTH: Final = "grpc.health.v1.Health"
Export: TypeAlias = Callable[[bytes, Any], Awaitable[bytes]]
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class CheckedStore(TenantReaders, Protocol):
    """A store that can say whether it works."""

    def check(self) -> None:
        """Return if the store is likely to answer now; raise `StorageError` if not."""


class StorageApi:
    """Serves a store's readers; `bind` and `start` make it reachable."""

    def __init__(
        self,
        store: CheckedStore,
        executor: Executor,
        *,
        calls_in_flight_max: int = CALLS_IN_FLIGHT_MAX,
        gate: Gate | None = None,
        tenancy: Tenancy | None = None,
        export: Export | None = None,
    ) -> None:
        """Prepare.

        Args:
            store: Whose readers answer.
            executor: Threads, one for each question answered at once.
            calls_in_flight_max: Further questions are told to come back.
            gate: Who may ask; None is everybody.
            tenancy: How a Jaeger names its tenant; None if it need not.
            export: Takes OTLP from a Jaeger that keeps its traces here; gets the body and the
                call's context.
        """
        self._store = store
        self._queries = Queries(store)
        self._tenancy = tenancy
        self._executor = executor
        self._calls_in_flight_max = calls_in_flight_max
        self._calls_in_flight = 0
        self._server = grpc.aio.server(
            interceptors=gate_interceptors(gate),
            options=[
                ("grpc.max_receive_message_length", REQUEST_BYTES_MAX),
                ("grpc.so_reuseport", 0),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
                ("grpc.http2.max_ping_strikes", 0),
            ],
        )
        handlers = {
            method.name: grpc.unary_stream_rpc_method_handler(self._answering(method))
            for method in METHODS.values()
        }
        handlers[CHECK] = grpc.unary_stream_rpc_method_handler(self._check)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, handlers), *self._for_jaeger(export))
        )

    def _for_jaeger(self, export: Export | None) -> Iterator[grpc.GenericRpcHandler[Any, Any]]:
        """Yield the services of a remote storage as Jaeger asks them."""
        for service, methods in SERVICES.items():
            handlers = {
                name: grpc.unary_stream_rpc_method_handler(self._streaming(how[0], how[2]))
                if how[1]
                else grpc.unary_unary_rpc_method_handler(self._single(how[0], how[2]))
                for name, how in methods.items()
            }
            yield grpc.method_handlers_generic_handler(service, handlers)
        if export is not None:
            handler = grpc.unary_unary_rpc_method_handler(export)
            yield grpc.method_handlers_generic_handler(_OTLP, {"Export": handler})
        health = grpc.unary_unary_rpc_method_handler(self._health)
        yield grpc.method_handlers_generic_handler(_HEALTH, {"Check": health})

    def _streaming(
        self, question: str, answer: Answer
    ) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
        async def serve(body: bytes, context: Any) -> AsyncIterator[bytes]:
            ask, caller = self._asking(question, answer, context), Caller()
            parts = await self._run(context, ask, body, caller=caller)
            while (part := await self._run(context, _next, parts, caller=caller)) is not None:
                yield part
            if told := caller.told:
                context.set_trailing_metadata(told)

        return serve

    def _single(self, question: str, answer: Answer) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def serve(body: bytes, context: Any) -> bytes:
            ask, caller = self._asking(question, answer, context), Caller()

            def whole(body: bytes) -> bytes:
                return b"".join(ask(body))

            found: bytes = await self._run(context, whole, body, caller=caller)
            if told := caller.told:
                context.set_trailing_metadata(told)
            return found

        return serve

    def _asking(
        self, question: str, answer: Answer, context: Any
    ) -> Callable[[bytes], Iterator[bytes]]:
        metadata = list(context.invocation_metadata() or ())

        def ask(body: bytes) -> Iterator[bytes]:
            tenant = self._tenancy.tenant_of_metadata(metadata) if self._tenancy else DEFAULT_TENANT
            ALLOWS_LARGE.set(True)
            return answer(self._queries.for_tenant(tenant), question_of(question, body))

        return ask

    async def _health(self, _body: bytes, context: Any) -> bytes:
        """Answer whether the store is likely to answer, whichever service is asked about."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._store.check)
        except LymerError:
            return b"\x08\x02"  # NOT_SERVING
        return b"\x08\x01"

    def bind(self, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listen on `host:port`, encrypted with `credentials` if there are; return the port.

        Raises:
            RuntimeError: The address cannot be had.
        """
        return add_port(self._server, address, credentials)

    async def start(self) -> None:
        """Begin to serve."""
        await self._server.start()

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let running ones end within `grace_seconds`."""
        await self._server.stop(grace_seconds)

    def _answering(self, method: Method) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
        asked = inspect.signature(getattr(SpanReader, method.attribute))

        def answer(body: bytes, code: str) -> bytes:
            arguments, keywords = decode_arguments(body)
            reader = self._store.for_tenant(_tenant_of(code))
            ask = getattr(reader, method.attribute)
            try:
                asked.bind(reader, *arguments, **keywords)
            except TypeError as error:
                raise UndecodableError(f"cannot ask {method.attribute}: {error}") from error
            return method.encode(ask(*arguments, **keywords))

        async def serve(body: bytes, context: Any) -> AsyncIterator[bytes]:
            is_quick = method.attribute in _QUICK
            code, caller = _code_in(context), Caller()
            answered = await self._run(
                context, answer, body, code, caller=caller, is_quick=is_quick
            )
            for chunk in cut(answered):
                yield chunk
            if notes := caller.notes():
                context.set_trailing_metadata([(NOTES_KEY, notes)])

        return serve

    async def _check(self, _body: bytes, context: Any) -> AsyncIterator[bytes]:
        await self._run(context, self._store.check)
        for chunk in cut(b""):
            yield chunk

    async def _run(
        self,
        context: Any,
        call: Callable[..., Any],
        *arguments: Any,
        caller: Caller | None = None,
        is_quick: bool = False,
    ) -> Any:
        """Return what `call` does in a thread, or end the call with its error."""
        caller = caller or Caller()
        try:
            return await asyncio.shield(self._started(caller, call, *arguments, is_quick=is_quick))
        except asyncio.CancelledError:
            # Whoever asked has gone, or waited long enough.
            threading.Thread(target=caller.leave, daemon=True).start()
            raise
        except LymerError as error:
            name = ((ERROR_KEY, type(error).__name__),)
            await context.abort(_CODES[error.grpc_code], str(error)[:_MESSAGE_CHARACTERS_MAX], name)
        except Exception as error:  # noqa: BLE001 - a bug costs one answer, no server
            _log.exception("BUG in the storage API", error)
            await context.abort(grpc.StatusCode.INTERNAL, "internal error: the log has the details")

    def _started(
        self, caller: Caller, call: Callable[..., Any], *arguments: Any, is_quick: bool
    ) -> asyncio.Future[Any]:
        if is_quick:  # from memory: it waits for no search, and takes no place
            return asyncio.get_running_loop().run_in_executor(None, call, *arguments)
        if self._calls_in_flight >= self._calls_in_flight_max:
            raise OverloadedError(
                f"cannot answer now: {self._calls_in_flight} questions are being answered, "
                f"the limit is {self._calls_in_flight_max}"
            )
        context = contextvars.copy_context()
        context.run(CALLER.set, caller)
        future = asyncio.get_running_loop().run_in_executor(
            self._executor, context.run, call, *arguments
        )
        self._calls_in_flight += 1
        future.add_done_callback(self._release)
        return future

    def _release(self, future: asyncio.Future[Any]) -> None:
        """Give the place back when the thread is done, however impatient the caller was."""
        self._calls_in_flight -= 1
        if not future.cancelled():
            future.exception()  # seen


def _code_in(context: Any) -> str:
    """Return the code of the tenant a call names; empty is the default tenant's."""
    return str(dict(context.invocation_metadata() or ()).get(TENANT_KEY, ""))


def _tenant_of(code: str) -> str:
    try:
        return tenant_of_code(code)
    except ValueError as error:
        raise UndecodableError(f"cannot read a tenant: {error}") from error


def _next(parts: Iterator[bytes]) -> bytes | None:
    ALLOWS_LARGE.set(True)
    return next(parts, None)
