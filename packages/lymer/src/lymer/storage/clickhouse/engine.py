"""The port to a ClickHouse engine, embedded or a server: text of SQL in, bytes out.

Nothing above this line knows which engine runs. SQL is built from constants and syntax; every value
that comes from outside is a parameter `{name:Type}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

__all__ = ["ONE_PART", "Engine", "Parameter", "Settings"]

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


class Engine(Protocol):
    """What the store needs of an engine.

    Every method blocks, may be called from any thread, and raises `StorageError` with the engine's
    own words if it fails; a failed statement has changed nothing unless its method says otherwise.
    """

    def query(
        self, statement: str, /, parameters: Mapping[str, Parameter], settings: Settings
    ) -> bytes:
        """Run a statement that ends in FORMAT and return its output."""

    def command(self, statement: str, /, settings: Settings) -> None:
        """Run a statement that returns nothing."""

    def load_file(self, statement: str, path: Path, structure: str, settings: Settings, /) -> None:
        """Run an INSERT … SELECT whose `{source}` stands for the Protobuf messages in `path`.

        Raises:
            UndecodableError: A message in the file cannot be read; nothing was inserted.
            StorageError: Anything else; whether rows were inserted is not known.
        """

    def check(self) -> None:
        """Return if statements are likely to succeed now; raise `StorageError` if not."""

    def close(self) -> None:
        """Finish running statements and let go of the data; idempotent."""
