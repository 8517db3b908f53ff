"""Looks for what would keep a role from working at 3 a.m.: one finding a line, with its remedy.

Reads the settings as the role would, and touches nothing: a port is bound and let go, a target is
called and left.
"""

from __future__ import annotations

import ctypes
import os
import re
import resource
import shutil
import socket
import ssl
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from lymer import clock
from lymer.config.settings import Config
from lymer.errors import StartupError
from lymer.transport.pem import first_certificate_end
from lymer.transport.watched_files import read_file

__all__ = ["Finding", "examine"]

_DAY_SECONDS: Final = 86_400
_DAYS_LEFT_MIN: Final = 7
_SPAN_BYTES: Final = 55
"""What a stored span takes, indexes included (docs/operations.md)."""
_CERTIFICATE: Final = re.compile(
    rb"-----BEGIN [A-Z0-9 ]*CERTIFICATE-----.+?-----END [A-Z0-9 ]*CERTIFICATE-----", re.DOTALL
)
_FREE_BYTES_MIN: Final = 1 << 30
_FILES_MIN: Final = 4096
_NETWORK_FILE_SYSTEMS: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"})
_BESIDE_ENGINE_BYTES: Final = 350 << 20
_CALL_SECONDS: Final = 3.0

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    subject: str
    text: str
    """What is so, and after `: ` what to do, unless all is well."""


def examine(config: Config, role: str) -> Iterator[Finding]:
    """Yield what there is to say about a role with these settings on this machine."""
    running = _is_running(config, role)
    yield from _ports(config, role, running=running)
    yield from _certificates(config, role)
    if role == "agent":
        for target in filter(None, map(str.strip, config.agent.targets.split(","))):
            yield from _target("agent.targets", target, config.agent.tls)
        if not config.agent.targets:
            yield Finding("problem", "agent.targets", "empty: name a collector, HOST:4317")
    if role != "agent" and config.storage.clickhouse_url:
        yield from _servers(config)
    elif role == "query":
        remote = config.remote_storage
        yield from _target("remote_storage.target", remote.target, remote.tls)
    if role == "ingester" or (role == "collector" and config.kafka.enabled):
        for broker in config.kafka.brokers.split(","):
            yield from _target("kafka.brokers", broker, config.kafka.tls)
    if role != "query":
        yield from _disk(config, role, running=running)
    yield from _machine(config, role)


# ------------------------------------------------------------------------------ ports


def _listeners(config: Config, role: str) -> Iterator[tuple[str, Any]]:
    groups = {
        "agent": ("receivers", "sampling.http", "admin"),
        "collector": (
            "receivers", "sampling.http", "sampling.grpc", "storage_api", "admin", "health",
        ),
        "ingester": ("storage_api", "admin", "health"),
        "query": ("query", "query.grpc", "admin"),
        "all-in-one": (
            "receivers", "query", "query.grpc", "sampling.http", "sampling.grpc", "storage_api",
            "admin", "health",
        ),
    }[role]  # fmt: skip
    for path in groups:
        found: Any = config
        for name in path.split("."):
            found = getattr(found, name)
        several = path == "receivers"
        places = [(f"{path}.{name}", getattr(found, name)) for name in _names(found)]
        for name, place in places if several else [(path, found)]:
            if hasattr(place, "port") and getattr(place, "enabled", True):
                yield name, place


def _names(settings: Any) -> Iterator[str]:
    yield from type(settings).__dataclass_fields__


def _is_running(config: Config, role: str) -> bool:
    place = config.health if role in {"all-in-one", "collector"} else config.admin
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((_local(place.host), place.port)) == 0


def _local(host: str) -> str:
    return "127.0.0.1" if host in {"0.0.0.0", "::", "localhost"} else host  # noqa: S104


def _ports(config: Config, role: str, *, running: bool) -> Iterator[Finding]:
    taken = []
    for path, place in _listeners(config, role):
        kind = socket.SOCK_DGRAM if "udp" in path else socket.SOCK_STREAM
        with socket.socket(type=kind) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind((_local(place.host), place.port))
            except OSError as error:
                taken.append((path, place.port, error.strerror))
    if not taken:
        yield Finding("ok", "ports", "all are free")
    elif running:
        yield Finding("ok", "ports", f"{len(taken)} are in use, and a lymer {role} answers")
    else:
        for path, port, why in taken:
            why = f"port {port} cannot be had ({why}): end who has it (ss -tulpn), or change it"  # noqa: PLW2901
            yield Finding("problem", path, why)


# ------------------------------------------------------------------------------ certificates


