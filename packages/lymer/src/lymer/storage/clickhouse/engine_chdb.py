"""The embedded engine: chDB in this process.

Laws it obeys (chDB 26.9, each measured): one path per process; one Session is one lock, so every
thread gets its own; a Session whose statement failed begins its next answer with the rows of the
failed one, so it is thrown away; never fork after the import; stop statements before the exit.
"""

from __future__ import annotations

import contextlib
import threading
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from lymer.errors import StorageError, StorageMemoryError, UndecodableError
from lymer.storage.caller import stoppable
from lymer.storage.clickhouse.chdb_start import session_class, starting
from lymer.storage.clickhouse.engine import (
    DECODE_CODES,
    MEMORY_CODE,
    Mark,
    Parameter,
    Settings,
    memory_refused,
    shortened,
    with_blobs,
)
from lymer.storage.clickhouse.granules import refine_granules
from lymer.storage.clickhouse.tiers import ObjectStorage, disks

__all__ = ["ChdbEngine"]

_BLOB_BYTES_MAX: Final = 2_048
"""More in all are parameters: the engine reads statements of 256 KiB at most, and what is asked for
may stand there several times. Fewer are not: a parameter costs 0.1 ms."""
_WRITTEN_HERE: Final = {"output_format_parallel_formatting": 0}
"""Threads that write rows of MsgPack side by side cost 0.3 ms of CPU a statement to set up."""


