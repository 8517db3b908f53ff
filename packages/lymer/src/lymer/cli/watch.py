"""`lymer watch`: tells changes as they happen, to a terminal, a webhook or an alert endpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.error import URLError
from urllib.request import Request, urlopen

import click
import orjson

from lymer.cli.asking import Asker, ask, asking_options
from lymer.cli.printing import millis, part, print_json
from lymer.cli.traffic import duration
from lymer.clock import unix_nano
from lymer.errors import StartupError

__all__ = ["tell", "watch"]

_LOOK_BACK_SECONDS: Final = 6 * 3600
"""What is usual is learned from so much time."""
_TIMEOUT_SECONDS: Final = 10.0


@click.command("watch", epilog="Example: lymer watch --alertmanager http://localhost:9093")
@click.option("--service", "services", multiple=True, metavar="NAME", help="Only these services.")
@click.option(
    "--of",
    type=click.Choice(["all", "operations", "edges"]),
    default="all",
    show_default=True,
    help="Changes of operations, of calls between services, or of both.",
)
@click.option("--every", type=duration, default="30s", show_default=True, help="How often to look.")
@click.option(
    "--recent",
    type=duration,
    default="10m",
    show_default=True,
    help="Tell changes that are no older.",
)
@click.option("--once", is_flag=True, help="Look once and end; exit code 1 if something changed.")
@click.option("--webhook", metavar="URL", help="POST each change there, as JSON.")
@click.option(
    "--alertmanager", metavar="URL", help="POST each change to URL/api/v2/alerts as an alert."
)
@asking_options
def watch(
    *,
    services: tuple[str, ...],
    of: str,
    every: float,
    recent: float,
    once: bool,
    asker: Asker,
    as_json: bool,
    **receivers: str | None,
) -> int:
    """Print when rate, errors or latency of operations or calls between services jump.

    Each change is told once, with a command that asks for its cause.
    """
    told: set[tuple[str, str, int]] = set()
    while True:
        new = [one for one in _changes(asker, services, of, recent) if not _is_told(told, one)]
        for one in new:
            if as_json:
                print_json(one)
            else:
                click.echo(_sentence(one))
            tell(one, **receivers)
        if once:
            return 1 if new else 0
        time.sleep(every)


def tell(one: dict[str, Any], *, webhook: str | None, alertmanager: str | None) -> None:
    """Tell others a change, as `changes` over HTTP says it.

    Raises:
        StartupError: Whoever is told does not take it.
    """
    if webhook:
        _post(webhook, one)
    if alertmanager:
        _post(f"{alertmanager.rstrip('/')}/api/v2/alerts", [_alert(one)])


def _changes(
    asker: Asker, services: tuple[str, ...], of: str, recent: float
) -> list[dict[str, Any]]:
    now = unix_nano()
    narrowed = [("service", one) for one in services] + ([("of", of)] if of != "all" else [])
    parameters = [("start", now // 1_000 - _LOOK_BACK_SECONDS * 1_000_000), ("end", now // 1_000)]
    found = ask(
        asker,
        "/api/lymer/v1/diagnosis/changes",
        [*parameters, *narrowed],
    )
    return [one for one in reversed(found["changes"]) if one["atUnixNano"] >= now - recent * 1e9]


def _is_told(told: set[tuple[str, str, int]], one: dict[str, Any]) -> bool:
    """Tell whether a change was told; with more minutes its instant may move by a few."""
    minute = one["atUnixNano"] // 60_000_000_000
    key = (_whose(one), one["what"])
    if any((*key, minute + shift) in told for shift in range(-3, 4)):
        return True
    told.add((*key, minute))
    return False


def _whose(one: dict[str, Any]) -> str:
    if one["caller"]:
        return f"{one['caller']} -> {one['service']}"
    return f"{one['service']} {one['operation']}"


def _sentence(one: dict[str, Any]) -> str:
    shows: dict[str, Callable[[float], str]] = {"latency": millis, "errors": part}
    show = shows.get(one["what"], _per_second)
    at = datetime.fromtimestamp(one["atUnixNano"] / 1e9, UTC).strftime("%H:%MZ")
    minute = one["atUnixNano"] // 1_000
    return (
        f"{at} {_whose(one)}: {one['what']} {show(one['before'])} -> "
        f"{show(one['after'])}\n"
        f"  why: lymer root-cause --since 30m --end {minute + 600_000_000} "
        f"--window-start {minute} --window-end {minute + 300_000_000}"
    )


def _per_second(value: float) -> str:
    return f"{value:.3g}/s"


def _alert(one: dict[str, Any]) -> dict[str, Any]:
    """Return a change as Alertmanager takes it (API v2, `postableAlert`)."""
    at = datetime.fromtimestamp(one["atUnixNano"] / 1e9, UTC)
    return {
        "labels": {
            "alertname": f"LymerChange{one['what'].capitalize()}",
            "service": one["service"],
            **{key: one[key] for key in ("operation", "caller") if one[key]},
        },
        "annotations": {"summary": _sentence(one).splitlines()[0]},
        "startsAt": at.isoformat(),
    }


def _post(url: str, content: object) -> None:
    request = Request(  # noqa: S310 - the address is the operator's own
        url, orjson.dumps(content), {"content-type": "application/json"}
    )
    try:
        with urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310 - as above
            return
    except (URLError, OSError, ValueError) as error:
        raise StartupError(f"cannot tell {url} about a change: {error}") from error
