"""Logs as events with fields, on the standard library's logging.

An event is a constant phrase; what varies are its fields::

    log = EventLog(__name__)
    log.info("certificate issued", key="default/web")

The lines look like klog's, which is what people's parsers know: `text` as
`I1125 15:04:05.000000    1234 engine.worker] "certificate issued" key="default/web"`, `json` as one
object with `ts`, `v`, `msg`. Fields whose names say that they are secret are never written.

Source: Kubernetes documentation, System Logs.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TextIO, TypeAlias, cast

__all__ = ["EventLog", "FieldValue", "configure_logs"]

FieldValue: TypeAlias = object
"""Anything: numbers, booleans and None stay what they are, the rest is written as text."""

_ROOT: Final = "certwright"
_FIELDS: Final = "certwright_fields"
_REDACTED: Final = "[redacted]"
_TEXT_LENGTH_MAX: Final = 4096
"""Characters of one field."""

_SECRET_NAME: Final = re.compile(
    r"passw|token|authorization|credential|api_?key|private_?key|secret_data", re.IGNORECASE
)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class EventLog:
    """Writes events of one module; cheap to make, safe from any thread."""

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        """Log under `name`, a module's dotted name."""
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **fields: FieldValue) -> None:
        """Write what only a developer of Certwright needs."""
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


def configure_logs(verbosity: int, encoding: str, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream`, replacing what was configured before.

    Args:
        verbosity: klog's `--v`: 0 warnings and errors only, up to 3 changes of state, from 4 on
            everything.
        encoding: `text` or `json`.
        stream: Where to; None is standard error.
    """
    output = logging.StreamHandler(stream or sys.stderr)
    output.setFormatter(_JsonFormatter() if encoding == "json" else _TextFormatter())
    own = logging.WARNING if verbosity <= 0 else logging.INFO if verbosity < 4 else logging.DEBUG
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(output)
    root.setLevel(logging.WARNING)
    logging.getLogger(_ROOT).setLevel(own)
    logging.captureWarnings(capture=True)


class _TextFormatter(logging.Formatter):
    """klog's line, with the module in the place of the source file."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; the lines of a stack follow it."""
        instant = datetime.fromtimestamp(record.created, UTC)
        letter = "E" if record.levelno >= logging.ERROR else record.levelname[0]
        letter = "I" if letter == "D" else letter
        line = (
            f"{letter}{instant:%m%d %H:%M:%S.%f} {os.getpid():7d} "
            f"{record.name.removeprefix(_ROOT + '.')}] {json.dumps(_text(record.getMessage()))}"
        )
        for name, value in _fields(record).items():
            shown = value if isinstance(value, int | float) else json.dumps(value)
            line += f" {name}={shown}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonFormatter(logging.Formatter):
    """One JSON object a line, with the names that Kubernetes' components use."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line without a line break in it."""
        entry: dict[str, object] = {
            "ts": round(record.created * 1000, 3),
            "caller": record.name,
            "msg": _text(record.getMessage()),
            "v": 4 if record.levelno < logging.INFO else 0,
        }
        for name, value in _fields(record).items():
            entry[f"field_{name}" if name in entry else name] = value
        if record.levelno >= logging.WARNING:
            entry["severity"] = record.levelname.lower()
        if record.exc_info:
            entry["stack"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))


def _fields(record: logging.LogRecord) -> dict[str, str | int | float | bool | None]:
    fields = cast("Mapping[str, FieldValue]", getattr(record, _FIELDS, {}))
    return {name: _field_value(name, value) for name, value in fields.items()}


def _field_value(name: str, value: FieldValue) -> str | int | float | bool | None:
    if _SECRET_NAME.search(name):
        return _REDACTED
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):  # JSON has no NaN and no infinity
        return round(value, 6) if abs(value) < float("inf") else str(value)
    return _text(str(value))


def _text(text: str) -> str:
    """Escape what would forge a second line or drive a terminal."""
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", text[:_TEXT_LENGTH_MAX])
