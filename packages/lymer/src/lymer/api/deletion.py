"""Deleting traces over HTTP: `DELETE /api/lymer/v1/traces`, `GET /api/lymer/v1/deletions`.

Served on the admin port where the store is, behind a gate of its own. No page of a browser may ask:
whatever says `Origin` is refused.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lymer.api.answers import check_query_string
from lymer.api.envelope import error_response
from lymer.api.openapi import ADMIN_PATHS, openapi_route
from lymer.api.parameters import to_flag, to_trace_id
from lymer.api.tempo_parameters import instant
from lymer.errors import (
    LymerError,
    OverloadedError,
    QuestionError,
    StorageAwayError,
    TooLargeError,
)
from lymer.model.deletion import Deleted, Deletion
from lymer.query.deleting import DELETED_TRACES_MAX, Named, name_traces
from lymer.storage.caller import CALLER, Caller
from lymer.storage.contract import TenantReaders, TraceDeleter
from lymer.tenancy import DEFAULT_TENANT, Tenancy
from lymer.transport.http_gate import App
from lymer.wire.go_text import rfc3339_text

__all__ = ["OPEN_PORT", "beside_deletion", "create_deletion_app", "create_refusing_app"]

TRACES: Final = "/api/lymer/v1/traces"
DELETIONS: Final = "/api/lymer/v1/deletions"
_INSTANT_MAX: Final = 2**63 - 1
_WHO_CHARACTERS_MAX: Final = 200
OPEN_PORT: Final = (
    "cannot delete: the admin port can be reached from other machines, so it must know who may "
    "delete; set admin.deletion.auth"
)


def create_deletion_app(
    readers: TenantReaders,
    deleter: TraceDeleter,
    *,
    executor: Executor,
    wait_for_store: Callable[[], Awaitable[int]],
    tenancy: Tenancy | None = None,
) -> ASGIApp:
    """Return the two routes, and what describes them, as an ASGI application.

    Args:
        readers: Find what a question names.
        deleter: Deletes it.
        executor: One thread: one deletion at a time.
        wait_for_store: Returns, once all that has arrived is stored, up to which segment it is.
        tenancy: How requests name their tenant; None if they need not.
    """
    api = _DeletionApi(readers, deleter, executor, wait_for_store, tenancy)
    return Starlette(
        routes=[
            Route(TRACES, api.delete_traces, methods=["DELETE"]),
            Route(DELETIONS, api.get_deletions),
            openapi_route(described=ADMIN_PATHS),
        ],
        exception_handlers={LymerError: _answer_error},
    )


def create_refusing_app(reason: str) -> ASGIApp:
    """Return an application that says why nobody may delete."""

    async def refuse(_request: Request) -> Response:
        return error_response(403, reason)

    return Starlette(routes=[Route(TRACES, refuse, methods=["DELETE"]), Route(DELETIONS, refuse)])


def beside_deletion(app: App, deletion: App) -> App:
    """Return one application of both, each behind its own gate."""

    async def choose(
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        chosen = deletion if scope.get("path", "").startswith("/api/") else app
        await chosen(scope, receive, send)

    return choose


class _DeletionApi:
    """Handlers of the two routes."""

    def __init__(
        self,
        readers: TenantReaders,
        deleter: TraceDeleter,
        executor: Executor,
        wait_for_store: Callable[[], Awaitable[int]],
        tenancy: Tenancy | None,
    ) -> None:
        self._readers = readers
        self._deleter = deleter
        self._executor = executor
        self._wait_for_store = wait_for_store
        self._tenancy = tenancy
        self._is_busy = False

    async def delete_traces(self, request: Request) -> Response:
        """Delete what `q` (with `start`, `end`) or each `traceID` names; `dryRun` counts only."""
        tenant = self._tenant(request)
        parameters = request.query_params
        is_dry = to_flag(parameters, "dryRun")
        text = parameters.get("q", "")
        sent = parameters.getlist("traceID")
        if bool(text.strip()) == bool(sent):
            raise QuestionError(
                "cannot delete: say what, either by q, a question in the search language, or by "
                "one traceID or more"
            )
        if len(sent) > DELETED_TRACES_MAX:
            raise TooLargeError(
                f"cannot delete: {len(sent)} traces are named, the limit is {DELETED_TRACES_MAX}"
            )
        ids = tuple(dict.fromkeys(map(to_trace_id, sent)))
        times = (instant(parameters, "start", 0), instant(parameters, "end", _INSTANT_MAX))
        who, question = _who(request), text or " ".join(ids)
        upto = await self._wait_for_store()

        def run() -> tuple[Deleted, Named]:
            named = Named(ids)
            caller = Caller()
            token = CALLER.set(caller)
            try:
                if not ids:
                    named = name_traces(self._readers.for_tenant(tenant), text, times)
                if is_dry:
                    counted = self._deleter.count_traces(tenant, named.trace_ids)
                    return counted, replace(named, reason=named.reason or "; ".join(caller.lacks))
            finally:
                CALLER.reset(token)
            if caller.lacks:
                raise StorageAwayError(
                    "cannot delete what a question names: it cannot be known which those are "
                    f"({'; '.join(caller.lacks)}); nothing was deleted"
                )
            deleted = self._deleter.delete_traces(
                tenant, named.trace_ids, who=who, question=question, upto=upto
            )
            return deleted, named

        deleted, named = await self._run(run)
        return _json(
            {
                **_figures(deleted),
                "dryRun": is_dry,
                "complete": not named.reason,
                "reason": named.reason,
            }
        )

    async def get_deletions(self, request: Request) -> Response:
        """Answer with the audit log, newest first."""
        tenant = self._tenant(request)
        found = await self._run(lambda: self._deleter.get_deletions(tenant))
        return _json({"deletions": [_entry(one) for one in found]})

    def _tenant(self, request: Request) -> str:
        if "origin" in request.headers:
            raise _ForbiddenError("pages of a browser may not delete")
        check_query_string(request)
        if self._tenancy is None:
            return DEFAULT_TENANT
        return self._tenancy.tenant_of_headers(request.scope["headers"])

    async def _run(self, work: Callable[[], Any]) -> Any:
        if self._is_busy:
            raise OverloadedError("cannot delete now: another deletion is at work")
        self._is_busy = True
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        future.add_done_callback(self._free)
        return await asyncio.shield(future)  # whoever leaves does not stop it

    def _free(self, future: asyncio.Future[Any]) -> None:
        self._is_busy = False
        if not future.cancelled():
            future.exception()  # whoever asked may be gone


class _ForbiddenError(LymerError):
    http_status = 403


def _figures(deleted: Deleted) -> dict[str, int]:
    return {
        "traces": deleted.traces, "spans": deleted.spans, "archivedSpans": deleted.archived,
    }  # fmt: skip


def _entry(one: Deletion) -> dict[str, object]:
    return {
        "id": str(one.deletion_id),
        "time": rfc3339_text(one.deletion_id * 1_000),
        "who": one.who,
        "question": one.question,
        **_figures(one.deleted),
    }


def _who(request: Request) -> str:
    """Return the user that the gate has let pass, and whence."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    user = {"": "somebody", "bearer": "a token"}.get(scheme.lower(), "")
    if scheme.lower() == "basic":
        user = base64.b64decode(credentials.strip()).decode(errors="replace").partition(":")[0]
    host = request.client.host if request.client else "this machine"
    return f"{user[:_WHO_CHARACTERS_MAX]} from {host}"


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")


async def _answer_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, LymerError):
        raise error
    after = error.retry_after_seconds if isinstance(error, OverloadedError) else 0
    return error_response(error.http_status, str(error), retry_after_seconds=after)
