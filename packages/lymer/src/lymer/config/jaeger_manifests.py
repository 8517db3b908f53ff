"""Where Jaeger's configuration stands in manifests: operator objects, charts' values, Compose.

None of these is a configuration itself; each holds one, of v2 as a map or as text, of v1 as
arguments, variables or nested options.

Source: jaeger-operator 1.65 `examples/`, opentelemetry-operator's OpenTelemetryCollector, Jaeger's
chart 0.x to 4.x, `docker-compose/` of Jaeger 1 and 2; reference jaeger.md 8.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from lymer.config.jaeger_v2 import is_jaeger_v2

__all__ = ["Found", "flat", "search"]

_OPTIONS: Final = frozenset({"options", "cmdlineParams"})
_ARGUMENTS: Final = frozenset({"args", "command", "cmdlineParams", "extraArgs"})
_VARIABLES: Final = frozenset({"env", "environment", "extraEnv"})
_PROGRAM: Final = re.compile(
    r"jaegertracing/(?:jaeger-)?(all-in-one|agent|collector|ingester|query)\b"
)
_ELSEWHERE: Final = {
    "strategy": "the chart's `mode`: allInOne is all-in-one, production and streaming distributed",
    "sampling": "a file of strategies of yours: sampling.file.path",
    "ui": "the chart's `uiconfig`",
    "ingress": "the chart's `query.ingress`",
    "agent": "the chart's `agent.kind`: DaemonSet or Sidecar",
}
"""What a Jaeger object says beside its options → what says it here."""


@dataclass(slots=True)
class Found:
    """Configurations of Jaeger that stand in manifests."""

    v2: list[Mapping[str, Any]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """Flags and NAME=value of v1."""
    left_out: list[tuple[str, str]] = field(default_factory=list)
    role: str | None = None
    """Which one it is all about, if that is said."""


def search(documents: list[object]) -> Found:
    """Return what stands somewhere in YAML documents."""
    found = Found()
    for document in documents:
        if isinstance(document, Mapping) and document.get("kind") == "Jaeger":
            found.role = "all-in-one"  # which knows the options of all
            spec = document.get("spec")
            for key in spec if isinstance(spec, Mapping) else ():
                if why := _ELSEWHERE.get(key):
                    found.left_out.append((f"spec.{key}", why))
        _walk(found, document, within=False)
    return found


def _walk(found: Found, there: object, *, within: bool) -> None:
    if isinstance(there, str):
        there = _read(there)
    if isinstance(there, list):
        for one in there:
            _walk(found, one, within=within)
    if not isinstance(there, Mapping):
        return
    if is_jaeger_v2(there):
        found.v2.append(there)
        return
    # Images of others, an example application say, have flags of their own.
    image = there.get("image")
    ours = "jaeger" in image and "example" not in image if isinstance(image, str) else within
    if ours and isinstance(image, str) and (program := _PROGRAM.search(image)):
        found.role = program[1] if found.role in {None, program[1]} else "all-in-one"
    within = ours or there.get("kind") == "Jaeger"
    for key, value in there.items():
        if key in _OPTIONS and isinstance(value, Mapping):
            found.words += [f"--{name}={text}" for name, text in flat(value)]
        elif key in _ARGUMENTS and ours and value:
            words = shlex.split(value) if isinstance(value, str) else map(str, value)
            found.words += [_variable(word) for word in words if word.startswith("-")]
        elif key in _VARIABLES and ours:
            found.words += _variables(value)
        elif key not in {"ui", "sampling"}:
            _walk(found, value, within=within)


def _read(text: str) -> object:
    """Return what a text is as YAML, if it may be a configuration of v2."""
    try:
        return yaml.safe_load(text) if "service:" in text else None
    except yaml.YAMLError:
        return None


def _variable(word: str) -> str:
    """Return an argument with Kubernetes' `$(NAME)` as a variable of ours."""
    return re.sub(r"\$\((\w+)\)", r"${\1}", word)


def _variables(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from (f"{name}={text}" for name, text in flat(value))
    for one in value if isinstance(value, list) else ():
        if isinstance(one, str) and "=" in one:
            yield one
        elif isinstance(one, Mapping) and "value" in one:
            yield f"{one.get('name')}={one['value']}"


def flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested options by their dotted names."""
    for key, value in document.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif isinstance(value, bool):
            yield name, str(value).lower()
        elif value is not None:
            yield name, ",".join(map(str, value)) if isinstance(value, list) else str(value)
