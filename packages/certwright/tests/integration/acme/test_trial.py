"""`certwright ctl try`: what a file asks for, issued in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from certwright.resources.kinds import Manifest
from certwright_testing.acme_cluster import acme_certificate, acme_issuer
from certwright_testing.pebble import Pebble, missing_pebble

pytestmark = pytest.mark.skipif(bool(missing_pebble()), reason=missing_pebble())
CA = """
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: self}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web}
spec:
  secretName: web
  dnsNames: [a.example]
  privateKey: {algorithm: ECDSA}
  issuerRef: {name: self}
"""


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Yield a CA that asks this machine for every name."""
    environment = {"PEBBLE_AUTHZREUSE": "0"}
    with Pebble(tmp_path_factory.mktemp("pebble"), environment=environment) as started:
        yield started


def run(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and all it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "certwright", "ctl", "try", *arguments],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder on which `standalone` has run."""
    made = tmp_path / "folder"
    made.mkdir()
    (made / "self.yaml").write_text(CA)
    command = [sys.executable, "-m", "certwright", "standalone", str(made), "--once"]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    return made


def written(path: Path, *objects: Manifest) -> str:
    """Write objects that name no namespace into a file; return its path."""
    for obj in objects:
        obj["metadata"].pop("namespace", None)
    path.write_text("---\n".join(yaml.safe_dump(obj) for obj in objects))
    return str(path)


def test_an_order_is_tried_at_another_server(pebble: Pebble, folder: Path, tmp_path: Path) -> None:
    """With challenges that are really answered; nothing of it is in the folder."""
    issuer = acme_issuer(pebble, solvers=[{"http01": {"ingress": {}}}])
    issuer["spec"]["acme"]["server"] = "https://acme-v02.api.letsencrypt.org/directory"
    file = written(tmp_path / "try.yaml", issuer, acme_certificate("new", "b.example.com"))
    arguments = (
        file,
        f"--dir={folder}",
        f"--acme-server={pebble.url}",
        f"--http01-listen=127.0.0.1:{pebble.http_port}",
        f"--http01-check-port={pebble.http_port}",
        f"--acme-http01-solver-nameservers=127.0.0.1:{pebble.dns_port}",
    )
    before = sorted(path.name for path in folder.rglob("*"))
    orders = pebble.orders()

    code, said = run(*arguments)
    assert code == 0, said
    assert said.startswith("new: ok: b.example.com, until ")
    assert pebble.orders() == orders + 1
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_what_would_not_work_is_said(folder: Path, tmp_path: Path) -> None:
    """Without a CA that is known to practise on; with an issuer that is not there."""
    lost = acme_certificate("new", "b.example.com")
    code, said = run(written(tmp_path / "lost.yaml", lost), f"--dir={folder}")
    assert code == 1
    assert "there is no Issuer default/acme" in said

    lost["spec"]["issuerRef"] = {"name": "self"}
    code, said = run(written(tmp_path / "self.yaml", lost), f"--dir={folder}")
    assert code == 0, said
    assert said.startswith("new: ok: b.example.com, until ")
