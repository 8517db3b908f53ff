"""Where the API server is and who we are: kubeconfig files, or what a pod finds in itself.

::

    --kubeconfig FILE  ┐
    KUBECONFIG=A:B:C   ├─▶ merged, first mention wins ─▶ context ─▶ cluster + user ─▶ Connection
    ~/.kube/config     ┘
    /var/run/secrets/kubernetes.io/serviceaccount ────────────────────────────────▶ Connection

Source: Kubernetes documentation, Organizing Cluster Access Using kubeconfig Files; kubeconfig (v1)
reference; client-go's `clientcmd` and `rest.InClusterConfig` (behaviour).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

from certwright.errors import StartupError

__all__ = ["Connection", "ExecPlugin", "from_kubeconfig", "in_cluster", "load_connection"]

SERVICE_ACCOUNT_FOLDER: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """A program that gives credentials."""

    command: str
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    api_version: str = "client.authentication.k8s.io/v1"
    provide_cluster_info: bool = False
    install_hint: str = ""


@dataclass(frozen=True, slots=True)
class Connection:
    """All that is needed to talk to an API server. Holds secrets: never log it."""

    server: str
    """Such as `https://10.0.0.1:443`, without a slash at the end; it may have a path."""
    ca_pem: bytes = b""
    ca_file: Path | None = None
    """Read again when it changes. With neither, the system's CAs are used."""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    proxy_url: str = ""
    client_certificate_pem: bytes = b""
    client_key_pem: bytes = b""
    client_certificate_file: Path | None = None
    client_key_file: Path | None = None
    """Both read again when they change."""
    token: str = ""
    token_file: Path | None = None
    """Read again every minute: a service account's token is renewed in place."""
    username: str = ""
    password: str = ""
    exec_plugin: ExecPlugin | None = None
    impersonate_user: str = ""
    impersonate_groups: tuple[str, ...] = ()
    namespace: str = "default"

    def __repr__(self) -> str:
        return f"Connection(server={self.server!r})"


def load_connection(
    *,
    kubeconfig: str = "",
    master: str = "",
    context: str = "",
    environment: Mapping[str, str],
    home: Path,
    service_account_folder: Path = SERVICE_ACCOUNT_FOLDER,
) -> Connection:
    """Find out how to reach the API server.

    Args:
        kubeconfig: The flag's value; wins over everything else.
        master: Address that replaces the kubeconfig's.
        context: Name of the context; empty for the current one.
        environment: Of the process; `KUBECONFIG` and `KUBERNETES_SERVICE_*` are read.
        home: The user's home folder.
        service_account_folder: What a pod finds in itself.

    Raises:
        StartupError: There is no usable configuration; says what was looked at.
    """
    if kubeconfig:
        return _with_server(from_kubeconfig([Path(kubeconfig)], context), master)
    named = [Path(part) for part in environment.get("KUBECONFIG", "").split(":") if part]
    if named:
        present = [path for path in named if path.exists()]
        if not present:
            raise StartupError(
                f"cannot read the kubeconfig: KUBECONFIG names {environment['KUBECONFIG']}, and"
                " none of these files exists"
            )
        return _with_server(from_kubeconfig(present, context), master)
    if environment.get("KUBERNETES_SERVICE_HOST") and (service_account_folder / "token").exists():
        return _with_server(in_cluster(environment, service_account_folder), master)
    usual = home / ".kube" / "config"
    if usual.exists():
        return _with_server(from_kubeconfig([usual], context), master)
    if master:
        return Connection(server=master.rstrip("/"))
    raise StartupError(
        "cannot find an API server: this is no pod with a service account, KUBECONFIG is not set"
        f" and there is no {usual}; give --kubeconfig FILE"
    )


def in_cluster(environment: Mapping[str, str], folder: Path) -> Connection:
    """Return the connection that a pod's service account gives."""
    host = environment["KUBERNETES_SERVICE_HOST"]
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    namespace = folder / "namespace"
    return Connection(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        ca_file=folder / "ca.crt",
        token_file=folder / "token",
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
    )


def _with_server(connection: Connection, master: str) -> Connection:
    return replace(connection, server=master.rstrip("/")) if master else connection


# ------------------------------------------------------------------------------ kubeconfig


