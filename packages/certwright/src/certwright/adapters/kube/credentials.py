"""Tokens and client certificates that change while we run: files, and programs that give them.

Source: Kubernetes documentation, Authenticating, "client-go credential plugins"; client-go reads
token files again every minute.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from certwright import clock
from certwright.adapters.client_certificates import load_pair
from certwright.adapters.kube.config import Connection, ExecPlugin
from certwright.errors import StartupError, UnavailableError

__all__ = ["Credentials"]

TOKEN_FILE_SECONDS: Final = 60.0
"""A token file is read again after so long."""
PLUGIN_SECONDS_MAX: Final = 60.0
"""A plugin that takes longer is ended."""
PLUGIN_OUTPUT_BYTES_MAX: Final = 2**20
_EXPIRY_MARGIN: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class _Given:
    """What a plugin gave."""

    token: str
    certificate_pem: bytes
    key_pem: bytes
    expires: datetime | None


class Credentials:
    """Gives the headers and the TLS context of the next request."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._token = connection.token
        self._token_read_at = float("-inf")
        self._given: _Given | None = None
        self._asking = asyncio.Lock()
        self._context: ssl.SSLContext | None = None
        self._context_of: object = None

    async def headers(self) -> dict[str, str]:
        """Return the headers that say who we are.

        Raises:
            UnavailableError: A token file cannot be read, or the plugin failed.
        """
        connection = self._connection
        headers: dict[str, str] = {}
        if token := await self._current_token():
            headers["Authorization"] = f"Bearer {token}"
        elif connection.username:
            pair = f"{connection.username}:{connection.password}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        if connection.impersonate_user:
            headers["Impersonate-User"] = connection.impersonate_user
        return headers

    def context(self) -> ssl.SSLContext | bool:
        """Return the TLS context; a new one when files or the plugin's certificate changed.

        Raises:
            StartupError: A certificate or key cannot be loaded.
        """
        connection = self._connection
        if not connection.server.startswith("https://"):
            return True
        files = (
            connection.ca_file,
            connection.client_certificate_file,
            connection.client_key_file,
        )
        state = (
            *(_changed_at(path) for path in files),
            self._given.certificate_pem if self._given else b"",
        )
        if self._context is None or state != self._context_of:
            self._context, self._context_of = _new_context(connection, self._given), state
        return self._context

    def forget(self) -> None:
        """Ask again for everything that may have expired: the server answered 401."""
        self._token_read_at = float("-inf")
        self._given = None

    async def _current_token(self) -> str:
        connection = self._connection
        if connection.exec_plugin is not None:
            return (await self._ask(connection.exec_plugin)).token
        if connection.token_file is None:
            return self._token
        if clock.monotonic_seconds() - self._token_read_at > TOKEN_FILE_SECONDS:
            try:
                self._token = (await asyncio.to_thread(connection.token_file.read_text)).strip()
            except OSError as error:
                if not self._token:
                    raise UnavailableError(f"cannot read the token: {error}") from error
            self._token_read_at = clock.monotonic_seconds()
        return self._token

    async def _ask(self, plugin: ExecPlugin) -> _Given:
        async with self._asking:
            given = self._given
            if given is None or (given.expires and given.expires - _EXPIRY_MARGIN < clock.now()):
                given = self._given = await _run_plugin(plugin, self._connection)
            return given


def _changed_at(path: Path | None) -> int:
    try:
        return path.stat().st_mtime_ns if path else 0
    except OSError:
        return 0


# ------------------------------------------------------------------------------ TLS


def _new_context(connection: Connection, given: _Given | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(
            cafile=connection.ca_file, cadata=connection.ca_pem.decode("ascii") or None
        )
        if connection.insecure_skip_tls_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            # Clusters with CAs from before RFC 5280's demands are many; Go accepts them.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if given is not None and given.certificate_pem:
            load_pair(context, given.certificate_pem, given.key_pem)
        elif connection.client_certificate_file or connection.client_certificate_pem:
            certificate = connection.client_certificate_pem or _read(
                connection.client_certificate_file
            )
            load_pair(
                context, certificate, connection.client_key_pem or _read(connection.client_key_file)
            )
    except (OSError, UnicodeDecodeError) as error:  # ssl.SSLError is an OSError
        raise StartupError(
            f"cannot use the certificates for {connection.server}: {error}"
        ) from error
    return context


def _read(path: Path | None) -> bytes:
    return path.read_bytes() if path else b""


# ------------------------------------------------------------------------------ plugins


async def _run_plugin(plugin: ExecPlugin, connection: Connection) -> _Given:
    question: dict[str, Any] = {
        "apiVersion": plugin.api_version,
        "kind": "ExecCredential",
        "spec": {"interactive": False},
    }
    if plugin.provide_cluster_info:
        ca = connection.ca_pem or _read(connection.ca_file)
        question["spec"]["cluster"] = {
            "server": connection.server,
            **({"certificate-authority-data": base64.b64encode(ca).decode()} if ca else {}),
            **(
                {"tls-server-name": connection.tls_server_name}
                if connection.tls_server_name
                else {}
            ),
            **({"proxy-url": connection.proxy_url} if connection.proxy_url else {}),
        }
    environment = {
        **os.environ,
        **dict(plugin.environment),
        "KUBERNETES_EXEC_INFO": json.dumps(question),
    }
    output = await _output_of(plugin, environment)
    try:
        return _decode_credential(json.loads(output), plugin)
    except (ValueError, TypeError, AttributeError) as error:
        raise UnavailableError(
            f"cannot use what the credential plugin {plugin.command} printed: {error}"
        ) from error


async def _output_of(plugin: ExecPlugin, environment: dict[str, str]) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
    except OSError as error:
        hint = f" ({plugin.install_hint})" if plugin.install_hint else ""
        raise UnavailableError(
            f"cannot run the credential plugin {plugin.command}: {error}{hint}"
        ) from error
    try:
        async with asyncio.timeout(PLUGIN_SECONDS_MAX):
            output, complaint = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise UnavailableError(
            f"the credential plugin {plugin.command} took over {PLUGIN_SECONDS_MAX:g} s"
        ) from error
    if process.returncode or len(output) > PLUGIN_OUTPUT_BYTES_MAX:
        raise UnavailableError(
            f"the credential plugin {plugin.command} failed with exit code {process.returncode}: "
            f"{complaint.decode(errors='replace').strip()[:500]}"
        )
    return output


def _decode_credential(answer: dict[str, Any], plugin: ExecPlugin) -> _Given:
    if answer.get("kind") != "ExecCredential" or answer.get("apiVersion") != plugin.api_version:
        raise ValueError(f"it is no ExecCredential of {plugin.api_version}")
    status = answer.get("status") or {}
    token, certificate = (
        str(status.get("token") or ""),
        str(status.get("clientCertificateData") or ""),
    )
    if not token and not certificate:
        raise ValueError("it holds neither a token nor a client certificate")
    expires = status.get("expirationTimestamp")
    return _Given(
        token=token,
        certificate_pem=certificate.encode(),
        key_pem=str(status.get("clientKeyData") or "").encode(),
        expires=datetime.fromisoformat(expires).astimezone(UTC) if expires else None,
    )
