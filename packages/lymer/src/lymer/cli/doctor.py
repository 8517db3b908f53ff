"""`lymer doctor`: what would keep a role from working, and what to do about it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from lymer.cli.options import configuration_options, to_overrides

__all__ = ["doctor"]

_ROLES: Final = ("all-in-one", "collector", "ingester", "query", "agent")
"""As in `config.roles`, which is not imported for a help text."""


@click.command("doctor")
@configuration_options
@click.option("--role", type=click.Choice(_ROLES), default=_ROLES[0], help="Who is examined.")
@click.pass_context
def doctor(
    ctx: click.Context,
    /,
    *,
    file: Path | None,
    assignments: tuple[str, ...],
    role: str,
    **named: str | None,
) -> None:
    """Look at ports, names, certificates, clock, disk and memory as a role would find them.

    One line for each finding, with the remedy. Exit code 1 if something is a problem. It may run
    beside the role.
    """
    from lymer.config.sources import load_effective
    from lymer.roles.doctor import examine

    overrides = to_overrides(assignments, **named)
    effective = load_effective(file, os.environ, overrides, role=role)
    problems = 0
    for finding in examine(effective.config, role):
        problems += finding.level == "problem"
        click.echo(f"{finding.level:8} {finding.subject}: {finding.text}")
    for remark in effective.remarks:
        click.echo(f"{'warning':8} settings: {remark}")
    ctx.exit(1 if problems else 0)
