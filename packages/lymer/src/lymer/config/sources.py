"""The sources of the configuration, merged: defaults < file < environment < flags."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from lymer.config import jaeger_v2
from lymer.config.catalog import SETTINGS, build_config
from lymer.config.document import FILE_BYTES_MAX, Document, Entry, read_document
from lymer.config.jaeger_flags import read_environment, read_flags
from lymer.config.problem import ConfigError, suggest
from lymer.config.roles import role_defaults
from lymer.config.sampling_conflicts import sampling_conflicts
from lymer.config.security_conflicts import security_conflicts
from lymer.config.settings import Config
from lymer.config.tags import expand_tags
from lymer.config.tenancy import tenancy_conflicts
from lymer.given_file import read_given

__all__ = ["FLAGS", "Effective", "load_config", "load_effective"]

FLAGS: Final[Mapping[str, str]] = {
    "storage.data_dir": "--data-dir",
    "storage.retention_seconds": "--retention",
    "listen_host": "--listen-host",
    "logs.level": "--log-level",
}
"""Settings with a flag of their own; every other one is `--set PATH=VALUE`."""

_ENVIRONMENT_PREFIX: Final = "LYMER__"
_LISTEN_HOST_ALIASES: Final = ("JAEGER_LISTEN_HOST", "LYMER_LISTEN_HOST")
"""Later ones win. Source: Jaeger v2.20, `cmd/jaeger/internal/all-in-one.yaml`."""
_TAGS: Final = ("agent.tags", "collector.tags")


@dataclass(frozen=True, slots=True)
class Effective:
    """The configuration in force and where each value of it came from."""

    config: Config
    """The values."""
    values: Mapping[str, object]
    """The same by setting path, in the order of the settings."""
    origins: Mapping[str, str]
    """Setting path → `default`, `lymer.yaml:12:9`, an environment variable, or a flag."""
    remarks: tuple[str, ...] = ()
    """What people should know: flags of Jaeger that have no meaning here."""

    def to_json(self) -> dict[str, dict[str, str | int | float]]:
        """Return setting path → its value as a file would hold it, and its origin."""
        return {
            path: {"value": setting.rule.encode(self.values[path]), "origin": self.origins[path]}
            for path, setting in SETTINGS.items()
        }

    def to_yaml(self) -> str:
        """Return a configuration file that gives the same values, origins as comments."""
        lines: list[str] = []
        groups: list[str] = []
        for path, setting in SETTINGS.items():
            *parents, name = path.split(".")
            shared = 0
            while (
                shared < len(parents)
                and parents[shared : shared + 1] == groups[shared : shared + 1]
            ):
                shared += 1
            lines += ["  " * depth + parents[depth] + ":" for depth in range(shared, len(parents))]
            groups = parents
            # JSON scalars are YAML scalars, and never need a second look at quoting.
            value = json.dumps(setting.rule.encode(self.values[path]), ensure_ascii=False)
            value = value.replace("$", "$$")
            line = f"{'  ' * len(parents)}{name}: {value}"
            lines.append(f"{line:<56}  # {self.origins[path]}")
        return "\n".join(lines) + "\n"


def load_config(
    file: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, str] | None = None,
    *,
    role: str = "all-in-one",
) -> Config:
    """Read the configuration from all its sources.

    Args:
        file: YAML file, or None for none. Reading it is the only thing done beyond computing.
        environ: The process's environment. Read are `LYMER__*`, `LYMER_LISTEN_HOST`,
            `JAEGER_LISTEN_HOST`, `XDG_DATA_HOME`, `HOME` and what the file names.
        overrides: Setting path (`query.port`) → text, from flags.
        role: One of `ROLES`, whose defaults apply.

    Returns:
        The effective configuration; every value is within its limits.

    Raises:
        ConfigError: If a source cannot be read, names an unknown setting, or holds a value that
            is not allowed. All problems of all sources are in it.
    """
    return load_effective(file, environ, overrides, role=role).config


def load_effective(
    file: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, str] | None = None,
    *,
    role: str = "all-in-one",
    jaeger_flags: Sequence[tuple[str, str]] = (),
) -> Effective:
    """Read the configuration and remember where each value came from; see `load_config`.

    `jaeger_flags` are Jaeger's names and values, which win over all but our own flags.
    """
    spoken = [read_environment(role, environ), read_flags(role, jaeger_flags)]
    sources = [
        _read_role(role),
        _read_file(file, environ),
        _read_aliases(environ),
        spoken[0].document,
        _read_environment(environ),
        spoken[1].document,
        _read_overrides(overrides or {}),
    ]
    values: dict[str, object] = {path: setting.default for path, setting in SETTINGS.items()}
    values["storage.data_dir"] = _default_data_dir(environ, role)
    origins = dict.fromkeys(SETTINGS, "default")
    problems: list[str] = []
    for source in sources:
        problems += source.problems
        for entry in source.entries:
            rule = SETTINGS[entry.path].rule
            try:
                values[entry.path] = rule.decode(entry.text)
            except ValueError:
                said = f'"{entry.text[:80]}"' if entry.text.strip() else "empty"
                problems.append(
                    f'{entry.place}: "{entry.path}" must be {rule.expected}, but it is {said}'
                )
                continue
            origins[entry.path] = entry.place
    if problems:
        raise ConfigError(tuple(problems))
    _inherit_listen_host(values, origins)
    values["storage.data_dir"] = _expand_home(cast("Path", values["storage.data_dir"]), environ)
    for path in _TAGS:
        values[path] = expand_tags(cast("tuple[tuple[str, str], ...]", values[path]), environ)
    config = build_config(values)
    conflicts = [
        *_port_conflicts(values),
        *_limit_conflicts(config),
        *security_conflicts(values),
        *sampling_conflicts(config.sampling),
        *tenancy_conflicts(config.tenancy),
    ]
    if conflicts:
        raise ConfigError(tuple(conflicts))
    remarks = tuple(remark for one in spoken for remark in one.remarks)
    return Effective(config, values, origins, remarks)


def _read_role(role: str) -> Document:
    defaults = role_defaults(role).items()
    return Document(tuple(Entry(path, text, f"lymer {role}") for path, text in defaults), ())


def _read_file(file: Path | None, environ: Mapping[str, str]) -> Document:
    if file is None:
        return Document((), ())
    try:
        content = read_given(file, FILE_BYTES_MAX)
        if len(content) > FILE_BYTES_MAX:
            return Document((), (f"{file}: file is over the limit of {FILE_BYTES_MAX} bytes",))
        text = content.decode("utf-8-sig")
    except OSError as error:
        return Document((), (f"cannot read configuration file {file}: {error.strerror}",))
    except UnicodeDecodeError as error:
        return Document((), (f"{file}: not UTF-8 text at byte {error.start}",))
    found = read_document(text, str(file), environ)
    if found.problems and jaeger_v2.looks_like_it(text):
        hint = f"`lymer config from-jaeger {file}` says it in ours"
        return Document((), (f"{file} is a configuration of Jaeger v2: {hint}",))
    return found


def _read_aliases(environ: Mapping[str, str]) -> Document:
    names = (name for name in _LISTEN_HOST_ALIASES if environ.get(name))
    return Document(tuple(Entry("listen_host", environ[name], name) for name in names), ())


def _read_environment(environ: Mapping[str, str]) -> Document:
    names = sorted(name for name in environ if name.startswith(_ENVIRONMENT_PREFIX))
    paths = {_variable(path): path for path in SETTINGS}
    entries = [Entry(paths[name], environ[name], name) for name in names if name in paths]
    problems = [
        f"{name}: unknown setting in the environment{_suggest_variable(name, paths)}"
        for name in names
        if name not in paths
    ]
    return Document(tuple(entries), tuple(problems))


def _variable(path: str) -> str:
    return _ENVIRONMENT_PREFIX + path.upper().replace(".", "__")


def _suggest_variable(name: str, known: Iterable[str]) -> str:
    lower = {variable.lower(): variable for variable in known}
    hint = suggest(name, lower)
    for word, variable in lower.items():
        hint = hint.replace(f'"{word}"', variable)
    return hint


def _read_overrides(overrides: Mapping[str, str]) -> Document:
    entries: list[Entry] = []
    problems: list[str] = []
    for given, text in overrides.items():
        path = given.replace("::", ".")  # Jaeger v2 and the Collector write --set=a::b=c
        if path in SETTINGS:
            entries.append(Entry(path, text, FLAGS.get(path, f"--set {path}")))
        else:
            problems.append(f'--set: unknown setting "{given}"{suggest(path, SETTINGS)}')
    return Document(tuple(entries), tuple(problems))


def _default_data_dir(environ: Mapping[str, str], role: str) -> Path:
    # "All paths must be absolute. If an implementation encounters a relative path [...] it should
    # [...] ignore it." Source: XDG Base Directory Specification 0.8.
    folder = Path(environ.get("XDG_DATA_HOME", ""))
    name = "lymer-agent" if role == "agent" else "lymer"  # they run side by side
    return (folder if folder.is_absolute() else Path("~/.local/share")) / name


def _expand_home(folder: Path, environ: Mapping[str, str]) -> Path:
    if not folder.parts or folder.parts[0] != "~":
        return folder
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if not home:
        problem = f"cannot find the home folder in {folder}: HOME is not set, give --data-dir"
        raise ConfigError((problem,))
    return Path(home, *folder.parts[1:])


def _inherit_listen_host(values: dict[str, object], origins: dict[str, str]) -> None:
    for path in SETTINGS:
        if path.endswith(".host") and origins[path] == "default":
            values[path] = values["listen_host"]
            if origins["listen_host"] != "default":
                origins[path] = f"listen_host of {origins['listen_host']}"


def _port_conflicts(values: Mapping[str, object]) -> Iterator[str]:
    taken: dict[tuple[object, ...], str] = {}
    for path in SETTINGS:
        if not path.endswith(".port") or values[path] == 0:
            continue
        group = path.removesuffix("port")
        if not values.get(group + "enabled", True):
            continue
        is_udp = "_udp_" in group  # TCP and UDP number their ports apart
        other = taken.setdefault((is_udp, values[group + "host"], values[path]), path)
        if other != path:
            yield f'"{other}" and "{path}" are both port {values[path]}: change one'


def _limit_conflicts(config: Config) -> Iterator[str]:
    receivers = config.receivers
    in_flight = receivers.admission.bytes_in_flight_max
    limits = {
        "otlp_grpc.message_bytes_max": receivers.otlp_grpc.message_bytes_max,
        "otlp_http.body_bytes_max": receivers.otlp_http.body_bytes_max,
    }
    if receivers.jaeger_grpc.enabled:
        limits["jaeger_grpc.message_bytes_max"] = receivers.jaeger_grpc.message_bytes_max
    if receivers.jaeger_http.enabled:
        limits["jaeger_http.body_bytes_max"] = receivers.jaeger_http.body_bytes_max
    if receivers.zipkin.enabled:
        limits["zipkin.body_bytes_max"] = receivers.zipkin.body_bytes_max
    for name, largest in limits.items():
        if largest > in_flight:
            yield (
                f'"receivers.{name}" is {largest} bytes, more than the {in_flight} bytes of '
                '"receivers.admission.bytes_in_flight_max": such a request could never be accepted'
            )
