"""The controller: keeps certificates of a cluster issued and renewed.

Starts metrics and health, then waits to be the leader, then runs the loops; stops in reverse.

Source: reference cert-manager.md 8.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from aiohttp import web

from certwright import __version__, clock
from certwright.adapters.acme.outside import RealWorld
from certwright.adapters.kube import KubeStore, load_connection
from certwright.engine.leader import LeaderElection, LeaseTerms
from certwright.engine.rate_limit import TokenBucket
from certwright.engine.runtime import Runtime, RuntimeSettings
from certwright.engine.store import Selection, Store
from certwright.errors import NotFoundError, StartupError
from certwright.pki.keys import generate_private_key
from certwright.reconcile.contract import AnyController, Sources
from certwright.reconcile.controllers import all_controllers
from certwright.resources.features import (
    EXPERIMENTAL_GATEWAY_API_SUPPORT,
    LISTENER_SETS,
    FeatureGates,
)
from certwright.resources.kinds import GATEWAY, LEASE, LISTENER_SET
from certwright.roles.controller_options import (
    GATEWAY_SHIM,
    LISTENER_SETS_SHIM,
    ControllerOptions,
    address_of,
    check_options,
    enabled_names,
)
from certwright.roles.leadership import lead, unique_identity, until_told_to_stop
from certwright.telemetry.logs import EventLog
from certwright.telemetry.metrics import CONTENT_TYPE, Metrics

__all__ = ["run_controller"]

LEASE_NAME: Final = "cert-manager-controller"
STOP_SECONDS_MAX: Final = 5.0
"""How long a request of a scraper may still run at the end."""

_NO_GATEWAYS: Final = (
    "the Gateway API CRDs do not seem to be present, but ExperimentalGatewayAPISupport is set to"
    " true. Please install the gateway-api CRDs."
)
_NO_LISTENER_SETS: Final = (
    "the Gateway API ListenerSet CRD do not seem to be present, but ListenerSets is set to true."
    " Please install the gateway-api ListenerSet CRD."
)

_log = EventLog("certwright.controller")


def run_controller(options: ControllerOptions) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        StartupError: It cannot start as it is configured, or the lease is lost.
    """
    check_options(options)
    connection = load_connection(
        kubeconfig=options.kubeconfig,
        master=options.master,
        environment=os.environ,
        home=Path.home(),
    )

    async def work() -> None:
        limit = _rate_limit(options)
        async with (
            KubeStore(connection, reader="cert-manager-controller", before_request=limit) as store,
            # Renewing the lease must not stand in line behind ten thousand certificates.
            KubeStore(connection, reader="cert-manager-leader-election") as lease_store,
        ):
            await _check_gateway_api(store, options)
            await _control(store, lease_store, options)

    asyncio.run(until_told_to_stop(work))


async def _control(store: KubeStore, lease_store: Store, options: ControllerOptions) -> None:
    metrics = Metrics(clock.now)
    election = _election(lease_store, options)
    world = RealWorld(
        webhook=store.call, observe=_observer(metrics), observe_venafi=_venafi_observer(metrics)
    )
    runtime = Runtime(
        store,
        chosen_controllers(options),
        _sources,
        metrics,
        RuntimeSettings(workers=options.concurrent_workers, namespace=options.decisions.namespace),
        world,
    )
    _log.info("starting controller", version=__version__, pid=os.getpid())
    async with (
        world,
        _listening(options.metrics_listen_address, "metrics-listen-address", _metrics_app(metrics)),
        _listening(
            options.healthz_listen_address,
            "internal-healthz-listen-address",
            _health_app(election, options),
        ),
    ):
        await lead(election, runtime.run)


def chosen_controllers(options: ControllerOptions) -> tuple[AnyController, ...]:
    """Return the loops that --controllers and the gates choose."""
    names = enabled_names(options)
    gates = options.gates.enabled
    if GATEWAY_SHIM in names:
        gates |= {EXPERIMENTAL_GATEWAY_API_SUPPORT}
    if LISTENER_SETS_SHIM in names:
        gates |= {EXPERIMENTAL_GATEWAY_API_SUPPORT, LISTENER_SETS}
    decisions = replace(options.decisions, gates=FeatureGates(gates))
    chosen = tuple(
        controller for controller in all_controllers(decisions) if controller.component in names
    )
    _log.info("enabled controllers", controllers=", ".join(sorted(c.name for c in chosen)))
    return chosen


