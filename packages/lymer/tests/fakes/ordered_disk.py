"""A disk that does what it is told: fails on order, and counts what it is asked."""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lymer.journal.disk import LocalDisk

__all__ = ["OrderedDisk"]


class OrderedDisk:
    """The local disk behind a gate; implements `lymer.journal.disk.Disk`."""

    def __init__(self) -> None:
        """Be a disk without faults, until `fail` is called."""
        self.calls: Counter[str] = Counter()
        """How often each method was called."""
        self.open_gate = threading.Event()
        """While it is clear, `sync` waits: requests pile up behind it."""
        self.open_gate.set()
        self.syncing = threading.Event()
        """Set when a `sync` has begun."""
        self._orders: dict[str, list[BaseException]] = {}
        self._part_bytes: int | None = None
        self._disk = LocalDisk()

    def fail(self, method: str, times: int = 1, number: int = errno.ENOSPC) -> None:
        """Let the next calls of `method` fail with an errno."""
        errors = [OSError(number, os.strerror(number)) for _ in range(times)]
        self._orders.setdefault(method, []).extend(errors)

    def fail_oddly(self, method: str, error: BaseException) -> None:
        """Let the next call of `method` raise what no disk raises."""
        self._orders.setdefault(method, []).append(error)

    def write_a_part_then_fail(self, byte_count: int) -> None:
        """Let the next `append` write so many bytes, and then find the disk full."""
        self._part_bytes = byte_count

    def create(self, path: Path, /) -> int:
        """Create a file."""
        self._obey("create")
        return self._disk.create(path)

    def append(self, descriptor: int, buffers: Sequence[bytes], /) -> int:
        """Write buffers, or a part of them."""
        part, self._part_bytes = self._part_bytes, None
        if part is not None:
            os.write(descriptor, b"".join(buffers)[:part])
            self.fail("append")
        self._obey("append")
        return self._disk.append(descriptor, buffers)

    def sync(self, descriptor: int, /) -> None:
        """Make durable, once the gate is open."""
        self.syncing.set()
        self.open_gate.wait()
        self._obey("sync")
        self._disk.sync(descriptor)

    def cut(self, descriptor: int, byte_count: int, /) -> None:
        """Shorten a file."""
        self._obey("cut")
        self._disk.cut(descriptor, byte_count)

    def _obey(self, method: str) -> None:
        self.calls[method] += 1
        if self._orders.get(method):
            raise self._orders[method].pop(0)
