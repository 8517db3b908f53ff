"""The webhook: judges objects of ours before the API server stores them.

Starts health, then its certificate, then reviews; stops in reverse.

Source: reference cert-manager.md 4.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from certwright import clock
from certwright.adapters.kube import KubeStore, load_connection
from certwright.adapters.webhook.approver import ClusterApprover
from certwright.adapters.webhook.server import health_application, review_application
from certwright.adapters.webhook.serving import ServingContext, TlsTerms
from certwright.adapters.webhook.sources import CertificateSource, DynamicSource, FileSource
from certwright.errors import StartupError
from certwright.pki.keys import generate_private_key
from certwright.resources.kinds import SECRET
from certwright.roles.webhook_options import WebhookOptions
from certwright.telemetry.logs import EventLog

__all__ = ["Webhook", "run_webhook", "serve_webhook"]

STOP_SECONDS_MAX: Final = 5.0
"""How long reviews in flight may take when we are told to stop."""
BACKLOG: Final = 1024
"""Connections that wait to be accepted."""

_log = EventLog("certwright.webhook")


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook that runs."""

    secure_port: int
    healthz_port: int
    source: asyncio.Task[None] | None
    """Ends only with an error that somebody has to look at."""


def run_webhook(options: WebhookOptions) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        StartupError: It cannot start, or has lost its certificate for good.
    """
    asyncio.run(_run(options))


async def _run(options: WebhookOptions) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with serve_webhook(options) as webhook:
        waiting = asyncio.create_task(stopped.wait())
        running = {waiting} if webhook.source is None else {waiting, webhook.source}
        try:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            if webhook.source is not None and webhook.source.done():
                webhook.source.result()
        finally:
            waiting.cancel()
        _log.info("stopping")


@asynccontextmanager
async def serve_webhook(options: WebhookOptions) -> AsyncIterator[Webhook]:
    """Serve for the length of a context.

    Raises:
        StartupError: A port is taken, the connection to the API server is not configured, or TLS
            cannot be had.
    """
    if options.enable_profiling:
        _log.warning("--enable-profiling has no effect: Go's profiler has no counterpart here")
    terms = TlsTerms(options.tls_min_version, options.tls_cipher_suites)
    connection = load_connection(
        kubeconfig=options.kubeconfig,
        master=options.api_server_host,
        environment=os.environ,
        home=Path.home(),
    )
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            KubeStore(connection, reader="cert-manager-webhook")
        )
        context = ServingContext(terms)
        source = _source(options, context, store)
        healthz_port = await _listen(
            stack,
            health_application(lambda: source is None or context.is_healthy(clock.now())),
            options.bind_address,
            options.healthz_port,
        )
        task = None
        if source is None:
            _log.warning("serving insecurely: no TLS certificate is configured")
        else:
            task = asyncio.create_task(source.run(), name="serving certificate")
            stack.push_async_callback(_cancel, task)
        secure_port = await _listen(
            stack,
            review_application(options.gates, ClusterApprover(store)),
            options.bind_address,
            options.secure_port,
            context if source is not None else None,
        )
        _log.info("listening", secure_port=secure_port, healthz_port=healthz_port)
        yield Webhook(secure_port, healthz_port, task)


def _source(
    options: WebhookOptions, context: ServingContext, store: KubeStore
) -> CertificateSource | None:
    if options.has_files:
        return FileSource(context, Path(options.tls_cert_file), Path(options.tls_private_key_file))
    if options.has_dynamic_authority:
        return DynamicSource(
            context,
            store,
            SECRET.key(
                options.dynamic_serving_ca_secret_namespace, options.dynamic_serving_ca_secret_name
            ),
            options.dynamic_serving_dns_names,
            private_key=generate_private_key,
            serial=lambda: secrets.randbits(128) or 1,
        )
    return None


async def _listen(
    stack: AsyncExitStack,
    application: web.Application,
    address: str,
    port: int,
    context: ServingContext | None = None,
) -> int:
    """Start a listener and return its port."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=STOP_SECONDS_MAX)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(
        runner,
        address or None,
        port,
        ssl_context=None if context is None else context.context,
        backlog=BACKLOG,
    )
    try:
        await site.start()
    except OSError as error:
        raise StartupError(f"cannot listen on {address or '*'}:{port}: {error}") from error
    listening: int = runner.addresses[0][1]
    return listening


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
