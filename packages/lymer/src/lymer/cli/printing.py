"""How answers are printed: tables and units for people, one line of JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import click
import orjson

__all__ = ["millis", "part", "print_json", "print_table", "table_lines"]


def print_json(answer: object) -> None:
    """Print an answer for programs: one line."""
    click.echo(orjson.dumps(answer).decode())


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns for people."""
    for line in table_lines(head, rows):
        click.echo(line)


def table_lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return columns as lines; numbers (whatever ends a row's cell in a digit or unit) right."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    right = [all(_is_number(line[at]) for line in lines[1:]) for at in range(len(head))]
    shown = []
    for line in lines:
        cells = [
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        ]
        shown.append("  ".join(cells).rstrip())
    if sys.stdout.isatty():
        shown[0] = click.style(shown[0], bold=True)
    return shown


def _is_number(cell: str) -> bool:
    return not cell or cell[0].isdigit() or (cell[0] in "+-" and cell[1:2].isdigit())


def millis(nanoseconds: float) -> str:
    """Return a time for people, with its unit."""
    for factor, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if abs(nanoseconds) >= factor:
            return f"{nanoseconds / factor:.3g} {unit}"
    return f"{nanoseconds:.0f} ns"


def part(value: float) -> str:
    """Return a part of a whole as percent."""
    return f"{value:.1%}" if abs(value) < 0.1 else f"{value:.0%}"
