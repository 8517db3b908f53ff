"""Jaeger's Cassandra as what `lymer migrate` reads: its address, and options named as Jaeger's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import click

from lymer.errors import StartupError

if TYPE_CHECKING:
    from lymer.files.jaeger_cassandra import CassandraOptions
    from lymer.files.migrating import Source

__all__ = ["cassandra_options", "cassandra_place", "is_cassandra", "open_cassandra_source"]

_Command = TypeVar("_Command", bound=Callable[..., Any])
_SCHEME: Final = "cassandra"
_SERVERS: Final = "127.0.0.1"
_PORT: Final = 9042
_KEYSPACE: Final = "jaeger_v1_dc1"
"""What Jaeger's script for the schema makes if nobody says otherwise."""
_FILE: Final = click.Path(path_type=Path, dir_okay=False, exists=True)

_OPTIONS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("servers", {"metavar": "HOST,...", "help": f"Default: {_SERVERS}."}),
    ("port", {"type": click.IntRange(1, 65_535), "help": f"Default: {_PORT}."}),
    ("keyspace", {"metavar": "NAME", "help": f"Default: {_KEYSPACE}."}),
    (
        "local-dc",
        {"metavar": "NAME", "help": "Ask all servers of this data center, not those named only."},
    ),
    (
        "consistency",
        {"default": "LOCAL_QUORUM", "show_default": True, "help": "How many replicas answer."},
    ),
    ("username", {"metavar": "NAME"}),
    ("password", {"metavar": "TEXT", "help": "Best given as CASSANDRA_PASSWORD."}),
    ("tls.enabled", {"is_flag": True, "help": "Use TLS; any of the next five does, too."}),
    ("tls.ca", {"type": _FILE, "help": "Whom to trust, PEM. Default: whom the system trusts."}),
    ("tls.cert", {"type": _FILE, "help": "Our certificate, PEM."}),
    ("tls.key", {"type": _FILE, "help": "Its private key, PEM."}),
    ("tls.server-name", {"metavar": "NAME", "help": "What the server's certificate is for."}),
    ("tls.skip-host-verify", {"is_flag": True, "help": "Trust any certificate."}),
)
"""By the names that Jaeger's flags have; so have the variables, such as CASSANDRA_LOCAL_DC.

Source: Jaeger v1.76 `internal/storage/v1/cassandra/options.go`, `internal/config/tlscfg/flags.go`.
"""
_TLS: Final = ("enabled", "ca", "cert", "key", "server_name", "skip_host_verify")


def cassandra_options(command: _Command) -> _Command:
    """Add the options; they reach the command as `cassandra_NAME`."""
    for name, how in reversed(_OPTIONS):
        flag = f"cassandra.{name}"
        variable = flag.replace(".", "_").replace("-", "_")
        added = click.option(f"--{flag}", variable, envvar=variable.upper(), **how)
        command = added(command)
    return command


def is_cassandra(source: str) -> bool:
    """Say whether that names a Cassandra."""
    return source.startswith(f"{_SCHEME}://")


def cassandra_place(source: str, given: Mapping[str, Any]) -> CassandraOptions:
    """Return where Jaeger's tables are: what stands in the address counts more than options.

    Args:
        source: `cassandra://[USER:PASSWORD@][HOST[:PORT],...][/KEYSPACE]`.
        given: Values of the options.

    Raises:
        StartupError: It is no such address.
    """
    from lymer.files.jaeger_cassandra import CassandraOptions
    from lymer.transport.tls_client import ClientTlsOptions

    parts = urlsplit(source)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    named = [one.strip() for one in (hosts or given["cassandra_servers"] or _SERVERS).split(",")]
    servers: list[str] = []
    ports: set[int] = set()
    for one in named:
        try:
            place = urlsplit(f"//{one}")
            servers.append(place.hostname or "")
            if place.port is not None:
                ports.add(place.port)
        except ValueError as error:
            raise StartupError(f'cannot read from "{source}": {error}') from error
    if not all(servers) or len(ports) > 1 or parts.query or parts.fragment:
        raise StartupError(
            f'cannot read from "{source}": an address is cassandra://HOST,HOST:9042/KEYSPACE, with '
            "one port for all hosts"
        )
    tls = {name: given[f"cassandra_tls_{name}"] for name in _TLS}
    return CassandraOptions(
        servers=tuple(servers),
        keyspace=unquote(parts.path.strip("/")) or given["cassandra_keyspace"] or _KEYSPACE,
        port=min(ports, default=given["cassandra_port"] or _PORT),
        username=unquote(user) or given["cassandra_username"] or "",
        password=unquote(password) or given["cassandra_password"] or "",
        local_dc=given["cassandra_local_dc"] or "",
        consistency=given["cassandra_consistency"],
        tls=ClientTlsOptions(
            ca_file=tls["ca"],
            cert_file=tls["cert"],
            key_file=tls["key"],
            server_name=tls["server_name"] or "",
            insecure_skip_verify=tls["skip_host_verify"],
            setting="cassandra.tls",
        )
        if any(tls.values())
        else None,
    )


@contextmanager
def open_cassandra_source(place: CassandraOptions) -> Iterator[Source]:
    """Yield the spans that Jaeger keeps there.

    Raises:
        StartupError: Nobody answers, or there are no such tables.
    """
    from lymer.files.jaeger_cassandra import JaegerCassandra

    with closing(JaegerCassandra(place)) as opened:
        yield opened
