"""A YAML configuration file → (path, text, place) of each setting it names.

The document is walked along the known groups, never along its own structure: what nests deeper
than the settings do is refused as it stands, so aliases cannot multiply and no size but the
file's own matters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from lymer.config.catalog import GROUPS, SETTINGS
from lymer.config.problem import suggest

__all__ = ["FILE_BYTES_MAX", "Document", "Entry", "expand", "read_document"]

FILE_BYTES_MAX: Final = 1 << 20
"""Largest configuration file, in bytes. Ours has 5 kB; a megabyte is a mistake or an attack."""

_NESTING_MAX: Final = 32
"""Deepest nesting looked at. The C parser builds nodes by recursion and overflows its stack at
some ten thousand levels, so depth is counted on the flat stream of events first."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STRING_TAG: Final = "tag:yaml.org,2002:str"
_NULL_TAG: Final = "tag:yaml.org,2002:null"
_REFERENCE: Final = re.compile(r"\$\$|\$\{([^}]*)\}")
_NAME: Final = re.compile(r"(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting as a source gives it."""

    path: str
    """Dotted path of the setting."""
    text: str
    """Its value, variables expanded, not decoded."""
    place: str
    """Where it stands, for messages: `lymer.yaml:12:9`."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and what is wrong with it."""

    entries: tuple[Entry, ...]
    """The settings in the order of the file."""
    problems: tuple[str, ...]
    """One line for each thing that cannot be used."""


def read_document(text: str, name: str, environ: Mapping[str, str]) -> Document:
    """Read the YAML `text` of the file called `name`, expanding `${env:NAME}` from `environ`."""
    try:
        problem = _structure_problem(text, name)
        if problem:
            return Document((), (problem,))
        root = yaml.compose(text, _LOADER)
    except yaml.YAMLError as error:
        return Document((), (_yaml_problem(error, name),))
    walk = _Walk(name, environ)
    if root is not None and root.tag != _NULL_TAG:
        walk.group(root, "")
    return Document(tuple(walk.entries), tuple(walk.problems))


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Replace `${env:NAME}`, `${NAME}`, `${env:NAME:-default}` and `$$`.

    As in the OpenTelemetry Collector, the default stands in for a variable that is not set, and
    `$$` is a dollar sign. Unlike there, a variable that is not set and has no default is an error
    and not an empty text.

    Raises:
        ValueError: If a reference is malformed or names a variable that is not set.
    """

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        reference = _NAME.fullmatch(match[1])
        if reference is None:
            raise ValueError(
                f'cannot expand "{match[0]}": write ${{env:NAME}} or $$ for a dollar sign'
            )
        name, default = reference[1], reference[2]
        value = environ.get(name, default)
        if value is None:
            raise ValueError(
                f"environment variable {name} is not set: set it or write ${{env:{name}:-default}}"
            )
        return value

    return _REFERENCE.sub(replace, text)


def _structure_problem(text: str, name: str) -> str | None:
    depth = 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _NESTING_MAX:
            line = event.start_mark.line + 1 if event.start_mark else 0
            return f"{name}:{line}: nesting is deeper than {_NESTING_MAX} levels"
    return None


def _place(name: str, mark: yaml.Mark) -> str:
    return f"{name}:{mark.line + 1}:{mark.column + 1}"


def _yaml_problem(error: yaml.YAMLError, name: str) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        context = f" {error.context}" if error.context else ""
        return f"{_place(name, error.problem_mark)}: not YAML: {error.problem}{context}"
    return f"{name}: not YAML: {str(error).splitlines()[0]}"


class _Walk:
    """Goes along the groups and collects entries and problems."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self._name = name
        self._environ = environ
        self.entries: list[Entry] = []
        self.problems: list[str] = []

    def group(self, node: yaml.Node, path: str) -> None:
        """Read one group; a key without a value leaves the defaults."""
        label = f'"{path}"' if path else "the file"
        if not isinstance(node, yaml.MappingNode):
            if node.tag != _NULL_TAG:
                self._object(node, f"{label} must be a mapping of {', '.join(GROUPS[path])}")
            return
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._object(key, "a key must be a name")
                continue
            if key.value in seen:
                first = seen[key.value].start_mark.line + 1
                self._object(key, f'"{key.value}" stands twice, first in line {first}')
                continue
            seen[key.value] = key
            self._member(key, value, path)

    def _member(self, key: yaml.ScalarNode, value: yaml.Node, path: str) -> None:
        child = f"{path}.{key.value}" if path else key.value
        if child in SETTINGS:
            self._leaf(value, child)
        elif child in GROUPS and key.value:
            self.group(value, child)
        else:
            within = f' in "{path}"' if path else ""
            hint = suggest(key.value, GROUPS[path])
            self._object(key, f'unknown setting "{key.value}"{within}{hint}')

    def _leaf(self, node: yaml.Node, path: str) -> None:
        expected = SETTINGS[path].rule.expected
        if isinstance(node, yaml.SequenceNode) and SETTINGS[path].rule.written_as == "list":
            self._list(node, path)
            return
        if not isinstance(node, yaml.ScalarNode):
            kind = "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
            self._object(node, f'"{path}" must be {expected}, not {kind}')
            return
        if node.tag == _NULL_TAG:
            return
        text = str(node.value)
        if "$" in text:
            expanded = self._expanded(node, path)
            if expanded is None:
                return
            text = expanded
        elif node.tag != _STRING_TAG and not _accepts_scalar(path):
            # YAML 1.1 reads `on`, `1.5` and `2026-01-01` as no text; say so before it surprises.
            kind = node.tag.rpartition(":")[2]
            self._object(
                node, f'"{path}" must be {expected}, not the {kind} {text}: put it in quotes'
            )
            return
        self.entries.append(Entry(path, text, _place(self._name, node.start_mark)))

    def _list(self, node: yaml.SequenceNode, path: str) -> None:
        """Read a list of words; a comma in one would make two of it and is refused."""
        words: list[str] = []
        for member in node.value:
            word = self._expanded(member, path) if isinstance(member, yaml.ScalarNode) else None
            if word is None or "," in word:
                self._object(member, f'"{path}" must be {SETTINGS[path].rule.expected}')
                return
            words.append(word)
        self.entries.append(Entry(path, ",".join(words), _place(self._name, node.start_mark)))

    def _expanded(self, node: yaml.ScalarNode, path: str) -> str | None:
        """Return the text with its variables replaced; object, and return None, if one is bad."""
        try:
            return expand(str(node.value), self._environ)
        except ValueError as error:
            self._object(node, f'"{path}": {error}')
            return None

    def _object(self, node: yaml.Node, problem: str) -> None:
        self.problems.append(f"{_place(self._name, node.start_mark)}: {problem}")


def _accepts_scalar(path: str) -> bool:
    """Say whether the setting's text is judged by its rule alone, whatever YAML takes it for."""
    return SETTINGS[path].rule.written_as == "scalar"
