"""What Certificates by ACME cost: one standalone process before a real Pebble, HTTP-01 and all.

    python -m bench.certwright.by_acme --certificates 500

Prints one line; the figures are of the certwright process alone, read from /proc.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packages/certwright/tests"))

Pebble: Any = importlib.import_module("certwright_testing.pebble").Pebble

_SETTLE_SECONDS_MAX = 1800.0


def main() -> None:
    """Measure one run."""
    parser = argparse.ArgumentParser(prog="python -m bench.certwright.by_acme")
    parser.add_argument("--certificates", type=int, default=500, metavar="N")
    parser.add_argument("--idle-seconds", type=float, default=30.0, metavar="S")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "certs"
        environment = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "5"}
        with Pebble(Path(name) / "pebble", environment=environment) as pebble:
            _write(folder, pebble, options.certificates)
            print(_measure(folder, pebble, options.certificates, options.idle_seconds))


def _write(folder: Path, pebble: Any, count: int) -> None:
    folder.mkdir()
    bundle = base64.b64encode(pebble.ca_pem).decode()
    (folder / "issuer.yaml").write_text(
        "apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {name: acme}\nspec:\n  acme:\n"
        f"    server: {pebble.url}\n    caBundle: {bundle}\n"
        "    privateKeySecretRef: {name: account}\n    solvers: [{http01: {ingress: {}}}]\n"
    )
    wishes = (
        "apiVersion: cert-manager.io/v1\nkind: Certificate\n"
        f"metadata: {{name: web-{number}}}\nspec:\n  secretName: web-{number}\n"
        f"  dnsNames: [web-{number}.example.com]\n  privateKey: {{algorithm: ECDSA}}\n"
        "  issuerRef: {name: acme}\n"
        for number in range(count)
    )
    (folder / "wishes.yaml").write_text("---\n".join(wishes))


def _measure(folder: Path, pebble: Any, count: int, idle_seconds: float) -> str:
    begun = time.perf_counter()
    with (folder.parent / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "certwright", "standalone", str(folder)),
                *("--http01-listen", f"127.0.0.1:{pebble.http_port}"),
                *("--http01-check-port", str(pebble.http_port)),
                *("--acme-http01-solver-nameservers", f"127.0.0.1:{pebble.dns_port}"),
            ],
            stdout=log,
            stderr=log,
        )
    try:
        issued = folder / "secrets" / "default"
        while len(list(issued.glob("web-*/tls.crt"))) < count:
            if process.poll() is not None or time.perf_counter() - begun > _SETTLE_SECONDS_MAX:
                raise SystemExit((folder.parent / "log").read_text()[-2000:])
            time.sleep(0.5)
        settled = time.perf_counter() - begun
        used, memory = _cpu_seconds(process.pid), _memory_mib(process.pid)
        time.sleep(20)
        before = _cpu_seconds(process.pid)
        time.sleep(idle_seconds)
        idle = (_cpu_seconds(process.pid) - before) / idle_seconds
    finally:
        process.kill()
        process.wait()
    return (
        f"{count} Certificates, {pebble.orders()} orders at the CA: {settled:.0f} s, {used:.0f} s"
        f" of CPU, {1000 * used / count:.0f} ms each, at most {memory:.0f} MiB, idle"
        f" {100 * idle:.2f} % of a core"
    )


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


if __name__ == "__main__":
    main()
