"""TLS of outgoing links: whom we trust and what we show; read from files, checked, read again."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from lymer.errors import StartupError
from lymer.transport.pem import first_certificate_end
from lymer.transport.tls_context import ReplacedContext
from lymer.transport.tls_files import load_ca, load_certificate
from lymer.transport.watched_files import Marks, marks_of, read_file

__all__ = ["ClientTls", "ClientTlsOptions"]


@dataclass(frozen=True, slots=True)
class ClientTlsOptions:
    """What an outgoing link's TLS is to be."""

    ca_file: Path | None = None
    """Who issues the server's certificate, PEM; None is whom the system trusts."""
    cert_file: Path | None = None
    """Our certificate and chain, PEM; None shows none."""
    key_file: Path | None = None
    """Its private key, PEM."""
    server_name: str = ""
    """Name the server's certificate must be for; empty is the name that is dialled."""
    insecure_skip_verify: bool = False
    """Accept any certificate. HTTP only."""
    setting: str = field(default="tls", compare=False)
    """Path of the group of settings, for messages."""


class ClientTls:
    """TLS of one or several outgoing links. `load` may run on any thread while they are used."""

    def __init__(self, options: ClientTlsOptions) -> None:
        """Read and check the files.

        Raises:
            StartupError: A file is missing, unreadable or not what it should be, or the key is
                not the certificate's.
        """
        self.options = options
        setting = options.setting
        if (options.cert_file is None) != (options.key_file is None):
            raise StartupError(f'"{setting}.cert_file" and "{setting}.key_file" belong together')
        self._contexts: list[ReplacedContext] = []
        self.marks_at_load: Final = self.marks()
        self._grpc = self._read()
        self.generation = 0
        """Rises when files have changed: a gRPC channel must then be dialled anew."""

    @property
    def name(self) -> str:
        """Path of the group of settings."""
        return self.options.setting

    def marks(self) -> Marks:
        """Return what tells whether a file has changed."""
        options = self.options
        files = (options.ca_file, options.cert_file, options.key_file)
        return marks_of(file for file in files if file is not None)

    def load(self) -> str:
        """Read the files again; new connections use them from now on."""
        content = self._read()
        made = [self._context() for _ in self._contexts]
        for outer, context in zip(self._contexts, made, strict=True):
            outer.newest = context
        self._grpc = content
        self.generation += 1
        return ""

    def context(self) -> ssl.SSLContext:
        """Return a context for clients of asyncio, httpx and the like that follows the files."""
        outer = ReplacedContext.around(self._context())
        self._contexts.append(outer)
        return outer

    def grpc_credentials(self) -> grpc.ChannelCredentials:
        """Return credentials for a gRPC channel as the files are now.

        A channel cannot change its mind: dial anew when `generation` rises
        (`lymer.transport.grpc_link` does).

        Raises:
            StartupError: `insecure_skip_verify` is asked, which the gRPC library cannot.
        """
        if self.options.insecure_skip_verify:
            raise StartupError(
                f'"{self.name}.insecure_skip_verify" is not possible over gRPC: give the CA of '
                f'the server in "{self.name}.ca_file", and "{self.name}.server_name" where its '
                "certificate is for another name"
            )
        ca, key, certificate = self._grpc
        return grpc.ssl_channel_credentials(ca, key, certificate)

    def grpc_options(self) -> list[tuple[str, str | int]]:
        """Return what a gRPC channel must be told beside its credentials."""
        name = self.options.server_name
        return [("grpc.ssl_target_name_override", name)] if name else []

    def _read(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Return CA, key and certificate, each as PEM or None, after all were checked."""
        options, setting = self.options, self.options.setting
        files = (
            (options.ca_file, f"{setting}.ca_file"),
            (options.key_file, f"{setting}.key_file"),
            (options.cert_file, f"{setting}.cert_file"),
        )
        ca, key, certificate = (_read(file, name) for file, name in files)
        if certificate is not None:
            try:
                first_certificate_end(certificate)
            except ValueError as error:
                raise StartupError(
                    f'{options.cert_file} ("{setting}.cert_file") is no certificate in PEM: {error}'
                ) from error
        self._context()
        if [_read(file, name) for file, name in files] != [ca, key, certificate]:
            raise StartupError(f'files of "{setting}" changed while they were being read')
        return ca, key, certificate

    def _context(self) -> ssl.SSLContext:
        options, setting = self.options, self.options.setting
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if options.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif options.ca_file is None:
            context.load_default_certs()
        if options.ca_file is not None:
            load_ca(context, options.ca_file, f"{setting}.ca_file")
        if options.cert_file is not None and options.key_file is not None:
            load_certificate(context, options.cert_file, options.key_file, setting)
        return context


def _read(file: Path | None, setting: str) -> bytes | None:
    return None if file is None else read_file(file, setting)