def from_kubeconfig(paths: list[Path], context: str = "") -> Connection:
    """Return the connection of a context of merged kubeconfig files.

    Raises:
        StartupError: A file cannot be read, or names something that is not there.
    """
    merged = _Merged()
    for path in paths:
        merged.add(path)
    name = context or merged.current_context
    where = ":".join(map(str, paths))
    if not name:
        raise StartupError(f"cannot use the kubeconfig {where}: it names no current-context")
    chosen, _ = merged.find("contexts", name, where)
    cluster, cluster_folder = merged.find("clusters", str(chosen.get("cluster", "")), where)
    user: Mapping[str, Any] = {}
    user_folder = cluster_folder
    if chosen.get("user"):
        user, user_folder = merged.find("users", str(chosen["user"]), where)
    connection = _of_cluster(cluster, cluster_folder, where)
    connection = replace(connection, namespace=str(chosen.get("namespace") or "default"))
    return _with_user(connection, user, user_folder, where)


@dataclass(slots=True)
class _Merged:
    """What several files say; of two entries of one name the first counts."""

    current_context: str = ""
    entries: dict[tuple[str, str], tuple[Mapping[str, Any], Path]] = field(default_factory=dict)

    def add(self, path: Path) -> None:
        try:
            document = yaml.safe_load(path.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise StartupError(f"cannot read the kubeconfig {path}: {error}") from error
        if not isinstance(document, dict):
            raise StartupError(f"cannot read the kubeconfig {path}: it is no YAML object")
        self.current_context = self.current_context or str(document.get("current-context") or "")
        for section, inner in (("contexts", "context"), ("clusters", "cluster"), ("users", "user")):
            for entry in document.get(section) or ():
                if isinstance(entry, dict) and entry.get("name"):
                    value = (entry.get(inner) or {}, path.parent)
                    self.entries.setdefault((section, str(entry["name"])), value)

    def find(self, section: str, name: str, where: str) -> tuple[Mapping[str, Any], Path]:
        found = self.entries.get((section, name))
        if found is None:
            raise StartupError(f"cannot use the kubeconfig {where}: {section} has no {name!r}")
        return found


def _of_cluster(cluster: Mapping[str, Any], folder: Path, where: str) -> Connection:
    server = str(cluster.get("server") or "")
    if not server.startswith(("https://", "http://")):
        raise StartupError(
            f"cannot use the kubeconfig {where}: server {server!r} is no http(s) URL"
        )
    authority = cluster.get("certificate-authority")
    return Connection(
        server=server.rstrip("/"),
        ca_pem=_inline(cluster, "certificate-authority-data", where),
        ca_file=folder / authority if authority else None,
        tls_server_name=str(cluster.get("tls-server-name") or ""),
        insecure_skip_tls_verify=bool(cluster.get("insecure-skip-tls-verify")),
        proxy_url=str(cluster.get("proxy-url") or ""),
    )


def _with_user(
    connection: Connection, user: Mapping[str, Any], folder: Path, where: str
) -> Connection:
    if "auth-provider" in user:
        raise StartupError(
            f"cannot use the kubeconfig {where}: auth-provider was removed from Kubernetes 1.26;"
            " use an exec plugin"
        )
    certificate, key = user.get("client-certificate"), user.get("client-key")
    token_file = user.get("tokenFile")
    return replace(
        connection,
        client_certificate_pem=_inline(user, "client-certificate-data", where),
        client_key_pem=_inline(user, "client-key-data", where),
        client_certificate_file=folder / certificate if certificate else None,
        client_key_file=folder / key if key else None,
        token=str(user.get("token") or ""),
        token_file=folder / token_file if token_file else None,
        username=str(user.get("username") or ""),
        password=str(user.get("password") or ""),
        exec_plugin=_exec_plugin(user.get("exec"), folder),
        impersonate_user=str(user.get("as") or ""),
        impersonate_groups=tuple(map(str, user.get("as-groups") or ())),
    )


def _exec_plugin(value: Any, folder: Path) -> ExecPlugin | None:
    if not isinstance(value, dict) or not value.get("command"):
        return None
    command = str(value["command"])
    if "/" in command and not Path(command).is_absolute():
        command = str(folder / command)
    return ExecPlugin(
        command=command,
        arguments=tuple(map(str, value.get("args") or ())),
        environment=tuple(
            (str(entry.get("name")), str(entry.get("value", "")))
            for entry in value.get("env") or ()
        ),
        api_version=str(value.get("apiVersion") or "client.authentication.k8s.io/v1"),
        provide_cluster_info=bool(value.get("provideClusterInfo")),
        install_hint=str(value.get("installHint") or ""),
    )


def _inline(section: Mapping[str, Any], name: str, where: str) -> bytes:
    text = section.get(name)
    if not text:
        return b""
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise StartupError(f"cannot use the kubeconfig {where}: {name} is no base64") from error
