"""What CONTRIBUTING.md, the architecture page and the list of decisions say is so."""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).parents[5]
_DECISIONS: Final = sorted((_ROOT / "docs" / "adr").glob("[0-9]*.md"))
_PAGES: Final = sorted(
    {*_ROOT.glob("*.md"), *(_ROOT / "docs").rglob("*.md"), *_ROOT.glob("packages/*/README.md")}
)
_SOURCES: Final = sorted(_ROOT.glob("packages/*/src/**/*.py"))


def _rules() -> tuple[int, int]:
    text = " ".join((_ROOT / "CONTRIBUTING.md").read_text("utf-8").split())
    match = re.search(r"About (\d+) lines a file, (\d+) lines a function", text)
    assert match is not None
    return int(match[1]), int(match[2])


def _long_code() -> Iterator[str]:
    file_lines_max, function_lines_max = (2 * lines for lines in _rules())
    for source in _SOURCES:
        text = source.read_text("utf-8")
        name = "/".join(source.parts[-2:])
        if text.count("\n") > file_lines_max:
            yield name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[1] if ast.get_docstring(node) and node.body[1:] else node.body[0]
                if (node.end_lineno or 0) - first.lineno + 1 > function_lines_max:
                    yield f"{name} {node.name}"


def test_nothing_is_twice_as_long_as_the_rule() -> None:
    """Files and functions, without their docstrings."""
    assert [] == list(_long_code())


def test_the_architecture_page_has_the_layers_that_are_checked() -> None:
    """In their order, highest first."""
    contracts = configparser.ConfigParser()
    contracts.read(_ROOT / ".importlinter")
    layers = [
        set(re.findall(r"\w+", layer))
        for layer in contracts["importlinter:contract:layers"]["layers"].strip().splitlines()
    ]
    page = (_ROOT / "docs" / "architecture.md").read_text("utf-8")
    match = re.search(r"\*\*Layers\.\*\* (.*?)\. Modules", " ".join(page.split()))

    assert match is not None
    assert layers == [set(re.findall(r"`(\w+)`", layer)) for layer in match[1].split(" over ")]


@pytest.mark.parametrize("page", _DECISIONS, ids=lambda page: page.name)
def test_a_decision_says_what_superseded_it(page: Path) -> None:
    """And the one that did says so, too."""
    text = page.read_text("utf-8")
    status = re.search(r"\bStatus\b\W*(.*?)\n(?=\n|- |Date)", text, re.DOTALL)

    assert status is not None
    assert re.match(r"accepted|superseded by", status[1])
    for other in re.findall(r"uperseded by\s+\[\d+\]\((\S+?\.md)\)", status[1]):
        later = (page.parent / other).read_text("utf-8")
        assert re.search(rf"[Ss]upersedes[^\n]*(\n[^\n]*)?\({page.name}\)", later), other


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_a_link_leads_to_a_file(page: Path) -> None:
    """Of this repository; addresses elsewhere are not asked."""
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text("utf-8"))

    assert [] == [link for link in links if not (page.parent / link).exists()]
