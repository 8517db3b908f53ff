"""deploy/images/sbom.py: the bill of materials names every package, and files of nobody stop it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import cyclonedx.schema
import jsonschema_rs
import pytest

from fakes.chart import CHART

SBOM = CHART.parents[1] / "deploy" / "images" / "sbom.py"

pytestmark = pytest.mark.skipif(
    shutil.which("dpkg-query") is None,
    reason="the images are Debian's: its package database is asked",
)


def write(root: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Run it as steps.sh does."""
    return subprocess.run(
        [sys.executable, str(SBOM), sys.prefix, str(root), str(out)],
        check=False,
        capture_output=True,
        text=True,
    )


def schema_of(folder: Path, name: str) -> dict[str, object]:
    """Return one of the schemas that CycloneDX's library brings."""
    return dict(json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text()))


def copy(root: Path, name: str) -> None:
    """Put a file of this machine where the image would have it."""
    (root / name[1:]).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(name, root / name[1:])


def test_each_package_is_named_once_with_its_version(tmp_path: Path) -> None:
    """Python's as this environment has them, Debian's as the database has them."""
    root, out = tmp_path / "root", tmp_path / "x.cdx.json"
    for name in ("/usr/bin/tar", "/usr/bin/find", "/usr/lib/os-release"):
        copy(root, name)
    made = write(root, out)
    assert made.returncode == 0, made.stderr
    document = json.loads(out.read_text())
    schemas = Path(cyclonedx.schema.__file__).parent / "_res"
    known = jsonschema_rs.Registry(
        [
            (f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", schema_of(schemas, name))
            for name in ("spdx", "jsf-0.82")
        ]
    )
    jsonschema_rs.validator_for(schema_of(schemas, "bom-1.6"), registry=known).validate(document)
    found = [(each["name"].lower(), each["version"]) for each in document["components"]]
    assert len(found) == len(set(found))
    installed = {(each.name.lower(), each.version) for each in metadata.distributions()}
    assert installed <= set(found)
    debian = [
        each["purl"]
        for each in document["components"]
        if each.get("purl", "").startswith("pkg:deb/")
    ]
    assert [purl.split("/")[2].split("@")[0] for purl in debian] == [
        "base-files",
        "findutils",
        "tar",
    ]
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "tar"], check=True, capture_output=True, text=True
    )
    assert f"tar@{asked.stdout}?" in debian[-1]


def test_a_file_of_nobody_is_told(tmp_path: Path) -> None:
    """What came into the image by another way than a package would be missing from the list."""
    root = tmp_path / "root"
    copy(root, "/usr/bin/tar")
    (root / "usr" / "bin" / "backdoor").write_bytes(b"x")
    made = write(root, tmp_path / "x.cdx.json")
    assert (made.returncode, made.stderr) == (
        1,
        "sbom: /usr/bin/backdoor belongs to no Debian package\n",
    )
    assert not (tmp_path / "x.cdx.json").exists()
