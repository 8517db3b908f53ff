"""What resources and scopes say, by the hashes that statements about spans read instead of texts.

A resource of 1 MB may stand on thousands of spans, and the engine writes out the text of each row
that it hands over. So a row has the hash, and of each text that is not known yet one row is read.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from lymer.storage.clickhouse.archive import from_archive
from lymer.storage.clickhouse.engine import Engine, Parameter, Settings
from lymer.storage.clickhouse.span_columns import CAST_RESOURCE, CAST_SCOPE
from lymer.storage.clickhouse.statements import statement
from lymer.wire.span_rows import Origins, Pair, Scope

__all__ = ["KnownOrigins"]

_KNOWN_BYTES_MAX: Final = 16 * 2**20
"""Of resources and scopes remembered for a tenant, about; more and all are forgotten."""
_PAIR_BYTES: Final = 200
"""What an attribute takes beside its texts."""
_BATCH: Final = 1024
"""Texts that are asked for at once."""
_RESOURCES: Final = statement(
    "origin_texts", column="resource", said=f"tupleElement({CAST_RESOURCE}, 1)"
)
_SCOPES: Final = statement(
    "origin_texts",
    column="scope",
    said=f"(tupleElement({CAST_SCOPE} AS s, 1), tupleElement(s, 2), tupleElement(s, 3))",
)
_NO_PAIRS: Final[tuple[Pair, ...]] = ()
_NO_SCOPE: Final[Scope] = (b"", b"", ())


class KnownOrigins:
    """Reads texts of one tenant's resources and scopes; they never change, so it remembers them."""

    def __init__(self, engine: Engine, database: str, settings: Settings) -> None:
        """Remember whom to ask, and the limits of one statement."""
        self._engine = engine
        self._database = database
        self._settings = settings
        self._lock = threading.Lock()
        self._known = Origins({}, {})
        self._bytes = 0

    def of(
        self,
        resources: Iterable[int],
        scopes: Iterable[int],
        where: str,
        parameters: Mapping[str, Parameter],
    ) -> Origins:
        """Return what resources and scopes say; ask for those not known yet.

        Args:
            resources: `cityHash64` of their texts.
            scopes: Likewise.
            where: The condition on spans, stored or archived, that have them.
            parameters: Of the condition.
        """
        with self._lock:
            known = self._known
        new_resources = {*resources}.difference(known.resources)
        new_scopes = {*scopes}.difference(known.scopes)
        if not (new_resources or new_scopes):
            return known
        more_resources = self._said(_RESOURCES, new_resources, where, parameters)
        more_scopes = self._said(_SCOPES, new_scopes, where, parameters)
        found = Origins(
            {**known.resources, **more_resources},
            {**known.scopes, **more_scopes},
            known.processes,
        )
        # A resource is also remembered as the process that it is shown as, tag by tag and whole.
        size = sum(3 * _pairs_bytes(pairs) for pairs in more_resources.values())
        size += sum(
            len(name) + len(version) + _pairs_bytes(pairs)
            for name, version, pairs in more_scopes.values()
        )
        with self._lock:
            self._bytes += size
            self._known = found
            if self._bytes > _KNOWN_BYTES_MAX:
                self._known, self._bytes = Origins({}, {}), 0
        # Of spans that expired in between nothing can be known any more.
        return Origins(
            {**dict.fromkeys(new_resources, _NO_PAIRS), **found.resources},
            {**dict.fromkeys(new_scopes, _NO_SCOPE), **found.scopes},
        )

    def _said(
        self,
        text: str,
        hashes: Collection[int],
        where: str,
        parameters: Mapping[str, Parameter],
    ) -> dict[int, Any]:
        """Return what there is of some hashes, from the archive if it is nowhere else."""
        found: dict[int, Any] = {}
        for placed in (text, from_archive(text)):
            missing = [one for one in hashes if one not in found]
            for first in range(0, len(missing), _BATCH):
                listed = ", ".join(map(str, missing[first : first + _BATCH]))
                asked = placed.replace("{where}", where).replace("{hashes}", listed)
                rows = self._engine.select(self._database, asked, 2, parameters, self._settings)
                found |= dict(zip(*rows, strict=True))
        return found


def _pairs_bytes(pairs: Iterable[Pair]) -> int:
    return sum(len(key) + len(value) + _PAIR_BYTES for key, value in pairs)
