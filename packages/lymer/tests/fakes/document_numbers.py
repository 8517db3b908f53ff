"""Numbers with units in a document's text, and the numbers of the code that its names stand for."""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib import resources
from types import ModuleType
from typing import Final

import click

from certwright.cli import root as certwright
from lymer.config.catalog import SETTINGS
from lymer.config.roles import ROLES
from lymer.config.sources import FLAGS

__all__ = ["Quantity", "code_numbers", "quantities"]

_UNITS: Final = {
    "bytes": 1,
    "kB": 10**3,
    "KiB": 2**10,
    "MB": 10**6,
    "MiB": 2**20,
    "GiB": 2**30,
    "GB": 10**9,
    "ns": 1e-9,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "seconds": 1,
    "min": 60,
    "minutes": 60,
    "h": 3600,
    "days": 86400,
    "years": 365.25 * 86400,
    "%": 0.01,
}
_NUMBER: Final = re.compile(
    r"(?<![\w.^/:#-])(?P<base>\d(?:,?\d)*(?:\.\d+)?)(?:\^(?P<power>\d+)(?P<less> − 1)?)?"
    r"(?![\w.]*\w-\d)(?P<joined>(?: to|–| or| and)? ?(?=\d))?"
    rf"(?:[ \N{{NO-BREAK SPACE}}]?(?P<unit>{'|'.join(_UNITS)})(?!\w))?",
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a document."""

    text: str
    """As it stands there, with its unit."""
    value: float
    """In bytes or seconds where it has a unit of these."""
    bare: float
    """Without its unit."""


def quantities(text: str) -> list[Quantity]:
    """Return the numbers of `text`; what stands in backticks, links and names is none of it.

    In "0.1 to 5 s" and "16 and 8 bytes" the unit of the second is that of the first.
    """
    text = re.sub(r"`[^`]*`|\]\([^)]*\)|\[[\w ]*\](?=\()", " ", text)
    found: list[Quantity] = []
    unit = ""
    for match in reversed(list(_NUMBER.finditer(text))):
        unit = match["unit"] or (unit if match["joined"] else "")
        bare = float(match["base"].replace(",", ""))
        if match["power"]:
            bare = bare ** int(match["power"]) - bool(match["less"])
        number = match["base"] + (f"^{match['power']}" if match["power"] else "")
        found.append(Quantity(f"{number} {unit}".strip(), bare * _UNITS.get(unit, 1), bare))
    return found[::-1]


_SCALES: Final = {"MICRO": 1e-6, "NANO": 1e-9, "MINUTES": 60, "HOURS": 3600, "DAYS": 86400}


def _numbers(name: str, value: object) -> Iterator[float]:
    match value:
        case bool():
            pass
        case timedelta():
            yield value.total_seconds()
        case int() | float():
            yield value
            yield from (value * scale for word, scale in _SCALES.items() if word in name.upper())
        case tuple() | list():
            for member in value:
                yield from _numbers(name, member)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from _numbers(name, [getattr(value, f.name) for f in dataclasses.fields(value)])
        case _:
            pass


def code_numbers(name: str) -> frozenset[float] | None:
    """Return the numbers that `name` stands for, or None if the code has nothing of that name.

    It is a setting (its default, and those of roles), a flag of Certwright's (its default), or a
    place in one of the packages: a module stands for all its constants.
    """
    if name in SETTINGS:
        rule = SETTINGS[name].rule
        defaults = [SETTINGS[name].default]
        defaults += [rule.decode(role[name]) for role in ROLES.values() if name in role]
        everything = [*defaults, *(rule.bounds or ())]
        return frozenset(number for each in everything for number in _numbers(name, each))
    for path, flag in FLAGS.items():
        if flag == name:
            return code_numbers(path)
    if name.startswith("--"):
        return _flags().get(name)
    for package in ("lymer", "certwright"):
        found = _of_place(package, name.split("."))
        if found is not None:
            return found
    return None


def _of_place(package: str, words: list[str]) -> frozenset[float] | None:
    if words[:-1] == ["storage", "clickhouse", "schema"]:
        return _of_schema(words[-1])
    place: object = importlib.import_module(package)
    for depth, word in enumerate(words):
        if isinstance(place, ModuleType) and not hasattr(place, word):
            try:
                importlib.import_module(".".join([package, *words[: depth + 1]]))
            except ModuleNotFoundError:
                return None
        if isinstance(place, type) and dataclasses.is_dataclass(place):
            defaults = {field.name: field.default for field in dataclasses.fields(place)}
            return frozenset(_numbers(word, defaults[word])) if word in defaults else None
        if not hasattr(place, word):
            return None
        place = getattr(place, word)
    if isinstance(place, type) and dataclasses.is_dataclass(place):
        defaults = {field.name: field.default for field in dataclasses.fields(place)}
        return frozenset(n for key, value in defaults.items() for n in _numbers(key, value))
    if isinstance(place, ModuleType):
        constants = {key: value for key, value in vars(place).items() if key.isupper()}
        return frozenset(n for key, value in constants.items() for n in _numbers(key, value))
    return frozenset(_numbers(words[-1], place))


def _of_schema(name: str) -> frozenset[float] | None:
    script = resources.files("lymer.storage.clickhouse") / "schema" / f"{name}.sql"
    if not script.is_file():
        return None
    found = re.findall(r"INTERVAL (\d+) (DAY|HOUR)", script.read_text("utf-8"))
    return frozenset(int(number) * {"DAY": 86400, "HOUR": 3600}[unit] for number, unit in found)


@cache
def _flags() -> dict[str, frozenset[float]]:
    found: dict[str, set[float]] = {}

    def walk(command: click.Command, context: click.Context) -> None:
        for parameter in command.params:
            default = parameter.get_default(context)
            if isinstance(default, str | int | float):
                value = parameter.type.convert(default, parameter, context)
                for flag in parameter.opts:
                    found.setdefault(flag, set()).update(_numbers("", value))
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child is not None
                walk(child, click.Context(child, parent=context))

    walk(certwright, click.Context(certwright))
    return {flag: frozenset(values) for flag, values in found.items()}
