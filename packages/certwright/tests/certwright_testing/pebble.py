"""Pebble, a real ACME server that validates for real, with its name server for tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from certwright import clock

__all__ = ["EAB_KEY", "Pebble", "free_port", "missing_pebble", "write_certificate"]

START_SECONDS_MAX: Final = 90.0
EAB_KEY: Final = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
"""Of the external account `kid-1`, base64url."""


def missing_pebble() -> str:
    """Return why there can be no Pebble here; empty if there can."""
    absent = [name for name in ("pebble", "pebble-challtestsrv") if not shutil.which(name)]
    return f"no {' and no '.join(absent)}: install the Debian package pebble" if absent else ""


def free_port() -> int:
    """Return a port of the loopback nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@dataclass(slots=True)
class Pebble:
    """A CA and the name server it asks. A context: ends them."""

    folder: Path
    needs_binding: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    """Settings such as PEBBLE_WFE_NONCEREJECT."""
    dns_server: str = ""
    """HOST:PORT that the CA asks; empty for its own test server."""
    binary: str = field(default_factory=lambda: os.environ.get("CERTWRIGHT_PEBBLE", "pebble"))
    """The CA's program: newer versions than Debian's know more."""
    profiles: dict[str, Any] = field(default_factory=dict)
    """Profiles by name, for versions that have them."""
    http_port: int = field(default_factory=free_port)
    """Where the CA looks for HTTP-01 answers."""
    port: int = field(default_factory=free_port)
    management_port: int = field(default_factory=free_port)
    dns_port: int = field(default_factory=free_port)
    dns_management_port: int = field(default_factory=free_port)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Of the directory."""
        return f"https://127.0.0.1:{self.port}/dir"

    @property
    def ca_pem(self) -> bytes:
        """Whom to trust for the server's own certificate."""
        return (self.folder / "pebble.pem").read_bytes()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_certificate(self.folder)
        configuration: dict[str, Any] = {
            "pebble": {
                "listenAddress": f"127.0.0.1:{self.port}",
                "managementListenAddress": f"127.0.0.1:{self.management_port}",
                "certificate": str(self.folder / "pebble.pem"),
                "privateKey": str(self.folder / "pebble.key"),
                "httpPort": self.http_port,
                "tlsPort": free_port(),
                "ocspResponderURL": "",
                "externalAccountBindingRequired": self.needs_binding,
                "externalAccountMACKeys": {"kid-1": EAB_KEY},
            }
        }
        if self.profiles:
            configuration["pebble"]["profiles"] = self.profiles
        (self.folder / "pebble.json").write_text(json.dumps(configuration))
        self._start(
            "pebble-challtestsrv",
            "-dns01",
            f"127.0.0.1:{self.dns_port}",
            "-management",
            f"127.0.0.1:{self.dns_management_port}",
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-defaultIPv6",
            "",
        )
        self.start_ca()
        return self

    def start_ca(self) -> None:
        """Start the CA, which knows nothing of what was before."""
        self._start(
            self.binary,
            "-config",
            str(self.folder / "pebble.json"),
            "-dnsserver",
            self.dns_server or f"127.0.0.1:{self.dns_port}",
        )
        _until(self._answers, "Pebble answers")

    def stop_ca(self) -> None:
        """End the CA."""
        _end(self._processes.pop())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._processes:
            _end(self._processes.pop())

    def manage_dns(self, what: str, body: dict[str, Any]) -> None:
        """Tell the name server something, such as `set-txt`."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.dns_management_port}/{what}",
            data=json.dumps(body).encode(),
            method="POST",
        )
        urllib.request.urlopen(request, timeout=5).read()

    def root_pem(self) -> bytes:
        """Return the root of what the CA issues."""
        return self.managed("roots/0")

    def managed(self, path: str) -> bytes:
        """Return what the management interface says."""
        context = ssl.create_default_context(cafile=str(self.folder / "pebble.pem"))
        url = f"https://127.0.0.1:{self.management_port}/{path}"
        with urllib.request.urlopen(url, context=context, timeout=5) as answer:
            body: bytes = answer.read()
        return body

    def log(self) -> str:
        """Return what the CA logged."""
        return (self.folder / "pebble.log").read_text(errors="replace")

    def orders(self) -> int:
        """Return how many orders were made since the CA was first started."""
        return self.log().count("Added order ")

    def _answers(self) -> bool:
        try:
            self.managed("roots/0")
        except (urllib.error.URLError, OSError):
            return False
        return True

    def _start(self, name: str, *arguments: str) -> None:
        environment = {
            **os.environ,
            "PEBBLE_VA_NOSLEEP": "1",
            "PEBBLE_WFE_ORDERS_PER_PAGE": "15",
            **self.environment,
        }
        with (self.folder / f"{Path(name).name}.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen([name, *arguments], stdout=log, stderr=log, env=environment)
            )


def _until(is_so: Callable[[], bool], what: str) -> None:
    deadline = clock.monotonic_seconds() + START_SECONDS_MAX
    while not is_so():
        assert clock.monotonic_seconds() < deadline, f"not within {START_SECONDS_MAX:g} s: {what}"
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def write_certificate(folder: Path) -> None:
    """Write `pebble.pem` and `pebble.key`: a server for the loopback."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pebble for tests")])
    now = clock.now()
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "pebble.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "pebble.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
