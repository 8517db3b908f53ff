"""`certwright doctor`: what would keep an installation from working, and what to do about it."""

from __future__ import annotations

import asyncio

import click

__all__ = ["doctor"]


@click.command("doctor")
@click.option("-n", "--namespace", default="cert-manager", show_default=True, help="Where it runs.")
@click.option(
    "--leader-election-namespace", default="kube-system", show_default=True, help="Of the leases."
)
@click.option("--kubeconfig", default="", help="Path of the kubeconfig file.")
@click.option("--context", default="", help="Name of the kubeconfig context.")
@click.option("-s", "--server", default="", help="Address of the API server.")
@click.pass_context
def doctor(
    ctx: click.Context,
    /,
    *,
    namespace: str,
    leader_election_namespace: str,
    kubeconfig: str,
    context: str,
    server: str,
) -> None:
    """Look at API server, clock, CRDs, Deployments, webhook, leases, permissions, certificates.

    One line for each finding, with the remedy. Exit code 1 if something is a problem. Nothing is
    changed; whoever runs it needs an administrator's rights to see all.
    """
    from certwright.adapters.kube import KubeStore
    from certwright.roles.ctl.doctor import examine
    from certwright.roles.ctl.stores import Place

    async def run() -> int:
        connection = Place(kubeconfig, context, server).connection()
        problems = 0
        async with KubeStore(connection, reader="certwright-doctor") as store:
            async for finding in examine(store, namespace, leader_election_namespace):
                problems += finding.level == "problem"
                click.echo(f"{finding.level:8} {finding.subject}: {finding.text}")
        return problems

    ctx.exit(1 if asyncio.run(run()) else 0)
