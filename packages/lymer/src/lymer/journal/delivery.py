"""The name of a request that an agent sends: the same however often it is sent, pure.

::

    lymer-delivery: AGENT/SEGMENT.INDEX.PART    which request this is
    lymer-settled:  SEGMENT                     the agent will send nothing of this segment, nor of
                                                those before it, ever again

AGENT is 32 hex digits, chosen anew at every start of an agent for the journal segments it makes
(so two copies of one disk never share a name; who knows it may name requests, so it is no one
else's). SEGMENT is the id of such a segment, INDEX the place of the record in it, from 0. PART is
1 for a whole record; a record sent in halves has parts 2 and 3, their halves are 4 to 7, and so on.

Whoever stores the request keeps the name behind it in the journal record::

    body := request AA 1F 20 name      field 501, length-delimited, 32 bytes, which readers skip
    name := agent 16 bytes, segment uint64, index uint32, part uint32, big-endian

So one write makes the request and the knowledge that it came durable together.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

from lymer.errors import UndecodableError
from lymer.journal.marks import WHOLE

__all__ = ["DELIVERY_KEY", "INDEX_MAX", "SETTLED_KEY", "Delivery", "read_delivery"]

DELIVERY_KEY: Final = "lymer-delivery"
"""gRPC metadata that names the request."""
SETTLED_KEY: Final = "lymer-settled"
"""gRPC metadata that says what need not be remembered any more."""
INDEX_MAX: Final = 2**23 - 1
"""Largest place of a record in a segment: one bit for each is 1 MiB."""

_NAME: Final = struct.Struct(">3s16sQII")
_TAG: Final = b"\xaa\x1f\x20"
_TEXT: Final = re.compile(r"([0-9a-f]{32})/([0-9]{1,19})\.([0-9]{1,7})\.([0-9]{1,10})", re.ASCII)
_SETTLED: Final = re.compile(r"[0-9]{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request of one agent."""

    agent: bytes
    """16 bytes."""
    segment: int
    index: int
    """Place in the segment, 0 to `INDEX_MAX`."""
    part: int = WHOLE
    settled: int = 0
    """Highest segment the agent is done with, 0 for none."""

    @property
    def text(self) -> str:
        """The name as metadata carries it."""
        return f"{self.agent.hex()}/{self.segment}.{self.index}.{self.part}"

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what goes with the request."""
        return ((DELIVERY_KEY, self.text), (SETTLED_KEY, str(self.settled)))

    def behind(self, body: bytes) -> bytes:
        """Return `body` with the name behind it."""
        return body + _NAME.pack(_TAG, self.agent, self.segment, self.index, self.part)

    @classmethod
    def from_metadata(cls, name: str, settled: str) -> Delivery:
        """Read what came with a request; `settled` may be empty.

        Raises:
            UndecodableError: It is not written as above.
        """
        match = _TEXT.fullmatch(name)
        if match is None or (settled and not _SETTLED.fullmatch(settled)):
            raise UndecodableError(f"cannot read {DELIVERY_KEY}: {name[:100]!r}, {settled[:30]!r}")
        agent, segment, index, part = match.groups()
        if int(index) > INDEX_MAX or not 0 < int(part) < 2**32 or int(segment) >= 2**63:
            raise UndecodableError(f"cannot read {DELIVERY_KEY}: a number of {name!r} is too large")
        return cls(bytes.fromhex(agent), int(segment), int(index), int(part), int(settled or 0))


def read_delivery(body: memoryview) -> Delivery | None:
    """Return the name behind a record's body, or None if it did not come from an agent."""
    start = len(body) - _NAME.size
    if start < 0 or bytes(body[start : start + len(_TAG)]) != _TAG:
        return None
    _, agent, segment, index, part = _NAME.unpack_from(body, start)
    return Delivery(agent, segment, index, part) if index <= INDEX_MAX and part else None
