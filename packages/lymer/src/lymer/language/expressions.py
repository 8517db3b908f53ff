"""Regular expressions that come from outside, and that Python may match itself.

Python tries one way after the other, so the time of `(a+)+$` doubles with each letter of a text,
and nobody else runs meanwhile. The engine's expressions (RE2) are linear: what is not plain here is
a question for the store, or refused.
"""

from __future__ import annotations

import re
from typing import Final

from lymer.errors import QuestionError

__all__ = ["compiled"]

_CHARACTERS_MAX: Final = 1_000
_REPEATS_MAX: Final = 2
"""`.*x.*` takes the square of a text's length at worst."""
_OPTIONAL_MAX: Final = 4
_GROUPS_MAX: Final = 20
_PART: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]|.", re.DOTALL)


def compiled(text: str) -> re.Pattern[str]:
    """Return an expression that is quick on any text.

    Raises:
        QuestionError: It is none, or it could be slow: groups are repeated, there are more than two
            repetitions or twenty groups, or what a group matched is asked for again.
    """
    if len(text) > _CHARACTERS_MAX or not _is_quick(text):
        raise QuestionError(
            f"cannot match the expression {text[:200]!r} here: it repeats a group, or too much"
        )
    try:
        return re.compile(text)
    except (re.error, OverflowError) as error:
        raise QuestionError(f"cannot read the expression {text[:200]!r}: {error}") from None


def _is_quick(text: str) -> bool:
    repeats = optional = groups = 0
    before = ""
    for part in _PART.findall(text):
        is_repeat, is_optional = part in "*+{", part == "?" and before != "("
        if (is_repeat or is_optional) and before == ")":
            return False
        if part[0] == "\\" and part[1:].isdigit():
            return False
        repeats += is_repeat
        optional += is_optional
        groups += part == "("
        before = part
    return repeats <= _REPEATS_MAX and optional <= _OPTIONAL_MAX and groups <= _GROUPS_MAX
