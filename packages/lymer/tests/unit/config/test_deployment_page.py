"""Every command of docs/deployment.md is one that the roles understand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import pytest

from lymer.cli import root
from lymer.cli.options import to_overrides
from lymer.config.jaeger_flags import split_flags
from lymer.config.roles import ROLES
from lymer.config.sources import load_effective

_PAGE: Final = Path(__file__).parents[5] / "docs" / "deployment.md"
_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(language: str) -> list[str]:
    return [text for found, text in _BLOCK.findall(_PAGE.read_text("utf-8")) if found == language]


def _commands() -> Iterator[list[str]]:
    """Yield the arguments behind `lymer` of every role that the page starts."""
    shell = "\n".join(_blocks("sh")).replace("\\\n", " ")
    units = re.findall(r"^ExecStart=\S*(lymer .*)$", "\n".join(_blocks("ini")), re.MULTILINE)
    for line in [*shell.splitlines(), *units]:
        words = shlex.split(line, comments=True)
        if words[:1] == ["lymer"] and words[1] in ROLES:
            yield words[1:]


_COMMANDS: Final = list(_commands())


def test_the_page_has_commands() -> None:
    """Of every role but the one that needs none."""
    assert {words[0] for words in _COMMANDS} == set(ROLES) - {"all-in-one"}
    assert len(_COMMANDS) >= 8


@pytest.mark.parametrize("words", _COMMANDS, ids=lambda words: " ".join(words)[:60])
def test_a_command_of_the_page_is_valid(words: list[str]) -> None:
    """Its options are known, its settings exist, and their values are allowed."""
    role = words[0]
    command = root.get_command(click.Context(root), role)
    assert command is not None
    context = command.make_context(role, list(words[1:]))
    flags, rest = split_flags(role, context.args)
    named: dict[str, Any] = {
        name: value for name, value in context.params.items() if name not in {"assignments", "file"}
    }

    effective = load_effective(
        None,
        {"HOME": "/home/ada"},
        to_overrides(context.params["assignments"], **named),
        role=role,
        jaeger_flags=flags,
    )

    assert rest == []
    assert effective.remarks == ()
