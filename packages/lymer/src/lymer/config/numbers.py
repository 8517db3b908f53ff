"""The rule of settings that are numbers with a fraction: shares, rates, tolerances."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, cast

__all__ = ["Number"]

_NUMBER: Final = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_LENGTH_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Number:
    """A number within a range; both ends are included."""

    at_least: float
    at_most: float
    unit: str = ""

    @property
    def expected(self) -> str:
        """Say the range."""
        unit = f" of {self.unit}" if self.unit else ""
        return f"a number{unit} from {self.at_least:g} to {self.at_most:g}"

    def decode(self, text: str, /) -> float:
        """Return the number."""
        written = text.strip()
        if len(written) > _LENGTH_MAX or not _NUMBER.fullmatch(written):
            raise ValueError
        value = float(written)
        if not self.at_least <= value <= self.at_most:
            raise ValueError
        return value

    def encode(self, value: object, /) -> float:
        """Return the number, whole ones without a fraction."""
        number = cast("float", value)
        return int(number) if number == int(number) else number

    def schema(self) -> dict[str, object]:
        """Return a number with its range."""
        return {"type": "number", "minimum": self.at_least, "maximum": self.at_most}
