"""Asking a running Lymer over HTTP, or a stopped one's data folder: options and errors.

Either is an `Asker`, so a command that asks knows only what it asks for.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import click
import orjson

from lymer import ports
from lymer.cli.traffic import duration
from lymer.clock import unix_nano
from lymer.errors import StartupError

__all__ = [
    "Asker", "HttpAsker", "ask", "ask_refined", "asked_range", "asking_options", "json_option",
    "open_asker", "place_options", "range_options", "seconds_range", "time_range",
]  # fmt: skip

_SINCE_SECONDS: Final = 900
_TIMEOUT_SECONDS: Final = 120.0
_DEFAULT_URL: Final = f"http://localhost:{ports.QUERY_HTTP}"
_MICROS_PER_SECOND: Final = 1_000_000
_Command = TypeVar("_Command", bound=Callable[..., Any])


class Asker(Protocol):
    """Somebody who answers as the query API does."""

    @property
    def name(self) -> str:
        """Who that is, for people."""

    def read(self, path: str, parameters: object = ()) -> bytes:
        """Return the body of an answer.

        Args:
            path: Below the address.
            parameters: Mapping or pairs, as `urlencode` takes them.

        Raises:
            StartupError: Nobody answers, or it refuses; with its words.
        """


class HttpAsker:
    """A running Lymer."""

    def __init__(self, url: str, tenant: str | None = None) -> None:
        """Ask at `url`, as a tenant if one is named.

        Raises:
            StartupError: That is no address.
        """
        if urlsplit(url).scheme not in {"http", "https"}:
            raise StartupError(f'cannot ask "{url}": an address is http://HOST:PORT')
        self.name = url
        self.headers = {"x-tenant": tenant} if tenant else {}

    def request(self, path: str, parameters: object = ()) -> Request:
        """Return what is asked."""
        asked = f"{self.name.rstrip('/')}{path}?{urlencode(parameters)}"  # type: ignore[arg-type]
        return Request(asked, headers=self.headers)  # noqa: S310 - checked above

    def read(self, path: str, parameters: object = ()) -> bytes:
        """See `Asker`."""
        with self.open(self.request(path, parameters)) as answer:
            try:
                body: bytes = answer.read()
            except OSError as error:
                raise StartupError(f"{self.name} stopped answering: {error}") from error
        return body

    def open(self, request: Request, timeout_seconds: float = _TIMEOUT_SECONDS) -> Any:
        """Return an answer that begins.

        Raises:
            StartupError: As `read`.
        """
        try:
            return urlopen(request, timeout=timeout_seconds)  # noqa: S310 - checked above
        except HTTPError as error:
            words = _words(error.code, error.read(65_536))
            raise StartupError(f"{self.name} refuses: {words}") from error
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise StartupError(
                f"nobody answers at {self.name} ({reason}): start lymer first, name it with --url, "
                "or ask a stopped one's folder with --data-dir"
            ) from error


class _FolderAsker:
    """A stopped Lymer's folder."""

    def __init__(self, name: str, get: Callable[[str, str], tuple[int, bytes]]) -> None:
        self.name, self._get = name, get

    def read(self, path: str, parameters: object = ()) -> bytes:
        """See `Asker`."""
        status, body = self._get(path, urlencode(parameters))  # type: ignore[arg-type]
        if status != 200:
            raise StartupError(f"{self.name} refuses: {_words(status, body)}")
        return body


@contextmanager
def open_asker(
    url: str | None, tenant: str | None = None, data_dir: Path | None = None
) -> Iterator[Asker]:
    """Yield who is asked: the folder if there is one, else the address.

    Raises:
        StartupError: It cannot be asked.
    """
    if data_dir is None:
        yield HttpAsker(url or _DEFAULT_URL, tenant)
        return
    from lymer.config import load_config
    from lymer.roles.stopped_folder import open_stopped_folder

    config = load_config(None, os.environ, {"storage.data_dir": str(data_dir)})
    with open_stopped_folder(config, tenant=tenant or "") as folder:
        yield _FolderAsker(str(data_dir), folder.get)


