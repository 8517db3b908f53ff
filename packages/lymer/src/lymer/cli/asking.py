"""Asking a running Lymer over HTTP: options, errors, and how answers are printed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar
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
    "ask", "asking_options", "millis", "part", "print_json", "print_table", "range_options",
    "time_range",
]  # fmt: skip

_TIMEOUT_SECONDS: Final = 120.0
_DEFAULT_URL: Final = f"http://localhost:{ports.QUERY_HTTP}"
_Command = TypeVar("_Command", bound=Callable[..., Any])


def asking_options(command: _Command) -> _Command:
    """Add the options of every command that asks a running Lymer."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON."),
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
            default="15m",
            show_default=True,
            help="How much time before the end.",
        ),
    ):
        command = option(command)
    return command


def time_range(since: float, end: int | None) -> dict[str, str]:
    """Return the parameters of a range."""
    last = unix_nano() // 1_000 if end is None else end
    return {"start": str(last - round(since * 1e6)), "end": str(last)}


def ask(url: str, path: str, parameters: object, tenant: str | None = None) -> Any:
    """Return the answer of a running Lymer.

    Args:
        url: Its address.
        path: Below it.
        parameters: Mapping or pairs, as `urlencode` takes them.
        tenant: Whose spans; None: not said.

    Raises:
        StartupError: Nobody answers there, or it refuses; with its words.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise StartupError(f'cannot ask "{url}": an address is http://HOST:PORT')
    asked = f"{url.rstrip('/')}{path}?{urlencode(parameters)}"  # type: ignore[arg-type]
    request = Request(asked, headers={"x-tenant": tenant} if tenant else {})  # noqa: S310 - checked above
    try:
        with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - checked above
            return orjson.loads(answer.read())
    except HTTPError as error:
        raise StartupError(f"{url} refuses: {_words(error)}") from error
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise StartupError(
            f"nobody answers at {url} ({reason}): start lymer first, or name it with --url"
        ) from error
    except orjson.JSONDecodeError as error:
        raise StartupError(f"cannot read what {url} answers: is that a Lymer?") from error


def _words(error: HTTPError) -> str:
    body = error.read(65_536)
    try:
        told = orjson.loads(body)
        return str(told["errors"][0]["msg"])
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return f"status {error.code} {body[:200].decode(errors='replace').strip()}"


def print_json(answer: object) -> None:
    """Print an answer for programs: one line."""
    click.echo(orjson.dumps(answer).decode())


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns for people; numbers (whatever ends a row's cell in a digit or unit) right."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    right = [all(_is_number(line[at]) for line in lines[1:]) for at in range(len(head))]
    for number, line in enumerate(lines):
        cells = [
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        ]
        text = "  ".join(cells).rstrip()
        click.echo(click.style(text, bold=True) if number == 0 and sys.stdout.isatty() else text)


def _is_number(cell: str) -> bool:
    return not cell or cell[0].isdigit() or (cell[0] in "+-" and cell[1:2].isdigit())


def millis(nanoseconds: float) -> str:
    """Return a time for people, with its unit."""
    for factor, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if abs(nanoseconds) >= factor:
            return f"{nanoseconds / factor:.3g} {unit}"
    return f"{nanoseconds:.0f} ns"


def part(value: float) -> str:
    """Return a part of a whole as percent."""
    return f"{value:.1%}" if abs(value) < 0.1 else f"{value:.0%}"
