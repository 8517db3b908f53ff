"""Whatever the server says of a question has Korean words in the interface."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3]
SOURCE = PACKAGE / "src" / "lymer"
WORDS = json.loads((PACKAGE / "ui/src/i18n/errors.ko.json").read_text(encoding="utf-8"))
PLACES = ("language", "storage/clickhouse/spansets", "query", "analysis")
RAISING = {"QuestionError", "PlaceError", "fail", "_fail"}
NAMED = {"hint", "cause"}
JAEGERS = "jaeger_filter.py"
"""Its words are Jaeger's, whose clients know them."""


def _template(node: ast.AST) -> Iterator[str]:
    """Yield the sentences of an expression, with {} for what they name."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield "".join(
                str(one.value) if isinstance(one, ast.Constant) else "{}" for one in values
            )
        case ast.IfExp(body=body, orelse=orelse):
            yield from _template(body)
            yield from _template(orelse)
        case _:
            pass


def _sentences() -> set[str]:
    """Return what the modules that read and answer questions say."""
    found: set[str] = set()
    for place in PLACES:
        for file in sorted((SOURCE / place).glob("*.py")):
            if file.name == JAEGERS:
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(func=ast.Name(id=name), args=args) if name in RAISING:
                        said: Sequence[ast.AST] = [*args, *(one.value for one in node.keywords)]
                    case ast.Assign(targets=[ast.Name(id=name)]) if name in NAMED:
                        said = [node.value]
                    case ast.AnnAssign(
                        target=ast.Name(id="_INSTEAD" | "_SPELLINGS"), value=ast.Dict(values=said)
                    ):
                        pass
                    case ast.FunctionDef(name=name) if name.endswith("_hint"):
                        returns = [one for one in ast.walk(node) if isinstance(one, ast.Return)]
                        said = [one.value for one in returns if one.value is not None]
                    case _:
                        continue
                found |= {text for one in said for text in _template(one) if " " in text}
    return found


@pytest.mark.parametrize("sentence", sorted(_sentences()))
def test_a_sentence_about_a_question_has_korean_words(sentence: str) -> None:
    """The key is the sentence as it stands in the source; {0}, {1}, … what it names."""
    keys = {re.sub(r"\{\d\}", "{}", key) for key in WORDS}
    assert sentence in keys


def test_korean_words_name_what_the_sentence_names() -> None:
    """A place that a sentence leaves open is filled, and none that it has not."""
    for key, words in WORDS.items():
        named = set(re.findall(r"\{\d\}", key))
        assert set(re.findall(r"\{\d\}", words)) == named, key
        assert re.search("[가-힣]", words) or not re.search(r"[a-z]{3} [a-z]", key), key
