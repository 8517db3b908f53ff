"""Commands about the configuration: show, check, schema."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from lymer.cli.options import configuration_options, to_overrides

__all__ = ["config"]


@click.group("config")
def config() -> None:
    """Show, check and describe settings."""


@config.command("show")
@configuration_options
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show(
    *,
    file: Path | None,
    data_dir: str | None,
    retention: str | None,
    listen_host: str | None,
    log_level: str | None,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print the settings in force and their origins.

    Takes the options of all-in-one. The output is itself a configuration file.
    """
    from lymer.config.sources import load_effective

    overrides = to_overrides(
        assignments,
        data_dir=data_dir,
        retention=retention,
        listen_host=listen_host,
        log_level=log_level,
    )
    effective = load_effective(file, os.environ, overrides)
    if as_json:
        click.echo(json.dumps(effective.to_json(), indent=2, ensure_ascii=False))
    else:
        click.echo(effective.to_yaml(), nl=False)


@config.command("check")
@click.argument("file", type=click.Path(path_type=Path), required=False)
def check(file: Path | None) -> None:
    """Say what is wrong with FILE and the environment.

    Both are read as all-in-one would, and nothing is started.
    """
    from lymer.config import load_config

    load_config(file, os.environ)
    click.echo(f"{file or 'environment'}: no problem found")


@config.command("schema")
def schema() -> None:
    """Print the JSON Schema of a file, for editors."""
    from lymer.config.catalog import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
