"""A `certwright standalone` process, and what a reader finds in its folder."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from certwright import clock
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.pki.key_pair import check_key_pair

__all__ = ["CA_YAML", "Standalone", "leaf_of", "leaf_yaml", "run_certwright", "wait_until"]

WAIT_SECONDS_MAX: Final = 30.0

CA_YAML: Final = """\
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: self-signed}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: ca}
spec:
  isCA: true
  commonName: Test CA
  secretName: ca
  privateKey: {algorithm: ECDSA}
  issuerRef: {name: self-signed}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: ca}
spec: {ca: {secretName: ca}}
"""


def leaf_yaml(name: str, more: str = "", algorithm: str = "ECDSA") -> str:
    """Return a Certificate of the CA for `NAME.example`; `more` are lines of its spec."""
    return (
        f"apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {{name: {name}}}\nspec:\n"
        f"  dnsNames: [{name}.example]\n  secretName: {name}\n  issuerRef: {{name: ca}}\n"
        f"{more or f'  privateKey: {{algorithm: {algorithm}}}'}\n"
    )


def run_certwright(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "certwright", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        cwd=cwd,
    )


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Look again and again until it is so."""
    deadline = clock.monotonic_seconds() + WAIT_SECONDS_MAX
    while not is_so():
        assert clock.monotonic_seconds() < deadline, f"not within {WAIT_SECONDS_MAX:g} s: {what}"
        time.sleep(0.05)


def leaf_of(folder: Path, name: str, namespace: str = "default") -> DecodedCertificate | None:
    """Return the certificate that is shown, after a check that its key is shown with it.

    Reads as a careful program does: resolves `..data` once.
    """
    shown = folder / "secrets" / namespace / name
    try:
        version = shown / (shown / "..data").readlink()
        certificate, key = (version / "tls.crt").read_bytes(), (version / "tls.key").read_bytes()
    except FileNotFoundError:
        return None
    assert check_key_pair(certificate, key) == ""
    return decode_certificates(certificate)[0]


@dataclass(slots=True)
class Standalone:
    """A process that serves a folder. A context: ends it."""

    folder: Path
    arguments: tuple[str, ...] = ()
    log: Path = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.log = self.folder.parent / f"{self.folder.name}.log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end(signal.SIGKILL)
        if error is not None:
            words = self.log.read_text()[-4000:]
            sys.stderr.write(f"{self.folder} is kept; the end of its log:\n{words}\n")

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "certwright",
                    "standalone",
                    str(self.folder),
                    *self.arguments,
                ],
                stderr=log,
                stdout=log,
            )

    def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(20)

    def write(self, name: str, text: str) -> None:
        """Write a file as an editor does."""
        temporary = self.folder / f".{name}.tmp"
        temporary.write_text(text)
        temporary.replace(self.folder / name)

    def leaf(self, name: str) -> DecodedCertificate | None:
        """Return the certificate that is shown."""
        return leaf_of(self.folder, name)

    def wait_for(
        self, name: str, *, other_than: DecodedCertificate | None = None
    ) -> DecodedCertificate:
        """Wait until a certificate is shown, or another one."""
        found: list[DecodedCertificate] = []

        def is_shown() -> bool:
            leaf = self.leaf(name)
            if leaf is None or leaf == other_than:
                return False
            found.append(leaf)
            return True

        wait_until(is_shown, f"certificate {name}")
        return found[0]
