"""What is printed once, when everything works: where things are, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from lymer import __version__
from lymer.config import Config
from lymer.config.security import ListenerTlsSettings

__all__ = ["Endpoints", "otlp_rows", "place", "ready_block", "role_block", "span_of_time", "url"]

_ANY: Final = {"0.0.0.0", "::", ""}  # noqa: S104 - compared with, not bound to


@dataclass(slots=True)
class Endpoints:
    """The ports that were really opened: a configured 0 is a free one."""

    ui_port: int
    otlp_http_port: int
    admin_port: int
    health_port: int
    """0 if there is none."""
    otlp_grpc_port: int = 0
    """Known last, for gRPC binds for itself."""
    foreign: str = ""
    """What listens beside OTLP, with ports, for people; known last, for the same reason."""

    def otlp_grpc(self, config: Config) -> str:
        """Return `host:port` of OTLP over gRPC, as a client on this machine writes it."""
        settings = config.receivers.otlp_grpc
        return place(settings.host, self.otlp_grpc_port or settings.port)

    def otlp_http(self, config: Config) -> str:
        """Return the URL of OTLP over HTTP, without path."""
        settings = config.receivers.otlp_http
        return url(config, settings, self.otlp_http_port or settings.port)


class _Listener(Protocol):
    """Settings of something that listens."""

    @property
    def host(self) -> str: ...
    @property
    def tls(self) -> ListenerTlsSettings: ...


def url(config: Config, listener: _Listener, port: int) -> str:
    """Return `http://host:port`, or https, as a client on this machine writes it."""
    scheme = "https" if listener.tls.is_on(config.tls) else "http"
    return f"{scheme}://{place(listener.host, port)}"


def _shown(host: str) -> str:
    if host in _ANY:
        return "localhost"
    return f"[{host}]" if ":" in host else host


def place(host: str, port: int) -> str:
    """Return `host:port` as a client on this machine writes it."""
    return f"{_shown(host)}:{port}"


def otlp_rows(config: Config, grpc_port: int, http_port: int) -> list[tuple[str, str]]:
    """Return the rows of OTLP's doors; without text where one is not open (port 0)."""
    otlp = config.receivers
    return [
        ("OTLP gRPC", place(otlp.otlp_grpc.host, grpc_port) if grpc_port else ""),
        ("OTLP HTTP", url(config, otlp.otlp_http, http_port) if http_port else ""),
    ]


def span_of_time(seconds: float) -> str:
    """Return a span of time as people say it."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            count = round(seconds / length)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds"


def ready_block(config: Config, data_dir: Path, endpoints: Endpoints, start_seconds: float) -> str:
    """Return the text, with a newline at its end."""
    ui = url(config, config.query, endpoints.ui_port) + config.query.base_path
    health = url(config, config.admin, endpoints.admin_port) + "/status"
    if endpoints.health_port:
        health = url(config, config.health, endpoints.health_port) + "/status"
    metrics = url(config, config.admin, endpoints.admin_port) + "/metrics"
    kept = span_of_time(config.storage.retention_seconds)
    doors = otlp_rows(config, endpoints.otlp_grpc_port, endpoints.otlp_http_port)
    rows = [
        *(
            (label, text + "/v1/traces" * (label == "OTLP HTTP" and bool(text)))
            for label, text in doors
        ),
        ("Also", endpoints.foreign),
    ]
    listening = "".join(f"\n  {label:<11} {text}" for label, text in rows if text)
    first = (
        "run `lymer demo` in another terminal, or start a service of yours with\n"
        f"               OTEL_EXPORTER_OTLP_ENDPOINT={endpoints.otlp_http(config)} "
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
        if endpoints.otlp_http_port
        else "send spans to one of these"
    )
    return f"""
Lymer {__version__} is ready ({start_seconds:.1f} s)

  UI          {ui}{listening}
  Data        {data_dir}, kept for {kept}
  Health      {health}
  Metrics     {metrics}

  First trace: {first}
  Stop:        Ctrl-C

"""


def role_block(role: str, rows: Sequence[tuple[str, str]], start_seconds: float) -> str:
    """Return the text of a role that is not all-in-one.

    Args:
        role: Its name.
        rows: Label and text; a row without text is left out.
        start_seconds: What the start took.
    """
    lines = "\n".join(f"  {label:<11} {text}" for label, text in rows if text)
    return f"""
Lymer {__version__} {role} is ready ({start_seconds:.1f} s)

{lines}

  Stop:       Ctrl-C

"""
