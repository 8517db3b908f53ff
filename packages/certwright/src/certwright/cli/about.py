"""Commands about the program itself."""

from __future__ import annotations

import click

from certwright import __version__

__all__ = ["version"]


@click.command(short_help="Print the version.")
def version() -> None:
    """Print the version."""
    click.echo(f"certwright {__version__}")
