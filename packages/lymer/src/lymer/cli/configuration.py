"""Commands about the configuration: show, check, schema."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import click

from lymer.cli.options import configuration_options, read_named, to_overrides

__all__ = ["config"]

_ROLES: Final = ("all-in-one", "collector", "ingester", "query", "agent")
"""As in `config.roles`, which is not imported for a help text."""


@click.group("config")
def config() -> None:
    """Show, check and describe settings."""


@config.command("show", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@configuration_options
@click.option("--role", type=click.Choice(_ROLES), default=_ROLES[0], help="Whose defaults.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def show(
    ctx: click.Context,
    /,
    *,
    file: Path | None,
    assignments: tuple[str, ...],
    role: str,
    as_json: bool,
    **named: str | None,
) -> None:
    """Print the settings in force and their origins.

    Takes the options of a role, Jaeger's flags too. The output is itself a configuration file.
    """
    from lymer.config.jaeger_flags import split_flags
    from lymer.config.sources import load_effective

    flags, rest = split_flags(role, ctx.args)
    if rest:
        raise click.UsageError(f"no such option: {rest[0]}", ctx)
    overrides = to_overrides(assignments, **named)
    effective = load_effective(file, os.environ, overrides, role=role, jaeger_flags=flags)
    _say(effective.remarks)
    if as_json:
        click.echo(json.dumps(effective.to_json(), indent=2, ensure_ascii=False))
    else:
        click.echo(effective.to_yaml(), nl=False)


@config.command("check")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--role", type=click.Choice(_ROLES), default=_ROLES[0], help="Who would read it.")
def check(file: Path | None, role: str) -> None:
    """Say what is wrong with FILE and the environment.

    Both are read as the role would, and nothing is started.
    """
    from lymer.config.sources import load_effective

    _say(load_effective(file, os.environ, role=role).remarks)
    click.echo(f"{file or 'environment'}: no problem found")


@config.command("from-jaeger", short_help="Say Jaeger's configuration in ours.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--role", type=click.Choice(_ROLES), help="Whose flags they are, of Jaeger v1.")
def from_jaeger(file: Path, role: str | None) -> None:
    """Print what FILE of Jaeger means here, as a configuration file.

    FILE is Jaeger v2's YAML, a file of v1's flags (`--name=value`), of its variables
    (`NAME=value`), or v1's configuration file. What has no place here is named on standard error.
    """
    from lymer.config.from_jaeger import as_yaml, read_jaeger

    made = read_jaeger(read_named(file).decode("utf-8-sig"), role)
    click.echo(f"# {file.name} of Jaeger. Start: lymer {made.role} --config FILE")
    click.echo(as_yaml(made), nl=False)
    for place, why in made.left_out:
        click.echo(f"lymer: left out {place}: {why}", err=True)


def _say(remarks: tuple[str, ...]) -> None:
    for remark in remarks:
        click.echo(f"lymer: {remark}", err=True)


@config.command("schema")
def schema() -> None:
    """Print the JSON Schema of a file, for editors."""
    from lymer.config.catalog import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
