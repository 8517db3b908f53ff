"""A folder that shows one version of a set of files at a time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from certwright.adapters.secret_folder import Access, publish, tidy, withdraw
from certwright.errors import StoreError

NOBODY = Access()


def shown(folder: Path) -> dict[str, bytes]:
    """Return what a reader finds."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."}


def test_files_are_shown_and_replaced(tmp_path: Path) -> None:
    """Also added and removed; what is the same is left alone."""
    folder = tmp_path / "deep" / "web"
    assert publish(folder, {"tls.crt": b"1", "tls.key": b"1", "keystore.p12": b"1"}, NOBODY)
    first = (folder / "..data").readlink()
    assert not publish(folder, {"tls.crt": b"1", "tls.key": b"1", "keystore.p12": b"1"}, NOBODY)
    assert (folder / "..data").readlink() == first
    assert publish(folder, {"tls.crt": b"2", "tls.key": b"2", "ca.crt": b"2"}, NOBODY)

    assert shown(folder) == {"tls.crt": b"2", "tls.key": b"2", "ca.crt": b"2"}
    assert (folder / first / "tls.key").read_bytes() == b"1"  # a reader may still be at it


def test_keys_are_their_owner_s_only(tmp_path: Path) -> None:
    """Certificates are everybody's; what is not known counts as a key."""
    names = ("tls.crt", "ca.crt", "truststore.p12", "tls.key", "key.der", "tls-combined.pem", "x")
    publish(tmp_path / "web", dict.fromkeys(names, b""), NOBODY)
    modes = {name: (tmp_path / "web" / name).stat().st_mode & 0o777 for name in names}

    assert modes == {
        "tls.crt": 0o644,
        "ca.crt": 0o644,
        "truststore.p12": 0o644,
        "tls.key": 0o600,
        "key.der": 0o600,
        "tls-combined.pem": 0o600,
        "x": 0o600,
    }


def test_a_group_may_read_keys_if_asked_for(tmp_path: Path) -> None:
    """A changed wish rewrites the files."""
    group = os.getgid()
    publish(tmp_path / "web", {"tls.key": b"k"}, NOBODY)
    assert publish(tmp_path / "web", {"tls.key": b"k"}, Access(group))
    status = (tmp_path / "web" / "tls.key").stat()

    assert (status.st_mode & 0o777, status.st_gid) == (0o640, group)
    assert not publish(tmp_path / "web", {"tls.key": b"k"}, Access(group))


def test_what_somebody_changed_by_hand_is_put_right(tmp_path: Path) -> None:
    """A removed link, a file in its place, other modes, a folder in the way."""
    folder, files = tmp_path / "web", {"tls.crt": b"c", "tls.key": b"k"}
    publish(folder, files, NOBODY)
    (folder / "tls.crt").unlink()
    assert publish(folder, files, NOBODY)
    (folder / "tls.key").unlink()
    (folder / "tls.key").mkdir()
    assert publish(folder, files, NOBODY)
    (folder / "..data" / "tls.key").chmod(0o644)
    assert publish(folder, files, NOBODY)
    (folder / "stranger").write_text("x")
    assert publish(folder, files, NOBODY)

    assert shown(folder) == files
    assert (folder / "tls.key").stat().st_mode & 0o777 == 0o600


def test_a_reader_never_sees_two_versions(tmp_path: Path) -> None:
    """Whoever resolves `..data` once, while versions are replaced as fast as can be."""
    folder, seen, stop = tmp_path / "web", set[bytes](), threading.Event()
    publish(folder, {"tls.crt": b"0", "tls.key": b"0"}, NOBODY)
    mixed: list[tuple[bytes, bytes]] = []

    def read() -> None:
        while not stop.is_set():
            version = folder / (folder / "..data").readlink()
            pair = (version / "tls.crt").read_bytes(), (version / "tls.key").read_bytes()
            seen.add(pair[0])
            if pair[0] != pair[1]:
                mixed.append(pair)
            assert (folder / "tls.crt").exists()  # never a moment without

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 150):
        content = str(number).encode()
        publish(folder, {"tls.crt": content, "tls.key": content}, NOBODY)
    stop.set()
    reader.join()

    assert mixed == []
    assert len(seen) > 10


def test_old_versions_go_after_a_while_and_so_does_what_a_killed_process_left(
    tmp_path: Path,
) -> None:
    """The version that is shown never."""
    folder = tmp_path / "web"
    publish(folder, {"tls.key": b"1"}, NOBODY)
    publish(folder, {"tls.key": b"2"}, NOBODY)
    (folder / "..half-written").mkdir()
    (folder / "..tmp.link").symlink_to("..data")
    now = folder.stat().st_ctime
    tidy(folder, now)
    assert len(list(folder.glob("..*"))) == 5
    tidy(folder, now + 100)

    assert {path.name for path in folder.iterdir()} == {
        "tls.key",
        "..data",
        (folder / "..data").readlink().name,
    }
    assert shown(folder) == {"tls.key": b"2"}


def test_a_version_that_was_shown_for_long_stays_for_a_while_too(tmp_path: Path) -> None:
    """Whoever resolved `..data` just before finds key and certificate of that version."""
    folder = tmp_path / "web"
    publish(folder, {"tls.key": b"1"}, NOBODY)
    shown_before = folder / (folder / "..data").readlink()
    os.utime(shown_before, (1, 1))
    tidy(folder, folder.stat().st_ctime)
    publish(folder, {"tls.key": b"2"}, NOBODY)
    now = folder.stat().st_ctime
    tidy(folder, now)
    assert (shown_before / "tls.key").read_bytes() == b"1"
    tidy(folder, now + 100)
    assert not shown_before.exists()


def test_a_folder_is_withdrawn_whole(tmp_path: Path) -> None:
    """Once."""
    publish(tmp_path / "web", {"tls.key": b"1"}, NOBODY)

    assert withdraw(tmp_path / "web")
    assert not withdraw(tmp_path / "web")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """And nothing is left behind."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot write"):
        publish(tmp_path / "file" / "web", {"tls.key": b"1"}, NOBODY)

    assert (tmp_path / "file").read_text() == "x"
