"""What is printed once, when everything works: where things are, what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lymer import __version__
from lymer.config import Config

__all__ = ["Endpoints", "ready_block"]

_ANY: Final = {"0.0.0.0", "::", ""}  # noqa: S104 - compared with, not bound to


@dataclass(slots=True)
class Endpoints:
    """The ports that were really opened: a configured 0 is a free one."""

    ui_port: int
    otlp_http_port: int
    admin_port: int
    health_port: int
    otlp_grpc_port: int = 0
    """Known last, for gRPC binds for itself."""
    foreign: str = ""
    """What listens beside OTLP, with ports, for people; known last, for the same reason."""

    def otlp_grpc(self, config: Config) -> str:
        """Return `host:port` of OTLP over gRPC, as a client on this machine writes it."""
        settings = config.receivers.otlp_grpc
        return f"{_shown(settings.host)}:{self.otlp_grpc_port or settings.port}"

    def otlp_http(self, config: Config) -> str:
        """Return the URL of OTLP over HTTP, without path."""
        return f"http://{_shown(config.receivers.otlp_http.host)}:{self.otlp_http_port}"


def _shown(host: str) -> str:
    if host in _ANY:
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _span_of_time(seconds: float) -> str:
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            count = round(seconds / length)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds"


def ready_block(config: Config, data_dir: Path, endpoints: Endpoints, start_seconds: float) -> str:
    """Return the text, with a newline at its end."""
    ui = f"http://{_shown(config.query.host)}:{endpoints.ui_port}{config.query.base_path}"
    health = f"http://{_shown(config.health.host)}:{endpoints.health_port}/status"
    metrics = f"http://{_shown(config.admin.host)}:{endpoints.admin_port}/metrics"
    kept = _span_of_time(config.storage.retention_seconds)
    otlp_http = endpoints.otlp_http(config)
    foreign = f"\n  Also        {endpoints.foreign}" if endpoints.foreign else ""
    return f"""
Lymer {__version__} is ready ({start_seconds:.1f} s)

  UI          {ui}
  OTLP gRPC   {endpoints.otlp_grpc(config)}
  OTLP HTTP   {otlp_http}/v1/traces{foreign}
  Data        {data_dir}, kept for {kept}
  Health      {health}
  Metrics     {metrics}

  First trace: run `lymer demo` in another terminal, or start a service of yours with
               OTEL_EXPORTER_OTLP_ENDPOINT={otlp_http} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
  Stop:        Ctrl-C

"""
