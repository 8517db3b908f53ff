"""A store that is a folder."""

from __future__ import annotations

from certwright.adapters.files.lock import FolderLock
from certwright.adapters.files.store import FileStore, read_objects

__all__ = ["FileStore", "FolderLock", "read_objects"]
