"""Patterns that texts from outside meet take a time that grows as the text does."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import time
from collections.abc import Iterator

import pytest

import lymer

CHARACTERS = 20_000
SECONDS_MAX = 0.3
"""Of the processor, for all of `TEXTS`: 20 ms are usual, and twice the text is twice the time."""
PACKAGES = ("api", "language", "model", "query", "receivers", "sampling", "storage", "wire")
TEXTS = [
    (piece * CHARACTERS)[:CHARACTERS] + end
    for piece in (
        "x",
        "1",
        '"',
        '\\"',
        "\\",
        " ",
        "=",
        "x=",
        "x ",
        '"x" ',
        "1.",
        "1h",
        "-",
        "%",
        "/",
    )
    for end in ("", "!", "\x00")
]
_SEARCHES = "findall|finditer|search|split|sub"


def patterns() -> Iterator[tuple[str, re.Pattern[str], bool]]:
    """Yield (name, pattern, whether it is looked for anywhere in a text)."""
    for package in PACKAGES:
        folder = importlib.import_module(f"lymer.{package}")
        for found in pkgutil.walk_packages(folder.__path__, f"{folder.__name__}."):
            module = importlib.import_module(found.name)
            source = inspect.getsource(module)
            for name, value in vars(module).items():
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                    searches = bool(re.search(rf"\b{name}\.(?:{_SEARCHES})\(", source))
                    yield f"{found.name.removeprefix(f'{lymer.__name__}.')}.{name}", value, searches


@pytest.mark.parametrize(
    ("pattern", "searches"), [pytest.param(*rest, id=name) for name, *rest in patterns()]
)
def test_a_pattern_is_linear(pattern: re.Pattern[str], *, searches: bool) -> None:
    """One that tries each letter as a beginning holds every door for as long as it takes."""
    begun = time.process_time()
    for text in TEXTS:
        pattern.fullmatch(text)
        if searches:
            for _ in pattern.finditer(text):
                pass
        assert time.process_time() - begun < SECONDS_MAX, text[:10]
