"""An installation without what is not needed: the demo's extra, and what only metadata asks for.

Everything works but `lymer demo`, which says why.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import lymer

_UNUSED = {"pandas", "pyarrow", "dateutil", "tzdata"}
"""`tools/setup.sh` leaves them out."""
_SOURCE = Path(lymer.__file__).parent


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what is installed here, of OpenTelemetry its messages only, as a `PYTHONPATH`."""
    folder = tmp_path_factory.mktemp("packages")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if entry.name in _UNUSED:
            continue
        if entry.name != "opentelemetry":
            (folder / entry.name).symlink_to(entry)
        else:
            (folder / "opentelemetry").mkdir()
            (folder / "opentelemetry" / "proto").symlink_to(entry / "proto")
    return f"{folder}:{_SOURCE.parent}"


def _run(packages: str, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": packages},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_demo_says_which_command_installs_what_it_needs(packages: str) -> None:
    """In one sentence, before anything is started."""
    done = _run(packages, "from lymer.cli import main; main(['demo'])")

    assert done.returncode == 1
    assert "opentelemetry.sdk" in done.stderr
    assert f"{sys.executable} -m pip install 'lymer[demo]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_else_needs_the_sdk(packages: str) -> None:
    """Every module but the demo's is imported."""
    modules = [
        ".".join(["lymer", *file.relative_to(_SOURCE).with_suffix("").parts])
        for file in _SOURCE.rglob("*.py")
        if file.relative_to(_SOURCE).parts[0] not in {"demo", "__main__.py"}
    ]
    names = [name.removesuffix(".__init__") for name in modules]
    done = _run(packages, f"import importlib\nfor name in {names!r}: importlib.import_module(name)")

    assert done.returncode == 0, done.stderr
    assert len(names) > 200


def test_the_engine_needs_no_data_frames(packages: str, tmp_path: Path) -> None:
    """It stores and answers without pandas and pyarrow, which chdb-core's metadata wants."""
    code = f"""
from pathlib import Path
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
engine = ChdbEngine(Path({str(tmp_path / "store")!r}), memory_bytes_max=2**29)
engine.command("db", "CREATE DATABASE {{db}}")
engine.command("db", "CREATE TABLE {{db}}.t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
engine.command("db", "INSERT INTO {{db}}.t SELECT number, toString(number) FROM numbers(1000)")
print(engine.select("db", "SELECT {{mark}}, a, b FROM {{db}}.t WHERE a > 997 ORDER BY a", 2))
engine.close()
import sys
assert not {{"pandas", "pyarrow"}} & sys.modules.keys()
"""
    done = _run(packages, code)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[[998, 999], [b'998', b'999']]"


def test_what_is_pinned_is_what_is_installed() -> None:
    """The pins are installed as they stand, so they must be whole, and no more than that."""
    pins = (Path(__file__).parents[4] / "requirements" / "runtime.txt").read_text("utf-8")
    names = set(re.findall(r"^([a-z0-9-]+)==", pins, re.MULTILINE))

    assert not {"pandas", "pyarrow", "python-dateutil", "tzdata"} & names
    for name in names:
        needs = [Requirement(need) for need in metadata.requires(name) or ()]
        missing = {_name(need) for need in needs if _is_for_us(need)} - names
        assert missing <= {"pandas", "pyarrow"}, name


def _name(requirement: Requirement) -> str:
    return re.sub(r"[-_.]+", "-", requirement.name).lower()


def _is_for_us(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})
