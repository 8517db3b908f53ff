"""`certwright manifests`: what to install, without Helm."""

from __future__ import annotations

import click

__all__ = ["manifests"]

_PARTS = ("crds", "rbac", "webhooks", "workloads")


@click.command(short_help="Print what to install in a cluster.")
@click.argument("parts", nargs=-1, type=click.Choice(_PARTS))
@click.option(
    "-n", "--namespace", default="cert-manager", show_default=True, help="Where it will run."
)
@click.option("--image", default="", help="Container image with the command certwright.")
@click.option(
    "--leader-election-namespace", default="kube-system", show_default=True, help="For the leases."
)
@click.option("--feature-gates", default="", help="For controller and webhook.")
@click.option(
    "--later-fields",
    is_flag=True,
    help="CRDs with the fields of later cert-manager versions that are served here.",
)
@click.option(
    "--trust-bundles",
    is_flag=True,
    help="With what the flag --enable-trust-bundles of the controller needs.",
)
def manifests(
    parts: tuple[str, ...],
    namespace: str,
    image: str,
    leader_election_namespace: str,
    feature_gates: str,
    later_fields: bool,  # noqa: FBT001 - click calls it
    trust_bundles: bool,  # noqa: FBT001
) -> None:
    """Print YAML for `kubectl apply -f -`: all PARTS, or those that are named.

    `workloads` are the Deployments and Services; they need --image. Names are cert-manager's, so
    that an installation of it is taken over in place.
    """
    import yaml

    from certwright.resources import crds
    from certwright.resources.features import FeatureGates
    from certwright.resources.installation import (
        InstallationSettings,
        rbac,
        webhook_configurations,
        workloads,
    )

    wanted = parts or _PARTS
    if "workloads" in wanted and not image:
        raise click.UsageError("workloads need --image; name other PARTS to print those alone")
    FeatureGates.parse(feature_gates)
    settings = InstallationSettings(namespace, leader_election_namespace, image, feature_gates)
    made = []
    if "workloads" in wanted or "rbac" in wanted:
        metadata = {"name": namespace}
        made.append({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    if "crds" in wanted:
        made += crds.load(later_fields=later_fields, bundles=trust_bundles)
    if "rbac" in wanted:
        made += rbac(settings, trust_bundles=trust_bundles)
    if "workloads" in wanted:
        made += workloads(settings)
    if "webhooks" in wanted:
        made += webhook_configurations(settings)
    click.echo(
        "---\n".join(yaml.safe_dump(obj, sort_keys=False, allow_unicode=True) for obj in made),
        nl=False,
    )
