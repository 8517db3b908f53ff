"""`certwright ctl try`: issue in memory what a file asks for, before the first real order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from certwright.cli.ctl import Target, connected, ctl
from certwright.cli.options import Gates, GoDuration, gates_help
from certwright.cli.standalone import acme_options, acme_settings
from certwright.resources.features import FeatureGates
from certwright.roles.ctl.stores import open_store

__all__ = ["try_file"]


@ctl.command("try", short_help="Issue in memory what a file asks for; nothing is kept.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--acme-server", default="", help="Ask this one instead of the issuer's.")
@click.option(
    "--real",
    "is_real",
    is_flag=True,
    help="Ask the issuer's own server: it counts against its limits.",
)
@click.option("--timeout", type=GoDuration(), default="5m", show_default=True, help="Longest time.")
@click.option(
    "--cluster-resource-namespace",
    default="",
    help="Where the Secrets of ClusterIssuers are.  [default: kube-system; default on a folder]",
)
@click.option("--feature-gates", "gates", type=Gates(), default="", help=gates_help())
@acme_options
@connected
async def try_file(
    target: Target,
    /,
    file: Path,
    *,
    acme_server: str,
    is_real: bool,
    timeout: float,  # noqa: ASYNC109 - the flag's name
    cluster_resource_namespace: str,
    gates: FeatureGates,
    **given: Any,
) -> int:
    """Issue in memory every Certificate of FILE, with issuers and Secrets of the file or from here.

    ACME issuers are tried at their CA's staging server with an account of their own; challenges
    are really answered. Nothing is written to the cluster or folder. Exit code 1 if one Certificate
    would not be issued; the reason is printed.
    """
    from certwright.roles.ctl.trial import TrialSettings, run_trial

    found = acme_settings(given)
    default = "default" if target.place.folder is not None else "kube-system"
    settings = TrialSettings(
        namespace=target.namespace,
        cluster_resource_namespace=cluster_resource_namespace or default,
        server=acme_server,
        is_real=is_real,
        seconds_max=timeout,
        gates=gates,
        answers=found["answers"],
        acme=replace(
            found["options"], http01_in_process=True, http01_passes=1, issuer_ambient=True
        ),
    )
    async with open_store(target.place) as store:
        results = await run_trial(file, store, settings)
    for result in results:
        click.echo(f"{result.name}: {'ok' if result.is_good else 'NOT ISSUED'}: {result.message}")
    return 0 if all(result.is_good for result in results) else 1
