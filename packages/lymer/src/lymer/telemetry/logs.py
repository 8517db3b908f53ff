"""Logs as events with fields, on the standard library's logging.

An event is a constant phrase; what varies are its fields::

    log = EventLog(__name__)
    log.info("segment sealed", segment=7, bytes=25165824, seconds=0.4)

One line for each change of state, none in pure code, none for a span or a request. Libraries that
log by themselves come through the same handler, at warning and above. Fields whose names say that
they are secret, and passwords inside URLs, are never written.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TextIO, TypeAlias, cast

__all__ = ["ConsoleFormatter", "EventLog", "FieldValue", "JsonFormatter", "configure_logs"]

FieldValue: TypeAlias = object
"""Anything: numbers, booleans and None stay what they are, the rest is written as text."""

_ROOT: Final = "lymer"
_FIELDS: Final = "lymer_fields"
_REDACTED: Final = "[redacted]"
_REPEATED: Final = "lymer_repeated"
_FLOOD_LINES: Final = 5
"""Warnings of one kind written as they come, within so many seconds:"""
_FLOOD_SECONDS: Final = 10.0
_FLOOD_KINDS_MAX: Final = 1000
_TEXT_LENGTH_MAX: Final = 4096
"""Characters of one field; a stack of nested causes or a sender's bytes must not fill the disk."""

_SECRET_NAME: Final = re.compile(
    r"passw|secret|token|authorization|cookie|credential|api_?key|private_?key", re.IGNORECASE
)
_URL_PASSWORD: Final = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]*(?=@)")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN: Final = re.compile(r"[^\s\"=]+")


class EventLog:
    """Writes events of one module; cheap to make, safe from any thread."""

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        """Log under `name`, a module's `__name__`."""
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **fields: FieldValue) -> None:
        """Write what only a developer of Lymer needs."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: FieldValue) -> None:
        """Write a change of state."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: FieldValue) -> None:
        """Write what an operator should look at today."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: FieldValue) -> None:
        """Write what failed and needs somebody now."""
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, error: BaseException, /, **fields: FieldValue) -> None:
        """Write what failed with the stack of `error`; for bugs, not for what may happen."""
        self._write(logging.ERROR, event, fields, error)

    def _write(
        self,
        level: int,
        event: str,
        fields: Mapping[str, FieldValue],
        error: BaseException | None = None,
    ) -> None:
        if self._logger.isEnabledFor(level):
            # The event goes as an argument, so that a "%" in it stays a "%".
            self._logger.log(level, "%s", event, exc_info=error, extra={_FIELDS: fields})


def configure_logs(level: str, encoding: str, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream`, replacing what was configured before.

    Args:
        level: Least severity of Lymer's own events: debug, info, warning or error. Libraries are
            heard from warning on, or from `level` if that is higher.
        encoding: `console` or `json`.
        stream: Where to; None is standard error.
    """
    output = logging.StreamHandler(stream or sys.stderr)
    output.setFormatter(JsonFormatter() if encoding == "json" else ConsoleFormatter())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    output.addFilter(_Flood(output))
    root.addHandler(output)
    root.setLevel(max(logging.WARNING, threshold))
    logging.getLogger(_ROOT).setLevel(threshold)
    logging.captureWarnings(capture=True)


class _Flood(logging.Filter):
    """Lets the first warnings of a kind through; those that follow soon become one with a count.

    A kind is a logger and its event, whatever its fields say.
    """

    def __init__(self, output: logging.Handler) -> None:
        super().__init__()
        self._output = output
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, str], tuple[float, int]] = {}
        """Kind to when its period began, and how many came in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or hasattr(record, _REPEATED):
            return True
        kind = (record.name, record.getMessage())
        with self._lock:
            if len(self._kinds) > _FLOOD_KINDS_MAX:
                self._kinds.clear()
            began, count = self._kinds.get(kind, (0.0, 0))
            if record.created - began > _FLOOD_SECONDS:
                began, count = record.created, 0
            self._kinds[kind] = began, count + 1
            if count + 1 == _FLOOD_LINES + 1:
                timer = threading.Timer(_FLOOD_SECONDS, self.tell, [kind, record])
                timer.daemon = True
                timer.start()
        return count < _FLOOD_LINES

    def tell(self, kind: tuple[str, str], record: logging.LogRecord) -> None:
        """Write the last one again, with how many there were."""
        with self._lock:
            _, count = self._kinds.pop(kind, (0.0, 0))
        if count > _FLOOD_LINES:
            told = logging.makeLogRecord(record.__dict__)
            told.created = record.created + _FLOOD_SECONDS
            told.exc_info = None
            setattr(told, _REPEATED, True)
            fields = {**getattr(record, _FIELDS, {}), "repeated": count - _FLOOD_LINES}
            setattr(told, _FIELDS, fields)
            self._output.handle(told)


class ConsoleFormatter(logging.Formatter):
    """Lines for people: `2026-11-22T17:00:00.000Z INFO journal: segment sealed bytes=25165824`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; the lines of a stack follow it."""
        words = [
            _instant(record.created),
            f"{record.levelname:<7}",
            f"{_short_name(record.name)}:",
            _printable(record.getMessage()),
        ]
        words += [f"{name}={_console_value(value)}" for name, value in _fields(record).items()]
        line = " ".join(words)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `event`, the fields, maybe `stack`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line without a line break in it."""
        entry: dict[str, object] = {
            "time": _instant(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _redact_urls(record.getMessage())[:_TEXT_LENGTH_MAX],
        }
        for name, value in _fields(record).items():
            entry[f"field_{name}" if name in entry else name] = value
        if record.exc_info:
            entry["stack"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))


def _fields(record: logging.LogRecord) -> dict[str, str | int | float | bool | None]:
    fields = cast("Mapping[str, FieldValue]", getattr(record, _FIELDS, {}))
    return {name: _field_value(name, value) for name, value in fields.items()}


def _field_value(name: str, value: FieldValue) -> str | int | float | bool | None:
    if _SECRET_NAME.search(name):
        return _REDACTED
    match value:
        case None | bool() | int():
            return value
        case float():
            # JSON has no NaN and no infinity.
            return round(value, 6) if abs(value) < float("inf") else str(value)
        case _:
            return _redact_urls(str(value))[:_TEXT_LENGTH_MAX]


def _console_value(value: object) -> str:
    text = str(value)
    if _PLAIN.fullmatch(text) and not _UNPRINTABLE.search(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _printable(text: str) -> str:
    """Escape what would forge a second line or drive a terminal."""
    text = _redact_urls(text)[:_TEXT_LENGTH_MAX]
    return _UNPRINTABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def _redact_urls(text: str) -> str:
    return _URL_PASSWORD.sub(_REDACTED, text)


def _short_name(name: str) -> str:
    return name.removeprefix(_ROOT + ".")


def _instant(seconds: float) -> str:
    instant = datetime.fromtimestamp(seconds, UTC)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"
