"""Options that say where the configuration comes from, shared by all commands that read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import click

from lymer.errors import StartupError
from lymer.given_file import read_given

__all__ = ["configuration_options", "read_named", "to_overrides"]

_PATHS: Final = {
    "data_dir": "storage.data_dir",
    "retention": "storage.retention_seconds",
    "listen_host": "listen_host",
    "log_level": "logs.level",
}
_FILE_BYTES_MAX: Final = 1 << 20
_P = ParamSpec("_P")
_R = TypeVar("_R")


def configuration_options(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Give `command` the options `--config`, `--set` and the settings with flags of their own."""
    options = (
        click.option(
            "--config",
            "file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="YAML file with settings.",
        ),
        click.option("--data-dir", metavar="FOLDER", help="Where spans are kept."),
        click.option("--retention", metavar="DURATION", help="How long, such as 72h or 7d."),
        click.option(
            "--listen-host", metavar="HOST", help="Listen here; 0.0.0.0 is every address."
        ),
        click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error."),
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="PATH=VALUE",
            help="Any setting, such as query.port=16686; see lymer config show.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def read_named(file: Path) -> bytes:
    """Return what is in a file that an option names.

    Raises:
        StartupError: It cannot be read, or is over 1 MiB.
    """
    try:
        content = read_given(file, _FILE_BYTES_MAX)
    except OSError as error:
        raise StartupError(f"cannot read {file}: {error.strerror}") from error
    if len(content) > _FILE_BYTES_MAX:
        raise StartupError(f"{file} is over the limit of {_FILE_BYTES_MAX} bytes")
    return content


def to_overrides(assignments: tuple[str, ...], **named: str | None) -> dict[str, str]:
    """Return setting path → text; a flag of its own wins over `--set`.

    Args:
        assignments: The values of `--set`.
        **named: Those of the flags `configuration_options` gives, by their names.
    """
    overrides: dict[str, str] = {}
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise click.UsageError(f'--set needs PATH=VALUE, not "{assignment}"')
        overrides[path.strip()] = text
    overrides.update(
        {_PATHS[name]: text for name, text in named.items() if text is not None and name in _PATHS}
    )
    return overrides
