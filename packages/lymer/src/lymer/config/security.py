"""The groups of settings about encryption and access, nested in listeners and outgoing links.

A listener gets encryption by one line, `tls: ListenerTlsSettings`, a client by
`tls: ClientTlsSettings` and `auth: ClientAuthSettings`. What a listener leaves out is that of the
group `tls` at the top.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from lymer.config.rules import FILE, SWITCH, Secret, choice, duration, secret_texts, text, texts

__all__ = [
    "AuthSettings",
    "ClientAuthSettings",
    "ClientTlsSettings",
    "CorsSettings",
    "ListenerTlsSettings",
    "TlsSettings",
]


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """TLS of every listener that has none of its own: one switch for all."""

    cert_file: Annotated[Path | None, FILE] = None
    """Certificate in PEM, the chain behind it. Default none: listeners speak plain text. With
    one, every listener but UDP speaks TLS only. Jaeger's `tls.cert_file`, `--*.tls.cert`."""

    key_file: Annotated[Path | None, FILE] = None
    """Private key of the certificate in PEM, not encrypted. Default none. Jaeger's
    `tls.key_file`."""

    client_ca_file: Annotated[Path | None, FILE] = None
    """Certificates in PEM of those who issue client certificates. Default none: clients show
    none. With it a client without a valid one is refused (mTLS), health probes and browsers
    too: see `verify_clients` of a listener. Jaeger's `tls.client_ca_file`."""

    min_version: Annotated[str, choice("1.2", "1.3")] = "1.2"
    """Oldest version of TLS that is spoken. Default 1.2, as Jaeger's; 1.3 shuts out clients of
    before about 2018. 1.0 and 1.1 are no choice: RFC 8996 forbids them."""

    max_version: Annotated[str, choice("any", "1.2", "1.3")] = "any"
    """Newest version of TLS that is spoken. Default any. 1.2 is for looking into trouble."""

    cipher_suites: Annotated[tuple[str, ...], texts("names of cipher suites")] = ()
    """Suites of TLS 1.2 that are offered, by IANA's names, as in Jaeger, or OpenSSL's. Default:
    OpenSSL's strong ones. Those of TLS 1.3 are all strong and always on, as in Go."""

    reload_interval_seconds: Annotated[float, duration(0.1, 86400)] = 5.0
    """How often the files of certificates, tokens and passwords are looked at for changes, in
    seconds. Default 5 s: what Kubernetes puts into a mounted Secret arrives within a minute or so
    anyway. Too large: an old certificate is served past its end."""


@dataclass(frozen=True, slots=True)
class ListenerTlsSettings:
    """TLS of one listener: what is not set here is that of `tls`."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether TLS is spoken where a certificate is set, here or in `tls`. Default true. False is
    plain text, say for health probes, while everything else is encrypted."""

    cert_file: Annotated[Path | None, FILE] = None
    """Certificate in PEM. Default: `tls.cert_file` with its key."""

    key_file: Annotated[Path | None, FILE] = None
    """Private key of `cert_file`, which must be set with it."""

    client_ca_file: Annotated[Path | None, FILE] = None
    """Who issues client certificates, PEM. Default: `tls.client_ca_file`."""

    verify_clients: Annotated[bool, SWITCH] = True
    """Whether clients must show a certificate where a `client_ca_file` is set, here or in `tls`.
    Default true. False lets in clients without, say browsers and health probes."""

    min_version: Annotated[str, choice("inherit", "1.2", "1.3")] = "inherit"
    """Oldest version. Default: `tls.min_version`."""

    max_version: Annotated[str, choice("inherit", "any", "1.2", "1.3")] = "inherit"
    """Newest version. Default: `tls.max_version`."""

    cipher_suites: Annotated[tuple[str, ...], texts("names of cipher suites")] = ()
    """Suites of TLS 1.2. Default: `tls.cipher_suites`."""

    def is_on(self, shared: TlsSettings) -> bool:
        """Say whether TLS is spoken, given the group `tls` at the top."""
        return self.enabled and bool(self.cert_file or shared.cert_file)


@dataclass(frozen=True, slots=True)
class ClientTlsSettings:
    """TLS of an outgoing link."""

    enabled: Annotated[bool, SWITCH] = False
    """Whether the link is encrypted. Default false, as Jaeger v1's `--*.tls.enabled`. With files
    set below and without this, the start is refused: they would silently do nothing."""

    ca_file: Annotated[Path | None, FILE] = None
    """Certificates in PEM of those who issue the server's. Default: those the system trusts."""

    cert_file: Annotated[Path | None, FILE] = None
    """Our certificate in PEM, for servers that demand one (mTLS). Default: we show none."""

    key_file: Annotated[Path | None, FILE] = None
    """Private key of `cert_file`, not encrypted. Default none."""

    server_name: Annotated[str, text("a host name")] = ""
    """Name the server's certificate must be for. Default: the name that is dialled."""

    insecure_skip_verify: Annotated[bool, SWITCH] = False
    """Accept any certificate: encrypted, but maybe to the wrong server. Default false. HTTP
    links only: the gRPC library cannot, so with it a gRPC link refuses to start."""


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """Who may use a group of listeners; with nothing set, everybody who reaches them."""

    bearer_tokens_file: Annotated[Path | None, FILE] = None
    """File of tokens, one a line, `#` begins a comment line; read again when it changes. A
    request must carry one as `Authorization: Bearer TOKEN`. Default none."""

    bearer_tokens: Annotated[tuple[Secret, ...], secret_texts("tokens")] = ()
    """The same as values, meant for the environment, where a Secret of Kubernetes puts them.
    Default none. Never shown again. Not as a flag: other users of the machine can read those."""

    htpasswd_file: Annotated[Path | None, FILE] = None
    """File of `user:password` lines, as Apache's `htpasswd` writes them: bcrypt (`htpasswd -B`),
    MD5 (`-m`), SHA-1 (`-s`) or plain (`-p`). Read again when it changes. A request must carry
    `Authorization: Basic`; browsers ask for it. Default none."""

    @property
    def is_open(self) -> bool:
        """Whether everybody may pass."""
        return not (self.bearer_tokens_file or self.bearer_tokens or self.htpasswd_file)


@dataclass(frozen=True, slots=True)
class ClientAuthSettings:
    """How an outgoing link says who we are: one of a token and a password."""

    bearer_token_file: Annotated[Path | None, FILE] = None
    """File with the token to send, read again when it changes. Default none."""

    username: Annotated[str, text("a user name")] = ""
    """User to send as `Authorization: Basic`. Default none."""

    password_file: Annotated[Path | None, FILE] = None
    """File with the password of `username`, read again when it changes. Default none."""


@dataclass(frozen=True, slots=True)
class CorsSettings:
    """Which web pages may send here from a browser."""

    allowed_origins: Annotated[tuple[str, ...], texts("origins like https://shop.example")] = ()
    """Origins of pages, `*` for any part. Default none, as Jaeger's: browsers refuse to send."""

    allowed_headers: Annotated[tuple[str, ...], texts("names of headers")] = ()
    """Headers a page may send beside those every page may; `*` is all. Default none: accepted are
    `Accept`, `Content-Type`, `Content-Encoding`, `X-Requested-With`, `Authorization` and those of
    trace context."""

    max_age_seconds: Annotated[float, duration(0, 86400)] = 0.0
    """How long a browser may remember the answer to its question whether it may send, in seconds.
    Default 0: the browser's own, 5 s for most."""