def ask(asker: Asker, path: str, parameters: object = ()) -> Any:
    """Return what a JSON answer says.

    Raises:
        StartupError: As `Asker.read`, or it is no JSON.
    """
    try:
        return orjson.loads(asker.read(path, parameters))
    except orjson.JSONDecodeError as error:
        raise StartupError(f"cannot read what {asker.name} answers: is that a Lymer?") from error


def ask_refined(asker: Asker, path: str, parameters: Sequence[tuple[str, str]]) -> Iterator[Any]:
    """Yield answers, each better than the one before; one if whoever answers has no more.

    Raises:
        StartupError: As `ask`.
    """
    if not isinstance(asker, HttpAsker):
        yield ask(asker, path, parameters)
        return
    with asker.open(asker.request(path, [*parameters, ("progressive", "1")])) as answer:
        try:
            for line in answer:
                yield orjson.loads(line)
        except (OSError, orjson.JSONDecodeError) as error:
            raise StartupError(f"cannot read what {asker.name} answers: {error}") from error


def asking_options(command: _Command) -> _Command:
    """Add the options that say who is asked, and give the command an `Asker`, called `asker`."""

    @functools.wraps(command)
    def with_asker(
        *, url: str | None, tenant: str | None, data_dir: Path | None, **others: Any
    ) -> Any:
        with open_asker(url, tenant, data_dir) as asker:
            return command(asker=asker, **others)

    wrapped: Any = json_option(with_asker)
    return place_options(wrapped)  # type: ignore[no-any-return]


def json_option(command: _Command) -> _Command:
    """Add `--json`."""
    added = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
    return added(command)


def place_options(command: _Command) -> _Command:
    """Add the options that say where spans are: `url`, `tenant` and `data_dir`."""
    for option in (
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="FOLDER",
            help="Ask this folder of a stopped Lymer instead, without changing it.",
        ),
        click.option("--tenant", metavar="NAME", help="Ask as this tenant (header x-tenant)."),
        click.option(
            "--url",
            default=_DEFAULT_URL,
            show_default=True,
            envvar="LYMER_URL",
            help="Address of the UI and API, with its base path.",
        ),
    ):
        command = option(command)
    return command


def range_options(command: _Command) -> _Command:
    """Add the options that say which time is looked at."""
    for option in (
        click.option(
            "--end", type=int, metavar="MICROSECONDS", help="Until then, since 1970. Default: now."
        ),
        click.option(
            "--since",
            type=duration,
            default=None,
            help="How much time before the end. Default: 15m; if nothing is so new, causes and "
            "profiles are looked for in the hour before the newest span.",
        ),
    ):
        command = option(command)
    return command


def time_range(since: float | None, end: int | None) -> dict[str, str]:
    """Return the parameters of a range, microseconds."""
    seconds = _SINCE_SECONDS if since is None else since
    last = unix_nano() // 1_000 if end is None else end
    return {"start": str(last - round(seconds * 1e6)), "end": str(last)}


def asked_range(since: float | None, end: int | None) -> dict[str, str]:
    """Return the parameters of a range; none where nobody says when: the server knows."""
    return {} if since is None and end is None else time_range(since, end)


def seconds_range(since: float | None, end: int | None) -> dict[str, str]:
    """Return a range as `/api/search` takes it, whole seconds, no less than asked for."""
    micros = time_range(since, end)
    first, last = int(micros["start"]), int(micros["end"])
    return {
        "start": str(first // _MICROS_PER_SECOND),
        "end": str(-(-last // _MICROS_PER_SECOND)),
    }


def _words(status: int, body: bytes) -> str:
    try:
        return str(orjson.loads(body)["errors"][0]["msg"])
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return f"status {status} {body[:200].decode(errors='replace').strip()}"
