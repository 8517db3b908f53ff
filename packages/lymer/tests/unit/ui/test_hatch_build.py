"""The build hook knows when the UI is stale and what is installed."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HOOK = Path(__file__).parents[3] / "hatch_build.py"


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """The hook as a module; it needs hatchling, which only builds install."""
    pytest.importorskip(
        "hatchling", reason="hatchling is not installed: the build hook is untested"
    )
    spec = spec_from_file_location("hatch_build", HOOK)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["hatch_build"] = module
    spec.loader.exec_module(module)
    return module


def make_source(folder: Path) -> Path:
    """Write a UI of two files and a lock of one package per kind."""
    source = folder / "ui"
    (source / "src").mkdir(parents=True)
    (source / "src" / "main.ts").write_text("main")
    packages = {
        "": {"name": "lymer-ui"},
        "node_modules/vite": {"version": "8.0.0"},
        "node_modules/vitest": {"version": "5.0.0", "dev": True},
        "node_modules/other-platform": {"version": "1.0.0", "optional": True},
    }
    (source / "package-lock.json").write_text(json.dumps({"packages": packages}))
    return source


def make_hook(hook: ModuleType, root: Path) -> Any:
    """Make the hook as hatchling does."""
    return hook.UiBuildHook(str(root), {}, None, None, str(root), "wheel")


def install_vite(source: Path, version: str) -> None:
    """Pretend that npm installed vite."""
    package = source / "node_modules" / "vite"
    package.mkdir(parents=True, exist_ok=True)
    (package / "package.json").write_text(json.dumps({"version": version}))


def test_the_hash_follows_what_is_written(hook: ModuleType, tmp_path: Path) -> None:
    """Any change of a name or a content changes it; what is made does not."""
    source = make_source(tmp_path)
    before = hook.source_hash(source)
    install_vite(source, "8.0.0")
    after_install = hook.source_hash(source)
    (source / "src" / "main.ts").write_text("other")
    after_edit = hook.source_hash(source)
    (source / "src" / "main.ts").rename(source / "src" / "start.ts")
    after_rename = hook.source_hash(source)

    assert after_install == before
    assert len({before, after_edit, after_rename}) == 3


def test_only_what_a_build_needs_must_be_installed(hook: ModuleType, tmp_path: Path) -> None:
    """Test tools and other platforms' packages may be missing; a wrong version may not."""
    source = make_source(tmp_path)
    empty = hook.installed(source)
    install_vite(source, "7.0.0")
    old = hook.installed(source)
    install_vite(source, "8.0.0")

    assert (empty, old, hook.installed(source)) == (False, False, True)


def test_a_fresh_build_asks_for_no_node(hook: ModuleType, tmp_path: Path) -> None:
    """The stamp decides: with it nothing is needed, after an edit Node is."""
    source = make_source(tmp_path)
    dist = tmp_path / "src" / "lymer" / "ui" / "dist"
    dist.mkdir(parents=True)
    (dist / "index.html").write_text("page")
    (dist / ".stamp").write_text(hook.source_hash(source))
    build = make_hook(hook, tmp_path)
    fresh = build.dependencies()
    build.initialize("standard", {})
    (source / "src" / "main.ts").write_text("edited")

    assert fresh == []
    assert build.dependencies() in ([hook.NODE_PACKAGE], [])
    assert (build.dependencies() == []) == (not hook.wheel_exists())


def test_without_ui_on_request(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LYMER_SKIP_UI=1 needs no Node and makes no page; 0 means the same as unset."""
    make_source(tmp_path)
    build = make_hook(hook, tmp_path)
    monkeypatch.setenv("LYMER_SKIP_UI", "1")
    build.initialize("standard", {})
    skipped = build.dependencies()
    monkeypatch.setenv("LYMER_SKIP_UI", "0")

    assert skipped == []
    assert (build.dependencies() == []) == (not hook.wheel_exists())


def test_the_lock_names_no_address() -> None:
    """Where packages come from is each machine's setting, not the repository's."""
    lock = json.loads((HOOK.parent / "ui" / "package-lock.json").read_text(encoding="utf-8"))

    assert lock["packages"]
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    assert "http" not in json.dumps(lock)
