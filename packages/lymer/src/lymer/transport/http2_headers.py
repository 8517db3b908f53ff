"""Header blocks of one HTTP/2 connection.

They are decoded by `hpack`; clients repeat themselves, so a block that changed nothing in the
decoder's table is decoded once. Source: RFC 7541.
"""

from __future__ import annotations

from typing import Final

import hpack

from lymer.transport.http2_frames import COMPRESSION, PeerError

__all__ = ["HEADER_BYTES_MAX", "HeaderBlocks", "Headers"]

Headers = list[tuple[bytes, bytes]]
HEADER_BYTES_MAX: Final = 64 * 1024
_BLOCKS_MAX: Final = 64
"""Header blocks remembered for a connection."""


class HeaderBlocks:
    """Decodes what one peer sends."""

    def __init__(self) -> None:
        """Begin with an empty table."""
        self._decoder = hpack.Decoder(max_header_list_size=HEADER_BYTES_MAX)
        self._known: dict[bytes, Headers] = {}

    def decoded(self, block: bytes) -> Headers:
        """Return the headers of a block; blocks are given in the order in which they came.

        Raises:
            PeerError: It is none, or its headers are too large.
        """
        known = self._known.get(block)
        if known is not None:
            return known
        entries = self._decoder.header_table.dynamic_entries
        newest, size = entries[0] if entries else None, self._decoder.header_table.maxsize
        try:
            headers = [(bytes(name), bytes(value))
                       for name, value in self._decoder.decode(block, raw=True)]  # fmt: skip
        except hpack.HPACKError as error:
            raise PeerError(COMPRESSION, f"headers cannot be decoded: {error}") from error
        entries = self._decoder.header_table.dynamic_entries
        is_same = newest is (entries[0] if entries else None)
        if not is_same or size != self._decoder.header_table.maxsize:
            self._known.clear()
        elif len(self._known) < _BLOCKS_MAX:
            self._known[block] = headers
        return headers
