"""Commands about what the store takes: stats, optimize."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from lymer.cli.options import configuration_options, to_overrides

__all__ = ["storage"]

_TENANT_HELP = "Only this tenant; '' is what was stored without tenancy."


@click.group("storage")
def storage() -> None:
    """Say what the store takes on its disks, and let it take less.

    Works on a data folder that no Lymer uses, or on the ClickHouse servers that
    storage.clickhouse_url names, at any time.
    """


@storage.command("stats")
@click.option("--tenant", default=None, help=_TENANT_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@configuration_options
def stats(
    *,
    tenant: str | None,
    as_json: bool,
    file: Path | None,
    assignments: tuple[str, ...],
    **named: str | None,
) -> None:
    """Print rows, bytes and compression by table, disk, column, day and service.

    Reads every span once. Bytes of a service are its share of each column.
    """
    from lymer.config import load_config
    from lymer.roles.storage import KINDS, measure_storage, to_json

    config = load_config(file, os.environ, to_overrides(assignments, **named))
    sizes = measure_storage(config, tenant)
    if as_json:
        click.echo(json.dumps(to_json(sizes)))
        return
    click.echo("tenant\tkind\tname\trows\tbytes\tratio\tbytes/row")
    for name, of in sizes.items():
        for kind in KINDS:
            for one in getattr(of, kind):
                per_row = one.bytes / one.rows if one.rows else 0.0
                click.echo(
                    f"{name}\t{kind.removesuffix('s')}\t{one.name}\t{one.rows}\t{one.bytes}\t"
                    f"{one.ratio:.2f}\t{per_row:.2f}"
                )


@storage.command("optimize")
@click.option("--tenant", default=None, help=_TENANT_HELP)
@configuration_options
def optimize(
    *, tenant: str | None, file: Path | None, assignments: tuple[str, ...], **named: str | None
) -> None:
    """Merge the parts of each day into one, and print what that saved.

    May be stopped and begun again. A day needs as much free space as it takes.
    """
    from lymer.config import load_config
    from lymer.roles.storage import optimize_storage

    config = load_config(file, os.environ, to_overrides(assignments, **named))
    click.echo("tenant\ttable\tpartition\tbytes before\tbytes after")
    for name, table, partition, before, after in optimize_storage(config, tenant):
        click.echo(f"{name}\t{table}\t{partition}\t{before}\t{after}")
