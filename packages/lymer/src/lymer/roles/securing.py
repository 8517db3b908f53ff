"""Encryption and access of a role: settings become what listeners and links are given.

A listener is encrypted by having a group `tls` in its settings: `Ports` asks here. An outgoing
link asks `client_tls` and `client_auth`. Files are looked after until the stack unwinds.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack

from lymer.config.security import (
    AuthSettings,
    ClientAuthSettings,
    ClientTlsSettings,
    ListenerTlsSettings,
    TlsSettings,
)
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics
from lymer.transport.client_auth import ClientAuth, ClientAuthOptions
from lymer.transport.gate import Gate, GateOptions
from lymer.transport.reloading import Reloader
from lymer.transport.tls_client import ClientTls, ClientTlsOptions
from lymer.transport.tls_server import ServerTls, ServerTlsOptions

__all__ = ["Security"]

_log = EventLog(__name__)


class Security:
    """What was read from files, once for each; lives on one event loop."""

    def __init__(self, stack: AsyncExitStack, shared: TlsSettings, metrics: Metrics) -> None:
        """Look after files until `stack` unwinds.

        Args:
            stack: Unwound in reverse.
            shared: TLS of listeners that have none of their own.
            metrics: Where to count.
        """
        self._shared = shared
        self._metrics = metrics.security
        self._stack = stack
        self._gates: dict[GateOptions, Gate] = {}
        self._servers: dict[ServerTlsOptions, ServerTls] = {}
        self._reloader = Reloader(
            shared.reload_interval_seconds,
            on_reload=lambda setting: self._metrics.reloads.labels(setting).inc(),
            on_failure=lambda setting: self._metrics.reload_failures.labels(setting).inc(),
        )
        stack.push_async_callback(self._reloader.stop)

    def listener_tls(self, own: ListenerTlsSettings, group: str) -> ServerTls | None:
        """Return the TLS of a listener, or None for plain text.

        Args:
            own: The listener's settings.
            group: Path of them, such as `query.tls`.

        Raises:
            StartupError: A file is missing or not what it should be.
        """
        options = server_options(self._shared, own, group)
        if options is None:
            return None
        tls = self._servers.get(options)
        if tls is None:
            tls = self._servers[options] = self._read_server_tls(options)
        return tls

    def context(self, tls: ServerTls, alpn: str, what: str) -> ssl.SSLContext:
        """Return a context of asyncio for the listener `what`, whose failures are counted."""
        return tls.context(alpn, self._handshake_counter(what))

    def client_tls(self, settings: ClientTlsSettings, group: str) -> ClientTls | None:
        """Return the TLS of an outgoing link, or None for plain text.

        Args:
            settings: The link's.
            group: Path of them, such as `agent.collector.tls`.

        Raises:
            StartupError: A file is missing or not what it should be.
        """
        if not settings.enabled:
            return None
        tls = ClientTls(
            ClientTlsOptions(
                ca_file=settings.ca_file,
                cert_file=settings.cert_file,
                key_file=settings.key_file,
                server_name=settings.server_name,
                insecure_skip_verify=settings.insecure_skip_verify,
                setting=group,
            )
        )
        self._reloader.watch(tls, tls.marks_at_load)
        return tls

    def gate(self, settings: AuthSettings, group: str) -> Gate | None:
        """Return who may use a listener, or None for everybody.

        Args:
            settings: Who.
            group: Path of them, such as `query.auth`.

        Raises:
            StartupError: A file is missing or not what it should be.
        """
        if settings.is_open:
            return None
        options = GateOptions(
            bearer_tokens_file=settings.bearer_tokens_file,
            bearer_tokens=settings.bearer_tokens,
            htpasswd_file=settings.htpasswd_file,
            setting=group,
        )
        gate = self._gates.get(options)
        if gate is None:
            gate = self._gates[options] = self._open_gate(options)
        return gate

    def client_auth(self, settings: ClientAuthSettings, group: str) -> ClientAuth | None:
        """Return what an outgoing link must say of us, or None for nothing.

        Args:
            settings: The link's.
            group: Path of them, such as `agent.auth`.

        Raises:
            StartupError: A file is missing or not what it should be.
        """
        if settings.bearer_token_file is None and not settings.username:
            return None
        auth = ClientAuth(
            ClientAuthOptions(
                bearer_token_file=settings.bearer_token_file,
                username=settings.username,
                password_file=settings.password_file,
                setting=group,
            )
        )
        self._reloader.watch(auth, auth.marks_at_load)
        return auth

    def _open_gate(self, options: GateOptions) -> Gate:
        refusals, group = self._metrics.auth_refusals, options.setting
        gate = Gate(options, on_refusal=lambda reason: refusals.labels(group, reason).inc())
        self._stack.callback(gate.close)
        if gate.remark():
            _log.warning(gate.remark(), setting=gate.name)
        self._reloader.watch(gate, gate.marks_at_load)
        return gate

    def _read_server_tls(self, options: ServerTlsOptions) -> ServerTls:
        tls = ServerTls(options)
        end = self._metrics.certificate_end.labels(tls.name)
        end.set_function(lambda: tls.certificate_end.timestamp())  # noqa: PLW0108 - it is replaced
        if tls.remark():
            _log.warning(tls.remark(), setting=tls.name)
        self._reloader.watch(tls, tls.marks_at_load)
        return tls

    def _handshake_counter(self, what: str) -> Callable[[str], None]:
        failures = self._metrics.handshake_failures
        return lambda reason: failures.labels(what, reason).inc()


def server_options(
    shared: TlsSettings, own: ListenerTlsSettings, group: str
) -> ServerTlsOptions | None:
    """Return what a listener's TLS is to be: its own settings before the shared ones (pure)."""
    is_own = own.cert_file is not None
    cert_file, key_file = (
        (own if is_own else shared).cert_file,
        (own if is_own else shared).key_file,
    )
    if not own.enabled or cert_file is None or key_file is None:
        return None
    client_ca = own.client_ca_file or shared.client_ca_file
    return ServerTlsOptions(
        cert_file=cert_file,
        key_file=key_file,
        client_ca_file=client_ca if own.verify_clients else None,
        min_version=shared.min_version if own.min_version == "inherit" else own.min_version,
        max_version=shared.max_version if own.max_version == "inherit" else own.max_version,
        cipher_suites=own.cipher_suites or shared.cipher_suites,
        setting=group if is_own else "tls",
    )
