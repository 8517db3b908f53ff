"""JSON of any length as pieces that are whole: bounded memory, whatever the file.

A file is a row of JSON documents, usually one, or one a line. A document is walked by its brackets
only. A list at the top, or below one of the keys that hold traces, is given out element by element;
any other object whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import orjson

__all__ = ["PIECE_BYTES_MAX", "JsonPiece", "JsonProblem", "iter_json"]

PIECE_BYTES_MAX: Final = 256 * 2**20
"""Largest trace, resource or line that is read at once, bytes."""
LINE_BYTES_MAX: Final = 4 * 2**20
"""A longer line is read by its elements, bytes."""
_BLOCK_BYTES: Final = 2**20
_SIGN: Final = re.compile(rb'[\[\]{}"]')
_TEXT_END: Final = re.compile(rb'["\\]')
_SPACE: Final = b" \t\r\n,\x1e\xef\xbb\xbf"
_KEY: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"\s*:\s*$')
LISTS: Final = frozenset({
    b"data", b"resourceSpans", b"resource_spans", b"batches", b"traces", b"hits",
})  # fmt: skip
"""Keys below which a list is given out by its elements."""
_AROUND: Final = frozenset({b"trace", b"result", b"hits"})
"""Keys of objects that only stand around such a list."""


@dataclass(frozen=True, slots=True)
class JsonPiece:
    """A whole value of the file."""

    key: str
    """Below which list it stands; empty for a document of its own or an element of a bare list."""
    body: bytes
    line: int
    """Where it begins, from 1."""


@dataclass(frozen=True, slots=True)
class JsonProblem:
    """What could not be read."""

    line: int
    cause: str


class _Source:
    """Bytes of a file with a window, and the number of lines that are gone from it."""

    def __init__(self, stream: BinaryIO, first: bytes) -> None:
        self._stream = stream
        self.window = bytearray(first)
        self.at = 0
        self._line = 1
        self._counted = 0
        self.ended = False

    def more(self) -> bool:
        """Read another block; return False at the end."""
        block = b"" if self.ended else self._stream.read(_BLOCK_BYTES)
        self.ended = not block
        self.window += block
        return bool(block)

    def line(self, place: int) -> int:
        """Return the line of a place of the window, which never goes back."""
        self._line += self.window.count(b"\n", self._counted, place)
        self._counted = max(self._counted, place)
        return self._line

    def drop(self) -> None:
        """Forget what was read."""
        if self.at > _BLOCK_BYTES:
            self.line(self.at)
            del self.window[: self.at]
            self._counted -= self.at
            self.at = 0

    def skip_space(self) -> bool:
        """Go to what is no space; return False at the end."""
        while True:
            window, place = self.window, self.at
            while place < len(window) and window[place] in _SPACE:
                place += 1
            self.at = place
            if place < len(window):
                return True
            if not self.more():
                return False

    def has_line_end(self) -> bool:
        """Tell whether a line of ordinary length ends ahead, or the file."""
        while True:
            end = self.window.find(b"\n", self.at)
            if end >= 0 or len(self.window) - self.at > LINE_BYTES_MAX:
                return 0 <= end - self.at <= LINE_BYTES_MAX
            if not self.more():
                return True

    def whole_line(self) -> bytes | None:
        """Return the line ahead if it is a JSON object or list of ordinary length; go behind it."""
        if self.window[self.at] not in b"{[" or not self.has_line_end():
            return None
        end = self.window.find(b"\n", self.at)
        text = bytes(self.window[self.at : end if end >= 0 else len(self.window)])
        if text.rstrip()[-1:] not in {b"}", b"]"}:
            return None
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        self.at += len(text)
        return text

    def skip_line(self) -> None:
        """Go behind the next end of a line."""
        while True:
            end = self.window.find(b"\n", self.at)
            if end >= 0:
                self.at = end + 1
                return
            self.at = len(self.window)
            self.drop()
            if not self.more():
                return


def iter_json(stream: BinaryIO, first: bytes = b"") -> Iterator[JsonPiece | JsonProblem]:
    """Yield the pieces of a file; `first` was read from it before.

    What is malformed is told with its line, and reading goes on with the next line, if one begins
    with a value.
    """
    source = _Source(stream, first)
    has_lines = False
    while source.skip_space():
        source.drop()
        line = source.line(source.at)
        whole = source.whole_line()
        if whole is not None:
            has_lines = True
            yield JsonPiece("", whole, line)
            continue
        try:
            _check_beginning(source, line, is_line=has_lines and source.has_line_end())
            yield from _document(source)
        except _MalformedError as problem:
            yield JsonProblem(problem.line, problem.cause)
            source.skip_line()


class _MalformedError(Exception):
    def __init__(self, line: int, cause: str) -> None:
        super().__init__(cause)
        self.line, self.cause = line, cause


def _check_beginning(source: _Source, line: int, *, is_line: bool) -> None:
    """Raise if no document begins here that would end."""
    if source.window[source.at] not in b"[{":
        shown = bytes(source.window[source.at : source.at + 40]).decode(errors="replace")
        raise _MalformedError(line, f"it is no JSON object: {shown.splitlines()[0]!r}")
    if is_line:
        raise _MalformedError(line, "the line is not whole JSON")


def _document(source: _Source) -> Iterator[JsonPiece]:
    """Yield the pieces of the document that begins here, and go behind it."""
    line = source.line(source.at)
    if source.window[source.at] == 0x5B:
        yield from _elements(source, "")
        return
    is_around = True
    begin = source.at
    end, around = _find_end(source, begin, line, stop_at_lists=True)
    while around:  # a list to be given out begins at `end`, so deep
        is_around = False
        place = end
        key = _key_before(bytes(source.window[max(0, place - 200) : place]))
        source.at = place
        yield from _elements(source, key.decode())
        # Behind the list: what stands around it ends somewhere; nothing of it is needed.
        line = source.line(source.at)
        end, around = _find_end(source, source.at, line, stop_at_lists=True, depth=around)
    if is_around:
        yield JsonPiece("", bytes(source.window[begin:end]), line)
    source.at = end


def _elements(source: _Source, key: str) -> Iterator[JsonPiece]:
    """Yield the elements of the list that begins here, and go behind it."""
    start = source.line(source.at)
    source.at += 1
    while True:
        source.drop()
        if not source.skip_space():
            raise _MalformedError(start, "the list that begins here does not end")
        first, line = source.window[source.at], source.line(source.at)
        if first == 0x5D:
            source.at += 1
            return
        if first not in b"[{":
            raise _MalformedError(line, "an element of a list of traces is no object")
        begin = source.at
        end, _ = _find_end(source, begin, line)
        yield JsonPiece(key, bytes(source.window[begin:end]), line)
        source.at = end


def _find_end(
    source: _Source, place: int, line: int, *, stop_at_lists: bool = False, depth: int = 0
) -> tuple[int, int]:
    """Return where a value ends that begins at `place`, and 0; or a list's place, and its depth.

    With `stop_at_lists`, such lists are looked for directly in the object, and in objects that only
    stand around them.
    """
    begin = place
    around = [b""] * depth
    while True:
        found = _SIGN.search(source.window, place)
        if found is None:
            place = len(source.window)
            _grow(source, begin, line)
            continue
        sign, at = source.window[found.start()], found.start()
        place = found.end()
        if sign == 0x22:
            place = _behind_text(source, place, begin, line)
        elif sign in b"{[":
            if stop_at_lists and around and all(each in _AROUND or not each for each in around):
                key = _key_before(bytes(source.window[max(begin, at - 200) : at]))
                if sign == 0x5B and key in LISTS:
                    return at, len(around)
                around.append(key if sign == 0x7B else b"[")
            else:
                around.append(b"" if not around else b"?")
            if not stop_at_lists and len(around) > 10_000:
                raise _MalformedError(line, "it is nested too deep")
        else:
            if not around:
                raise _MalformedError(line, "a bracket closes that was not opened")
            around.pop()
            if not around:
                return place, 0


def _behind_text(source: _Source, place: int, begin: int, line: int) -> int:
    while True:
        found = _TEXT_END.search(source.window, place)
        if found is None:
            place = len(source.window)
            _grow(source, begin, line)
        elif source.window[found.start()] == 0x22:
            return found.end()
        else:
            place = found.end() + 1
            while place > len(source.window):
                _grow(source, begin, line)


def _grow(source: _Source, begin: int, line: int) -> None:
    if len(source.window) - begin > PIECE_BYTES_MAX:
        raise _MalformedError(line, f"it is larger than {PIECE_BYTES_MAX} bytes")
    if not source.more():
        raise _MalformedError(line, "it does not end")


def _key_before(text: bytes) -> bytes:
    found = _KEY.search(text)
    return found[1] if found else b""
