"""Any of Jaeger's configurations in ours: v2's YAML, v1's flags, variables and file."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from lymer.config.jaeger_flags import known_flags, read_environment, read_flags, split_flags
from lymer.config.jaeger_manifests import flat, search
from lymer.config.jaeger_v2 import Translation, at, is_jaeger_v2, translate
from lymer.config.problem import ConfigError

__all__ = ["as_yaml", "read_jaeger"]


def read_jaeger(text: str, role: str | None = None) -> Translation:
    """Return what a file of Jaeger means here.

    Args:
        text: The file.
        role: Whose flags v1's are; found out from them, if not given.

    Raises:
        ConfigError: It is none of Jaeger's forms, or a value of it cannot be read.
    """
    try:
        documents = [one for one in yaml.safe_load_all(text) if one is not None]
    except yaml.YAMLError:
        documents = []
    document = documents[0] if len(documents) == 1 else None
    if isinstance(document, Mapping) and is_jaeger_v2(document):
        return translate(document)
    if isinstance(document, Mapping) and "grpc" in document and at(document, "storage.backends"):
        return _remote_storage(document)
    if any(_is_manifest(one) for one in documents):
        return _from_manifests(documents, role)
    if isinstance(document, Mapping):
        words = [f"--{name}={value}" for name, value in flat(document)]
    else:
        lines = (line.strip() for line in text.splitlines())
        words = [
            word
            for line in lines
            if line and not line.startswith("#")
            for word in shlex.split(line.removesuffix("\\").removeprefix("export "))
        ]
    return _v1(words, role)


def as_yaml(made: Translation) -> str:
    """Return settings as a configuration file."""
    tree: dict[str, Any] = {}
    for path, text in made.settings.items():
        *groups, name = path.split(".")
        place = tree
        for group in groups:
            place = place.setdefault(group, {})
        value = yaml.safe_load(text) if text and "$" not in text else text
        place[name] = value if isinstance(value, bool | int | float) else text
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True) if tree else "{}\n"


def _remote_storage(document: Mapping[str, Any]) -> Translation:
    """Return what a file of jaeger-remote-storage means: a collector that others read."""
    extensions = {
        "jaeger_storage": document["storage"],
        "jaeger_query": {"multi_tenancy": document.get("multi_tenancy")},
        "remote_storage": document["grpc"],
    }
    made = translate({"service": {}, "extensions": extensions})
    made.role = "collector"
    return made


def _is_manifest(document: object) -> bool:
    """Say whether it is an object of Kubernetes, a Compose file, values of a chart or the like."""
    if not isinstance(document, Mapping):
        return False
    found = search([document])
    return "kind" in document or "services" in document or bool(found.v2 or found.words)


def _from_manifests(documents: list[object], role: str | None) -> Translation:
    found = search(documents)
    if found.v2:
        made = translate(found.v2[0])
        if len(found.v2) > 1:
            others = f"{len(found.v2) - 1} more configurations"
            made.left_out.append((others, "one at a time: cut them out of the file"))
    elif found.words:
        made = _v1(found.words, role or found.role)
    elif found.role:
        made = Translation(role=role or found.role)
    else:
        raise ConfigError(
            ("no arguments, variables or configuration of Jaeger are in these objects",)
        )
    made.left_out += found.left_out
    return made


def _v1(words: list[str], role: str | None) -> Translation:
    flags = [word for word in words if word.startswith("--") or "=" not in word]
    variables = dict(word.split("=", 1) for word in words if word not in flags and "=" in word)
    role = role or _whose(flags, variables)
    found, rest = split_flags(role, flags)
    made = Translation(role=role)
    programs = ("jaeger-", "/go/bin/")
    made.left_out += [
        (word, f"no flag of Jaeger's {role}") for word in rest if not word.startswith(programs)
    ]
    problems: list[str] = []
    for spoken in (read_environment(role, variables), read_flags(role, found)):
        made.settings |= {entry.path: entry.text for entry in spoken.document.entries}
        problems += spoken.document.problems
        for remark in spoken.remarks:
            place, _, why = remark.partition(" has no meaning here: ")
            made.left_out.append((place, why or "nothing here does that"))
    if problems:
        raise ConfigError(tuple(problems))
    if not (made.settings or made.left_out):
        raise ConfigError(("nothing of Jaeger's is in this file: no YAML, flag or variable of it",))
    return made


def _whose(flags: list[str], variables: Mapping[str, str]) -> str:
    """Return the role that knows most of the flags; all-in-one knows nearly all."""
    names = {flag.removeprefix("--").partition("=")[0] for flag in flags if flag.startswith("--")}
    upper = {name: name.upper().replace("-", "_").replace(".", "_") for name in names}
    wanted = {f"--{name}" for name in upper}
    if any(
        name.startswith(("KAFKA_CONSUMER_", "INGESTER_")) for name in {*upper.values(), *variables}
    ):
        return "ingester"

    def score(role: str) -> tuple[int, int]:
        known = set(known_flags(role))
        spelled = {f[2:].upper().replace("-", "_").replace(".", "_") for f in known}
        return (len(wanted & known) + len(set(variables) & spelled), -len(known))

    return max(("all-in-one", "collector", "query", "agent"), key=score)
