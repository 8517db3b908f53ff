"""BIND, a real name server that takes dynamic updates."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from certwright import clock
from certwright_testing.pebble import free_port

__all__ = ["TSIG_KEY", "Bind", "missing_bind"]

TSIG_KEY: Final = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ="
START_SECONDS_MAX: Final = 20.0
_ALGORITHMS: Final = ("md5", "sha1", "sha256", "sha512")


def missing_bind() -> str:
    """Return why there can be no BIND here; empty if there can."""
    return "" if shutil.which("named") else "no named: install the Debian package bind9"


@dataclass(slots=True)
class Bind:
    """A name server with zones that the keys `hmac-md5` ... may change. A context: ends it."""

    folder: Path
    zones: dict[str, str] = field(default_factory=lambda: {"example.com": ""})
    """Zone → lines of its file, besides SOA, NS and an address for every name."""
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        keys = "".join(
            f'key "hmac-{name}" {{ algorithm hmac-{name}; secret "{TSIG_KEY}"; }};\n'
            for name in _ALGORITHMS
        )
        grants = " ".join(f'key "hmac-{name}";' for name in _ALGORITHMS)
        zones = ""
        for name, lines in self.zones.items():
            path = self.folder / f"{name}.zone"
            path.write_text(
                f"$ORIGIN {name}.\n$TTL 1\n@ IN SOA localhost. admin.{name}. 1 60 60 600 1\n"
                f"@ IN NS localhost.\n@ IN A 127.0.0.1\n* IN A 127.0.0.1\n{lines}\n"
            )
            zones += (
                f'zone "{name}" {{ type master; file "{path}"; allow-update {{ {grants} }}; }};\n'
            )
        (self.folder / "named.conf").write_text(
            f'options {{ directory "{self.folder}"; pid-file "{self.folder}/named.pid"; '
            f'session-keyfile "{self.folder}/session.key"; lock-file none; '
            f"listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; "
            "recursion no; dnssec-validation no; allow-query { any; }; notify no; };\n"
            f"controls {{ }};\n{keys}{zones}"
        )
        with (self.folder / "named.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["named", "-g", "-n", "1", "-c", str(self.folder / "named.conf")],
                stdout=log,
                stderr=log,
            )
        deadline = clock.monotonic_seconds() + START_SECONDS_MAX
        while not self._answers():
            assert clock.monotonic_seconds() < deadline, (self.folder / "named.log").read_text()
            time.sleep(0.05)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def texts(self, name: str) -> list[str]:
        """Return the TXT records of a name."""
        query = dns.message.make_query(name, "TXT")
        answer = dns.query.udp(query, "127.0.0.1", port=self.port, timeout=5)
        return sorted(
            b"".join(item.strings).decode()
            for found in answer.answer
            if found.rdtype == dns.rdatatype.TXT
            for item in found
        )

    def _answers(self) -> bool:
        query = dns.message.make_query(next(iter(self.zones)), "SOA")
        try:
            answer = dns.query.udp(query, "127.0.0.1", port=self.port, timeout=1)
        except (dns.exception.DNSException, OSError):
            return False
        return bool(answer.answer)
