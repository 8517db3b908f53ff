"""The command line: arguments → options → role; no logic."""

from __future__ import annotations

import click

from certwright import __version__

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="certwright", message="%(prog)s %(version)s")
def main() -> None:
    """Certificates that renew themselves, on a cluster and on files."""
