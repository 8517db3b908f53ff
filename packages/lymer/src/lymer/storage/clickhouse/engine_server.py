"""A ClickHouse server as the engine, over HTTP by clickhouse-connect: same SQL, same answers.

Laws: an answer is taken only when its statement has ended (the server holds it back until then, so
a failure is a status and never a tail of an answer); a statement has an id, so that it can be ended
at the server when nobody waits for it any more.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from lymer import clock
from lymer.errors import (
    StartupError,
    StorageAwayError,
    StorageError,
    StorageMemoryError,
    UndecodableError,
)
from lymer.storage.caller import stoppable
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

__all__ = ["ServerEngine"]

_PORTS: Final = {"http": 8123, "https": 8443}
_CONNECTIONS_MAX: Final = 16
_CONNECT_SECONDS: Final = 5
_ANSWER_SECONDS_MAX: Final = 300
_PIECE_BYTES: Final = 1 << 18
_LATE_SECONDS: Final = 3
"""An answer may take so much longer to come than its statement may run."""
_ALWAYS: Final[dict[str, str | int]] = {
    "wait_end_of_query": 1,
    # Bytes stand in a statement: as parameters they would be fields of a form, of at most 128 KiB
    # each and fewer than a question may have.
    "max_query_size": 16 * 2**20,
}
_limits = threading.local()


class ServerEngine:
    """An `Engine` on a server or a proxy in front of several; safe between threads."""

    def __init__(
        self, url: str, *, user: str = "default", password: str = "", ca_file: Path | None = None
    ) -> None:
        """Connect.

        Args:
            url: `http://HOST:8123` or `https://HOST:8443`.
            user: Who asks; may make and drop databases.
            password: Of the user.
            ca_file: Certificates that the server is trusted by; None: the system's.

        Raises:
            StartupError: `clickhouse-connect` is not installed, or the URL is none.
            StorageAwayError: Nobody answers there, or refuses user and password.
        """
        try:
            import clickhouse_connect  # noqa: PLC0415 - an extra
            from clickhouse_connect import common  # noqa: PLC0415 - an extra
            from clickhouse_connect.driver import httputil  # noqa: PLC0415 - an extra
            from urllib3 import Timeout  # noqa: PLC0415 - an extra's
        except ImportError as error:
            raise StartupError(
                "cannot store on a ClickHouse server: clickhouse-connect is missing, install it "
                "with pip install 'lymer[clickhouse]'"
            ) from error
        common.set_setting("invalid_setting_action", "send")
        common.set_setting("autogenerate_session_id", value=False)
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise StartupError("cannot store on a ClickHouse server: its URL is http://HOST:8123")
        port = parts.port or _PORTS[parts.scheme]
        self._place = f"{parts.hostname}:{port}"
        self._running: set[str] = set()
        self._lock = threading.Lock()
        self._closed = False
        for library in ("urllib3", "clickhouse_connect"):  # what they say, our errors say once
            logging.getLogger(library).setLevel(logging.CRITICAL)
        try:
            socket.create_connection((parts.hostname, port), _CONNECT_SECONDS).close()
        except OSError as error:
            raise StorageAwayError(
                f"cannot reach the ClickHouse server at {self._place}: {error.strerror or error}"
            ) from error
        ca_cert = None if ca_file is None else str(ca_file)
        try:
            self._client: Any = clickhouse_connect.get_client(
                interface=parts.scheme,
                host=parts.hostname,
                port=port,
                username=user,
                password=password,
                compress="lz4",
                connect_timeout=_CONNECT_SECONDS,
                send_receive_timeout=_ANSWER_SECONDS_MAX,
                client_name="lymer",
                pool_mgr=_with_whole_answers(
                    httputil.get_pool_manager(maxsize=_CONNECTIONS_MAX, ca_cert=ca_cert), Timeout
                ),
            )
        except Exception as error:  # the library raises its own and urllib3's
            raise StorageAwayError(
                f"cannot reach the ClickHouse server at {self._place}: {shortened(str(error))}"
            ) from error

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
        asked = mark.put(_bound(statement, database))
        return mark.columns(self._asked(asked, "MsgPack", parameters, settings), width)

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
        asked = mark.put(_bound(statement, database))
        return mark.array(self._asked(asked, "RowBinary", parameters, settings), row)

    def command(
        self,
        database: str,
        statement: str,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Run a statement; see `Engine.command`."""
        with self._statement(settings) as asked_with:
            self._client.command(
                _bound(statement, database), parameters=_plain(parameters), settings=asked_with
            )

    def load_file(
        self, database: str, statement: str, path: Path, structure: str, settings: Settings, /
    ) -> None:
        """Insert from a file, sent as it is; see `Engine.load_file`."""
        escaped = structure.replace("\\", "\\\\").replace("'", "\\'")
        filled = _bound(statement, database).replace("{source}", f"input('{escaped}')")
        try:
            with self._statement(settings) as asked_with:
                # Of blanks behind the format's name only one end of line is not data.
                head = f"{filled} FORMAT Protobuf\n".encode()
                size = _size(path)
                self._client.raw_insert(
                    insert_block=_pieces(head, path, size),
                    settings=asked_with,
                    transport_settings={"Content-Length": str(len(head) + size)},
                )
        except StorageError as error:
            words = str(error)
            if any(f"{code}" in words for code in DECODE_CODES):
                raise UndecodableError(words) from error
            if MEMORY_CODE in words:
                raise StorageMemoryError(words) from error
            raise

    def check(self) -> None:
        """Ask the server for one row."""
        with self._statement(None) as asked_with:
            self._client.command("SELECT 1", settings=asked_with)

    def close(self) -> None:
        """End what still runs at the server, for nobody waits for it; idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            running = [*self._running]
        self._kill(running)
        self._client.close()

    def _asked(
        self,
        statement: str,
        output: str,
        parameters: Mapping[str, Parameter] | None,
        settings: Settings | None,
    ) -> bytes:
        with memory_refused(), self._statement(settings) as asked_with:
            filled, short = with_blobs(statement, parameters or {})
            limit = (settings or {}).get("max_execution_time")
            seconds = float(limit) + _LATE_SECONDS if limit else _ANSWER_SECONDS_MAX
            query_id = asked_with["query_id"]
            try:
                with _limited(seconds), stoppable(lambda: self._kill([query_id])):
                    answer = self._client.raw_stream(
                        filled, parameters=_plain(short), settings=asked_with, fmt=output
                    )
                    with contextlib.closing(answer):
                        return _read(answer, seconds)
            except TimeoutError:
                self._kill([query_id])
                raise

    def _kill(self, query_ids: Iterable[str]) -> None:
        """End statements at the server, if it answers; nobody waits for them any more."""
        with contextlib.suppress(Exception), _limited(_CONNECT_SECONDS):
            for query_id in query_ids:
                self._client.command(
                    "KILL QUERY WHERE query_id = {id:String} ASYNC", parameters={"id": query_id}
                )

    @contextlib.contextmanager
    def _statement(self, settings: Settings | None) -> Iterator[dict[str, Any]]:
        """Give a statement an id and its settings; the server's words become our errors."""
        query_id = f"lymer-{secrets.token_hex(8)}"
        with self._lock:
            if self._closed:
                raise StorageError("cannot run a statement: the store is closed")
            self._running.add(query_id)
        try:
            yield {**_ALWAYS, **(settings or {}), "query_id": query_id}
        except StorageError:
            raise
        except Exception as error:
            words = shortened(str(error))
            if "Code: " in words:
                raise StorageError(words[words.index("Code: ") :]) from error
            raise StorageAwayError(
                f"cannot ask the ClickHouse server at {self._place}: {words}"
            ) from error
        finally:
            with self._lock:
                self._running.discard(query_id)


