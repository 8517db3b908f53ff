"""Answers to HTTP-01 challenges: how they are served without a cluster, and how they are looked at.

Source: RFC 8555 8.3; reference cert-manager.md 3.5 (self check) and 6 (acmesolver).
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Protocol

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from certwright import __version__
from certwright.acme.questions import CheckHttp, CleanUpToken, Done, NotYet, PresentToken
from certwright.adapters.atomic_files import write_file
from certwright.adapters.dns.queries import addresses_of
from certwright.errors import InvalidError
from certwright.resources.gotext import quote

__all__ = [
    "CommandAnswers",
    "HttpAnswers",
    "HttpCheck",
    "ListenerAnswers",
    "NoAnswers",
    "WebrootAnswers",
    "solver_application",
]

PATH: Final = "/.well-known/acme-challenge"
CHECK_SECONDS_MAX: Final = 10.0
"""Source: reference 3.5."""
CHECK_BYTES_MAX: Final = 65_536
"""Of what is found where an answer should be; the answer itself is shorter."""
PASS_SECONDS: Final = 2.0
"""Between two checks that are both to pass. Source: reference 3.5."""
PASSES_KEPT_MAX: Final = 10_000
"""Challenges whose passes are counted; of those that fell out, counting begins anew."""
COMMAND_SECONDS_MAX: Final = 60.0
_SHOWN_CHARACTERS_MAX: Final = 24
_PUBLIC_MODE: Final = 0o644
_NO_CACHE: Final = {"Cache-Control": "no-cache, no-store, must-revalidate"}


class HttpAnswers(Protocol):
    """Puts answers where a CA finds them."""

    async def present(self, question: PresentToken, /) -> Done | NotYet:
        """Put one in place; doing it twice changes nothing."""

    async def clean_up(self, question: CleanUpToken, /) -> Done | NotYet:
        """Take one away; doing it twice changes nothing."""


class NoAnswers:
    """There is no way to answer."""

    async def present(self, _question: PresentToken, /) -> Done | NotYet:
        """Say so."""
        return NotYet(
            "this process has no way to answer HTTP-01 challenges: start it with --http01-listen, "
            "--http01-webroot or --http01-command, or use a dns01 solver"
        )

    async def clean_up(self, _question: CleanUpToken, /) -> Done | NotYet:
        """Do nothing."""
        return Done()


class ListenerAnswers:
    """Serves answers itself, as long as there are any: the port is free in between."""

    def __init__(self, host: str, port: int) -> None:
        """Listen later."""
        self._host, self._port = host, port
        self._answers: dict[tuple[str, str], str] = {}
        self._runner: web.AppRunner | None = None
        self._lock = asyncio.Lock()

    async def present(self, question: PresentToken, /) -> Done | NotYet:
        """Serve it; listen if nobody does yet."""
        async with self._lock:
            self._answers[(question.host.lower(), question.token)] = question.key
            if self._runner is not None:
                return Done()
            application = web.Application()
            application.router.add_get(f"{PATH}/{{token}}", self._answer)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            try:
                await web.TCPSite(runner, self._host or None, self._port).start()
            except OSError as error:
                await runner.cleanup()
                return NotYet(
                    f"cannot listen on {self._host}:{self._port}: {error.strerror or error}; if a "
                    "web server has the port, use --http01-webroot"
                )
            self._runner = runner
        return Done()

    async def clean_up(self, question: CleanUpToken, /) -> Done | NotYet:
        """Serve it no longer; stop listening after the last one."""
        async with self._lock:
            self._answers.pop((question.host.lower(), question.token), None)
            if not self._answers:
                await self._stop()
        return Done()

    async def close(self) -> None:
        """Stop listening."""
        async with self._lock:
            self._answers.clear()
            await self._stop()

    async def _stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        token = request.match_info["token"]
        key = self._answers.get((_host_of(request), token))
        if key is None:
            # A proxy in front may have put another name in Host.
            key = next((found for (_, name), found in self._answers.items() if name == token), None)
        if key is None:
            raise web.HTTPNotFound
        return web.Response(text=key, headers=_NO_CACHE)


@dataclass(frozen=True, slots=True)
class WebrootAnswers:
    """Writes answers into the folder that a web server shows."""

    folder: Path

    async def present(self, question: PresentToken, /) -> Done | NotYet:
        """Write the file."""
        return await asyncio.to_thread(self._write, question)

    async def clean_up(self, question: CleanUpToken, /) -> Done | NotYet:
        """Delete the file; the folders stay."""
        try:
            await asyncio.to_thread(self._path(question.token).unlink, missing_ok=True)
        except OSError as error:
            return NotYet(f"cannot delete {self._path(question.token)}: {error.strerror}")
        return Done()

    def _path(self, token: str) -> Path:
        if not token or not all(char.isalnum() or char in "-_" for char in token):
            raise InvalidError(f"{quote(token)} is no token")  # base64url. Source: RFC 8555 8
        return self.folder / PATH.lstrip("/") / token

    def _write(self, question: PresentToken) -> Done | NotYet:
        path = self._path(question.token)
        try:
            if not self.folder.is_dir():
                return NotYet(f"the webroot {self.folder} is no folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, question.key.encode(), _PUBLIC_MODE)
        except OSError as error:
            return NotYet(f"cannot write {path}: {error.strerror}")
        return Done()


@dataclass(frozen=True, slots=True)
class CommandAnswers:
    """Lets a command put answers in place: it is told by its environment."""

    command: str

    async def present(self, question: PresentToken, /) -> Done | NotYet:
        """Run it with CERTWRIGHT_ACTION=present."""
        return await self._run("present", question.host, question.token, question.key)

    async def clean_up(self, question: CleanUpToken, /) -> Done | NotYet:
        """Run it with CERTWRIGHT_ACTION=cleanup."""
        return await self._run("cleanup", question.host, question.token, question.key)

    async def _run(self, action: str, host: str, token: str, key: str) -> Done | NotYet:
        environment = {
            **os.environ,
            "CERTWRIGHT_ACTION": action,
            "CERTWRIGHT_DOMAIN": host,
            "CERTWRIGHT_TOKEN": token,
            "CERTWRIGHT_KEY": key,
        }
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", self.command, env=environment, stdin=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(COMMAND_SECONDS_MAX):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            return NotYet(f"the command for HTTP-01 took over {COMMAND_SECONDS_MAX:g} s")
        if code:
            return NotYet(f"the command for HTTP-01 failed with exit code {code}: {self.command}")
        return Done()


class HttpCheck:
    """Looks at answers as a CA does."""

    def __init__(self) -> None:
        self._passes: OrderedDict[str, int] = OrderedDict()

    async def check(self, question: CheckHttp) -> Done | NotYet:
        """Look once; `Done` after so many passes in a row."""
        why = await _look(question)
        if why:
            self._passes.pop(question.reference, None)
            return NotYet(why)
        passes = self._passes.pop(question.reference, 0) + 1
        if passes >= question.passes:
            return Done()
        self._passes[question.reference] = passes
        if len(self._passes) > PASSES_KEPT_MAX:
            self._passes.popitem(last=False)
        return NotYet("", PASS_SECONDS)


@cache
def _trusting() -> ssl.SSLContext:
    """Return what trusts any certificate; made once, for reading roots takes 90 ms."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _look(question: CheckHttp) -> str:
    """Return what is wrong, in cert-manager's words; empty if nothing is."""
    port = "" if question.port == 80 else f":{question.port}"
    url = f"http://{_bracketed(question.host)}{port}{PATH}/{question.token}"
    resolver = _NameserverResolver(question.nameservers) if question.nameservers else None
    connector = aiohttp.TCPConnector(ssl=_trusting(), resolver=resolver, force_close=True)
    timeout = aiohttp.ClientTimeout(total=CHECK_SECONDS_MAX)
    agent = {"User-Agent": f"cert-manager-challenges/v{__version__} certwright"}
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, headers=agent, trust_env=True
            ) as session,
            session.get(url, max_redirects=10) as response,
        ):
            if response.status != 200:
                return f"wrong status code '{response.status}', expected '200'"
            body = await response.content.read(CHECK_BYTES_MAX)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        cause = "it took too long" if isinstance(error, TimeoutError) else str(error)
        return f"failed to perform self check GET request '{url}': {cause or type(error).__name__}"
    found = body.decode(errors="replace")
    if found == question.key:
        return ""
    if len(found) > _SHOWN_CHARACTERS_MAX:
        found = f"{found[:_SHOWN_CHARACTERS_MAX].strip()}... (truncated)"
    return (
        "did not get expected response when querying endpoint, expected "
        f"{quote(question.key)} but got: {found}"
    )


class _NameserverResolver(AbstractResolver):
    """Asks given name servers."""

    def __init__(self, nameservers: tuple[str, ...]) -> None:
        self._nameservers = nameservers

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        found = await addresses_of(host, self._nameservers)
        if not found:
            raise OSError(f"lookup {host}: no such host")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=10 if ":" in address else 2,
                proto=0,
                flags=0,
            )
            for address in found
        ]

    async def close(self) -> None:
        return


def solver_application(domain: str, token: str, key: str) -> web.Application:
    """Return what `certwright acmesolver` serves.

    Source: reference cert-manager.md 6.
    """

    async def answer(request: web.Request) -> web.Response:
        path = request.path
        if path in {"/", "/healthz"}:
            return web.Response(headers=_NO_CACHE)
        base, _, last = path.rpartition("/")
        host = _host_of(request)
        if base != PATH or last != token or host != domain.lower():
            return web.Response(status=404, headers=_NO_CACHE)
        return web.Response(text=key, headers=_NO_CACHE)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    return application


def _host_of(request: web.Request) -> str:
    """Return the host that was asked for, without its port, in lower case."""
    host = request.host.lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


def _bracketed(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return f"[{host}]" if address.version == 6 else host
