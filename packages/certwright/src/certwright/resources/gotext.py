"""Text as Go's fmt and encoding/csv write and read it, because people and programs match on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from certwright.errors import InvalidError

__all__ = ["format_strings", "join_csv", "quote", "split_csv"]

_ESCAPES: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def quote(text: str) -> str:
    r"""Return `text` as Go's `%q` prints a string.

    Lone surrogates, which stand for bytes that are not UTF-8 (`surrogateescape`), come out as
    those bytes: `\xff`.

    Source: Go strconv.Quote.
    """
    return f'"{"".join(map(_quoted_character, text))}"'


def _quoted_character(character: str) -> str:
    code = ord(character)
    if character in _ESCAPES:
        return _ESCAPES[character]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return "\\ufffd"
    if character.isprintable():
        return character
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def format_strings(texts: Iterable[str]) -> str:
    """Return strings as Go's `%v` prints a slice of them: `[spec.dnsNames spec.commonName]`."""
    return f"[{' '.join(texts)}]"


def join_csv(fields: Sequence[str]) -> str:
    r"""Return `fields` as one line of CSV, without a line end.

    A field is quoted if it holds a comma, a quote, `\r` or `\n`, starts with white space, or is
    `\.`. An empty field is not quoted.

    Source: Go encoding/csv Writer; cert-manager v1.12.2 pkg/util/util.go `JoinWithEscapeCSV`.
    """
    return ",".join(map(_csv_field, fields))


def _csv_field(field: str) -> str:
    needs_quotes = field == "\\." or any(mark in field for mark in ',"\r\n') or field[:1].isspace()
    return '"' + field.replace('"', '""') + '"' if needs_quotes else field


def split_csv(text: str) -> list[str]:
    r"""Return the fields of one line of CSV; what `join_csv` wrote comes back, but for `\r\n`.

    Raises:
        InvalidError: It is no CSV, no line or more than one line; the text is cert-manager's.

    Source: Go encoding/csv Reader; cert-manager v1.12.2 pkg/util/util.go `SplitWithEscapeCSV`.
    """
    try:
        records = _CsvReader(text).records()
    except _CsvError as error:
        raise InvalidError(f"failed to parse {quote(text)} as CSV: {error}") from error
    if not records:
        raise InvalidError(f"no values found after parsing {quote(text)}")
    if len(records) > 1:
        raise InvalidError(
            f"refusing to use {quote(text)} as input as it parses as multiple lines of CSV"
        )
    return records[0]


class _CsvError(Exception):
    """Go's csv.ParseError."""

    def __init__(self, start_line: int, line: int, column: int, cause: str) -> None:
        if cause == _WRONG_COUNT:
            super().__init__(f"record on line {line}: {cause}")
        elif start_line != line:
            super().__init__(
                f"record on line {start_line}; parse error on line {line}, column {column}: {cause}"
            )
        else:
            super().__init__(f"parse error on line {line}, column {column}: {cause}")


_BARE: Final = 'bare " in non-quoted-field'
_EXTRANEOUS: Final = 'extraneous or missing " in quoted-field'
_WRONG_COUNT: Final = "wrong number of fields"


class _CsvReader:
    r"""Reads records. Columns count bytes from 1, as Go's do. `\r\n` is read as `\n`."""

    def __init__(self, text: str) -> None:
        lines = text.split("\n")
        tail = lines.pop().removesuffix("\r")
        self._lines = [line.removesuffix("\r") + "\n" for line in lines]
        if tail:
            self._lines.append(tail)
        self._next = 0

    def records(self) -> list[list[str]]:
        found: list[list[str]] = []
        while self._next < len(self._lines):
            line = self._take()
            if line in {"", "\n"}:
                continue
            start_line = self._next
            found.append(self._record(line))
            if len(found[-1]) != len(found[0]):
                raise _CsvError(start_line, start_line, 1, _WRONG_COUNT)
        return found

    def _take(self) -> str:
        self._next += 1
        return self._lines[self._next - 1]

    def _record(self, line: str) -> list[str]:
        start_line, position, fields = self._next, 0, list[str]()
        while True:
            if line.startswith('"', position):
                field, line, position, ended = self._quoted(start_line, line, position + 1)
            else:
                comma = line.find(",", position)
                end = comma if comma >= 0 else len(line.removesuffix("\n"))
                field, ended = line[position:end], comma < 0
                bare = field.find('"')
                if bare >= 0:
                    column = _column(line, position + bare)
                    raise _CsvError(start_line, self._next, column, _BARE)
                position = end + 1
            fields.append(field)
            if ended:
                return fields

    def _quoted(self, start_line: int, line: str, position: int) -> tuple[str, str, int, bool]:
        """Read to the closing quote: the field, its last line, where it ends, if all is read."""
        parts: list[str] = []
        while True:
            mark = line.find('"', position)
            if mark < 0:
                parts.append(line[position:])
                if self._next == len(self._lines):
                    column = _column(line, len(line))
                    raise _CsvError(start_line, self._next, column, _EXTRANEOUS)
                line, position = self._take(), 0
                continue
            parts.append(line[position:mark])
            position = mark + 1
            if line.startswith('"', position):
                parts.append('"')
                position += 1
            elif line.startswith(",", position):
                return "".join(parts), line, position + 1, False
            elif line[position:] in {"", "\n"}:
                return "".join(parts), line, position, True
            else:
                column = _column(line, mark)
                raise _CsvError(start_line, self._next, column, _EXTRANEOUS)


def _column(line: str, index: int) -> int:
    return len(line[:index].encode("utf-8", "surrogateescape")) + 1
