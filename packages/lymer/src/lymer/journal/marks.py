"""Which records of a segment are done: one bit for each, and the parts of those sent in parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["WHOLE", "Marks"]

WHOLE: Final = 1
"""Part number of a whole record; its halves are 2 and 3, the halves of n are 2n and 2n + 1."""


class Marks:
    """A set of (index, part). Not thread-safe."""

    def __init__(self, whole: bytes = b"", parts: Iterable[tuple[int, int]] = ()) -> None:
        """Begin with what `whole` and `parts` of another one say."""
        self._whole = bytearray(whole)
        self._parts: set[tuple[int, int]] = set()
        self._divided: set[tuple[int, int]] = set()
        for index, part in parts:
            self.add(index, part)

    @property
    def whole(self) -> bytes:
        """One bit for each record, lowest first, that is done as a whole."""
        return bytes(self._whole)

    @property
    def parts(self) -> list[tuple[int, int]]:
        """(index, part) of records that were sent in parts."""
        return sorted(self._parts)

    @property
    def byte_count(self) -> int:
        """Memory of the bits, bytes."""
        return len(self._whole)

    def has(self, index: int, part: int = WHOLE) -> bool:
        """Tell whether that part, or one it is a part of, is done."""
        place = index >> 3
        if place < len(self._whole) and self._whole[place] >> (index & 7) & 1:
            return True
        while part > WHOLE:
            if (index, part) in self._parts:
                return True
            part >>= 1
        return False

    def is_divided(self, index: int, part: int = WHOLE) -> bool:
        """Tell whether a part of that part is done."""
        return (index, part) in self._divided

    def add(self, index: int, part: int = WHOLE) -> None:
        """Mark it done."""
        if part != WHOLE:
            self._parts.add((index, part))
            while part > WHOLE and (index, part >> 1) not in self._divided:
                part >>= 1
                self._divided.add((index, part))
            return
        place = index >> 3
        if place >= len(self._whole):
            self._whole.extend(bytes(place + 1 - len(self._whole)))
        self._whole[place] |= 1 << (index & 7)
