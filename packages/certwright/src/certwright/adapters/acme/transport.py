"""Requests to servers that are not trusted: bounded in time and size, and counted."""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from certwright import __version__, clock
from certwright.acme.messages import Problem, Unreachable, problem_of
from certwright.adapters.client_certificates import load_pair
from certwright.errors import CertwrightError

__all__ = ["BODY_BYTES_MAX", "Answer", "NoAnswerError", "ProblemError", "Transport", "Trust"]

BODY_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of any answer; what is longer is no answer."""
REQUEST_SECONDS_MAX: Final = 90.0
"""Source: reference cert-manager.md 3.4."""
CONNECT_SECONDS_MAX: Final = 30.0
SESSIONS_MAX: Final = 16
"""Sets of roots that are kept open."""
RETRY_AFTER_SECONDS_MAX: Final = 7 * 86_400.0
_CHUNK_BYTES: Final = 65_536
_TRANSPORT_ERROR: Final = 999

Observe = Callable[[tuple[tuple[str, str], ...], float], None]
"""Takes the labels and the seconds of a request."""


class ProblemError(CertwrightError):
    """The server said no."""

    def __init__(self, problem: Problem) -> None:
        """Keep the problem."""
        super().__init__(str(problem))
        self.problem = problem


class NoAnswerError(CertwrightError):
    """There was no answer, or none that could be understood."""

    def __init__(self, reason: str, retry_after_seconds: float | None = None) -> None:
        """Keep why."""
        super().__init__(reason)
        self.answer = Unreachable(reason, retry_after_seconds)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificates count."""

    ca_pem: bytes = b""
    """Instead of the system's roots."""
    skip_verify: bool = False
    certificate_pem: bytes = b""
    key_pem: bytes = field(default=b"", repr=False)
    """The client's own certificate and its key; both empty for none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of several the last counts, but for Link."""
    body: bytes = field(repr=False)
    links: tuple[tuple[str, str], ...] = ()
    """(relation, absolute URL)."""

    @property
    def retry_after_seconds(self) -> float | None:
        """When to come back, as the server says it."""
        text = self.headers.get("retry-after", "")
        if text.isdecimal():
            return min(float(text), RETRY_AFTER_SECONDS_MAX)
        when = _date(text)
        if when is None:
            return None
        # By the server's own clock: ours may be days away from it.
        seconds = (when - (_date(self.headers.get("date", "")) or clock.now())).total_seconds()
        return min(max(seconds, 0.0), RETRY_AFTER_SECONDS_MAX)

    @property
    def problem(self) -> Problem:
        """What an answer of 400 or more means."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return problem_of(
            self.status,
            self.body,
            is_problem=kind == "application/problem+json",
            retry_after_seconds=self.retry_after_seconds,
        )


def _date(text: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def no_metrics(_labels: tuple[tuple[str, str], ...], _seconds: float) -> None:
    """Count nothing."""


class Transport:
    """Sends requests. An async context: sockets are closed at its end."""

    def __init__(self, observe: Observe = no_metrics) -> None:
        """Send nothing yet; `observe` is told of every request."""
        self._observe = observe
        self._sessions: OrderedDict[Trust, aiohttp.ClientSession] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        sessions = list(self._sessions.values())
        self._sessions.clear()
        await asyncio.gather(*(session.close() for session in sessions))

    async def send(
        self,
        method: str,
        url: str,
        *,
        trust: Trust = Trust(),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        redirects: bool = False,
        server_name: str = "",
        seconds_max: float = REQUEST_SECONDS_MAX,
    ) -> Answer:
        """Return the answer, whatever its status.

        Args:
            method: Of the request.
            url: Of the request.
            trust: Whose certificates count, and our own.
            headers: Of the request.
            body: Of the request.
            redirects: Whether to follow some.
            server_name: Name in the server's certificate, if it is not the URL's host.
            seconds_max: How long all of it may take.

        Raises:
            NoAnswerError: There was none; the text names host and cause.
        """
        session = self._session(trust)
        started = clock.monotonic_seconds()
        status = _TRANSPORT_ERROR
        timeout = aiohttp.ClientTimeout(total=seconds_max, sock_connect=CONNECT_SECONDS_MAX)
        try:
            async with session.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=redirects,
                max_redirects=10,
                server_hostname=server_name or None,
            ) as response:
                answer = Answer(
                    response.status,
                    {name.lower(): value for name, value in response.headers.items()},
                    await _body(response),
                    _links(response),
                )
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise NoAnswerError(f"no answer from {_host(url)}: {_cause(error)}") from error
        finally:
            self._observe(_labels(method, url, status), clock.monotonic_seconds() - started)
        return answer

    def _session(self, trust: Trust) -> aiohttp.ClientSession:
        found = self._sessions.pop(trust, None)
        if found is None:
            try:
                context = _context(trust)
            except (ssl.SSLError, ValueError) as error:
                what = (
                    "the client certificate or the CA bundle" if trust.key_pem else "the CA bundle"
                )
                raise NoAnswerError(f"{what} cannot be read: {error}") from error
            found = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context, limit=100, limit_per_host=32),
                headers={"User-Agent": f"cert-manager-challenges/v{__version__} certwright"},
                trust_env=True,
            )
        self._sessions[trust] = found
        if len(self._sessions) > SESSIONS_MAX:
            _, oldest = self._sessions.popitem(last=False)
            asyncio.get_running_loop().call_later(
                REQUEST_SECONDS_MAX, lambda: asyncio.ensure_future(oldest.close())
            )
        return found


async def _body(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    length = 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        length += len(chunk)
        if length > BODY_BYTES_MAX:
            response.close()
            raise ValueError(f"the answer is longer than {BODY_BYTES_MAX} bytes")
        parts.append(chunk)
    return b"".join(parts)


def _links(response: aiohttp.ClientResponse) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for header in response.headers.getall("Link", []):
        for part in header.split(","):
            target, _, parameters = part.partition(";")
            target = target.strip()
            if not (target.startswith("<") and target.endswith(">")):
                continue
            for parameter in parameters.split(";"):
                name, _, value = parameter.strip().partition("=")
                if name.lower() == "rel":
                    url = str(response.url.join(URL(target[1:-1])))
                    found.append((value.strip('"'), url))
    return tuple(found)


def _context(trust: Trust) -> ssl.SSLContext:
    if not trust.ca_pem:
        context = ssl.create_default_context()
    else:
        context = ssl.create_default_context(cadata=trust.ca_pem.decode("ascii"))
    if trust.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if trust.certificate_pem:
        load_pair(context, trust.certificate_pem, trust.key_pem)
    return context


def _labels(method: str, url: str, status: int) -> tuple[tuple[str, str], ...]:
    """Return the labels of a request. Source: reference cert-manager.md 8.1."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    parts = f"{slash}{path}".partition("?")[0].split("/")
    return (
        ("scheme", scheme),
        ("host", host),
        ("path", "/".join(parts[:3])),
        ("method", method),
        ("status", str(status)),
    )


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0] or url


def _cause(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {error.certificate_error}"
    return str(error) or type(error).__name__
