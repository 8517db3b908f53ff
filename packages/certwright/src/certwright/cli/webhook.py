"""`certwright webhook`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from certwright.cli.options import (
    Gates,
    GoBool,
    GoCommand,
    GoList,
    gates_help,
    logging_options,
    start_logging,
)

__all__ = ["webhook"]


@click.command(cls=GoCommand, short_help="Judge objects before they are stored.")
@click.option("--config", type=click.Path(path_type=Path), help="A WebhookConfiguration, YAML.")
@click.option("--secure-port", type=int, help="Port of reviews.  [default: 6443]")
@click.option("--healthz-port", type=int, help="Port of /livez and /healthz.  [default: 6080]")
@click.option("--bind-address", help="Address of both ports.  [default: all]")
@click.option("--tls-cert-file", help="Certificate to serve with, PEM; read again when it changes.")
@click.option("--tls-private-key-file", help="Its key.")
@click.option(
    "--dynamic-serving-ca-secret-namespace",
    help="Namespace of the Secret with our own CA; a certificate is made from it.",
)
@click.option("--dynamic-serving-ca-secret-name", help="Name of that Secret.")
@click.option(
    "--dynamic-serving-dns-names", type=GoList(), multiple=True, help="Names of the certificate."
)
@click.option("--tls-cipher-suites", type=GoList(), multiple=True, help="Go's names of suites.")
@click.option("--tls-min-version", help="VersionTLS12 or VersionTLS13.  [default: VersionTLS12]")
@click.option("--kubeconfig", help="How to reach the API server; a pod knows by itself.")
@click.option("--api-server-host", help="Address of the API server, over the kubeconfig's.")
@click.option("--feature-gates", type=Gates(), help=gates_help())
@click.option("--enable-profiling", type=GoBool(), hidden=True)
@click.option("--profiler-address", hidden=True)
@logging_options
@click.pass_context
def webhook(
    ctx: click.Context, /, config: Path | None, verbosity: int, logging_format: str, **flags: Any
) -> None:
    """Judge Certificates, Issuers and requests before the API server stores them.

    Flags win over the file that --config names.
    """
    from certwright.roles.webhook import run_webhook
    from certwright.roles.webhook_options import read_options

    given = {
        name: _value(value)
        for name, value in flags.items()
        if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE
    }
    gates = given.pop("feature_gates", None)
    if gates is not None:
        given["feature_gates"] = dict.fromkeys(gates.enabled, True)
    options = read_options(config, given)
    start_logging(verbosity, logging_format)
    run_webhook(options)


def _value(value: Any) -> Any:
    """Return a list that was given in parts as one."""
    if isinstance(value, tuple):
        return tuple(text for part in value for text in part)
    return value
