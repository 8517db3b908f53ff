"""Read a question in the search language: text in, typed tree or one error with a place out."""

from __future__ import annotations

import difflib
import re
from typing import Final, NoReturn

from lark import Lark, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from lymer.errors import QuestionError, QuestionTextError
from lymer.language.grammar import GRAMMAR, KEYWORDS
from lymer.language.operands import PlaceError
from lymer.language.reading import TreeBuilder
from lymer.language.tree import Query

__all__ = ["QUESTION_CHARACTERS_MAX", "parse", "place_error"]

QUESTION_CHARACTERS_MAX: Final = 32_768
"""Characters of one question. At about 100,000 tokens a second it is read in well under 0.2 s."""

_PARSER: Final = Lark(GRAMMAR, parser="lalr", lexer="contextual", transformer=TreeBuilder())
_WORD: Final = re.compile(r"[^\W\d][\w.]*")
_QUOTES: Final = ('"', "`")
_TEXT: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`')
_AFTER_NUMBER: Final = re.compile(r"(?<![\w.])\d[\d.]*(?:\s*|[a-zµμ]+)\Z")
_SPELLINGS: Final = {
    "$END": "the end",
    "INTEGER": "a number",
    "FLOAT": "a number",
    "DURATION": "a duration",
    "STRING": "a text in quotes",
    "ATTRIBUTE": "an attribute such as span.http.route",
    "INTRINSIC": "duration, name, status or kind",
    "OPEN": "{",
    "CLOSE": "}",
    "PAREN": "(",
    "LPAR": "(",
    "RPAR": ")",
    "VBAR": "|",
    "COMMA": ",",
    "LOGIC": "&& or ||",
    "COMPARISON": "= or !=",
    "AGGREGATE": "count(), avg(…)",
    "METRIC": "rate()",
}
_INSTEAD: Final = {
    "==": "equality is one =",
    "&": "conditions are joined by &&",
    "and": "conditions are joined by &&",
    "AND": "conditions are joined by &&",
    "or": "conditions are joined by ||",
    "OR": "conditions are joined by ||",
    "not": "a condition is turned round by !( … )",
    "NOT": "a condition is turned round by !( … )",
    "<>": "inequality is !=",
    "in": "one of several values is .a = 1 || .a = 2",
    "IN": "one of several values is .a = 1 || .a = 2",
    "like": "a pattern is a regular expression, matched by =~",
    "LIKE": "a pattern is a regular expression, matched by =~",
    "'": 'texts stand between double quotes: "…"',
}


def parse(text: str) -> Query:
    """Read `text`.

    Args:
        text: A question in TraceQL; an empty one asks for everything, as Tempo has it.

    Raises:
        QuestionTextError: If it cannot be read, asks for what is not supported, or is longer than
            `QUESTION_CHARACTERS_MAX`.
    """
    if len(text) > QUESTION_CHARACTERS_MAX:
        limit = f"the limit is {QUESTION_CHARACTERS_MAX}"
        _fail(text, QUESTION_CHARACTERS_MAX, f"it has {len(text)} characters, {limit}")
    if not text.strip():
        text = "{}"
    try:
        query: object = _PARSER.parse(text)
    except PlaceError as error:
        _fail(text, error.at, error.cause, error.hint)
    except UnexpectedInput as error:
        _unexpected(text, error)
    assert isinstance(query, Query)
    return query


def place_error(text: str, error: PlaceError) -> QuestionError:
    """Return the error of a question as people read it.

    Args:
        text: What the question was read from; empty if it is no text.
        error: What is wrong, and where.
    """
    if not text:
        return QuestionError(f"cannot answer the question: {error.cause}")
    before = text[: error.at]
    line = before.count("\n") + 1
    column = error.at - (before.rfind("\n") + 1) + 1
    return QuestionTextError(error.cause, at=error.at, line=line, column=column, hint=error.hint)


def _fail(text: str, at: int, cause: str, hint: str = "") -> NoReturn:
    raise place_error(text or " ", PlaceError(cause, at=at, hint=hint)) from None


def _unexpected(text: str, error: UnexpectedInput) -> NoReturn:
    place: int | None = error.pos_in_stream
    at = place if place is not None else len(text)
    expected: set[str] = set()
    if isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        if error.token.type == "$END":
            at = len(text.rstrip())
    elif isinstance(error, UnexpectedCharacters):
        expected = set(error.allowed or ())
    at = max(at, 0)
    rest = text[at:]
    word = _WORD.match(rest)
    found = f'"{word[0] if word else rest[:1]}"' if rest.strip() else "the end"
    names = sorted({_SPELLINGS[name] for name in expected if name in _SPELLINGS})
    wanted = f", expected {', '.join(names[:4])}" if names else ""
    _fail(text, at, f"{found} is not possible here{wanted}", _hint(text, at, word and word[0]))


def _hint(text: str, at: int, word: str | None) -> str:
    for start in (at - 1, at):
        for length in (2, 1):
            sign = text[max(start, 0) : start + length]
            if sign in _INSTEAD and not sign.isalpha():
                return _INSTEAD[sign]
    if text[at : at + 1] in _QUOTES and not _TEXT.match(text, at):
        return "a text is not closed"
    if word is None:
        opened, closed = text.count("{"), text.count("}")
        return "a { is not closed" if opened > closed and not text[at:].strip() else ""
    if word in _INSTEAD:
        return _INSTEAD[word]
    if _AFTER_NUMBER.search(text[:at]):
        return "a duration is a number with its unit behind it: 5ms, 1.5s, 2h30m"
    if word.endswith("."):
        return f"the name of an attribute is missing behind {word}"
    near = difflib.get_close_matches(word, KEYWORDS, n=1, cutoff=0.75)
    if near and near[0] != word:
        return f'did you mean "{near[0]}"?'
    inside = text.rfind("{", 0, at) > text.rfind("}", 0, at)
    return f"attributes start with a dot or a scope: .{word} or span.{word}" if inside else ""
