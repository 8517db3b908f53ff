"""`certwright startupapicheck`: what the chart's Job runs once after an installation."""

from __future__ import annotations

import click

from certwright.cli.ctl import check

__all__ = ["startup_api_check"]


@click.group(short_help="Wait until Certificates can be created.")
def startup_api_check() -> None:
    """Wait until Certificates can be created: `startupapicheck check api --wait=1m`.

    The same as `certwright ctl check api`, under the name that the image has from cert-manager
    1.14 on. Exit code 0 when the API is ready, 1 when the time is up.
    """


startup_api_check.add_command(check)