def _certificates(config: Config, role: str) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    shared = config.tls
    groups = [("tls", shared), *((f"{p}.tls", s.tls) for p, s in _listeners(config, role)
              if hasattr(s, "tls"))]  # fmt: skip
    if role == "agent":
        groups.append(("agent.tls", config.agent.tls))
    if role == "query":
        groups.append(("remote_storage.tls", config.remote_storage.tls))
    for path, settings in groups:
        files = (str(settings.cert_file or ""), str(settings.key_file or ""))
        if not files[0] or files in seen:
            continue
        seen.add(files)
        yield _pair(path, *files)
    for path, settings in groups:
        for name in ("ca_file", "client_ca_file"):
            file = str(getattr(settings, name, None) or "")
            if file and (file, "") not in seen:
                seen.add((file, ""))
                yield from _authorities(f"{path}.{name}", file)
    if not seen and role != "query" and config.listen_host not in {"localhost", "127.0.0.1", "::1"}:
        yield Finding(
            "warning",
            "tls",
            f"listens on {config.listen_host} in plain text: set tls.cert_file and tls.key_file, "
            "or keep strangers away by the network",
        )


def _pair(path: str, cert_file: str, key_file: str) -> Finding:
    try:
        # Those that signed it stand behind it, and one that has ended is as bad.
        end = min(_ends(cert_file, "cert_file"))
        read_file(Path(key_file), "key_file")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert_file, key_file)
    except (OSError, ValueError, StartupError) as error:
        why = f"{cert_file} with {key_file}: {error}: give a pair that fits"
        return Finding("problem", path, why)
    days = (end.timestamp() - clock.unix_nano() / 1e9) / _DAY_SECONDS
    if days <= 0:
        why = f"{cert_file} has ended: renew it (certwright ctl renew), no restart is needed"
        return Finding("problem", path, why)
    if days < _DAYS_LEFT_MIN:
        why = f"{cert_file} ends in {days:.1f} days: find out why it was not renewed"
        return Finding("warning", path, f"{why} (certwright doctor)")
    return Finding("ok", path, f"{cert_file} is valid for {days:.0f} days more")


def _authorities(path: str, file: str) -> Iterator[Finding]:
    """Yield what is wrong with certificates that others are trusted by."""
    try:
        last = max(_ends(file, "ca_file"))
    except (OSError, ValueError, StartupError) as error:
        yield Finding("problem", path, f"{file}: {error}: give certificates in PEM")
        return
    days = (last.timestamp() - clock.unix_nano() / 1e9) / _DAY_SECONDS
    if days <= 0:
        why = f"every CA in {file} has ended: renew it, then what it signed (certwright ctl renew)"
        yield Finding("problem", path, why)
    elif days < _DAYS_LEFT_MIN:
        why = f"the last CA in {file} ends in {days:.1f} days: renew it (certwright doctor)"
        yield Finding("warning", path, why)


def _ends(file: str, setting: str) -> list[datetime]:
    """Return when each certificate of a file ends."""
    content = read_file(Path(file), setting)
    return [first_certificate_end(one) for one in _CERTIFICATE.findall(content) or [content]]


# ------------------------------------------------------------------------------ targets


def _target(path: str, target: str, tls: Any) -> Iterator[Finding]:
    host, _, port = target.removeprefix("dns:///").rpartition(":")
    host = host.strip("[]")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        why = f"{host} is not known ({error}): correct the name, or the machine's name servers"
        yield Finding("problem", path, why)
        return
    address = (str(found[0][4][0]), int(found[0][4][1]))
    try:
        for file in filter(None, (tls.ca_file, tls.cert_file, tls.key_file)):
            read_file(Path(file), f"{path}: tls")
        with socket.create_connection(address, timeout=_CALL_SECONDS) as connection:
            if not tls.enabled:
                yield Finding("ok", path, f"{target} takes connections")
                return
            context = ssl.create_default_context(cafile=str(tls.ca_file) if tls.ca_file else None)
            if tls.cert_file:
                context.load_cert_chain(str(tls.cert_file), str(tls.key_file))
            if tls.insecure_skip_verify:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            with context.wrap_socket(
                connection, server_hostname=tls.server_name or host
            ) as secured:
                secured.settimeout(_CALL_SECONDS)
                # With TLS 1.3 a server says only now what it thinks of our certificate.
                secured.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
                if not secured.recv(1):
                    raise ConnectionResetError("it hung up: does it want a certificate of ours?")
    except ssl.SSLError as error:
        said = getattr(error, "verify_message", "") or error.reason or str(error)
        why = f"TLS with {target} fails ({said}): compare CA, certificate and name with {path}"
        yield Finding("problem", path, why)
    except OSError as error:
        why = f"{target} does not answer ({error}): does it run, does a firewall forbid it?"
        yield Finding("problem", path, why)
    else:
        yield Finding(
            "ok", path, f"{target} takes connections" + (" over TLS" if tls.enabled else "")
        )


def _servers(config: Config) -> Iterator[Finding]:
    """Yield whether ClickHouse servers are there; what they hold is not looked at."""
    settings = config.storage
    authority = settings.clickhouse_ca_file
    for url in filter(None, map(str.strip, settings.clickhouse_url.split(","))):
        try:
            context = ssl.create_default_context(cafile=str(authority) if authority else None)
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
            )
            with opener.open(f"{url.rstrip('/')}/ping", timeout=_CALL_SECONDS):
                pass
        except (OSError, ValueError) as error:
            why = f"{url} does not answer ({error}): correct the URL, start the server, or name"
            yield Finding(
                "problem", "storage.clickhouse_url", f"{why} its CA in storage.clickhouse_ca_file"
            )
        else:
            yield Finding("ok", "storage.clickhouse_url", f"{url} answers")


