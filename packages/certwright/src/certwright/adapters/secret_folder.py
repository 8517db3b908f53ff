"""A folder that shows one version of a set of files at a time.

::

    NAME/
    ├── ..data      ──▶ ..1a2b3c4d      replaced by one rename: the old version, then the new one
    ├── ..1a2b3c4d/ tls.crt tls.key     the files, complete before `..data` points here
    ├── tls.crt     ──▶ ..data/tls.crt
    └── tls.key     ──▶ ..data/tls.key

Whoever resolves `..data` once and reads from there never sees files of two versions; this is the
layout of Kubernetes' own Secret volumes, so programs that watch those can watch this. A process
that dies at any point leaves the old version or the new one, and rubbish that `tidy` removes.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from certwright.adapters.atomic_files import PRIVATE_MODE, PUBLIC_MODE, sync_folder
from certwright.errors import StoreError

__all__ = ["Access", "Look", "look_of", "publish", "shows", "tidy", "withdraw"]

_DATA: Final = "..data"
_PUBLIC: Final = frozenset({"tls.crt", "ca.crt", "truststore.p12", "truststore.jks"})
"""What may be read by everybody; everything else holds a key, or might."""
_GROUP_MODE: Final = 0o640
_FOLDER_MODE: Final = 0o755
_OLD_VERSION_SECONDS: Final = 60.0
"""How long a version stays after it was replaced, for readers that found it before."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read what."""

    group_id: int | None = None
    """Keys, besides their owner: this group; None for nobody."""
    is_public: bool = False
    """Whether there is no key among the files: everybody may read all."""


_Entry: TypeAlias = tuple[str, str, int, int]
"""Name, target of a link, time of the last change of anything (ns), inode."""


@dataclass(frozen=True, slots=True)
class Look:
    """What can be seen of a folder without reading its files."""

    entries: tuple[_Entry, ...]
    has_old_versions: bool


def publish(folder: Path, files: Mapping[str, bytes], access: Access) -> bool:
    """Show exactly these files; return whether anything had to be done.

    Raises:
        StoreError: It could not be written; what was shown before still is.
    """
    try:
        if shows(folder, files, access):
            return False
        if not (folder / _DATA).is_symlink():
            _publish_new(folder, files, access)
        else:
            version = _write_version(folder, files, access)
            # Its time says from when on it is of no use; it may have been shown for months.
            with suppress(FileNotFoundError):
                os.utime(folder / _DATA)
            _point(folder / _DATA, Path(version.name))
            _link(folder, files)
            sync_folder(folder)
        return True
    except OSError as error:
        raise StoreError(f"cannot write {folder}: {error.strerror}: {error.filename}") from error


def shows(folder: Path, files: Mapping[str, bytes], access: Access) -> bool:
    """Return whether the folder shows these files, by their links, with the right modes."""
    version = folder / _DATA
    if not version.is_dir() or {path.name for path in version.iterdir()} != set(files):
        return False
    for name, content in files.items():
        link, path = folder / name, version / name
        if not link.is_symlink() or link.readlink() != Path(_DATA, name):
            return False
        status = path.stat()
        if status.st_mode & 0o777 != _mode(name, access) or path.read_bytes() != content:
            return False
        if access.group_id is not None and status.st_gid != access.group_id:
            return False
    visible = {path.name for path in folder.iterdir() if not path.name.startswith("..")}
    return visible == set(files)


def look_of(folder: Path) -> Look | None:
    """Return what can be seen of a folder without reading its files; None if it is not whole.

    Two looks that are equal show the same files: whoever writes one, or changes its mode or its
    group, changes its time, which nobody can set.
    """
    entries: list[_Entry] = []
    current = ""
    try:
        with os.scandir(folder) as found:
            for entry in found:
                target = str(Path(entry.path).readlink()) if entry.is_symlink() else ""
                entries.append((entry.name, target, 0, 0))
                if entry.name == _DATA:
                    current = target
        with os.scandir(folder / _DATA) as found:
            for entry in found:
                status = entry.stat()
                entries.append((entry.name, "", status.st_ctime_ns, status.st_ino))
    except OSError:
        return None
    old = any(name.startswith("..") and name not in {_DATA, current} for name, *_ in entries)
    return Look(tuple(sorted(entries)), has_old_versions=old)


def withdraw(folder: Path) -> bool:
    """Remove the folder; return whether it was there.

    Raises:
        StoreError: It could not be removed.
    """
    if not folder.is_dir() and not folder.is_symlink():
        return False
    try:
        gone = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.gone")
        folder.rename(gone)
        shutil.rmtree(gone)
    except OSError as error:
        raise StoreError(f"cannot remove {folder}: {error.strerror}") from error
    return True


def tidy(folder: Path, now_unix_seconds: float) -> None:
    """Remove versions that were replaced a while ago, and what a killed process left."""
    try:
        current = (folder / _DATA).readlink().name
        entries = list(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith("..") or entry.name in {_DATA, current}:
            continue
        if now_unix_seconds - entry.lstat().st_mtime > _OLD_VERSION_SECONDS:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def _publish_new(folder: Path, files: Mapping[str, bytes], access: Access) -> None:
    """Build the folder beside its place and move it there whole."""
    parent = folder.parent
    parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    building = parent / f".{folder.name}.{secrets.token_hex(4)}.new"
    try:
        building.mkdir(mode=_FOLDER_MODE)
        version = _write_version(building, files, access)
        _point(building / _DATA, Path(version.name))
        _link(building, files)
        sync_folder(building)
        if folder.exists() or folder.is_symlink():
            withdraw(folder)
        building.rename(folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    sync_folder(parent)


def _write_version(folder: Path, files: Mapping[str, bytes], access: Access) -> Path:
    version = folder / f"..{secrets.token_hex(8)}"
    version.mkdir(mode=_FOLDER_MODE)
    try:
        for name, content in files.items():
            _write(version / name, content, _mode(name, access), access.group_id)
        sync_folder(version)
    except BaseException:
        shutil.rmtree(version, ignore_errors=True)
        raise
    return version


def _write(path: Path, content: bytes, mode: int, group_id: int | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if group_id is not None:
            os.fchown(descriptor, -1, group_id)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def _mode(name: str, access: Access) -> int:
    if name in _PUBLIC or access.is_public:
        return PUBLIC_MODE
    return PRIVATE_MODE if access.group_id is None else _GROUP_MODE


def _link(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make the visible links those of the files."""
    for name in files:
        link, target = folder / name, Path(_DATA, name)
        if not link.is_symlink() or link.readlink() != target:
            if link.is_dir() and not link.is_symlink():
                shutil.rmtree(link)
            _point(link, target)
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in files:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def _point(link: Path, target: Path) -> None:
    """Make `link` point to `target` in one step."""
    temporary = link.with_name(f"..{secrets.token_hex(8)}.link")
    temporary.symlink_to(target)
    temporary.replace(link)
