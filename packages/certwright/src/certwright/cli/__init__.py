"""The command line: arguments → options → role; no logic.

Commands are imported when they are run, so that `certwright --help` costs no TLS and no web
framework. Exit codes: 0 done, 1 the program could not do it, 2 the command line is wrong,
130 interrupted before there was anything to stop cleanly.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, cast

import click

from certwright.errors import CertwrightError

__all__ = ["main", "root"]


@dataclass(frozen=True, slots=True)
class _Entry:
    module: str
    attribute: str
    summary: str


_COMMANDS: Final = {
    "controller": _Entry(
        "certwright.cli.controller",
        "controller",
        "Keep a cluster's certificates issued and renewed.",
    ),
    "quickstart": _Entry(
        "certwright.cli.standalone", "quickstart", "Make a CA and a certificate in a folder."
    ),
    "standalone": _Entry(
        "certwright.cli.standalone", "standalone", "Keep the certificates of a folder renewed."
    ),
    "status": _Entry(
        "certwright.cli.standalone", "status", "Show what a folder has, and what is due when."
    ),
    "webhook": _Entry("certwright.cli.webhook", "webhook", "Judge objects before they are stored."),
    "cainjector": _Entry(
        "certwright.cli.ca_injector", "ca_injector", "Keep CA bundles up to date."
    ),
    "acmesolver": _Entry(
        "certwright.cli.acme_solver", "acme_solver", "Answer one HTTP-01 challenge."
    ),
    "startupapicheck": _Entry(
        "certwright.cli.startup_api_check",
        "startup_api_check",
        "Wait until Certificates can be created.",
    ),
    "ctl": _Entry(
        "certwright.cli.ctl_commands", "ctl", "Ask and tell about certificates, as cmctl does."
    ),
    "doctor": _Entry("certwright.cli.doctor", "doctor", "Say what keeps a cluster from working."),
    "manifests": _Entry(
        "certwright.cli.manifests", "manifests", "Print what to install in a cluster."
    ),
    "version": _Entry("certwright.cli.about", "version", "Print the version."),
}


class _LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        return cast(
            "click.Command", getattr(importlib.import_module(entry.module), entry.attribute)
        )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one."""
        if args[0] not in _COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(args[0], _COMMANDS, n=1)
            hint = f': did you mean "{near[0]}"?' if near else ", see certwright --help"
            ctx.fail(f'unknown command "{args[0]}"{hint}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in _COMMANDS.items()])


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool, /) -> None:  # noqa: FBT001 - click calls it
    if wanted:
        from certwright import __version__

        click.echo(f"certwright {__version__}")
        ctx.exit()


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def root() -> None:
    """Certificates that renew themselves, on a cluster and on files."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code; what fails on purpose is one sentence."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        result = root.main(arguments, prog_name="certwright", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("certwright: interrupted", err=True)
        return 130
    except CertwrightError as error:
        for line in str(error).splitlines():
            click.echo(f"certwright: {line}", err=True)
        return cast("int", getattr(error, "exit_code", 1))
    except BrokenPipeError:
        # The reader of our output is gone (`certwright manifests | head`). Python would complain
        # once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return result if isinstance(result, int) else 0
