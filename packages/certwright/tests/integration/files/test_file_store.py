"""The store in files: what is there after the process is gone, and who may look."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from certwright.adapters.files import FileStore, FolderLock, read_objects
from certwright.engine.store import Selection
from certwright.errors import StartupError, StoreError
from certwright.resources.kinds import CERTIFICATE, ISSUER, SECRET
from certwright.resources.meta import controller_reference
from certwright_testing.objects import certificate, issuer, secret


async def test_objects_are_there_again_with_uid_version_and_managers(tmp_path: Path) -> None:
    """What was acknowledged is what is read."""
    store = FileStore(tmp_path)
    made = await store.create(certificate(), manager="a")
    applied = await store.apply(
        {**secret(), "metadata": {"name": "s", "namespace": "one"}}, manager="b"
    )
    await store.create(issuer(), manager="a")
    await store.delete(ISSUER.key("one", "ca"))
    again = FileStore(tmp_path)

    assert await again.get(CERTIFICATE.key("one", "web")) == made
    assert await again.get(SECRET.key("one", "s")) == applied
    assert await again.get(ISSUER.key("one", "ca")) is None
    changed = await again.update({**made, "spec": {**made["spec"], "secretName": "x"}}, manager="a")
    assert int(changed["metadata"]["resourceVersion"]) > int(applied["metadata"]["resourceVersion"])


async def test_what_an_owner_left_behind_goes_after_a_restart(tmp_path: Path) -> None:
    """A process that died between the two deletions."""
    store = FileStore(tmp_path)
    owner = await store.create(certificate(), manager="a")
    owned = secret(ownerReferences=[controller_reference(owner)])
    await store.create(owned, manager="a")
    (tmp_path / "objects/certificates.cert-manager.io/one/web.json").unlink()
    again = FileStore(tmp_path)
    await again.collect_garbage()

    assert (await again.list(Selection(SECRET))).objects == []


async def test_files_are_their_owner_s_only(tmp_path: Path) -> None:
    """Secrets are among them."""
    await FileStore(tmp_path).create(secret(), manager="a")
    path = tmp_path / "objects/secrets/one/tls.json"

    assert path.stat().st_mode & 0o777 == 0o600
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
        assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["../../x", ".hidden", "a/b", "..", ""])
async def test_a_name_that_could_leave_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    """As an API server refuses it; nothing is written."""
    store = FileStore(tmp_path)
    with pytest.raises(StoreError):
        await store.create(secret(name), manager="a")
    with pytest.raises(StoreError):
        await store.apply(secret(name), manager="a")

    assert read_objects(tmp_path) == []


async def test_a_write_that_cannot_be_kept_did_not_happen(tmp_path: Path) -> None:
    """Neither in memory nor on disk."""
    store = FileStore(tmp_path)
    blocker = tmp_path / "objects/secrets"
    blocker.write_text("in the way")
    with pytest.raises(StoreError, match="cannot write"):
        await store.create(secret(), manager="a")

    assert await store.get(SECRET.key("one", "tls")) is None
    blocker.unlink()
    assert (await store.create(secret(), manager="a"))["metadata"]["name"] == "tls"


async def test_a_file_that_is_broken_is_named(tmp_path: Path) -> None:
    """Nothing is guessed and nothing is overwritten."""
    await FileStore(tmp_path).create(secret(), manager="a")
    path = tmp_path / "objects/secrets/one/tls.json"
    path.write_text("{")
    with pytest.raises(StartupError, match=f"cannot read {path}"):
        FileStore(tmp_path)

    assert path.read_text() == "{"


_HOLDS = """
import pathlib, sys, time
from certwright.adapters.files import FolderLock
with FolderLock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_folder_has_one_owner_until_its_process_is_gone(tmp_path: Path) -> None:
    """The kernel gives the lock back, also after kill -9."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDS, str(tmp_path)], stdout=subprocess.PIPE, env=os.environ
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(StartupError, match=f"process {holder.pid} works on this folder"):
        FolderLock(tmp_path).__enter__()
    holder.kill()
    holder.communicate()
    with FolderLock(tmp_path):
        assert not FolderLock(tmp_path).try_lock()


def test_an_event_that_cannot_be_read_keeps_nobody_from_starting(tmp_path: Path) -> None:
    """It is not written durably, so a machine that stops may leave half of it."""
    path = tmp_path / "objects" / "events" / "default" / "e.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{")

    assert read_objects(tmp_path) == []
