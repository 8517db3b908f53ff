"""`certwright controller`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from certwright.cli.acme_options import check_options, renewal_option
from certwright.cli.options import (
    Gates,
    GoBool,
    GoCommand,
    GoDuration,
    GoList,
    gates_help,
    leader_election_options,
    logging_options,
    start_logging,
)
from certwright.errors import StartupError
from certwright.resources import known
from certwright.resources.features import (
    EXPERIMENTAL_GATEWAY_API_SUPPORT,
    LISTENER_SETS,
    FeatureGates,
)

__all__ = ["controller"]


_SOLVER: Final = "--acme-http01-solver"
_SOLVER_OPTIONS: Final = (
    ("image", "quay.io/jetstack/cert-manager-acmesolver:v1.12.2", "Image of HTTP-01 solver pods."),
    ("resource-request-cpu", "10m", "CPU they ask for."),
    ("resource-request-memory", "64Mi", "Memory they ask for."),
    ("resource-limits-cpu", "100m", "Most CPU they get."),
    ("resource-limits-memory", "64Mi", "Most memory they get."),
)


def _acme_options(command: Any) -> Any:
    """Add the flags of ACME."""
    command = check_options(command)
    for name, default, text in reversed(_SOLVER_OPTIONS):
        command = click.option(f"{_SOLVER}-{name}", default=default, show_default=True, help=text)(
            command
        )
    for name, truth, text in reversed(
        (
            (f"{_SOLVER}-run-as-non-root", True, "Whether they must not run as root."),
            (
                "--cluster-issuer-ambient-credentials",
                True,
                "Whether ClusterIssuers may use this process's own cloud credentials.",
            ),
            ("--issuer-ambient-credentials", False, "Whether Issuers may."),
        )
    ):
        command = click.option(name, type=GoBool(), default=truth, show_default=True, help=text)(
            command
        )
    command = click.option(
        f"{_SOLVER}-command",
        type=GoList(),
        multiple=True,
        help='What those pods run: "certwright,acmesolver" of our image.  [default: what it runs]',
    )(command)
    return click.option(
        "--max-concurrent-challenges",
        type=int,
        default=60,
        show_default=True,
        help="Challenges that are worked on at once.",
    )(command)


def _shim_options(command: Any) -> Any:
    """Add the flags of the shims; those that 1.12 lacks have the names of later versions."""
    for decorate in reversed(
        (
            click.option(
                "--default-issuer-name",
                default="",
                help="The issuer for Ingresses that name none.",
            ),
            click.option(
                "--default-issuer-kind", default=known.ISSUER_KIND_NAME, show_default=True
            ),
            click.option("--default-issuer-group", default=known.GROUP, show_default=True),
            click.option(
                "--auto-certificate-annotations",
                type=GoList(),
                multiple=True,
                help="What asks for the default issuer by being true, on an Ingress."
                "  [default: kubernetes.io/tls-acme]",
            ),
            click.option(
                "--extra-certificate-annotations",
                type=GoList(),
                multiple=True,
                help="Annotations of an Ingress or Gateway that its Certificates get too.",
            ),
            click.option(
                "--enable-gateway-api",
                type=GoBool(),
                default=False,
                show_default=True,
                help="The same as the gate ExperimentalGatewayAPISupport.",
            ),
            click.option(
                "--enable-gateway-api-listenerset",
                type=GoBool(),
                default=False,
                show_default=True,
                help="The same as the gate ListenerSets.",
            ),
        )
    ):
        command = decorate(command)
    return command


def _shim(flags: dict[str, Any]) -> Any:
    """Take the flags of the shims out of `flags`."""
    from certwright.reconcile.options import ShimOptions

    auto = _joined(flags.pop("auto_certificate_annotations"))
    return ShimOptions(
        default_issuer_name=flags.pop("default_issuer_name"),
        default_issuer_kind=flags.pop("default_issuer_kind"),
        default_issuer_group=flags.pop("default_issuer_group"),
        auto_certificate_annotations=auto or ShimOptions().auto_certificate_annotations,
        extra_certificate_annotations=_joined(flags.pop("extra_certificate_annotations")),
    )


def _gates(flags: dict[str, Any], gates: FeatureGates) -> FeatureGates:
    """Return the gates with what flags of later versions turn on."""
    asked = {
        EXPERIMENTAL_GATEWAY_API_SUPPORT: flags.pop("enable_gateway_api"),
        LISTENER_SETS: flags.pop("enable_gateway_api_listenerset"),
    }
    return FeatureGates(gates.enabled | {gate for gate, is_on in asked.items() if is_on})


def _acme(flags: dict[str, Any]) -> Any:
    """Take the flags of ACME out of `flags`."""
    from certwright.reconcile.options import AcmeOptions

    return AcmeOptions(
        solver_image=flags.pop("acme_http01_solver_image"),
        solver_command=_joined(flags.pop("acme_http01_solver_command")),
        solver_request_cpu=flags.pop("acme_http01_solver_resource_request_cpu"),
        solver_request_memory=flags.pop("acme_http01_solver_resource_request_memory"),
        solver_limit_cpu=flags.pop("acme_http01_solver_resource_limits_cpu"),
        solver_limit_memory=flags.pop("acme_http01_solver_resource_limits_memory"),
        solver_run_as_non_root=flags.pop("acme_http01_solver_run_as_non_root"),
        http01_nameservers=_joined(flags.pop("acme_http01_solver_nameservers")),
        dns01_nameservers=_joined(flags.pop("dns01_recursive_nameservers")),
        dns01_recursive_only=flags.pop("dns01_recursive_nameservers_only"),
        dns01_wait_seconds=flags.pop("dns01_propagation_wait"),
        check_seconds=flags.pop("dns01_check_retry_period"),
        self_check=flags.pop("acme_self_check"),
        cluster_issuer_ambient=flags.pop("cluster_issuer_ambient_credentials"),
        issuer_ambient=flags.pop("issuer_ambient_credentials"),
        challenges_max=flags.pop("max_concurrent_challenges"),
    )


@click.command(cls=GoCommand, short_help="Keep a cluster's certificates issued and renewed.")
@click.option("--master", default="", help="Address of the API server, over the kubeconfig's.")
@click.option(
    "--kubeconfig", default="", help="How to reach the API server; a pod knows by itself."
)
@click.option(
    "--kube-api-qps", type=float, default=20.0, show_default=True, help="Requests a second."
)
@click.option("--kube-api-burst", type=int, default=50, show_default=True, help="Requests at once.")
@click.option(
    "--cluster-resource-namespace",
    default="kube-system",
    show_default=True,
    help="Where the Secrets of ClusterIssuers are.",
)
@click.option("--namespace", default="", help="The only one that is looked at.  [default: all]")
@leader_election_options
@click.option(
    "--controllers",
    type=GoList(),
    multiple=True,
    help='Which loops run: "*" for the usual ones, NAME for one more, -NAME for one less.'
    "  [default: *]",
)
@_acme_options
@_shim_options
@click.option(
    "--enable-certificate-owner-ref",
    type=GoBool(),
    default=False,
    show_default=True,
    help="Whether a Secret goes when its Certificate is deleted.",
)
@click.option(
    "--copied-annotation-prefixes",
    type=GoList(),
    multiple=True,
    help="Which annotations of a Certificate its requests get."
    "  [default: *,-kubectl.kubernetes.io/,-fluxcd.io/,-argocd.argoproj.io/]",
)
@click.option(
    "--concurrent-workers", type=int, default=5, show_default=True, help="Passes at once per loop."
)
@click.option(
    "--metrics-listen-address",
    default="0.0.0.0:9402",
    show_default=True,
    help="HOST:PORT of /metrics.",
)
@click.option(
    "--internal-healthz-listen-address",
    "healthz_listen_address",
    default="0.0.0.0:9403",
    show_default=True,
    help="HOST:PORT of /livez.",
)
@click.option(
    "--internal-healthz-leader-election-timeout",
    "healthz_leader_seconds_max",
    type=GoDuration(),
    default="20s",
    hidden=True,
)
@click.option(
    "--enable-trust-bundles",
    type=GoBool(),
    default=False,
    show_default=True,
    help="Serve trust-manager's Bundles; needs its CRD and permissions (certwright manifests "
    "--trust-bundles), and that trust-manager itself does not run.",
)
@click.option(
    "--trust-namespace",
    default="cert-manager",
    show_default=True,
    help="Where the sources of Bundles are.",
)
@click.option(
    "--trust-default-ca-file",
    default="",
    help="PEM file: the source useDefaultCAs of Bundles.",
)
@click.option("--feature-gates", "gates", type=Gates(), default="", help=gates_help())
@click.option("--enable-profiling", type=GoBool(), hidden=True, expose_value=False)
@click.option("--profiler-address", hidden=True, expose_value=False)
@renewal_option
@logging_options
def controller(*, verbosity: int, logging_format: str, gates: FeatureGates, **flags: Any) -> None:
    """Issue and renew the certificates of a cluster.

    The flags are cert-manager's, with its defaults.
    """
    from certwright.reconcile.options import Options
    from certwright.roles.controller import run_controller
    from certwright.roles.controller_options import ControllerOptions

    start_logging(verbosity, logging_format)
    acme, shim = _acme(flags), _shim(flags)
    lists = {name: _joined(value) for name, value in flags.items() if isinstance(value, tuple)}
    prefixes = lists.pop("copied_annotation_prefixes") or Options().copied_annotation_prefixes
    lists["controllers"] = lists["controllers"] or ("*",)
    decisions = Options(
        cluster_resource_namespace=flags.pop("cluster_resource_namespace"),
        namespace=flags.pop("namespace"),
        enable_certificate_owner_ref=flags.pop("enable_certificate_owner_ref"),
        copied_annotation_prefixes=prefixes,
        gates=_gates(flags, gates),
        renewal_spread=flags.pop("renewal_spread"),
        acme=acme,
        shim=shim,
        trust=_trust(flags),
    )
    flags.pop("copied_annotation_prefixes")
    for name in ("lease_duration", "renew_deadline", "retry_period"):
        seconds = flags.pop(f"leader_election_{name}")
        flags[f"leader_election_{name.split('_', 1)[0]}_seconds"] = seconds
    run_controller(ControllerOptions(**(flags | lists), decisions=decisions))


def _trust(flags: dict[str, Any]) -> Any:
    from certwright.reconcile.options import TrustOptions

    name = flags.pop("trust_default_ca_file")
    try:
        pem = Path(name).read_bytes() if name else b""
    except OSError as error:
        raise StartupError(
            f"cannot read --trust-default-ca-file {name}: {error.strerror}"
        ) from error
    enabled, namespace = flags.pop("enable_trust_bundles"), flags.pop("trust_namespace")
    return TrustOptions(enabled, namespace, pem)


def _joined(parts: tuple[Any, ...]) -> tuple[str, ...]:
    """Return a list that was given in parts as one."""
    return tuple(text for part in parts for text in part)
