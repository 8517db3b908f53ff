"""Demo traffic and incidents to practise on, started by a button: `/api/lymer/v1/practice`.

Whoever can start a process on a machine must be its user. So the routes answer only where somebody
made a `Practice` (all-in-one on loopback), a request must come from this machine, name it by a
loopback name (a foreign name that resolves to it is refused), carry a header that no form and no
link of another page can set, and say that it comes from a page of this server if it says so at all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import Response

from lymer.api.envelope import error_response
from lymer.errors import QuestionError
from lymer.query.service import QueryService

__all__ = ["HEADER", "Practice", "PracticeApi"]

HEADER: Final = "x-lymer-practice"
"""Must be there with any value: a browser asks us before it sends it from another origin."""
_BODY_BYTES_MAX: Final = 1_024
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SAME_SITES: Final = frozenset({"", "same-origin", "none"})


class Practice(Protocol):
    """Starts and stops what sends."""

    def state(self) -> Mapping[str, Any]:
        """Return what runs, and the incidents planted so far with what is true about them."""

    async def start_traffic(self) -> None:
        """Start demo traffic, unless it runs.

        Raises:
            QuestionError: It cannot be started.
        """

    async def stop_traffic(self) -> None:
        """Stop it."""

    async def plant(self, kind: str, seed: int) -> None:
        """Send an incident; an empty kind is any, a seed of 0 is a new one.

        Raises:
            QuestionError: There is no such kind, or one is being sent.
        """


class PracticeApi:
    """Handlers; without a `Practice` they say that there is none here."""

    def __init__(self, practice: Practice | None) -> None:
        """Act on `practice`."""
        self._practice = practice

    async def get(self, request: Request, _query: QueryService) -> Response:
        """GET: whether there is one here, and what it does. Others are told that there is none."""
        if self._practice is None or _refusal(request, acts=False):
            return _json({"available": False})
        return _json({"available": True, **self._practice.state()})

    async def post(self, request: Request, _query: QueryService) -> Response:
        """POST `{"do": "traffic" | "stop" | "incident", "kind": …, "seed": …}`."""
        if self._practice is None:
            return error_response(
                403, "cannot start anything: only all-in-one on a loopback address does"
            )
        refusal = _refusal(request, acts=True)
        if refusal:
            return error_response(403, f"cannot start anything: {refusal}")
        match await _order(request):
            case {"do": "traffic"}:
                await self._practice.start_traffic()
            case {"do": "stop"}:
                await self._practice.stop_traffic()
            case {"do": "incident", **rest}:
                await self._practice.plant(str(rest.get("kind", "")), _seed(rest.get("seed", 0)))
            case _:
                raise QuestionError("cannot do that: do is traffic, stop or incident")
        return _json({"available": True, **self._practice.state()})


def _seed(said: object) -> int:
    if not isinstance(said, int) or not 0 <= said < 2**31:
        raise QuestionError("cannot plant an incident: seed is no whole number")
    return said


def _json(content: Mapping[str, Any]) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(orjson.dumps(content), media_type="application/json", headers=headers)


async def _order(request: Request) -> object:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _BODY_BYTES_MAX:
            raise QuestionError(f"cannot read the order: the limit is {_BODY_BYTES_MAX} bytes")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise QuestionError("cannot read the order: it is no JSON") from None


def _refusal(request: Request, *, acts: bool) -> str:
    """Return why a request is not this machine's user at a page of ours; empty if it is."""
    client = request.client.host if request.client else ""
    if not _is_loopback(client):
        return "the request does not come from this machine"
    host = request.headers.get("host", "").lower()
    if _without_port(host) not in _LOOPBACK_NAMES:
        return f"{host[:100]!r} is not a loopback name"
    if any(name in request.headers for name in ("forwarded", "x-forwarded-for")):
        return "the request came through a proxy"
    if request.headers.get("sec-fetch-site", "") not in _SAME_SITES:
        return "the request comes from another site"
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host:
        return "the request comes from another origin"
    if acts and HEADER not in request.headers:
        return f"the header {HEADER} is missing"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
