"""The lines of a watch → changes. Pure: bytes in, changes out.

Source: Kubernetes documentation, API Concepts, "Efficient detection of changes".
"""

from __future__ import annotations

import json
from typing import Any, Final

from certwright.adapters.kube.requests import error_of
from certwright.engine.store import Change
from certwright.errors import UnavailableError
from certwright.resources.kinds import Kind

__all__ = ["WatchDecoder"]

LINE_BYTES_MAX: Final = 16 * 2**20
"""Longest line of a watch: etcd takes objects of 1.5 MiB, and JSON escapes may make them longer."""
_TYPES: Final = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK")


class WatchDecoder:
    """Decodes a watch as its bytes arrive."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._rest = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> list[Change]:
        """Return the changes that `data` completes.

        Raises:
            ExpiredError: The server says that the history is gone.
            UnavailableError: It reports another failure, or sends what is no watch.
        """
        self._rest += data
        changes: list[Change] = []
        while (end := self._rest.find(b"\n", self._searched)) >= 0:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            self._searched = 0
            if line.strip():
                changes.append(self._decode(line))
        self._searched = len(self._rest)
        if len(self._rest) > LINE_BYTES_MAX:
            raise UnavailableError(
                f"a watch sent a line of over {len(self._rest)} bytes,"
                f" the limit is {LINE_BYTES_MAX}"
            )
        return changes

    def _decode(self, line: bytes) -> Change:
        try:
            event: Any = json.loads(line)
            kind_of_change, obj = event["type"], event["object"]
        except (ValueError, KeyError, TypeError) as error:
            raise UnavailableError(f"a watch sent what is no change: {line[:200]!r}") from error
        if kind_of_change == "ERROR":
            raise error_of(500, json.dumps(obj).encode())
        if kind_of_change not in _TYPES or not isinstance(obj, dict):
            raise UnavailableError(f"a watch sent an unknown change {kind_of_change!r}")
        obj["apiVersion"], obj["kind"] = self._kind.api_version, self._kind.name
        return Change(kind_of_change, obj)
