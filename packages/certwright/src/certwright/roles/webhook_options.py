"""The webhook's settings: a file, and flags that win over it.

Source: reference cert-manager.md 4.1; cert-manager v1.12.2 internal/apis/config/webhook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import yaml

from certwright.admission.fields import aggregate
from certwright.errors import InvalidError, StartupError
from certwright.resources.features import FeatureGates

__all__ = ["WebhookOptions", "checked_options", "read_options"]

_API_VERSION: Final = "webhook.config.cert-manager.io/v1alpha1"
_KIND: Final = "WebhookConfiguration"


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """Every setting; a name is the flag's, with underscores."""

    secure_port: int = 6443
    """Port of /validate, /mutate and /convert; 0 for any free one."""
    healthz_port: int = 6080
    """Port of /livez and /healthz, without TLS; 0 for any free one."""
    bind_address: str = ""
    """Address of both listeners; empty for all. Not one of the original's flags."""
    tls_cert_file: str = ""
    tls_private_key_file: str = ""
    """PEM files, read again when they change. With neither these nor a dynamic CA, reviews are
    served without TLS."""
    dynamic_serving_ca_secret_namespace: str = ""
    dynamic_serving_ca_secret_name: str = ""
    dynamic_serving_dns_names: tuple[str, ...] = ()
    """Where our own CA is kept, and the names it signs."""
    tls_cipher_suites: tuple[str, ...] = ()
    tls_min_version: str = ""
    kubeconfig: str = ""
    api_server_host: str = ""
    feature_gates: Mapping[str, bool] = field(default_factory=dict)
    enable_profiling: bool = False
    profiler_address: str = "localhost:6060"

    @property
    def has_files(self) -> bool:
        """Whether the certificate comes from files."""
        return bool(self.tls_cert_file or self.tls_private_key_file)

    @property
    def has_dynamic_authority(self) -> bool:
        """Whether the certificate comes from our own CA."""
        return bool(
            self.dynamic_serving_ca_secret_namespace
            or self.dynamic_serving_ca_secret_name
            or self.dynamic_serving_dns_names
        )

    @property
    def gates(self) -> FeatureGates:
        """The feature gates.

        Raises:
            InvalidError: One is unknown.
        """
        return FeatureGates.from_mapping(self.feature_gates)


_FILE_FIELDS: Final[Mapping[tuple[str, ...], str]] = {
    ("securePort",): "secure_port",
    ("healthzPort",): "healthz_port",
    ("tlsConfig", "cipherSuites"): "tls_cipher_suites",
    ("tlsConfig", "minTLSVersion"): "tls_min_version",
    ("tlsConfig", "filesystem", "certFile"): "tls_cert_file",
    ("tlsConfig", "filesystem", "keyFile"): "tls_private_key_file",
    ("tlsConfig", "dynamic", "secretNamespace"): "dynamic_serving_ca_secret_namespace",
    ("tlsConfig", "dynamic", "secretName"): "dynamic_serving_ca_secret_name",
    ("tlsConfig", "dynamic", "dnsNames"): "dynamic_serving_dns_names",
    ("kubeConfig",): "kubeconfig",
    ("apiServerHost",): "api_server_host",
    ("enablePprof",): "enable_profiling",
    ("pprofAddress",): "profiler_address",
    ("featureGates",): "feature_gates",
}
"""Path in the file → setting."""


def read_options(config: Path | None, flags: Mapping[str, Any]) -> WebhookOptions:
    """Return the settings of a file, with those flags over it that were given.

    Args:
        config: A WebhookConfiguration, YAML; None for defaults.
        flags: Setting → value, only what stands on the command line.

    Raises:
        StartupError: The file cannot be read or is not what it must be, or settings contradict.
    """
    options = WebhookOptions() if config is None else _of_file(config)
    return checked_options(replace(options, **flags))


def checked_options(options: WebhookOptions) -> WebhookOptions:
    """Return the same options.

    Raises:
        StartupError: They contradict each other; the texts are cert-manager's.
    """
    problems = []
    if options.has_files and options.has_dynamic_authority:
        problems.append("cannot specify both filesystem based and dynamic TLS configuration")
    elif options.has_files:
        kind = "filesystem based TLS config"
        problems += _missing(options, "tls_private_key_file", "filesystem.keyFile", kind)
        problems += _missing(options, "tls_cert_file", "filesystem.certFile", kind)
    elif options.has_dynamic_authority:
        kind = "dynamic TLS config"
        problems += _missing(
            options, "dynamic_serving_ca_secret_namespace", "dynamic.secretNamespace", kind
        )
        problems += _missing(options, "dynamic_serving_ca_secret_name", "dynamic.secretName", kind)
        problems += _missing(options, "dynamic_serving_dns_names", "dynamic.dnsNames", kind)
    for name in ("secure_port", "healthz_port"):
        if not 0 <= getattr(options, name) <= 65535:
            problems.append(f"{_flag(name)} must be 0 to 65535, it is {getattr(options, name)}")
    if problems:
        text = aggregate(f"invalid configuration: {problem}" for problem in problems)
        raise StartupError(f"error validating the webhook's configuration: {text}")
    try:
        _ = options.gates
    except InvalidError as error:
        raise StartupError(str(error)) from error
    return options


def _missing(options: WebhookOptions, name: str, path: str, kind: str) -> list[str]:
    if getattr(options, name):
        return []
    return [f"tlsConfig.{path} ({_flag(name)}) must be specified when using {kind}"]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


# ------------------------------------------------------------------------------ the file


def _of_file(path: Path) -> WebhookOptions:
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StartupError(f"cannot read the webhook's configuration {path}: {error}") from error
    if not isinstance(document, dict):
        raise StartupError(f"cannot read the webhook's configuration {path}: it is no YAML object")
    found = (document.get("apiVersion"), document.get("kind"))
    if found != (_API_VERSION, _KIND):
        raise StartupError(
            f"cannot use the webhook's configuration {path}: it is a {found[1]} of {found[0]}, and"
            f" must be a {_KIND} of {_API_VERSION}"
        )
    values: dict[str, Any] = {}
    for place, value in _leaves(document, (), path):
        name = _FILE_FIELDS.get(place)
        if name is None:
            raise StartupError(
                f'cannot use the webhook\'s configuration {path}: unknown field "{".".join(place)}"'
            )
        values[name] = _typed(value, name, ".".join(place), path)
    return replace(WebhookOptions(), **values)


def _leaves(
    value: Mapping[str, Any], place: tuple[str, ...], path: Path
) -> list[tuple[tuple[str, ...], Any]]:
    inner = {known[: len(place) + 1] for known in _FILE_FIELDS if len(known) > len(place) + 1}
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, below in value.items():
        where = (*place, str(name))
        if not place and name in {"apiVersion", "kind"}:
            continue
        if below is None:
            continue
        if where in inner:
            if not isinstance(below, dict):
                raise StartupError(
                    f"cannot use the webhook's configuration {path}: {'.'.join(where)} is no object"
                )
            found += _leaves(below, where, path)
        else:
            found.append((where, below))
    return found


def _typed(value: Any, name: str, place: str, path: Path) -> Any:
    default = next(entry for entry in fields(WebhookOptions) if entry.name == name)
    kind = Mapping if name == "feature_gates" else type(default.default)
    if kind is tuple and isinstance(value, list) and all(isinstance(text, str) for text in value):
        return tuple(value)
    if isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
        return value
    raise StartupError(
        f"cannot use the webhook's configuration {path}: {place} has a {type(value).__name__}"
    )
