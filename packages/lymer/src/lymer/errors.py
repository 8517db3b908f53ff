"""The tree of errors, sorted by whose fault they are.

::

    LymerError
    ├── RejectedError            theirs: the sender must not repeat it
    │   ├── UndecodableError     bytes that are not what they claim to be
    │   ├── TooLargeError        over a limit; the message holds the number, the unit, the limit
    │   │   └── BodyTooLargeError  a body that is not read to its end
    │   ├── QuestionError        a query that cannot be answered as asked
    │   │   └── QuestionTextError  at one place of its text, with a hint
    │   ├── TraceNotFoundError   a valid question about a trace nobody sent
    │   └── TenantError          a request that does not say whose it is, or says it wrongly
    ├── OverloadedError          ours, now: the sender should repeat it after `retry_after_seconds`
    │   └── LargeAnswerError     a large answer must wait until another one is sent
    ├── StorageError             the engine failed; repeating may help
    │   ├── StorageMemoryError   the statement needs more memory than it may have: ask for less
    │   └── StorageAwayError     the process that owns the store cannot be reached
    ├── SupersededError          what we were about to store is somebody else's by now
    ├── StartupError             the program cannot start as it is configured
    └── CorruptJournalError      the disk's: page someone

Each class carries the HTTP status and the gRPC code it becomes at an edge, so edges map errors
without knowing classes.
"""

from __future__ import annotations

__all__ = [
    "BodyTooLargeError",
    "CorruptJournalError",
    "LargeAnswerError",
    "LymerError",
    "OverloadedError",
    "QuestionError",
    "QuestionTextError",
    "RejectedError",
    "StartupError",
    "StorageAwayError",
    "StorageError",
    "StorageMemoryError",
    "SupersededError",
    "TenantError",
    "TooLargeError",
    "TraceNotFoundError",
    "UndecodableError",
]


class LymerError(Exception):
    """Root of all errors Lymer raises on purpose."""

    http_status: int = 500
    """HTTP status this error becomes at an HTTP edge."""
    grpc_code: int = 13
    """gRPC status code number (13 = INTERNAL). Source: grpc/doc/statuscodes.md."""


class RejectedError(LymerError):
    """The sender is at fault and must not repeat the request as it is."""

    http_status = 400
    grpc_code = 3


class UndecodableError(RejectedError):
    """Bytes that are not what their content type says."""


class TooLargeError(RejectedError):
    """A body, message or value over a limit."""


class BodyTooLargeError(TooLargeError):
    """A body that is not read, or not decompressed, to its end: what it says is not known."""


class QuestionError(RejectedError):
    """A query that cannot be answered as it was asked."""


class QuestionTextError(QuestionError):
    """A text in the search language that cannot be read, or asks for what is not there."""

    def __init__(self, cause: str, *, at: int, line: int, column: int, hint: str = "") -> None:
        """Say where and why.

        Args:
            cause: What is wrong there, without the place.
            at: Offset of the place in characters, from 0.
            line: Its line, from 1.
            column: Its column in characters, from 1.
            hint: What to write instead; empty where nothing better than the cause is known.
        """
        place = f"line {line}, column {column}"
        super().__init__(f"cannot read the question at {place}: {cause}{hint and f'; {hint}'}")
        self.cause = cause
        self.at = at
        self.line = line
        self.column = column
        self.hint = hint


class TraceNotFoundError(RejectedError):
    """No span of the trace asked for is stored."""

    http_status = 404
    grpc_code = 5

    def __init__(self, message: str = "trace not found") -> None:
        """Keep Jaeger's message, which clients match on."""
        super().__init__(message)


class TenantError(RejectedError):
    """The request names no tenant, too many, or one that may not be."""

    http_status = 401
    grpc_code = 7

    def __init__(self, message: str, *, grpc_code: int = 7) -> None:
        """Remember which of gRPC's codes it is: PERMISSION_DENIED or UNAUTHENTICATED."""
        super().__init__(message)
        self.grpc_code = grpc_code


class OverloadedError(LymerError):
    """We cannot take the request now; the same request may succeed later."""

    http_status = 503
    grpc_code = 14

    def __init__(self, message: str, *, retry_after_seconds: int = 1) -> None:
        """Remember after how many seconds the sender should try again."""
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class LargeAnswerError(OverloadedError):
    """The answer is large, and whoever asked has no place among the large ones yet."""


class StorageError(LymerError):
    """The engine could not do what it was asked; the cause is chained."""


class StorageMemoryError(StorageError):
    """A statement needed more memory than it may have, or than is left."""

    http_status = 503
    grpc_code = 8


class StorageAwayError(StorageError):
    """The process that owns the store cannot be reached; it may be back soon."""

    http_status = 503
    grpc_code = 14


class SupersededError(LymerError):
    """A segment whose messages belong to another process by now, which stores them."""


class StartupError(LymerError):
    """The program cannot start: one sentence that says what, where and what to do."""


class CorruptJournalError(LymerError):
    """Acknowledged bytes cannot be read back. Source of truth is gone: page someone."""

    grpc_code = 15
