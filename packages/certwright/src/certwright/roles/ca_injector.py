"""cainjector: keeps CA bundles of webhooks, API services and CRDs up to date.

Starts the connection, waits for the Certificate's CRD, becomes leader, runs the loops; stops in
reverse. It does not need the webhook, which needs it.

Source: reference cert-manager.md 5.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from certwright import clock
from certwright.adapters.kube import Connection, KubeStore, load_connection
from certwright.engine.leader import LeaderElection, LeaseTerms
from certwright.engine.runtime import Runtime, RuntimeSettings
from certwright.engine.store import Store
from certwright.errors import StartupError
from certwright.pki.keys import generate_private_key
from certwright.reconcile.ca_injection import (
    INJECTABLES,
    InjectionOptions,
    injection_controllers,
)
from certwright.reconcile.contract import Sources
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CUSTOM_RESOURCE_DEFINITION, LEASE, Kind
from certwright.roles.leadership import lead, unique_identity, until_told_to_stop
from certwright.telemetry.logs import EventLog
from certwright.telemetry.metrics import Metrics

__all__ = ["CaInjectorOptions", "run_ca_injector"]

CRD_SECONDS_MAX: Final = 300.0
"""How long the Certificate's CRD is waited for. Source: reference cert-manager.md 5."""
CRD_POLL_SECONDS: Final = 1.0
_LEASE: Final = "cert-manager-cainjector-leader-election"
_MANAGER: Final = "cert-manager-cainjector"
_CERTIFICATES: Final = CUSTOM_RESOURCE_DEFINITION.key("", "certificates.cert-manager.io")

_log = EventLog("certwright.cainjector")


@dataclass(frozen=True, slots=True)
class CaInjectorOptions:
    """Every setting; a name is the flag's."""

    kubeconfig: str = ""
    namespace: str = ""
    """The only one that sources may be in, and that is watched; empty for all."""
    leader_elect: bool = True
    leader_election_namespace: str = "kube-system"
    leader_election_lease_seconds: float = 60.0
    leader_election_renew_seconds: float = 40.0
    leader_election_retry_seconds: float = 15.0
    from_certificates: bool = True
    kinds: tuple[Kind, ...] = INJECTABLES
    gates: FeatureGates = field(default_factory=FeatureGates)


def run_ca_injector(options: CaInjectorOptions) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        StartupError: It cannot start, or the lease is lost.
    """
    connection = load_connection(
        kubeconfig=options.kubeconfig, environment=os.environ, home=Path.home()
    )
    asyncio.run(until_told_to_stop(lambda: _inject(connection, options)))


async def _inject(connection: Connection, options: CaInjectorOptions) -> None:
    injection = InjectionOptions(
        namespace=options.namespace,
        from_certificates=options.from_certificates,
        apiserver_ca_pem=_apiserver_ca(connection),
        kinds=options.kinds,
        gates=options.gates,
    )
    async with KubeStore(connection, reader=_MANAGER) as store:
        if options.from_certificates:
            await _wait_for_certificates(store)
        runtime = Runtime(
            store,
            injection_controllers(injection),
            _sources,
            Metrics(clock.now),
            RuntimeSettings(workers=1, namespace=options.namespace, cluster_wide=True),
        )
        await lead(_election(store, options), runtime.run)


def _apiserver_ca(connection: Connection) -> bytes:
    """Return the CA that we trust the API server by; empty if it is the system's."""
    if connection.ca_pem or connection.ca_file is None:
        return connection.ca_pem
    try:
        return connection.ca_file.read_bytes()
    except OSError as error:
        raise StartupError(f"cannot read the API server's CA: {error}") from error


async def _wait_for_certificates(store: Store) -> None:
    deadline = clock.monotonic_seconds() + CRD_SECONDS_MAX
    while await store.get(_CERTIFICATES) is None:
        if clock.monotonic_seconds() > deadline:
            raise StartupError(
                f"the CRD {_CERTIFICATES.name} is not there after {CRD_SECONDS_MAX:.0f} s; install"
                " it, or set --enable-certificates-data-source=false"
            )
        _log.info("waiting for a CRD", name=_CERTIFICATES.name)
        await asyncio.sleep(CRD_POLL_SECONDS)


def _election(store: Store, options: CaInjectorOptions) -> LeaderElection | None:
    if not options.leader_elect:
        return None
    terms = LeaseTerms(
        LEASE.key(options.leader_election_namespace, _LEASE),
        identity=unique_identity(),
        lease_seconds=options.leader_election_lease_seconds,
        renew_seconds_max=options.leader_election_renew_seconds,
        retry_seconds=options.leader_election_retry_seconds,
    )
    return LeaderElection(store, terms, manager=_MANAGER, now=clock.now)


def _sources() -> Sources:
    return Sources(clock.now(), generate_private_key, lambda: secrets.randbits(128) or 1)
