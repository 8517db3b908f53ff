"""The port to a ClickHouse engine, embedded or a server: text of SQL in, columns out.

Nothing above this line knows which engine runs. SQL is built from constants and syntax; every value
that comes from outside is a parameter `{name:Type}`. A statement names tables as `{db}.spans`: the
engine fills in the database of the tenant it is asked for, and no statement meets two of them.

Two laws, for every engine, since an answer that is not the statement's own may be another tenant's:

- **What failed is thrown away.** The rows that a statement wrote before it failed can stand before
  the answer of the next one in the same session (chDB 26.9 does so every time). Whatever a
  statement failed from, its session is never asked again.
- **An answer says whose it is.** A statement gives a number drawn for it, `{mark}`, in front of
  each row; `select` returns nothing that does not bear it.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgpack
import numpy as np
from numpy.typing import NDArray

from lymer.errors import StorageError, StorageMemoryError

__all__ = [
    "DECODE_CODES",
    "MEMORY_CODE",
    "ONE_PART",
    "ROWS_CODE",
    "Engine",
    "Mark",
    "Parameter",
    "Settings",
    "memory_refused",
    "shortened",
    "with_blobs",
]

Parameter = str | bytes | int
"""A text is passed as String, bytes as hex for `unhex({name:String})`, an int as a number."""

Settings = Mapping[str, str | int]
"""Engine settings of one statement, such as `max_execution_time`."""

ONE_PART: Final[Mapping[str, str | int]] = {
    "max_insert_threads": 1,
    # One thread: 5.6 CPU-us a span loaded instead of 6.5 to 8 with two, and the other core is
    # needed.
    "max_threads": 1,
    "max_insert_block_size": 100_000_000,
    "min_insert_block_size_rows": 100_000_000,
    "min_insert_block_size_bytes": 100_000_000_000,
    "async_insert": 0,
}
"""An INSERT … SELECT with these becomes one block, hence one part, hence all or nothing."""

DECODE_CODES: Final = (
    "Code: 444.",
    "Code: 33.",
    "Code: 32.",
    "Code: 434.",
    "Code: 436.",
    "Code: 117.",
    "Code: 26.",
)
"""UNKNOWN_PROTOBUF_FORMAT, CANNOT_READ_ALL_DATA, ATTEMPT_TO_READ_AFTER_EOF,
NO_COLUMN_SERIALIZED_TO_PROTOBUF_FIELD, PROTOBUF_BAD_CAST, INCORRECT_DATA,
CANNOT_PARSE_QUOTED_STRING."""
_TEXT_PLACE: Final = re.compile(r"\{(\w+):String\}")
MEMORY_CODE: Final = "Code: 241."
ROWS_CODE: Final = "Code: 396."
"""More rows than `max_result_rows`."""
_MESSAGE_CHARACTERS_MAX: Final = 600
_MARK: Final = "{mark}"
_MARK_BITS: Final = 62


class Engine(Protocol):
    """What the store needs of an engine.

    Every method blocks, may be called from any thread, and raises `StorageError` with the engine's
    own words if it fails; a failed statement has changed nothing unless its method says otherwise,
    and leaves nothing behind that a later one could read.
    """

    def select(
        self,
        database: str,
        statement: str,
        width: int,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> list[list[Any]]:
        """Return the answer of a SELECT, one list for each column.

        Texts are bytes, arrays tuples, maps tuples of pairs (they may hold a key twice).

        Args:
            database: What `{db}` stands for.
            statement: Its rows begin with `{mark}`; it names no format.
            width: Number of columns, the mark not counted.
            parameters: By name.
            settings: Of this statement.
        """

    def select_array(
        self,
        database: str,
        statement: str,
        row: Sequence[tuple[str, str]],
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> NDArray[np.void]:
        """Return the answer of a SELECT of numbers and FixedStrings as one structured array.

        Args:
            database: As in `select`.
            statement: As in `select`.
            row: Name and numpy type of each column, the mark not counted; sizes as the engine has.
            parameters: As in `select`.
            settings: As in `select`.
        """

    def command(
        self,
        database: str,
        statement: str,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Run a statement that returns nothing."""

    def load_file(
        self, database: str, statement: str, path: Path, structure: str, settings: Settings, /
    ) -> None:
        """Run a statement whose `{source}` stands for the Protobuf messages in `path`.

        Raises:
            UndecodableError: A message in the file cannot be read; nothing was inserted.
            StorageMemoryError: It needs more memory than it may have; nothing was inserted.
            StorageError: Anything else; whether rows were inserted is not known.
        """

    def check(self) -> None:
        """Return if statements are likely to succeed now; raise `StorageError` if not."""

    def close(self) -> None:
        """Stop running statements and let go of the data; idempotent."""


