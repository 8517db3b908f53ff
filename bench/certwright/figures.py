"""One run's figures, and the line of the table they make."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

from certwright.pki.keys import generate_private_key

__all__ = ["HEADER", "Figures", "cpu_seconds_of", "key_cpu_seconds", "memory_mib_of"]

KEYS_MEASURED = {"RSA": 40, "ECDSA": 2000}
HEADER = (
    "| store | Certificates | keys | settled | CPU | a Certificate | of that keys | ratio"
    " | memory | idle CPU | writes, or passes, each |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured."""

    store: str
    certificates: int
    algorithm: str
    settled_seconds: float
    cpu_seconds: float
    key_cpu_seconds: float
    """CPU of one key, measured alone in the same run: the part nobody can save."""
    memory_mib: float
    idle_cpu_percent: float
    per_certificate: float
    """Writes for each Certificate in memory, passes of all loops on a cluster."""

    def line(self) -> str:
        """Return a line of the table."""
        each = self.cpu_seconds / self.certificates
        cells = (
            self.store,
            f"{self.certificates:,}",
            self.algorithm,
            f"{self.settled_seconds:.0f} s",
            f"{self.cpu_seconds:.0f} s",
            f"{each * 1000:.1f} ms",
            f"{self.key_cpu_seconds * 1000:.2f} ms",
            f"{each / self.key_cpu_seconds:.1f}",
            f"{self.memory_mib:.0f} MiB",
            f"{self.idle_cpu_percent:.2f} %",
            f"{self.per_certificate:.1f}",
        )
        return f"| {' | '.join(cells)} |"


def key_cpu_seconds(algorithm: str) -> float:
    """Return the CPU seconds of one new key, on average."""
    count = KEYS_MEASURED[algorithm]
    before = time.process_time()
    for _ in range(count):
        generate_private_key(algorithm, 0)
    return (time.process_time() - before) / count


def cpu_seconds_of(pid: int) -> float:
    """Return the CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib_of(pid: int) -> float:
    """Return the most memory a process has held, in MiB."""
    if pid == os.getpid():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"/proc/{pid}/status has no VmHWM")