async def _check_gateway_api(store: Store, options: ControllerOptions) -> None:
    """Refuse to start where what the gates ask for is not installed."""
    names = enabled_names(options)
    for controller, kind, missing in (
        (GATEWAY_SHIM, GATEWAY, _NO_GATEWAYS),
        (LISTENER_SETS_SHIM, LISTENER_SET, _NO_LISTENER_SETS),
    ):
        if controller not in names:
            continue
        try:
            await store.list(Selection(kind, options.decisions.namespace))
        except NotFoundError as error:
            raise StartupError(f"{missing} ({error})") from error


# ------------------------------------------------------------------------------ parts


def _rate_limit(options: ControllerOptions) -> Callable[[], Awaitable[None]]:
    bucket = TokenBucket(options.kube_api_qps, options.kube_api_burst)

    async def wait() -> None:
        if seconds := bucket.take(clock.monotonic_seconds()):
            await asyncio.sleep(seconds)

    return wait


def _election(store: Store, options: ControllerOptions) -> LeaderElection | None:
    if not options.leader_elect:
        return None
    terms = LeaseTerms(
        LEASE.key(options.leader_election_namespace, LEASE_NAME),
        identity=unique_identity("-external-cert-manager-controller"),
        lease_seconds=options.leader_election_lease_seconds,
        renew_seconds_max=options.leader_election_renew_seconds,
        retry_seconds=options.leader_election_retry_seconds,
    )
    return LeaderElection(store, terms, manager="cert-manager-leader-election", now=clock.now)


def _sources() -> Sources:
    return Sources(clock.now(), generate_private_key, lambda: secrets.randbits(128) or 1)


def _observer(metrics: Metrics) -> Callable[[tuple[tuple[str, str], ...], float], None]:
    """Return what counts requests to CAs. Source: reference cert-manager.md 8.1."""

    def observe(labels: tuple[tuple[str, str], ...], seconds: float) -> None:
        metrics.count("certmanager_http_acme_client_request_count", labels)
        metrics.observe("certmanager_http_acme_client_request_duration_seconds", labels, seconds)

    return observe


def _venafi_observer(metrics: Metrics) -> Callable[[str, float], None]:
    """Return what measures calls of Venafi's APIs. Source: reference cert-manager.md 8.1."""
    name = "certmanager_http_venafi_client_request_duration_seconds"
    return lambda call, seconds: metrics.observe(name, (("api_call", call),), seconds)


def _metrics_app(metrics: Metrics) -> web.Application:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.text().encode(), headers={"Content-Type": CONTENT_TYPE})

    application = web.Application()
    application.router.add_get("/metrics", answer)
    return application


def _health_app(election: LeaderElection | None, options: ControllerOptions) -> web.Application:
    """Return /livez: an error only if we lead on a lease that has been over for too long."""

    async def answer(_request: web.Request) -> web.Response:
        late = 0.0 if election is None else election.expired_for_seconds()
        if late > options.healthz_leader_seconds_max:
            reason = f"failed election to renew leadership on lease {LEASE_NAME}: {late:.0f} s late"
            return web.Response(status=500, text=f"internal server error: {reason}\n")
        return web.Response(text="ok")

    application = web.Application()
    application.router.add_get("/livez", answer)
    return application


@asynccontextmanager
async def _listening(address: str, flag: str, application: web.Application) -> AsyncIterator[None]:
    """Serve an application over HTTP for the length of a block; an empty address serves nothing."""
    if not address:
        yield
        return
    host, port = address_of(address, flag)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=STOP_SECONDS_MAX)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host or None, port, reuse_address=True).start()
        except OSError as error:
            raise StartupError(
                f"cannot listen on {address}: {error.strerror or error}; choose another --{flag}"
            ) from error
        _log.info("listening", flag=flag, address=address)
        yield
    finally:
        await runner.cleanup()