class ChdbEngine:
    """An `Engine` on a folder, one Session per thread."""

    def __init__(
        self, folder: Path, *, memory_bytes_max: int, cold: ObjectStorage | None = None
    ) -> None:
        """Open or create the database in `folder`.

        Args:
            folder: Belongs to the engine alone.
            memory_bytes_max: What statements and merges together may use, bytes; over it a
                statement fails and the process lives.
            cold: Where old spans may lie; needed for ever once some do.

        Raises:
            StartupError: chDB is not installed, cannot open the folder, or `cold` is away.
        """
        options: dict[str, str | int] = {
            "max_server_memory_usage": memory_bytes_max,
            # The defaults are made for a server: 5 GB of marks and as much again of index.
            "mark_cache_size": 64 * 2**20,
            "index_mark_cache_size": 32 * 2**20,
            "index_uncompressed_cache_size": 64 * 2**20,
            "uncompressed_cache_size": 0,
            "query_condition_cache_size": 16 * 2**20,
            "background_pool_size": 2,
            "background_schedule_pool_size": 4,
            "background_common_pool_size": 2,
            "background_fetches_pool_size": 1,
            "background_move_pool_size": 1,
        }
        self._local = threading.local()
        self._lock = threading.Lock()
        self._sessions: set[Any] = set()
        self._closed = False
        self._schemas = folder / "format_schemas"
        folder.mkdir(parents=True, exist_ok=True)
        refine_granules(folder)
        with disks(folder, cold) as of_disks, starting(folder / "scratch"):
            self._address = f"{folder}?{urlencode(options | of_disks, safe='/')}"
            self._session_class: Any = session_class()
            # The data are closed with the last Session; this one asks nothing and stays.
            self._keeper = self._open()

    def select(
        self,
        database: str,
        statement: str,
        width: int,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> list[list[Any]]:
        """Return the columns of an answer; see `Engine.select`."""
        mark = Mark()
        return mark.columns(
            self._answer(mark, database, statement, "MsgPack", parameters, settings), width
        )

    def select_array(
        self,
        database: str,
        statement: str,
        row: Sequence[tuple[str, str]],
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> NDArray[np.void]:
        """Return an answer as an array; see `Engine.select_array`."""
        mark = Mark()
        return mark.array(
            self._answer(mark, database, statement, "RowBinary", parameters, settings), row
        )

    def command(
        self,
        database: str,
        statement: str,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Run a statement; see `Engine.command`."""
        self._run(_bound(statement, database) + self._clause(settings or {}), parameters or {})

    def load_file(
        self, database: str, statement: str, path: Path, structure: str, settings: Settings, /
    ) -> None:
        """Insert from a file; see `Engine.load_file`."""
        source = f"file({_literal(str(path))}, Protobuf, {_literal(structure)})"
        filled = _bound(statement, database).replace("{source}", source) + self._clause(settings)
        try:
            self._run(filled, {})
        except StorageError as error:
            if str(error).startswith(DECODE_CODES):
                raise UndecodableError(str(error)) from error
            if str(error).startswith(MEMORY_CODE):
                raise StorageMemoryError(str(error)) from error
            raise

    def check(self) -> None:
        """Ask the engine for one row."""
        self._run("SELECT 1 FORMAT Null", {})

    def close(self) -> None:
        """Stop what still runs, for nobody waits for it, and close every Session."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            sessions, self._sessions = self._sessions, set()
        # Closing a Session whose statement runs waits for its end, however long that takes.
        with contextlib.suppress(RuntimeError):
            self._keeper.query("KILL QUERY WHERE query NOT LIKE 'KILL%' ASYNC FORMAT Null", "Null")
        for session in [*sessions, self._keeper]:
            session.close()

    def _clause(self, settings: Settings) -> str:
        """Write the settings; a format schema goes into a file of the store's folder.

        The engine keeps a copy of a schema given as text in the working directory, which need not
        be writable.
        """
        if settings.get("format_schema_source") == "string":
            text = str(settings["format_schema"])
            path = self._schemas / f"{zlib.crc32(text.encode()):08x}.proto"
            if not path.exists():
                self._schemas.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
            settings = {**settings, "format_schema_source": "file", "format_schema": str(path)}
        return _settings_clause(settings)

    def _run(self, statement: str, parameters: Mapping[str, Parameter]) -> bytes:
        values = {name: _escaped(value) for name, value in parameters.items()}
        session = self._session()
        answered = False
        try:
            output = bytes(session.query(statement, "Null", params=values).bytes())
            answered = True
        except RuntimeError as error:
            raise StorageError(shortened(str(error))) from error
        finally:
            if not answered:
                self._throw_away(session)
        return output

    def _answer(
        self,
        mark: Mark,
        database: str,
        statement: str,
        output: str,
        parameters: Mapping[str, Parameter] | None,
        settings: Settings | None,
    ) -> bytes:
        """Run a SELECT that ends when nobody waits for it any more."""
        asked, values = mark.put(_bound(statement, database)), parameters or {}
        if sum(len(one) for one in values.values() if isinstance(one, bytes)) <= _BLOB_BYTES_MAX:
            asked, values = with_blobs(asked, values)
        filled = f"{asked} FORMAT {output}{self._clause({**_WRITTEN_HERE, **(settings or {})})}"
        with stoppable(lambda: self._stop(mark)), memory_refused():
            return self._run(filled, values)

    def _stop(self, mark: Mark) -> None:
        """End the statement with this mark, which is nobody else's."""
        found = f"query LIKE '%{mark.text}%' AND query NOT LIKE 'KILL%'"
        with self._lock, contextlib.suppress(RuntimeError):
            if not self._closed:
                self._keeper.query(f"KILL QUERY WHERE {found} ASYNC FORMAT Null", "Null")

    def _session(self) -> Any:
        """Return this thread's Session."""
        session = getattr(self._local, "session", None)
        if session is None:
            with self._lock:
                if self._closed:
                    raise StorageError("cannot run a statement: the store is closed")
                session = self._open()
                self._sessions.add(session)
            self._local.session = session
        return session

    def _throw_away(self, session: Any) -> None:
        """Never ask a Session again whose statement failed: what it wrote is still in there.

        The next statement of this thread opens another, in 1 ms.
        """
        self._local.session = None
        with self._lock:
            if session not in self._sessions:
                return  # `close` has it
            self._sessions.discard(session)
        session.close()

    def _open(self) -> Any:
        try:
            return self._session_class(self._address)
        except RuntimeError as error:
            raise StorageError(shortened(str(error))) from error


def _escaped(value: Parameter) -> str:
    """Write a parameter as chDB reads it: text in TSV's escapes, bytes in hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int):
        return str(value)
    # Measured with 1,500 fuzzed texts: these four are enough.
    return (
        value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\0", "\\0")
    )


def _bound(statement: str, database: str) -> str:
    return statement.replace("{db}", database)


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _settings_clause(settings: Settings) -> str:
    if not settings:
        return ""
    pairs = (
        f"{name}={value if isinstance(value, int) else _literal(value)}"
        for name, value in settings.items()
    )
    return " SETTINGS " + ", ".join(pairs)
