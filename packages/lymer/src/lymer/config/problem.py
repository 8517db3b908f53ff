"""What is wrong with a configuration, said so that it can be repaired at once."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from lymer.errors import StartupError

__all__ = ["ConfigError", "suggest"]


class ConfigError(StartupError):
    """The configuration cannot be used; one line for each thing that is wrong with it."""

    exit_code = 2
    """Exit code of the process: the user's input is wrong, not the machine."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Keep the problems, in the order of the sources and of their lines."""
        super().__init__("\n".join(problems))
        self.problems = problems


def suggest(word: str, known: Iterable[str]) -> str:
    """Return `: did you mean "x"?` for the known word nearest to `word`, or the known words."""
    names = sorted(known)
    near = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    if near:
        return f': did you mean "{near[0]}"?'
    return ", known are " + ", ".join(names) if len(names) <= 12 else ""
