"""Secrets for rendered Certificates, made by Certwright's standalone mode."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from fakes.chart import Objects

__all__ = ["Certificates"]


class Certificates:
    """An authority, and whatever is asked of it."""

    def __init__(self, folder: Path, issuer: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._write(
            "authority",
            [
                _object("ClusterIssuer", "self", {"selfSigned": {}}),
                _object("ClusterIssuer", issuer, {"ca": {"secretName": "authority"}}),
                _object(
                    "Certificate",
                    "authority",
                    {
                        "secretName": "authority",
                        "isCA": True,
                        "commonName": "authority",
                        "privateKey": {"algorithm": "ECDSA", "size": 256},
                        "issuerRef": {"name": "self", "kind": "ClusterIssuer"},
                    },
                ),
            ],
        )

    def ask(self, objects: Objects) -> None:
        """Want every Certificate among some objects, and wait for all."""
        wanted = [obj for (kind, _), obj in objects.items() if kind == "Certificate"]
        assert wanted
        self._write("wanted", wanted)
        self.work()

    def work(self, *arguments: str) -> None:
        """Let Certwright do what is due."""
        done = subprocess.run(
            [sys.executable, "-m", "certwright", "standalone", str(self.folder), "--once"]
            if not arguments
            else [sys.executable, "-m", "certwright", *arguments, "--dir", str(self.folder)],
            capture_output=True,
            check=False,
            timeout=60,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]

    def secrets(self, namespace: str) -> dict[str, dict[str, bytes]]:
        """Return the Secrets of a namespace by name."""
        return {
            path.name: {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}
            for path in (self.folder / "secrets" / namespace).iterdir()
            if path.is_dir() and (path / "tls.crt").exists()
        }

    def _write(self, name: str, objects: Iterable[dict[str, Any]]) -> None:
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump_all(objects))


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": "default"} if kind == "Certificate" else {})
    return {"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": metadata, "spec": spec}