# ------------------------------------------------------------------------------ disk


def _disk(config: Config, role: str, *, running: bool) -> Iterator[Finding]:
    folder = Path(config.storage.data_dir)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=there):
            pass
    except OSError as error:
        why = f"{there} cannot be written by uid {os.getuid()} ({error.strerror})"
        remedy = "chown it, or --data-dir (Kubernetes: fsGroup)"
        yield Finding("problem", "storage.data_dir", f"{why}: {remedy}")
    kind = _file_system(there)
    if kind in _NETWORK_FILE_SYSTEMS:
        why = f"{there} is on {kind}, which weakens fsync and locks: use a local or block disk"
        yield Finding("problem", "storage.data_dir", why)
    free = shutil.disk_usage(there).free
    stores = role != "agent" and not config.storage.clickhouse_url
    if free < _FREE_BYTES_MIN:
        why = f"{there} has {free >> 20} MiB left: free space"
        why += ", or shorten storage.retention_seconds" if stores else ""
        yield Finding("problem", "disk", why)
    # What has no store here has a journal: an agent, and a collector on a ClickHouse server.
    if not stores:
        limit = config.journal.backlog_bytes_max
        text = f"{free >> 20} MiB are left, the buffer may take {limit >> 20}"
        if free < limit:
            yield Finding("warning", "disk", f"{text}: lower journal.backlog_bytes_max")
        else:
            yield Finding("ok", "disk", text)
        return
    days = config.storage.retention_seconds / _DAY_SECONDS
    rate = _rate(config) if running else None
    if rate is None:
        if free >= _FREE_BYTES_MIN:
            yield Finding("ok", "disk", f"{free >> 30} GiB are left; {days:.0f} days are kept")
        return
    needed = rate * config.storage.retention_seconds * _SPAN_BYTES
    used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    text = f"{rate:.0f} spans/s for {days:.0f} days need {needed / 2**30:.1f} GiB"
    if needed > free + used:
        why = f"{text}, there are {(free + used) / 2**30:.1f}: a larger disk, or less retention"
        yield Finding("problem", "disk", why)
    else:
        yield Finding("ok", "disk", f"{text}, there are {(free + used) / 2**30:.1f}")


def _file_system(folder: Path) -> str:
    best, kind = "", ""
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in mounts:
        _, place, name, *_ = line.split(" ")
        if (f"{folder}/").startswith(f"{place.rstrip('/')}/") and len(place) > len(best):
            best, kind = place, name
    return kind


def _rate(config: Config) -> float | None:
    """Return spans a second since the start of the process that runs."""
    scheme = "https" if config.tls.cert_file and config.admin.tls.enabled else "http"
    url = f"{scheme}://{_local(config.admin.host)}:{config.admin.port}/metrics"
    context = ssl._create_unverified_context()  # noqa: S323, SLF001 - it is this machine
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(url, timeout=_CALL_SECONDS) as answer:
            lines = answer.read().decode().splitlines()
    except (OSError, ValueError):
        return None
    values = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    started = float(values.get("process_start_time_seconds", 0))
    age = clock.unix_nano() / 1e9 - started
    if not started or age <= 0:
        return None
    return float(values.get("lymer_store_spans_total", 0)) / age


# ------------------------------------------------------------------------------ machine


def _machine(config: Config, role: str) -> Iterator[Finding]:
    synchronized = _clock_is_synchronized()
    if synchronized is False:
        why = "the kernel says that this clock is not synchronized: start chrony or timesyncd"
        yield Finding("warning", "clock", f"{why}, or spans of two machines lie beside each other")
    elif synchronized:
        yield Finding("ok", "clock", "is synchronized")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < _FILES_MIN:
        why = f"{files} open files are allowed: ulimit -n {_FILES_MIN} (systemd: LimitNOFILE)"
        yield Finding("warning", "files", why)
    limit = _memory_limit_bytes()
    stores = role in {"all-in-one", "collector", "ingester"}
    if stores and limit and not config.storage.clickhouse_url:
        needed = config.storage.memory_bytes_max + _BESIDE_ENGINE_BYTES
        if limit < needed:
            why = f"the limit is {limit >> 20} MiB, needed are {needed >> 20}"
            yield Finding(
                "problem", "memory", f"{why}: raise the limit, or lower storage.memory_bytes_max"
            )
        else:
            yield Finding("ok", "memory", f"limit {limit >> 20} MiB, needed {needed >> 20}")


def _clock_is_synchronized() -> bool | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        state = int(libc.adjtimex(ctypes.create_string_buffer(512)))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != 5  # TIME_ERROR


def _memory_limit_bytes() -> int:
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text("ascii").strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < 1 << 60:
            return int(text)
    return 0
