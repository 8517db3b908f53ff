"""Every setting of the controller, and which of its loops run.

Source: reference cert-manager.md 8.4, 8.5 and 8.6 (names, defaults and what is refused at start).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from certwright.errors import StartupError
from certwright.reconcile.options import Options
from certwright.resources.features import (
    EXPERIMENTAL_CERTIFICATE_SIGNING_REQUEST_CONTROLLERS,
    EXPERIMENTAL_GATEWAY_API_SUPPORT,
    LISTENER_SETS,
    FeatureGates,
)
from certwright.resources.gotext import quote

__all__ = [
    "DEFAULT_ON",
    "GATEWAY_SHIM",
    "KNOWN",
    "LISTENER_SETS_SHIM",
    "ControllerOptions",
    "address_of",
    "check_options",
    "enabled_names",
]

_SIGNERS: Final = ("acme", "ca", "selfsigned", "vault", "venafi")
GATEWAY_SHIM: Final = "gateway-shim"
LISTENER_SETS_SHIM: Final = "listenerset"
"""Of a later version (1.20)."""
_CLUSTER_ISSUERS: Final = "clusterissuers"
_SIGNING_REQUESTS: Final = tuple(f"certificatesigningrequests-issuer-{name}" for name in _SIGNERS)

DEFAULT_ON: Final = (
    "issuers",
    _CLUSTER_ISSUERS,
    "certificates-metrics",
    "ingress-shim",
    "orders",
    "challenges",
    "certificaterequests-issuer-acme",
    "certificaterequests-approver",
    "certificaterequests-issuer-ca",
    "certificaterequests-issuer-selfsigned",
    "certificaterequests-issuer-vault",
    "certificaterequests-issuer-venafi",
    "certificates-trigger",
    "certificates-issuing",
    "certificates-key-manager",
    "certificates-request-manager",
    "certificates-readiness",
    "certificates-revision-manager",
)
"""What `*` stands for."""
KNOWN: Final = (*DEFAULT_ON, GATEWAY_SHIM, LISTENER_SETS_SHIM, *_SIGNING_REQUESTS)
"""Every name that --controllers takes."""


@dataclass(frozen=True, slots=True)
class ControllerOptions:
    """Every setting; the comment names the flag where the name does not."""

    master: str = ""
    kubeconfig: str = ""
    kube_api_qps: float = 20.0
    kube_api_burst: int = 50
    leader_elect: bool = True
    leader_election_namespace: str = "kube-system"
    leader_election_lease_seconds: float = 60.0
    leader_election_renew_seconds: float = 40.0
    leader_election_retry_seconds: float = 15.0
    controllers: tuple[str, ...] = ("*",)
    concurrent_workers: int = 5
    metrics_listen_address: str = "0.0.0.0:9402"
    """Empty: no server."""
    healthz_listen_address: str = "0.0.0.0:9403"
    """--internal-healthz-listen-address; empty: no server."""
    healthz_leader_seconds_max: float = 20.0
    """--internal-healthz-leader-election-timeout: how long a leader's lease may be over."""
    decisions: Options = field(default_factory=Options)
    """What planners are told: --namespace, --cluster-resource-namespace, --feature-gates and
    more."""

    @property
    def gates(self) -> FeatureGates:
        """Return the feature gates."""
        return self.decisions.gates


def check_options(options: ControllerOptions) -> None:
    """Refuse what cannot work.

    Raises:
        StartupError: In the original's words, where it has some.
    """
    if not options.decisions.shim.default_issuer_kind:
        raise StartupError("the --default-issuer-kind flag must not be empty")
    if options.kube_api_burst <= 0:
        raise StartupError(
            f"invalid value for kube-api-burst: {options.kube_api_burst} must be higher than 0"
        )
    if options.kube_api_qps <= 0:
        raise StartupError(
            f"invalid value for kube-api-qps: {options.kube_api_qps:g} must be higher than 0"
        )
    if options.kube_api_burst < options.kube_api_qps:
        raise StartupError(
            f"invalid value for kube-api-burst: {options.kube_api_burst} must be higher or equal"
            f" to kube-api-qps: {options.kube_api_qps:g}"
        )
    acme = options.decisions.acme
    for server in (*acme.dns01_nameservers, *acme.http01_nameservers):
        if problem := _problem_of(server):
            raise StartupError(f"invalid DNS server ({problem}): {server}")
    _check_leases(options)
    if acme.challenges_max <= 0:
        raise StartupError(
            "invalid value for max-concurrent-challenges:"
            f" {acme.challenges_max} must be higher than 0"
        )
    if options.concurrent_workers <= 0:
        raise StartupError(
            "invalid value for concurrent-workers:"
            f" {options.concurrent_workers} must be higher than 0"
        )
    unknown = [
        f"{quote(name)} is not in the list of known controllers"
        for name in (entry.removeprefix("-") for entry in options.controllers)
        if name != "*" and name not in KNOWN
    ]
    if unknown:
        raise StartupError(f"validation failed for '--controllers': [{' '.join(unknown)}]")
    for flag, address in (
        ("metrics-listen-address", options.metrics_listen_address),
        ("internal-healthz-listen-address", options.healthz_listen_address),
    ):
        if address:
            address_of(address, flag)


def _check_leases(options: ControllerOptions) -> None:
    """Refuse an election that cannot keep a leader. Source: client-go `NewLeaderElector`."""
    lease, renew, retry = (
        options.leader_election_lease_seconds,
        options.leader_election_renew_seconds,
        options.leader_election_retry_seconds,
    )
    if not options.leader_elect:
        return
    if lease <= renew:
        raise StartupError("leaseDuration must be greater than renewDeadline")
    if renew <= retry * 1.2:
        raise StartupError("renewDeadline must be greater than retryPeriod*JitterFactor")
    if retry <= 0:
        raise StartupError("retryPeriod must be greater than zero")


def _problem_of(server: str) -> str:
    """Return what is wrong with `host:port`; empty if nothing. Source: Go's `SplitHostPort`."""
    if server.startswith("https://"):
        return ""  # DNS over HTTPS, as later versions take it
    host, colon, _port = server.rpartition(":")
    if not colon:
        return f"address {server}: missing port in address"
    if host.startswith("["):
        return "" if host.endswith("]") else f"address {server}: missing ']' in address"
    return f"address {server}: too many colons in address" if ":" in host else ""


def address_of(text: str, flag: str) -> tuple[str, int]:
    """Return host and port of a listen address.

    Raises:
        StartupError: It is none.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise StartupError(f"invalid value for {flag}: {quote(text)} is no HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def enabled_names(options: ControllerOptions) -> frozenset[str]:
    """Return the names of the loops that shall run.

    `*` stands for all that are on by default, a name turns one on and `-name` one off, whatever the
    order; without `*` nothing is on by itself.
    """
    on: set[str] = set()
    off: set[str] = set()
    for entry in options.controllers:
        if entry == "*":
            on.update(DEFAULT_ON)
        elif entry.startswith("-"):
            off.add(entry[1:])
        else:
            on.add(entry)
    if EXPERIMENTAL_CERTIFICATE_SIGNING_REQUEST_CONTROLLERS in options.gates:
        on.update(_SIGNING_REQUESTS)
    if EXPERIMENTAL_GATEWAY_API_SUPPORT in options.gates:
        on.add(GATEWAY_SHIM)
        if LISTENER_SETS in options.gates:
            on.add(LISTENER_SETS_SHIM)
    if options.decisions.namespace:
        off.add(_CLUSTER_ISSUERS)
    return frozenset(on - off)
