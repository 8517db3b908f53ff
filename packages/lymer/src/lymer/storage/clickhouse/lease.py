"""Who of several processes may do what only one may: a lease in the store that they share.

The engine has no compare-and-set for rows, but `CREATE TABLE` of a name that exists fails, so a
table is a turn: `lease_NAME_0000000007` is held by whoever made it, and its comment is renewed as
long as that process lives. A turn that was not renewed for `seconds` by the observer's own clock
is over, whatever anybody's wall clock says, and the next one may be made.

A holder that was only paused must not go on when it wakes up. Its statements name their turn, whose
table is dropped when the next one begins, and throw then (`fence`); those that were under way are
killed by the next holder before it does anything. Why: docs/adr/051-several-collectors.md.
"""

from __future__ import annotations

import math
import threading
from typing import Final

from lymer import clock
from lymer.errors import StorageError
from lymer.storage.clickhouse.engine import Engine, Settings
from lymer.telemetry.logs import EventLog

__all__ = ["LEASE_SECONDS", "Lease"]

_log = EventLog(__name__)
LEASE_SECONDS: Final = 15.0
"""A turn that was not renewed for so long is over."""
_RENEWALS: Final = 5
"""How often a turn is renewed within that time."""
_DATABASE: Final = "lymer"
_EXISTS: Final = "Code: 57."
_RELEASED: Final = "released"


