"""Rules of settings that are texts of a kind: a file's path, a list of words, a secret."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

__all__ = ["REDACTED", "File", "Secret", "SecretTexts", "Text", "Texts"]

REDACTED: Final = "[redacted]"
"""Stands for a secret wherever settings are shown; as a value it is refused."""

_LENGTH_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class File:
    """A path of a file, or nothing."""

    @property
    def expected(self) -> str:
        """Say that it is a path."""
        return "the path of a file, or nothing"

    def decode(self, text: str, /) -> Path | None:
        """Return the path as it is written, or None for nothing."""
        if "\0" in text:
            raise ValueError
        return Path(text) if text.strip() else None

    def encode(self, value: object, /) -> str:
        """Return the path."""
        return "" if value is None else str(value)

    def schema(self) -> dict[str, object]:
        """Return text."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text, or nothing."""

    what: str
    """What it is, as a noun phrase."""

    @property
    def expected(self) -> str:
        """Say what it is."""
        return f"{self.what}, or nothing"

    def decode(self, text: str, /) -> str:
        """Return the text without space around it."""
        value = text.strip()
        if not value.isprintable() or len(value) > _LENGTH_MAX:
            raise ValueError
        return value

    def encode(self, value: object, /) -> str:
        """Return the text."""
        return str(value)

    def schema(self) -> dict[str, object]:
        """Return text."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of words: in a file a list or one text with commas, elsewhere with commas."""

    what: str
    """What they are, as a noun phrase in the plural."""

    @property
    def expected(self) -> str:
        """Say the form."""
        return f"{self.what}, separated by commas, or nothing"

    def decode(self, text: str, /) -> tuple[str, ...]:
        """Return the words in their order, without space around them."""
        words = tuple(filter(None, (word.strip() for word in text.split(","))))
        if not all(word.isprintable() and len(word) <= _LENGTH_MAX for word in words):
            raise ValueError
        return words

    def encode(self, value: object, /) -> str:
        """Return the words with commas."""
        return ",".join(cast("tuple[str, ...]", value))

    def schema(self) -> dict[str, object]:
        """Return text or a list of texts."""
        return {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


class Secret(str):
    """A text that is not shown by accident: its `repr` says nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return REDACTED


@dataclass(frozen=True, slots=True)
class SecretTexts:
    """A list of secrets, separated by commas; never written out again."""

    what: str
    """What they are, as a noun phrase in the plural."""

    @property
    def expected(self) -> str:
        """Say the form."""
        return f"{self.what}, separated by commas, or nothing"

    def decode(self, text: str, /) -> tuple[Secret, ...]:
        """Return the secrets; what stands for one that was hidden is none."""
        words = tuple(Secret(word.strip()) for word in text.split(",") if word.strip())
        if REDACTED in words:
            raise ValueError
        return words

    def encode(self, value: object, /) -> str:
        """Return what stands for a secret."""
        return REDACTED if value else ""

    def schema(self) -> dict[str, object]:
        """Return text."""
        return {"type": "string"}
