"""Options that several commands have, with the original's names and forms.

Go's flags take `--flag=value`, `--flag value` and, for a bool, `--flag`, `--flag=true` or
`--flag=false`; a list is comma separated or repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from certwright.errors import InvalidError
from certwright.resources.durations import SECOND_NANO, parse_duration
from certwright.resources.features import FEATURES, FeatureGates

__all__ = [
    "Gates",
    "GoBool",
    "GoCommand",
    "GoDuration",
    "GoList",
    "gates_help",
    "leader_election_options",
    "logging_options",
    "start_logging",
]

F = TypeVar("F", bound=Callable[..., Any])

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class GoBool(click.ParamType[bool]):
    """A bool in Go's forms."""

    name = "bool"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        """Read it."""
        if isinstance(value, bool):
            return value
        if value in _TRUE or value in _FALSE:
            return value in _TRUE
        return self.fail(f'strconv.ParseBool: parsing "{value}": invalid syntax', param, ctx)


class GoDuration(click.ParamType[float]):
    """A duration such as `1h30m`; the value is in seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return parse_duration(value) / SECOND_NANO
        except InvalidError as error:
            return self.fail(str(error), param, ctx)


class GoList(click.ParamType[tuple[str, ...]]):
    """One value of a comma separated list; use with `multiple=True`."""

    name = "strings"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split it."""
        if isinstance(value, tuple):
            return value
        return tuple(part.strip() for part in str(value).split(",") if part.strip())


class Gates(click.ParamType[FeatureGates]):
    """Feature gates: `A=true,B=false`."""

    name = "gates"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> FeatureGates:
        """Read them."""
        if isinstance(value, FeatureGates):
            return value
        try:
            return FeatureGates.parse(value)
        except InvalidError as error:
            return self.fail(str(error), param, ctx)


class GoCommand(click.Command):
    """A command whose bool options may stand without a value: `--leader-elect`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Write out the value of a bool that has none; Go never takes the next argument for it."""
        flags = {
            name for param in self.params if isinstance(param.type, GoBool) for name in param.opts
        }
        return super().parse_args(ctx, [f"{arg}=true" if arg in flags else arg for arg in args])


def logging_options(command: F) -> F:
    """Add the flags of klog that have a meaning here, and take the others in silence."""
    for name in (
        "--vmodule",
        "--log-flush-frequency",
        "--logtostderr",
        "--alsologtostderr",
        "--stderrthreshold",
        "--log_backtrace_at",
        "--log_dir",
        "--log_file",
        "--log_file_max_size",
        "--one_output",
        "--skip_headers",
        "--skip_log_headers",
        "--add_dir_header",
    ):
        command = click.option(
            name, hidden=True, expose_value=False, is_flag=False, flag_value="true"
        )(command)
    command = click.option(
        "--logging-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Form of log lines.",
    )(command)
    return click.option(
        "-v",
        "--v",
        "verbosity",
        type=int,
        default=2,
        show_default=True,
        metavar="LEVEL",
        help="How much is logged: 0 warnings, 1 to 3 changes of state too, from 4 on everything.",
    )(command)


def start_logging(verbosity: int, logging_format: str) -> None:
    """Begin to log, as `logging_options` says."""
    from certwright.telemetry.logs import configure_logs

    configure_logs(verbosity, logging_format)


def leader_election_options(command: F) -> F:
    """Add the flags of leader election."""
    seconds = GoDuration()
    for name, default, text in reversed(
        (
            ("--leader-election-lease-duration", "60s", "How long a lease holds."),
            (
                "--leader-election-renew-deadline",
                "40s",
                "How long renewing may fail before we stop.",
            ),
            ("--leader-election-retry-period", "15s", "How long between attempts."),
        )
    ):
        command = click.option(name, type=seconds, default=default, show_default=True, help=text)(
            command
        )
    command = click.option(
        "--leader-election-namespace",
        default="kube-system",
        show_default=True,
        help="Namespace of the lease.",
    )(command)
    return click.option(
        "--leader-elect",
        type=GoBool(),
        default=True,
        show_default=True,
        help="Whether only one replica works at a time.",
    )(command)


def gates_help() -> str:
    """Return the help of --feature-gates."""
    return f"Features that are off until asked for: {', '.join(FEATURES)}, AllAlpha."
