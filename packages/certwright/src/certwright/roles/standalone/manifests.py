"""YAML as it stands in the folder → objects, or what is wrong with it. Pure.

Source: reference cert-manager.md 12.4; YAML as Kubernetes reads it, but that a word like `no` or a
date stays text where the schema wants text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Hashable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import yaml

from certwright.admission.bundle import bundle_errors
from certwright.admission.fields import Verdict
from certwright.admission.shape import known_fields, shape_errors, unknown_fields
from certwright.admission.validation import validate_create
from certwright.errors import InvalidError
from certwright.resources import meta
from certwright.resources.durations import parse_duration
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import (
    BUNDLE,
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CLUSTER_ISSUER,
    CONFIG_MAP,
    ISSUER,
    SECRET,
    Key,
    Kind,
    Manifest,
)
from certwright.roles.standalone.layout import DEFAULT_NAMESPACE

__all__ = ["FILE_BYTES_MAX", "Document", "Problem", "ascii_hint", "decode_manifests"]

FILE_BYTES_MAX: Final = 4 * 1024 * 1024
NODES_MAX: Final = 200_000
"""Values in one file, aliases counted each time: a small file must not become a large object."""
_KINDS: Final = {
    (kind.api_version, kind.name): kind
    for kind in (
        ISSUER,
        CLUSTER_ISSUER,
        CERTIFICATE,
        CERTIFICATE_REQUEST,
        SECRET,
        CONFIG_MAP,
        BUNDLE,
    )
}
_CERT_MANAGER: Final = CERTIFICATE.api_version
_KIND_NAMES: Final = ", ".join(kind.name for kind in _KINDS.values())


@dataclass(frozen=True, slots=True)
class Document:
    """One object from a file."""

    source: str
    """`FILE` or `FILE document N`."""
    key: Key
    object: Manifest


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that is not used, and why."""

    source: str
    message: str
    key: Key | None = None
    """The object it is about, if that much could be read."""
    is_warning: bool = False
    """Whether the object is used all the same."""

    def __str__(self) -> str:
        about = f"{self.key}: " if self.key else ""
        return f"{self.source}: {about}{self.message}"


class _Loader(yaml.SafeLoader):
    """Reads dates as text and refuses a field that stands there twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as in the base class
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - the base class says so
        """Build a mapping whose keys differ."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            name = str(key_node.value)
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'field "{name}" is there twice', key_node.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


def decode_manifests(
    name: str, content: bytes, gates: FeatureGates
) -> tuple[list[Document], list[Problem]]:
    """Return the objects of one file that can be used, and what cannot.

    Objects without a namespace are in `default`; a Secret's `stringData` becomes `data`.

    Args:
        name: The file's name, for messages.
        content: Its bytes.
        gates: Feature gates, as the webhook has them.
    """
    if len(content) > FILE_BYTES_MAX:
        text = f"it has {len(content)} bytes; at most {FILE_BYTES_MAX} are read"
        return [], [Problem(name, text)]
    try:
        raw = list(yaml.load_all(content, _Loader))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        return [], [Problem(name, f"it is not YAML: {_yaml_words(error)}")]
    if _node_count(raw) > NODES_MAX:
        return [], [Problem(name, f"it has more than {NODES_MAX} values, aliases counted")]
    found = [document for document in raw if document is not None]
    documents: list[Document] = []
    problems: list[Problem] = []
    for number, document in enumerate(found, 1):
        source = name if len(found) == 1 else f"{name} document {number}"
        for obj in _unpacked(document):
            try:
                decoded, warnings = _decode(source, obj, gates)
            except _RefusedError as refused:
                problems.append(refused.problem)
                continue
            documents.append(decoded)
            problems += warnings
    return documents, problems


