"""The store that is an API server, over HTTP."""

from __future__ import annotations

import asyncio
import json
import platform
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from certwright import __version__
from certwright.adapters.kube.config import Connection
from certwright.adapters.kube.credentials import Credentials
from certwright.adapters.kube.requests import (
    LIST_PAGE_OBJECTS,
    Request,
    apply_request,
    create_request,
    delete_request,
    error_of,
    get_request,
    list_request,
    update_request,
    user_agent,
    watch_request,
)
from certwright.adapters.kube.watch import WatchDecoder
from certwright.engine.store import Change, Listing, Selection
from certwright.errors import (
    ExpiredError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from certwright.resources.kinds import KINDS, Key, Kind, Manifest

__all__ = ["KubeStore"]

REQUEST_SECONDS_MAX: Final = 30.0
"""A get or a write takes no longer; the API server itself gives up after 34 s by default."""
LIST_SECONDS_MAX: Final = 120.0
"""A page of a list takes no longer. Source: the API server's own `--request-timeout` is 60 s."""
CONNECT_SECONDS_MAX: Final = 10.0
WATCH_SECONDS: Final = (300, 600)
"""A watch is asked to end after a random time between these. Source: client-go's reflector."""
WATCH_SILENCE_SECONDS_MAX: Final = 630.0
"""Nothing arrives for longer than the longest watch: the connection is dead."""
BUSY_RETRIES_MAX: Final = 5
"""A server that says when to come back (429, 503) is asked so often before it is an error."""
BUSY_WAIT_SECONDS_MAX: Final = 10.0
CONNECTIONS_MAX: Final = 100
_LISTING: Final = aiohttp.ClientTimeout(total=LIST_SECONDS_MAX, sock_connect=CONNECT_SECONDS_MAX)
_ASKING: Final = aiohttp.ClientTimeout(total=REQUEST_SECONDS_MAX, sock_connect=CONNECT_SECONDS_MAX)
_WATCHING: Final = aiohttp.ClientTimeout(
    total=None, sock_connect=CONNECT_SECONDS_MAX, sock_read=WATCH_SILENCE_SECONDS_MAX
)


class KubeStore:
    """A `Store` that is an API server. An async context: sockets are closed at its end."""

    def __init__(
        self,
        connection: Connection,
        *,
        kinds: Iterable[Kind] = KINDS,
        reader: str = "certwright",
        before_request: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            connection: Where the server is, and who we are.
            kinds: What may be stored.
            reader: First part of the User-Agent of what is no write.
            before_request: Waits until the next request may be sent: the rate limit.
        """
        self._connection = connection
        self._kinds = {(kind.api_version, kind.name): kind for kind in kinds}
        self._reader = reader
        self._before_request = before_request
        self._credentials = Credentials(connection)
        self._session: aiohttp.ClientSession | None = None
        self._proxy = _proxy_of(connection)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS_MAX, socket_factory=_new_socket)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=True)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._open_session().close()

    # -------------------------------------------------------------------------- the port

    async def get(self, key: Key, /) -> Manifest | None:
        """Return the object as it is now, or None."""
        try:
            return _named(await self._ask(get_request(key)), key.kind)
        except NotFoundError:
            return None

    async def list(self, selection: Selection, /) -> Listing:
        """Return the selected objects, page by page, by namespace and name."""
        try:
            return await self._list(selection, LIST_PAGE_OBJECTS)
        except ExpiredError:  # the pages' common moment was compacted: all at once, then
            return await self._list(selection, 0)

    async def watch(self, selection: Selection, resource_version: str, /) -> AsyncIterator[Change]:
        """Give every change after `resource_version`, until the server ends the watch."""
        seconds = random.randint(*WATCH_SECONDS)  # noqa: S311  # spreads the load
        request = watch_request(selection, resource_version, seconds)
        decoder = WatchDecoder(selection.kind)
        response = await self._send(request, self._reader, _WATCHING)
        try:
            if response.status >= 300:
                raise error_of(response.status, await response.read())
            async for chunk in response.content.iter_any():
                for change in decoder.feed(chunk):
                    yield change
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(f"the watch broke: {_reason(error)}") from error
        finally:
            response.close()

    async def create(self, obj: Manifest, /, *, manager: str, dry_run: bool = False) -> Manifest:
        """Store a new object."""
        kind = self._kind_of(obj)
        return await self._ask(create_request(kind, obj, manager, dry_run=dry_run), manager)

    async def update(self, obj: Manifest, /, *, manager: str) -> Manifest:
        """Replace an object, its status excepted where that is a subresource."""
        return await self._ask(update_request(self._kind_of(obj), obj, manager, ""), manager)

    async def update_status(self, obj: Manifest, /, *, manager: str) -> Manifest:
        """Replace the status only."""
        return await self._ask(update_request(self._kind_of(obj), obj, manager, "status"), manager)

    async def apply(
        self, obj: Manifest, /, *, manager: str, force: bool = True, subresource: str = ""
    ) -> Manifest:
        """Server-side apply."""
        kind = self._kind_of(obj)
        request = apply_request(kind, obj, manager, force=force, subresource=subresource)
        return await self._ask(request, manager)

    async def delete(self, key: Key, /, *, uid: str = "") -> None:
        """Delete an object; what it owns goes in the background."""
        await self._ask(delete_request(key, uid))

    # -------------------------------------------------------------------------- beside the port

    async def ask(self, path: str) -> Manifest:
        """Return the JSON object at a path, such as `/apis/cert-manager.io/v1` for discovery.

        Raises:
            StoreError: There is none, or no answer.
        """
        return await self._ask(Request("GET", path))

    async def call(self, path: str, body: Mapping[str, Any]) -> Manifest:
        """Return what a POST of JSON to a path gives: an API of others behind the API server.

        Raises:
            StoreError: There is none, or no answer.
        """
        return await self._ask(Request("POST", path, body=json.dumps(body).encode()))

    # -------------------------------------------------------------------------- transport

    async def _list(self, selection: Selection, limit: int) -> Listing:
        objects: list[Manifest] = []
        token = ""
        while True:
            request = list_request(selection, limit=limit, continue_token=token)
            page = await self._ask(request, timeout=_LISTING)
            objects += (_named(obj, selection.kind) for obj in page.get("items") or ())
            metadata = page.get("metadata") or {}
            token = str(metadata.get("continue") or "")
            if not token:
                return Listing(objects, str(metadata.get("resourceVersion", "")))

    async def _ask(
        self,
        request: Request,
        manager: str = "",
        timeout: aiohttp.ClientTimeout = _ASKING,  # noqa: ASYNC109  # it is aiohttp's
    ) -> Manifest:
        """Send a request and return the object it gives; asks again where that is surely safe."""
        for attempt in range(BUSY_RETRIES_MAX + 1):
            response = await self._send(request, manager or self._reader, timeout)
            try:
                body = await response.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise UnavailableError(
                    f"no whole answer to {request.method} {request.path}: {_reason(error)}"
                ) from error
            finally:
                response.release()
            if response.status == 401 and attempt == 0:
                self._credentials.forget()
                continue
            wait_seconds = _retry_after_seconds(response)
            if wait_seconds is None or attempt == BUSY_RETRIES_MAX:
                return _decode(response.status, body)
            await asyncio.sleep(min(wait_seconds, BUSY_WAIT_SECONDS_MAX))
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _send(
        self, request: Request, manager: str, limit: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        if self._before_request is not None:
            await self._before_request()
        headers = {
            **await self._credentials.headers(),
            "Accept": request.accept,
            "User-Agent": user_agent(manager, __version__, platform.system(), platform.machine()),
        }
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        pairs = list(headers.items())
        pairs += [("Impersonate-Group", group) for group in self._connection.impersonate_groups]
        try:
            return await self._open_session().request(
                request.method,
                URL(self._connection.server + request.path, encoded=True),
                params=request.query,
                data=request.body,
                headers=pairs,
                ssl=self._credentials.context(),
                server_hostname=self._connection.tls_server_name or None,
                proxy=self._proxy,
                timeout=limit,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(
                f"no answer to {request.method} {request.path} from {self._connection.server}: "
                f"{_reason(error)}"
            ) from error

    def _open_session(self) -> aiohttp.ClientSession:
        assert self._session is not None, "a KubeStore is used inside `async with`"
        return self._session

    def _kind_of(self, obj: Manifest) -> Kind:
        kind = self._kinds.get((str(obj.get("apiVersion")), str(obj.get("kind"))))
        if kind is None:
            raise RefusedError(
                f'no matches for kind "{obj.get("kind")}" in version "{obj.get("apiVersion")}"'
            )
        return kind


def _decode(status: int, body: bytes) -> Manifest:
    if status >= 300:
        raise error_of(status, body)
    try:
        answer: Any = json.loads(body)
    except ValueError as error:
        raise UnavailableError(f"the API server sent what is no JSON: {body[:200]!r}") from error
    if not isinstance(answer, dict):
        raise UnavailableError(f"the API server sent what is no object: {body[:200]!r}")
    return answer


def _named(obj: Manifest, kind: Kind) -> Manifest:
    """Write into an object what it is: lists leave it out, and metadata goes by another name."""
    obj["apiVersion"], obj["kind"] = kind.api_version, kind.name
    return obj


def _retry_after_seconds(response: aiohttp.ClientResponse) -> float | None:
    """Return how long the server wants to be left alone; None if it does not say."""
    if response.status not in (429, 503):
        return None
    try:
        return max(float(response.headers["Retry-After"]), 0.0)
    except (KeyError, ValueError):
        return None


def _new_socket(address: Any) -> socket.socket:
    """Open a socket that notices within a minute that nobody is there any longer."""
    family, kind, protocol, _, _ = address
    opened = socket.socket(family, kind, protocol)
    opened.setblocking(False)  # noqa: FBT003  # the socket's own signature
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return opened


def _proxy_of(connection: Connection) -> str | None:
    """Return the proxy, by configuration or by environment; never for this machine itself."""
    if connection.proxy_url:
        return connection.proxy_url
    parts = urlsplit(connection.server)
    host = parts.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127.") or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
