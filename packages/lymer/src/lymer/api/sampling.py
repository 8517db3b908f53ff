"""Port 5778: which share of traces to sample, for every client that asks over HTTP."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lymer.sampling.answering import StrategyAnswers

__all__ = ["create_sampling_app"]


def create_sampling_app(answers: StrategyAnswers) -> ASGIApp:
    """Return the application; it looks at method, path and query, never at a body."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        answer = await answers.any_path(scope["method"], scope["path"], scope["query_string"])
        response = Response(answer.body, answer.status)
        response.raw_headers.append((b"content-type", answer.content_type.encode()))
        response.raw_headers.extend(answer.headers)
        await response(scope, receive, send)

    return app