def _with_whole_answers(pool: Any, timeout: Any) -> Any:
    """Have a pool of connections refuse answers whose end cannot be known, and wait as `_limited`.

    A connection that was cut within the lines before an answer is taken for one without any bytes
    (Source: Python's `http.client.parse_headers`, which ends at the end of what is sent).
    """
    ask = pool.request

    def whole(method: str, url: str, **how: Any) -> Any:
        seconds = getattr(_limits, "seconds", None)
        if seconds is not None:
            how["timeout"] = timeout(connect=_CONNECT_SECONDS, read=seconds)
        answer = ask(method, url, **how)
        if not {"content-length", "transfer-encoding"} & {name.lower() for name in answer.headers}:
            answer.close()
            raise ConnectionError("the connection was cut before the answer")
        return answer

    pool.request = whole
    return pool


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Let this thread wait so long for each piece of an answer."""
    _limits.seconds = seconds
    try:
        yield
    finally:
        _limits.seconds = None


def _read(answer: Any, seconds: float) -> bytes:
    """Return an answer's bytes; raise `TimeoutError` if they take longer."""
    deadline = clock.monotonic_seconds() + seconds
    pieces = []
    while piece := answer.read1(_PIECE_BYTES):
        pieces.append(piece)
        if clock.monotonic_seconds() > deadline:
            raise TimeoutError(f"its answer is not whole after {seconds:g} s")
    return b"".join(pieces)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


def _pieces(head: bytes, path: Path, size: int) -> Iterator[bytes | memoryview]:
    """Yield `head`, then a file in pieces: it is never in memory whole.

    Raises:
        StorageError: It cannot be read, or has become shorter.
    """
    yield head
    buffer = memoryview(bytearray(min(size, _PIECE_BYTES)))
    try:
        with path.open("rb", buffering=0) as file:
            while size:
                count = file.readinto(buffer[:size])
                if not count:
                    raise StorageError(f"cannot read {path}: it has become shorter")
                size -= count
                yield buffer[:count]
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


def _plain(parameters: Mapping[str, Parameter] | None) -> dict[str, str | int]:
    return {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in (parameters or {}).items()
    }


def _bound(statement: str, database: str) -> str:
    return statement.replace("{db}", database)
