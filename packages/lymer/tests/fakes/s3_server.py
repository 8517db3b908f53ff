"""Object storage that speaks S3, on loopback: s3rver, from a package of npm."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import httpx
import pytest

from e2e.javascript import find_node
from e2e.lymer_process import NO_TLS, free_ports, poll

__all__ = ["S3Server"]

_FOLDER: Final = Path(__file__).parents[1] / "s3-server"
_READY_SECONDS_MAX: Final = 60.0
_BUCKET: Final = "bucket"


class S3Server:
    """One server with one bucket; it can be ended and started again with what it has."""

    key_id: Final = "S3RVER"
    secret: Final = "S3RVER"

    def __init__(self, folder: Path) -> None:
        """Start it."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (self._port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}/{_BUCKET}/lymer"
        self.start()

    def start(self) -> None:
        """Start it, and return when it answers."""
        node = find_node(_FOLDER)
        if node is None:
            pytest.skip("no Node.js: the S3 server comes from a package of npm")
        node.install_packages()
        self._process = subprocess.Popen(
            [
                str(node.node), "node_modules/s3rver/bin/s3rver.js", "--silent",
                "--directory", str(self._folder), "--address", "127.0.0.1",
                "--port", str(self._port), "--configure-bucket", _BUCKET,
            ],
            cwd=_FOLDER,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in poll(_READY_SECONDS_MAX):
            assert self._process.poll() is None, "the S3 server has ended"
            try:
                httpx.get(f"http://127.0.0.1:{self._port}/", verify=NO_TLS)
            except httpx.TransportError:
                continue
            return
        raise AssertionError("the S3 server did not start")

    @property
    def objects(self) -> int:
        """How many it keeps."""
        return sum(1 for _ in self._folder.glob(f"{_BUCKET}/**/*_S3rver_object"))

    def kill(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
