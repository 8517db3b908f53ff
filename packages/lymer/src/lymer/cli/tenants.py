"""Commands about the tenants of a stopped Lymer: list, remove."""

from __future__ import annotations

import os
from pathlib import Path

import click

from lymer.cli.options import configuration_options, to_overrides

__all__ = ["tenants"]


@click.group("tenants")
def tenants() -> None:
    """List and remove tenants, while no Lymer uses the data folder."""


@tenants.command("list")
@configuration_options
def list_(*, file: Path | None, assignments: tuple[str, ...], **named: str | None) -> None:
    """Print every tenant with its spans and bytes, tabs between them.

    The first has no name: it is what was stored without tenancy.
    """
    from lymer.config import load_config
    from lymer.roles.tenants import list_tenants

    config = load_config(file, os.environ, to_overrides(assignments, **named))
    click.echo("tenant\tspans\tbytes")
    for one in list_tenants(config):
        click.echo(f"{one.name}\t{one.span_count}\t{one.byte_count}")


@tenants.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@configuration_options
def remove(
    *, name: str, yes: bool, file: Path | None, assignments: tuple[str, ...], **named: str | None
) -> None:
    """Remove the tenant NAME with all its spans, for good."""
    from lymer.config import load_config
    from lymer.roles.tenants import remove_tenant

    config = load_config(file, os.environ, to_overrides(assignments, **named))
    if not yes:
        folder = config.storage.data_dir
        click.confirm(f"Remove all spans of tenant {name!r} in {folder}?", abort=True)
    remove_tenant(config, name)
    click.echo(f"removed {name}")
