"""The command line: arguments → configuration → role; no logic.

Commands are imported when they are run, so that `lymer --help` costs no engine, no gRPC and no
web framework. Exit codes: 0 done, 1 the program could not do it, 2 the command line or the
configuration is wrong, 130 interrupted before there was anything to stop cleanly.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, cast

import click

from lymer.errors import LymerError

__all__ = ["main", "root"]


@dataclass(frozen=True, slots=True)
class _Entry:
    module: str
    attribute: str
    summary: str


_DEFAULT: Final = "all-in-one"
_COMMANDS: Final = {
    "all-in-one": _Entry("lymer.cli.start", "all_in_one", "Receive, store and show traces."),
    "agent": _Entry("lymer.cli.start", "agent", "Take spans and send them to collectors."),
    "collector": _Entry("lymer.cli.start", "collector", "Receive and store traces."),
    "ingester": _Entry("lymer.cli.start", "ingester", "Store what collectors put into Kafka."),
    "query": _Entry("lymer.cli.start", "query", "Show the traces a collector stores."),
    "demo": _Entry("lymer.cli.traffic", "demo", "Run a small shop that sends real traces."),
    "generate": _Entry("lymer.cli.traffic", "generate", "Send made-up traces as load."),
    "search": _Entry("lymer.cli.search", "search", "Find traces by the search language."),
    "trace": _Entry("lymer.cli.search", "trace", "Print one trace as a tree."),
    "services": _Entry("lymer.cli.search", "services", "List services with what they take."),
    "complete": _Entry("lymer.cli.search", "complete", "List keys of spans, or values of one."),
    "tail": _Entry("lymer.cli.live", "tail", "Print spans as they are stored."),
    "top": _Entry("lymer.cli.live", "top", "Show the busiest operations, again and again."),
    "graph": _Entry("lymer.cli.live", "graph", "Show who calls whom."),
    "export": _Entry("lymer.cli.files", "export", "Write traces to a file."),
    "import": _Entry("lymer.cli.files", "import_", "Store the spans of files."),
    "migrate": _Entry("lymer.cli.migrate", "migrate", "Move what another store holds."),
    "anonymize": _Entry("lymer.cli.files", "anonymize", "Write files with codes for texts."),
    "delete": _Entry("lymer.cli.deletion", "delete", "Delete traces, for good."),
    "root-cause": _Entry("lymer.cli.diagnosis", "root_cause", "Rank where an anomaly began."),
    "explain": _Entry("lymer.cli.diagnosis", "explain", "Say what is different about spans."),
    "profile": _Entry("lymer.cli.diagnosis", "profile", "Show where the time of traces goes."),
    "diff": _Entry("lymer.cli.diagnosis", "diff", "Compare two traces by their calls."),
    "watch": _Entry("lymer.cli.watch", "watch", "Tell when rate, errors or latency jump."),
    "mcp": _Entry("lymer.cli.mcp", "mcp", "Give an assistant the store, over stdio."),
    "config": _Entry("lymer.cli.configuration", "config", "Show, check and describe settings."),
    "doctor": _Entry("lymer.cli.doctor", "doctor", "Say what keeps a role from working."),
    "storage": _Entry("lymer.cli.storage", "storage", "Say what the store takes on its disks."),
    "tenants": _Entry("lymer.cli.tenants", "tenants", "List and remove tenants."),
    "completion": _Entry("lymer.cli.about", "completion", "Print a shell's completion script."),
    "version": _Entry("lymer.cli.about", "version", "Print the version."),
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
            hint = f': did you mean "{near[0]}"?' if near else ", see lymer --help"
            ctx.fail(f'unknown command "{args[0]}"{hint}')
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take `lymer` and `lymer --data-dir X` for `lymer all-in-one ...`."""
        own = {"--help", "-h", "--version"}
        if not args or (args[0].startswith("-") and args[0] not in own):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in _COMMANDS.items()])


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool, /) -> None:  # noqa: FBT001 - click calls it
    if wanted:
        from lymer import __version__

        click.echo(f"lymer {__version__}")
        ctx.exit()


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a command, lymer is lymer all-in-one and takes its options.",
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
    """Distributed tracing, a drop-in for Jaeger."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code; what fails on purpose is one sentence."""
    _fill_standard_streams()
    sys.exit(_run(arguments))


def _fill_standard_streams() -> None:
    """Open what the caller has closed of 0, 1 and 2: else a socket of ours would be printed to."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free one: this
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 - until the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115


def _run(arguments: Sequence[str] | None) -> int:
    try:
        result = root.main(arguments, prog_name="lymer", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("lymer: interrupted", err=True)
        return 130
    except LymerError as error:
        for line in str(error).splitlines():
            click.echo(f"lymer: {line}", err=True)
        return cast("int", getattr(error, "exit_code", 1))
    except BrokenPipeError:
        # The reader of our output is gone (`lymer config show | head`). Python would complain
        # once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return result if isinstance(result, int) else 0
