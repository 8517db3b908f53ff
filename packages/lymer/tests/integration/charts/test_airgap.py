"""`make airgap`: what is in the archive, and a script that brings images into another registry."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import lymer
from fakes.chart import CHART

ROOT = CHART.parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the archive, unpacked, without wheels and images: pip's and a builder's own work."""
    folder = tmp_path_factory.mktemp("airgap")
    subprocess.run(
        [
            sys.executable,
            str(ROOT / "tools" / "airgap.py"),
            "--no-wheels",
            "--no-images",
            str(folder),
        ],
        check=True,
        capture_output=True,
    )
    (packed,) = folder.glob("*.tar.gz")
    with tarfile.open(packed) as tar:
        tar.extractall(folder / "out", filter="data")
    (found,) = (folder / "out").iterdir()
    return found


def test_everything_is_there_and_whole(unpacked: Path) -> None:
    """Charts with their index, documents, and a checksum for every file."""
    version = lymer.__version__
    for name in (
        f"charts/lymer-{version}.tgz",
        f"charts/certwright-{version}.tgz",
        "charts/index.yaml",
        "charts/certwright.crds.yaml",
        "docs/install/manual.ko.md",
        "retag.sh",
        "README.txt",
    ):
        assert (unpacked / name).is_file(), name
    sums = dict(
        reversed(line.split("  ", 1)) for line in (unpacked / "SHA256SUMS").read_text().splitlines()
    )
    files = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert set(sums) == files - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((unpacked / name).read_bytes()).hexdigest() == digest


def test_images_are_those_that_the_charts_and_the_builder_name(unpacked: Path) -> None:
    """One list: what is built, what is retagged, what values.yaml has."""
    lines = (unpacked / "images.txt").read_text().splitlines()
    listed = {line.split(":")[0] for line in lines if not line.startswith("#")}
    builder = (ROOT / "deploy" / "images" / "build.sh").read_text()
    containers = (ROOT / "deploy" / "images" / "Containerfile.certwright").read_text()
    stages = set(re.findall(r"(?m)^FROM base AS (\S+)$", containers))
    charts = [ROOT / "charts" / name / "values.yaml" for name in ("lymer", "certwright")]
    values = "".join(path.read_text() for path in charts)

    assert listed == {"lymer", *stages}
    for name in stages:
        assert name.removeprefix("certwright-") in builder
    named = set(re.findall(r"registry\.example\.com/([\w-]+)", values))
    assert named == listed - {"certwright-ctl"}


def test_images_are_retagged(unpacked: Path, tmp_path: Path) -> None:
    """With a docker that writes down what it is told; cert-manager's names on request."""
    told = tmp_path / "told"
    tool = tmp_path / "docker"
    tool.write_text(f'#!/bin/sh\necho "$@" >>{told}\n')
    tool.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TOOL": "docker"}
    subprocess.run(
        ["sh", str(unpacked / "retag.sh"), "my.registry/tracing", "--as-cert-manager"],
        check=True,
        env=environment,
        capture_output=True,
    )
    pushed = {line.split()[1] for line in told.read_text().splitlines() if line.startswith("push")}

    version = lymer.__version__
    assert f"my.registry/tracing/lymer:{version}" in pushed
    assert f"my.registry/tracing/certwright-webhook:{version}" in pushed
    assert "my.registry/tracing/cert-manager-webhook:v1.12.2" in pushed
    assert len(pushed) == 11
