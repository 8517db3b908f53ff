"""Streamable HTTP at `/api/ai/mcp/`, where Jaeger has it; no session, so nothing to forget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lymer.api.answers import Answers
from lymer.api.body import read_body
from lymer.api.mcp.protocol import Tool, answer
from lymer.api.mcp.skills import SKILL_TOOLS
from lymer.api.mcp.store_tools import STORE_TOOLS
from lymer.api.mcp.thinking_tools import THINKING_TOOLS
from lymer.query.service import QueryService

__all__ = ["McpDoor"]

_TOOLS: Final[dict[str, Tool]] = {
    tool.name: tool for tool in (*STORE_TOOLS, *THINKING_TOOLS, *SKILL_TOOLS)
}
_LOCAL: Final = ("http://localhost", "http://127.0.0.1", "http://[::1]")


class McpDoor:
    """Handler."""

    def __init__(self, answers: Answers, now_unix_nano: Callable[[], int]) -> None:
        self._answers = answers
        self._now = now_unix_nano

    async def post(self, request: Request, query: QueryService) -> Response:
        """POST: one message or a batch; 202 where no answer is due.

        A page of another origin may not ask: what a browser visits must not read the store
        (specification, "Transports", security warning).
        """
        origin = request.headers.get("origin")
        if origin is not None and not _is_ours(origin, request):
            return JSONResponse({"error": "foreign origin"}, status_code=403)
        body = await read_body(request)
        found: list[bytes] = []

        def make_body() -> bytes:
            answered = answer(body, _TOOLS, query, self._now())
            if answered is not None:
                found.append(answered)
            return answered or b""

        response = await self._answers.json(request, make_body)
        return response if found else Response(status_code=202)


def _is_ours(origin: str, request: Request) -> bool:
    host = request.headers.get("host", "")
    return (
        origin.split("://", 1)[-1] == host
        or origin.rsplit(":", 1)[0] in _LOCAL
        or (origin in _LOCAL)
    )
