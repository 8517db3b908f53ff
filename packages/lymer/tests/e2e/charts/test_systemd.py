"""deploy/systemd: units that systemd takes, settings that Lymer takes, files that they name."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lymer.config.sources import load_effective

FOLDER = Path(__file__).parents[5] / "deploy" / "systemd"
UNITS = sorted(path.name for path in FOLDER.glob("*.service"))
ROLES = ("all-in-one", "collector", "query", "agent")


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (Debian: systemd)"
)
def test_systemd_finds_nothing_in_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify`, with programs and users that this machine has."""
    assert len(UNITS) == 5
    for name in UNITS:
        text = (FOLDER / name).read_text()
        text = re.sub(r"/opt/\w+/bin/\w+", sys.executable, text)
        (tmp_path / name).write_text(re.sub(r"(?m)^(User|Group)=.*$", r"\1=root", text))
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    ours = [
        line for line in said.stderr.splitlines() if str(tmp_path) in line or ".service" in line
    ]
    assert ours == []


def test_units_start_what_there_is() -> None:
    """Each ExecStart is a role with its own file of settings."""
    for role in ROLES:
        name = "lymer.service" if role == "all-in-one" else f"lymer-{role}.service"
        text = (FOLDER / name).read_text()
        assert f"ExecStart=/opt/lymer/bin/lymer {role} --config /etc/lymer/{role}.yaml\n" in text
        state = re.search(r"StateDirectory=(\S+)", text)
        settings = yaml.safe_load((FOLDER / f"{role}.yaml").read_text())
        assert state
        if "storage" in settings:
            assert settings["storage"]["data_dir"] == f"/var/lib/{state[1]}"


def test_settings_name_files_that_certwright_makes(tmp_path: Path) -> None:
    """Every file of every role is there after one pass, and Lymer takes the settings."""
    folder = tmp_path / "certwright"
    folder.mkdir()
    shutil.copy(FOLDER / "certificates.yaml", folder)
    done = subprocess.run(
        [sys.executable, "-m", "certwright", "standalone", str(folder), "--once"],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-2000:]

    for role in ROLES:
        text = (FOLDER / f"{role}.yaml").read_text().replace("/etc/certwright", str(folder))
        for named in re.findall(rf"{re.escape(str(folder))}\S+", text):
            assert Path(named).is_file(), f"{role}.yaml names {named}"
        file = tmp_path / f"{role}.yaml"
        file.write_text(text)
        load_effective(file, {"HOME": "/tmp"}, role=role)
