"""`certwright cainjector`."""

from __future__ import annotations

from typing import Any

import click

from certwright.cli.options import (
    Gates,
    GoBool,
    GoCommand,
    gates_help,
    leader_election_options,
    logging_options,
    start_logging,
)
from certwright.resources.features import FeatureGates

__all__ = ["ca_injector"]

_KINDS = (
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "apiservices",
    "customresourcedefinitions",
)


def _injectable_options(command: Any) -> Any:
    for plural in reversed(_KINDS):
        command = click.option(
            f"--enable-{plural}-injectable",
            plural,
            type=GoBool(),
            default=True,
            show_default=True,
            help=f"Whether {plural} are looked at.",
        )(command)
    return command


@click.command(cls=GoCommand, short_help="Keep CA bundles up to date.")
@click.option(
    "--kubeconfig", default="", help="How to reach the API server; a pod knows by itself."
)
@click.option("--namespace", default="", help="The only one that CAs come from.  [default: all]")
@leader_election_options
@click.option(
    "--enable-certificates-data-source",
    "from_certificates",
    type=GoBool(),
    default=True,
    show_default=True,
    help="Whether CAs come from Certificates too; needs their CRD.",
)
@_injectable_options
@click.option("--feature-gates", "gates", type=Gates(), default="", help=gates_help())
@click.option("--enable-profiling", type=GoBool(), hidden=True, expose_value=False)
@click.option("--profiler-address", hidden=True, expose_value=False)
@logging_options
def ca_injector(  # noqa: PLR0913 - one for each flag
    *,
    kubeconfig: str,
    namespace: str,
    leader_elect: bool,
    leader_election_namespace: str,
    leader_election_lease_duration: float,
    leader_election_renew_deadline: float,
    leader_election_retry_period: float,
    from_certificates: bool,
    gates: FeatureGates,
    verbosity: int,
    logging_format: str,
    **injectable: bool,
) -> None:
    """Write CAs into webhook configurations, API services and CRDs that ask for one.

    A target asks by an annotation: cert-manager.io/inject-ca-from-secret, inject-ca-from or
    inject-apiserver-ca.
    """
    from certwright.reconcile.ca_injection import INJECTABLES
    from certwright.roles.ca_injector import CaInjectorOptions, run_ca_injector

    start_logging(verbosity, logging_format)
    run_ca_injector(
        CaInjectorOptions(
            kubeconfig=kubeconfig,
            namespace=namespace,
            leader_elect=leader_elect,
            leader_election_namespace=leader_election_namespace,
            leader_election_lease_seconds=leader_election_lease_duration,
            leader_election_renew_seconds=leader_election_renew_deadline,
            leader_election_retry_seconds=leader_election_retry_period,
            from_certificates=from_certificates,
            kinds=tuple(kind for kind in INJECTABLES if injectable[kind.plural]),
            gates=gates,
        )
    )
