"""What may be asked of a Vault server, as data; `adapters.vault` asks it.

Source: reference cert-manager.md 3.6; Vault's API documentation (auth methods, PKI secrets engine).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = [
    "CheckVault",
    "SignByVault",
    "VaultAuth",
    "VaultConnection",
    "VaultFailed",
    "VaultLogin",
    "VaultReady",
    "VaultServiceAccount",
    "VaultSigned",
    "VaultToken",
]


@dataclass(frozen=True, slots=True)
class VaultToken:
    """A token that there is."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class VaultLogin:
    """A token that a login gives."""

    method: Literal["appRole", "kubernetes", "clientCertificate"]
    path: str
    """Such as `/v1/auth/approle/login`."""
    parameters: tuple[tuple[str, str], ...] = field(repr=False)
    certificate_pem: bytes = b""
    """Whose client certificate the login is made with, if not the connection's."""
    key_pem: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class VaultServiceAccount:
    """A token that a login with a service account's own token gives."""

    path: str
    role: str
    namespace: str
    account: str
    audiences: tuple[str, ...]


VaultAuth: TypeAlias = VaultToken | VaultLogin | VaultServiceAccount


@dataclass(frozen=True, slots=True)
class VaultConnection:
    """A server, and who asks."""

    server: str
    """URL, such as `https://vault.example:8200`."""
    auth: VaultAuth
    namespace: str = ""
    """Of Vault Enterprise."""
    ca_pem: bytes = b""
    """Whom to trust instead of the system's roots."""
    server_name: str = ""
    """Name in the server's certificate, if it is not the URL's host."""
    certificate_pem: bytes = b""
    key_pem: bytes = field(default=b"", repr=False)
    """The client's certificate and its key; both empty for none."""


@dataclass(frozen=True, slots=True)
class CheckVault:
    """Log in, and look whether the server is unsealed. Answer: `VaultReady`, `VaultFailed`."""

    connection: VaultConnection


@dataclass(frozen=True, slots=True)
class SignByVault:
    """Log in and sign. Answer: `VaultSigned` or `VaultFailed`."""

    connection: VaultConnection
    path: str
    """Such as `pki/sign/web`."""
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class VaultReady:
    """It may be asked to sign."""


@dataclass(frozen=True, slots=True)
class VaultSigned:
    """PEM, as the server gives it."""

    certificate: str
    issuing_ca: str
    ca_chain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VaultFailed:
    """It did not come to that."""

    stage: Literal["login", "health", "sign"]
    message: str
    may_pass: bool
    """Whether it may be otherwise in a while, although nothing changes here."""