class Lease:
    """One process's wish to hold a lease; thread-safe."""

    def __init__(
        self, engine: Engine, name: str, holder: str, *, seconds: float = LEASE_SECONDS
    ) -> None:
        """Wish; `start` begins to try.

        Args:
            engine: The store that the processes share: one server.
            name: Of the lease, letters only.
            holder: Who we are, the same after a restart, without blanks: we take over from
                ourselves at once.
            seconds: A turn that was not renewed for so long is over.
        """
        self._engine = engine
        self._name = name
        self._prefix = f"lease_{name}_"
        self._holder = holder
        self._seconds = seconds
        self._turn = 0
        self._renewed = -math.inf
        self._seen = ("", "", 0.0)
        """The last turn and its comment, and since when they are so."""
        self._beats = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lease-{name}", daemon=True)

    @property
    def is_held(self) -> bool:
        """Whether we hold it, as far as we know: `fence` is what makes sure."""
        return clock.monotonic_seconds() - self._renewed < self._seconds

    def fence(self) -> str:
        """Return a condition in SQL that throws if our turn is over: its table is gone then.

        It is looked at when the statement begins, however long after it was sent: a request can
        lie unread, in a proxy or before a server that stands still.
        """
        return f"hasColumnInTable('{_DATABASE}', '{self._table(self._turn)}', 'nothing')"

    def settings(self) -> Settings:
        """Return the settings of statements that only the holder may run."""
        return {"log_comment": f"lymer {self._name} {self._turn}"}

    def start(self) -> None:
        """Try now, and again and again until `release`."""
        self._try()
        self._thread.start()

    def wait(self, seconds_max: float) -> bool:
        """Wait until it is held; return whether it is."""
        deadline = clock.monotonic_seconds() + seconds_max
        while not self.is_held:
            if clock.monotonic_seconds() > deadline or self._stop.wait(0.2):
                return False
            self._try()
        return True

    def seize(self) -> None:
        """Take the next turn at once: who holds it is decided elsewhere, and it is us now.

        Raises:
            StorageError: The engine failed.
        """
        statement = (
            f"SELECT {{mark}}, max(name) FROM system.tables WHERE database = '{_DATABASE}' "
            f"AND startsWith(name, '{self._prefix}')"
        )
        self._turn = 0
        while not self._turn:
            ((newest,),) = self._engine.select("", statement, 1)
            self._take(newest.decode(), clock.monotonic_seconds())

    def next_turn(self) -> None:
        """Begin another turn of ours, if we have one: what we sent in this one is over.

        Raises:
            StorageError: The engine failed; it is not known whether another turn has begun.
        """
        with self._lock:
            if self._turn:
                self._take(self._table(self._turn), clock.monotonic_seconds())

    def take_over(self) -> None:
        """Take it from whoever holds it, and keep it: what is to be done must be done here.

        Raises:
            StorageError: The engine failed.
        """
        statement = (
            f"SELECT {{mark}}, max(name) FROM system.tables WHERE database = '{_DATABASE}' "
            f"AND startsWith(name, '{self._prefix}')"
        )
        while not self.look():
            with self._lock:
                ((newest,),) = self._engine.select("", statement, 1)
                self._take(newest.decode(), clock.monotonic_seconds())

    def look(self) -> bool:
        """Return whether it is ours, as of now."""
        self._try()
        return self.is_held

    @property
    def turn(self) -> int:
        """Which turn is ours, if it is held."""
        return self._turn

    def release(self) -> None:
        """Let somebody else have it at once; idempotent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(self._seconds)
        with self._lock:
            if not self.is_held:
                return
            self._renewed = -math.inf
            try:
                self._comment(self._turn, _RELEASED)
            except StorageError:
                return  # it ends by itself

    def _run(self) -> None:
        while not self._stop.wait(self._seconds / _RENEWALS):
            self._try()

    def _try(self) -> None:
        with self._lock:
            held = self.is_held
            try:
                self._step()
            except StorageError as error:
                if held and not self.is_held:
                    _log.warning("lease lost", lease=self._name, error=error)

    def _step(self) -> None:
        begun = clock.monotonic_seconds()
        statement = (
            f"SELECT {{mark}}, name, comment FROM system.tables WHERE database = '{_DATABASE}' "
            f"AND startsWith(name, '{self._prefix}') ORDER BY name"
        )
        names, comments = self._engine.select("", statement, 2)
        newest = names[-1].decode() if names else ""
        comment = comments[-1].decode() if names else ""
        if self._turn and newest == self._table(self._turn):
            self._beats += 1
            self._comment(self._turn, f"{self._holder} {self._beats}")
            self._renewed = begun
            return
        if self._turn:
            _log.warning("lease lost", lease=self._name, to=comment.split(" ")[0])
            self._turn, self._renewed = 0, -math.inf
        if (newest, comment) != self._seen[:2]:
            self._seen = (newest, comment, begun)
        is_over = begun - self._seen[2] >= self._seconds
        if not newest or comment == _RELEASED or comment.split(" ")[0] == self._holder or is_over:
            self._take(newest, begun)

    def _take(self, newest: str, begun: float) -> None:
        turn = int(newest.removeprefix(self._prefix)) + 1 if newest else 1
        text = f"{self._holder} 0"
        try:
            self._engine.command(
                _DATABASE,
                f"CREATE TABLE {{db}}.{self._table(turn)} (nothing UInt8) ENGINE = Memory "
                f"COMMENT '{text}'",
            )
        except StorageError as error:
            if _EXISTS in str(error):
                return  # somebody else was faster
            raise
        # Statements of former turns that begin from now on throw; those that have begun are killed.
        for old in range(max(1, turn - 8), turn):
            self._engine.command(_DATABASE, f"DROP TABLE IF EXISTS {{db}}.{self._table(old)} SYNC")
        self._engine.command(
            "",
            f"KILL QUERY WHERE startsWith(Settings['log_comment'], 'lymer {self._name} ') SYNC",
        )
        self._turn, self._renewed = turn, begun
        _log.info("lease taken", lease=self._name, turn=turn)

    def _table(self, turn: int) -> str:
        return f"{self._prefix}{turn:010d}"

    def _comment(self, turn: int, text: str) -> None:
        self._engine.command(
            _DATABASE, f"ALTER TABLE {{db}}.{self._table(turn)} MODIFY COMMENT '{text}'"
        )
