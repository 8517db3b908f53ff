"""A queue between two demo processes: a table in an SQLite file, oldest message first."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Message", "OrdersQueue"]

_LOCK_TIMEOUT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    id: int
    """Rises with each message."""
    headers: dict[str, str]
    """Carries the trace context of the sender."""
    body: dict[str, str]
    """The order."""


class OrdersQueue:
    """Sender's and receiver's end; safe from any thread and process."""

    def __init__(self, file: Path) -> None:
        """Make the table if it is not there."""
        self._file = file
        with closing(self._open()) as database, database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS messages "
                "(id INTEGER PRIMARY KEY AUTOINCREMENT, headers TEXT, body TEXT)"
            )

    def send(self, headers: dict[str, str], body: dict[str, str]) -> int:
        """Append a message and return its id."""
        with closing(self._open()) as database, database:
            cursor = database.execute(
                "INSERT INTO messages (headers, body) VALUES (?, ?)",
                (json.dumps(headers), json.dumps(body)),
            )
            return cursor.lastrowid or 0

    def receive(self, count_max: int) -> list[Message]:
        """Take up to `count_max` messages; nobody else gets them."""
        with closing(self._open()) as database, database:
            rows = database.execute(
                "DELETE FROM messages WHERE id IN (SELECT id FROM messages ORDER BY id LIMIT ?) "
                "RETURNING id, headers, body",
                (count_max,),
            ).fetchall()
        return [Message(row[0], json.loads(row[1]), json.loads(row[2])) for row in sorted(rows)]

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._file, timeout=_LOCK_TIMEOUT_SECONDS)