class _RefusedError(InvalidError):
    """One object cannot be used."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _unpacked(document: Any) -> Iterable[Any]:
    if isinstance(document, dict) and document.get("kind") == "List":
        items = document.get("items")
        return items if isinstance(items, list) else []
    return [document]


def _decode(source: str, raw: Any, gates: FeatureGates) -> tuple[Document, list[Problem]]:
    if not isinstance(raw, dict):
        raise _RefusedError(Problem(source, "it is no object but a list or a single value"))
    kind = _KINDS.get((raw.get("apiVersion"), raw.get("kind")))  # type: ignore[arg-type]
    if kind is None:
        for field, example in (("apiVersion", _CERT_MANAGER), ("kind", "Certificate")):
            if not isinstance(raw.get(field), str):
                versions = [known for known, name in _KINDS if name == raw.get("kind")]
                wanted = versions[0] if versions and field == "apiVersion" else example
                text = f"{field}: must be given, such as `{field}: {wanted}`"
                raise _RefusedError(Problem(source, text))
        raise _RefusedError(
            Problem(
                source,
                f'kind "{raw.get("kind")}" of "{raw.get("apiVersion")}" is not used here; used '
                f"are: {_KIND_NAMES}",
            )
        )
    metadata = raw.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise _RefusedError(Problem(source, f"{kind.name}: metadata.name: must be given, as text"))
    obj = deepcopy(raw)
    if kind.namespaced:
        obj["metadata"].setdefault("namespace", DEFAULT_NAMESPACE)
    else:
        obj["metadata"].pop("namespace", None)
    obj.pop("status", None)
    for field in ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"):
        obj["metadata"].pop(field, None)
    key = kind.key(meta.namespace(obj), meta.name(obj))
    if kind == SECRET:
        obj = _with_data(source, key, obj)
    if kind == CONFIG_MAP:
        _check_texts(source, key, obj)
    messages, warnings = _objections(kind, obj, gates)
    if messages:
        raise _RefusedError(Problem(source, "; ".join(messages), key))
    return (
        Document(source, key, obj),
        [Problem(source, message, key, is_warning=True) for message in warnings],
    )


def _objections(kind: Kind, obj: Manifest, gates: FeatureGates) -> tuple[list[str], list[str]]:
    """Return what the API server and the webhook would say: refusals and warnings."""
    if kind in {SECRET, CONFIG_MAP}:
        return [], []
    unknown = [_unknown_text(path, obj) for path in unknown_fields(obj)]
    errors = [*map(str, shape_errors(obj)), *_duration_errors(obj)]
    if errors:
        return [*errors, *unknown], []
    try:
        verdict = (
            Verdict(tuple(bundle_errors(obj))) if kind == BUNDLE else validate_create(obj, gates)
        )
    except InvalidError as error:
        return [str(error), *unknown], []
    errors = [*map(str, verdict.errors), *_name_errors(obj)]
    # What is refused may be so because of a misspelt field: then that is said in the same line.
    return [*errors, *(unknown if errors else ())], [*map(str, verdict.warnings), *unknown]


def _unknown_text(path: str, obj: Manifest) -> str:
    parent, _, name = path.rpartition(".")
    near = get_close_matches(name, known_fields(obj, parent), n=1, cutoff=0.6)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return f'unknown field "{path}" is not used{hint}'


def _duration_errors(obj: Manifest) -> list[str]:
    """Return which duration cannot be read; Go has no unit longer than hours."""
    errors = []
    for path, text in _durations(obj):
        if not isinstance(text, str):
            continue
        try:
            parse_duration(text)
        except InvalidError as error:
            days = re.fullmatch(r"([0-9]+)d", text)
            hint = f"; write hours: {int(days[1]) * 24}h" if days else "; such as 2160h or 90m"
            errors.append(f"{path}: {error}{hint}")
    return errors


def _durations(obj: Manifest) -> Iterator[tuple[str, Any]]:
    spec = meta.mapping_at(obj, "spec")
    for name in ("duration", "renewBefore"):
        yield f"spec.{name}", spec.get(name)
    windows = meta.mapping_at(spec, "renewal").get("windows")
    for position, window in enumerate(windows if isinstance(windows, list) else ()):
        if isinstance(window, dict):
            path = f"spec.renewal.windows[{position}].windowDuration"
            yield path, window.get("windowDuration")


def _name_errors(obj: Manifest) -> list[str]:
    """Return which names have letters that no certificate can hold, and how they are written."""
    errors = []
    for field in ("dnsNames", "emailAddresses"):
        for position, name in enumerate(meta.mapping_at(obj, "spec").get(field) or ()):
            if isinstance(name, str) and not name.isascii():
                path = f"spec.{field}[{position}]"
                errors.append(f'{path}: "{name}" is not ASCII{ascii_hint(name)}')
    return errors


def ascii_hint(name: str) -> str:
    """Return how a name with letters beyond ASCII is written, as the end of a sentence."""
    local, at, domain = name.rpartition("@")
    try:
        written = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    return f"; write {local}{at}{written}" if local.isascii() else ""


def _with_data(source: str, key: Key, obj: Manifest) -> Manifest:
    data = obj.get("data") or {}
    texts = obj.pop("stringData", None) or {}
    if not isinstance(data, dict) or not isinstance(texts, dict):
        raise _RefusedError(Problem(source, "data and stringData: must be mappings", key))
    for name, value in texts.items():
        if not isinstance(value, str):
            raise _RefusedError(Problem(source, f"stringData[{name}]: must be text", key))
        data[name] = base64.b64encode(value.encode()).decode("ascii")
    for name, value in data.items():
        try:
            base64.b64decode(value if isinstance(value, str) else b"!", validate=True)
        except ValueError:
            raise _RefusedError(
                Problem(source, f"data[{name}]: must be base64; stringData takes text", key)
            ) from None
    obj["data"] = data
    obj.setdefault("type", "Opaque")
    return obj


def _check_texts(source: str, key: Key, obj: Manifest) -> None:
    for name, value in (obj.get("data") or {}).items():
        if not isinstance(value, str):
            raise _RefusedError(Problem(source, f"data[{name}]: must be text", key))


def _node_count(value: Any) -> int:
    """Count values with aliases followed, up to a little more than the limit."""
    count, pending = 0, [value]
    while pending and count <= NODES_MAX:
        here = pending.pop()
        count += 1
        if isinstance(here, dict):
            pending.extend(here.values())
        elif isinstance(here, list):
            pending.extend(here)
    return count


def _yaml_words(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} at line {error.problem_mark.line + 1}"
    return " ".join(str(error).split())
