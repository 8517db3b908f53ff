"""`certwright acmesolver`."""

from __future__ import annotations

import click

from certwright.cli.options import GoCommand

__all__ = ["acme_solver"]


@click.command(cls=GoCommand, short_help="Answer one HTTP-01 challenge.")
@click.option("--listen-port", type=int, default=8089, show_default=True, help="Port to listen on.")
@click.option("--domain", default="", help="The name to prove.")
@click.option("--token", default="", help="The challenge's token.")
@click.option("--key", default="", help="What is answered.")
def acme_solver(listen_port: int, domain: str, token: str, key: str) -> None:
    """Answer one HTTP-01 challenge until told to stop; runs in the pods of the ingress solver.

    The flags are those of cert-manager's acmesolver.
    """
    from certwright.roles.acme_solver import run_solver

    run_solver(listen_port, domain, token, key)
