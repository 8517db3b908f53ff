"""TLS of listeners: certificate, client CA, versions; read from files, checked, read again."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, cast

import grpc

from lymer import clock
from lymer.errors import StartupError
from lymer.transport.ciphers import openssl_ciphers
from lymer.transport.pem import first_certificate_end
from lymer.transport.tls_context import ReplacedContext, observe_handshakes
from lymer.transport.tls_files import load_ca, load_certificate
from lymer.transport.watched_files import Marks, marks_of, read_file

__all__ = ["ServerTls", "ServerTlsOptions"]

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_WARN_BEFORE_END: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class ServerTlsOptions:
    """What a listener's TLS is to be; equal options can share one `ServerTls`."""

    cert_file: Path
    """Certificate and chain, PEM."""
    key_file: Path
    """Its private key, PEM."""
    client_ca_file: Path | None = None
    """Who issues client certificates, PEM. With it every client must show one; None asks none."""
    min_version: str = "1.2"
    """`1.2` or `1.3`."""
    max_version: str = "any"
    """`any`, `1.2` or `1.3`."""
    cipher_suites: tuple[str, ...] = ()
    """Of TLS 1.2, IANA's or OpenSSL's names; empty is OpenSSL's choice."""
    setting: str = field(default="tls", compare=False)
    """Path of the group of settings, for messages."""


@dataclass(frozen=True, slots=True)
class _Content:
    """What the files hold."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None
    end: datetime


class ServerTls:
    """TLS of one or several listeners. `load` may run on any thread while they serve."""

    def __init__(self, options: ServerTlsOptions) -> None:
        """Read and check the files.

        Raises:
            StartupError: A file is missing, unreadable or not what it should be, the key is not
                the certificate's, or versions and suites leave nothing to speak.
        """
        self.options = options
        self._contexts: list[tuple[ReplacedContext, str, Callable[[str], None]]] = []
        self._check_versions()
        self.marks_at_load: Final = self.marks()
        self._content = self._read()
        self._generation = 0

    @property
    def name(self) -> str:
        """Path of the group of settings."""
        return self.options.setting

    @property
    def certificate_end(self) -> datetime:
        """When the certificate in force ends."""
        return self._content.end

    @property
    def grpc_can_serve(self) -> bool:
        """Whether gRPC's own TLS can do what is asked; it knows neither versions nor suites.

        It speaks 1.2 and 1.3 and takes suites from one variable of the environment for the whole
        process. Source: grpc 1.85, issue 37305.
        """
        options = self.options
        return (
            options.min_version == "1.2"
            and options.max_version in {"any", "1.3"}
            and not options.cipher_suites
        )

    def remark(self) -> str:
        """Return what an operator should know: a certificate that has ended or soon will."""
        now = datetime.fromtimestamp(clock.unix_nano() / 1e9, UTC)
        left = self.certificate_end - now
        if left <= timedelta(0):
            return f"the certificate ended on {self.certificate_end:%Y-%m-%d %H:%M} UTC: renew it"
        if left <= _WARN_BEFORE_END:
            return f"the certificate ends on {self.certificate_end:%Y-%m-%d %H:%M} UTC: renew it"
        return ""

    def marks(self) -> Marks:
        """Return what tells whether a file has changed."""
        options = self.options
        files = [options.cert_file, options.key_file]
        return marks_of([*files, options.client_ca_file] if options.client_ca_file else files)

    def load(self) -> str:
        """Read the files again; new connections use them from now on."""
        content = self._read()
        made = [self._context(alpn, on_failure) for _, alpn, on_failure in self._contexts]
        self._check_unchanged(content)
        for (outer, _, _), context in zip(self._contexts, made, strict=True):
            outer.newest = context
        self._content = content
        self._generation += 1
        return self.remark()

    def context(
        self, alpn: str, on_failure: Callable[[str], None] = lambda _reason: None
    ) -> ssl.SSLContext:
        """Return a context for a server of asyncio that follows the files.

        Args:
            alpn: Protocols that are spoken inside, the first is preferred: `http/1.1`, `h2` or
                `http/1.1,h2`.
            on_failure: Called with a reason for each handshake that fails.
        """
        context = self._context(alpn, on_failure)
        outer = ReplacedContext.around(context)
        self._contexts.append((outer, alpn, on_failure))
        return outer

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Return credentials for a gRPC server that follow the files, where `grpc_can_serve`."""
        assert self.grpc_can_serve
        used = self._generation

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            """Return what is new since the last handshake; called on a thread of gRPC."""
            nonlocal used
            newest = self._generation
            if newest == used:
                return None
            used = newest
            return self._grpc_configuration()

        return grpc.dynamic_ssl_server_credentials(
            self._grpc_configuration(),
            cast("Callable[[], grpc.ServerCertificateConfiguration]", fetch),  # None: no change
            require_client_authentication=self.options.client_ca_file is not None,
        )

    def _grpc_configuration(self) -> grpc.ServerCertificateConfiguration:
        content = self._content
        return grpc.ssl_server_certificate_configuration(
            [(content.key, content.certificate)], root_certificates=content.client_ca
        )

    def _check_versions(self) -> None:
        options = self.options
        for version in (options.min_version, options.max_version):
            if version not in {*_VERSIONS, "any"}:
                known = " and ".join(_VERSIONS)
                raise StartupError(
                    f'"{options.setting}" asks for TLS {version}, which is unknown: {known} are'
                )
        if options.max_version != "any" and options.max_version < options.min_version:
            raise StartupError(
                f'"{options.setting}.max_version" {options.max_version} is below '
                f'"{options.setting}.min_version" {options.min_version}'
            )

    def _read(self) -> _Content:
        options, setting = self.options, self.options.setting
        certificate = read_file(options.cert_file, f"{setting}.cert_file")
        key = read_file(options.key_file, f"{setting}.key_file")
        client_ca = None
        if options.client_ca_file is not None:
            client_ca = read_file(options.client_ca_file, f"{setting}.client_ca_file")
        try:
            end = first_certificate_end(certificate)
        except ValueError as error:
            raise StartupError(
                f'{options.cert_file} ("{setting}.cert_file") is no certificate in PEM: {error}'
            ) from error
        content = _Content(certificate, key, client_ca, end)
        self._context("", lambda _reason: None)
        self._check_unchanged(content)
        return content

    def _check_unchanged(self, content: _Content) -> None:
        """Make sure that what OpenSSL read by path is what we read: the key is checked there."""
        options = self.options
        files = [(options.cert_file, content.certificate), (options.key_file, content.key)]
        if options.client_ca_file is not None and content.client_ca is not None:
            files.append((options.client_ca_file, content.client_ca))
        for file, read in files:
            if read_file(file, options.setting) != read:
                raise StartupError(f"{file} changed while it was being read")

    def _context(self, alpn: str, on_failure: Callable[[str], None]) -> ssl.SSLContext:
        options, setting = self.options, self.options.setting
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[options.min_version]
        if options.max_version != "any":
            context.maximum_version = _VERSIONS[options.max_version]
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        if options.cipher_suites:
            suites = openssl_ciphers(options.cipher_suites, f"{setting}.cipher_suites")
            context.set_ciphers(suites)
        load_certificate(context, options.cert_file, options.key_file, setting)
        if options.client_ca_file is not None:
            load_ca(context, options.client_ca_file, f"{setting}.client_ca_file")
            context.verify_mode = ssl.CERT_REQUIRED
        if alpn:
            context.set_alpn_protocols(alpn.split(","))
        observe_handshakes(context, on_failure)
        return context