class Mark:
    """The number that a statement's rows bear."""

    def __init__(self) -> None:
        """Draw one: nobody else's answer begins with it."""
        self._number = secrets.randbits(_MARK_BITS)

    @property
    def text(self) -> str:
        """How it stands in the statement."""
        return f"toUInt64({self._number})"

    def put(self, statement: str) -> str:
        """Return the statement with the number in its places.

        Raises:
            ValueError: It has no place; its answer could not be told from another's.
        """
        if _MARK not in statement:
            raise ValueError(f"cannot ask: there is no {_MARK} in {statement[:200]!r}")
        return statement.replace(_MARK, self.text)

    def columns(self, output: bytes, width: int) -> list[list[Any]]:
        """Return the columns of an answer in MsgPack.

        Raises:
            StorageError: It is not the statement's own, or not whole.
        """
        values = _unpacked(output)
        marks = values[:: width + 1]
        if len(values) % (width + 1) or marks.count(self._number) != len(marks):
            message = (
                f"cannot read the engine's answer: {len(values)} values, of which "
                f"{marks.count(self._number)} of {len(marks)} rows are the statement's own"
            )
            raise StorageError(message)
        return [values[place :: width + 1] for place in range(1, width + 1)]

    def array(self, output: bytes, row: Sequence[tuple[str, str]]) -> NDArray[np.void]:
        """Return the rows of an answer in RowBinary; columns have a fixed size.

        Raises:
            StorageError: It is not the statement's own, or not whole.
        """
        kind = np.dtype([("", "<u8"), *row])
        if len(output) % kind.itemsize == 0:
            rows = np.frombuffer(output, dtype=kind)
            if bool(np.all(rows["f0"] == self._number)):
                return rows
        message = (
            f"cannot read the engine's answer: its {len(output)} bytes are not rows of "
            f"{kind.itemsize} bytes, each of them the statement's own"
        )
        raise StorageError(message)


def _unpacked(output: bytes) -> list[Any]:
    """Return the values of MsgPack output: strings as bytes, arrays as tuples, maps as pairs.

    Raises:
        StorageError: It is something else.
    """
    unpacker = msgpack.Unpacker(
        raw=True,
        use_list=False,
        object_pairs_hook=tuple,
        strict_map_key=False,  # no map becomes a dict
        max_buffer_size=len(output) or 1,
    )
    unpacker.feed(output)
    try:
        return list(unpacker)
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise StorageError(f"cannot read the engine's answer: {error}") from error


def with_blobs(
    statement: str, parameters: Mapping[str, Parameter]
) -> tuple[str, Mapping[str, Parameter]]:
    """Put bytes into a statement; return what is left to be told.

    As hex they are digits and a to f, whatever they are.
    """
    blobs = {name: value.hex() for name, value in parameters.items() if isinstance(value, bytes)}
    if not blobs:
        return statement, parameters

    def filled(place: re.Match[str]) -> str:
        name = place.group(1)
        return f"'{blobs[name]}'" if name in blobs else place.group()

    left = {name: value for name, value in parameters.items() if name not in blobs}
    return _TEXT_PLACE.sub(filled, statement), left


@contextlib.contextmanager
def memory_refused() -> Iterator[None]:
    """Say what may be done about it if an answer needs too much memory."""
    try:
        yield
    except StorageError as error:
        if not str(error).startswith(MEMORY_CODE):
            raise
        raise StorageMemoryError(
            "cannot answer: the question needs more memory than one statement may have, half of "
            "storage.memory_bytes_max: ask for fewer traces or a shorter time, or raise the limit"
        ) from error


def shortened(message: str) -> str:
    """Keep the engine's own words, without its stack and the statement."""
    first = message.split(" In scope ", 1)[0].split(", Stack trace (when", 1)[0]
    first = first.split("\n", 1)[0].strip()
    return first[:_MESSAGE_CHARACTERS_MAX]
