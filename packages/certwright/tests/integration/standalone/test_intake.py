"""The folder's files, taken into a store, again and again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from certwright.engine.store import Selection
from certwright.errors import StartupError
from certwright.resources.conditions import with_condition
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE, ISSUER, SECRET
from certwright.roles.standalone.intake import Intake
from certwright.roles.standalone.layout import Layout
from certwright.roles.standalone.sync import SOURCE
from certwright_testing.api_server import MemoryStore

ISSUER_YAML = """\
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: NAME, labels: {a: b}}
spec: {selfSigned: {}}
"""
BAD_YAML = ISSUER_YAML.replace("{selfSigned: {}}", "{}")


class Folder:
    """A folder with a store that follows it."""

    def __init__(self, path: Path) -> None:
        self.layout = Layout(path)
        self.layout.state.mkdir()
        self.store = MemoryStore()
        self.intake = Intake(self.store, self.layout, FeatureGates())
        self._times = 0

    def write(self, name: str, text: str) -> None:
        """Write a file with a time of its own."""
        path = self.layout.folder / name
        path.write_text(text)
        self._times += 1
        os.utime(path, (self._times, self._times))

    async def names(self) -> set[str]:
        """Return the Issuers there are."""
        listing = await self.store.list(Selection(ISSUER))
        return {obj["metadata"]["name"] for obj in listing.objects}

    def problems(self) -> str:
        """Return what the user is told."""
        path = self.layout.problems
        return path.read_text() if path.exists() else ""


async def test_files_are_taken_when_they_change_and_only_then(tmp_path: Path) -> None:
    """New, edited, renamed and removed ones."""
    folder = Folder(tmp_path)
    folder.write("a.yaml", ISSUER_YAML.replace("NAME", "one"))
    folder.write("b.yml", ISSUER_YAML.replace("NAME", "two"))
    folder.write("c.txt", "no YAML")
    folder.write(".hidden.yaml", "no YAML")
    assert await folder.intake.take()
    assert not await folder.intake.take()
    assert await folder.names() == {"one", "two"}
    folder.write("a.yaml", ISSUER_YAML.replace("NAME", "three"))
    (tmp_path / "b.yml").unlink()
    assert await folder.intake.take()

    assert await folder.names() == {"three"}


async def test_what_did_not_change_is_not_written_and_a_status_stays(tmp_path: Path) -> None:
    """Also after a restart, which has seen nothing yet."""
    folder = Folder(tmp_path)
    folder.write("a.yaml", ISSUER_YAML.replace("NAME", "one"))
    await folder.intake.take()
    key = ISSUER.key("default", "one")
    made = await folder.store.get(key)
    assert made is not None
    ready = with_condition(
        made, type="Ready", status="True", reason="IsReady", message="", now=folder_now()
    )
    before = await folder.store.update_status(ready, manager="x")
    await Intake(folder.store, folder.layout, FeatureGates()).take()

    assert await folder.store.get(key) == before


def folder_now() -> object:
    """Return some moment."""
    from datetime import UTC, datetime

    return datetime(2023, 1, 1, tzinfo=UTC)


async def test_a_field_that_is_taken_out_of_a_file_goes(tmp_path: Path) -> None:
    """Although what others wrote stays."""
    folder = Folder(tmp_path)
    folder.write("a.yaml", ISSUER_YAML.replace("NAME", "one"))
    await folder.intake.take()
    folder.write("a.yaml", ISSUER_YAML.replace("NAME", "one").replace(", labels: {a: b}", ""))
    await folder.intake.take()
    found = await folder.store.get(ISSUER.key("default", "one"))
    assert found is not None

    assert "a" not in found["metadata"].get("labels", {})


@pytest.mark.parametrize("text", ["a: [", BAD_YAML.replace("NAME", "one"), "- x"])
async def test_an_object_stays_while_its_file_is_wrong(text: str, tmp_path: Path) -> None:
    """A slip of the editor must not delete a CA. What is wrong is told until it is right."""
    folder = Folder(tmp_path)
    folder.write("a.yaml", ISSUER_YAML.replace("NAME", "one"))
    await folder.intake.take()
    folder.write("a.yaml", text)
    await folder.intake.take()
    assert await folder.names() == {"one"}
    assert folder.problems().startswith("a.yaml: ")
    folder.write("a.yaml", ISSUER_YAML.replace("NAME", "two"))
    await folder.intake.take()

    assert await folder.names() == {"two"}
    assert folder.problems() == ""


async def test_one_object_in_two_files_is_said(tmp_path: Path) -> None:
    """The first file counts."""
    folder = Folder(tmp_path)
    for name in ("a.yaml", "b.yaml"):
        folder.write(name, ISSUER_YAML.replace("NAME", "one"))
    await folder.intake.take()

    assert folder.problems() == (
        "b.yaml: Issuer default/one: it is already in a.yaml; that one counts\n"
    )


async def test_what_did_not_come_from_a_file_is_left_alone(tmp_path: Path) -> None:
    """Secrets of Certificates, above all."""
    folder = Folder(tmp_path)
    other = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "made", "namespace": "default"},
    }
    await folder.store.create(other, manager="x")
    folder.write("a.yaml", ISSUER_YAML.replace("NAME", "one"))
    await folder.intake.take()
    (tmp_path / "a.yaml").unlink()
    await folder.intake.take()

    assert await folder.names() == set()
    assert await folder.store.get(SECRET.key("default", "made")) is not None


async def test_a_request_that_inherits_the_annotation_of_a_file_is_left_alone(
    tmp_path: Path,
) -> None:
    """Loops copy annotations of Certificates to their requests."""
    folder = Folder(tmp_path)
    folder.write("a.yaml", ISSUER_YAML.replace("NAME", "one"))
    await folder.intake.take()
    copied = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": {"name": "made", "namespace": "default", "annotations": {SOURCE: "a.yaml"}},
        "spec": {"selfSigned": {}},
    }
    await folder.store.create(copied, manager="x")
    (tmp_path / "a.yaml").unlink()
    await folder.intake.take()

    assert await folder.names() == {"made"}


async def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """That says what to do."""
    intake = Intake(MemoryStore(), Layout(tmp_path / "nowhere"), FeatureGates())
    with pytest.raises(StartupError, match="certwright quickstart"):
        await intake.take()


async def test_a_refusal_of_the_store_is_told(tmp_path: Path) -> None:
    """And tried again when a file changes."""
    folder = Folder(tmp_path)
    text = (
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: Not_A_Name}\n"
        "spec: {secretName: s, issuerRef: {name: x}, dnsNames: [a]}\n"
    )
    folder.write("a.yaml", text)
    await folder.intake.take()

    assert "Not_A_Name" in folder.problems()
    assert (await folder.store.list(Selection(CERTIFICATE))).objects == []
