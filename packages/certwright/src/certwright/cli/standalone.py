"""`certwright standalone`, `quickstart`, `status`: certificates in a folder, no cluster."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any, Final

import click

from certwright.cli.options import (
    Gates,
    GoDuration,
    gates_help,
    logging_options,
    start_logging,
)
from certwright.errors import StartupError

__all__ = ["quickstart", "standalone", "status"]

_FOLDER: Final = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.command("standalone", short_help="Keep the certificates of a folder renewed.")
@_FOLDER
@click.option("--once", is_flag=True, help="Do what is due now and stop; for cron.")
@click.option(
    "--timeout", type=GoDuration(), default="2m", show_default=True, help="Longest time of --once."
)
@click.option("--reload-command", default="", help="Run by /bin/sh after files have changed.")
@click.option(
    "--reload-interval",
    type=GoDuration(),
    default="10s",
    show_default=True,
    help="Shortest time between two runs.",
)
@click.option(
    "--reload-timeout",
    type=GoDuration(),
    default="1m",
    show_default=True,
    help="Longest time of one run.",
)
@click.option("--group", default="", help="This group may read keys too (mode 0640).")
@click.option("--feature-gates", "gates", type=Gates(), default="", help=gates_help())
@click.option(
    "--delete-secrets",
    is_flag=True,
    help="Remove key and certificate with their Certificate; otherwise they stay.",
)
@logging_options
def standalone(folder: Path, verbosity: int, logging_format: str, **given: Any) -> int:
    """Keep the certificates of a folder: DIR/*.yaml says what you want, DIR/secrets has it.

    Edits are picked up while it runs. One process works on a folder at a time.
    """
    from certwright.roles.standalone.service import run_once, serve

    start_logging(verbosity, logging_format)
    settings = _settings(folder, given)
    if not given["once"]:
        from certwright.roles.standalone.signals import until_stopped

        asyncio.run(until_stopped(serve(settings)))
        return 0
    problems = asyncio.run(run_once(settings))
    for problem in problems:
        click.echo(f"certwright: {problem}", err=True)
    return 1 if problems else 0


@click.command("quickstart", short_help="Make a CA and a certificate in a folder, in one go.")
@click.argument("hosts", metavar="HOST...", nargs=-1)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("certificates"),
    show_default=True,
    help="Where; made if it is not there.",
)
def quickstart(hosts: tuple[str, ...], folder: Path) -> int:
    """Make a CA of your own and a certificate by it for HOST... (localhost if none is named)."""
    from certwright.roles.standalone.first_steps import take_first_steps

    start_logging(0, "text")
    logging.getLogger("certwright").setLevel(logging.ERROR)  # what went wrong is on the page
    result = asyncio.run(take_first_steps(folder, hosts or ("localhost", "127.0.0.1", "::1")))
    click.echo(result.text, nl=False)
    return 0 if result.is_good else 1


@click.command("status", short_help="Show what a folder has, and what is due when.")
@_FOLDER
def status(folder: Path) -> None:
    """Show what a folder has, and what is due when. Exit code 1 if something is wrong."""
    from certwright import clock
    from certwright.roles.standalone.layout import Layout
    from certwright.roles.standalone.status_page import status_page

    page = status_page(Layout(folder), clock.now())
    click.echo(page.text, nl=False)
    sys.exit(0 if page.is_good else 1)


def _settings(folder: Path, given: dict[str, Any]) -> Any:
    from certwright.adapters.secret_folder import Access
    from certwright.roles.standalone.layout import Layout
    from certwright.roles.standalone.reload import ReloadSettings
    from certwright.roles.standalone.service import StandaloneSettings, folder_options

    return StandaloneSettings(
        layout=Layout(folder),
        options=folder_options(given["gates"], delete_secrets=given["delete_secrets"]),
        access=Access(_group_id(given["group"])),
        reload=ReloadSettings(
            given["reload_command"],
            interval_seconds=given["reload_interval"],
            timeout_seconds=given["reload_timeout"],
        ),
        once_seconds_max=given["timeout"],
    )


def _group_id(name: str) -> int | None:
    if not name:
        return None
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise StartupError(f'there is no group "{name}" on this machine') from None
